"""Who is on duty, what they may take, and how much they have in hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot import audit, events, regions
from bot.accounts import people
from bot.accounts.roles import AGENT, SUPERVISOR
from bot.clock import utcnow
from bot.desk import states
from bot.errors import IllegalMove
from bot.models.conversations import Conversation
from bot.models.people import Person
from bot.settings import Settings

ROLES = frozenset({AGENT, SUPERVISOR})
"""Whoever has one of these may take conversations"""


def set_duty(session: Session, agent: str, until: datetime | None) -> None:
    """On duty until a time; ``None`` ends it, which takes empty hands.

    Raises:
        NotFound.
        IllegalMove: they still have conversations: those are to be passed on, handed back or ended first.
    """
    person = people.get(session, agent, locked=True)
    if until is None and (held := in_hand(session, agent)):
        raise IllegalMove(f"您手上还有 {held} 个会话。请先转给同事、交还助手或结束，再下岗。")
    if until is None:
        states.end(session, agent, utcnow())
    else:
        states.begin(session, person, utcnow())
    person.on_duty_until = until
    audit.record(session, agent, "duty", agent, until=until.isoformat() if until else None)
    events.publish(session, "duty", agent)


def is_on(person: Person, now: datetime) -> bool:
    """Whether the person is on duty, and may be."""
    return (
        person.active
        and person.on_duty_until is not None
        and person.on_duty_until > now
        and bool(ROLES & set(person.roles))
    )


def on_duty(session: Session, now: datetime) -> Sequence[Person]:
    """By number."""
    found = session.scalars(select(Person).where(Person.on_duty_until > now, Person.active).order_by(Person.number))
    return [person for person in found if ROLES & set(person.roles)]


def anybody(session: Session, now: datetime, *, region: str | None = None, skill: str | None = None) -> bool:
    """Whether somebody on duty serves what comes from a region and asks for a skill."""
    return any(serves(person, region, skill) for person in on_duty(session, now))


def serves(person: Person, region: str | None, skill: str | None) -> bool:
    """Whether a conversation from a region, for a group with a skill, is one of theirs.  Supervisors serve every group."""
    return covers(person, region) and (skill is None or skill in person.skills or SUPERVISOR in person.roles)


def covers(person: Person, region: str | None) -> bool:
    """Whether a region is theirs: it lies in the one that they answer for, or holds it.  Nobody's region is everybody's."""
    return person.region is None or region is None or regions.overlap(person.region, region)


def in_hand(session: Session, agent: str) -> int:
    """How many conversations they have."""
    held = select(func.count()).where(Conversation.state == "human", Conversation.agent == agent)
    return session.scalar(held) or 0


def capacity(person: Person, settings: Settings) -> int:
    """How many they may have at a time."""
    return settings.desk_capacity if person.capacity is None else person.capacity
