// Reading aloud and voice input, where the platform has them.
import { ref } from 'vue'
// #ifdef H5
import { browserSpeech } from './browser'
// #endif
// #ifdef MP-WEIXIN
import { wechatSpeech } from './wechat'
// #endif

export interface Speech {
  canSpeak: boolean
  canListen: boolean
  /** Reads text aloud; `done` when it ended, whatever the reason */
  speak(text: string, done: () => void): void
  hush(): void
  /** Listens until the speaker stops; exactly one of heard and failed is called, then done */
  listen(heard: (text: string) => void, failed: (why: string) => void, done: () => void): void
  stopListening(): void
}

export const UNHEARD = '没有听清，请再说一遍或者打字'
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
