"""The questions of the golden set: what one holds, and looking at them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from bot.errors import NotFound
from bot.models.golden import GoldenChange, GoldenQuestion

STRATA = {"questions": "提问", "spoken": "口语", "letters": "来信", "short": "极短", "act": "意图"}
"""Kinds of questions that are counted apart"""
OURS, CITY = "ours", "city"
SOURCES = {OURS: "起始题库", CITY: "本市"}


@dataclass(frozen=True)
class Content:
    """What one question holds; see ``GoldenQuestion``."""

    text: str
    right: tuple[str, ...] = ()
    act: str | None = None
    region: str | None = None
    must: bool = False
    stratum: str = "questions"
    note: str = ""

    @classmethod
    def of(cls, row: GoldenQuestion) -> Content:
        """What a row holds."""
        return cls(row.text, tuple(row.right), row.act, row.region, row.must, row.stratum, row.note)

    def stored(self) -> dict[str, Any]:
        """A JSON value."""
        return asdict(self) | {"right": list(self.right)}


def digest(row: GoldenQuestion) -> str:
    """Changes with whatever plays a part in judging."""
    told = json.dumps([row.text, sorted(row.right), row.act, row.region, row.must], ensure_ascii=False)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Wanted:
    """Which questions; None or empty: any."""

    text: str = ""
    stratum: str | None = None
    source: str | None = None
    must: bool | None = None
    qa_id: str | None = None
    retired: bool = False


def get(session: Session, id_: str) -> GoldenQuestion:
    """Raises: NotFound."""
    row = session.get(GoldenQuestion, id_)
    if row is None:
        raise NotFound("题库里没有这一题。")
    return row


def in_force(session: Session) -> list[GoldenQuestion]:
    """All that count today, always in the same order."""
    query = select(GoldenQuestion).where(GoldenQuestion.retired_at.is_(None)).order_by(GoldenQuestion.id)
    return list(session.scalars(query))


def listed(session: Session, wanted: Wanted, offset: int = 0, limit: int = 30) -> tuple[Sequence[GoldenQuestion], int]:
    """Some, those that must be right first, and how many there are."""
    conditions = list(_conditions(wanted))
    query = select(GoldenQuestion).where(*conditions)
    total = session.scalar(select(func.count()).select_from(GoldenQuestion).where(*conditions)) or 0
    if wanted.qa_id:  # ids stand in a JSON list, which the two databases search differently
        found = [row for row in session.scalars(query.order_by(*_ORDER)) if wanted.qa_id in row.right]
        return found[offset : offset + limit], len(found)
    return session.scalars(query.order_by(*_ORDER).offset(offset).limit(limit)).all(), total


_ORDER = (GoldenQuestion.must.desc(), GoldenQuestion.changed_at.desc(), GoldenQuestion.id)


def _conditions(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    yield GoldenQuestion.retired_at.is_not(None) if wanted.retired else GoldenQuestion.retired_at.is_(None)
    if needle := wanted.text.strip():
        yield GoldenQuestion.text.contains(needle, autoescape=True)
    if wanted.stratum:
        yield GoldenQuestion.stratum == wanted.stratum
    if wanted.source:
        yield GoldenQuestion.source == wanted.source
    if wanted.must is not None:
        yield GoldenQuestion.must.is_(wanted.must)


def counts(session: Session) -> dict[str, int]:
    """How many count today, by stratum."""
    query = select(GoldenQuestion.stratum, func.count()).where(GoldenQuestion.retired_at.is_(None))
    return {row[0]: row[1] for row in session.execute(query.group_by(GoldenQuestion.stratum))}


def changes(
    session: Session, *, question: str | None = None, state: str | None = None, offset: int = 0, limit: int = 30
) -> tuple[Sequence[GoldenChange], int]:
    """What was proposed: the newest first, or what waits the oldest first; how many there are."""
    conditions = []
    if question is not None:
        conditions.append(GoldenChange.question == question)
    if state is not None:
        conditions.append(GoldenChange.state == state)
    total = session.scalar(select(func.count()).select_from(GoldenChange).where(*conditions)) or 0
    order = GoldenChange.id if state == "waiting" else GoldenChange.id.desc()
    query = select(GoldenChange).where(*conditions).order_by(order).offset(offset).limit(limit)
    return session.scalars(query).all(), total


def exported(session: Session) -> Iterator[dict[str, Any]]:
    """What counts today, as rows that can be brought again."""
    for row in in_force(session):
        right = {"act": row.act} if row.act else {"qa": row.right}
        yield {
            "q": row.text,
            **right,
            "region": row.region,
            "must": row.must,
            "stratum": row.stratum,
            "note": row.note,
            "id": row.id,
        }
