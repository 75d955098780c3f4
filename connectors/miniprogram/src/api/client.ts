// The gateway's REST API, typed from its OpenAPI description: a route, a parameter or a field that is not there fails the build.
import type { components, paths } from './schema'
import { ApiError, request } from './transport'

type Method = 'get' | 'post' | 'put' | 'delete'
type Operation<P extends keyof paths, M extends Method> = NonNullable<paths[P][M]>
type Json<T> = T extends { content: { 'application/json': infer Body } } ? Body : undefined
type Sends<O> = O extends { requestBody: infer Body }
  ? { body: Json<Body> }
  : O extends { requestBody?: infer Body }
    ? { body?: Json<NonNullable<Body>> }
    : { body?: undefined }
type PathParameters<O> = O extends { parameters: { path: infer P } } ? { path: P } : { path?: undefined }
type QueryParameters<O> = O extends { parameters: { query: infer Q } }
  ? { query: Q }
  : O extends { parameters: { query?: infer Q } }
    ? { query?: Q }
    : { query?: undefined }
type Success<O> = O extends { responses: infer R } ? Json<R[Extract<keyof R, 200 | 201 | 202>]> : never
export type Arguments<P extends keyof paths, M extends Method> = Sends<Operation<P, M>> &
  PathParameters<Operation<P, M>> &
  QueryParameters<Operation<P, M>> & { token?: string; timeout?: number }

export type Schemas = components['schemas']
export type Message = Schemas['MessageView']
export type Reply = Message['replies'][number]
export type Answer = Schemas['AnswerReply']
export type TicketStatus = Schemas['TicketStatusReply']
export type Guide = Schemas['Guide']
export type Source = Schemas['Source']
export type LocalFigure = Schemas['Local']

/** Calls one route.  Throws ApiError: the gateway's own words, or that there is no network (status 0). */
export async function call<P extends keyof paths, M extends Method>(
  method: M,
  route: P,
  given: Arguments<P, M>,
): Promise<Success<Operation<P, M>>> {
  const { path, query, body, token, timeout } = given as {
    path?: Record<string, string>
    query?: Record<string, string | number | undefined>
    body?: unknown
    token?: string
    timeout?: number
  }
  const filled = route.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(path?.[name] ?? ''))
  const search = Object.entries(query ?? {})
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`)
    .join('&')
  const answer = await request(method, search ? `${filled}?${search}` : filled, { body, token, timeout })
  return answer as Success<Operation<P, M>>
}

export { ApiError }
