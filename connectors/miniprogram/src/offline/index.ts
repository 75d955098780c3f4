// After the first answer the rest of the page is fetched, and kept for a visit without network.
import { watch } from 'vue'
import { talk } from '@/conversation'
import { kiosk } from '@/storage'

/** Those who only look get it so long after they came */
const LOOKED_MS = 20_000

let fetched = false

async function fetchRest(): Promise<void> {
  if (fetched) return
  fetched = true
  await import('@/later').catch(() => (fetched = false)) // fetched when a page needs it, then
  if (!kiosk) await navigator.serviceWorker?.register('/worker.js').catch(() => undefined) // a convenience
}

export function fetchRestInTime(): void {
  watch(
    () => talk.lines.some((line) => line.sender !== 'citizen'),
    (answered) => answered && void fetchRest(),
  )
  setTimeout(() => void fetchRest(), LOOKED_MS)
}
