"""Tables of what was said: conversations, messages in, effects, messages out, ratings."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import (
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base, Secret

State = Literal["bot", "waiting", "human", "closed"]
"""Who answers: the assistant; the assistant while a human was asked for; an agent; nobody, until a new session opens"""


class Conversation(Base):
    """One citizen's conversation in one channel; all that must survive a restart of any process."""

    __tablename__ = "conversations"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    channel: Mapped[str] = mapped_column(String(16))
    token_digest: Mapped[str | None] = mapped_column(String(64))
    state: Mapped[State] = mapped_column(String(16))
    """bot, waiting, human or closed"""
    session: Mapped[int] = mapped_column(Integer, default=1)
    session_turns: Mapped[int] = mapped_column(Integer, default=0)
    seq: Mapped[int] = mapped_column(Integer, default=0)
    """The number given to this conversation's last message, in or out."""
    agent: Mapped[str | None] = mapped_column(Text)
    """The number of whoever has it"""
    region: Mapped[str | None] = mapped_column(String(6))
    """Where the citizen was when they asked for a person"""
    skill: Mapped[str | None] = mapped_column(String(32))
    """The group that it was passed on to"""
    waiting_since: Mapped[datetime | None]
    """Since when the citizen has wanted a person: set once, kept over every return to the queue"""
    owed_since: Mapped[datetime | None]
    """Since when the citizen has waited for the agent's word"""
    quiet_since: Mapped[datetime | None]
    """Since when the agent has waited for the citizen's"""
    context: Mapped[Any] = mapped_column(Secret)
    """See ``bot.conversations.Context``."""
    bundle: Mapped[str | None] = mapped_column(String(64))
    """The release that its present session was given, see ``bot.releases``"""
    created_at: Mapped[datetime]
    active_at: Mapped[datetime] = mapped_column(index=True)

    @property
    def sender(self) -> str:
        """The sender id under which Rasa knows the present session."""
        return f"{self.id}-{self.session}"


class HumanService(Base):
    """One wait for a person and what came of it: who took the conversation, until when, how it ended, how it was rated."""

    __tablename__ = "human_services"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    conversation_id: Mapped[str] = mapped_column(String(32), index=True)
    asked_at: Mapped[datetime]
    """When the citizen began to want a person"""
    entered_at: Mapped[datetime] = mapped_column(index=True)
    """When this wait began; as ``asked_at`` but after a return to the queue"""
    agent: Mapped[str | None] = mapped_column(Text)
    taken_at: Mapped[datetime | None] = mapped_column(index=True)
    first_word_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    end: Mapped[str | None] = mapped_column(String(16))
    """The move that ended it: close, hand_back, transfer, step_in, return, silent, leave, nobody"""
    rating: Mapped[int | None]
    """3 满意, 2 一般, 1 不满意"""
    rated_at: Mapped[datetime | None]


class DeskNote(Base):
    """What the staff wrote about a conversation; never said to the citizen."""

    __tablename__ = "desk_notes"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    conversation_id: Mapped[str] = mapped_column(String(32), index=True)
    author: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(String(16))
    """note; whisper: a supervisor's word to whoever has the conversation; three-way: a call that a third one was put through to"""
    party: Mapped[Any] = mapped_column(Secret, nullable=True)
    """Of a three-way call: with whom"""
    text: Mapped[Any] = mapped_column(Secret)
    """Of a three-way call: what came of it"""
    at: Mapped[datetime]


class InboxMessage(Base):
    """What a citizen sent: stored before it is acknowledged."""

    __tablename__ = "inbox"
    __table_args__ = (UniqueConstraint("channel", "channel_message_id"), Index(None, "conversation_id", "seq"))

    turn_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id"))
    seq: Mapped[int]
    channel: Mapped[str] = mapped_column(String(16))
    channel_message_id: Mapped[str] = mapped_column(String(160))
    text: Mapped[Any] = mapped_column(Secret)
    source: Mapped[str | None] = mapped_column(String(64))
    """Whom it came from (``bot.crypto.Cipher.pseudonym`` of an address or an openid); until the turn is settled"""
    received_at: Mapped[datetime]
    settled: Mapped[bool] = mapped_column(default=False, index=True)
    """Whether the turn has its effect; set with it in one transaction."""


