"""Phone numbers as they are spoken: 幺三八 …, with an area code, in pieces over several lines, read back and corrected.

A figure is never guessed: every digit of a number that is found was said, in that order.  What doesn't add up to a number that can
be dialled stays open, with the lines in which something was said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bot import guards
from index.assist.lines import Line, Span

_SAID = {digit: str(number) for number, digit in enumerate("零一二三四五六七八九")}
_SAID |= {"〇": "0", "洞": "0", "幺": "1", "么": "1", "夭": "1", "妖": "1", "两": "2", "拐": "7", "勾": "9"}
_SAID |= {str(digit): str(digit) for digit in range(10)} | {chr(0xFF10 + digit): str(digit) for digit in range(10)}
_DIGIT = f"[{''.join(_SAID)}]"
_SEVERAL = {"两": 2, "二": 2, "三": 3, "四": 4, "2": 2, "3": 3, "4": 4}
_TIMES = rf"(?P<times>[{''.join(_SEVERAL)}])个(?P<which>{_DIGIT})"
_PAUSE = r"(?:[ ,，、.\-—－·。]|嗯|呃|啊|那个|然后(?:是)?|后面(?:是)?|再(?:是|来)?|就是){0,3}"
_RUN = re.compile(rf"(?:{_TIMES}|{_DIGIT})(?:{_PAUSE}(?:[{''.join(_SEVERAL)}]个{_DIGIT}|{_DIGIT}))*")
_ONE = re.compile(rf"{_TIMES}|(?P<digit>{_DIGIT})")
_UNIT = re.compile(
    r"\s*(?:[十百千万亿点]|块|元|毛|号楼|栋|单元|楼|层|室|平|米|个(?!\d)|年|月|天|岁|人|路|度|斤|户|亩|次|套)"
)

_NOT_OWN = re.compile(
    r"(?:他|她|它|对方|老板|包工头|房东|中介|物业|商家|店家|商店|公司|客服|司机|骗子|那个人|那边|派出所|单位|学校|医院|开发商|经理|邻居)"
    r"(?:们)?(?:的|那个|给我?的|留的|打过?来的|打我的)?(?:电话|手机|号码|座机|号)[^,，。]{0,6}$"
)
_DIALLED = re.compile(
    r"(?:拨打|打给|去打|你打|您打|请打|可以打|打过|拨|举报电话|服务热线|服务电话|客服电话|热线是?|监督电话)[^,，。]{0,6}$"
)
_TAIL = re.compile(
    r"(?:后|最后|末尾|尾数|尾号|后面)(?:这|那)?(?:是)?(?P<count>[两二三四五六2-6])?(?:位|个数|个)?(?:数|号码)?(?:是|应该是|为|,|，)*$"
)
_HEAD = re.compile(r"(?:前|前面|开头)(?:这|那)?(?P<count>[三四七347])?(?:位|个)?(?:是|应该是)?$")
_NO = re.compile(r"不对|不是(?!本地)|错了|说错|报错|记错|搞错|念错|听错|重新说|重说|更正|改一下")
_YES = re.compile(r"^(?:嗯|啊|哦|哎)*(?:对|是的?|没错|正确|好|可以|行|嗯|系)")
_FILLER = re.compile(
    r"嗯|呃|啊|哦|哎|呢|吧|的|那个|这个|就是|然后|后面|后头|后四位|后几位|后边|接着|还有|再|是|对|好|我|你|您|记|一下|下|电话|手机|号码|座机|号|报|听|[ ,，。、!！?？—-]"
)
_WITHIN = 3
"""A number's next piece comes within so many lines"""


@dataclass(frozen=True)
class Phone:
    """A number that was told."""

    digits: str | None
    """As one dials it; None: what was said is no number that can be dialled"""
    spans: tuple[Span, ...]
    confirmed: bool = False
    """Read back and not denied, or said twice alike"""


@dataclass(frozen=True)
class _Piece:
    line: int
    """Place in the lines"""
    digits: str
    span: Span
    before: str
    alone: bool
    """Whether the line says nothing else"""


@dataclass(frozen=True)
class _Number:
    digits: str
    spans: tuple[Span, ...]
    line: int
    last: int
    by: str
    whole: bool


def phone(lines: Sequence[Line]) -> Phone | None:
    """The caller's own number: of several the last that was confirmed, or the last that was told.  None: none was told."""
    found: _Number | None = None
    confirmed = False
    broken: _Number | None = None
    for number in _numbers(lines):
        if not number.whole:
            mended = _mended(lines, found, number)
            if mended is not None:
                found, confirmed = mended, True
            elif len(number.digits) >= 7:
                broken = number
            continue
        if found is None or number.digits == found.digits:
            spans = found.spans if found else number.spans
            confirmed = found is not None or confirmed
            found = replace(number, spans=spans)
        elif number.by == "caller" or _agreed(lines, number.last):
            # The caller says another one, or agrees to what was read back.
            found, confirmed = number, number.by == "agent"
        broken = None
    if found is not None and broken is None:
        return Phone(found.digits, found.spans, confirmed or not _denied(lines, found.last))
    if found is not None and not _denied(lines, found.last):
        return Phone(found.digits, found.spans, confirmed)
    heard = [span for number in (found, broken) if number is not None for span in number.spans]
    return Phone(None, tuple(heard)) if heard else None


