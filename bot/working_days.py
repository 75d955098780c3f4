"""Working days of the Chinese calendar: when a ticket is due.

Holidays and make-up days come from the package ``chinesecalendar``, which knows a year once the State Council's notice
for it is out; operations' own days (table ``calendar_days``) go before it.  In a year that it doesn't know, weekdays
count and the result is marked as estimated (暂按周末推算); ``bot.tickets.recalculate`` puts the tickets right later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import chinese_calendar
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import audit
from bot.clock import SHANGHAI
from bot.models.tickets import CalendarDay


@dataclass(frozen=True)
class Due:
    """A deadline."""

    at: datetime
    """Aware, UTC: 23:59:59 of the last working day in Asia/Shanghai."""
    estimated: bool
    """Whether a day counted in it lies in a year whose holidays are not known yet."""


def due(start: datetime, days: int, overrides: Mapping[date, bool]) -> Due:
    """The end of the ``days``-th working day after the day of ``start``, which itself doesn't count.

    Args:
        start: aware.
        days: working days, at least 1.
        overrides: days on which operations know better: day → whether people work.

    Raises:
        ValueError: ``start`` is naive, or ``days`` is less than 1.
    """
    if start.tzinfo is None:
        raise ValueError("naive datetime")
    if days < 1:
        raise ValueError(f"{days} working days")
    day = start.astimezone(SHANGHAI).date()
    estimated = False
    while days:
        day += timedelta(days=1)
        working, known = _works(day, overrides)
        days -= working
        estimated |= not known
    return Due(datetime.combine(day, time(23, 59, 59), SHANGHAI).astimezone(UTC), estimated)


def _works(day: date, overrides: Mapping[date, bool]) -> tuple[bool, bool]:
    """Whether people work on ``day``, and whether that is known rather than guessed from the weekday."""
    if day in overrides:
        return overrides[day], True
    try:
        return bool(chinese_calendar.is_workday(day)), True
    except NotImplementedError:
        return day.weekday() < 5, False


def overrides_from(session: Session) -> dict[date, bool]:
    """Operations' own days, for ``due``."""
    return {row.day: row.working for row in session.scalars(select(CalendarDay))}


def set_day(session: Session, day: date, working: bool, note: str | None, actor: str) -> None:
    """Operations' word on one day; follow it with ``bot.tickets.recalculate``."""
    row = session.get(CalendarDay, day)
    if row is None:
        row = CalendarDay(day=day)
        session.add(row)
    row.working, row.note = working, note
    session.flush()
    audit.record(session, actor, "calendar.set_day", day.isoformat(), working=working, note=note)
