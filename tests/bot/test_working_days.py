"""Deadlines in working days of the Chinese calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import database, working_days
from bot.clock import SHANGHAI
from bot.models.housekeeping import AuditEntry
from bot.settings import Settings
from bot.working_days import Due, due


def end_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=SHANGHAI)


def test_the_day_itself_does_not_count() -> None:
    monday = datetime(2026, 3, 2, 9, tzinfo=SHANGHAI)
    assert due(monday, 1, {}) == Due(end_of(date(2026, 3, 3)), False)


def test_a_weekend_does_not_count() -> None:
    friday = datetime(2026, 3, 6, 9, tzinfo=SHANGHAI)
    assert due(friday, 1, {}).at == end_of(date(2026, 3, 9))


def test_the_day_is_the_one_in_shanghai() -> None:
    # 17:00 UTC on Monday is Tuesday in Shanghai: Wednesday is the first day that counts.
    assert due(datetime(2026, 3, 2, 17, tzinfo=UTC), 1, {}).at == end_of(date(2026, 3, 4))


def test_holidays_and_make_up_days() -> None:
    # 2025: National Day and Mid-Autumn from 1 to 8 October; Saturday 11 October is worked.
    assert due(datetime(2025, 9, 30, 9, tzinfo=SHANGHAI), 1, {}).at == end_of(date(2025, 10, 9))
    assert due(datetime(2025, 10, 10, 9, tzinfo=SHANGHAI), 1, {}).at == end_of(date(2025, 10, 11))


def test_15_days_from_28_december_2026_cross_into_an_unknown_year() -> None:
    """29, 30, 31 December are three; the holiday notice for 2027 isn't out, so weekdays count: 1 January to 18 January."""
    result = due(datetime(2026, 12, 28, 10, tzinfo=SHANGHAI), 15, {})
    assert result == Due(end_of(date(2027, 1, 18)), estimated=True)


def test_operations_days_go_before_the_calendar_and_end_the_estimate() -> None:
    start = datetime(2026, 12, 28, 10, tzinfo=SHANGHAI)
    january = {date(2027, 1, 1) + timedelta(n): (date(2027, 1, 1) + timedelta(n)).weekday() < 5 for n in range(31)}
    result = due(start, 15, january | {date(2027, 1, 1): False})
    assert result == Due(end_of(date(2027, 1, 19)), estimated=False)


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        due(datetime(2026, 3, 2), 1, {})
    with pytest.raises(ValueError, match="working days"):
        due(datetime(2026, 3, 2, tzinfo=UTC), 0, {})


@given(st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)), st.integers(1, 60))
def test_more_days_are_never_due_earlier(start: datetime, days: int) -> None:
    first, second = due(start, days, {}), due(start, days + 1, {})
    assert start < first.at < second.at
    assert second.estimated or not first.estimated


def test_set_day_writes_the_calendar_and_the_audit_log(db: Settings) -> None:
    with database.write() as session:
        working_days.set_day(session, date(2027, 1, 4), False, "调休", "王主管")
    with database.write() as session:
        working_days.set_day(session, date(2027, 1, 4), True, None, "王主管")
    with database.read() as session:
        assert working_days.overrides_from(session) == {date(2027, 1, 4): True}
        entries = session.query(AuditEntry).order_by(AuditEntry.id).all()
    assert [(entry.actor, entry.subject, entry.detail["working"]) for entry in entries] == [
        ("王主管", "2027-01-04", False),
        ("王主管", "2027-01-04", True),
    ]
