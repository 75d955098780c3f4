"""Tickets as the desk finds them, their cards, and their days when the calendar changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select, union
from sqlalchemy.orm import Session

from bot import guards, working_days
from bot.clock import SHANGHAI
from bot.crypto import get_cipher
from bot.departments import listed
from bot.errors import InvalidInput, NotFound
from bot.masking import mask
from bot.models.people import Person
from bot.models.tickets import Ticket, blind_pair, digits_of, pairs_of, runs_of
from bot.settings import get_settings
from bot.tickets import categories
from bot.tickets.moves import MOVES, OPEN, SYSTEM, note_event

_WORDS = 8
"""So many words of a search are looked for"""

YELLOW_DAYS = 3
"""A yellow card shows from this many working days before the deadline on.  A default: places decide for themselves."""


@dataclass(frozen=True)
class Wanted:
    """Which tickets are looked for; what is not given does not matter."""

    state: str = "open"
    """open, done, all, or one state by its name"""
    card: Literal["黄牌", "红牌"] | None = None
    due: Literal["today", "overdue"] | None = None
    """By the end of today, or past the deadline; answered ones are due no more"""
    kind: str | None = None
    department: str | None = None
    category: str | None = None
    """A code of the second level; ``none``: 待分类; or the beginning of one, for the first level"""
    channel: str | None = None
    urgency: str | None = None
    claimed_by: str | None = None
    unclaimed: bool = False
    number: str = ""
    """The beginning of a number"""
    phone: str = ""
    """The whole number of the caller"""
    text: str = ""
    """Words of the subject, all of them; what is masked there can't be found"""


def find(
    session: Session, wanted: Wanted, now: datetime, *, within: str | None = None, offset: int = 0, limit: int = 20
) -> tuple[Sequence[Ticket], int]:
    """Some of the tickets, and how many there are: open ones the most urgent first, else the newest first.

    Args:
        within: only this department's: all that some may see.

    Raises:
        InvalidInput: there is no such state.
    """
    query = _of(within).where(*_conditions(wanted, now, working_days.overrides_from(session)))
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    urgent_first = wanted.state == "open" or wanted.state in OPEN
    order = (Ticket.due_at, Ticket.number) if urgent_first else (Ticket.created_at.desc(), Ticket.number)
    return session.scalars(query.order_by(*order).offset(offset).limit(limit)).all(), total


def _of(within: str | None) -> Select[Ticket]:
    query = select(Ticket)
    return query if within is None else query.where(Ticket.department == within)


def _conditions(wanted: Wanted, now: datetime, overrides: Mapping[date, bool]) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.state == "open":
        found.append(Ticket.state.in_(OPEN))
    elif wanted.state == "done":
        found.append(Ticket.state.not_in(OPEN))
    elif wanted.state in MOVES:
        found.append(Ticket.state == wanted.state)
    elif wanted.state != "all":
        raise InvalidInput(f"没有“{wanted.state}”这个状态。")
    if wanted.card or wanted.due:
        found.append(Ticket.state.in_(OPEN))
    soon = working_days.due(now, YELLOW_DAYS, overrides).at
    if wanted.card == "黄牌":
        found += [Ticket.due_at >= now, Ticket.due_at <= soon]
    if wanted.card == "红牌" or wanted.due == "overdue":
        found.append(Ticket.due_at < now)
    if wanted.due == "today":
        found += [Ticket.due_at >= now, Ticket.due_at < _midnight(now)]
    if wanted.kind:
        found.append(Ticket.kind == wanted.kind)
    if wanted.department:
        found.append(Ticket.department == wanted.department)
    if wanted.category == "none":
        found.append(Ticket.category.is_(None))
    elif wanted.category:
        found.append(Ticket.category.startswith(wanted.category, autoescape=True))
    if wanted.channel:
        found.append(Ticket.channel == wanted.channel)
    if wanted.urgency:
        found.append(Ticket.urgency == wanted.urgency)
    if wanted.claimed_by:
        found.append(Ticket.claimed_by == wanted.claimed_by)
    if wanted.unclaimed:
        found.append(Ticket.claimed_by.is_(None))
    if wanted.number:
        found.append(Ticket.number.startswith(wanted.number, autoescape=True))
    if wanted.phone:
        found.append(has_phone(wanted.phone))
    if wanted.text.strip():
        found.append(_worded(wanted.text))
    return found


def has_phone(phone: str) -> ColumnElement[bool]:
    """Either number of a ticket is this one."""
    blind = get_cipher().blind(digits_of(phone))
    return or_(Ticket.phone_index.in_(blind), Ticket.callback_index.in_(blind))


def _worded(text: str) -> ColumnElement[bool]:
    """All words are in the subject: every pair of their characters is, under one and the same key."""
    runs = runs_of(text)[:_WORDS]
    pairs = [blind_pair(pair) for run in runs for pair in (pairs_of(run)[len(run) :] or [run])]
    if not pairs:
        return false()
    return or_(*(and_(*(Ticket.words.contains(index) for index in of_a_key)) for of_a_key in zip(*pairs, strict=True)))


