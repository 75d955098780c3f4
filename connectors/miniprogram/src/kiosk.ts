// A shared device (?kiosk=1): nothing is kept on it, and whoever goes away without a word is forgotten.
import { reactive, watch } from 'vue'
import { erase, forgetHere, talk } from './conversation'
import { kiosk } from './storage'
import { resetSettings } from './settings'
import { speaking, stop } from './speech'
import { forgetTickets } from './tickets'

const SILENCE_S = 60
/** So long before the end it is said */
const WARNED_S = 15

export const ending = reactive({
  /** Seconds until it ends; 0: not yet to be said */
  left: 0,
})

let silent = 0

function heard() {
  silent = 0
  ending.left = 0
}

/** As if nobody had been here. */
async function end() {
  heard()
  stop()
  resetSettings()
  forgetTickets()
  const lost = erase().catch(() => forgetHere()) // without network the gateway forgets it by its own rules
  uni.reLaunch({ url: '/pages/conversation' })
  await lost
}

// #ifdef H5
if (kiosk) {
  for (const sign of ['pointerdown', 'keydown', 'wheel', 'touchmove']) window.addEventListener(sign, heard, { passive: true })
  watch(() => talk.lines.length, heard)
  setInterval(() => {
    if (speaking.value) heard() // somebody listens
    silent += 1
    if (silent >= SILENCE_S) void end()
    else ending.left = silent >= SILENCE_S - WARNED_S ? SILENCE_S - silent : 0
  }, 1_000)
}
// #endif
