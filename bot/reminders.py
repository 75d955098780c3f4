"""One reminder to a citizen who was asked back, offered a ticket or shown a likely answer, and says nothing.

Nothing is stored for it: a silence is a turn's reply after which nothing came, and a reminder is a message after it, of no turn.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Select, and_, select
from sqlalchemy.orm import Session

from bot import conversations, database
from bot.clock import SHANGHAI
from bot.expects import Offer, Options
from bot.models.conversations import ChannelUser, Conversation, OutboxMessage, TurnEffect
from bot.replies import TextReply

WORDS = "您刚才问的还没有答上。可以换句话再说一遍，或回复“登记”，我们请工作人员答复您。"
OPEN = ("clarify", "offer", "answer")
"""Decisions that may leave a question open; after any other, as of a word of thanks, the citizen has reacted"""
DAY = range(7, 22)
"""The hours, in China, in which a reminder may go out"""
LATE = timedelta(hours=1)
"""Who should have been reminded longer ago is left in peace: it is not 刚才 any more"""
STALE = timedelta(minutes=5)
"""A reminder that could not go out for so long does not go out"""
SPARE = 1
"""So many pushes are left for what people, or a ticket, have to say"""


def remind(channel: str, quiet: timedelta, now: datetime) -> int:
    """Put a reminder into the outbox for everybody who has said nothing for ``quiet``; for how many."""
    if not _by_day(now):
        return 0
    query = _silent(channel, quiet, now)
    with database.read() as session:
        found = [one.id for one in session.scalars(query) if _waits(one)]
    count = 0
    for id_ in found:
        with database.write() as session:
            # Looked at again under its lock: the citizen, or another gateway, may have been faster.
            silent = session.scalar(query.where(Conversation.id == id_).with_for_update(of=Conversation))
            if silent is not None:
                conversations.say(session, silent, [TextReply(text=WORDS)], sender="bot", now=now)
                count += 1
    return count


def _silent(channel: str, quiet: timedelta, now: datetime) -> Select[Conversation]:
    """Conversations with the assistant whose last word is a turn's reply that the citizen got, and that may be pushed to."""
    last = and_(OutboxMessage.conversation_id == Conversation.id, OutboxMessage.seq == Conversation.seq)
    return (
        select(Conversation)
        .join(OutboxMessage, last)
        .join(TurnEffect, TurnEffect.turn_id == OutboxMessage.turn_id)
        .join(ChannelUser, ChannelUser.conversation_id == Conversation.id)
        .where(
            Conversation.channel == channel,
            Conversation.state == "bot",
            Conversation.active_at >= now - quiet - LATE,
            OutboxMessage.status == "delivered",
            OutboxMessage.delivered_at <= now - quiet,
            TurnEffect.decision.in_(OPEN),
            ChannelUser.push_until > now,
            ChannelUser.pushes_left > SPARE,
        )
    )


def _waits(conversation: Conversation) -> bool:
    """Whether a question was asked back, offered to be registered, or answered as likely."""
    return isinstance(conversations.context_of(conversation).expects, Options | Offer)


def _by_day(now: datetime) -> bool:
    return now.astimezone(SHANGHAI).hour in DAY


def is_reminder(message: OutboxMessage) -> bool:
    """Whether a message out is one."""
    return message.sender == "bot" and message.turn_id is None


def still_fits(session: Session, reminder: OutboxMessage, user: ChannelUser, now: datetime) -> bool:
    """Whether a reminder may go out now: by day, at once, and nothing has happened since it was put into the outbox."""
    conversation = session.get_one(Conversation, reminder.conversation_id)
    untouched = conversation.state == "bot" and conversation.seq == reminder.seq
    return untouched and _by_day(now) and now - reminder.created_at < STALE and user.pushes_left > SPARE
