"""What the head and foot of an official document say: its title, however many lines it takes, its number, issuer and dates.

The layout is that of GB/T 9704-2012: 发文机关标志, 发文字号, 标题, 主送机关 … 成文日期.  Laws and orders have theirs in a
bracket below the title: （2026年1月1日某部令第1号公布 自2026年3月1日起施行）.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from index.knowledge_files import secrecy

HEAD = 40
"""Lines in which a document's head is looked for."""
TITLE_CHARS = 120
"""A title is at most so long, all its lines together."""
TITLE_LINES = 6

_HAN = "\u4e00-\u9fff"
_NUMERAL = "一二三四五六七八九十百千零〇0-9"
ARTICLE = re.compile(rf"^(第[{_NUMERAL}]+[条條](?:之[一二三四五六七八九十])?)[\s　:：]*")
CHAPTER = re.compile(rf"^第[{_NUMERAL}]+[编章节][\s　]*\S{{1,30}}$")
LEVELS = (
    re.compile(rf"^([{_NUMERAL}]+、)\s*"),
    re.compile(r"^(（[一二三四五六七八九十百]+）|\([一二三四五六七八九十百]+\))\s*"),
    re.compile(r"^(\d{1,2}[.．、])\s*(?=\D)"),
)
_LETTERED = re.compile(rf"[{_HAN}]{{1,20}}[〔\[［（(【](?:19|20)\d{{2}}[〕\]］）)】]\s*(?:第\s*)?\d{{1,4}}\s*号")
"""发文字号: 某政办发〔2026〕3号"""
_NUMBER_AT_END = re.compile(
    rf"[（(\s]*(?<=的通知|的意见|的决定|的批复)[（(\s]*{_LETTERED.pattern}\s*[）)]?$|\s*[（(]\s*{_LETTERED.pattern}\s*[）)]$|\s+{_LETTERED.pattern}$"
)
_NO_NUMBER = re.compile(r"准字|证字|许可|登记")
_ORDER_KINDS = "令|公告|通告|公布令"
_ORDER = (
    rf"(?P<organ>[{_HAN}、]{{2,40}}?)(?:"
    rf"(?P<kind>{_ORDER_KINDS})[(\[]?(?P<year>(?:19|20)\d{{2}}年)?第?(?P<number>[{_NUMERAL}]{{1,5}})号[)\]]?"
    rf"|[(\[]?第(?P<before>[{_NUMERAL}]{{1,5}})号[)\]]?令)"
)
"""令 and 公告 with a running number: 某部令第1号, 某市人民政府令（第3号）, 公告2026年第5号"""
_ORDER_LINE = re.compile(rf"(?!.*关于){_ORDER}")
_DAY = r"(?P<y>(?:19|20)\d{2})年(?P<m>\d{1,2})月(?P<d>\d{1,2})日"
DAY = re.compile(_DAY)
_ONLY_DAY = re.compile(rf"[(]?{_DAY}(?:印发|发布|公布)?[)]?")
_EVENT = re.compile(
    rf"{_DAY}(?P<by>[^0-9;。]{{0,30}}?(?:[{_NUMERAL}]{{1,4}}[届次号年][^0-9;。]{{0,40}}?){{0,3}})(?P<what>公布|发布|印发|颁布|通过|批准|修订|修正|修改)"
)
"""One step of a document's history in the bracket below its title"""
_HISTORY = re.compile(r"^\(.*(?:公布|发布|印发|颁布|通过|批准|修订|修正|施行|实施).*\)$")
_EFFECTIVE = re.compile(
    rf"自{_DAY}起(?:正式)?(?:施行|实施|执行|生效)(?!以来|的《|的[{_HAN}]{{2,20}}(?:办法|规定|通知)同时)"
)
_OWN_EFFECTIVE = re.compile(
    rf"(?:本[{_HAN}]{{1,10}}|现予(?:公布|发布),?|,)自{_DAY}起(?:正式)?(?:施行|实施|执行|生效)(?!以来)"
)
_WHEN_ISSUED = re.compile(r"自(?:发布|印发|公布|颁布|本[办规条]\S{1,4}发布)之日起(?:正式)?(?:施行|实施|执行|生效)")
_ORGAN_END = r"(?:人民政府|政府|办公厅|办公室|委员会|代表大会|局|厅|部|院|会|署|中心|领导小组|工作组|指挥部|银行|党委|党组|集团|大学|学院|医院)"
_SIGNED_DAY = re.compile(rf"(?P<organ>[{_HAN}、()]{{2,60}}?{_ORGAN_END}){_DAY}")
_ORDER_HEAD = re.compile(rf"[{_HAN}、]{{2,40}}?(?:{_ORGAN_END}|主席)(?:{_ORDER_KINDS})")
_ORDER_NUMBER = re.compile(rf"[(]?(?:(?:19|20)\d{{2}}年)?第[{_NUMERAL}]+号[)]?")
ORGAN = re.compile(rf"^[{_HAN}、（）()\s·]{{2,60}}{_ORGAN_END}(?:[\s、]+[{_HAN}（）()·]{{2,30}}{_ORGAN_END})*$")
_RED_HEAD = re.compile(
    rf"^([{_HAN}、()]{{2,40}}?{_ORGAN_END}(?:[{_HAN}、]{{2,40}}{_ORGAN_END})*)(?:文件|\(通知\)|便函|\([\u4e00-\u9fff]\))$"
)
_KIND = (
    "通知|意见|办法|条例|规定|细则|要点|方案|报告|公告|通告|通报|决定|决议|批复|复函|函|纲要|规划|计划|指南|指引|规则|措施|规程|法|解释|说明|"
    "章程|标准|规范|目录|清单|预案|公报|命令|令|议案|请示|纪要|制度|政策|办事流程|问答|解读|倡议书|公约|协定|准则|守则|实施方案|若干措施|名单|一览表|指导书|手册"
)
_TAIL = r"(?:[(（][^()（）]{1,20}[)）])?"
_TITLE_END = re.compile(rf"(?:{_KIND}){_TAIL}$")
_ABOUT_END = re.compile(
    rf"的(?:[{_HAN}]{{0,8}}?)(?:通知|意见|决定|决议|公告|通告|通报|批复|复函|函|办法|规定|规则|细则|条例|方案|报告|措施|解释|答复|说明|请示|议案|命令|纪要|补充规定|公示|指导意见|倡议书|通令){_TAIL}$"
)
_QUALIFIER = re.compile(r"^[(（][^()（）]{1,30}[)）]$")
_GOES_ON = re.compile(
    r"^的?(?:实施|补充|若干|暂行|试行|管理|工作)?(?:细则|办法|规定|意见|方案|通知|解释|说明|决定|标准|目录|清单|措施|修正案|规程)(?:[(（][^()（）]{1,12}[)）])?$"
)
"""A line that can only be the end of a title begun above: 某市供水管理办法 / 实施细则"""
_STOP = re.compile(r"[。；;！!？?：:]$")
_NOT_TITLE = re.compile(
    r"^(?:签发人|会签人|主送|抄送|索引号|发文字号|文号|份号|来源|作者|编辑|时间|发布时间|发布日期|字体|打印|分享|附件|目\s*[录次]|编者按|总第|第?\d+期)"
    r"|^(?:文件|通知公告|公告公示|公示公告|通知通告|文件通知|政策文件|政策法规|规范性文件|政府文件|法律法规|政策解读|信息公开|政务公开|政府公报|政策问答)$"
    r"|(?:门户网站|官方网站|官网|政务网|网上办事大厅)$"
    r"|^(?:首页|当前位置|您(?:现在)?(?:的|所在)?的?位置|欢迎访问|返回)|[|>].*[|>]|首页>"
    r"|^(?:19|20)\d{2}\s*年?\s*第\s*\d+\s*期|^\d{6}$|^(?:特急|特提|加急|平急|急件)$"
)
_ANNOUNCED = re.compile(
    r"《(?P<title>[^《》]{2,60}(?:《[^》]{1,40}》[^《》]{0,30})?)》(?:已经?|业经|经)[^。]{0,120}?(?:公布|发布|印发|颁布)"
)


