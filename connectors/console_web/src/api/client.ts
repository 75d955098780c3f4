// The gateway's REST API, typed from its OpenAPI description: a route, a parameter or a field that is not there fails the build.
import createClient from 'openapi-fetch'
import type { components, paths } from './schema'

export type Schemas = components['schemas']
export type TicketRow = Schemas['TicketRow']
export type Ticket = Schemas['TicketView']
export type Me = Schemas['Me']
export type Person = Schemas['PersonView']
export type ConversationRow = Schemas['ConversationRow']
export type Conversation = Schemas['ConversationRead']
export type Call = Schemas['CallRead']
export type CallTopic = Schemas['TopicView']
export type Suggested = Schemas['SuggestedItem']
export type Danger = Schemas['AlarmView']

/** What went wrong: the gateway's own sentence, or ours where the gateway was not reached (status 0). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly retryAfter = 0,
  ) {
    super(message)
  }
}

const UNREACHABLE = '连不上服务器，请看看网络；您写的内容还在，稍后再试一次。'

/** A request with this header was made by the page itself: nobody did anything. */
export const BY_ITSELF = { 'X-Yihaoda-Background': '1' }

/** Told of a sign-in that is locked or over; set by ``person.ts``. */
export const gate = {
  /** Resolves once the password was given again. */
  unlocked: (): Promise<void> => Promise.reject(new Error('nobody is there to unlock')),
  ended: (): void => {},
}

/** As fetch; what came while the page was locked is sent again once it is unlocked, so that nothing is lost. */
async function send(request: Request): Promise<Response> {
  for (;;) {
    let answer: Response
    try {
      answer = await fetch(request.clone())
    } catch (error) {
      if (request.signal.aborted) throw error
      throw new Problem(0, 'offline', UNREACHABLE)
    }
    if (answer.status !== 401 || request.url.includes('/api/auth/sign-in') || request.url.includes('/api/auth/unlock'))
      return answer
    const { error } = (await answer.clone().json()) as Schemas['ErrorBody']
    if (error.code !== 'locked') {
      gate.ended()
      return answer
    }
    await gate.unlocked()
  }
}

export const api = createClient<paths>({ baseUrl: location.origin, fetch: send })

interface Answer<T> {
  data?: T
  error?: unknown
  response: Response
}

/** The answer's content.  Throws Problem. */
export async function got<T>(answer: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await answer
  if (response.ok) return data as T
  const said = (error as Schemas['ErrorBody'] | undefined)?.error
  const wait = Number(response.headers.get('Retry-After') ?? 0)
  throw new Problem(response.status, said?.code ?? 'unknown', said?.message ?? '系统出了点问题，请稍后再试。', wait)
}

/** What to show of whatever was thrown. */
export function words(error: unknown): string {
  return error instanceof Problem ? error.message : '页面出了点问题，请刷新后再试。'
}
