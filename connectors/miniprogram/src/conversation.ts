// The conversation: what was said, what is still to be sent, and following what the other side says.
import { computed, reactive } from 'vue'
import { ApiError, call, type Message, type Reply } from './api/client'
import { authorised, current, forget } from './session'
// #ifdef MP-WEIXIN
import { ensure } from './session'
// #endif
import { load, save } from './storage'
import { remember } from './tickets'

export interface Line {
  /** Stable for rendering; a citizen's own line keeps its message id */
  key: string
  sender: Message['sender']
  /** The number of the person who said it */
  agent?: string | null
  at: string
  text: string
  replies: Reply[]
  turnId: string | null
  helpful: boolean | null
  status: 'sent' | 'sending' | 'failed'
  /** Why it failed, for the citizen */
  why?: string
}

interface Unsent {
  id: string
  text: string
}

export const talk = reactive({
  lines: [] as Line[],
  state: 'bot',
  loaded: false,
  offline: false,
  /** The lines are those that the device kept from an earlier visit */
  kept: false,
  /** A turn whose reply is still to come */
  awaiting: null as string | null,
  /** The gateway's word on a wait that will be long */
  notice: '',
  /** Where one stands in the queue for a person */
  queue: null as { position: number; minutes: number | null } | null,
  /** The number of the person who has the conversation */
  agent: '',
  /** That person is writing */
  typing: false,
})

export const busy = computed(() => talk.awaiting !== null || talk.lines.some((line) => line.status === 'sending'))

/** Lines that the device keeps for a visit without network */
const KEPT = 6
const FAST_MS = 2_000
const SLOW_MS = 15_000
/** The conversation that `seen` counts in */
let followed: string | null = null
let seen = 0
let sending: Promise<void> = Promise.resolve()
let catching: Promise<void> | null = null
let timer: ReturnType<typeof setTimeout> | null = null
let watching = false
let erasing = false
/** How often the device has said that the network is lost */
let lost = 0

