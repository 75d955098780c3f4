"""Retention and erasure: what citizens said is removed when its time is over, or when they ask for it.

Tickets are records and stay; what ties them to the conversation goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from bot.models import ChannelUser, Conversation, InboxMessage, OutboxMessage, Rating, Ticket, TurnEffect

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
    if old:
        erase(session, old)
    return len(old)


def erase(session: Session, conversation_ids: Sequence[str]) -> None:
    """Remove conversations with every message, reply, turn and rating in them, and who they belong to on a channel.

    A turn that is being answered meanwhile finds no conversation to write to.  A ticket keeps its masked transcript.
    """
    gone = list(conversation_ids)
    said = select(InboxMessage.turn_id).where(InboxMessage.conversation_id.in_(gone))
    for statement in (
        update(Ticket).where(Ticket.conversation_id.in_(gone)).values(conversation_id=None, turn_id=None),
        delete(Rating).where(Rating.turn_id.in_(said)),
        delete(TurnEffect).where(TurnEffect.turn_id.in_(said)),
        delete(OutboxMessage).where(OutboxMessage.conversation_id.in_(gone)),
        delete(InboxMessage).where(InboxMessage.conversation_id.in_(gone)),
        delete(ChannelUser).where(ChannelUser.conversation_id.in_(gone)),
        delete(Conversation).where(Conversation.id.in_(gone)),
    ):
        session.execute(statement.execution_options(synchronize_session=False))
