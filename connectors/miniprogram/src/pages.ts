// The four main pages and the way between pages.
import { say } from './conversation'

export const MAIN = [
  { path: '/pages/conversation', label: '问答' },
  { path: '/pages/themes', label: '主题' },
  { path: '/pages/tickets', label: '工单' },
  { path: '/pages/settings', label: '设置' },
] as const

/** Goes to one of the main pages: a tab in WeChat, a page in a browser. */
export function go(path: (typeof MAIN)[number]['path']): void {
  // #ifdef MP-WEIXIN
  uni.switchTab({ url: path })
  // #endif
  // #ifndef MP-WEIXIN
  uni.reLaunch({ url: path })
  // #endif
}

/** Asks a question from anywhere: it is said in the conversation. */
export function ask(question: string): void {
  say(question)
  go('/pages/conversation')
}

/** Opens a page above the present one. */
export function open(path: string): void {
  uni.navigateTo({ url: path })
}

/** One page back; where there is none (a reload), the given main page. */
export function back(otherwise: (typeof MAIN)[number]['path']): void {
  if (getCurrentPages().length > 1) uni.navigateBack()
  else go(otherwise)
}
