"""The desk: who is on duty, who has which conversation, and what they say in it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bot import audit, conversations
from bot.clock import utcnow
from bot.errors import IllegalMove
from bot.models.conversations import Conversation, OutboxMessage
from bot.models.people import Agent
from bot.replies import Reply


def set_duty(session: Session, agent: str, until: datetime | None) -> None:
    """An agent is on duty until a time; ``None`` takes them off."""
    row = session.get(Agent, agent)
    if row is None:
        session.add(Agent(name=agent, on_duty_until=until))
    else:
        row.on_duty_until = until
    audit.record(session, agent, "duty", agent, until=until.isoformat() if until else None)


def on_duty(session: Session, now: datetime | None = None) -> bool:
    """Whether any agent is on duty."""
    return session.scalar(select(Agent.name).where(Agent.on_duty_until > (now or utcnow())).limit(1)) is not None


def claim(session: Session, conversation_id: str, agent: str) -> None:
    """An agent takes a waiting conversation: one atomic update, so two cannot both get it.

    Raises:
        IllegalMove: it isn't waiting (any more).
    """
    got = session.execute(
        update(Conversation)
        .where(Conversation.id == conversation_id, Conversation.state == "waiting")
        .values(state="human", agent=agent)
        .returning(Conversation.id)
    ).first()
    if got is None:
        raise IllegalMove("这个会话已经有人接了，或者市民没有在等人工。")
    audit.record(session, agent, "conversation.claim", conversation_id)


def speak(session: Session, conversation_id: str, agent: str, replies: list[Reply]) -> OutboxMessage:
    """An agent's words to the citizen.  Raises: IllegalMove if the agent does not have the conversation."""
    conversation = conversations.lock(session, conversation_id)
    if conversation.state != "human" or conversation.agent != agent:
        raise IllegalMove("请先接入这个会话，再回复市民。")
    return conversations.say(session, conversation, replies, sender="agent")


def release(session: Session, conversation_id: str, agent: str) -> None:
    """The agent closes the conversation; the citizen's next message opens a new session.  Raises: IllegalMove."""
    conversation = conversations.lock(session, conversation_id)
    if conversation.state != "human" or conversation.agent != agent:
        raise IllegalMove("这个会话不在您手上。")
    conversation.state, conversation.agent = "closed", None
    audit.record(session, agent, "conversation.close", conversation_id)
