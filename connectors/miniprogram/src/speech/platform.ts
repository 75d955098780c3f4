// What each platform's speech offers.
export interface Speech {
  canSpeak: boolean
  canListen: boolean
  /** Reads sentences aloud; `at` says which one begins, `done` when it ended, whatever the reason */
  speak(sentences: string[], at: (index: number) => void, done: () => void): void
  hush(): void
  /** Listens until the speaker stops; exactly one of heard and failed is called, then done */
  listen(heard: (text: string) => void, failed: (why: string) => void, done: () => void): void
  stopListening(): void
  /** Stops, and what was heard is dropped: only done is called */
  dropListening(): void
}

export const UNHEARD = '没有听清，请再说一遍或者打字'