@dataclass(frozen=True)
class Head:
    """What a document's head and foot say; None where they don't."""

    title: str
    body: int
    """Index of the first line after the title"""
    doc_no: str | None = None
    is_order: bool = False
    """Whether the number is a running one of a 令 or 公告, which may come again under the next government"""
    issuer: str | None = None
    issued: date | None = None
    effective: date | None = None


def bare(line: str) -> str:
    """A line without spaces, half-width but for the brackets and marks that Chinese has of its own."""
    return re.sub(r"\s+", "", line)


def plain(line: str) -> str:
    """A line for patterns: half-width, without spaces, dates in digits."""
    text = re.sub(r"\s+", "", unicodedata.normalize("NFKC", line))
    return _SPELT_DAY.sub(_digits, text)


_SPELT_DAY = re.compile(
    r"([一二][〇○零OoＯ一二三四五六七八九]{3})年([一二三四五六七八九十]{1,3})月([一二三四五六七八九十]{1,3})日"
)


def _digits(match: re.Match[str]) -> str:
    year = "".join(str("〇一二三四五六七八九".find(c)) if c in "一二三四五六七八九" else "0" for c in match[1])
    return f"{year}年{_small(match[2])}月{_small(match[3])}日"


def _small(words: str) -> int:
    tens, ten, ones = words.rpartition("十")
    digit = "〇一二三四五六七八九".find
    return (digit(tens) if tens else 1) * 10 + (digit(ones) if ones else 0) if ten else digit(words)


