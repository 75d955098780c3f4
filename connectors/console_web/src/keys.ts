// Shortcuts.  The sheet (?) is made from what is registered, so that it shows what works on the page one is on.
import { createKeybindingsHandler } from 'tinykeys'
import { onBeforeUnmount, onMounted, shallowReactive } from 'vue'

export interface Shortcut {
  /** As tinykeys reads them: "g t", "j", "F2", "Control+Enter". */
  keys: string
  /** What the sheet says. */
  words: string
  run: (event: KeyboardEvent) => void
  /** Whether it also works while somebody is typing. */
  typing?: boolean
}

/** What works now, by the group that the sheet shows. */
export const active = shallowReactive(new Map<symbol, { group: string; shortcuts: Shortcut[] }>())

/** Whether an input method is putting a word together: no key means what it says then. */
export function composing(event: KeyboardEvent): boolean {
  return event.isComposing || event.keyCode === 229
}

/** Whether what is typed goes into a field. */
export function inField(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false
  if (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true
  return target instanceof HTMLInputElement && !['checkbox', 'radio', 'button', 'submit'].includes(target.type)
}

const LEADER_MS = 1000
let led: KeyboardEvent | undefined
let leader = -LEADER_MS
// The key after "g" says where to go, and nothing else: "g c" must not also take the ticket that one is looking at.
addEventListener(
  'keydown',
  (event) => {
    if (composing(event) || inField(event.target) || ['Shift', 'Control', 'Alt', 'Meta'].includes(event.key)) return
    led = event.timeStamp - leader < LEADER_MS ? event : undefined
    leader = !led && event.key.toLowerCase() === 'g' ? event.timeStamp : -LEADER_MS
  },
  { capture: true },
)

/** While the component is there, these keys work; under a dialog none but the dialog's own do. */
export function useKeys(group: string, shortcuts: Shortcut[], options: { inDialog?: boolean } = {}) {
  const id = Symbol(group)
  const bound = Object.fromEntries(
    shortcuts.map(({ keys, run, typing }) => [
      keys,
      (event: KeyboardEvent) => {
        if (!typing && inField(event.target)) return
        // And the one after that is a key again: "g t j" is no "g j".
        if ((led === event) !== keys.includes(' ')) return
        event.preventDefault()
        run(event)
      },
    ]),
  )
  const handle = createKeybindingsHandler(bound, {
    ignore: (event) =>
      composing(event) || event.repeat || (!options.inDialog && document.querySelector('dialog[open]') !== null),
  })
  onMounted(() => {
    active.set(id, { group, shortcuts })
    addEventListener('keydown', handle)
  })
  onBeforeUnmount(() => {
    active.delete(id)
    removeEventListener('keydown', handle)
  })
}

/** Keys that a field itself listens to, for the sheet. */
export function useHints(group: string, hints: { keys: string; words: string }[]) {
  const id = Symbol(group)
  onMounted(() => active.set(id, { group, shortcuts: hints.map((hint) => ({ ...hint, run: () => undefined })) }))
  onBeforeUnmount(() => active.delete(id))
}

const NAMES: Record<string, string> = { Control: 'Ctrl', ArrowDown: '↓', ArrowUp: '↑', Escape: 'Esc', Enter: '回车', BracketLeft: '[', BracketRight: ']' }

/** "Control+Enter" → [["Ctrl", "回车"]], "g t" → [["G"], ["T"]] */
export function shown(keys: string): string[][] {
  return keys
    .replace('[Shift]+', '')
    .split(' ')
    .map((press) => press.split('+').map((key) => NAMES[key] ?? (key.length === 1 ? key.toUpperCase() : key)))
}

/** Move the focus among the rows of a list. */
export function moveRow(step: number) {
  const rows = [...document.querySelectorAll<HTMLElement>('[data-row]')]
  if (!rows.length) return
  const here = rows.findIndex((row) => row === document.activeElement || row.contains(document.activeElement))
  const next = here < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, here + step))
  rows[next]?.focus()
  rows[next]?.scrollIntoView({ block: 'nearest' })
}
