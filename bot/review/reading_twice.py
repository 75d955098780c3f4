"""One decision in ten is read by a second person, who does not see what the first one made of it; how often they agree is shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot import audit, events, knowledge
from bot.accounts.roles import APPROVER, EDITOR, SUPERVISOR
from bot.clock import utcnow
from bot.errors import Forbidden, IllegalMove, InvalidInput
from bot.models.asked import Asked
from bot.models.review import ReviewDecision, ReviewMember
from bot.review.deciding import ACTIONS, SETTLING, decision

_WAITS = ReviewDecision.twice, ReviewDecision.second_by.is_(None), ReviewDecision.undone_at.is_(None)


def to_read(session: Session, by: str, offset: int = 0, limit: int = 30) -> tuple[list[ReviewDecision], int]:
    """What waits for a second reader other than whoever decided, the oldest first; and how many there are."""
    query = select(ReviewDecision).where(*_WAITS, ReviewDecision.by != by)
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    page = query.order_by(ReviewDecision.at, ReviewDecision.id).offset(offset).limit(limit)
    return list(session.scalars(page)), total


def words(session: Session, made: ReviewDecision) -> str:
    """What was decided about, masked: one of the questions, or the wording where they are gone."""
    first = select(Asked.said).join(ReviewMember, ReviewMember.asked_id == Asked.id)
    said = session.scalar(first.where(ReviewMember.decision == made.id).order_by(Asked.id).limit(1))
    return said["text"] if said else made.wording or ""


def read_again(
    session: Session,
    decision_id: str,
    by: str,
    action: str,
    *,
    qa_id: str | None = None,
    act: str | None = None,
    now: datetime | None = None,
) -> ReviewDecision:
    """What a second person would have made of it; nothing else changes.

    Raises:
        NotFound: no such decision.
        Forbidden: it is one's own.
        IllegalMove: it waits for no second reader.
        InvalidInput: no such action.
    """
    now = now or utcnow()
    knowledge.permit(session, by, frozenset({SUPERVISOR, EDITOR, APPROVER}))
    made = decision(session, decision_id)
    if action not in SETTLING:
        raise InvalidInput(f"复读请选：{'、'.join(ACTIONS[one] for one in ACTIONS if one in SETTLING)}。")
    if made.by == by:
        raise Forbidden("这是您自己处理的，要请另一位复读。")
    if not made.twice or made.second_by is not None or made.undone_at is not None:
        raise IllegalMove("这次处理不用再读了。")
    said: dict[str, Any] = {"action": action, "qa_id": qa_id, "act": act}
    made.second_by, made.second_at, made.second = by, now, said
    made.agrees = (
        action == made.action and (action != "wording" or qa_id == made.qa_id) and (action != "act" or act == made.act)
    )
    audit.record(session, by, "review.read_again", made.group_id, decision=made.id, agrees=made.agrees)
    events.publish(session, "learning", made.group_id)
    return made


@dataclass(frozen=True)
class Agreement:
    """Of the decisions that two have read."""

    read: int
    agreed: int
    waiting: int


def agreement(session: Session) -> Agreement:
    """How often two readers agreed; what was taken back does not count."""
    read, agreed = session.execute(
        select(func.count(), func.count().filter(ReviewDecision.agrees.is_(True))).where(
            ReviewDecision.second_by.is_not(None), ReviewDecision.undone_at.is_(None)
        )
    ).one()
    return Agreement(read, agreed, session.scalar(select(func.count()).select_from(ReviewDecision).where(*_WAITS)) or 0)
