// What people read: dates in China's time, and names of things.
const zone = { timeZone: 'Asia/Shanghai' } as const
const time = new Intl.DateTimeFormat('zh-CN', { ...zone, hour: '2-digit', minute: '2-digit', hour12: false })
const day = new Intl.DateTimeFormat('zh-CN', { ...zone, year: 'numeric', month: 'numeric', day: 'numeric' })
const DAY_MS = 86_400_000

type Moment = string | Date

/** 14:03 */
export function clock(at: Moment): string {
  return time.format(new Date(at))
}

/** 2026/11/29, 11/29 in this year */
export function date(at: Moment, now = new Date()): string {
  const said = day.format(new Date(at))
  return said.replace(`${day.format(now).split('/')[0]}/`, '')
}

/** 14:03 today, 11/29 14:03 else */
export function moment(at: Moment, now = new Date()): string {
  const today = day.format(new Date(at)) === day.format(now)
  return today ? clock(at) : `${date(at, now)} ${clock(at)}`
}

/** 2026/11/29 14:03:05 */
export function exactly(at: Moment): string {
  return `${day.format(new Date(at))} ${time.format(new Date(at))}:${String(new Date(at).getUTCSeconds()).padStart(2, '0')}`
}

/** 3 天, 5 小时, 20 分钟 */
export function span(ms: number): string {
  const minutes = Math.max(0, Math.floor(Math.abs(ms) / 60_000))
  if (minutes < 60) return `${minutes} 分钟`
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} 小时`
  return `${Math.floor(minutes / 1440)} 天`
}

/** 超时 2 小时, 今天 18:00, 还有 3 天 */
export function due(at: Moment, now = new Date()): string {
  const left = new Date(at).getTime() - now.getTime()
  if (left < 0) return `超时 ${span(left)}`
  if (day.format(new Date(at)) === day.format(now)) return `今天 ${clock(at)}`
  return left < 2 * DAY_MS ? moment(at, now) : `${date(at, now)}（${span(left)}）`
}

/** 4:05 */
export function timer(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const hours = Math.floor(seconds / 3600)
  const minutes = Math.floor((seconds % 3600) / 60)
  const two = (n: number) => String(n).padStart(2, '0')
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`
}

/** What somebody on duty is doing. */
export const DOING: Record<string, string> = { idle: '空闲', call: '通话', wrap_up: '整理', break: '小休' }
/** How sure the desk is of an item that it found. */
export const BANDS: Record<string, string> = { sure: '可直接答', likely: '请核对', reference: '仅供参考' }
export const WHY_CALLED: Record<string, string> = { leave: '等不及走了', nobody: '当时没人在岗', hung_up: '没等到，挂了', recall: '以前答错了' }
export const CALL_RESULTS: Record<string, string> = { reached: '接通了', not_reached: '没有接通', wrong_number: '号码不对', served: '已经接到人工' }
/** Of a recall; and of each person whom it is for, in the order in which they are shown. */
export const RECALL_STATES: Record<string, string> = { draft: '等另一位同意', approved: '正在告知', done: '都已发出', called_off: '已取消' }
export const RECALLED = { seen: '已告知', sent: '尚未看到', callback: '待回拨', unreachable: '告知不到', waiting: '待发送' } as const
export const TOLD_BY: Record<string, string> = { message: '会话里', sms: '短信', callback: '回拨', progress: '工单进度', note: '坐席转告' }
export const SMS_STATES: Record<string, string> = {
  pending: '等着发',
  sending: '正在发',
  accepted: '已交给平台',
  refused: '被拒',
  failed: '没有发成',
  unknown: '不知道发出没有',
}

export const STATES = ['待受理', '已派单', '办理中', '退回', '重办', '已答复', '已办结', '已评价', '已撤回'] as const
export const KINDS = ['咨询', '投诉', '举报', '建议', '求助'] as const
export const OWED: readonly string[] = ['待受理', '已派单', '办理中', '退回', '重办']

export const ROLES: Record<string, string> = {
  agent: '坐席',
  supervisor: '班长',
  editor: '知识编辑',
  approver: '知识审核',
  officer: '承办单位人员',
  admin: '管理员',
}

export const SCOPES: Record<string, string> = {
  'tickets.read': '查看工单',
  'tickets.write': '办理工单',
  conversations: '查看会话',
  dangers: '查看险情',
  unanswered: '查看没有答上的提问',
}

