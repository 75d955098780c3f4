"""Retention and erasure: what citizens said is removed when its time is over.  Tickets are records and stay."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from bot.models import Conversation, InboxMessage, OutboxMessage, Rating, TurnEffect

_BATCH = 500


def purge(session: Session, now: datetime, days: int) -> int:
    """Remove conversations that have been silent for ``days``, with every message, turn and rating in them.

    At most a batch a call, so that the transaction stays short.

    Returns:
        How many conversations were removed; fewer than a batch means that nothing is left to do.
    """
    old = list(
        session.scalars(
            select(Conversation.id).where(Conversation.active_at < now - timedelta(days=days)).limit(_BATCH)
        )
    )
    if not old:
        return 0
    said = select(InboxMessage.turn_id).where(InboxMessage.conversation_id.in_(old))
    session.execute(delete(Rating).where(Rating.turn_id.in_(said)))
    session.execute(delete(TurnEffect).where(TurnEffect.turn_id.in_(said)))
    session.execute(delete(OutboxMessage).where(OutboxMessage.conversation_id.in_(old)))
    session.execute(delete(InboxMessage).where(InboxMessage.conversation_id.in_(old)))
    session.execute(delete(Conversation).where(Conversation.id.in_(old)))
    return len(old)
