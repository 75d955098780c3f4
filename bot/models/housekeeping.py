"""Tables that the product keeps for itself: counters, shared tokens, retention, audit."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Float,
    Integer,
    String,
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base, Secret


class Counter(Base):
    """A named number: the knowledge revision, and the windows of rate limits."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[datetime | None] = mapped_column(index=True)


class SharedToken(Base):
    """A token of another service's, kept for all our processes."""

    __tablename__ = "shared_tokens"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[Any] = mapped_column(Secret)
    expires_at: Mapped[datetime]


class LastPurge(Base):
    """When retention ran last, by the clock on the wall and by the host's own: a leap of the former shows."""

    __tablename__ = "last_purge"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """1: there is one row"""
    at: Mapped[datetime]
    boot: Mapped[str] = mapped_column(String(64))
    """Names the host's start: another one begins to count at 0 again"""
    since_boot_s: Mapped[float] = mapped_column(Float)


class Notice(Base):
    """What a process has found that people must see to, until it is settled; ``/readyz`` says it, whichever process found it."""

    __tablename__ = "notices"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]


class AuditEntry(Base):
    """The append-only audit log."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(Text, index=True)
    """A person's number, or who else it was"""
    name: Mapped[str | None] = mapped_column(Text)
    """The person's name as it was then"""
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(Text, index=True)
    detail: Mapped[dict[str, Any]]


class AuditLink(Base):
    """A link of the chain that shows whether the audit log was changed: it depends on its entry and on the link before."""

    __tablename__ = "audit_chain"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    entry: Mapped[int] = mapped_column(unique=True)
    link: Mapped[str] = mapped_column(String(64))
    """SHA-256, 64 hex digits; see ``bot.audit``"""


class Event(Base):
    """That something changed."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(index=True)
    kind: Mapped[str] = mapped_column(String(16))
    subject: Mapped[str] = mapped_column(String(64))
    about: Mapped[dict[str, Any]]
