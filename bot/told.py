"""Whether those whom a recall is for have been told: each way in which something reaches a citizen says so here.

It lies below whatever sends, and knows nothing of it but ids.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Select, exists, select
from sqlalchemy.orm import Session

from bot import events, jobs
from bot.models.conversations import OutboxMessage
from bot.models.recalls import Recall, RecallTarget

WAITING, SENT, SEEN, CALLBACK, UNREACHABLE = "waiting", "sent", "seen", "callback", "unreachable"
STATES = {WAITING: "待发送", SENT: "尚未看到", SEEN: "已告知", CALLBACK: "待回拨", UNREACHABLE: "告知不到"}
"""Nothing was sent yet; it was, and nobody knows whether they have seen it; they have got it; somebody is to call; there is no way"""
DRAFT, APPROVED, DONE, CALLED_OFF = "draft", "approved", "done", "called_off"
FORGOTTEN = "电话已按本人的要求删除"
KIND = "recall"
"""The job that tells them"""


def unread(session: Session, conversation_id: str, after: int) -> bool:
    """Whether a citizen who has read up to a message has so seen a correction for the first time."""
    return session.scalar(_read(conversation_id, after).limit(1)) is not None


def read(session: Session, conversation_id: str, after: int, now: datetime) -> None:
    """A citizen has read up to the message with this number."""
    _become(session, _read(conversation_id, after), SEEN, now)


def _read(conversation_id: str, after: int) -> Select[RecallTarget]:
    """By the index on key and state: most conversations have none."""
    return (
        select(RecallTarget)
        .join(OutboxMessage, OutboxMessage.id == RecallTarget.message)
        .where(RecallTarget.key == conversation_id, RecallTarget.state == SENT, OutboxMessage.seq <= after)
    )


def ticket_read(session: Session, number: str, now: datetime) -> None:
    """A citizen has looked at their ticket."""
    mine = RecallTarget.kind == "ticket", RecallTarget.key == number, RecallTarget.how == "progress"
    _become(session, select(RecallTarget).where(*mine, RecallTarget.state == SENT), SEEN, now)


def arrived(session: Session, message: str, now: datetime) -> None:
    """A message, a short message or a call has got there."""
    _become(session, _of(message), SEEN, now)


def failed(session: Session, message: str, reason: str, now: datetime) -> None:
    """A short message did not get there: somebody is to call."""
    for target in _become(
        session, _of(message), WAITING, now, how="callback", reason=reason, message=None, sent_at=None
    ):
        recall = session.get_one(Recall, target.recall_id, with_for_update=True)
        recall.state, recall.ended_at = APPROVED, None
        jobs.request_once(session, KIND, jobs.SYSTEM)


def lost(session: Session, message: str, reason: str, now: datetime) -> None:
    """There is no way any more."""
    _become(session, _of(message), UNREACHABLE, now, reason=reason)


def let_go(session: Session, conversation_id: str) -> None:
    """No person has the conversation any more: what waited for that is told now."""
    waits = RecallTarget.key == conversation_id, RecallTarget.state == WAITING
    mine = exists().where(*waits, Recall.id == RecallTarget.recall_id, Recall.state == APPROVED)
    if session.scalar(select(mine)):
        jobs.request_once(session, KIND, jobs.SYSTEM)


def _of(message: str) -> Select[RecallTarget]:
    return select(RecallTarget).where(RecallTarget.message == message, RecallTarget.state.in_((SENT, CALLBACK)))


def _become(
    session: Session, which: Select[RecallTarget], state: str, now: datetime, **values: Any
) -> list[RecallTarget]:
    session.flush()
    found = list(session.scalars(which.with_for_update(of=RecallTarget)))
    for target in found:
        target.state = state
        if state == SEEN:
            target.seen_at = now
        for name, value in values.items():
            setattr(target, name, value)
    for recall in {target.recall_id for target in found}:
        events.publish(session, "recall", recall)
    return found