/** Say something.  It is kept on the device until the gateway has it; sending it twice makes no second turn. */
export function say(text: string): void {
  const said = text.trim()
  if (!said) return
  const id = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 12)}`
  talk.lines.push(own(id, said, 'sending'))
  keepUnsent()
  enqueue(id)
}

/** Try once more to send what failed. */
export function retry(id: string): void {
  const line = find(id)
  if (line?.status !== 'failed') return
  line.status = 'sending'
  enqueue(id)
}

/** Read the history, take up what was not sent, and follow the conversation until `unwatch`. */
export async function watchConversation(): Promise<void> {
  watching = true
  if (current() && !talk.lines.length) {
    talk.lines = load<Line[]>('lines') ?? []
    talk.kept = talk.lines.length > 0
  }
  for (const { id, text } of load<Unsent[]>('unsent') ?? []) if (!find(id)) talk.lines.push(own(id, text, 'failed'))
  await catchUp()
  talk.loaded = true
  retryAll()
  schedule()
}

export function unwatch(): void {
  watching = false
  if (timer) clearTimeout(timer)
  timer = null
}

// #ifdef H5
// uni listens to `navigator.connection` instead, which tells of another bandwidth and often nothing when the network goes.
window.addEventListener('offline', () => network(false))
window.addEventListener('online', () => network(true))
// #endif
// #ifndef H5
uni.onNetworkStatusChange(({ isConnected }) => network(isConnected))
// #endif

/** The device's word on the network. */
function network(connected: boolean): void {
  talk.offline = !connected
  if (!connected) {
    lost += 1
    schedule()
    return
  }
  void catchUp().then(retryAll)
}

/** A request came through that began when the network had been lost `since` times: what began before the last time says nothing. */
function cameThrough(since: number): void {
  if (since === lost) talk.offline = false
}

/** Rate a reply; a later word replaces an earlier one. */
export async function rate(line: Line, helpful: boolean, reason: string | null = null): Promise<void> {
  const turnId = line.turnId
  if (!turnId) return
  await authorised(({ id, token }) =>
    call('post', '/api/conversations/{conversation_id}/ratings', {
      path: { conversation_id: id },
      body: { turn_id: turnId, helpful, reason },
      token,
    }),
  )
  line.helpful = helpful
}

/** Wait for a person no longer. */
export async function leaveQueue(): Promise<void> {
  await authorised(({ id, token }) => call('delete', '/api/conversations/{conversation_id}/queue', { path: { conversation_id: id }, token })).catch(
    (error: unknown) => {
      if (!(error instanceof ApiError) || error.status !== 409) throw error // somebody was faster
    },
  )
  await catchUp()
}

/** How a person served: 3, 2 or 1. */
export async function rateService(service: string, rating: number): Promise<void> {
  await authorised(({ id, token }) =>
    call('post', '/api/conversations/{conversation_id}/services/{service_id}/rating', {
      path: { conversation_id: id, service_id: service },
      body: { rating },
      token,
    }),
  )
}

/** Whether a notice on the knowledge as a whole (示范知识…) stands here for the first time in the conversation; others always do. */
export function firstNoted(line: Line, note: string | null | undefined): boolean {
  if (!note?.startsWith('示范知识')) return true
  return talk.lines.find((one) => one.replies.some((reply) => reply.type === 'answer' && reply.note === note))?.key === line.key
}

/** Erase the conversation here and at the gateway. */
export async function erase(): Promise<void> {
  const session = current()
  if (session) {
    erasing = true // nobody asks for news of what is being erased
    try {
      await catching
      await call('delete', '/api/conversations/{conversation_id}', { path: { conversation_id: session.id }, token: session.token })
    } catch (error) {
      if (!(error instanceof ApiError) || !error.lockedOut) throw error
    } finally {
      erasing = false
    }
  }
  forgetHere()
}

/** Forget the conversation on this device: at the gateway it stays until its time is over. */
export function forgetHere(): void {
  forget()
  talk.lines = []
  keepUnsent()
  reset()
}

/** As before the first word, but for what is not sent yet. */
function reset(): void {
  followed = null
  const lines = talk.lines.filter((line) => line.status !== 'sent')
  Object.assign(talk, { lines, state: 'bot', awaiting: null, notice: '', kept: false, queue: null, agent: '', typing: false })
  keepLines()
}

function enqueue(id: string): void {
  sending = sending.then(() => send(id)) // one after the other: order is kept
}

async function send(id: string): Promise<void> {
  const line = find(id)
  if (!line || line.status === 'sent') return
  line.why = ''
  const since = lost
  try {
    const turned = await authorised(({ id: conversation, token }) => {
      if (!find(id)) throw new ApiError(403, 'erased', '') // erased while it was on its way: it is not said again
      return call('post', '/api/conversations/{conversation_id}/messages', {
        path: { conversation_id: conversation },
        body: { message_id: id, text: line.text },
        token,
        timeout: 40_000,
      })
    })
    line.status = 'sent'
    cameThrough(since)
    talk.awaiting = turned.deferred ? turned.turn_id : null
    talk.notice = turned.notice ?? ''
    talk.state = turned.state
  } catch (error) {
    line.status = 'failed'
    if (error instanceof ApiError && error.offline) talk.offline = true
    else line.why = error instanceof ApiError ? error.message : '请重试'
  }
  keepUnsent()
  if (line.status === 'sent') await catchUp()
  schedule()
}

/** Fetch what was said since; one flight at a time. */
async function catchUp(): Promise<void> {
  catching ??= fetchNew().finally(() => (catching = null))
  return catching
}

async function fetchNew(): Promise<void> {
  const session = current()
  if (!session || erasing) return
  let fresh = session.id !== followed
  try {
    for (let more = true; more; ) {
      const since = lost
      const history = await call('get', '/api/conversations/{conversation_id}/messages', {
        path: { conversation_id: session.id },
        query: { after: fresh ? 0 : seen },
        token: session.token,
      })
      if (fresh) begin(session.id)
      fresh = false
      Object.assign(talk, { state: history.state, queue: history.queue ?? null, agent: history.agent ?? '', typing: history.typing })
      cameThrough(since)
      for (const message of history.messages) take(message)
      more = history.messages.length > 0 // a long history comes in pieces
    }
    keepLines()
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    if (error.offline) talk.offline = true
    else if (error.lockedOut) await ended()
  }
}

/** From here on a conversation's history is what is shown. */
function begin(id: string): void {
  followed = id
  seen = 0
  talk.kept = false
  talk.lines = talk.lines.filter((line) => line.status !== 'sent') // the history brings what is sent
}

/** In a mini-program the same citizen logs in again; in a browser the next message begins a new conversation. */
async function ended(): Promise<void> {
  forget()
  // #ifdef MP-WEIXIN
  await ensure().catch(() => undefined)
  // #endif
  // #ifndef MP-WEIXIN
  reset()
  // #endif
}

function take(message: Message): void {
  if (message.seq <= seen) return
  seen = message.seq
  if (message.turn_id && message.sender !== 'citizen' && message.turn_id === talk.awaiting) talk.awaiting = null
  for (const reply of message.replies) if (reply.type === 'ticket') remember({ number: reply.number, code: reply.query_code })
  const mine = message.sender === 'citizen' && message.message_id ? find(message.message_id) : undefined
  if (mine) {
    mine.status = 'sent'
    mine.at = message.at
    return
  }
  const line: Line = {
    key: message.message_id && message.sender === 'citizen' ? message.message_id : `s${message.seq}`,
    sender: message.sender,
    agent: message.agent,
    at: message.at,
    text: message.text ?? '',
    replies: message.replies,
    turnId: message.turn_id ?? null,
    helpful: message.helpful ?? null,
    status: 'sent',
  }
  const unsent = talk.lines.findIndex((one) => one.status !== 'sent')
  talk.lines.splice(unsent < 0 ? talk.lines.length : unsent, 0, line) // what is not sent yet stays last
}

function schedule(): void {
  if (timer) clearTimeout(timer)
  timer = null
  if (!watching) return
  const soon = talk.awaiting !== null || talk.offline || talk.state === 'human' || talk.state === 'waiting'
  timer = setTimeout(() => {
    void catchUp().then(() => {
      if (!talk.offline) retryAll()
      schedule()
    })
  }, soon ? FAST_MS : SLOW_MS)
}

function retryAll(): void {
  if (talk.offline) return
  for (const line of talk.lines) if (line.status === 'failed' && !line.why) retry(line.key) // refused ones when the citizen says so
}

function own(id: string, text: string, status: Line['status']): Line {
  return { key: id, sender: 'citizen', at: new Date().toISOString(), text, replies: [], turnId: null, helpful: null, status }
}

function find(id: string): Line | undefined {
  return talk.lines.find((line) => line.key === id)
}

function keepLines(): void {
  const last = talk.lines.filter((line) => line.status === 'sent').slice(-KEPT)
  save('lines', last.length ? last : null)
}

function keepUnsent(): void {
  const unsent = talk.lines.filter((line) => line.status !== 'sent').map((line) => ({ id: line.key, text: line.text }))
  save('unsent', unsent.length ? unsent : null)
}
