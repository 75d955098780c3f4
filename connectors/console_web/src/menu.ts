// The console's pages: what the menu shows to whom, and the second key of "g …" that goes there (none where no letter is left).
// The menu is a convenience; the server decides about each request.  A new page is one line here and one file in pages.
import type { Component } from 'vue'
import type { Role } from './person'

export interface Entry {
  path: string
  name: string
  key?: string
  roles: Role[] | null
  page: () => Promise<Component>
  /** Which count of one's work stands beside it. */
  count?: 'dangers' | 'waiting' | 'tickets' | 'callbacks' | 'doubts' | 'shields' | 'surges'
}

const DESK: Role[] = ['agent', 'supervisor']

export const MENU: Entry[] = [
  { path: '/work', name: '我的工作', key: 'w', roles: [...DESK, 'officer'], page: () => import('./pages/WorkPage.vue') },
  { path: '/dangers', name: '险情', key: 'd', roles: DESK, page: () => import('./pages/DangersPage.vue'), count: 'dangers' },
  { path: '/calls', name: '电话', key: 'a', roles: DESK, page: () => import('./pages/CallsPage.vue') },
  { path: '/search', name: '查知识', key: 'z', roles: DESK, page: () => import('./pages/SearchPage.vue') },
  { path: '/conversations', name: '会话', key: 'c', roles: DESK, page: () => import('./pages/ConversationsPage.vue'), count: 'waiting' },
  { path: '/tickets', name: '工单', key: 't', roles: [...DESK, 'officer'], page: () => import('./pages/TicketsPage.vue'), count: 'tickets' },
  { path: '/callbacks', name: '回拨', key: 'b', roles: DESK, page: () => import('./pages/CallbacksPage.vue'), count: 'callbacks' },
  { path: '/sms', name: '短信', key: 'm', roles: DESK, page: () => import('./pages/SmsPage.vue') },
  { path: '/floor', name: '现场', key: 'f', roles: ['supervisor'], page: () => import('./pages/FloorPage.vue'), count: 'shields' },
  { path: '/unanswered', name: '没答上的', key: 'u', roles: [...DESK, 'editor', 'approver'], page: () => import('./pages/UnansweredPage.vue') },
  { path: '/doubts', name: '存疑', key: 'q', roles: ['supervisor', 'editor', 'approver'], page: () => import('./pages/DoubtsPage.vue'), count: 'doubts' },
  { path: '/recalls', name: '答错召回', key: 'g', roles: ['supervisor', 'approver'], page: () => import('./pages/RecallsPage.vue') },
  { path: '/knowledge', name: '知识库', key: 'e', roles: ['supervisor', 'editor', 'approver'], page: () => import('./pages/KnowledgePage.vue') },
  { path: '/reviews', name: '待复核', key: 'r', roles: ['editor', 'approver', 'supervisor', 'officer'], page: () => import('./pages/ReviewsPage.vue') },
  { path: '/health', name: '知识体检', key: 'h', roles: ['editor', 'approver', 'supervisor'], page: () => import('./pages/HealthPage.vue') },
  { path: '/asked', name: '提问记录', key: 'i', roles: ['supervisor', 'editor', 'approver'], page: () => import('./pages/AskedPage.vue') },
  { path: '/review', name: '待学习', key: 'n', roles: ['editor', 'approver', 'supervisor'], page: () => import('./pages/ReviewPage.vue'), count: 'surges' },
  { path: '/golden', name: '题库', roles: ['editor', 'approver', 'supervisor'], page: () => import('./pages/GoldenPage.vue') },
  { path: '/try', name: '试一试', key: 'y', roles: ['supervisor', 'editor', 'approver'], page: () => import('./pages/TryPage.vue') },
  { path: '/import', name: '导入', key: 'x', roles: ['editor', 'approver'], page: () => import('./pages/ImportPage.vue') },
  { path: '/local', name: '本地标准', key: 'v', roles: ['supervisor', 'editor', 'approver'], page: () => import('./pages/LocalPage.vue') },
  { path: '/people', name: '账号', key: 'p', roles: ['admin'], page: () => import('./pages/PeoplePage.vue') },
  { path: '/programs', name: '程序密钥', key: 'k', roles: ['admin'], page: () => import('./pages/ProgramsPage.vue') },
  { path: '/releases', name: '发布', roles: ['supervisor', 'approver', 'editor', 'admin'], page: () => import('./pages/ReleasesPage.vue') },
  { path: '/jobs', name: '后台任务', key: 'j', roles: ['supervisor', 'admin'], page: () => import('./pages/JobsPage.vue') },
  { path: '/audit', name: '审计日志', key: 'l', roles: ['admin'], page: () => import('./pages/AuditPage.vue') },
  { path: '/going-live', name: '上线准备', key: 'o', roles: ['supervisor', 'admin'], page: () => import('./pages/GoingLivePage.vue') },
  { path: '/settings', name: '我的设置', key: 's', roles: null, page: () => import('./pages/SettingsPage.vue') },
]
