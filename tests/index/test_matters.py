"""The first screen: of the city and the season, only what has an answer, and never empty because of a file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot import database
from bot.settings import ROOT, Settings
from index import matters, themes
from index.knowledge_files import starter

ICONS = ROOT / "connectors" / "miniprogram" / "src" / "icons.ts"


@pytest.fixture
def known(sqlite_db: Settings) -> Iterator[Settings]:
    """The starter knowledge."""
    themes._current.cache_clear()
    with database.write() as session:
        starter.load_starter(session)
    yield sqlite_db
    themes._current.cache_clear()


def titles(settings: Settings, month: int, *, elder: bool = False) -> list[str]:
    screen = matters.first_screen(settings, datetime(2026, month, 15, tzinfo=UTC), elder=elder)
    assert len(screen.often) == len(set(screen.often)) == matters.OFTEN
    assert all(1 <= len(tile.questions) <= matters.QUESTIONS for tile in screen.tiles)
    return [tile.title for tile in screen.tiles]


def test_each_month_shows_eight_those_of_the_season_first(known: Settings) -> None:
    for month in range(1, 13):
        for elder in (False, True):
            found = titles(known, month, elder=elder)
            assert len(found) == len(set(found)) == matters.TILES
    assert titles(known, 4)[:2] == ["个税汇算", "社保"]
    assert titles(known, 7)[:2] == ["入学报名", "助学贷款"]
    assert titles(known, 11)[:2] == ["供暖", "医保缴费"]
    assert "入学报名" not in titles(known, 1) and "供暖" not in titles(known, 6)


def test_a_citys_own_file_counts_at_once_and_a_broken_one_is_passed_over(known: Settings, tmp_path: Path) -> None:
    file = tmp_path / "matters.yaml"
    own = known.model_copy(update={"matters_file": str(file)})
    usual = titles(known, 1)
    assert titles(own, 1) == usual
    file.write_text(
        "everybody: [{title: 老人, matter: 高龄津贴}, {title: 没有, matter: 没有的事}]\nelders: []\n", "utf-8"
    )
    screen = matters.first_screen(own, datetime(2026, 1, 15, tzinfo=UTC), elder=False)
    assert [tile.title for tile in screen.tiles] == ["老人"]
    assert all("津贴" in question for question in screen.tiles[0].questions)
    for broken in ("everybody: [", "everybody: [{title: 甲}]\nelders: []", "elders: []", "[]", "every: []"):
        file.write_text(broken, "utf-8")
        assert titles(own, 1) == usual, broken


def test_every_icon_of_the_file_is_drawn() -> None:
    drawn = {*re.findall(r"^  (\w+):", ICONS.read_text("utf-8"), re.MULTILINE), "form"}
    file = matters._matters("")
    assert {entry.icon for entry in [*file.everybody, *file.elders]} <= drawn
