// The Web Speech API.
import { UNHEARD, type Speech } from './platform'

interface Recogniser {
  lang: string
  interimResults: boolean
  onresult: (event: { results: { 0: { 0: { transcript: string } } } }) => void
  onend: () => void
  onerror: (event: { error: string }) => void
  start(): void
  stop(): void
  abort(): void
}
type Browser = Window & { SpeechRecognition?: new () => Recogniser; webkitSpeechRecognition?: new () => Recogniser }

export function browserSpeech(): Speech {
  const Recognition = (window as Browser).SpeechRecognition ?? (window as Browser).webkitSpeechRecognition
  const synthesis = window.speechSynthesis as SpeechSynthesis | undefined
  let recogniser: Recogniser | null = null
  return {
    canSpeak: synthesis !== undefined,
    canListen: Recognition !== undefined,
    speak(sentences, at, done) {
      sentences.forEach((sentence, index) => {
        const words = new SpeechSynthesisUtterance(sentence)
        words.lang = 'zh-CN'
        words.rate = 0.9 // many listeners are old
        words.onstart = () => at(index)
        words.onerror = done
        if (index === sentences.length - 1) words.onend = done
        synthesis?.speak(words)
      })
    },
    hush() {
      synthesis?.cancel()
    },
    listen(heard, failed, done) {
      if (!Recognition) return
      recogniser = new Recognition()
      recogniser.lang = 'zh-CN'
      recogniser.interimResults = false
      recogniser.onresult = (event) => heard(event.results[0][0].transcript)
      recogniser.onerror = ({ error }) => {
        if (error !== 'aborted') failed(error === 'not-allowed' ? '没有麦克风权限，请打字' : UNHEARD)
      }
      recogniser.onend = done
      recogniser.start()
    },
    stopListening() {
      recogniser?.stop()
    },
    dropListening() {
      recogniser?.abort()
    },
  }
}
