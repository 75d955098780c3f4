"""坐席护盾: an agent asks for civil words (请文明用语).

A supervisor is told at once.  The citizen is asked once, politely, when the agent can't take it back any more.  What the citizen says of
the service then counts for nobody's satisfaction.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot import audit, conversations, events
from bot.clock import utcnow
from bot.desk import takeover, words
from bot.errors import IllegalMove, NotFound
from bot.models.conversations import HumanService
from bot.models.desk import Kind, Shield
from bot.replies import TextReply

UNDO = timedelta(seconds=10)
"""So long the agent may take it back; then the citizen is asked"""
SHOWN = timedelta(hours=24)
"""So long it stands on the floor"""


def ask(session: Session, conversation_id: str, agent: str, now: datetime | None = None) -> Shield:
    """Mark a conversation; once a service, however often it is asked for.

    Raises: NotFound, IllegalMove: the agent does not have it.
    """
    conversation = takeover.held_by(session, conversation_id, agent)
    service = conversations.open_service(session, conversation.id)
    assert service is not None  # somebody has it
    made = mark(session, "conversation", conversation.id, agent, now or utcnow(), service=service.id)
    events.publish(session, "conversation", conversation.id, state=conversation.state)
    return made


def mark(
    session: Session, kind: Kind, subject: str, agent: str, now: datetime, *, service: str | None = None
) -> Shield:
    """Mark what the agent has in hand, and tell the supervisors; the caller has made sure that they have it, and holds its lock."""
    if (standing := of(session, subject, agent, service)) is not None:
        return standing
    made = Shield(id=uuid.uuid4().hex, kind=kind, subject=subject, service=service, person=agent, at=now)
    session.add(made)
    audit.record(session, agent, "desk.shield", subject, kind=kind)
    events.publish(session, "shield", made.id)
    return made


def of(session: Session, subject: str, agent: str, service: str | None = None) -> Shield | None:
    """The agent's mark on a conversation's service, or on a call."""
    own = Shield.subject == subject, Shield.person == agent, Shield.service == service, Shield.undone_at.is_(None)
    return session.scalar(select(Shield).where(*own).limit(1))


def undo(session: Session, shield_id: str, agent: str, now: datetime | None = None) -> None:
    """The agent takes it back.

    Raises:
        NotFound: no such mark of theirs.
        IllegalMove: too late.
    """
    now = now or utcnow()
    shield = session.get(Shield, shield_id, with_for_update=True)
    if shield is None or shield.person != agent:
        raise NotFound("没有这条记录。")
    if shield.undone_at is not None:
        return
    if shield.told_at is not None or now - shield.at > UNDO:
        raise IllegalMove("已经过了可以撤销的时间。")
    shield.undone_at = now
    audit.record(session, agent, "desk.shield_undone", shield.subject, kind=shield.kind)
    events.publish(session, "shield", shield.id)


def due(session: Session, now: datetime) -> Sequence[Shield]:
    """Those whose citizen is to be asked now: nobody took it back, and the same agent still has the conversation."""
    return session.scalars(
        select(Shield)
        .join(HumanService, HumanService.id == Shield.service)
        .where(Shield.told_at.is_(None), Shield.undone_at.is_(None), Shield.at < now - UNDO)
        .where(HumanService.ended_at.is_(None))
    ).all()


def tell(session: Session, shield_id: str, now: datetime) -> str | None:
    """Ask the citizen for civil words; the conversation's id, None where that is not to be done any more."""
    shield = session.get(Shield, shield_id)
    if shield is None:
        return None
    conversation = conversations.lock(session, shield.subject)
    shield = session.get_one(Shield, shield_id, with_for_update=True, populate_existing=True)
    service = session.get(HumanService, shield.service)
    if shield.told_at or shield.undone_at or service is None or service.ended_at is not None:
        return None
    shield.told_at = now
    conversations.say(session, conversation, [TextReply(text=words.CIVIL)], sender="system", now=now)
    return conversation.id


def seen(session: Session, shield_id: str, supervisor: str, now: datetime) -> None:
    """A supervisor has looked in; the first one counts.  Raises: NotFound."""
    shield = session.get(Shield, shield_id, with_for_update=True)
    if shield is None or shield.undone_at is not None:
        raise NotFound("没有这条记录。")
    if shield.seen_at is None:
        shield.seen_by, shield.seen_at = supervisor, now
        audit.record(session, supervisor, "desk.shield_seen", shield.subject, agent=shield.person)
        events.publish(session, "shield", shield.id)


def recent(session: Session, now: datetime, limit: int = 50) -> Sequence[Shield]:
    """For the floor: those that nobody has looked into first, then the newest."""
    shown = Shield.undone_at.is_(None), Shield.at > now - SHOWN
    return session.scalars(
        select(Shield).where(*shown).order_by(Shield.seen_at.is_not(None), Shield.at.desc()).limit(limit)
    ).all()


def count_unseen(session: Session, now: datetime) -> int:
    """How many no supervisor has looked into yet."""
    unseen = Shield.undone_at.is_(None), Shield.seen_at.is_(None), Shield.at > now - SHOWN
    return session.scalar(select(func.count()).select_from(Shield).where(*unseen)) or 0


def excluded(session: Session, services: Collection[str]) -> frozenset[str]:
    """Those of the services whose ratings say nothing about the agent."""
    marked = select(Shield.service).where(Shield.service.in_(services), Shield.undone_at.is_(None))
    return frozenset(one for one in session.scalars(marked) if one)
