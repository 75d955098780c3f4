"""Tables of what more people ask than usual.

What they said stands in ``asked`` alone: an alarm knows its questions by their ids, and they go when those go.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, Float, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base


class Surge(Base):
    """A matter that rose: raised once, it grows while it goes on and ends by itself; somebody says whether it was one."""

    __tablename__ = "surges"
    __table_args__ = (Index(None, "raised_at", "id"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    qa_id: Mapped[str | None] = mapped_column(String(64))
    """The item that answers it (集中询问); None: a new matter (新事项)"""
    began_at: Mapped[datetime]
    """Its first question"""
    raised_at: Mapped[datetime]
    last_at: Mapped[datetime]
    """Its last question"""
    ended_at: Mapped[datetime | None]
    """Nobody asks about it any more; it is raised anew where they do"""
    persons: Mapped[int]
    """Different ones, of one text only a few, so far"""
    minutes: Mapped[int]
    """When it was raised: in how many minutes it was the most unusual"""
    expected: Mapped[float] = mapped_column(Float)
    """How many would have been usual in them"""
    surprise: Mapped[float] = mapped_column(Float)
    """-log10 of the chance"""
    example: Mapped[str | None] = mapped_column(String(32))
    """The question in its middle, in ``asked``"""
    seen_by: Mapped[str | None] = mapped_column(String(64))
    seen_at: Mapped[datetime | None]
    real: Mapped[bool | None] = mapped_column(Boolean)
    """What somebody found; False: a false alarm; None: nobody has said"""
    judged_by: Mapped[str | None] = mapped_column(String(64))
    judged_at: Mapped[datetime | None]
    why: Mapped[str | None] = mapped_column(Text)
    draft: Mapped[str | None] = mapped_column(String(64))
    """The draft of an item that came of it"""


class SurgeMember(Base):
    """A question of one."""

    __tablename__ = "surge_members"

    asked_id: Mapped[str] = mapped_column(String(32), ForeignKey("asked.id", ondelete="CASCADE"), primary_key=True)
    surge_id: Mapped[str] = mapped_column(String(32), index=True)
