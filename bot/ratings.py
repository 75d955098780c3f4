"""Ratings: a citizen's 有用/没用 on a reply."""

from __future__ import annotations

from sqlalchemy.orm import Session

from bot import asked
from bot.clock import utcnow
from bot.errors import NotFound
from bot.models.conversations import Rating, TurnEffect


def rate(session: Session, turn_id: str, helpful: bool, reason: str | None, qa_id: str | None = None) -> None:
    """Keep a citizen's 有用/没用 on a turn; a later word replaces an earlier one.  Raises: NotFound."""
    effect = session.get(TurnEffect, turn_id)
    if effect is None:
        raise NotFound("没有可以评价的回复。")
    asked.rated(session, turn_id, helpful)
    rating = session.get(Rating, turn_id)
    if rating is None:
        session.add(
            Rating(turn_id=turn_id, helpful=helpful, reason=reason, qa_id=qa_id or effect.qa_id, created_at=utcnow())
        )
    else:
        rating.helpful, rating.reason, rating.created_at = helpful, reason, utcnow()
