// The page's socket: the server says what has changed, the page reads it anew.  After a pause it goes on from the last event it saw.
import { defineStore } from 'pinia'
import { computed, onBeforeUnmount, onMounted, ref } from 'vue'
import { clock } from './words'
import { usePerson } from './person'
import { outdated } from './queries'

interface Happened {
  id: number
  kind: string
  subject?: string
  names?: string[]
  events?: Happened[]
}

/** The server says that it is there every ten seconds. */
const SILENT_MS = 25_000
/** So long without a tick, and the machine was asleep. */
const SLEPT_MS = 5_000
const LONGEST_MS = 10_000
/** How often it is said that somebody writes. */
const TYPING_MS = 3_000
const SIGNED_OUT = 4401
const NOT_ALLOWED = 4403
const TOO_SLOW = 4408
const TOO_MANY = 4429

/** Kind of event → what it makes outdated. */
const TOUCHES: Record<string, (subject: string) => (readonly unknown[])[]> = {
  conversation: (id) => [['conversations'], ['conversation', id], ['work'], ['unanswered'], ['floor'], ['colleagues']],
  call: (id) => [['calls'], ['call', id], ['floor']],
  danger: () => [['dangers'], ['work'], ['conversations'], ['floor']],
  duty: () => [['work'], ['floor'], ['colleagues']],
  doubt: () => [['doubts'], ['conversation'], ['floor']],
  callback: () => [['callbacks'], ['work'], ['floor']],
  shield: () => [['floor'], ['work']],
  sms: () => [['sms']],
  ticket: (number) => [['tickets'], ['ticket', number], ['work']],
  unanswered: () => [['unanswered']],
  review: () => [['reviews']],
  golden: () => [['golden']],
  person: () => [['sign-ins']],
  import: (id) => [['imports'], ['import', id]],
  job: (id) => [['jobs'], ['job', id], ['health'], ['replay'], ['releases']],
  local: () => [['local'], ['local-one']],
  learning: () => [['learning']],
  release: () => [['releases']],
  surge: () => [['surges']],
  recall: (id) => [['recalls'], ['recall', id]],
  knowledge: (id) => [['knowledge'], ['qa', id]],
}

export const useLive = defineStore('live', () => {
  const person = usePerson()
  const connected = ref(false)
  const heard = ref(0)
  /** A sentence where it can't be connected for a reason that somebody can do something about. */
  const trouble = ref('')
  const said = computed(() => {
    if (connected.value) return '已连接'
    return trouble.value || (heard.value ? `重连中，数据截至 ${clock(new Date(heard.value))}` : '连接中')
  })

  /** Whether it was connected, and is no more. */
  const cut = computed(() => !connected.value && (heard.value > 0 || trouble.value !== ''))

  /** Who else looks at what this page shows. */
  const others = ref<string[]>([])
  let looking = ''
  let typed = 0

  let socket: WebSocket | null = null
  let wanted = false
  let last = 0
  let tries = 0
  let again: ReturnType<typeof setTimeout> | undefined
  let ticked = Date.now()
  setInterval(tick, 1000)
  addEventListener('online', wake)
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && wake())

  function open() {
    clearTimeout(again)
    const address = new URL(`/api/desk/events?after=${last}`, location.href)
    address.protocol = address.protocol.replace('http', 'ws')
    const mine = (socket = new WebSocket(address))
    mine.onmessage = ({ data }) => mine === socket && take(JSON.parse(data as string) as Happened)
    mine.onclose = ({ code }) => mine === socket && lost(code)
  }

  function take(event: Happened) {
    if (event.kind === 'several') {
      for (const one of event.events ?? []) take(one)
      return
    }
    connected.value = true
    trouble.value = ''
    heard.value = Date.now()
    tries = 0
    // At the first connection, and where too much was missed: whatever was read before may have changed unseen.
    if (event.kind === 'reset' || (event.kind === 'hello' && !last)) outdated([])
    if (event.kind === 'reset' || event.kind === 'hello') sayLooking()
    if (event.kind === 'looking') {
      if (event.subject === looking) others.value = event.names ?? []
      return
    }
    last = Math.max(event.kind === 'reset' ? 0 : last, event.id)
    const touched = TOUCHES[event.kind]?.(event.subject ?? '')
    if (touched) outdated(...touched)
    if (event.kind === 'person') person.load(true).catch(() => undefined)
  }

  async function lost(code: number) {
    connected.value = false
    socket = null
    if (code === SIGNED_OUT || code === NOT_ALLOWED) {
      // Locked, ended, or other roles than before: the answer says which.  Locked, it waits for the password.
      if (!(await person.load(true).catch(() => true))) return
    }
    let wait = Math.min(LONGEST_MS, 500 * 2 ** tries++) * (0.75 + Math.random() / 2)
    if (code === TOO_SLOW) wait = 0
    if (code === TOO_MANY) {
      trouble.value = '您打开的工作台页面太多，这一页不会自动更新，请关掉几个'
      wait = 30_000
    }
    if (wanted) again = setTimeout(open, wait)
  }

  function tick() {
    const slept = Date.now() - ticked > SLEPT_MS
    ticked = Date.now()
    if (slept) wake()
    else if (connected.value && Date.now() - heard.value > SILENT_MS) renew()
  }

  /** The machine was asleep or off line: a socket that looks open may have been dead for long. */
  function wake() {
    if (wanted && (!connected.value || Date.now() - heard.value > 12_000)) renew()
  }

  function renew() {
    tries = 0
    connected.value = false
    const old = socket
    socket = null
    old?.close()
    open()
  }

  /** This page shows that now; nothing: empty. */
  function look(subject: string) {
    looking = subject
    others.value = []
    sayLooking()
  }
  function sayLooking() {
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ looking }))
  }
  /** Somebody writes to the citizen: they see it, if the conversation is this person's. */
  function typing(conversation: string) {
    const now = Date.now()
    if (now - typed < TYPING_MS || socket?.readyState !== WebSocket.OPEN) return
    typed = now
    socket.send(JSON.stringify({ typing: conversation }))
  }
  /** It shows that no more. */
  function lookAway(subject: string) {
    if (looking === subject) look('')
  }

  function start() {
    wanted = true
    if (!socket) open()
  }

  function stop() {
    wanted = false
    clearTimeout(again)
    const old = socket
    socket = null
    last = tries = heard.value = 0
    connected.value = false
    old?.close()
  }

  return { connected, cut, said, others, look, lookAway, typing, start, stop }
})

/** While the component is there, colleagues see that this is looked at; returns who else does. */
export function useLooking(subject: string) {
  const live = useLive()
  onMounted(() => live.look(subject))
  onBeforeUnmount(() => live.lookAway(subject))
  return computed(() => live.others)
}
