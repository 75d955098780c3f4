// An item of the knowledge, as pages show it: names of what it has, its fields in words, two of them compared.
import type { Schemas } from './api/client'

export type Item = Schemas['ItemView']
export type ItemRow = Schemas['ItemRow']
export type Content = Schemas['ContentView']
export type Version = Schemas['VersionView']
export type Note = Schemas['ItemNote']
export type Replay = Schemas['ReplayView']

export const STATUS: Record<string, string> = { draft: '草稿', approved: '已审核', paused: '停用', retired: '已退役' }
export const COPY: Record<string, string> = { editing: '修改中', submitted: '待审核', returned: '已退回' }
export const VERSION: Record<string, string> = { in_force: '在用', coming: '待生效', called_off: '已取消', earlier: '以前的', withdrawn: '答错作废' }
export const REQUEST: Record<string, string> = { resume: '申请恢复作答', retire: '申请退役' }
/** Whether it answers citizens today, and if not, why. */
export const STANDING: Record<string, string> = {
  current: '在答',
  under_review: '在答（注明还没审核）',
  not_approved: '还没审核，不答',
  paused: '停用，不答',
  expired: '已失效，不答',
  not_yet: '还没生效，不答',
  retired: '已退役，不答',
  basis_gone: '依据已废止，等复核，不答',
}
export const AUDIENCES = ['个人', '企业', '个人和企业'] as const

export const FIELDS = {
  question: '问题',
  similar: '相似问',
  answer: '答案',
  sources: '依据',
  guides: '办事指南',
  related: '还可以问',
  matter: '事项',
  themes: '主题',
  audience: '适用对象',
  region: '地区',
  department: '责任单位',
  valid_from: '生效日期',
  valid_to: '失效日期',
  as_of: '截至',
  review_by: '复核日期',
  stakes: '后果',
  condition: '先看什么情况',
  report: '登记时要写明',
} as const satisfies Record<keyof Content, string>
export type Field = keyof typeof FIELDS
export const ORDER = Object.keys(FIELDS) as Field[]

/** A field in words, a line for each of several. */
export function inWords(content: Content, field: Field, names: Record<string, string>): string {
  if (field === 'sources')
    return content.sources.map((one) => `${names[one.document] ?? one.document}${one.clause ? ` ${one.clause}` : ''}${one.unverified ? '（待核）' : ''}`).join('\n')
  if (field === 'guides' || field === 'related') return content[field].map((id) => names[id] ?? id).join('\n')
  if (field === 'stakes') return content.stakes ? '后果重' : ''
  const value = content[field]
  return Array.isArray(value) ? value.join('\n') : (value ?? '')
}

/** A copy of its own, of what a form holds too. */
export const copyOf = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T

/** Whether two contents say the same in a field. */
export const same = (one: Content, other: Content, field: Field) => JSON.stringify(one[field]) === JSON.stringify(other[field])

export const changedFields = (one: Content, other: Content) => ORDER.filter((field) => !same(one, other, field))

/** What somebody typed on top of what another one has saved since: each field that one did not touch is the other's. */
export function onTop(mine: Content, base: Content, theirs: Content): Content {
  const merged = copyOf(theirs)
  for (const field of changedFields(mine, base)) Object.assign(merged, { [field]: copyOf(mine[field]) })
  return merged
}

export const EMPTY: Content = {
  matter: '', question: '', answer: '', similar: [], sources: [], guides: [], related: [], themes: [], audience: '个人和企业', region: '',
  department: null, valid_from: null, valid_to: null, as_of: null, review_by: null, stakes: null, condition: null, report: [],
}

/** What a question comes to in a replay, in words. */
export const LEVELS: Record<string, string> = { sure: '直接答', likely: '当作可能的答案', doubtful: '反问', none: '没有答案' }
export const KINDS: Record<Replay['changes'][number]['kind'], string> = {
  gained: '新答上',
  lost: '不再答上',
  moved: '换了条目',
  reworded: '答案变了',
  certainty: '把握变了',
  offered: '反问变了',
}

// --- the same words, and the others ---

export interface Part {
  text: string
  kind: 'same' | 'gone' | 'new'
}
const MOST_CELLS = 4_000_000
const WORD = /\d+(?:\.\d+)?|[A-Za-z]+|[\s\S]/gu

/** What was taken out and what came in, in the order in which one reads it; numbers stay whole. */
export function differences(before: string, after: string): Part[] {
  const one = before.match(WORD) ?? []
  const other = after.match(WORD) ?? []
  let start = 0
  while (start < one.length && start < other.length && one[start] === other[start]) start++
  let end = 0
  while (end < one.length - start && end < other.length - start && one[one.length - 1 - end] === other[other.length - 1 - end]) end++
  const middle = between(one.slice(start, one.length - end), other.slice(start, other.length - end))
  return joined([{ text: one.slice(0, start).join(''), kind: 'same' }, ...middle, { text: one.slice(one.length - end).join(''), kind: 'same' }])
}

/** By the longest common subsequence. */
function between(one: string[], other: string[]): Part[] {
  const wide = other.length + 1
  if ((one.length + 1) * wide > MOST_CELLS) return [{ text: one.join(''), kind: 'gone' }, { text: other.join(''), kind: 'new' }]
  const length = new Uint16Array((one.length + 1) * wide)
  const at = (row: number, column: number) => length[row * wide + column] as number
  for (let row = one.length - 1; row >= 0; row--)
    for (let column = other.length - 1; column >= 0; column--)
      length[row * wide + column] = one[row] === other[column] ? at(row + 1, column + 1) + 1 : Math.max(at(row + 1, column), at(row, column + 1))
  const parts: Part[] = []
  let row = 0
  let column = 0
  while (row < one.length || column < other.length) {
    if (row < one.length && column < other.length && one[row] === other[column]) {
      parts.push({ text: one[row++] as string, kind: 'same' })
      column++
    } else if (column >= other.length || (row < one.length && at(row + 1, column) >= at(row, column + 1))) parts.push({ text: one[row++] as string, kind: 'gone' })
    else parts.push({ text: other[column++] as string, kind: 'new' })
  }
  return parts
}

/** Runs put together; a single character that happens to be the same amid a change belongs to the change. */
function joined(parts: Part[]): Part[] {
  const runs: Part[] = []
  const add = (part: Part) => {
    const last = runs.at(-1)
    if (!part.text) return
    if (last?.kind === part.kind) last.text += part.text
    else runs.push({ ...part })
  }
  parts.forEach(add)
  const found: Part[] = []
  let gone = ''
  let fresh = ''
  const flush = () => {
    if (gone) found.push({ text: gone, kind: 'gone' })
    if (fresh) found.push({ text: fresh, kind: 'new' })
    gone = fresh = ''
  }
  runs.forEach((run, index) => {
    if (run.kind === 'gone') gone += run.text
    else if (run.kind === 'new') fresh += run.text
    else if (run.text.length < 2 && index > 0 && index < runs.length - 1) {
      gone += run.text
      fresh += run.text
    } else {
      flush()
      found.push(run)
    }
  })
  flush()
  return found
}
