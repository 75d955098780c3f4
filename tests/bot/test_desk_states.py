"""What people on duty are doing, for how long, and what ends by itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from bot import database
from bot.accounts import people
from bot.clock import utcnow
from bot.desk import duty, states
from bot.errors import IllegalMove
from bot.models.desk import AgentState
from bot.settings import Settings
from tests.bot.test_desk import do, staff

MINUTE = timedelta(minutes=1)


def of(number: str) -> list[tuple[str, float | None]]:
    """State and minutes, in order; None: it goes on."""
    with database.read() as session:
        return [
            (one.state, (one.ended_at - one.since) / MINUTE if one.ended_at else None)
            for one in states.history(session, number, utcnow() - timedelta(days=2))
        ]


def settle(settings: Settings, now: datetime) -> list[str]:
    with database.read() as session:
        over = states.over(session, now, settings)
    return [number for number in over if do(states.settle, number, now, settings)]


def test_from_going_on_duty_to_going_off(db: Settings) -> None:
    staff("wang", hours=None)
    with pytest.raises(IllegalMove, match="没有上岗"):
        do(states.enter, "wang", "break", utcnow())
    do(duty.set_duty, "wang", utcnow() + timedelta(hours=8))
    do(duty.set_duty, "wang", utcnow() + timedelta(hours=9))  # longer: nothing begins anew
    with database.read() as session:
        began = states.current(session, "wang")
    assert began and began.state == "idle"
    at = began.since
    do(states.enter, "wang", "call", at + 10 * MINUTE)
    do(states.enter, "wang", "call", at + 12 * MINUTE)  # the same goes on
    do(states.enter, "wang", "wrap_up", at + 15 * MINUTE)
    do(states.enter, "wang", "break", at + 16 * MINUTE, reason="喝水")
    assert of("wang") == [("idle", 10), ("call", 5), ("wrap_up", 1), ("break", None)]
    with database.read() as session:
        assert states.all_current(session)["wang"].reason == "喝水"
        spent = states.spent(session, at + 14 * MINUTE, at + 20 * MINUTE)
    assert {key: value / 60 for key, value in spent.items()} == {
        ("wang", "call"): 1,
        ("wang", "wrap_up"): 1,
        ("wang", "break"): 4,
    }
    do(duty.set_duty, "wang", None)
    with database.read() as session:
        assert states.current(session, "wang") is None


def test_wrapping_up_ends_when_it_was_due_whenever_that_is_looked_at(db: Settings) -> None:
    staff("wang", hours=8)
    now = utcnow()
    do(states.enter, "wang", "wrap_up", now)
    due = timedelta(minutes=db.desk_wrapup_minutes)
    assert settle(db, now + due - MINUTE / 60) == []
    assert settle(db, now + due + 60 * MINUTE) == ["wang"]
    assert settle(db, now + due + 60 * MINUTE) == []
    assert of("wang")[1:] == [("wrap_up", db.desk_wrapup_minutes), ("idle", None)]


def test_the_end_of_duty_ends_it_at_that_time(db: Settings) -> None:
    now = utcnow()
    staff("wang", hours=None)
    do(duty.set_duty, "wang", now + 5 * MINUTE)
    do(states.enter, "wang", "wrap_up", now + MINUTE)
    assert settle(db, now + 24 * 60 * MINUTE) == ["wang"]
    with database.read() as session:
        assert states.current(session, "wang") is None
        rows = session.scalars(select(AgentState).order_by(AgentState.id)).all()
        assert rows[-1].state == "idle" and rows[-1].ended_at == now + 5 * MINUTE  # after 3 minutes of wrapping up


def test_whoever_comes_back_before_anybody_looked_begins_anew(db: Settings) -> None:
    staff("wang", hours=8)
    with database.write() as session:
        people.get(session, "wang").on_duty_until = utcnow() - MINUTE
    do(duty.set_duty, "wang", utcnow() + timedelta(hours=8))
    assert [state for state, _ in of("wang")] == ["idle", "idle"]


def test_two_pages_of_a_person_leave_one_state(db: Settings) -> None:
    staff("wang", hours=8)
    now = utcnow()
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda state: do(states.enter, "wang", state, now), ["call", "break", "wrap_up"] * 2))
    with database.read() as session:
        assert session.scalar(select(func.count()).where(AgentState.ended_at.is_(None))) == 1


def test_what_ended_long_ago_is_forgotten(db: Settings) -> None:
    staff("wang", hours=8)
    do(states.enter, "wang", "break", utcnow())
    assert do(states.forget_old, utcnow() + states.KEPT - MINUTE) == 0
    assert do(states.forget_old, utcnow() + states.KEPT + MINUTE) == 1
