"""The first screen: what citizens need most in this city and season, from ``matters.yaml`` or a file of the city's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Annotated

import structlog
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bot.clock import SHANGHAI
from bot.settings import Settings
from index import themes
from index.themes import Question, Theme

log = structlog.get_logger(__name__)

TILES = 8
"""Matters on the screen at once, at most"""
QUESTIONS = 5
"""Questions of a matter, at most"""
OFTEN = 6
"""What others ask, at most"""

_FILE = Path(__file__).parent / "matters.yaml"


class Entry(BaseModel):
    """A matter as the file has it."""

    model_config = ConfigDict(extra="forbid")

    title: str = Field(min_length=1, max_length=6)
    theme: str | None = None
    matter: str | None = None
    icon: str = "form"
    months: list[Annotated[int, Field(ge=1, le=12)]] = Field(default_factory=lambda: list(range(1, 13)))

    @model_validator(mode="after")
    def _one_of_both(self) -> Entry:
        if (self.theme is None) == (self.matter is None):
            raise ValueError("theme 和 matter 要写一个，只写一个")
        return self


class Matters(BaseModel):
    """The file."""

    model_config = ConfigDict(extra="forbid")

    everybody: list[Entry]
    elders: list[Entry]


class Tile(BaseModel):
    """A matter with its questions, all of which have an answer now."""

    title: str
    icon: str = Field(description="The name of a drawing.")
    questions: list[str] = Field(description="At most 5.")


class FirstScreen(BaseModel):
    """What is offered before the first word."""

    tiles: list[Tile] = Field(description="At most 8.")
    often: list[str] = Field(description="Questions that others ask often, at most 6.")


def first_screen(settings: Settings, now: datetime, *, elder: bool) -> FirstScreen:
    """What most people need now, or in elder mode the old."""
    found = themes.current(settings, now)
    matters = _matters(settings.matters_file)
    month = now.astimezone(SHANGHAI).month
    in_season = (one for one in (matters.elders if elder else matters.everybody) if month in one.months)
    tiles = list(islice(_tiles(in_season, found), TILES))
    return FirstScreen(tiles=tiles, often=_often(found, tiles))


def _tiles(entries: Iterator[Entry], found: Sequence[Theme]) -> Iterator[Tile]:
    for entry in entries:
        questions = _questions(entry, found)
        if questions:
            texts = [one.text for one in questions[:QUESTIONS]]
            yield Tile(title=entry.title, icon=entry.icon, questions=texts)


def _questions(entry: Entry, found: Sequence[Theme]) -> tuple[Question, ...]:
    for theme in found:
        if theme.id == entry.theme:
            return theme.top
        for matter in theme.matters:
            if matter.title == entry.matter:
                return matter.questions
    return ()


def _often(found: Sequence[Theme], tiles: Sequence[Tile]) -> list[str]:
    """The most asked question of each theme, those of the tiles' themes first."""
    shown = {question for tile in tiles for question in tile.questions}
    tops = [theme.top[0].text for theme in found]
    return list(dict.fromkeys(sorted(tops, key=lambda text: text not in shown)))[:OFTEN]


def _matters(own: str) -> Matters:
    """The city's own file; where that can't be read, ours: the first screen never stays empty."""
    if own:
        try:
            return _read(Path(own), Path(own).stat().st_mtime_ns)
        except (OSError, ValueError, yaml.YAMLError, ValidationError) as error:
            log.error("matters.unreadable", file=own, reason=str(error))
    return _read(_FILE, 0)


@lru_cache(maxsize=2)
def _read(file: Path, _changed: int) -> Matters:
    return Matters.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
