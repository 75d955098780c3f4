"""Real Chromiums in front of the running stack, and colleagues in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright
from processes import Stack

from bot import database
from bot.models.people import Person
from connectors.gateway.pages import CONSOLE
from tests.console import scene
from tests.console.colleague import Colleague
from tests.web.visitor import launch


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for a file; each colleague has a profile of their own in it."""
    assert (CONSOLE / "index.html").exists(), "工作台还没有编译：请先运行 make test-setup"
    with sync_playwright() as playwright:
        one = launch(playwright)
        yield one
        one.close()


@pytest.fixture(scope="session")
def morning(stack: Stack) -> None:
    """The stack's database holds a morning at the hotline."""
    with stack.database():
        with database.read() as session:
            done = session.get(Person, "9001") is not None
        if not done:
            scene.morning()


@pytest.fixture
def come(browser: Browser, stack: Stack, morning: None) -> Iterator[Callable[..., Colleague]]:
    """Lets colleagues come to work, signed in by their number; no browser may have had anything to complain about."""
    colleagues: list[Colleague] = []

    def make(number: str | None = None, **options: Any) -> Colleague:
        one = Colleague(browser, stack.url, **options)
        colleagues.append(one)
        if number:
            one.bring(stack.person(number, number))
        return one

    yield make
    for one in colleagues:
        one.context.close()
    complaints = [complaint for one in colleagues for complaint in one.complaints]
    assert not complaints, "\n".join(complaints)