const CHANNELS: Record<string, string> = { web: '网页', wechat: '公众号', miniprogram: '小程序', mpservice: '小程序客服', trial: '试用', cli: '终端', phone: '电话', desk: '坐席登记', other: '其他' }
export const channel = (name: string) => CHANNELS[name] ?? name

const SENDERS: Record<string, string> = { citizen: '市民', bot: '助手', agent: '坐席', system: '系统' }
export const sender = (name: string) => SENDERS[name] ?? name

export const CONVERSATION_STATES: Record<string, string> = {
  bot: '助手在答',
  waiting: '等人工',
  human: '人工接待',
  closed: '已结束',
}

const DECISIONS: Record<string, string> = {
  answer: '直接回答',
  likely: '给出最可能的答案',
  clarify: '反问',
  offer: '没有依据，问要不要登记',
  passages: '给出政策原文',
  not_ours: '不在服务范围',
  ticket: '登记工单',
  handover: '转人工',
  emergency: '险情提示',
  calculation: '计算',
  text: '一般回复',
  repeat: '重复上一条',
}
export const decision = (name: string) => DECISIONS[name] ?? name

const ACTS: Record<string, string> = {
  ask_policy: '提问',
  follow_up: '追问',
  report_problem: '反映问题',
  choose_option: '选择',
  none_of_these: '都不是',
  chitchat: '闲聊',
}
export const act = (name: string) => ACTS[name] ?? name

export const CERTAINTY: Record<string, string> = { sure: '确定', likely: '可能' }

/** What came of a question, as a filter offers it. */
export const RESULTS: Record<string, string> = {
  useful: '有用',
  useless: '没用',
  refused: '不是这个',
  chosen: '选了别的',
  rephrased: '换了说法',
  agent: '坐席给了答案',
  ticket: '登记了工单',
  nothing: '没有下文',
}

/** What speaks for a candidate. */
export const FEATURES: Record<string, string> = {
  char: '字面',
  word: '词',
  answer: '答案字面',
  official: '官方说法',
  learned: '分类器',
  dense: '语义',
  centroid: '平均语义',
  passage: '答案语义',
  coverage: '词覆盖',
  overlap: '说法重合',
}

/** The beginnings of the audit log's actions, as a filter offers them. */
export const AUDITED: Record<string, string> = {
  sign_in: '登录',
  person: '账号',
  service_account: '程序密钥',
  ticket: '工单',
  'ticket.查看': '查看个人信息',
  conversation: '会话',
  danger: '险情',
  duty: '上岗',
  desk: '坐席护盾',
  callback: '回拨',
  sms: '短信',
  qa: '知识条目',
  recall: '答错召回',
  knowledge: '知识导入',
  document: '政策文件',
  review: '复核',
  surge: '新事项',
  local: '本地标准',
  calendar: '工作日',
  retention: '到期删除',
  job: '后台任务',
  audit: '审计导出',
}

