// Room for the answer on a small screen: the navigation steps aside while one reads on or types.
import { reactive } from 'vue'

export const room = reactive({
  /** Scrolled on: back, or at the end, the navigation is there again */
  reading: false,
  /** A box for text has the focus: on a phone the keyboard is there */
  typing: false,
  /** How high the keyboard lies over the page, px, where the browser doesn't make room for it (iOS) */
  keys: 0,
  /** How high the visible page is, px */
  height: 0,
})

// #ifdef H5
/** Less is a trembling thumb */
const STEP_PX = 8
let top = window.scrollY

window.addEventListener(
  'scroll',
  () => {
    const now = window.scrollY
    const end = now + window.innerHeight >= document.documentElement.scrollHeight - STEP_PX
    if (end || now <= STEP_PX) room.reading = false
    else if (Math.abs(now - top) < STEP_PX) return
    else room.reading = now > top
    top = now
  },
  { passive: true },
)
document.addEventListener('focusin', ({ target }) => (room.typing = target instanceof HTMLElement && target.matches('textarea, input:not([type=radio])')))
document.addEventListener('focusout', () => (room.typing = false))

const seen = window.visualViewport
function measure() {
  const whole = !seen || seen.scale > 1.01 // a magnified page is no keyboard
  room.keys = whole ? 0 : Math.max(0, Math.round(window.innerHeight - seen.height - seen.offsetTop))
  room.height = window.innerHeight - room.keys
}
measure()
for (const one of [window, seen]) one?.addEventListener('resize', measure)
// #endif
