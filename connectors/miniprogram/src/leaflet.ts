// 一次性告知单: an answer as a picture to keep, print or send, drawn on the device.  Its code holds the page's address with the question.
import encode from 'qr'
import type { Answer } from '@/api/client'
import { apart } from '@/told'
import { cited, conditionOf, day, saidOf } from '@/words'

const WIDTH = 750
const EDGE = 40
const CODE = 260
const FONT = '"PingFang SC", "Noto Sans CJK SC", "Noto Sans SC", "Microsoft YaHei", sans-serif'
const INK = '#1b2733'
const BLUE = '#14539a'
const AMBER = '#734a00'
const SOFT = '#4a5766'
/** Signs that don't begin a line */
const CLOSING = '，。；：！？、）》”」…'

interface Block {
  text: string
  size: number
  colour: string
  bold?: boolean
  /** Room above, px */
  above: number
  /** A point of a list */
  point?: boolean
}

interface Line extends Block {
  left: number
  bottom: number
}

/** The picture, as a data address. */
export function leaflet(answer: Answer, city: string, address: string): string {
  const canvas = document.createElement('canvas')
  const pen = canvas.getContext('2d')!
  const { lines, height } = lay(pen, blocks(answer), 120)
  const foot = height + 30
  canvas.width = WIDTH
  canvas.height = foot + CODE + EDGE
  pen.fillStyle = '#fff'
  pen.fillRect(0, 0, WIDTH, canvas.height)
  pen.fillStyle = BLUE
  pen.fillRect(0, 0, WIDTH, 90)
  pen.fillStyle = '#fff'
  pen.font = `700 34px ${FONT}`
  pen.fillText('一次性告知单', EDGE, 58)
  pen.font = `26px ${FONT}`
  pen.textAlign = 'right'
  pen.fillText(`${city}12345`, WIDTH - EDGE, 56)
  pen.textAlign = 'left'
  for (const line of lines) {
    pen.font = fontOf(line)
    pen.fillStyle = line.colour
    pen.fillText(line.text, line.left, line.bottom)
  }
  code(pen, address, WIDTH - EDGE - CODE, foot)
  const today = new Date()
  const words = ['扫一扫，看最新的答案', '也可以拨打12345', `${today.getFullYear()}年${today.getMonth() + 1}月${today.getDate()}日生成`]
  pen.fillStyle = SOFT
  pen.font = `26px ${FONT}`
  words.forEach((text, index) => pen.fillText(text, EDGE, foot + 60 + index * 44))
  return canvas.toDataURL('image/png')
}

/** What it says, from the question to the notice that the knowledge is a sample. */
function blocks(answer: Answer): Block[] {
  const { conclusion, points } = apart(answer.text)
  const found: Block[] = []
  const add = (text: string | null | undefined, look: Partial<Block> = {}) => text && found.push({ text, size: 28, colour: INK, above: 8, ...look })
  const part = (title: string, texts: (string | null | undefined)[]) => {
    const all = [...new Set(texts.filter(Boolean))]
    if (!all.length) return
    add(title, { bold: true, colour: BLUE, above: 26 })
    for (const text of all) add(text, { point: all.length > 1, above: 4 })
  }
  if (answer.certainty === 'likely') add('您问的可能是：', { colour: AMBER })
  add(answer.question, { size: 36, bold: true, above: 0 })
  add(conditionOf(answer), { colour: AMBER })
  add(conclusion, { size: 31, above: 16 })
  for (const point of points) add(point, { point: !point.endsWith('：') })
  part('本地标准', (answer.local ?? []).map(saidOf))
  const guides = answer.guides
  part('要带的材料', guides.flatMap(({ materials }) => materials))
  part('在哪里办', guides.flatMap(({ channels, address, department, phone }) => [channels.join('、'), address, department, phone && `电话 ${phone}`]))
  part('多久办好', guides.map(({ time_limit }) => time_limit))
  part('费用', guides.map(({ fee }) => fee))
  part('依据', answer.sources.map(cited))
  if (answer.as_of) add(`这是截至${day(answer.as_of)}的规定；那以后改了的，以新规定为准。`, { size: 24, colour: SOFT, above: 26 })
  add(answer.note, { size: 24, colour: AMBER, bold: true, above: 10 })
  return found
}

function fontOf({ size, bold }: Block): string {
  return `${bold ? '700 ' : ''}${size}px ${FONT}`
}

/** The lines of the blocks from `top` on, and where they end. */
function lay(pen: CanvasRenderingContext2D, found: Block[], top: number): { lines: Line[]; height: number } {
  const lines: Line[] = []
  let y = top
  for (const block of found) {
    pen.font = fontOf(block)
    y += block.above
    const left = EDGE + (block.point ? 30 : 0)
    broken(pen, block.text, WIDTH - EDGE - left).forEach((text, index) => {
      y += block.size * 1.5
      if (block.point && !index) lines.push({ ...block, text: '·', left: EDGE + 8, bottom: y })
      lines.push({ ...block, text, left, bottom: y })
    })
  }
  return { lines, height: y }
}

/** A text broken into lines of at most this width; a closing sign hangs over rather than begin the next. */
function broken(pen: CanvasRenderingContext2D, text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const sign of text.replace(/\n+/g, ' ')) {
    if (line && pen.measureText(line + sign).width > width && !CLOSING.includes(sign)) {
      lines.push(line)
      line = ''
    }
    line += sign
  }
  return [...lines, line]
}

/** The code to scan, with the white edge that readers need. */
function code(pen: CanvasRenderingContext2D, address: string, left: number, top: number): void {
  const rows = encode(address, 'raw', { ecc: 'medium', border: 4 })
  const dot = Math.max(1, Math.floor(CODE / rows.length))
  const inset = Math.floor((CODE - dot * rows.length) / 2)
  pen.fillStyle = '#000'
  rows.forEach((row, y) => row.forEach((dark, x) => dark && pen.fillRect(left + inset + x * dot, top + inset + y * dot, dot, dot)))
}
