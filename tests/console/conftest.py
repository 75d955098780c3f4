"""Real Chromiums in front of a running gateway, and colleagues in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright
from processes import Stack, running

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
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A gateway of their own, in the middle of a morning at the hotline: who is on duty here must not surprise other tests."""
    with running(None, None, tmp_path_factory.mktemp("desk"), region="430100") as one:
        with one.database():
            scene.morning()
        yield one


@pytest.fixture
def come(browser: Browser, desk: Stack) -> Iterator[Callable[..., Colleague]]:
    """Lets colleagues come to work, signed in by their number; no browser may have had anything to complain about."""
    colleagues: list[Colleague] = []

    def make(number: str | None = None, **options: Any) -> Colleague:
        one = Colleague(browser, desk.url, **options)
        colleagues.append(one)
        if number:
            one.bring(desk.person(number, number))
        return one

    yield make
    for one in colleagues:
        one.context.close()
    complaints = [complaint for one in colleagues for complaint in one.complaints]
    assert not complaints, "\n".join(complaints)
