"""Retention removes what is due; a clock that leaps, or a run that would take too much, stops it until a person confirms."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from samples import fill
from sqlalchemy import func, select

from bot import conversations, database, retention
from bot.clock import utcnow
from bot.models.conversations import Conversation, InboxMessage, OutboxMessage
from bot.models.housekeeping import AuditEntry, LastPurge
from bot.models.tickets import Ticket
from bot.retention import HostClock, PurgeRefused, host_clock
from bot.settings import Settings

DAY = timedelta(days=1)
START = utcnow()


def talked(count: int, ago: timedelta) -> None:
    with database.write() as session:
        for _ in range(count):
            conversations.create(session, "web", START - ago)


def left() -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(Conversation)) or 0


def purged(now: datetime, up: timedelta, boot: str = "a", **options: str) -> int:
    """A run at ``now``, on a host that has been up for ``up``."""
    with database.write() as session:
        return retention.purge(session, now, 180, HostClock(boot, up), **options)  # type: ignore[arg-type]


def test_what_is_too_old_is_forgotten_and_tickets_stay(db: Settings) -> None:
    old, young = fill(db), fill(db)
    with database.write() as session:
        conversations.lock(session, old).active_at = utcnow() - timedelta(days=200)
    assert retention.run(180) == 1
    assert retention.run(180) == 0
    with database.read() as session:
        assert session.get(Conversation, old) is None and session.get(Conversation, young) is not None
        for table in (InboxMessage, OutboxMessage):
            assert session.scalar(select(func.count()).select_from(table)) == 1
        assert session.scalar(select(func.count()).select_from(Ticket)) == 2


def test_a_leap_of_the_clock_removes_nothing_and_its_end_is_the_end_of_it(db: Settings) -> None:
    talked(323, timedelta(0))
    talked(1, 200 * DAY)
    assert purged(START, DAY) == 1
    for seconds in range(0, 36, 6):  # two years ahead for 36 seconds
        with pytest.raises(PurgeRefused, match=r"快了 7[23]\d 天"):
            purged(START + 730 * DAY + timedelta(seconds=seconds), DAY + timedelta(seconds=seconds))
    assert left() == 323
    talked(1, 200 * DAY)
    assert purged(START + timedelta(minutes=1), DAY + timedelta(minutes=1)) == 1
    assert left() == 323


@pytest.mark.parametrize(("few", "ahead"), [(3, 182 * DAY), (3, 10_000 * DAY), (50, 2 * DAY + timedelta(seconds=1))])
def test_a_leap_is_noticed_however_few_there_are(sqlite_db: Settings, few: int, ahead: timedelta) -> None:
    talked(few, 179 * DAY)
    assert purged(START, DAY) == 0
    with pytest.raises(PurgeRefused, match="时钟可能不对"):
        purged(START + ahead, DAY)
    assert left() == few


def test_time_that_passed_is_no_leap(sqlite_db: Settings) -> None:
    talked(40, 100 * DAY)
    assert purged(START, DAY) == 0
    assert purged(START + 79 * DAY, 80 * DAY) == 0
    assert purged(START + 81 * DAY, 82 * DAY) == 40  # the gateway was stopped for days, the host was not


def test_a_clock_set_back_is_no_leap_and_the_next_leap_is_one(sqlite_db: Settings) -> None:
    talked(2, timedelta(0))
    assert purged(START + DAY, DAY) == 0
    assert purged(START - 30 * DAY, DAY) == 0
    with pytest.raises(PurgeRefused):
        purged(START, DAY)


def test_after_a_restart_of_the_host_its_uptime_counts(sqlite_db: Settings) -> None:
    talked(2, 100 * DAY)
    assert purged(START, 30 * DAY) == 0
    assert purged(START + DAY, timedelta(minutes=1), boot="b") == 0  # off for a day
    with pytest.raises(PurgeRefused):  # a battery gone flat, or a host that was off for a week: a person can tell
        purged(START + 8 * DAY, timedelta(minutes=1), boot="c")
    assert purged(START + 8 * DAY, timedelta(minutes=1), boot="c", confirmed_by="王") == 0
    assert purged(START + 9 * DAY, DAY, boot="c") == 0


def test_without_a_name_for_the_start_a_host_clock_that_went_back_shows_it(sqlite_db: Settings) -> None:
    assert purged(START, 30 * DAY, boot="") == 0
    assert purged(START + DAY, timedelta(hours=1), boot="") == 0
    with pytest.raises(PurgeRefused):
        purged(START + 12 * DAY, timedelta(minutes=1), boot="")


def test_the_first_run_ever_goes_by_the_last_thing_that_happened(sqlite_db: Settings) -> None:
    assert purged(START + 5000 * DAY, DAY) == 0  # nothing there: nothing to lose
    with database.write() as session:
        session.delete(session.get_one(LastPurge, 1))
    talked(5, timedelta(0))
    with pytest.raises(PurgeRefused, match="最近一次活动"):
        purged(START + 730 * DAY, DAY)
    assert left() == 5
    talked(1, 200 * DAY)
    assert purged(START + timedelta(minutes=1), DAY) == 1


@pytest.mark.parametrize(
    ("due", "young", "refused"), [(50, 0, False), (51, 0, True), (51, 203, True), (51, 204, False), (60, 1000, False)]
)
def test_too_many_at_once_are_refused(sqlite_db: Settings, due: int, young: int, refused: bool) -> None:
    talked(young, timedelta(0))
    assert purged(START, DAY) == 0
    talked(due, 200 * DAY)
    if refused:
        with pytest.raises(PurgeRefused, match=f"到期的有 {due} 个"):
            purged(START, DAY)
        assert left() == due + young
    else:
        assert purged(START, DAY) == due


def test_a_person_confirms_all_of_it_on_record(sqlite_db: Settings) -> None:
    assert purged(START, host_clock().since_boot, host_clock().boot) == 0
    talked(520, 200 * DAY)
    with pytest.raises(PurgeRefused, match="520 个"):
        retention.run(180)
    assert retention.run(180, confirmed_by="王") == 520
    assert left() == 0
    with database.read() as session:
        (entry,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "retention.confirm"))
        assert entry.actor == "王" and entry.detail["due"] == 520 and "太多" in entry.detail["refused"]
    assert retention.run(180) == 0


def test_the_hosts_clock_goes_on_and_names_its_start() -> None:
    first, second = host_clock(), host_clock()
    assert first.boot == second.boot != ""
    assert timedelta(0) < first.since_boot <= second.since_boot
