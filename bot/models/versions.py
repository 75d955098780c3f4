"""Tables of what becomes of an item of the knowledge: its published versions, its working copy, what is asked for it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base


class QAVersion(Base):
    """What an item said once it was approved.  Never changed but for ``due``, ``called_off`` and its withdrawal."""

    __tablename__ = "qa_versions"

    qa_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    """From 1, for each item"""
    content: Mapped[dict[str, Any]]
    """By column, as ``bot.knowledge.content`` gives it, days as texts"""
    authors: Mapped[list[str]]
    """Everybody who changed it since the version before; empty: nobody whom we know"""
    approved_by: Mapped[str | None] = mapped_column(Text)
    published_at: Mapped[datetime]
    """When it was approved"""
    why: Mapped[str | None] = mapped_column(Text)
    starts: Mapped[date]
    """The first day on which it is what the item says"""
    due: Mapped[date | None] = mapped_column(index=True)
    """That day, until the item's row has its content; None: it has, or had"""
    called_off: Mapped[bool] = mapped_column(Boolean, default=False)
    """It was to come, and does not"""
    withdrawn_at: Mapped[datetime | None]
    """When it was withdrawn as wrong (作废): it never answers again"""
    withdrawn_by: Mapped[str | None] = mapped_column(Text)
    withdrawn_why: Mapped[str | None] = mapped_column(Text)


class WorkingCopy(Base):
    """What an item is to say (待审修改): at most one for each item."""

    __tablename__ = "qa_working"

    qa_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    content: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """None: the item was never published, its own row is the copy"""
    base: Mapped[int | None]
    """The version that it was made from"""
    authors: Mapped[list[str]]
    """Everybody who changed it: none of them may approve it"""
    state: Mapped[str] = mapped_column(String(16), index=True)
    """editing, submitted or returned"""
    why: Mapped[str | None] = mapped_column(Text)
    """What for, in its authors' words"""
    reason: Mapped[str | None] = mapped_column(Text)
    """Why it was returned"""
    changed_by: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime]
    submitted_at: Mapped[datetime | None]


class QARequest(Base):
    """What one person wants to become of an item, and another one is to confirm."""

    __tablename__ = "qa_requests"

    qa_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    move: Mapped[str] = mapped_column(String(16))
    """resume or retire"""
    replaced_by: Mapped[str | None] = mapped_column(String(64))
    asked_by: Mapped[str] = mapped_column(Text)
    asked_at: Mapped[datetime]
    why: Mapped[str | None] = mapped_column(Text)


class QAComment(Base):
    """What somebody who works on the knowledge says of an item to the others."""

    __tablename__ = "qa_comments"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    qa_id: Mapped[str] = mapped_column(String(64), index=True)
    field: Mapped[str | None] = mapped_column(String(16))
    """The content's field that it is about; None: the item as a whole"""
    text: Mapped[str] = mapped_column(Text)
    author: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    settled_by: Mapped[str | None] = mapped_column(Text)
    settled_at: Mapped[datetime | None]
    """When somebody had seen to it; None: it is open"""
