"""Counters, on both kinds of database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from bot import counters, database
from bot.models.housekeeping import Counter
from bot.settings import Settings

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


def hit(name: str, limit: int, now: datetime) -> bool:
    with database.write() as session:
        return counters.hit(session, name, limit, HOUR, now)


def test_up_to_the_limit_and_no_further(db: Settings) -> None:
    assert [hit("a", 2, NOW) for _ in range(4)] == [True, True, False, False]
    assert hit("b", 2, NOW)


def test_the_window_starts_with_its_first_hit_and_ends(db: Settings) -> None:
    assert hit("a", 1, NOW)
    assert not hit("a", 1, NOW + HOUR - timedelta(seconds=1))
    assert hit("a", 1, NOW + HOUR)
    assert not hit("a", 1, NOW + HOUR)


def test_no_hit_is_lost_between_threads(db: Settings) -> None:
    with ThreadPoolExecutor(8) as pool:
        allowed = list(pool.map(lambda _: hit("a", 10, NOW), range(40)))
    assert sum(allowed) == 10
    with database.read() as session:
        assert session.get_one(Counter, "a").value == 40


def test_a_locked_row_is_counted_in_by_one_at_a_time(db: Settings) -> None:
    def count(_: int) -> None:
        with database.write() as session:
            row = counters.locked(session, "a", NOW)
            row.value, row.expires_at = row.value + 1, NOW + HOUR

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(40)))
    with database.write() as session:
        assert counters.locked(session, "a", NOW).value == 40
        assert counters.locked(session, "a", NOW + HOUR).value == 0


def test_the_first_value_is_kept_for_its_time(db: Settings) -> None:
    def once(value: int, now: datetime) -> bool:
        with database.write() as session:
            return counters.once(session, "a", value, now + HOUR, now)

    assert [once(value, NOW) for value in (2**63 - 1, 5, 2**63 - 1)] == [True, False, True]
    assert [once(value, NOW + HOUR) for value in (5, 2**63 - 1)] == [True, False]
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda value: once(value, NOW + 2 * HOUR), range(40))) == 1


def test_a_hit_belongs_to_the_callers_transaction(db: Settings) -> None:
    with database.read() as session:  # never commits
        counters.hit(session, "a", 1, HOUR, NOW)
    assert hit("a", 1, NOW)


def test_expired_rows_are_swept_and_others_stay(db: Settings) -> None:
    with database.write() as session:
        session.add(Counter(name="revision", value=7, expires_at=None))
    for n in range(5):
        hit(f"old{n}", 1, NOW)
    hit("young", 1, NOW + HOUR / 2)
    hit("new", 1, NOW + HOUR)
    with database.read() as session:
        assert {row.name for row in session.query(Counter)} == {"revision", "young", "new"}
