import { createRouter, createWebHistory } from 'vue-router'
import { MENU } from './menu'
import { usePerson } from './person'

// each: every address of this route is a page of its own, with nothing left over from the one before.
export const router = createRouter({
  history: createWebHistory('/console/'),
  routes: [
    // Where somebody starts is known once it is known who they are: see below.
    { path: '/', component: () => import('./pages/NotFoundPage.vue') },
    { path: '/sign-in', name: 'sign-in', component: () => import('./pages/SignInPage.vue'), meta: { alone: true, title: '登录' } },
    { path: '/first-steps', component: () => import('./pages/FirstStepsPage.vue'), meta: { alone: true, title: '先做这一步' } },
    ...MENU.map(({ path, page, name, roles }) => ({ path, component: page, meta: { title: name, roles } })),
    { path: '/conversations/:id', component: () => import('./pages/ConversationsPage.vue'), meta: { title: '会话', roles: ['agent', 'supervisor'] } },
    { path: '/tickets/:number', component: () => import('./pages/TicketPage.vue'), props: true, meta: { each: true, title: '工单', roles: ['agent', 'supervisor', 'officer'] } },
    { path: '/knowledge/:id', component: () => import('./pages/ItemPage.vue'), props: true, meta: { each: true, title: '知识条目', roles: ['supervisor', 'editor', 'approver'] } },
    { path: '/:rest(.*)*', component: () => import('./pages/NotFoundPage.vue'), meta: { title: '没有这个页面' } },
  ],
})

/** Where somebody starts. */
export function home(): string {
  const person = usePerson()
  return MENU.find(({ roles }) => !roles || person.may(...roles))?.path ?? '/settings'
}

router.beforeEach(async (to) => {
  const person = usePerson()
  if (to.name === 'sign-in') return person.me ? '/' : true
  const me = person.me ?? (await person.load().catch(() => null))
  if (!me) return { name: 'sign-in', query: to.path === '/' ? {} : { to: to.fullPath } }
  if (me.unfinished) return to.path === '/first-steps' || '/first-steps'
  if (to.path === '/first-steps' || to.path === '/') return home()
  return true
})

router.afterEach((to) => {
  document.title = `${String(to.meta.title)} · 一号答工作台`
})