def _denied(lines: Sequence[Line], at: int) -> bool:
    """Whether the next words of the caller say that it is wrong."""
    following = next((line.text for line in lines[at + 1 : at + 3] if line.speaker == "caller"), "")
    return bool(_NO.search(following[:12]))


def _agreed(lines: Sequence[Line], at: int) -> bool:
    following = next((line.text for line in lines[at + 1 : at + 3] if line.speaker == "caller"), "")
    return bool(_YES.match(following))


def _mended(lines: Sequence[Line], found: _Number | None, piece: _Number) -> _Number | None:
    """A number whose last or first digits are corrected (最后四位是…)."""
    if found is None or found.last == piece.line:
        return None
    span = piece.spans[0]
    before = lines[piece.line].text[: span.start]
    place = _TAIL.search(before) or _HEAD.search(before)
    if place is None or not (_NO.search(before) or _denied(lines, found.last)):
        return None
    kept = len(found.digits) - len(piece.digits)
    digits = (
        found.digits[:kept] + piece.digits if place.re is _TAIL else piece.digits + found.digits[len(piece.digits) :]
    )
    if kept <= 0 or not _dialled(digits):
        return None
    return replace(found, digits=digits, spans=(*found.spans, *piece.spans), last=piece.last)


def _numbers(lines: Sequence[Line]) -> Iterator[_Number]:
    """What was said, put together to numbers; pieces that make none are given as they are."""
    pieces = list(_pieces(lines))
    at = 0
    while at < len(pieces):
        first = pieces[at]
        taken = [first]
        digits = first.digits
        whole = _whole(digits, first.alone or not _more(pieces, at, lines))
        while not whole and _begins(taken[0].digits) and at + len(taken) < len(pieces):
            following = pieces[at + len(taken)]
            near = following.line - taken[-1].line <= _WITHIN
            same = lines[following.line].speaker == lines[first.line].speaker or following.alone
            if not near or not same or len(digits) + len(following.digits) > 12 or _restarts(digits, following):
                break
            taken.append(following)
            digits += following.digits
            whole = _dialled(digits)
        if whole or len(digits) >= 3:
            yield _Number(
                digits, tuple(one.span for one in taken), first.line, taken[-1].line, lines[first.line].speaker, whole
            )
        at += len(taken)


def _more(pieces: Sequence[_Piece], at: int, lines: Sequence[Line]) -> bool:
    """Whether the next line goes on with nothing but digits: then seven digits after an area code may be eight."""
    following = pieces[at + 1] if at + 1 < len(pieces) else None
    here = pieces[at]
    return (
        following is not None
        and following.alone
        and following.line - here.line == 1
        and lines[following.line].speaker == lines[here.line].speaker
        and len(following.digits) == 1
    )


def _whole(digits: str, ended: bool) -> bool:
    return ended and _dialled(digits)


def _restarts(digits: str, following: _Piece) -> bool:
    """Whether the next piece begins the number anew instead of going on with it."""
    return len(following.digits) >= 7 and _begins(following.digits) and following.digits[:3] == digits[:3]


def _begins(digits: str) -> bool:
    return re.match(r"1(?:[3-9]|$)|0", digits) is not None


def _dialled(digits: str) -> bool:
    """Whether it is a whole number: eleven digits of a mobile phone, or an area code and seven or eight."""
    if digits.startswith("0"):
        area = 3 if digits[1:2] in ("1", "2") else 4
        # Three-digit areas have eight digits behind them.
        lengths = (11,) if area == 3 else (11, 12)
        return len(digits) in lengths and guards.phone_in(digits) is not None
    return len(digits) == 11 and guards.phone_in(digits) == digits


def _pieces(lines: Sequence[Line]) -> Iterator[_Piece]:
    for place, line in enumerate(lines):
        for run in _RUN.finditer(line.text):
            digits = "".join(
                _SAID[one["which"]] * _SEVERAL[one["times"]] if one["times"] else _SAID[one["digit"]]
                for one in _ONE.finditer(run.group())
            )
            before, after = line.text[: run.start()], line.text[run.end() :]
            others = _FILLER.sub("", before + after)
            if len(digits) < 3 and others:
                continue
            if _UNIT.match(after) and len(digits) < 7:
                continue
            if _NOT_OWN.search(before) or _DIALLED.search(before):
                continue
            yield _Piece(place, digits, Span(line.seq, run.start(), run.end()), before, not others)
