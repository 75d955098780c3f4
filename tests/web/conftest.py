"""One real Chromium in front of the running stack, and visitors in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright
from processes import Stack

from connectors.gateway.pages import BUILD
from tests.web.visitor import Visitor, launch


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for a file; each visitor has a profile of their own in it.  Its event loop must end with the file."""
    assert (BUILD / "index.html").exists(), "网页还没有编译：请先运行 make test-setup"
    with sync_playwright() as playwright:
        one = launch(playwright)
        yield one
        one.close()


@pytest.fixture
def visit(browser: Browser, stack: Stack) -> Iterator[Callable[..., Visitor]]:
    """Makes visitors; when the test is over, none of their browsers may have had anything to complain about."""
    visitors: list[Visitor] = []

    def make(**options: Any) -> Visitor:
        visitors.append(Visitor(browser, stack.url, **options))
        return visitors[-1]

    yield make
    for one in visitors:
        one.context.close()
    complaints = [complaint for one in visitors for complaint in one.complaints]
    assert not complaints, "\n".join(complaints)


@pytest.fixture
def visitor(visit: Callable[..., Visitor]) -> Visitor:
    """A citizen with a phone of ordinary size."""
    return visit()
