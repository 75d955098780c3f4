"""The groups as they wait: what is in them, and their figures anew after something was decided."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, func, select, update
from sqlalchemy.orm import Session

from bot.errors import NotFound
from bot.models.asked import Asked
from bot.models.review import ReviewFigures, ReviewGroup, ReviewMember
from bot.review.reasons import Asking, Figures, figures

STATES = ("open", "single", "crowd", "danger", "settled")
"""Groups that wait; of one question only (零散); where one source asked much; with a danger perhaps; those that were decided about"""
State = Literal["open", "single", "crowd", "danger", "settled"]
_BATCH = 500
PLAIN = (
    Asked.id,
    Asked.at,
    Asked.person,
    Asked.region,
    Asked.act,
    Asked.decision,
    Asked.certainty,
    Asked.probability,
    Asked.qa_id,
    Asked.matter,
    Asked.found,
    Asked.helpful,
    Asked.refused,
    Asked.chosen,
    Asked.rephrased,
    Asked.agent_qa,
    Asked.agent_edited,
    Asked.ticket,
)
"""What figures need of a question: nothing that would have to be decrypted"""


@dataclass(frozen=True)
class Group:
    """A group with what stands for it."""

    row: ReviewGroup
    text: str
    """Masked; empty: its questions are gone"""
    source: str


def listed(session: Session, state: State, offset: int = 0, limit: int = 30) -> tuple[list[Group], int]:
    """Those whose decision helps most first; and how many there are."""
    query = select(ReviewGroup).where(ReviewGroup.open.is_(state != "settled"))
    if state == "single":
        query = query.where(ReviewGroup.asked == 1)
    elif state == "crowd":
        query = query.where(ReviewGroup.over > 0)
    elif state == "settled":
        decided = select(ReviewMember.group_id).where(ReviewMember.decision.is_not(None))
        query = query.where(ReviewGroup.id.in_(decided))
    elif state == "danger":
        query = query.where(ReviewGroup.id.in_(select(ReviewMember.group_id).where(ReviewMember.danger)))
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    rows = session.scalars(query.order_by(ReviewGroup.help.desc(), ReviewGroup.id).offset(offset).limit(limit)).all()
    return [_group(session, row) for row in rows], total


def get(session: Session, group_id: str) -> Group:
    """One.  Raises: NotFound."""
    row = session.get(ReviewGroup, group_id, populate_existing=True)
    if row is None:
        raise NotFound("没有这一组，可能已经并到别的组，或者提问已经到期清除。")
    return _group(session, row)


def _group(session: Session, row: ReviewGroup) -> Group:
    example = session.get(Asked, row.example) if row.example else None
    if example is None:  # it was erased: any other stands for the group
        first = select(Asked).join(ReviewMember, ReviewMember.asked_id == Asked.id)
        example = session.scalar(first.where(ReviewMember.group_id == row.id).order_by(Asked.id).limit(1))
    return Group(row, example.said["text"] if example else "", example.source if example else "")


@dataclass(frozen=True)
class Line:
    """One text of a group, however often it was asked."""

    asked_id: str
    """The last time"""
    text: str
    """Masked"""
    times: int
    last_at: datetime
    open: bool


def lines(session: Session, group_id: str, offset: int = 0, limit: int = 30) -> tuple[list[Line], int]:
    """The texts of a group, what is open and often first; and how many there are."""
    open_ = func.count().filter(ReviewMember.decision.is_(None))
    of_texts = (
        select(func.max(Asked.id), func.count(), func.max(Asked.at), open_)
        .join(ReviewMember, ReviewMember.asked_id == Asked.id)
        .where(ReviewMember.group_id == group_id)
        .group_by(ReviewMember.text)
    )
    total = session.scalar(select(func.count()).select_from(of_texts.subquery())) or 0
    page = session.execute(
        of_texts.order_by((open_ > 0).desc(), func.count().desc(), ReviewMember.text).offset(offset).limit(limit)
    ).all()
    said = {row.id: row.said for row in session.scalars(select(Asked).where(Asked.id.in_([one[0] for one in page])))}
    return [Line(id_, said[id_]["text"], times, at, open_ > 0) for id_, times, at, open_ in page], total


def recount(session: Session, group_ids: Collection[str], now: datetime) -> None:
    """The figures of these groups, of what is open in them."""
    for ids in _batches(sorted(set(group_ids))):
        open_: dict[str, list[Asking]] = defaultdict(list)
        for group_id, text, danger, row in _open_members(session, ids):
            open_[group_id].append(Asking(row, text, danger))
        write_figures(session, {id_: figures(open_[id_], now) for id_ in ids})


def write_figures(session: Session, found: dict[str, Figures]) -> None:
    """Keep them."""
    for id_, one in found.items():
        values: dict[str, Any] = asdict(one) | {"open": one.asked > 0}
        if not one.asked:  # what it was stays to be read
            values = {"open": False, "asked": 0, "texts": 0, "help": 0.0, "week": 0, "over": 0}
        session.execute(update(ReviewGroup).where(ReviewGroup.id == id_).values(values))


def _open_members(session: Session, ids: Sequence[str]) -> Iterator[tuple[str, str, bool, Row[Any]]]:
    query = (
        select(ReviewMember.group_id, ReviewMember.text, ReviewMember.danger, *PLAIN)
        .join(Asked, Asked.id == ReviewMember.asked_id)
        .where(ReviewMember.group_id.in_(ids), ReviewMember.decision.is_(None))
    )
    for row in session.execute(query):
        yield row.group_id, row.text, row.danger, row


def _batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH))


def newest_figures(session: Session) -> ReviewFigures | None:
    """Of the last grouping; None: there was none."""
    return session.scalar(select(ReviewFigures).order_by(ReviewFigures.id.desc()).limit(1))
