// An answer's words taken apart to be shown, none of them changed: the conclusion, then point by point; figures and numbers to dial.

export interface Piece {
  text: string
  kind: 'plain' | 'figure' | 'phone'
}

export interface Told {
  /** The first sentence */
  conclusion: string
  /** The others */
  points: string[]
}

const OPENS = '（“《「('
const CLOSES = '）”》」)'
const UNIT = '(?:%|％|‰|万元|亿元|元|个工作日|工作日|个月|周岁|岁|年|月|日|天|小时|分钟|倍|次|周|平方米|人|分|万|号)'
const FIGURE = `(?:\\d+(?:[.,]\\d+)*${UNIT}?(?:[—–~～至到×-]+(?=\\d))?)+`
/** Of the hotlines that are dialled like this in the whole country, of banks and cities' own, of 400 numbers, of landlines and mobiles */
const PHONE = '12[13]\\d\\d|9[56]\\d{3}|400-?\\d{3}-?\\d{4}|0\\d{2,3}-?(?:12345|\\d{7,8})|1[3-9]\\d{9}'
/** Short numbers are figures too: they are dialled where the text says so */
const SHORT = '110|119|120|122'
const DIALLED = /[打拨]\s*$/
const COUNTED = new RegExp(`^[\\d.,%％‰~～×—–-]|^${UNIT}`)

/** The conclusion, and the rest point by point: the words of the text, line breaks left out. */
export function apart(text: string): Told {
  const [conclusion = '', ...points] = text.trim().split(/\n+/).flatMap(sentences)
  return { conclusion, points }
}

/** A line's sentences.  What stands in brackets or quotation marks isn't parted. */
function sentences(line: string): string[] {
  const found: string[] = []
  let depth = 0
  let begin = 0
  for (let at = 0; at < line.length; at++) {
    const sign = line.charAt(at)
    if (OPENS.includes(sign)) depth += 1
    else if (CLOSES.includes(sign)) depth = Math.max(0, depth - 1)
    else if (!depth && '。！？'.includes(sign)) {
      found.push(line.slice(begin, at + 1))
      begin = at + 1
    }
  }
  found.push(line.slice(begin))
  return found.map((one) => one.trim()).filter(Boolean)
}

/** Words with their figures and the numbers that can be dialled told apart; joined they are the words again. */
export function pieces(words: string): Piece[] {
  const found: Piece[] = []
  const plain = (text: string) => text && found.push({ text, kind: 'plain' })
  let done = 0
  const figure = new RegExp(FIGURE, 'g')
  for (let match = figure.exec(words); match; match = figure.exec(words)) {
    const phone = dialled(words, match.index)
    const text = phone ?? match[0]
    plain(words.slice(done, match.index))
    found.push({ text, kind: phone ? 'phone' : 'figure' })
    done = figure.lastIndex = match.index + text.length
  }
  plain(words.slice(done))
  return found
}

/** The number to dial that begins here, if one does. */
function dialled(words: string, at: number): string | null {
  const rest = words.slice(at)
  const phone = new RegExp(`^(?:${PHONE}${DIALLED.test(words.slice(0, at)) ? `|${SHORT}` : ''})`).exec(rest)?.[0]
  return phone && !COUNTED.test(rest.slice(phone.length)) ? phone : null
}
