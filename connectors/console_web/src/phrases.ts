// 常用语：离线就有，按 F2 插到光标处；{问候}、{工号}、{姓名} 插入时填好。
export interface Phrase {
  name: string
  text: string
}

export const PHRASES: readonly Phrase[] = [
  { name: '您好', text: '{问候}，我是12345热线工作人员，工号{工号}，您反映的情况我来为您处理。' },
  { name: '请稍等', text: '请您稍等，我正在核实，几分钟内回复您。' },
  { name: '请补充地点', text: '请您补充一下具体地点（区、街道、小区或门牌号），方便我们安排核实。' },
  { name: '请补充时间', text: '请您说一下事情发生的时间，以及现在是否还在持续。' },
  { name: '请留电话', text: '方便的话请留一个联系电话，只用于办理这件事和给您回复。' },
  { name: '已登记', text: '您的诉求已经登记，可以凭工单编号和查询码随时查看进度。' },
  { name: '已转办', text: '您的诉求已转给承办单位办理，承办单位会与您联系。' },
  { name: '需要核实', text: '这件事要向主管部门核实后才能准确答复您，核实后会尽快回复。' },
  { name: '以窗口为准', text: '以上是目前的规定，具体以办理窗口的审核为准，建议去之前先打电话确认要带的材料。' },
  { name: '不在范围', text: '这件事不属于12345热线的受理范围，建议您向有权处理的部门反映，或通过诉讼、复议等途径解决。' },
  { name: '请文明用语', text: '您的心情我理解，请您文明用语，我们一起把问题解决好。' },
  { name: '还有别的吗', text: '请问还有其他需要帮您的吗？' },
  { name: '感谢来电', text: '感谢您的反映，祝您生活愉快，再见。' },
]

/** The text with its variables filled in. */
export function filled(text: string, who: { number: string; name: string }, now = new Date()): string {
  const hour = Number(new Intl.DateTimeFormat('en-GB', { timeZone: 'Asia/Shanghai', hour: '2-digit', hour12: false }).format(now))
  const greeting = hour < 5 || hour >= 18 ? '晚上好' : hour < 12 ? '上午好' : '下午好'
  return text.replace('{问候}', greeting).replace('{工号}', who.number).replace('{姓名}', who.name)
}
