"""Much at once: thousands of tickets, and events that come and come.  Prints what a person waits; nothing here fails for being slow."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser
from processes import Stack, running

from bot import database, events
from bot.models.tickets import Ticket
from tests.console import scene
from tests.console.colleague import Colleague

pytestmark = pytest.mark.full

TICKETS = 5_000
ROWS = 60
"""So many rows the page may hold, however long the list is"""


@pytest.fixture
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(None, None, tmp_path_factory.mktemp("crowded")) as stack:
        with stack.database():
            scene.morning()
            for begin in range(0, TICKETS, 250):
                with database.write() as session:
                    for number in range(begin, begin + 250):
                        scene.ticket(session, number, age_days=number % 30)
        yield stack


def test_five_thousand_tickets_and_twenty_events_a_second(browser: Browser, crowded: Stack) -> None:
    with ExitStack() as after:
        colleague = Colleague(browser, crowded.url)
        after.callback(colleague.context.close)
        colleague.bring(crowded.person("1003", "1003"))
        page = colleague.at("/work")
        page.evaluate("""() => { window.long = []; new PerformanceObserver((list) => {
            for (const one of list.getEntries()) window.long.push(Math.round(one.duration)) }).observe({ type: 'longtask' }) }""")
        began = time.monotonic()
        colleague.press("g", "t")
        page.wait_for_selector("tbody [data-row]")
        colleague.settled()
        waited = time.monotonic() - began
        rows = page.locator("main tbody tr").count()
        assert 18 <= rows <= ROWS
        with crowded.database(), database.read() as session:
            numbers = [one.number for one in session.query(Ticket).limit(200)]
        page.evaluate("() => { window.long = [] }")
        with crowded.database():
            for number in numbers:
                with database.write() as session:
                    events.publish(session, "ticket", number, state="办理中", department=None)
                time.sleep(0.05)
        colleague.settled()
        longest = max(page.evaluate("() => window.long"), default=0)
        assert page.locator("main tbody tr").count() == rows
        print(
            f"\n{TICKETS} tickets: the list is there after {waited * 1000:.0f} ms, {rows} rows; "
            f"200 events, 20 a second: the longest task took {longest} ms"
        )
