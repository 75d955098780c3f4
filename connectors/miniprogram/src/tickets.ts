// The tickets that this device knows: number and query code open one.  The conversation's own open without a code.
import { ApiError, call, type Schemas } from './api/client'
import { authorised, current } from './session'
import { load, save } from './storage'

interface Known {
  number: string
  code: string
}

export interface Listed extends Known {
  kind: string
  subject: string
  /** Empty where it could not be asked just now */
  state: string
  /** When it was made, ISO 8601 */
  at: string
}

/** What opens a ticket */
export type Opener = Schemas['Opener']

const KEPT = 30
/** The same, for where the device keeps nothing (private windows) */
let kept: Known[] = []

function known(): Known[] {
  return load<Known[]>('tickets') ?? kept
}

function keep(tickets: Known[]): void {
  kept = tickets
  save('tickets', tickets.length ? tickets : null)
}

/** Keeps a ticket on this device, the newest first. */
export function remember(...tickets: Known[]): void {
  const given = tickets.map(({ number, code }) => ({ number, code }))
  const others = known().filter((one) => !given.some(({ number }) => number === one.number))
  keep([...given, ...others].slice(0, KEPT))
}

/** Removes one ticket, or all of them, from this device.  The tickets themselves stay. */
export function forgetTickets(number?: string): void {
  keep(number === undefined ? [] : known().filter((one) => one.number !== number))
  if (number === undefined) tails.clear()
}

/** Whether the conversation made the ticket, and its query code, if this device or the conversation has it.  Throws ApiError. */
export async function knownOf(number: string): Promise<{ own: boolean; code: string | null }> {
  const mine = await own()
  remember(...mine)
  return { own: mine.some((one) => one.number === number), code: known().find((one) => one.number === number)?.code ?? null }
}

/** The ends of phone numbers that were asked for with a code; kept until the page is closed */
const tails = new Map<string, string>()

/** What opens a ticket by its code, with the end of its phone where that was asked for. */
export function byCode(number: string, code: string): Opener {
  const tail = tails.get(number)
  return tail === undefined ? { code } : { code, phone_tail: tail }
}

/** Keeps what was said of the phone; empty: the ticket has none.  Whether it can be one. */
export function tellTail(number: string, tail: string): boolean {
  const told = /^([0-9]{4})?$/.test(tail.trim())
  if (told) tails.set(number, tail.trim())
  return told
}

/** Whether the gateway asks for the end of the phone. */
export function asksTail(error: unknown): boolean {
  return error instanceof ApiError && error.code === 'phone_tail_needed'
}

export const TAIL_WRONG = '请填电话的后四位数字；登记时没有留电话的，空着不填。'

/** All tickets that this device knows or that the conversation made, the newest first.  Throws ApiError without network. */
export async function listTickets(): Promise<Listed[]> {
  const mine = await own()
  remember(...mine)
  const others = known().filter((one) => !mine.some(({ number }) => number === one.number))
  const found = await Promise.all(others.map(look))
  return [...mine, ...found.filter((one) => one !== null)].sort((a, b) => b.at.localeCompare(a.at))
}

async function own(): Promise<Listed[]> {
  // #ifndef MP-WEIXIN
  if (!current()) return [] // none is opened just to look
  // #endif
  const tickets = await authorised(({ id, token }) =>
    call('get', '/api/conversations/{conversation_id}/tickets', { path: { conversation_id: id }, token }),
  )
  return tickets.map(({ number, query_code, kind, subject, state, created_at }) => ({ number, code: query_code, kind, subject, state, at: created_at }))
}

async function look({ number, code }: Known): Promise<Listed | null> {
  try {
    const { kind, subject, state, created_at } = await call('post', '/api/tickets/{number}', { path: { number }, body: byCode(number, code) })
    return { number, code, kind, subject, state, at: created_at ?? '' }
  } catch (error) {
    if (!(error instanceof ApiError) || error.offline) throw error
    if (error.status === 404) {
      forgetTickets(number) // it would count as a wrong try each time
      return null
    }
    return { number, code, kind: '', subject: '', state: '', at: '' }
  }
}
