"""Tables that the product keeps for itself: counters, shared tokens, retention, audit."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Float,
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
    actor: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(Text)
    detail: Mapped[dict[str, Any]]
