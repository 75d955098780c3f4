// Who we are to the gateway: one conversation and the token that opens it.
import { ApiError, call } from './api/client'
import { load, save, trial } from './storage'

export interface Session {
  id: string
  token: string
}

let session: Session | null = load<Session>('session')
let opening: Promise<Session> | null = null

/** The conversation, if there is one already. */
export function current(): Session | null {
  return session
}

/** The conversation, opened first if need be; one at a time. */
export async function ensure(): Promise<Session> {
  if (session) return session
  opening ??= open().finally(() => (opening = null))
  return opening
}

/** Forget it: its token has ended, or it was erased. */
export function forget(): void {
  session = null
  save('session', null)
}

/** Does something with the conversation's token; where that has ended, once more with a new one. */
export async function authorised<T>(what: (session: Session) => Promise<T>): Promise<T> {
  const used = await ensure()
  try {
    return await what(used)
  } catch (error) {
    if (!(error instanceof ApiError) || !error.lockedOut) throw error
    if (session === used) forget()
    return what(await ensure())
  }
}

async function open(): Promise<Session> {
  // #ifdef MP-WEIXIN
  session = await logIn()
  // #endif
  // #ifndef MP-WEIXIN
  session = await call('post', '/api/conversations', { body: { trial } })
  // #endif
  save('session', session)
  return session
}

// #ifdef MP-WEIXIN
async function logIn(): Promise<Session> {
  const code = await new Promise<string>((resolve, reject) => {
    uni.login({
      success: (result) => resolve(result.code),
      fail: () => reject(new ApiError(0, 'login', '微信登录没有成功，请稍后再试')),
    })
  })
  return call('post', '/api/login/miniprogram', { body: { code } })
}
// #endif
