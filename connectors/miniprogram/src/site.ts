// Whose assistant this is: asked once, the same on every page.
import { call, type Schemas } from './api/client'

let asked: Promise<Schemas['Site']> | null = null

export function site(): Promise<Schemas['Site']> {
  asked ??= call('get', '/api/site', {}).catch((error: unknown) => {
    asked = null // asked again next time
    throw error
  })
  return asked
}
