"""Tables of recalls (答错召回): what was wrong, what is right, and whoever got the wrong answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base


class Recall(Base):
    """One correction, to everybody who got certain versions of an item."""

    __tablename__ = "recalls"
    __table_args__ = (Index(None, "made_at", "id"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    qa_id: Mapped[str] = mapped_column(String(64), index=True)
    versions: Mapped[list[Any]]
    """The numbers of the versions, all of them withdrawn as wrong"""
    question: Mapped[str] = mapped_column(Text)
    """The item's own"""
    correction: Mapped[str] = mapped_column(Text)
    """What is right, for citizens"""
    state: Mapped[str] = mapped_column(String(16), index=True)
    """draft, approved, done, called_off"""
    made_by: Mapped[str] = mapped_column(Text)
    made_at: Mapped[datetime]
    approved_by: Mapped[str | None] = mapped_column(Text)
    """Another person"""
    approved_at: Mapped[datetime | None]
    ended_by: Mapped[str | None] = mapped_column(Text)
    """Who called it off"""
    ended_at: Mapped[datetime | None]
    """When nothing was left to be sent, or it was called off"""


class RecallTarget(Base):
    """Somebody who got the wrong answer, once for all the ways in which they did; what they asked is not in it."""

    __tablename__ = "recall_targets"
    __table_args__ = (
        UniqueConstraint("recall_id", "kind", "key"),
        Index(None, "recall_id", "state", "id"),
        Index(None, "key", "state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    recall_id: Mapped[str] = mapped_column(ForeignKey("recalls.id"))
    kind: Mapped[str] = mapped_column(String(16))
    """What ``key`` is: conversation, call, ticket, or sms (a short message that belongs to none of them)"""
    key: Mapped[str] = mapped_column(String(32))
    channel: Mapped[str] = mapped_column(String(16))
    """web, wechat …; phone, ticket, sms"""
    version: Mapped[int]
    asked_at: Mapped[datetime]
    """When they got it last"""
    also: Mapped[list[Any]]
    """[[kind, key]] of the same person, who is told once"""
    state: Mapped[str] = mapped_column(String(16))
    """See ``bot.told``"""
    how: Mapped[str | None] = mapped_column(String(16))
    """message, sms, callback, progress (of the ticket); note: an agent was told beside the conversation, and it waits"""
    reason: Mapped[str | None] = mapped_column(Text)
    """Why they can't be reached, or why otherwise than first tried"""
    message: Mapped[str | None] = mapped_column(String(32), index=True)
    """The id of what was sent: of the outbox, of the short message, of the call that is owed"""
    sent_at: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]
