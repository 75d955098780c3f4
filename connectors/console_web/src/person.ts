// Whoever is signed in: what they may, whether the page is locked, how it looks for them.
import { defineStore } from 'pinia'
import { computed, ref, watch } from 'vue'
import { api, BY_ITSELF, gate, got, type Me, Problem } from './api/client'
import { queries } from './queries'

export type Role = 'agent' | 'supervisor' | 'editor' | 'approver' | 'officer' | 'admin'
type Theme = 'system' | 'light' | 'dark'

const HEARTBEAT_MS = 60_000
const dark = matchMedia('(prefers-color-scheme: dark)')

export const usePerson = defineStore('person', () => {
  const me = ref<Me | null>(null)
  const locked = ref(false)
  /** Why somebody finds themselves at the sign-in page. */
  const farewell = ref('')
  let waiting: (() => void)[] = []

  async function load(byItself = false): Promise<Me | null> {
    try {
      me.value = await got(api.GET('/api/auth/me', { headers: byItself ? BY_ITSELF : {} }))
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 401) throw error
      me.value = null
    }
    return me.value
  }

  async function unlock(password: string) {
    await got(api.POST('/api/auth/unlock', { body: { password } }))
    locked.value = false
    for (const goOn of waiting.splice(0)) goOn()
  }

  gate.unlocked = () => {
    locked.value = true
    return new Promise((resolve) => waiting.push(resolve))
  }
  gate.ended = () => {
    if (me.value) farewell.value = '您的登录已经结束：可能是时间到了、在别处退出了，或者账号有变动。请重新登录。'
    forget()
  }

  function forget() {
    me.value = null
    locked.value = false
    waiting = []
    queries.clear()
  }

  async function signOut() {
    try {
      await got(api.POST('/api/auth/sign-out'))
    } finally {
      farewell.value = ''
      forget()
    }
  }

  /** Let somebody else sign in, without a word to the server: this sign-in is locked. */
  function leave() {
    farewell.value = ''
    forget()
  }

  const may = (...roles: Role[]) => roles.some((role) => me.value?.roles.includes(role))
  const atDesk = computed(() => may('agent', 'supervisor'))

  const settings = computed(() => ({
    theme: (me.value?.settings.theme ?? 'system') as Theme,
    notify: me.value?.settings.notify !== false,
    page_size: Number(me.value?.settings.page_size ?? 20),
  }))
  async function change(changed: Partial<{ theme: Theme; notify: boolean; page_size: number }>) {
    const body = { ...settings.value, ...changed }
    await got(api.PUT('/api/auth/settings', { body }))
    if (me.value) me.value = { ...me.value, settings: body }
  }

  const look = () => {
    const theme = settings.value.theme
    document.documentElement.classList.toggle('dark', theme === 'dark' || (theme === 'system' && dark.matches))
  }
  watch(settings, look, { immediate: true })
  dark.addEventListener('change', look)

  // Reading and typing ask the server for nothing: so that the page is not locked under somebody's hands, it says now and then
  // that somebody is there.
  let acted = false
  for (const sign of ['keydown', 'pointerdown', 'wheel'])
    addEventListener(sign, () => (acted = true), { passive: true, capture: true })
  setInterval(() => {
    if (!acted || !me.value || locked.value) return
    acted = false
    load().catch(() => undefined)
  }, HEARTBEAT_MS)

  return { me, locked, farewell, load, unlock, signOut, leave, may, atDesk, settings, change }
})