def same_caller(session: Session, ticket: Ticket) -> int:
    """How many other tickets have the same phone."""
    if not ticket.phone:
        return 0
    others = select(func.count()).where(has_phone(ticket.phone), Ticket.number != ticket.number)
    return session.scalar(others) or 0


def forget_phone(session: Session, phone: str, actor: str) -> list[str]:
    """Take a phone out of every ticket that has it, at its owner's wish; the numbers of those tickets.

    The caller's name goes with it, and what is personal in its subject, its answer and what was added; the case itself, and where
    it is, is a record and stays.

    Raises:
        InvalidInput: no phone number.
    """
    if guards.phone_in(phone) is None:
        raise InvalidInput("联系电话不对，请填写11位手机号，或者带区号的固定电话。")
    found = session.scalars(select(Ticket).where(has_phone(phone)).order_by(Ticket.number).with_for_update()).all()
    for ticket in found:
        ticket.phone = ticket.callback_phone = ticket.caller_name = None
        ticket.subject = mask(ticket.subject)
        ticket.address = mask(ticket.address) if ticket.address else None
        ticket.answer = mask(ticket.answer) if ticket.answer else None
        for event in ticket.events:
            event.note = mask(event.note)
        note_event(session, ticket, actor, "更新", "已删除联系电话。")
    return [ticket.number for ticket in found]


def _midnight(now: datetime) -> datetime:
    """The end of today in China."""
    day = now.astimezone(SHANGHAI).date() + timedelta(days=1)
    return datetime.combine(day, time(), SHANGHAI)


def visible(session: Session, number: str, within: str | None) -> Ticket:
    """The ticket, if whoever sees ``within`` alone may see it.  Raises: NotFound."""
    ticket = session.get(Ticket, number)
    if ticket is None or (within is not None and ticket.department != within):
        raise NotFound("没有这张工单。")
    return ticket


def counts(session: Session, now: datetime, agent: str, *, within: str | None = None) -> dict[str, int]:
    """Of open tickets: due today, overdue, returned, in this agent's hands, and all."""
    wanted = {
        "today": Wanted(due="today"),
        "overdue": Wanted(due="overdue"),
        "returned": Wanted(state="退回"),
        "mine": Wanted(claimed_by=agent),
        "open": Wanted(),
    }
    overrides = working_days.overrides_from(session)
    found = {name: _of(within).where(*_conditions(one, now, overrides)).subquery() for name, one in wanted.items()}
    return {name: session.scalar(select(func.count()).select_from(rows)) or 0 for name, rows in found.items()}


def to_start_with(session: Session, now: datetime, *, within: str | None = None, limit: int = 20) -> Sequence[Ticket]:
    """What comes first this morning: overdue, due today, returned; the most overdue first."""
    urgent = _of(within).where(Ticket.state.in_(OPEN), or_(Ticket.due_at < _midnight(now), Ticket.state == "退回"))
    return session.scalars(urgent.order_by(Ticket.due_at, Ticket.number).limit(limit)).all()


def departments(session: Session) -> list[str]:
    """Those of the city's own list, of the catalogue, each in its order, then others that tickets were dispatched to, or that people belong to, by name."""
    known = union(select(Ticket.department), select(Person.department)).subquery()
    catalogue = [one.name for one in categories.current(session).departments]
    others = sorted(name for name in session.scalars(select(known.c[0])) if name)
    return list(dict.fromkeys((*listed(get_settings()), *catalogue, *others)))


def card(ticket: Ticket, now: datetime, overrides: Mapping[date, bool]) -> Literal["黄牌", "红牌"] | None:
    """红牌 past the deadline, 黄牌 with at most ``YELLOW_DAYS`` working days left; None else, or if nothing is owed."""
    if ticket.state not in OPEN:
        return None
    if now > ticket.due_at:
        return "红牌"
    return "黄牌" if working_days.due(now, YELLOW_DAYS, overrides).at >= ticket.due_at else None


def recalculate(session: Session, actor: str = SYSTEM) -> int:
    """Work out estimated deadlines of open tickets again, once the calendar knows more.  Returns how many changed."""
    overrides = working_days.overrides_from(session)
    changed = 0
    tickets = session.scalars(
        select(Ticket).where(Ticket.due_estimated, Ticket.state.in_(OPEN)).order_by(Ticket.number).with_for_update()
    ).all()
    for ticket in tickets:
        restart = max((event.at for event in ticket.events if event.state == "重办"), default=ticket.created_at)
        due = working_days.due(restart, ticket.working_days, overrides)
        if (due.at, due.estimated) != (ticket.due_at, ticket.due_estimated):
            ticket.due_at, ticket.due_estimated = due.at, due.estimated
            note_event(session, ticket, actor, "期限调整", f"办理期限按节假日安排更新为{day_shown(due.at)}。")
            changed += 1
    return changed


def day_shown(at: datetime) -> str:
    local = at.astimezone(SHANGHAI)
    return f"{local.year}年{local.month}月{local.day}日"
