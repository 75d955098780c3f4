"""What a coming release would have answered, beside what was answered: no words."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, Float, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base


class ShadowTurn(Base):
    """One citizen's turn that the live bundle answered, decided once more by a bundle in state ``shadow``."""

    __tablename__ = "shadow_turns"
    __table_args__ = (Index(None, "bundle", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    bundle: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(index=True)
    turn: Mapped[str] = mapped_column(String(64), index=True)
    """The turn's blind index, as in ``asked``: leads to what was asked, as long as that is kept"""
    person: Mapped[str] = mapped_column(String(64), index=True)
    """The conversation's, likewise"""
    live_decision: Mapped[str] = mapped_column(String(32))
    live_qa: Mapped[str | None] = mapped_column(String(64))
    live_certainty: Mapped[str | None] = mapped_column(String(8))
    """sure or likely: of an answer"""
    decision: Mapped[str] = mapped_column(String(32))
    """failed: it could not decide"""
    qa: Mapped[str | None] = mapped_column(String(64))
    certainty: Mapped[str | None] = mapped_column(String(8))
    same: Mapped[bool] = mapped_column(Boolean)
    """Decision, item and certainty"""
    ms: Mapped[float] = mapped_column(Float)
    """How long it took to decide, in milliseconds"""
    skipped: Mapped[int] = mapped_column(Integer, default=0)
    """Turns since the last row that were not decided again: the machine had better things to do"""