const ACTIONS: Record<string, string> = {
  sign_in: '登录',
  'sign_in.refused': '登录被拒',
  'sign_in.identified': '统一认证登录',
  'sign_in.end': '退出登录',
  'person.create': '新建账号',
  'person.change': '修改账号',
  'person.reset_password': '重置密码',
  'person.reset_second_factor': '解绑动态口令',
  'person.change_password': '修改密码',
  'person.second_factor': '绑定动态口令',
  'person.end_sign_ins': '全部退出登录',
  'service_account.create': '新建密钥',
  'service_account.revoke': '吊销密钥',
  'ticket.查看': '查看个人信息',
  'conversation.ask_for_human': '转人工',
  'conversation.reopen': '重新开始会话',
  'conversation.claim': '接入会话',
  'conversation.take_over': '接管会话',
  'conversation.transfer': '转接会话',
  'conversation.step_in': '强插',
  'conversation.taken_from': '从同事手上接过',
  'conversation.hand_back': '交还助手',
  'call.whisper': '向通话耳语',
  'call.not_kept': '通话不留存',
  'call.erased': '删除通话',
  'conversation.whisper': '耳语',
  'conversation.return': '无人回复，回到队列',
  'conversation.silent': '市民久不说话，结束',
  'conversation.leave': '市民不等了',
  'conversation.nobody': '无人在岗，登记工单',
  'conversation.close': '结束会话',
  'qa.propose': '知识草稿',
  'conversation.erase': '删除会话',
  'conversation.privacy': '同意隐私说明',
  'danger.seen': '处置险情',
  'qa.withdrawn': '作废答错的版本',
  'recall.draft': '起草答错召回',
  'recall.approve': '同意答错召回',
  'recall.call_off': '取消答错召回',
  'qa.doubt': '报错，标为存疑',
  'qa.doubt_undone': '撤销报错',
  'qa.doubt_pause': '核对存疑：停用',
  'qa.doubt_clear': '核对存疑：解除',
  'desk.shield': '请文明用语',
  'desk.shield_undone': '撤销请文明用语',
  'desk.shield_seen': '班长看过',
  'callback.claim': '接下回拨',
  'callback.call': '回拨结果',
  'callback.release': '放回回拨',
  'sms.send': '发短信',
  'sms.again': '再发短信',
  duty: '上岗、离岗',
  'audit.export': '导出审计日志',
  'asked.export': '导出提问记录',
  'surge.raised': '提醒：问得比平时多',
  'surge.seen': '看过新事项',
  'surge.real': '新事项：属实',
  'surge.false': '新事项：误报',
  'review.wording': '待学习：加为问法',
  'review.new': '待学习：新建问答',
  'review.act': '待学习：改为别的意图',
  'review.out_of_scope': '待学习：不属于任何条目',
  'review.not_ours': '待学习：不归本市管',
  'review.ignore': '待学习：忽略',
  'review.split': '待学习：拆开',
  'review.merge': '待学习：合并',
  'review.undo': '待学习：撤销',
  'review.read_again': '待学习：复读',
  'review.judge': '待学习：抽查',
  'qa.replay': '昨日重放',
  'job.request': '发起后台任务',
  'job.stop': '停下后台任务',
  'job.resume': '接着做后台任务',
  'ticket.search': '按电话查工单',
  'calendar.set_day': '调整工作日',
  'knowledge.import': '导入知识',
  'import.receive': '拖进要导入的文件',
  'import.columns': '对导入的列',
  'import.decide': '决定导入',
  'import.drop': '放弃导入',
  'knowledge.export': '下载全部知识',
  'qa.distil': '问答提炼',
  'document.amended': '文件修改',
  'document.repealed': '文件废止',
  'document.replaced': '文件被替代',
  'document.restore': '文件恢复有效',
  'review.settle': '复核',
  'local.propose': '填写本地标准',
  'local.approve': '审核本地标准',
  'local.return': '退回本地标准',
  'local.discard': '放弃本地标准的修改',
  'local.withdraw': '停用本地标准',
}
export const action = (name: string) => ACTIONS[name] ?? name.replace(/^ticket\./, '工单')

const FIELDS: Record<string, string> = {
  state: '现在',
  before: '原来',
  device: '设备',
  until: '到',
  reason: '原因',
  named: '姓名',
  name: '姓名',
  roles: '角色',
  scopes: '权限',
  active: '在用',
  department: '单位',
  region: '地区',
  kind: '类型',
  factor: '哪一道',
  by: '由谁确认',
  by_actor: '谁',
  by_action: '动作',
  by_subject: '对象',
  version: '版本',
  why: '理由',
  marks: '标为存疑',
  result: '结果',
  tries: '第几次',
  to: '发到',
  conversation: '会话',
  agent: '坐席',
  qa_id: '知识条目',
  value: '值',
  people: '人数',
  versions: '版本',
  made_by: '谁起草',
  status: '状态',
  recall: '召回',
}
/** What a field of an audit entry is called. */
export const field = (name: string) => FIELDS[name] ?? name

/** A value of an audit entry, in words where there are any. */
export function said(value: unknown): string {
  if (value === null || value === undefined || value === '') return '—'
  if (Array.isArray(value)) return value.map(said).join('、')
  if (typeof value === 'boolean') return value ? '是' : '否'
  if (typeof value === 'object') return JSON.stringify(value)
  const text = String(value)
  if (/^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/.test(text)) return exactly(text)
  return CONVERSATION_STATES[text] ?? CALL_RESULTS[text] ?? ROLES[text] ?? SCOPES[text] ?? text
}

/** What an item of a file is to the knowledge; what needs a person first. */
export const WHATS = { conflict: '冲突', refused: '不能导入', new: '新增', changed: '有改动', same: '未变' } as const
export const CHOICES: Record<string, string> = { take: '用文件里的', keep: '保留系统里的', onto: '改到系统里那一条' }
export const OUTCOMES: Record<string, string> = { added: '已新增', changed: '已更新', same: '未变', kept: '没有动', failed: '没有导入' }
export const IMPORT_KINDS: Record<string, string> = { qa: '问答', guide: '办事指南', document: '政策文件', skip: '不导入这张表' }