def as_date(match: re.Match[str] | None) -> date | None:
    """The day that a match of ``DAY`` names; None for none, and for one that doesn't exist."""
    try:
        return date(int(match["y"]), int(match["m"]), int(match["d"])) if match else None
    except ValueError:
        return None


def numbered(line: str) -> bool:
    """Whether a line begins a clause."""
    return bool(ARTICLE.match(line) or CHAPTER.match(line) or any(level.match(line) for level in LEVELS))


def is_formal(line: str) -> bool:
    """Whether a line is nothing but a number, a date, an organ's name or a history: told apart already, no text to show."""
    text = plain(line)
    return bool(
        _LETTERED.fullmatch(line.strip())
        or _ORDER_LINE.fullmatch(text)
        or _ONLY_DAY.fullmatch(text)
        or ORGAN.match(line)
        or _RED_HEAD.match(text)
        or (_HISTORY.match(text) and DAY.search(text))
        or _ORDER_NUMBER.fullmatch(text)
        or (_ORDER_HEAD.fullmatch(text) and text.endswith("令"))
        or _SIGNED_DAY.fullmatch(text)
        or text.startswith("签发人:")
    )


def read(lines: Sequence[str], stem: str, title: str | None = None) -> Head:
    """What a document's lines say.

    Args:
        stem: the title if the text has none: the file's name.
        title: the title, if it is known from elsewhere.
    """
    found, body, organ = _title(lines)
    if title:
        body = _after(lines, title, body if found else 0)
    found = title or found
    head, tail = [plain(line) for line in lines[:HEAD]], [plain(line) for line in lines[-HEAD // 4 :]]
    history = next((line for line in head if _HISTORY.match(line) and DAY.search(line)), None)
    number, number_organ = _number(lines[:HEAD], head)
    order, order_organ = _order(head, history)
    signed, signed_by = _signature(lines)
    dated = (match for line in [*head[:16], *reversed(tail)] if (match := _ONLY_DAY.fullmatch(line)))
    issued = _issued(history) or signed or next((day for match in dated if (day := as_date(match))), None)
    alone = (line for line in [*lines[:10], *reversed(lines[-10:])] if line != found and ORGAN.match(line))
    organ = organ or order_organ or number_organ or signed_by or next(map(_organs, alone), None)
    return Head(
        title=found or stem,
        body=body,
        doc_no=number or order,
        is_order=number is None and order is not None,
        issuer=organ,
        issued=issued,
        effective=_effective("".join(map(plain, lines)), history, issued),
    )


# --- title -----------------------------------------------------------------------------------------------------------


def _unnumbered(line: str) -> str:
    """A line without the document number at its end: …的通知（某政发〔2026〕3号）."""
    return _NUMBER_AT_END.sub("", line).strip()


def _heads_title(line: str, after: str = "") -> bool:
    """Whether a line (and the one after it) above a title belongs to the red head rather than to it."""
    text = plain(line)
    return bool(
        _NOT_TITLE.match(text)
        or (_LETTERED.search(line) and not _TITLE_END.search(bare(_unnumbered(line))))
        or _ORDER_LINE.fullmatch(text)
        or _RED_HEAD.match(text)
        or _ONLY_DAY.fullmatch(text)
        or _SIGNED_DAY.fullmatch(text)
        or _ORDER_NUMBER.fullmatch(text)
        or re.fullmatch(_ORDER_KINDS, text)
        or (_ORDER_HEAD.fullmatch(text) and _ORDER_NUMBER.fullmatch(plain(after)))
        or secrecy.secret_mark(line, alone=True)
        or secrecy.internal_mark(line, alone=True)
    )


def _title(lines: Sequence[str]) -> tuple[str, int, str | None]:
    """Title (empty if none is found), the line after it, and the issuer where the title or the head names it."""
    organ: str | None = None
    number = 0
    announced = _announced(lines)
    while number < min(len(lines), HEAD):
        line = lines[number]
        if match := _RED_HEAD.match(plain(line)):
            organ = organ or match[1]
        if _heads_title(line, lines[number + 1] if number + 1 < len(lines) else ""):
            number += 1
            continue
        run = _run(lines, number)
        if not run:
            if announced or number == 0 or len(line) > TITLE_CHARS // 2:
                break
            number += 1
            continue
        cut = _cut(run)
        if cut is not None:
            first, last = cut
            named = " ".join(run[:first]) if first else None
            title, own = _joined(run[first:last])
            after = number + last
            return title, after, own or named or organ
        number += len(run)
    if announced:
        return announced[0], announced[1], organ
    first_line = next(
        (
            n
            for n, line in enumerate(lines[:12])
            if 4 <= len(line) <= TITLE_CHARS * 3 // 4 and not _STOP.search(line) and not _heads_title(line)
        ),
        None,
    )
    return ("", 0, organ) if first_line is None else (lines[first_line], first_line + 1, organ)


def _run(lines: Sequence[str], start: int) -> list[str]:
    """The short lines from ``start`` on that could be a title: up to a clause, a sentence, an addressee, a date."""
    run: list[str] = []
    for line in lines[start : start + TITLE_LINES + 4]:
        text = plain(line)
        if (
            len(line) > TITLE_CHARS * 3 // 4
            or _STOP.search(line)
            or numbered(line)
            or (_HISTORY.match(text) and DAY.search(text))
        ):
            break
        if run and _heads_title(line):
            break
        run.append(_unnumbered(line))
    return run


def _cut(run: list[str]) -> tuple[int, int] | None:
    """From and to which line of a run the title goes; None if no line ends one."""
    last = None
    for number in range(len(run)):
        start = _start(run, number)
        words = bare("".join(run[start : number + 1]))
        if not _complete(words):
            continue
        last = number + 1
        break
    if last is None:  # 关于…办法 without 的通知: the best that is there
        last = next((n + 1 for n, line in enumerate(run) if _TITLE_END.search(bare(line)) and n < TITLE_LINES), None)
        if last is None:
            return None
    while last < len(run) and (_GOES_ON.match(bare(run[last])) or _is_qualifier(run[last])):
        last += 1
    first = _start(run, last - 1)
    return (first, last) if len("".join(run[first:last])) <= TITLE_CHARS and last - first <= TITLE_LINES else None


def _is_qualifier(line: str) -> bool:
    """（试行）, （2026年修订）, but no history."""
    return bool(_QUALIFIER.match(line.strip())) and not DAY.search(plain(line))


def _complete(words: str) -> bool:
    """Whether a title could end so: with a kind of document, what 关于 needs, and every 《 closed."""
    if not _TITLE_END.search(words) or words.count("《") > words.count("》") or words.count("“") > words.count("”"):
        return False
    return bool(_ABOUT_END.search(words)) if "关于" in words else True


def _start(run: list[str], last: int) -> int:
    """The first line of the title that ends on line ``last``: organs right above 关于 belong to it, others don't."""
    about = next((n for n in range(last + 1) if bare(run[n]).startswith("关于")), None)
    if about is None:
        first = next((n for n in range(last + 1) if not ORGAN.match(run[n])), 0)
        return first if first <= last else last
    first = about
    while first and ORGAN.match(run[first - 1]):
        first -= 1
    return first


def _joined(lines: list[str]) -> tuple[str, str | None]:
    """The lines of a title as one, and the organ that it begins with."""
    about = next((n for n, line in enumerate(lines) if bare(line).startswith("关于")), None)
    if about:
        organs = [line.strip() for line in lines[:about]]
        return " ".join(organs) + _glued(lines[about:]), "、".join(re.split(r"\s+", " ".join(organs)))
    title = _glued(lines)
    named = re.match(rf"([{_HAN}、()（）\s]{{2,60}}?{_ORGAN_END})关于", title)
    return title, named[1] if named else None


def _glued(lines: Sequence[str]) -> str:
    title = ""
    for line in (one.strip() for one in lines):
        apart = title and (re.match(r"[A-Za-z0-9]", line) and re.search(r"[A-Za-z0-9]$", title))
        title += f" {line}" if apart else line
    return title


def _announced(lines: Sequence[str]) -> tuple[str, int] | None:
    """The document that an order announces (《…办法》已经…审议通过，现予公布), and the line after its own title."""
    for line in lines[:12]:
        if match := _ANNOUNCED.search(line):
            title = match["title"]
            again = next((n for n, one in enumerate(lines) if bare(one).strip("《》") == bare(title)), None)
            return title, 0 if again is None else again + 1
    return None


def _after(lines: Sequence[str], title: str, body: int) -> int:
    """The line after a title that is known, where the text has it too, on one line or several."""
    wanted = bare(title)
    for start in range(min(len(lines), HEAD)):
        words = ""
        for end in range(start, min(len(lines), start + TITLE_LINES)):
            words += bare(lines[end])
            if words == wanted:
                return end + 1
            if not wanted.startswith(words):
                break
    return body


# --- number, issuer, dates -------------------------------------------------------------------------------------------


def _number(lines: Sequence[str], head: Sequence[str]) -> tuple[str | None, str | None]:
    """发文字号, and the organ of the red head above it."""
    for line in lines:
        title = _unnumbered(line)
        match = _LETTERED.search(line.removeprefix(title) or line) if len(line) <= 60 or title != line else None
        if match and not _NO_NUMBER.search(match.group()):
            organ = next((m[1] for one in head if (m := _RED_HEAD.match(one))), None)
            return bare(match.group()), organ
    return None, None


def _order(head: Sequence[str], history: str | None) -> tuple[str | None, str | None]:
    """The number of a 令 or 公告: in the bracket below the title, else on one to three lines of the head; and its organ."""
    if history:
        for event in _EVENT.finditer(history):
            if event["what"] in ("公布", "发布", "颁布", "印发") and (match := _ORDER_LINE.search(event["by"])):
                return _order_number(match)
    for number, line in enumerate(head[:12]):
        for text in (line, *("".join(head[number : number + count]) for count in (2, 3))):
            if match := _ORDER_LINE.fullmatch(text.strip("《》")):
                return _order_number(match)
    return None, None


def _order_number(match: re.Match[str]) -> tuple[str, str | None]:
    organ = match["organ"]
    number = f"{organ}{match['kind'] or '令'}{match['year'] or ''}第{match['number'] or match['before']}号"
    return number, organ if ORGAN.match(organ) else None


def _issued(history: str | None) -> date | None:
    """When a document was first made public, by the bracket below its title; else when it was passed."""
    events = [(event["what"], as_date(event)) for event in _EVENT.finditer(history or "")]
    for kinds in (("公布", "发布", "颁布", "印发"), ("通过", "批准")):
        if day := next((day for what, day in events if what in kinds and day), None):
            return day
    return None


def _effective(text: str, history: str | None, issued: date | None) -> date | None:
    """From when it holds: by the bracket, by its own last article, by its announcement."""
    for pattern, where in ((_EFFECTIVE, history or ""), (_OWN_EFFECTIVE, text), (_EFFECTIVE, text)):
        days = [day for match in pattern.finditer(where) if (day := as_date(match))]
        if days:
            return days[-1] if where is history else days[0]
    return issued if issued is not None and _WHEN_ISSUED.search(text) else None


def _signature(lines: Sequence[str]) -> tuple[date | None, str | None]:
    """When and by whom a document was signed: an organ with the day beside or below it, before whatever is attached."""
    for number, line in enumerate(lines):
        if len(line) > 60:
            continue
        if match := _SIGNED_DAY.fullmatch(plain(line)):
            return as_date(match), match["organ"]
        after = plain(lines[number + 1]) if number + 1 < len(lines) else ""
        if ORGAN.match(line) and (match := _ONLY_DAY.fullmatch(after)):
            return as_date(match), _organs(line)
    return None, None


def _organs(line: str) -> str:
    return re.sub(r"\s+", "、", line.strip())
