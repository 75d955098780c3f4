"""The contact sheets are made; six pictures each time, all of them in `make test-full`."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser
from processes import Stack

from tests.web import contact_sheet
from tests.web.contact_sheet import CASES, Case, picture, start

EACH_TIME = (
    *(contact_sheet.first, contact_sheet.answer, contact_sheet.details),
    *(contact_sheet.choice, contact_sheet.danger, contact_sheet.themes),
)
COLOURS = 20
"""A screen with words has more: their edges are smoothed"""


def test_six_screens_show_something(browser: Browser, stack: Stack) -> None:
    visitor = start(browser, stack.url, Case("320", "elder", "dark"))
    seen = []
    for show in EACH_TIME:
        show(visitor)
        seen.append(picture(visitor))
    visitor.context.close()
    assert len({one.tobytes() for one in seen}) == len(EACH_TIME), "two screens look the same"
    assert all(len(one.getcolors(1 << 16) or []) > COLOURS for one in seen)


@pytest.mark.full
@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_every_sheet_is_made(browser: Browser, stack: Stack, tmp_path: Path, case: Case) -> None:
    assert contact_sheet.make(browser, stack.url, case, tmp_path).stat().st_size > 100_000
