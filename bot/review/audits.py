"""The audit sample (抽查): answers drawn by lot, whatever came of them.  It alone tells how many answers are wrong: complaints don't.

Drawn are the lowest hashes among the answers of the last days, so each answer is as likely as any other, and drawing again gives the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import nsmallest

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from bot import asked, audit, events, knowledge
from bot.accounts.roles import APPROVER, EDITOR, SUPERVISOR
from bot.clock import utcnow
from bot.errors import InvalidInput, NotFound
from bot.models.asked import Asked
from bot.models.review import ReviewAudit

VERDICTS = {"right": "答对了", "wrong": "答错了", "unclear": "看不出"}
DRAWN, DAYS = 100, 28
"""So many of the answers of so many days"""


def draw(session: Session, now: datetime) -> int:
    """Bring the sample up to date; how many answers it is drawn from.  What was drawn once and is no more is forgotten unless it is judged."""
    answered = select(Asked.id).where(
        Asked.at >= now - timedelta(days=DAYS), Asked.certainty.is_not(None), Asked.source == asked.CITIZEN
    )
    ids = session.scalars(answered).all()
    drawn = dict(nsmallest(DRAWN, ((lot(id_), id_) for id_ in ids)))
    known = set(session.scalars(select(ReviewAudit.asked_id)))
    session.add_all(ReviewAudit(asked_id=id_, lot=own) for own, id_ in drawn.items() if id_ not in known)
    unjudged = ReviewAudit.verdict.is_(None), ReviewAudit.asked_id.not_in(drawn.values())
    session.execute(delete(ReviewAudit).where(*unjudged))
    return len(ids)


def lot(asked_id: str) -> str:
    """By which it is drawn."""
    return hashlib.sha256(f"audit {asked_id}".encode()).hexdigest()


@dataclass(frozen=True)
class Sample:
    """An answer of the sample."""

    row: ReviewAudit
    asked: Asked


def sample(session: Session, *, judged: bool = False, offset: int = 0, limit: int = 30) -> tuple[list[Sample], int]:
    """Those that wait to be judged, or that were; and how many there are."""
    which = ReviewAudit.verdict.is_not(None) if judged else ReviewAudit.verdict.is_(None)
    total = session.scalar(select(func.count()).select_from(ReviewAudit).where(which)) or 0
    query = select(ReviewAudit, Asked).join(Asked, Asked.id == ReviewAudit.asked_id).where(which)
    rows = session.execute(query.order_by(ReviewAudit.lot).offset(offset).limit(limit)).all()
    return [Sample(row, one) for row, one in rows], total


def judge(session: Session, asked_id: str, verdict: str, by: str, now: datetime | None = None) -> ReviewAudit:
    """Somebody says whether the answer was right; said again, the last word counts.

    Raises:
        NotFound: it was not drawn.
        InvalidInput: no such verdict.
    """
    knowledge.permit(session, by, frozenset({SUPERVISOR, EDITOR, APPROVER}))
    if verdict not in VERDICTS:
        raise InvalidInput(f"请选：{'、'.join(VERDICTS.values())}。")
    row = session.get(ReviewAudit, asked_id, with_for_update=True)
    if row is None:
        raise NotFound("这条提问没有抽到，或者已经到期清除。")
    row.verdict, row.by, row.at = verdict, by, now or utcnow()
    audit.record(session, by, "review.judge", asked_id, verdict=verdict)
    events.publish(session, "learning", "sample")
    return row


@dataclass(frozen=True)
class Counted:
    """The sample as it stands: the lowest lots of the last days, so none is likelier to be in it than another."""

    drawn: int
    judged: int
    wrong: int


def estimate_of(session: Session, now: datetime) -> Counted:
    """What was judged among those that are drawn today."""
    since = now - timedelta(days=DAYS)
    query = select(ReviewAudit.lot, ReviewAudit.verdict).join(Asked, Asked.id == ReviewAudit.asked_id)
    rows: Sequence[tuple[str, str | None]] = [
        (own, verdict) for own, verdict in session.execute(query.where(Asked.at >= since).order_by(ReviewAudit.lot))
    ][:DRAWN]
    judged = [verdict for _, verdict in rows if verdict in ("right", "wrong")]
    return Counted(len(rows), len(judged), judged.count("wrong"))
