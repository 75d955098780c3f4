"""Events: written with the change, in the order of the commits, skipped by nobody who reads on from an id."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from bot import database, events
from bot.clock import utcnow
from bot.settings import Settings


def subjects(after: int = 0) -> list[str]:
    with database.read() as session:
        return [event.subject for event in events.since(session, after)]


def test_an_event_goes_with_its_change(db: Settings) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as session:
        events.publish(session, "ticket", "1")
        raise ZeroDivisionError
    with database.write() as session:
        events.publish(session, "ticket", "2", state="办理中")
        events.publish(session, "ticket", "2", state="已答复")
        events.publish(session, "danger", "2")
    with database.read() as session:
        found = events.since(session, 0)
    assert [(event.kind, event.subject, event.about) for event in found] == [
        ("ticket", "2", {"state": "已答复"}),
        ("danger", "2", {}),
    ]


def test_of_two_transactions_that_commit_in_the_other_order_both_are_seen(db: Settings) -> None:
    """Row 14: the first to begin commits last, and a follower reads in between."""
    if database.get_engine().dialect.name == "sqlite":
        pytest.skip("SQLite has one writer")
    begun, go_on, seen = threading.Event(), threading.Event(), []

    def slow() -> None:
        with database.write() as session:
            events.publish(session, "ticket", "slow")
            session.flush()
            begun.set()
            assert go_on.wait(10)

    thread = threading.Thread(target=slow)
    thread.start()
    assert begun.wait(10)
    with database.write() as session:
        events.publish(session, "ticket", "quick")
    seen += subjects()
    with database.read() as session:
        cursor = events.newest(session)
    go_on.set()
    thread.join(10)
    seen += subjects(cursor)
    assert seen == ["quick", "slow"]


def test_a_follower_among_many_writers_misses_none_and_sees_none_twice(db: Settings) -> None:
    stop, seen = threading.Event(), []

    def follow() -> None:
        cursor = 0
        while True:
            last = stop.is_set()
            with database.read() as session:
                found = list(events.since(session, cursor, limit=7))
            for event in found:
                seen.append(event.subject)
                cursor = event.id
            if last and not found:
                return

    def write(number: int) -> None:
        with database.write() as session:
            events.publish(session, "ticket", f"{number}a")
            events.publish(session, "ticket", f"{number}b")

    thread = threading.Thread(target=follow)
    thread.start()
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(150)))
    stop.set()
    thread.join(30)
    assert sorted(seen) == sorted(f"{number}{part}" for number in range(150) for part in "ab")


def test_old_ones_go_and_the_ids_count_on(db: Settings) -> None:
    for number in range(3):
        with database.write() as session:
            events.publish(session, "ticket", str(number))
    with database.write() as session:
        before = events.newest(session)
        assert events.forget_old(session, utcnow() + events.KEPT + timedelta(seconds=1)) == 2
        assert (events.oldest(session), events.newest(session)) == (before, before)
    with database.write() as session:
        events.publish(session, "ticket", "next")
    assert subjects(before) == ["next"]
