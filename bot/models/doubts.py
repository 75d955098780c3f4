"""Table of the items that somebody at the desk reported as wrong."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base, Secret


class Doubt(Base):
    """A person's report that an item is wrong.  Open until somebody decides about the item, or it is taken back."""

    __tablename__ = "doubts"
    __table_args__ = (Index(None, "person", "at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    qa_id: Mapped[str] = mapped_column(String(64), index=True)
    person: Mapped[str] = mapped_column(String(64))
    reason: Mapped[Any] = mapped_column(Secret)
    marks: Mapped[bool]
    """Whether the item is 存疑 by it; False: the person had reported too many in this shift, it stands in the list only"""
    at: Mapped[datetime]
    undone_at: Mapped[datetime | None]
    reminded_at: Mapped[datetime | None]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None] = mapped_column(String(64))
    decision: Mapped[str | None] = mapped_column(String(8))
    """pause or clear"""
    why: Mapped[str | None] = mapped_column(Text)
