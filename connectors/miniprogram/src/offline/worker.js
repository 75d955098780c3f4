// Opens the page without network, by the build's files kept from an earlier visit.  What was said is the page's own to keep (conversation.ts).
const FILES = ['__FILES__']
const OURS = 'yihaoda-'
const KEPT = `${OURS}__VERSION__`
/** So long the network may take for the page itself */
const PATIENCE_MS = 4_000

self.addEventListener('install', (event) => event.waitUntil(caches.open(KEPT).then((kept) => kept.addAll(FILES))))

// Runs when no page of the build before is open any more.
self.addEventListener('activate', (event) => event.waitUntil(forgetOthers()))

self.addEventListener('fetch', (event) => {
  const { origin, pathname } = new URL(event.request.url)
  if (origin !== self.location.origin || event.request.method !== 'GET') return
  if (event.request.mode === 'navigate' && pathname === '/') event.respondWith(page(event.request))
  else if (FILES.includes(pathname)) event.respondWith(file(event.request))
})

/** The page as it is now, or where the network is gone, slow or ill, as it was. */
async function page(request) {
  const kept = await caches.match('/')
  const now = fetch(request)
  if (!kept) return now
  const late = new Promise((resolve) => setTimeout(() => resolve(kept), PATIENCE_MS))
  return Promise.race([now.then((answer) => (answer.ok ? answer : kept)), late]).catch(() => kept)
}

/** A file of the build: its name changes with its content. */
async function file(request) {
  return (await caches.match(request)) ?? fetch(request)
}

async function forgetOthers() {
  const names = await caches.keys()
  await Promise.all(names.filter((name) => name.startsWith(OURS) && name !== KEPT).map((name) => caches.delete(name)))
}
