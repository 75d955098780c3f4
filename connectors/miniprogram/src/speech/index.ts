// Reading aloud and voice input, where the platform has them.
import { ref } from 'vue'
// #ifdef H5
import { browserSpeech } from './browser'
// #endif
// #ifdef MP-WEIXIN
import { wechatSpeech } from './wechat'
// #endif
import type { Speech } from './platform'

const MUTE: Speech = { canSpeak: false, canListen: false, speak: () => {}, hush: () => {}, listen: () => {}, stopListening: () => {} }

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
export const listening = ref(false)

export function speak(key: string, text: string): void {
  stop()
  speaking.value = key
  platform.speak(text, () => {
    if (speaking.value === key) speaking.value = null
  })
}

export function stop(): void {
  speaking.value = null
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
