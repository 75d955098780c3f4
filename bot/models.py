"""The tables.  Personal data rests encrypted (``Secret``); times are UTC; ids of knowledge are readable slugs."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Date,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from bot.crypto import get_cipher


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, stored as UTC; SQLite, which keeps no zone, gives it back as UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuses naive values: a time without a zone is a mistake."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Always aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Secret(TypeDecorator[Any]):
    """Any JSON value, encrypted at rest."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Encrypts."""
        return None if value is None else get_cipher().encrypt(json.dumps(value, ensure_ascii=False))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Decrypts."""
        return None if value is None else json.loads(get_cipher().decrypt(value))


class Base(DeclarativeBase):
    """Declarative base with fixed constraint names, so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime, date: Date, dict[str, Any]: JSON, list[str]: JSON, list[Any]: JSON}  # noqa: RUF012


def as_it_rests(table: Table) -> Table:
    """The table without decryption: a secret column gives, and takes, its cipher text."""
    copy = table.to_metadata(MetaData())
    for column in copy.columns:
        if isinstance(column.type, Secret):
            column.type = Text()
    return copy


def secret_columns(table: Table) -> list[str]:
    """The names of a table's encrypted columns."""
    return [column.name for column in table.columns if isinstance(column.type, Secret)]


def utcnow() -> datetime:
    """Now, aware, in UTC."""
    return datetime.now(UTC)


# --- knowledge -------------------------------------------------------------------------------------------------------


class Document(Base):
    """A policy document (政策文件)."""

    __tablename__ = "documents"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    doc_no: Mapped[str | None] = mapped_column(Text)
    issuer: Mapped[str | None] = mapped_column(Text)
    region: Mapped[str] = mapped_column(String(6))
    issued: Mapped[date | None]
    effective: Mapped[date | None]
    status: Mapped[str] = mapped_column(String(16))
    url: Mapped[str | None] = mapped_column(Text)
    replaced_by: Mapped[str | None] = mapped_column(String(64))
    internal_confirmed_by: Mapped[str | None] = mapped_column(Text)
    """Who confirmed that a document marked as internal may be kept, for staff alone; None: it is public"""


class Passage(Base):
    """A piece of a policy document's own text (政策原文), by clause, in the document's order."""

    __tablename__ = "passages"

    document_id: Mapped[str] = mapped_column(
        String(64), ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True)
    """From 0"""
    label: Mapped[str] = mapped_column(Text)
    """第三条; 一、（二）; empty where the text has no numbers"""
    text: Mapped[str] = mapped_column(Text)


class ServiceGuide(Base):
    """A service guide (办事指南)."""

    __tablename__ = "guides"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    department: Mapped[str | None] = mapped_column(Text)
    region: Mapped[str] = mapped_column(String(6))
    who: Mapped[str | None] = mapped_column(Text)
    materials: Mapped[list[str]]
    steps: Mapped[list[str]]
    time_limit: Mapped[str | None] = mapped_column(Text)
    fee: Mapped[str | None] = mapped_column(Text)
    channels: Mapped[list[str]]
    fallback: Mapped[str | None] = mapped_column(Text)
    url: Mapped[str | None] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column(Text)
    address: Mapped[str | None] = mapped_column(Text)


class QA(Base):
    """A question and its reviewed answer (问答)."""

    __tablename__ = "qas"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    matter: Mapped[str] = mapped_column(Text, index=True)
    question: Mapped[str] = mapped_column(Text)
    answer: Mapped[str] = mapped_column(Text)
    similar: Mapped[list[str]]
    sources: Mapped[list[Any]]
    """[{"document": document id, "clause": text or null}], with "unverified": true where nobody has seen the official text"""
    guides: Mapped[list[str]]
    related: Mapped[list[str]]
    themes: Mapped[list[str]]
    audience: Mapped[str] = mapped_column(String(16))
    region: Mapped[str] = mapped_column(String(6), index=True)
    department: Mapped[str | None] = mapped_column(Text)
    valid_from: Mapped[date | None]
    valid_to: Mapped[date | None]
    as_of: Mapped[date | None]
    review_by: Mapped[date | None]
    """The last day on which its figures may stand without another look."""
    status: Mapped[str] = mapped_column(String(16))
    """draft, approved, paused or retired"""
    replaced_by: Mapped[str | None] = mapped_column(String(64))
    reviewed_by: Mapped[str | None] = mapped_column(Text)
    reviewed_at: Mapped[datetime | None]
    revision: Mapped[int] = mapped_column(Integer)
    """The knowledge revision at which this row changed last."""