class TurnEffect(Base):
    """What a turn came to.  The primary key is the guarantee: one effect a turn, the first to commit wins."""

    __tablename__ = "turns"

    turn_id: Mapped[str] = mapped_column(ForeignKey("inbox.turn_id"), primary_key=True)
    conversation_id: Mapped[str] = mapped_column(String(32), index=True)
    engine: Mapped[str] = mapped_column(String(16))
    """Who decided: rasa, fallback, human (an agent has the conversation)"""
    act: Mapped[str] = mapped_column(String(32))
    decision: Mapped[str] = mapped_column(String(32))
    """The kind of the reply: answer, clarify, ticket …, or forwarded"""
    qa_id: Mapped[str | None] = mapped_column(String(64))
    qa_version: Mapped[int | None]
    """Which version of it; None: it is to be told by the time, or it has none"""
    confidence: Mapped[float | None] = mapped_column(Float)
    state: Mapped[State] = mapped_column(String(16))
    """The conversation's state after the turn"""
    replies: Mapped[Any] = mapped_column(Secret)
    explain: Mapped[Any] = mapped_column(Secret)
    bundle: Mapped[str | None] = mapped_column(String(64))
    """The release that decided"""
    settled_at: Mapped[datetime]


class Alarm(Base):
    """A danger that was heard in a turn.  What was said is not in it."""

    __tablename__ = "alarms"

    turn_id: Mapped[str] = mapped_column(ForeignKey("inbox.turn_id"), primary_key=True)
    conversation_id: Mapped[str] = mapped_column(String(32), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    """See ``bot.danger``"""
    possible: Mapped[bool]
    """It got the caring question, not the card"""
    at: Mapped[datetime] = mapped_column(index=True)
    seen_by: Mapped[str | None] = mapped_column(Text)
    seen_at: Mapped[datetime | None] = mapped_column(index=True)
    told_at: Mapped[datetime | None]
    """When the duty phone was told"""


class OutboxMessage(Base):
    """What the assistant or an agent says: stored, then delivered by the channel."""

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("conversation_id", "seq"),
        UniqueConstraint("conversation_id", "client_id"),
        Index(None, "status", "next_attempt_at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id"))
    seq: Mapped[int]
    turn_id: Mapped[str | None] = mapped_column(String(32), unique=True)
    sender: Mapped[str] = mapped_column(String(16))
    """bot; agent; system: what tells of a change of who answers"""
    agent: Mapped[str | None] = mapped_column(Text)
    """Which person"""
    client_id: Mapped[str | None] = mapped_column(String(64))
    """The agent's page's own id: sent twice it is one message"""
    qa_id: Mapped[str | None] = mapped_column(String(64))
    """The item whose answer the agent gave"""
    qa_version: Mapped[int | None]
    """Which version of it; None: it is to be told by the time, or it has none"""
    edited: Mapped[bool | None]
    """Whether not word for word"""
    channel: Mapped[str] = mapped_column(String(16))
    replies: Mapped[Any] = mapped_column(Secret)
    status: Mapped[str] = mapped_column(String(16))
    """pending, sending, delivered, offered (waits for the citizen's next word), available (the citizen fetches it), dropped
    (a reminder that came too late)"""
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    delivered_at: Mapped[datetime | None]
    given_with: Mapped[str | None] = mapped_column(String(32))
    """The turn in whose passive reply it went, alone or among others"""


class ChannelUser(Base):
    """A citizen on a channel that pushes to us: their conversation, and where and how often we may push back."""

    __tablename__ = "channel_users"

    channel: Mapped[str] = mapped_column(String(16), primary_key=True)
    user_digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of the channel's id for the citizen"""
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), unique=True)
    address: Mapped[Any] = mapped_column(Secret)
    """The id itself (WeChat: openid)"""
    push_until: Mapped[datetime]
    """Until when we may push"""
    pushes_left: Mapped[int]
    """How many messages we may push until then"""
    rest: Mapped[Any] = mapped_column(Secret, nullable=True)
    """What did not fit into replies and was not read yet, that of the last reply first"""


class Rating(Base):
    """A citizen's 有用/没用 on one turn's reply."""

    __tablename__ = "ratings"

    turn_id: Mapped[str] = mapped_column(ForeignKey("inbox.turn_id"), primary_key=True)
    """The turn that was rated: the last word counts."""
    helpful: Mapped[bool]
    reason: Mapped[Any] = mapped_column(Secret, nullable=True)
    qa_id: Mapped[str | None] = mapped_column(String(64), index=True)
    created_at: Mapped[datetime]
