"""Questions that nothing came of: asked back and left there, an offered ticket not taken, nothing found.

Nothing is stored for it: a turn says how it was decided, and the turn after it whether the citizen took it up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, aliased

from bot.conversations import TRIAL
from bot.models.conversations import Conversation, InboxMessage, TurnEffect

CAME_OF = {
    "clarify": "反问了，市民没有选",
    "offer": "没有依据，市民没有登记",
    "passages": "给了政策原文，没有审核过的答案",
    "not_ours": "答了不在服务范围",
}
"""The decisions that leave a question open, and what the staff reads of each"""

QUIET = timedelta(minutes=10)
"""So long a citizen may still reply"""

_REPLIES = ("option", "offer", "region", "contact")
"""Steps that take what is said as the reply to what was open; whatever comes of it, the question goes on there"""


@dataclass(frozen=True)
class Unanswered:
    """A question that nothing came of."""

    turn_id: str
    conversation_id: str
    at: datetime
    question: str
    """Not masked"""
    came_of: str
    """See ``CAME_OF``"""


def unanswered(session: Session, now: datetime, *, days: int = 7, limit: int = 100) -> list[Unanswered]:
    """Questions of the last days that ended neither in an answer nor in a ticket, the newest first.

    Args:
        limit: so many of the turns that left something open are looked at.
    """
    after = func.lead(TurnEffect.turn_id).over(partition_by=TurnEffect.conversation_id, order_by=InboxMessage.seq)
    turns = (
        select(TurnEffect.turn_id, after.label("next"))
        .join(InboxMessage, InboxMessage.turn_id == TurnEffect.turn_id)
        .join(Conversation, Conversation.id == TurnEffect.conversation_id)
        .where(TurnEffect.settled_at >= now - timedelta(days=days), Conversation.channel != TRIAL)
        .subquery()
    )
    reply = aliased(TurnEffect)
    rows = session.execute(
        select(TurnEffect, InboxMessage, reply)
        .join(turns, turns.c.turn_id == TurnEffect.turn_id)
        .join(InboxMessage, InboxMessage.turn_id == TurnEffect.turn_id)
        .outerjoin(reply, reply.turn_id == turns.c.next)
        .where(TurnEffect.decision.in_(CAME_OF), or_(turns.c.next.is_not(None), TurnEffect.settled_at < now - QUIET))
        .order_by(TurnEffect.settled_at.desc())
        .limit(limit)
    )
    return [
        Unanswered(
            effect.turn_id,
            effect.conversation_id,
            message.received_at,
            str((effect.explain or {}).get("open") or message.text),
            CAME_OF[effect.decision],
        )
        for effect, message, then in rows
        if then is None or not _takes_up(then)
    ]


def _takes_up(then: TurnEffect) -> bool:
    """Whether the question before goes on in this turn: it was replied to, or handed to a person."""
    step = (then.explain or {}).get("step")
    if then.decision in ("ticket", "handover"):
        return step in (*_REPLIES, "human", "act")
    return step in _REPLIES and then.decision != "text"
