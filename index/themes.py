"""Life events (主题): the knowledge as citizens look through it, from ``themes.yaml`` and what the database may answer today."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

import yaml
from sqlalchemy import func, select

from bot import database, knowledge, regions
from bot.clock import SHANGHAI
from bot.models.conversations import TurnEffect
from bot.models.knowledge import QA
from bot.settings import Settings

TOP = 8
"""Questions that a theme shows at once, at most"""

_COUNTED = timedelta(days=90)
"""How far back answers count for what is asked most"""

Audience = Literal["个人", "企业"]

_FILE = Path(__file__).parent / "themes.yaml"


@dataclass(frozen=True)
class Life:
    """A life event as the file has it."""

    id: str
    title: str
    audience: Audience
    hint: str
    matters: tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """A question that has an answer."""

    qa_id: str
    text: str


@dataclass(frozen=True)
class Matter:
    """A matter's questions."""

    title: str
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class Theme:
    """A life event with its questions."""

    id: str
    title: str
    audience: Audience
    hint: str
    top: tuple[Question, ...]
    """What is asked most, at most ``TOP``"""
    matters: tuple[Matter, ...]


_OTHER = (
    Life("other", "其他", "个人", "其他可以回答的问题", ()),
    Life("other-business", "其他", "企业", "其他可以回答的问题", ()),
)
"""Where questions go that no theme of the file takes"""


@lru_cache
def lives() -> tuple[Life, ...]:
    """The file's life events, in its order."""
    rows = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return tuple(Life(**(row | {"matters": tuple(row["matters"])})) for row in rows)


def current(settings: Settings, now: datetime) -> tuple[Theme, ...]:
    """The themes that have questions which may be answered now, in the file's order.

    They are worked out once for each knowledge revision and day.
    """
    with database.read() as session:
        revision = knowledge.revision(session)
    today = now.astimezone(SHANGHAI).date()
    return _current(settings.database, revision, today, settings.region, settings.env == "production")


@lru_cache(maxsize=2)
def _current(_database: str, _revision: int, today: date, served: str, production: bool) -> tuple[Theme, ...]:
    since = datetime.combine(today, datetime.min.time(), SHANGHAI) - _COUNTED
    with database.read() as session:
        qas = [
            qa
            for qa in knowledge.all_qas(session, today)
            if knowledge.answerable(qa, today=today, production=production).answers
            and regions.overlap(qa.region, served)
        ]
        counts = session.execute(
            select(TurnEffect.qa_id, func.count())
            .where(TurnEffect.qa_id.is_not(None), TurnEffect.settled_at >= since)
            .group_by(TurnEffect.qa_id)
        )
        asked = {str(qa_id): count for qa_id, count in counts}
    placed: set[str] = set()
    found = []
    for life in lives():
        own = [qa for qa in qas if _fits(qa, life.audience) and (qa.matter in life.matters or life.title in qa.themes)]
        placed.update(qa.id for qa in own)
        found.append(_theme(life, own, asked))
    rest = [qa for qa in qas if qa.id not in placed]
    for life in _OTHER:
        found.append(_theme(life, [qa for qa in rest if (qa.audience == "企业") == (life.audience == "企业")], asked))
    return tuple(theme for theme in found if theme.matters)


def _fits(qa: QA, audience: Audience) -> bool:
    """Whether a question is for these people; 个人和企业 is for both."""
    return qa.audience == audience or qa.audience not in get_args(Audience)


def _theme(life: Life, qas: Iterable[QA], asked: Mapping[str, int]) -> Theme:
    """The theme with these questions; of the same question in several regions only the nearest."""
    nearest: dict[str, QA] = {}
    for qa in qas:
        other = nearest.get(qa.question)
        if other is None or regions.get(qa.region).level > regions.get(other.region).level:
            nearest[qa.question] = qa
    matters: dict[str, list[Question]] = {title: [] for title in life.matters}
    for qa in nearest.values():
        matters.setdefault(qa.matter, []).append(Question(qa.id, qa.question))
    whole = tuple(Matter(title, tuple(questions)) for title, questions in matters.items() if questions)
    return Theme(life.id, life.title, life.audience, life.hint, _top(whole, asked), whole)


def _top(matters: Sequence[Matter], asked: Mapping[str, int]) -> tuple[Question, ...]:
    """What was asked most; then the first question of each matter, the second of each, and so on."""
    turns: dict[int, list[Question]] = defaultdict(list)
    for matter in matters:
        for place, question in enumerate(matter.questions):
            turns[place].append(question)
    in_turn = [question for place in sorted(turns) for question in turns[place]]
    # Sorting keeps the order of those that were asked equally often.
    return tuple(sorted(in_turn, key=lambda question: -asked.get(question.qa_id, 0))[:TOP])
