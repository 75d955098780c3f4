"""The lists that conversations are in, the queue of those who wait, and how the floor stands."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.orm import Session

from bot.desk import shield
from bot.models.conversations import Alarm, Conversation, HumanService, TurnEffect

LISTS = ("waiting", "mine", "others", "bot", "closed")
"""Every conversation is in exactly one of them, for each agent"""

WAITS = 20
"""So many of the last waits tell how long the next one takes"""
_FEW = 3
"""From fewer nothing can be told"""


def _in_list(name: str, agent: str) -> ColumnElement[bool]:
    if name == "mine":
        return and_(Conversation.state == "human", Conversation.agent == agent)
    if name == "others":
        return and_(Conversation.state == "human", func.coalesce(Conversation.agent, "") != agent)
    return Conversation.state == name


def counts(session: Session, agent: str) -> dict[str, int]:
    """How many conversations each list has for this agent."""
    numbers = [func.count().filter(_in_list(name, agent)).label(name) for name in LISTS]
    return dict(session.execute(select(*numbers).select_from(Conversation)).mappings().one())


def _in_danger() -> ColumnElement[bool]:
    return Conversation.id.in_(select(Alarm.conversation_id).where(Alarm.seen_at.is_(None)))


def _queue() -> tuple[Any, ...]:
    """The order of those who wait: in danger first, then whoever has waited longest, however often they write."""
    return case((_in_danger(), 0), else_=1), Conversation.waiting_since, Conversation.id


def listed(
    session: Session, name: str, agent: str, *, offset: int = 0, limit: int = 20
) -> tuple[Sequence[Conversation], dict[str, int]]:
    """A page of one list, and how many each list has.

    In every list those in danger come first; then of those who wait the longest-waiting, of one's own whoever waits for a word,
    of the others the last active.
    """
    query = select(Conversation).where(_in_list(name, agent))
    if name == "waiting":
        query = query.order_by(*_queue())
    else:
        danger, _, last = _queue()
        owed = [Conversation.owed_since.is_(None), Conversation.owed_since] if name == "mine" else []
        query = query.order_by(danger, *owed, Conversation.active_at.desc(), last)
    return session.scalars(query.offset(offset).limit(limit)).all(), counts(session, agent)


@dataclass(frozen=True)
class Place:
    """Where somebody stands in the queue."""

    position: int
    """1: the next one"""
    minutes: int | None
    """How long it will take, at least 1; None: too few have waited lately to tell"""


def place(session: Session, conversation_id: str) -> Place | None:
    """Where a conversation stands; None: it does not wait.  By the order of the list itself."""
    ranked = (
        select(Conversation.id, func.row_number().over(order_by=_queue()).label("place"))
        .where(Conversation.state == "waiting")
        .subquery()
    )
    position = session.scalar(select(ranked.c.place).where(ranked.c.id == conversation_id))
    return Place(position, expected_minutes(session)) if position else None


def next_place(session: Session) -> Place:
    """Where whoever asks now will stand."""
    waiting = session.scalar(select(func.count()).where(Conversation.state == "waiting")) or 0
    return Place(waiting + 1, expected_minutes(session))


def expected_minutes(session: Session) -> int | None:
    """The median of the last waits that ended with somebody taking the conversation, rounded up."""
    last = session.scalars(
        select(HumanService)
        .where(HumanService.taken_at > HumanService.entered_at)
        .order_by(HumanService.taken_at.desc())
        .limit(WAITS)
    ).all()
    waits = [(one.taken_at - one.entered_at).total_seconds() for one in last if one.taken_at]
    return max(1, ceil(statistics.median(waits) / 60)) if len(waits) >= _FEW else None


def dangers(session: Session, conversation_ids: Sequence[str]) -> dict[str, str]:
    """Conversation → the kind of danger heard in it that nobody has seen to yet; of several the certain, newest one."""
    found = session.scalars(
        select(Alarm)
        .where(Alarm.conversation_id.in_(conversation_ids), Alarm.seen_at.is_(None))
        .order_by(Alarm.possible.desc(), Alarm.at)
    )
    return {one.conversation_id: one.kind for one in found}


def last_effect(session: Session, conversation_id: str) -> TurnEffect | None:
    """How the last turn that looked for an answer was decided."""
    return session.scalar(
        select(TurnEffect)
        .where(TurnEffect.conversation_id == conversation_id, TurnEffect.decision != "forwarded")
        .order_by(TurnEffect.settled_at.desc())
        .limit(1)
    )


# --- the floor -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Held:
    """What one person has in hand."""

    conversations: int
    owed: int
    """In how many of them the citizen waits for a word"""
    owed_since: datetime | None
    """Of the one who has waited longest for it"""


def held(session: Session) -> dict[str, Held]:
    """Number → what they have in hand."""
    rows = session.execute(
        select(
            Conversation.agent,
            func.count(),
            func.count(Conversation.owed_since),
            func.min(Conversation.owed_since),
        )
        .where(Conversation.state == "human")
        .group_by(Conversation.agent)
    )
    return {agent or "": Held(total, owed, since) for agent, total, owed, since in rows}


def by_state(session: Session) -> dict[str, int]:
    """How many conversations are in each state; together they are all there are."""
    rows = session.execute(select(Conversation.state, func.count()).group_by(Conversation.state))
    found = {str(state): total for state, total in rows}
    return {state: found.get(state, 0) for state in ("bot", "waiting", "human", "closed")}


def longest_wait(session: Session) -> datetime | None:
    """Since when whoever has waited longest does."""
    return session.scalar(select(func.min(Conversation.waiting_since)).where(Conversation.state == "waiting"))


@dataclass(frozen=True)
class Day:
    """What came of those who asked for a person since a time."""

    asked: int
    taken: int
    given_up: int
    """They did not want to wait any longer"""
    nobody: int
    """Nobody was there any more: they got a ticket"""
    returned: int
    """Taken and not answered in time"""
    median_wait_s: float | None
    """Of those taken"""
    satisfied: int
    rated: int
    """Without those in which the agent had to ask for civil words"""


def since(session: Session, begin: datetime) -> Day:
    """What came of it since then, by the waits that began since."""
    rows = session.scalars(select(HumanService).where(HumanService.entered_at >= begin)).all()
    waits = [(one.taken_at - one.entered_at).total_seconds() for one in rows if one.taken_at]
    ends = [one.end for one in rows]
    uncivil = shield.excluded(session, [one.id for one in rows if one.rating is not None])
    rated = [one.rating for one in rows if one.rating is not None and one.id not in uncivil]
    return Day(
        asked=len(rows),
        taken=len(waits),
        given_up=ends.count("leave"),
        nobody=ends.count("nobody"),
        returned=ends.count("return"),
        median_wait_s=statistics.median(waits) if waits else None,
        satisfied=rated.count(3),
        rated=len(rated),
    )
