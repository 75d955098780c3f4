// What this device keeps.  A full or forbidden storage (private windows) loses convenience, never a page.

/** A shared device keeps nothing beyond the page: its address says ?kiosk=1. */
export const kiosk = atKiosk()

function atKiosk(): boolean {
  // #ifdef H5
  return /[?&]kiosk=1\b/.test(location.href)
  // #endif
  // #ifndef H5
  return false
  // #endif
}

/** Only to try the assistant: its address says ?trial=1.  Nothing is kept either: it must not mix with one's own conversation. */
export const trial = tried()

function tried(): boolean {
  // #ifdef H5
  return /[?&]trial=1\b/.test(location.href)
  // #endif
  // #ifndef H5
  return false
  // #endif
}

const OURS = 'yihaoda.'

export function load<T>(key: string): T | null {
  if (kiosk || trial) return null
  try {
    const kept = uni.getStorageSync(OURS + key) as string
    return kept ? (JSON.parse(kept) as T) : null
  } catch {
    return null
  }
}

export function save(key: string, value: unknown): void {
  if (kiosk || trial) return
  try {
    if (value === null) uni.removeStorageSync(OURS + key)
    else uni.setStorageSync(OURS + key, JSON.stringify(value))
  } catch {
    // nothing to do: it is asked again next time
  }
}
