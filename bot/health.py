"""The health of the knowledge (知识体检): what contradicts, what is asked against what there is, and how old it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot import knowledge
from bot.conversations import TRIAL
from bot.models.conversations import Conversation, TurnEffect
from bot.models.knowledge import QA
from bot.models.reviews import HealthReport
from bot.unanswered import CAME_OF

ANSWERED = ("answer", "likely")
"""Decisions that gave an item"""
AGES = ((180, "半年内"), (365, "半年到一年"), (730, "一年到两年"), (100_000, "两年以上"))
"""Days since its figures were taken → what that is called"""


def keep(session: Session, conflicts: Sequence[dict[str, Any]], revision: int, now: datetime) -> None:
    """What was found, in place of what was found before."""
    session.merge(HealthReport(id=1, at=now, revision=revision, conflicts=list(conflicts)))


def last(session: Session) -> HealthReport | None:
    """What the last look found; None: there was none yet."""
    return session.get(HealthReport, 1, populate_existing=True)


@dataclass(frozen=True)
class Side:
    """One of two items that may contradict."""

    id: str
    question: str
    answer: str
    status: str
    department: str | None
    asked: str
    """Its question that comes nearest"""
    figures: tuple[str, ...]
    """What only it says"""


@dataclass(frozen=True)
class Pair:
    """Two items side by side."""

    one: Side
    other: Side
    alike: float
    sources: bool
    """Whether they rest on different documents altogether"""


def pairs(session: Session, *, only_figures: bool = False) -> list[Pair]:
    """The items that may contradict as they are now, the nearest first; what was paused or retired since is left out."""
    report = last(session)
    found = [one for one in (report.conflicts if report else []) if one["figures"][0] or not only_figures]
    qas = knowledge.get_many(session, [id_ for one in found for id_ in (one["one"], one["other"])])
    live = {id_: qa for id_, qa in qas.items() if qa.status in ("draft", "approved")}
    return [
        Pair(
            _side(live[one["one"]], one["asked"][0], one["figures"][0]),
            _side(live[one["other"]], one["asked"][1], one["figures"][1]),
            one["alike"],
            one["sources"],
        )
        for one in found
        if one["one"] in live and one["other"] in live
    ]


def _side(qa: QA, asked: str, figures: Sequence[str]) -> Side:
    return Side(qa.id, qa.question, qa.answer, qa.status, qa.department, asked, tuple(figures))


@dataclass(frozen=True)
class Covered:
    """One matter: what there is of it, against what is asked."""

    matter: str
    items: int
    approved: int
    asked: int
    """Turns that were answered with it"""
    likely: int
    """Of those: only as likely"""
    oldest: date | None
    """The day on which its oldest figures were taken"""


@dataclass(frozen=True)
class Coverage:
    """What is asked against what there is."""

    matters: tuple[Covered, ...]
    """The most asked first"""
    themes: dict[str, tuple[int, int]]
    """Theme → items, turns answered with them"""
    asked: int
    """Turns that looked for an answer"""
    answered: int
    nothing: int
    """Turns that left it open"""


def coverage(session: Session, now: datetime, days: int) -> Coverage:
    """By matter and by theme; trials are left out."""
    asked = (
        select(TurnEffect.qa_id, TurnEffect.decision, func.count())
        .join(Conversation, Conversation.id == TurnEffect.conversation_id)
        .where(
            TurnEffect.settled_at >= now - timedelta(days=days),
            TurnEffect.decision.in_((*ANSWERED, *CAME_OF)),
            Conversation.channel != TRIAL,
        )
        .group_by(TurnEffect.qa_id, TurnEffect.decision)
    )
    given, likely, open_ = Counter[str](), Counter[str](), 0
    for qa_id, decision, count in session.execute(asked):
        if decision in ANSWERED and qa_id is not None:
            given[qa_id] += count
            likely[qa_id] += count if decision == "likely" else 0
        elif decision in CAME_OF:
            open_ += count
    matters: dict[str, list[QA]] = {}
    themes: dict[str, tuple[int, int]] = {}
    for qa in session.scalars(select(QA).where(QA.status != "retired")):
        matters.setdefault(qa.matter, []).append(qa)
        for theme in qa.themes:
            items, times = themes.get(theme, (0, 0))
            themes[theme] = items + 1, times + given[qa.id]
    rows = [
        Covered(
            matter,
            len(qas),
            sum(qa.status == "approved" for qa in qas),
            sum(given[qa.id] for qa in qas),
            sum(likely[qa.id] for qa in qas),
            min((qa.as_of for qa in qas if qa.as_of), default=None),
        )
        for matter, qas in matters.items()
    ]
    answered = given.total()
    ranked = sorted(rows, key=lambda row: (-row.asked, row.matter))
    return Coverage(
        tuple(ranked), dict(sorted(themes.items(), key=lambda pair: -pair[1][1])), answered + open_, answered, open_
    )


def ages(session: Session, today: date) -> dict[str, int]:
    """How many items have figures of what age; 没有注明 where none says."""
    found = Counter[str]()
    for as_of in session.scalars(select(QA.as_of).where(QA.status.in_(("draft", "approved")))):
        old = (today - as_of).days if as_of else None
        found[next(name for days, name in AGES if old <= days) if old is not None else "没有注明"] += 1
    return {name: found[name] for name in (*(name for _, name in AGES), "没有注明")}
