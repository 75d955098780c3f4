"""Tables of looking again (复核): what has to be looked at and why, what changed in the documents below it, and which links are dead."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base


class DocumentChange(Base):
    """That a policy document is amended, repealed or replaced, from a day on."""

    __tablename__ = "document_changes"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    document_id: Mapped[str] = mapped_column(String(64), index=True)
    what: Mapped[str] = mapped_column(String(16))
    """amended, repealed or replaced"""
    effective: Mapped[date]
    """The first day on which it holds"""
    replaced_by: Mapped[str | None] = mapped_column(String(64))
    note: Mapped[str] = mapped_column(Text)
    """What the person who entered it says of it"""
    by: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    applied_at: Mapped[datetime | None]
    """When the document's own row took it over; None: its day is still to come"""
    undone_at: Mapped[datetime | None]
    """When it turned out that it isn't so"""


class Review(Base):
    """An item of the knowledge that somebody has to look at again.  The item itself stays as it is."""

    __tablename__ = "reviews"
    __table_args__ = (Index("ix_reviews_kind_item", "kind", "item"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    kind: Mapped[str] = mapped_column(String(16))
    """qa, guide, calculator or document"""
    item: Mapped[str] = mapped_column(String(64))
    why: Mapped[str] = mapped_column(String(16), index=True)
    """A key of ``bot.reviews.WHY``"""
    about: Mapped[str] = mapped_column(Text)
    """The document that changed, by id; the date that came near; the link that is dead"""
    change: Mapped[int | None]
    """The ``DocumentChange`` that it comes of"""
    effective: Mapped[date | None]
    """Of such a change: its first day"""
    department: Mapped[str | None] = mapped_column(Text, index=True)
    """Who owns the item"""
    since: Mapped[datetime]
    due: Mapped[date | None]
    """By when it should have been looked at"""
    settled_at: Mapped[datetime | None] = mapped_column(index=True)
    settled_by: Mapped[str | None] = mapped_column(Text)
    settled: Mapped[str | None] = mapped_column(Text)
    """What came of it"""


class LinkCheck(Base):
    """Whether an address that the knowledge names still leads somewhere."""

    __tablename__ = "link_checks"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of the address"""
    url: Mapped[str] = mapped_column(Text)
    checked_at: Mapped[datetime]
    status: Mapped[int | None]
    """Of the last answer; None: there was none"""
    said: Mapped[str] = mapped_column(Text)
    """In words, for people"""
    failures: Mapped[int]
    """How many checks in a row it failed"""
    ok_at: Mapped[datetime | None]
    """When it led somewhere last"""


class HealthReport(Base):
    """What the last look over the whole knowledge found (知识体检)."""

    __tablename__ = "health_reports"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """1: there is one"""
    at: Mapped[datetime]
    revision: Mapped[int]
    """The knowledge revision that it looked at"""
    conflicts: Mapped[list[Any]]
    """See ``index.knowledge_files.conflicts.Conflict``"""
