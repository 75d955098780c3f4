// What the page knows of the server's state: read once, kept, and read anew when an event says that it changed.
import { QueryClient, useQuery, keepPreviousData } from '@tanstack/vue-query'
import { type MaybeRefOrGetter, toValue } from 'vue'
import { BY_ITSELF, Problem } from './api/client'

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // Events say what has changed; a visible page need not guess.
      staleTime: 5 * 60_000,
      refetchOnWindowFocus: false,
      refetchOnReconnect: false,
      retry: (times, error) => times < 3 && error instanceof Problem && (error.status === 0 || error.status === 503),
      retryDelay: (times) => Math.min(1000 * 2 ** times, 10_000),
    },
  },
})

export type Headers = Record<string, string>

/**
 * One thing that the page shows.
 *
 * ``read`` gets the headers to send: a reading after the first one is the page's own doing, and must not count as somebody's.
 */
export function useRead<T>(
  key: MaybeRefOrGetter<readonly unknown[]>,
  read: (headers: Headers, signal: AbortSignal) => Promise<T>,
  options: { enabled?: MaybeRefOrGetter<boolean>; keep?: boolean } = {},
) {
  return useQuery({
    queryKey: key as MaybeRefOrGetter<unknown[]>,
    queryFn: ({ queryKey, signal, client }) => {
      const before = client.getQueryState(queryKey)
      const again = (before?.dataUpdateCount ?? 0) + (before?.errorUpdateCount ?? 0) > 0
      return read(again ? BY_ITSELF : {}, signal)
    },
    enabled: () => toValue(options.enabled) ?? true,
    placeholderData: options.keep ? keepPreviousData : undefined,
  })
}

const EVERY_MS = 400
let changed = new Map<string, readonly unknown[]>()
let running = false

/** Read these anew, gathered: twenty events a second are two readings, and none is cut off by the next. */
export function outdated(...keys: (readonly unknown[])[]) {
  for (const key of keys) changed.set(JSON.stringify(key), key)
  if (!running) void renew()
}

async function renew() {
  running = true
  while (changed.size) {
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS))
    const now = [...changed.values()]
    changed = new Map()
    const all = now.some((key) => key.length === 0)
    await Promise.allSettled((all ? [[]] : now).map((queryKey) => queries.invalidateQueries({ queryKey: [...queryKey] })))
  }
  running = false
}
