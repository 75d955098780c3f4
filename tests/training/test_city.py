"""A small simulated city: what is asked, reviewed and approved makes it answer more, and mislead no more than before.

Real questions and items of a few matters, the real encoder, index, grouping and knowledge desk; Rasa, the training job and the gate
take part in the whole city only (``benchmarks/city.py``).
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from benchmarks import city
from bot import conversations, database, turns
from bot.models.conversations import TurnEffect
from bot.models.knowledge import QA
from bot.settings import Settings
from index.assistant.respond import Assistant
from index.knowledge_files.starter import STARTER, load_starter
from index.versions import build, store
from index.versions.store import IndexReader
from tests.index.test_assistant import Talk
from tests.training.test_review import run
from training.evaluate.citizen import Heard
from training.evaluate.questions import read_sets
from training.fit import calibration_for

FILES = (
    "gongjijin", "gongjijin-zufang", "huzhao", "jiehundengji", "jumin-yibao", "juzhuzheng", "laonianyoudaizheng",
    "nianxiujia", "shenfenzheng", "shiyejin", "tingshuitingdian", "yuerbutie",
)  # fmt: skip


class _Person:
    """One conversation without the processes around it."""

    def __init__(self, assistant: Assistant, *, trial: bool) -> None:
        self._talk = Talk(assistant, conversations.TRIAL if trial else "web")

    def say(self, text: str) -> Heard:
        turn, reply = self._talk.turn(text)
        with database.read() as session:
            return Heard(reply, turns.explained(session.get_one(TurnEffect, turn)))


class _InProcess:
    """The assistant without Rasa, and the jobs without the worker; a training is a new index."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.build()

    def build(self) -> None:
        store.publish(self.settings, build.build(self.settings, calibration_for))
        self.assistant = Assistant(self.settings, IndexReader(self.settings))

    def open(self, *, trial: bool = False) -> _Person:
        return _Person(self.assistant, trial=trial)

    def job(self, kind: str) -> None:
        if kind == "review":
            run(self.settings)
        else:
            self.build()

    def release(self) -> Mapping[str, Any]:
        return {}


@pytest.mark.full
def test_a_city_gets_better_by_what_it_is_asked_and_no_worse(sqlite_db: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "knowledge"
    folder.mkdir()
    for name in FILES:
        shutil.copy(STARTER / f"{name}.yaml", folder)
    with database.write() as session:
        load_starter(session, folder)
    small = city.City(seed=1)
    small.begin(unwritten=0.3, wordings=1)
    small.assistant = _InProcess(sqlite_db)
    here = set(small.matters.values())
    traffic = [one for one in read_sets(city.TRAFFIC) if not one.prev and one.expect in here]
    measured = [one for one in read_sets(city.MEASURED) if one.words is None and not one.prev and one.expect in here]
    lines: list[str] = []
    rows = city.live(small, traffic, measured, cycles=2, count=60, groups=60, say=lines.append)
    counts = [{name: row[name]["count"] for name, *_ in city.FIGURES} for row in rows]
    assert counts[-1]["right_at_once"] >= counts[0]["right_at_once"] + 3, lines
    assert counts[-1]["right_in_two"] >= counts[0]["right_in_two"] + 5, lines
    assert all(one["misled_sure"] <= counts[0]["misled_sure"] + 1 for one in counts), lines
    assert small.written and rows[-1]["hours"] > rows[1]["hours"] > 0
    with database.read() as session:
        items = session.scalars(select(QA)).all()
    assert not any("炒股" in text for one in items for text in (one.question, *one.similar)), (
        "who only asks teaches nothing"
    )
