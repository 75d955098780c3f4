"""What rises (新事项, 集中询问): more people ask about one thing than usual.  The job worker finds it; people say what it was.

An alarm is raised once, grows while it goes on, and ends by itself.  Somebody has seen it; somebody says that it was one, perhaps with a
draft of the answer, or that it was none: a false alarm, which is counted.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from bot import audit, database, events, knowledge, places, regions
from bot.clock import utcnow
from bot.errors import IllegalMove, InvalidInput, NotFound
from bot.models.asked import Asked
from bot.models.surges import Surge, SurgeMember
from bot.settings import get_settings

State = Literal["going", "open", "judged"]
STATES: tuple[State, ...] = ("going", "open", "judged")
"""Going on and not judged; not judged yet; judged"""
EXAMPLES = 6
"""Different texts that are shown"""
TREND_MIN = 60
"""Minutes of the trend, at most: the last ones"""
FIGURES_DAYS = 30
_READ = 300
"""Questions of one that are read for its examples and places, the last ones"""
_LONGEST = 200


@dataclass(frozen=True)
class Found:
    """What was found of one that rises."""

    qa_id: str | None
    began_at: datetime
    last_at: datetime
    persons: int
    minutes: int
    expected: float
    surprise: float
    example: str
    asked: Sequence[str]
    """Its questions"""


# --- the watch's moves -----------------------------------------------------------------------------------------------


def raise_(session: Session, found: Found, now: datetime) -> Surge:
    """A new alarm; questions that were another one's come over."""
    surge = Surge(
        id=uuid.uuid4().hex,
        qa_id=found.qa_id,
        began_at=found.began_at,
        raised_at=now,
        last_at=found.last_at,
        persons=found.persons,
        minutes=found.minutes,
        expected=found.expected,
        surprise=found.surprise,
        example=found.example,
    )
    session.add(surge)
    _join(session, surge.id, found.asked)
    audit.record(
        session, "系统", "surge.raised", surge.id, persons=found.persons, minutes=found.minutes, qa=found.qa_id
    )
    events.publish(session, "surge", surge.id)
    return surge


def grow(session: Session, surge_id: str, asked: Sequence[str], persons: int, last_at: datetime) -> None:
    """More people ask about it; it goes on, even if it had ended."""
    _join(session, surge_id, asked)
    values = {"persons": persons, "last_at": last_at, "ended_at": None}
    session.execute(update(Surge).where(Surge.id == surge_id).values(values))
    events.publish(session, "surge", surge_id)


def end(session: Session, surge_id: str, now: datetime) -> None:
    """Nobody asks about it any more."""
    session.execute(update(Surge).where(Surge.id == surge_id).values(ended_at=now))
    events.publish(session, "surge", surge_id)


def _join(session: Session, surge_id: str, asked: Sequence[str]) -> None:
    there = sorted(session.scalars(select(Asked.id).where(Asked.id.in_(asked)).with_for_update(read=True)))
    session.execute(delete(SurgeMember).where(SurgeMember.asked_id.in_(there)))
    session.add_all(SurgeMember(asked_id=one, surge_id=surge_id) for one in there)
    session.flush()


def standing(session: Session, since: datetime) -> Sequence[Surge]:
    """Those with a question since then, judged or not."""
    return session.scalars(select(Surge).where(Surge.last_at >= since).order_by(Surge.raised_at, Surge.id)).all()


# --- people's moves --------------------------------------------------------------------------------------------------


def get(session: Session, surge_id: str) -> Surge:
    """One, locked.  Raises: NotFound."""
    surge = session.get(Surge, surge_id, with_for_update=True, populate_existing=True)
    if surge is None:
        raise NotFound("没有这条提醒。")
    return surge


def seen(session: Session, surge_id: str, by: str, now: datetime | None = None) -> None:
    """Somebody has seen it; the first one counts.  Raises: NotFound."""
    surge = get(session, surge_id)
    if surge.seen_at is None:
        surge.seen_by, surge.seen_at = by, now or utcnow()
        audit.record(session, by, "surge.seen", surge_id)
        events.publish(session, "surge", surge_id)


def judge(
    session: Session,
    surge_id: str,
    by: str,
    *,
    real: bool,
    why: str = "",
    question: str | None = None,
    answer: str | None = None,
    now: datetime | None = None,
) -> Surge:
    """Somebody says whether it was one.

    Args:
        question: with ``answer``: makes a draft of an item, which another person has to approve before it answers anybody.

    Raises:
        NotFound: no such alarm.
        IllegalMove: somebody has said so already.
        InvalidInput: a draft without its answer, or of a false alarm.
        Forbidden: the person may not write drafts.
    """
    now = now or utcnow()
    surge = get(session, surge_id)
    if surge.real is not None:
        raise IllegalMove("已经有人处理过这条提醒。")
    if question is not None:
        text, said = " ".join(question.split())[:_LONGEST], (answer or "").strip()
        if not real or not text or not said:
            raise InvalidInput("要新建问答，请写问题和答案，哪怕只有一句；依据可以在知识里补。")
        home = region_of(session, surge_id) or get_settings().region or regions.NATION
        surge.draft = knowledge.propose(session, text, said, by, home, now).id
    surge.real, surge.judged_by, surge.judged_at, surge.why = real, by, now, why.strip()[:_LONGEST] or None
    if surge.seen_at is None:
        surge.seen_by, surge.seen_at = by, now
    audit.record(
        session, by, "surge.real" if real else "surge.false", surge_id, persons=surge.persons, draft=surge.draft
    )
    events.publish(session, "surge", surge_id)
    return surge


