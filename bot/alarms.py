"""Alarms: the dangers that were heard, for people on duty to see first, and for the duty phone to be told of.

An alarm says in which conversation, of what kind and when; never what was said.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot import audit, events
from bot.errors import NotFound
from bot.models.conversations import Alarm
from bot.replies import EmergencyReply

log = structlog.get_logger(__name__)


def raise_(session: Session, conversation_id: str, turn_id: str, reply: EmergencyReply, now: datetime) -> None:
    """Note that a turn was answered with the card or the caring question."""
    session.add(
        Alarm(turn_id=turn_id, conversation_id=conversation_id, kind=reply.kind, possible=reply.possible, at=now)
    )
    events.publish(session, "danger", turn_id)
    log.warning("danger.heard", kind=reply.kind, possible=reply.possible, conversation=conversation_id, turn=turn_id)


def unseen(session: Session, limit: int = 100) -> Sequence[Alarm]:
    """Alarms that nobody has seen yet: the certain ones first, the newest first."""
    return session.scalars(
        select(Alarm).where(Alarm.seen_at.is_(None)).order_by(Alarm.possible, Alarm.at.desc()).limit(limit)
    ).all()


def count_unseen(session: Session) -> int:
    """How many nobody has seen yet."""
    return session.scalar(select(func.count()).select_from(Alarm).where(Alarm.seen_at.is_(None))) or 0


def seen(session: Session, turn_id: str, agent: str, now: datetime) -> None:
    """An agent has seen to an alarm; the first one counts.  Raises: NotFound."""
    alarm = session.get(Alarm, turn_id, with_for_update=True)
    if alarm is None:
        raise NotFound("没有这条险情。")
    if alarm.seen_at is None:
        alarm.seen_by, alarm.seen_at = agent, now
        events.publish(session, "danger", turn_id)
        audit.record(session, agent, "danger.seen", alarm.conversation_id, kind=alarm.kind)


def untold(session: Session, since: datetime, limit: int = 20) -> Sequence[Alarm]:
    """Alarms since then that the duty phone was not told of yet, the oldest first."""
    return session.scalars(
        select(Alarm).where(Alarm.told_at.is_(None), Alarm.at >= since).order_by(Alarm.at).limit(limit)
    ).all()
