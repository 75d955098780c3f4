// Dates and sources in the words that citizens read.
import type { Answer, LocalFigure, Source } from '@/api/client'
import { apart } from '@/told'

/** 2026-11-01 → 2026年11月1日 */
export function day(date: string): string {
  const [year, month, of] = date.slice(0, 10).split('-').map(Number)
  return `${year}年${month}月${of}日`
}

/** A moment in the device's own time: 11月21日 09:05 */
export function moment(at: string): string {
  const when = new Date(at)
  const two = (n: number) => String(n).padStart(2, '0')
  return `${when.getMonth() + 1}月${when.getDate()}日 ${two(when.getHours())}:${two(when.getMinutes())}`
}

/** Of a likely answer where a wrong one costs: what decides whether it is the citizen's case. */
export function conditionOf(answer: Answer): string {
  return answer.condition ? `请先看是不是您的情况：${answer.condition}` : ''
}

/** A question back without what is for those who have no buttons (请回复数字…), and the words that it asks to reply with. */
export function withoutReplies(text: string): { asked: string; words: string[] } {
  const found = /[^。！？，；\n]*请回复[^]*$/.exec(text)
  if (!found || !found.index) return { asked: text, words: [] }
  const words = found[0].match(/“[^”]+”/g) ?? []
  return { asked: text.slice(0, found.index).replace(/[，；]$/, '。'), words: words.map((one) => one.slice(1, -1)) }
}

/** A text without the sentence that says how those register who have no buttons. */
export function withoutOffer(text: string): string {
  return text.replace(/[^。！？\n]*请回复“好”[^。！？\n]*[。！？]?/, '').trim()
}

/** A sentence that is read aloud, and which of the answer's it is (told.ts); none: it isn't one of them. */
export interface Spoken {
  words: string
  told?: number
}

/** An answer read aloud. */
export function spoken(answer: Answer): Spoken[] {
  const { conclusion, points } = apart(answer.text)
  return [
    { words: answer.certainty === 'likely' ? `您问的可能是：${answer.question}` : answer.question },
    { words: conditionOf(answer) },
    ...[conclusion, ...points].map((words, told) => ({ words, told })),
    ...(answer.local ?? []).map((one) => ({ words: figureOf(one) })),
    { words: answer.note ?? '' },
  ].filter(({ words }) => words)
}

/** 《名称》（文号）第几条（待核） */
export function cited(source: Source): string {
  return `《${source.title}》${source.doc_no ? `（${source.doc_no}）` : ''}${source.clause ?? ''}${source.unverified ? '（待核）' : ''}`
}

/** 长沙市月最低工资标准：2100元/月 */
export function figureOf(one: LocalFigure): string {
  return `${one.region}${one.label}：${one.value}`
}

/** The same with what it rests on. */
export function saidOf(one: LocalFigure): string {
  return `${figureOf(one)}，依据 ${one.source}${one.as_of ? `，截至${day(one.as_of)}` : ''}`
}

/** Only what a browser may open: https, http, never javascript: */
export function safeUrl(url: string | null | undefined): string | null {
  return url && /^https?:\/\//i.test(url) ? url : null
}