# --- reading ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shown:
    """An alarm with what people said."""

    row: Surge
    text: str
    """In its middle, masked; empty: erased"""
    examples: Sequence[str]
    """Others, different ones, the last first"""
    places: Sequence[tuple[str, int]]
    """Names that several give, and how many"""
    region: str | None
    """Where most of them are, if that is known"""
    questions: int
    trend: Sequence[int]
    """Questions in each minute up to its last one, the oldest first"""


def listed(session: Session, state: State, offset: int = 0, limit: int = 20) -> tuple[list[Shown], int]:
    """Those that most people ask about first; judged ones the newest first.  And how many there are."""
    query = select(Surge).where(*_in(state))
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    order = (Surge.judged_at.desc(),) if state == "judged" else (Surge.ended_at.is_not(None), Surge.persons.desc())
    rows = session.scalars(query.order_by(*order, Surge.id).offset(offset).limit(limit)).all()
    return [shown(session, row) for row in rows], total


def _in(state: State) -> tuple[ColumnElement[bool], ...]:
    if state == "judged":
        return (Surge.real.is_not(None),)
    return (Surge.real.is_(None), Surge.ended_at.is_(None)) if state == "going" else (Surge.real.is_(None),)


def shown(session: Session, row: Surge) -> Shown:
    """One with what people said, as far as it was not erased."""
    members = select(Asked).join(SurgeMember, SurgeMember.asked_id == Asked.id).where(SurgeMember.surge_id == row.id)
    said = session.scalars(members.order_by(Asked.at.desc(), Asked.id).limit(_READ)).all()
    example = next((one for one in said if one.id == row.example), None) or session.scalar(
        members.where(Asked.id == row.example)
    )
    example = example or (said[0] if said else None)
    text = str(example.said["text"]) if example else ""
    texts = list(dict.fromkeys(str(one.said["text"]) for one in said if one.said["text"] != text))
    named = places.named({one.person or one.id: str(one.said["text"]) for one in said})
    since = row.last_at - timedelta(minutes=TREND_MIN)
    when = session.scalars(
        select(Asked.at)
        .join(SurgeMember, SurgeMember.asked_id == Asked.id)
        .where(SurgeMember.surge_id == row.id, Asked.at > since)
    ).all()
    total = session.scalar(select(func.count()).select_from(SurgeMember).where(SurgeMember.surge_id == row.id)) or 0
    return Shown(
        row,
        text,
        texts[:EXAMPLES],
        [(one.name, len(one.named_by)) for one in named[:3]],
        _most(said),
        total,
        _trend(when, row.last_at),
    )


def _trend(when: Sequence[datetime], last: datetime) -> list[int]:
    ages = Counter(int((last - at).total_seconds() // 60) for at in when)
    return [ages[age] for age in range(min(max(ages, default=0), TREND_MIN - 1), -1, -1)]


def _most(said: Sequence[Asked]) -> str | None:
    """The region of at least half of those whose region is known."""
    known = Counter(one.region for one in said if one.region)
    region, count = known.most_common(1)[0] if known else (None, 0)
    return region if 2 * count >= known.total() and count >= 3 else None


def region_of(session: Session, surge_id: str) -> str | None:
    """Where most of those who ask are, if that is known."""
    members = select(Asked).join(SurgeMember, SurgeMember.asked_id == Asked.id).where(SurgeMember.surge_id == surge_id)
    return _most(session.scalars(members.limit(_READ)).all())


@dataclass(frozen=True)
class Figures:
    """What came of those that were raised in the last 30 days."""

    raised: int
    real: int
    false: int
    waiting: int
    """That nobody has judged"""


def figures(session: Session, now: datetime) -> Figures:
    """Counted from the rows."""
    raised, real, false = session.execute(
        select(
            func.count(), func.count().filter(Surge.real.is_(True)), func.count().filter(Surge.real.is_(False))
        ).where(Surge.raised_at > now - timedelta(days=FIGURES_DAYS))
    ).one()
    return Figures(raised, real, false, raised - real - false)


def purge(session: Session, now: datetime, days: int) -> int:
    """Remove alarms whose questions are gone by their age; how many."""
    return database.rows_changed(session, delete(Surge).where(Surge.last_at < now - timedelta(days=days)))
