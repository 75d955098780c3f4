"""Open tickets that may be on the same matter, shown before a new one is made.

Two tell of the same where the same caller comes back to a matter, or where others report the same of the same place within the same
week.  What is compared is the category, the words, and the place with its numbers: 3栋 is not 13栋.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import SequenceMatcher

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from bot import regions
from bot.errors import InvalidInput
from bot.models.tickets import Ticket, digits_of
from bot.tickets import citizen
from bot.tickets.board import has_phone
from bot.tickets.moves import OPEN, note_event

WITHIN = timedelta(days=7)
"""Reports of one place belong together within so long"""
LEAST = 6
"""Fewer letters say nothing yet, without a phone"""
SHOWN = 5
AT = 0.6
"""From this likeness on two are shown as one matter: the best on ``tests/data/duplicates``"""
_LOOKED_AT = 500
"""So many tickets are compared, the newest first"""


@dataclass(frozen=True)
class Report:
    """What is about to be registered."""

    text: str = ""
    phone: str | None = None
    category: str | None = None
    """A code of the second level"""
    region: str | None = None
    address: str | None = None


@dataclass(frozen=True)
class Match:
    """A ticket that may be on the same."""

    ticket: Ticket
    likeness: float
    """0…1"""
    reasons: tuple[str, ...]


def similar(
    session: Session, report: Report, now: datetime, *, within: str | None = None, skip: str | None = None
) -> list[Match]:
    """Open tickets on what seems to be the same matter, the likest first; none where too little was said yet.

    Args:
        within: only this department's.
        skip: the number of a ticket that is itself looked at.
    """
    phone = report.phone if report.phone and len(digits_of(report.phone)) >= 10 else None
    enough = _letters(report.text) >= LEAST
    if not enough and phone is None:
        return []
    own = has_phone(phone) if phone else None
    lately = Ticket.created_at >= now - WITHIN
    if enough:
        condition = or_(lately, own) if own is not None else lately
    else:
        assert own is not None
        condition = own
    query = select(Ticket).where(Ticket.state.in_(OPEN), condition)
    if within is not None:
        query = query.where(Ticket.department == within)
    if skip is not None:
        query = query.where(Ticket.number != skip)
    found = []
    for ticket in session.scalars(query.order_by(Ticket.created_at.desc(), Ticket.number).limit(_LOOKED_AT)):
        same_caller = phone is not None and digits_of(phone) in _numbers_of(ticket)
        other = Report(str(ticket.subject), None, ticket.category, ticket.region, ticket.address)
        score, reasons = (
            (1.0, ("同一个电话",)) if same_caller and not enough else likeness(report, other, same_caller=same_caller)
        )
        if score >= AT:
            found.append(Match(ticket, round(min(score, 1.0), 2), reasons))
    return sorted(found, key=lambda match: -match.likeness)[:SHOWN]


def _numbers_of(ticket: Ticket) -> set[str]:
    return {digits_of(str(phone)) for phone in (ticket.phone, ticket.callback_phone) if phone}


def likeness(one: Report, other: Report, *, same_caller: bool) -> tuple[float, tuple[str, ...]]:
    """How much two reports seem to be on the same (``AT`` and more: they are), and why."""
    if _elsewhere(one.region, other.region):
        return 0.0, ()
    reasons = ["同一个电话"] if same_caller else []
    place = _same_place(one, other)
    words = _overlap(_without_place(one), _without_place(other))
    score = 0.5 * words
    if one.category and other.category:
        if one.category == other.category:
            score += 0.35
            reasons.append("同一个分类")
        elif one.category[:2] != other.category[:2]:
            score -= 0.15
    if same_caller:
        score += 0.35
    if place is True:
        score += 0.35
        reasons.append("同一个地方")
    elif place is False:
        score -= 0.5
    elif not same_caller:
        # Nobody says where: two citizens with one question are two matters.
        score -= 0.4
    if words >= 0.3:
        reasons.append("说法相近")
    return max(score, 0.0), tuple(reasons)


def _elsewhere(one: str | None, other: str | None) -> bool:
    return bool(one and other) and not regions.overlap(str(one), str(other))


_SUFFIX = "小区|社区|花园|家园|公寓|宿舍|公馆|新村|新城|工地|市场|广场|公园|小学|中学|学校|幼儿园|医院|养老院|加油站|大厦|中心|隧道|大道|路口|路|街|巷|村|镇|湾|苑|府|城|里|店|驿站|工业园|片区|站|健身|夜市"
_NAMED = re.compile(rf"[\u4e00-\u9fff]{{2,6}}?(?P<ending>{_SUFFIX})")
_HOUSE = re.compile(r"([\d一二三四五六七八九十百]+)(?:号楼|栋|幢|号(?!线|院|路|码)|组)")
_HAN = {digit: number for number, digit in enumerate("零一二三四五六七八九")}


def _same_place(one: Report, other: Report) -> bool | None:
    """Whether both name the same place; None: one of them names none."""
    first, second = _place(one), _place(other)
    if not first or not second:
        return None
    houses = _houses(first), _houses(second)
    if houses[0] and houses[1] and houses[0].isdisjoint(houses[1]):
        return False
    return _common(_stem(first), _stem(second))


def _place(report: Report) -> str:
    """Where it is: the address, or the places that the text names."""
    if report.address:
        return _plain(report.address)
    return "，".join(name for name, _ in _names(_plain(report.text)))


def _stem(place: str) -> str:
    """Without house numbers and words that many places have."""
    bare = _HOUSE.sub("，", place)
    return re.sub(r"门口|附近|旁边|对面|那个|这边|楼上|楼下|中段|单元|二楼|楼顶|[东南西北]门", "，", bare)


def _common(one: str, other: str) -> bool:
    """Whether they share a name; two names with one ending that differ (劳动西路, 劳动东路) are two places."""
    first, second = _names(one), _names(other)
    differ = False
    for name, ending in first:
        for another, its in second:
            if ending == its:
                if name.endswith(another) or another.endswith(name):
                    return True
                differ = True
    if differ:
        return False
    bare = [re.sub(rf"(?:{_SUFFIX})+$", "", part) for text in (one, other) for part in [text.strip("，")]]
    shorter, longer = sorted(bare, key=len)
    return len(shorter) >= 2 and (shorter in longer or _longest(one, other) >= 3)


def _names(place: str) -> list[tuple[str, str]]:
    """Names with their endings."""
    return [(found.group(), found["ending"]) for found in _NAMED.finditer(place)]


def _longest(one: str, other: str) -> int:
    """How many characters in a row they share at most."""
    match = SequenceMatcher(None, one, other, autojunk=False).find_longest_match()
    return match.size - one[match.a : match.a + match.size].count("，")


def _houses(place: str) -> set[int]:
    return {number for text in _HOUSE.findall(place) if (number := _value(text))}


def _value(text: str) -> int:
    if text.isascii():
        return int(text) if text.isdigit() else 0
    total = current = 0
    for character in text:
        if character in _HAN:
            current = _HAN[character]
        else:
            total += (current or 1) * (10 if character == "十" else 100)
            current = 0
    return total + current


_SAID_BY_ALL = re.compile(
    r"没人[管修来]|怎么办|什么时候|太[大吵臭高]了?|一直|天天|我[们家]|那个|这边|还[没在]|有人|怎么|上次|反映|投诉"
)


def _without_place(report: Report) -> str:
    text = _plain(report.text)
    for name, _ in _names(text):
        text = text.replace(name, "，")
    return _SAID_BY_ALL.sub("，", _HOUSE.sub("，", text))


def _overlap(one: str, other: str) -> float:
    """Share of the shorter text's pairs of characters that the other has; a single character in common counts a little."""
    first, second = _pairs(one), _pairs(other)
    if not first or not second:
        return 0.0
    pairs = len(first & second) / min(len(first), len(second))
    single = {letter for letter in one if letter.isalnum()}, {letter for letter in other if letter.isalnum()}
    return 0.7 * pairs + 0.3 * len(single[0] & single[1]) / min(len(single[0]), len(single[1]))


def _pairs(text: str) -> set[str]:
    return {text[at : at + 2] for at in range(len(text) - 1) if text[at : at + 2].isalnum()}


def _plain(text: str) -> str:
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))


def _letters(text: str) -> int:
    return sum(character.isalnum() for character in text)


def join(session: Session, number: str, text: str, actor: str, *, phone: str | None = None) -> Ticket:
    """Add another caller's words to a ticket that is there, instead of a new one; with their number, if they left one.

    Raises: NotFound; IllegalMove: not open; InvalidInput: nothing is said, or no number.
    """
    if phone is not None and len(digits_of(phone)) < 10:
        raise InvalidInput("联系电话不对，请填写11位手机号，或者带区号的固定电话。")
    ticket = citizen.add(session, number, text, actor)
    if phone is None or digits_of(phone) in _numbers_of(ticket):
        return ticket
    # The number is another citizen's: it is for whoever handles the ticket, never for the first one to read.
    note_event(session, ticket, actor, "并入来电", f"又有来电反映同一件事，回拨电话：{phone}", public=False)
    return ticket
