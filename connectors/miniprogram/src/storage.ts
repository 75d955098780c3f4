// What this device keeps.  A full or forbidden storage (private windows) loses convenience, never a page.

export function load<T>(key: string): T | null {
  try {
    const kept = uni.getStorageSync(`yihaoda.${key}`) as string
    return kept ? (JSON.parse(kept) as T) : null
  } catch {
    return null
  }
}

export function save(key: string, value: unknown): void {
  try {
    if (value === null) uni.removeStorageSync(`yihaoda.${key}`)
    else uni.setStorageSync(`yihaoda.${key}`, JSON.stringify(value))
  } catch {
    // nothing to do: it is asked again next time
  }
}
