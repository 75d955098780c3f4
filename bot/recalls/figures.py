"""How far recalls are: every figure is the number of rows that the list of the same name has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot.models.recalls import Recall, RecallTarget
from bot.told import STATES


@dataclass(frozen=True)
class Figures:
    """Of one recall.  The states add up to everybody."""

    people: int
    waiting: int
    """待发送"""
    sent: int
    """尚未看到"""
    seen: int
    """已告知"""
    callback: int
    """待回拨"""
    unreachable: int
    """告知不到"""


def figures(session: Session, recall_ids: Sequence[str]) -> dict[str, Figures]:
    """By recall."""
    counted = (
        select(RecallTarget.recall_id, RecallTarget.state, func.count())
        .where(RecallTarget.recall_id.in_(list(recall_ids)))
        .group_by(RecallTarget.recall_id, RecallTarget.state)
    )
    found: dict[str, dict[str, int]] = {id_: dict.fromkeys(STATES, 0) for id_ in recall_ids}
    for id_, state, count in session.execute(counted):
        found[id_][state] = count
    return {id_: Figures(people=sum(by.values()), **by) for id_, by in found.items()}


def listed(session: Session, *, offset: int = 0, limit: int = 20) -> tuple[Sequence[Recall], int]:
    """Recalls, the newest first, and how many there are."""
    total = session.scalar(select(func.count()).select_from(Recall)) or 0
    newest = select(Recall).order_by(Recall.made_at.desc(), Recall.id)
    return session.scalars(newest.offset(offset).limit(limit)).all(), total


def targets(
    session: Session, recall_id: str, state: str | None = None, *, offset: int = 0, limit: int = 20
) -> tuple[Sequence[RecallTarget], int]:
    """Whom a recall is for, of one state or all, and how many they are."""
    query = select(RecallTarget).where(RecallTarget.recall_id == recall_id)
    if state is not None:
        query = query.where(RecallTarget.state == state)
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    return session.scalars(query.order_by(RecallTarget.id).offset(offset).limit(limit)).all(), total
