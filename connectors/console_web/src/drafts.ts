// What somebody is writing, kept on the server: it outlives a reload, a crash, and the thing's being taken by somebody else.
import { computed, onScopeDispose, ref, watch } from 'vue'
import { api, BY_ITSELF, got, Problem } from './api/client'
import { clock } from './words'

const PAUSE_MS = 600

/** A draft of one kind on one thing; ``text`` is for the field to bind. */
export function useDraft(kind: string, subject: string) {
  const path = { kind, subject }
  const text = ref('')
  const loaded = ref(false)
  const saved = ref<Date | null>(null)
  const failed = ref('')
  /** What another page of the same person has saved since; theirs to choose between. */
  const other = ref<string | null>(null)
  let revision = 0
  let kept = ''
  let timer: ReturnType<typeof setTimeout> | undefined
  // One at a time and in order: an emptied draft must never be overtaken by an earlier save.
  let saving: Promise<void> = Promise.resolve()

  const ready = load()

  async function load() {
    try {
      const found = await got(api.GET('/api/desk/drafts/{kind}/{subject}', { params: { path }, headers: BY_ITSELF }))
      revision = found.revision
      kept = found.text
      if (!text.value) text.value = found.text
      else if (found.text && found.text !== text.value) other.value = found.text
    } catch (error) {
      failed.value = error instanceof Problem ? error.message : ''
    }
    loaded.value = true
  }

  watch(text, () => {
    clearTimeout(timer)
    timer = setTimeout(save, PAUSE_MS)
  })

  /** Keep what is there now; resolves when it is kept, or could not be. */
  function save(): Promise<void> {
    clearTimeout(timer)
    return (saving = saving.then(keep))
  }

  async function keep() {
    await ready
    const now = text.value
    if (now === kept || other.value !== null) return
    try {
      const answer = await got(
        api.PUT('/api/desk/drafts/{kind}/{subject}', { params: { path }, body: { text: now, revision }, keepalive: true }),
      )
      revision = answer.revision
      kept = now
      saved.value = now ? new Date() : null
      failed.value = ''
    } catch (error) {
      if (error instanceof Problem && error.status === 409) {
        const theirs = await got(api.GET('/api/desk/drafts/{kind}/{subject}', { params: { path } })).catch(() => null)
        if (theirs) {
          revision = theirs.revision
          kept = theirs.text
          if (theirs.text !== text.value) other.value = theirs.text
          return
        }
      }
      failed.value = error instanceof Problem ? error.message : '草稿没有存上。'
    }
  }

  /** After two pages wrote the same draft: which text it is to be. */
  function choose(chosen: string) {
    other.value = null
    text.value = chosen
    void save()
  }

  /** It was sent: nothing is left to keep. */
  function sent() {
    text.value = ''
    other.value = null
    return save()
  }

  const state = computed(() => {
    if (failed.value) return `草稿没有存上：${failed.value}`
    return saved.value ? `草稿已存 ${clock(saved.value)}` : ''
  })
  const leave = () => void save()
  addEventListener('pagehide', leave)
  onScopeDispose(() => {
    removeEventListener('pagehide', leave)
    leave()
  })

  return { text, loaded, state, other, choose, sent }
}
