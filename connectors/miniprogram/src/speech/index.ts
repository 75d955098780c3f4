// Reading aloud and voice input, where the platform has them.
import { ref } from 'vue'
// #ifdef H5
import { browserSpeech } from './browser'
// #endif
// #ifdef MP-WEIXIN
import { wechatSpeech } from './wechat'
// #endif
import type { Speech } from './platform'

const nothing = () => {}
const MUTE: Speech = { canSpeak: false, canListen: false, speak: nothing, hush: nothing, listen: nothing, stopListening: nothing, dropListening: nothing }

let platform = MUTE
// #ifdef H5
platform = browserSpeech()
// #endif
// #ifdef MP-WEIXIN
platform = wechatSpeech() ?? MUTE
// #endif

export const { canSpeak, canListen } = platform
/** The key of what is being read aloud */
export const speaking = ref<string | null>(null)
/** Which of its sentences */
export const sentence = ref(-1)
export const listening = ref(false)
let turn = 0

/** Reads sentences aloud. */
export function speak(key: string, sentences: string[]): void {
  stop()
  const mine = turn
  speaking.value = key
  platform.speak(
    sentences,
    (index) => mine === turn && (sentence.value = index),
    () => mine === turn && stop(),
  )
}

export function stop(): void {
  turn += 1
  speaking.value = null
  sentence.value = -1
  platform.hush()
}

export function listen(heard: (text: string) => void, failed: (why: string) => void): void {
  stop()
  listening.value = true
  platform.listen(heard, failed, () => (listening.value = false))
}

export function stopListening(): void {
  platform.stopListening()
}

/** Stops listening; what was said is not written. */
export function dropListening(): void {
  platform.dropListening()
}
