"""The table of local figures (本地标准): what a national answer leaves to the place, by region, every version of it."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base


class LocalFigure(Base):
    """A version of a figure for one region.  What is approved never changes any more; a change is a new version beside it."""

    __tablename__ = "local_figures"
    __table_args__ = (UniqueConstraint("key", "region", "open"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    key: Mapped[str] = mapped_column(String(64))
    """See ``bot.local.slots``"""
    region: Mapped[str] = mapped_column(String(6))
    value: Mapped[str] = mapped_column(Text)
    """As it is shown, with its unit"""
    source: Mapped[str] = mapped_column(Text)
    """A document's name and number, or an https address"""
    valid_from: Mapped[date | None]
    valid_to: Mapped[date | None]
    """Both inclusive"""
    department: Mapped[str | None] = mapped_column(Text)
    """Who sees to it"""
    status: Mapped[str] = mapped_column(String(16))
    """draft, returned, approved, replaced, withdrawn or discarded"""
    open: Mapped[bool | None]
    """True for the working copy, of which a key and region has at most one; None for all others"""
    authors: Mapped[list[str]]
    """Whoever wrote something of it: none of them approves it"""
    proposed_at: Mapped[datetime]
    decided_by: Mapped[str | None] = mapped_column(String(64))
    """Who approved it, sent it back or withdrew it last"""
    decided_at: Mapped[datetime | None]
    approved_by: Mapped[str | None] = mapped_column(String(64))
    approved_at: Mapped[datetime | None]
    reason: Mapped[str | None] = mapped_column(Text)
    """Why it was sent back or withdrawn"""
    revision: Mapped[int]
