"""Table of short messages on their way to citizens' phones."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base, Secret


class ShortMessage(Base):
    """A short message: stored, then given to the city's SMS platform."""

    __tablename__ = "sms_outbox"
    __table_args__ = (Index(None, "status", "next_attempt_at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    """Goes out with it: the same id again is the same message"""
    phone: Mapped[Any] = mapped_column(Secret)
    text: Mapped[Any] = mapped_column(Secret)
    person: Mapped[str] = mapped_column(String(64))
    """Who sent it"""
    qa_id: Mapped[str | None] = mapped_column(String(64))
    """The item whose answer it is"""
    qa_version: Mapped[int | None]
    """Which version of it; None: it is to be told by the time, or it has none"""
    kind: Mapped[str | None] = mapped_column(String(16))
    """What ``subject`` is: conversation or call"""
    subject: Mapped[str | None] = mapped_column(String(32), index=True)
    status: Mapped[str] = mapped_column(String(16))
    """pending, sending, accepted, refused (for good), failed (tried often enough), unknown (it may have gone out)"""
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(index=True)
    settled_at: Mapped[datetime | None]
