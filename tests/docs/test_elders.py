"""The checklist for the old names only tests that there are."""

from __future__ import annotations

import re

from bot.settings import ROOT

CHECKLIST = ROOT / "docs" / "elders.zh.md"


def test_every_test_of_the_checklist_exists() -> None:
    named = re.findall(r"`(tests/[\w/.]+)::(\w+)`", CHECKLIST.read_text("utf-8"))
    assert len(named) > 15
    for file, test in named:
        assert f"def {test}(" in (ROOT / file).read_text("utf-8"), f"{file}::{test}"
