"""What happens to conversations by itself: nobody answers, nobody is there, the citizen is silent.

All of it is read from rows, so that a process that was killed changes nothing: the next one finds the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from bot.desk import duty
from bot.models.conversations import Conversation
from bot.settings import Settings


def unanswered(session: Session, now: datetime, settings: Settings) -> Sequence[str]:
    """Whose agent owes them a word for too long, or has gone off duty; see ``takeover.give_back``."""
    on = [person.number for person in duty.on_duty(session, now)]
    late = Conversation.owed_since < now - answer_within(settings)
    gone = Conversation.agent.not_in(on)
    owed = Conversation.state == "human", Conversation.owed_since.is_not(None)
    return session.scalars(
        select(Conversation.id).where(*owed, or_(late, gone)).order_by(Conversation.owed_since)
    ).all()


def silent(session: Session, now: datetime, settings: Settings) -> Sequence[str]:
    """Whose citizen has said nothing since the agent's last word for too long; see ``takeover.end_silent``."""
    quiet = Conversation.state == "human", Conversation.quiet_since < now - silence(settings)
    return session.scalars(select(Conversation.id).where(*quiet)).all()


def unattended(session: Session, now: datetime) -> Sequence[str]:
    """Who waits though nobody on duty may take them."""
    waiting = session.scalars(select(Conversation).where(Conversation.state == "waiting")).all()
    if not waiting:
        return []
    here = duty.on_duty(session, now)
    return [one.id for one in waiting if not any(duty.serves(person, one.region, one.skill) for person in here)]


def answer_within(settings: Settings) -> timedelta:
    """How long a citizen who was taken waits for a word."""
    return timedelta(minutes=settings.desk_answer_minutes)


def silence(settings: Settings) -> timedelta:
    """How long an agent waits for a citizen's word."""
    return timedelta(minutes=settings.desk_silence_minutes)
