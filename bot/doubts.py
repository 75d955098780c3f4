"""存疑: items that somebody at the desk reported as wrong, until a supervisor or an editor pauses them or clears the doubt.

A report takes nothing off the air: the item is marked on every desk, and citizens get it as likely at most, with the words that it is
being checked.  Whether it is so is read when it answers.  One person marks only so many items in a shift; what they report beyond that
stands in the list, and marks nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.orm import Session

from bot import audit, database, events, knowledge
from bot.accounts import people
from bot.clock import utcnow
from bot.errors import IllegalMove, InvalidInput, NotFound
from bot.models.doubts import Doubt
from bot.models.knowledge import QA
from bot.settings import Settings

UNDO = timedelta(seconds=10)
"""So long whoever reported may take it back"""
LATE = timedelta(minutes=10)
"""A doubt that nobody has decided about for so long is reminded of"""
SHIFT = timedelta(hours=12)
"""What counts as one shift of a person: the last so many hours"""

Decision = Literal["pause", "clear"]


def _open() -> ColumnElement[bool]:
    return and_(Doubt.decided_at.is_(None), Doubt.undone_at.is_(None))


# --- reporting -------------------------------------------------------------------------------------------------------


def report(
    session: Session, qa_id: str, reason: str, person: str, settings: Settings, now: datetime | None = None
) -> Doubt:
    """Somebody says that an item is wrong.  Said again while it is open, it is the same report.

    Raises:
        NotFound: no such item or person.
        InvalidInput: no reason.
    """
    now = now or utcnow()
    if not reason.strip():
        raise InvalidInput("请写明哪里不对。")
    people.get(session, person, locked=True)  # one after the other: their reports are counted
    if session.get(QA, qa_id) is None:
        raise NotFound("没有这条知识。")
    own = Doubt.qa_id == qa_id, Doubt.person == person, _open()
    if (standing := session.scalar(select(Doubt).where(*own).limit(1))) is not None:
        return standing
    doubt = Doubt(
        id=uuid.uuid4().hex,
        qa_id=qa_id,
        person=person,
        reason=reason.strip(),
        marks=_marked_by(session, person, now) < settings.desk_doubts,
        at=now,
    )
    session.add(doubt)
    audit.record(session, person, "qa.doubt", qa_id, reason=doubt.reason, marks=doubt.marks)
    events.publish(session, "doubt", qa_id)
    return doubt


def _marked_by(session: Session, person: str, now: datetime) -> int:
    marked = Doubt.person == person, Doubt.marks, Doubt.at > now - SHIFT, Doubt.undone_at.is_(None)
    return session.scalar(select(func.count()).select_from(Doubt).where(*marked)) or 0


def undo(session: Session, doubt_id: str, person: str, now: datetime | None = None) -> None:
    """Whoever reported takes it back.

    Raises:
        NotFound: no such report of theirs.
        IllegalMove: too late, or somebody has decided already.
    """
    now = now or utcnow()
    doubt = session.get(Doubt, doubt_id, with_for_update=True)
    if doubt is None or doubt.person != person:
        raise NotFound("没有这条报错。")
    if doubt.undone_at is not None:
        return
    if doubt.decided_at is not None or now - doubt.at > UNDO:
        raise IllegalMove("已经过了可以撤销的时间，请找班长或知识编辑解除。")
    doubt.undone_at = now
    audit.record(session, person, "qa.doubt_undone", doubt.qa_id)
    events.publish(session, "doubt", doubt.qa_id)


def decide(
    session: Session, qa_id: str, person: str, decision: Decision, why: str, now: datetime | None = None
) -> None:
    """The end of every doubt about an item: it is paused, or it is right.

    Raises:
        NotFound: no such item.
        InvalidInput: no reason.
        IllegalMove: there is no doubt about it any more.
    """
    now = now or utcnow()
    if not why.strip():
        raise InvalidInput("请写明理由。")
    qa = session.get(QA, qa_id)
    if qa is None:
        raise NotFound("没有这条知识。")
    decided = (
        update(Doubt)
        .where(Doubt.qa_id == qa_id, _open())
        .values(decided_at=now, decided_by=person, decision=decision, why=why.strip())
    )
    if not database.rows_changed(session, decided):
        raise IllegalMove("这一条已经有人处理了。")
    session.expire_all()
    if decision == "pause" and qa.status == "approved":
        knowledge.pause(session, qa_id, person, why=why.strip(), now=now)
    audit.record(session, person, f"qa.doubt_{decision}", qa_id, why=why.strip())
    events.publish(session, "doubt", qa_id)


def unreminded(session: Session, now: datetime) -> Sequence[str]:
    """Ids of the reports that nobody has decided about for too long, and that were not reminded of."""
    return session.scalars(select(Doubt.id).where(_open(), Doubt.reminded_at.is_(None), Doubt.at < now - LATE)).all()


def remind(session: Session, doubt_id: str, now: datetime) -> None:
    """Tell the pages of one that has waited too long; once."""
    doubt = session.get(Doubt, doubt_id, with_for_update=True)
    if doubt is not None and doubt.reminded_at is None and doubt.decided_at is None and doubt.undone_at is None:
        doubt.reminded_at = now
        events.publish(session, "doubt", doubt.qa_id, late=True)


# --- reading ---------------------------------------------------------------------------------------------------------


def doubted(session: Session, qa_ids: Collection[str]) -> frozenset[str]:
    """Those of the items that are 存疑 now."""
    if not qa_ids:
        return frozenset()
    marked = select(Doubt.qa_id).where(Doubt.qa_id.in_(qa_ids), Doubt.marks, _open())
    return frozenset(session.scalars(marked))


@dataclass(frozen=True)
class Doubted:
    """An item about which there is a doubt, and all open reports on it, the oldest first."""

    qa: QA
    reports: Sequence[Doubt]

    @property
    def marked(self) -> bool:
        """Whether citizens and desks see that it is being checked."""
        return any(one.marks for one in self.reports)

    def late(self, now: datetime) -> bool:
        """Whether it has waited too long for somebody to decide."""
        return self.reports[0].at < now - LATE


def waiting(session: Session, offset: int = 0, limit: int = 20) -> tuple[list[Doubted], int]:
    """Items with open reports, those that are marked first, then the longest-waiting; and how many there are."""
    since, marked = func.min(Doubt.at), func.count().filter(Doubt.marks) > 0
    grouped = select(Doubt.qa_id).join(QA, QA.id == Doubt.qa_id).where(_open()).group_by(Doubt.qa_id)
    total = session.scalar(select(func.count()).select_from(grouped.subquery())) or 0
    ids = session.scalars(grouped.order_by(marked.desc(), since, Doubt.qa_id).offset(offset).limit(limit)).all()
    items = knowledge.get_many(session, ids)
    rows = session.scalars(select(Doubt).where(Doubt.qa_id.in_(ids), _open()).order_by(Doubt.at, Doubt.id)).all()
    return [Doubted(items[id_], [row for row in rows if row.qa_id == id_]) for id_ in ids if id_ in items], total


@dataclass(frozen=True)
class Standing:
    """How many doubts there are, and whether one has waited too long."""

    items: int
    late: bool


def standing(session: Session, now: datetime) -> Standing:
    """What the menu shows."""
    items, oldest = session.execute(
        select(func.count(Doubt.qa_id.distinct()), func.min(Doubt.at)).join(QA, QA.id == Doubt.qa_id).where(_open())
    ).one()
    return Standing(items, oldest is not None and oldest < now - LATE)


@dataclass(frozen=True)
class Reporter:
    """What one person has reported in the last shift."""

    person: str
    reports: int
    unmarked: int
    """Beyond their bound"""
    paused: int
    """Whose items were paused for it"""
    cleared: int


def by_person(session: Session, now: datetime) -> list[Reporter]:
    """Who has reported how much in the last shift, the most first; what was taken back does not count."""
    rows = session.execute(
        select(
            Doubt.person,
            func.count(),
            func.count().filter(Doubt.marks.is_(False)),
            func.count().filter(Doubt.decision == "pause"),
            func.count().filter(Doubt.decision == "clear"),
        )
        .where(Doubt.at > now - SHIFT, Doubt.undone_at.is_(None))
        .group_by(Doubt.person)
        .order_by(func.count().desc(), Doubt.person)
        .limit(100)
    )
    return [Reporter(*row) for row in rows]
