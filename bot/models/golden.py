"""Tables of the golden set (题库): questions whose right answer people know, kept apart from everything that is learned from."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base


class GoldenQuestion(Base):
    """One question with what answers it.  Never deleted: a retired one keeps its history."""

    __tablename__ = "golden_questions"
    __table_args__ = (Index(None, "retired_at", "stratum"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    """Masked"""
    letters: Mapped[str | None] = mapped_column(String(64), unique=True)
    """Digest of its letters, so that each is there once; None: retired"""
    right: Mapped[list[Any]]
    """The items that answer it; empty: nothing is to be answered"""
    act: Mapped[str | None] = mapped_column(String(32))
    """The dialogue act that Rasa has to hear in it; None: it is a question, and retrieval decides"""
    region: Mapped[str | None] = mapped_column(String(6))
    must: Mapped[bool] = mapped_column(Boolean)
    """必对: no release gets out that doesn't answer it rightly"""
    stratum: Mapped[str] = mapped_column(String(32))
    """The kind of question that it is counted with; see ``bot.golden.STRATA``"""
    note: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(String(8))
    """ours: came with the program; city: somebody here added it"""
    added_by: Mapped[str] = mapped_column(Text)
    added_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    """When a change of it was confirmed last"""
    retired_at: Mapped[datetime | None]


class GoldenChange(Base):
    """Something that one person proposed for the golden set and another decides."""

    __tablename__ = "golden_changes"
    __table_args__ = (Index(None, "state", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    question: Mapped[str] = mapped_column(String(32), index=True)
    """Of a new one: the id that it will have"""
    move: Mapped[str] = mapped_column(String(8))
    """A key of ``bot.golden.MOVES``"""
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    why: Mapped[str] = mapped_column(Text)
    batch: Mapped[str | None] = mapped_column(String(32), index=True)
    """Of one import"""
    state: Mapped[str] = mapped_column(String(16))
    """A key of ``bot.golden.DECIDED``"""
    by: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    decided_by: Mapped[str | None] = mapped_column(Text)
    decided_at: Mapped[datetime | None]
    decided_why: Mapped[str | None] = mapped_column(Text)
