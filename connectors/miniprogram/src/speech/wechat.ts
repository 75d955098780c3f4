// The 微信同声传译 plug-in (WechatSI).  A city adds it to its mini-program and to manifest.json, then builds with VITE_SPEECH_PLUGIN=1
// (docs/wechat.zh.md).  Without it neither reading nor listening is offered: WeChat's own keyboard takes dictation.
import { UNHEARD, type Speech } from './platform'

interface Manager {
  onStop: (result: { result: string }) => void
  onError: () => void
  start(options: { lang: string; duration: number }): void
  stop(): void
}
interface Plugin {
  textToSpeech(options: { lang: string; tts: true; content: string; success(result: { filename: string }): void; fail(): void }): void
  getRecordRecognitionManager(): Manager
}
declare function requirePlugin(name: string): Plugin

const PIECE = 300
/** Characters the plug-in reads at once: its limit is 1,000 bytes */

export function wechatSpeech(): Speech | null {
  if (import.meta.env.VITE_SPEECH_PLUGIN !== '1') return null
  const plugin = requirePlugin('WechatSI')
  const manager = plugin.getRecordRecognitionManager()
  let player: UniApp.InnerAudioContext | null = null
  let reading = 0
  let dropped = false

  /** Reads one sentence, piece by piece. */
  function read(text: string, turn: number, done: () => void): void {
    if (!text || turn !== reading) return done()
    plugin.textToSpeech({
      lang: 'zh_CN',
      tts: true,
      content: text.slice(0, PIECE),
      success({ filename }) {
        if (turn !== reading) return done()
        player = uni.createInnerAudioContext()
        player.src = filename
        player.onEnded(() => read(text.slice(PIECE), turn, done))
        player.onError(done)
        player.play()
      },
      fail: done,
    })
  }

  return {
    canSpeak: true,
    canListen: true,
    speak(sentences, at, done) {
      const turn = (reading += 1)
      const next = (index: number): void => {
        const sentence = sentences[index]
        if (sentence === undefined || turn !== reading) return done()
        at(index)
        read(sentence, turn, () => next(index + 1))
      }
      next(0)
    },
    hush() {
      reading += 1
      player?.destroy()
      player = null
    },
    listen(heard, failed, done) {
      dropped = false
      manager.onStop = ({ result }) => {
        if (result && !dropped) heard(result)
        else if (!dropped) failed(UNHEARD)
        done()
      }
      manager.onError = () => {
        failed(UNHEARD)
        done()
      }
      manager.start({ lang: 'zh_CN', duration: 30_000 })
    },
    stopListening() {
      manager.stop()
    },
    dropListening() {
      dropped = true
      manager.stop()
    },
  }
}
