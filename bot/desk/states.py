"""What people on duty are doing: 空闲, 通话, 整理, 小休; since when, and for how long in all.

A state is a row with a beginning; the next one ends it.  Going on duty begins with 空闲, going off duty ends whatever there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from bot import database, events
from bot.accounts import people
from bot.errors import IllegalMove
from bot.models.desk import AgentState
from bot.models.people import Person
from bot.settings import Settings

State = Literal["idle", "call", "wrap_up", "break"]
NAMES = {"idle": "空闲", "call": "通话", "wrap_up": "整理", "break": "小休"}
KEPT = timedelta(days=366)


def current(session: Session, person: str) -> AgentState | None:
    """What the person is doing; None: they are off duty."""
    return session.scalar(select(AgentState).where(AgentState.person == person, AgentState.ended_at.is_(None)))


def ends(state: AgentState, settings: Settings) -> datetime | None:
    """When it ends by itself; None: somebody ends it."""
    return state.since + timedelta(minutes=settings.desk_wrapup_minutes) if state.state == "wrap_up" else None


def all_current(session: Session) -> dict[str, AgentState]:
    """Number → what they are doing."""
    return {one.person: one for one in session.scalars(select(AgentState).where(AgentState.ended_at.is_(None)))}


def enter(session: Session, person: str, state: State, now: datetime, *, reason: str | None = None) -> AgentState:
    """From now on the person does this; what they are doing already goes on, since when it did.

    Raises:
        NotFound: no such person.
        IllegalMove: they are off duty.
    """
    people.get(session, person, locked=True)  # one after the other: there is one state at a time
    before = current(session, person)
    if before is None:
        raise IllegalMove("您还没有上岗。")
    if before.state == state:
        before.reason = reason
        return before
    before.ended_at = now
    return _begin(session, person, state, now, reason)


def begin(session: Session, person: Person, now: datetime) -> None:
    """Somebody goes on duty, or stays on longer.  The caller has locked them, and has not yet changed until when."""
    before = current(session, person.number)
    if before is not None and person.on_duty_until is not None and person.on_duty_until <= now:
        before.ended_at, before = person.on_duty_until, None  # ended by itself, and nobody has noticed yet
    if before is None:
        _begin(session, person.number, "idle", now, None)


def end(session: Session, person: str, now: datetime) -> None:
    """Somebody goes off duty.  The caller has locked them."""
    if (before := current(session, person)) is not None:
        before.ended_at = now


def _begin(session: Session, person: str, state: State, since: datetime, reason: str | None) -> AgentState:
    session.flush()
    made = AgentState(person=person, state=state, since=since, reason=reason)
    session.add(made)
    events.publish(session, "duty", person)
    return made


def over(session: Session, now: datetime, settings: Settings) -> list[str]:
    """Whose state is to end by itself: wrapping up, after its time; whatever somebody does whose duty is over."""
    rows = session.execute(
        select(Person, AgentState)
        .join(AgentState, AgentState.person == Person.number)
        .where(AgentState.ended_at.is_(None))
        .order_by(Person.number)
    )
    return [person.number for person, state in rows if _is_over(person, state, now, settings)]


def _is_over(person: Person, state: AgentState, now: datetime, settings: Settings) -> bool:
    off = not person.active or person.on_duty_until is None or person.on_duty_until <= now
    return off or ((due := ends(state, settings)) is not None and due <= now)


def settle(session: Session, number: str, now: datetime, settings: Settings) -> bool:
    """End it, as of when it was due, whenever this runs; whether that was so."""
    person = people.get(session, number, locked=True)
    state = session.scalar(
        select(AgentState)
        .where(AgentState.person == number, AgentState.ended_at.is_(None))
        .execution_options(populate_existing=True)
    )
    if state is None or not _is_over(person, state, now, settings):
        return False
    until = min(now, person.on_duty_until or now)
    if (due := ends(state, settings)) is not None and due <= until:
        state.ended_at = due
        state = _begin(session, person.number, "idle", due, None)
    if until < now or not person.active or person.on_duty_until is None:
        state.ended_at = max(state.since, until)
    events.publish(session, "duty", person.number)
    return True


def spent(session: Session, since: datetime, now: datetime) -> dict[tuple[str, str], float]:
    """(number, state) → seconds since a time."""
    rows = session.scalars(
        select(AgentState).where(func.coalesce(AgentState.ended_at, now) > since, AgentState.since < now)
    )
    found: dict[tuple[str, str], float] = {}
    for one in rows:
        seconds = (min(one.ended_at or now, now) - max(one.since, since)).total_seconds()
        key = one.person, one.state
        found[key] = found.get(key, 0.0) + max(0.0, seconds)
    return found


def history(session: Session, person: str, since: datetime) -> Sequence[AgentState]:
    """What they did since then, in order."""
    own = AgentState.person == person, func.coalesce(AgentState.ended_at, since) >= since
    return session.scalars(select(AgentState).where(*own).order_by(AgentState.since, AgentState.id)).all()


def forget_old(session: Session, now: datetime) -> int:
    """Remove what ended long ago; how many."""
    return database.rows_changed(session, delete(AgentState).where(AgentState.ended_at < now - KEPT))