class Counter(Base):
    """A named number: the knowledge revision, and the windows of rate limits."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[datetime | None] = mapped_column(index=True)


# --- conversations ---------------------------------------------------------------------------------------------------


class Conversation(Base):
    """One citizen's conversation in one channel; all that must survive a restart of any process."""

    __tablename__ = "conversations"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    channel: Mapped[str] = mapped_column(String(16))
    token_digest: Mapped[str | None] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    """bot, waiting, human or closed"""
    session: Mapped[int] = mapped_column(Integer, default=1)
    session_turns: Mapped[int] = mapped_column(Integer, default=0)
    seq: Mapped[int] = mapped_column(Integer, default=0)
    """The number given to this conversation's last message, in or out."""
    agent: Mapped[str | None] = mapped_column(Text)
    context: Mapped[Any] = mapped_column(Secret)
    """See ``bot.conversations.Context``."""
    created_at: Mapped[datetime]
    active_at: Mapped[datetime] = mapped_column(index=True)

    @property
    def sender(self) -> str:
        """The sender id under which Rasa knows the present session."""
        return f"{self.id}-{self.session}"


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
    confidence: Mapped[float | None] = mapped_column(Float)
    state: Mapped[str] = mapped_column(String(16))
    """The conversation's state after the turn"""
    replies: Mapped[Any] = mapped_column(Secret)
    explain: Mapped[Any] = mapped_column(Secret)
    settled_at: Mapped[datetime]


class OutboxMessage(Base):
    """What the assistant or an agent says: stored, then delivered by the channel."""

    __tablename__ = "outbox"
    __table_args__ = (UniqueConstraint("conversation_id", "seq"), Index(None, "status", "next_attempt_at"))

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id"))
    seq: Mapped[int]
    turn_id: Mapped[str | None] = mapped_column(String(32), unique=True)
    sender: Mapped[str] = mapped_column(String(16))
    """bot or agent"""
    channel: Mapped[str] = mapped_column(String(16))
    replies: Mapped[Any] = mapped_column(Secret)
    status: Mapped[str] = mapped_column(String(16))
    """pending, sending, delivered, offered (waits for the citizen's next word), available (the citizen fetches it)"""
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


class SharedToken(Base):
    """A token of another service's, kept for all our processes."""

    __tablename__ = "shared_tokens"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[Any] = mapped_column(Secret)
    expires_at: Mapped[datetime]


class Rating(Base):
    """A citizen's 有用/没用 on one turn's reply."""

    __tablename__ = "ratings"

    turn_id: Mapped[str] = mapped_column(ForeignKey("inbox.turn_id"), primary_key=True)
    """The turn that was rated: the last word counts."""
    helpful: Mapped[bool]
    reason: Mapped[Any] = mapped_column(Secret, nullable=True)
    qa_id: Mapped[str | None] = mapped_column(String(64), index=True)
    created_at: Mapped[datetime]


# --- tickets ---------------------------------------------------------------------------------------------------------


class Ticket(Base):
    """A ticket (工单)."""

    __tablename__ = "tickets"

    number: Mapped[str] = mapped_column(String(16), primary_key=True)
    query_code: Mapped[Any] = mapped_column(Secret)
    conversation_id: Mapped[str | None] = mapped_column(String(32), index=True)
    turn_id: Mapped[str | None] = mapped_column(String(32), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    """咨询, 投诉, 举报, 建议 or 求助"""
    subject: Mapped[Any] = mapped_column(Secret)
    """What the citizen asked or reports"""
    transcript: Mapped[Any] = mapped_column(Secret)
    """Masked lines of the conversation that led here: [{"sender", "text"}]"""
    region: Mapped[str | None] = mapped_column(String(6))
    phone: Mapped[Any] = mapped_column(Secret, nullable=True)
    department: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(8), index=True)
    claimed_by: Mapped[str | None] = mapped_column(Text)
    answer: Mapped[Any] = mapped_column(Secret, nullable=True)
    working_days: Mapped[int]
    due_at: Mapped[datetime] = mapped_column(index=True)
    due_estimated: Mapped[bool]
    """Whether the calendar of a year without a holiday notice was used (暂按周末推算)."""
    created_at: Mapped[datetime]
    events: Mapped[list[TicketEvent]] = relationship(order_by="TicketEvent.id", cascade="all, delete-orphan")


class TicketEvent(Base):
    """One change of a ticket: who, when, why."""

    __tablename__ = "ticket_events"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    number: Mapped[str] = mapped_column(ForeignKey("tickets.number"), index=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(8))
    """The state after the event"""
    note: Mapped[Any] = mapped_column(Secret)
    public: Mapped[bool] = mapped_column(default=True)


class CalendarDay(Base):
    """Operations' own word on one day, over the package's calendar."""

    __tablename__ = "calendar_days"

    day: Mapped[date] = mapped_column(primary_key=True)
    working: Mapped[bool]
    note: Mapped[str | None] = mapped_column(Text)


# --- people and audit ------------------------------------------------------------------------------------------------


class Agent(Base):
    """A hotline agent; on duty or not.  Log-in and roles come with the desk."""

    __tablename__ = "agents"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    on_duty_until: Mapped[datetime | None]


class LastPurge(Base):
    """When retention ran last, by the clock on the wall and by the host's own: a leap of the former shows."""

    __tablename__ = "last_purge"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """1: there is one row"""
    at: Mapped[datetime]
    boot: Mapped[str] = mapped_column(String(64))
    """Names the host's start: another one begins to count at 0 again"""
    since_boot_s: Mapped[float] = mapped_column(Float)


class AuditEntry(Base):
    """The append-only audit log."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(Text)
    detail: Mapped[dict[str, Any]]
