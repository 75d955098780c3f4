"""Tables of 待学习: questions that went wrong, grouped by meaning, and what people made of them.

What citizens said stands in ``asked`` alone.  A member goes with its question; only a wording that somebody adopted stays.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Float, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base, Secret


class ReviewGroup(Base):
    """Questions that mean the same, as far as vectors tell; its figures are of those nobody has decided about yet."""

    __tablename__ = "review_groups"
    __table_args__ = (Index(None, "open", "help", "id"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    example: Mapped[str | None] = mapped_column(String(32))
    """The question that stands for it, in ``asked``"""
    pinned: Mapped[bool] = mapped_column(Boolean, default=False)
    """A person split or merged it: grouping takes none of its questions away"""
    open: Mapped[bool] = mapped_column(Boolean)
    """Whether there is anything to decide"""
    texts: Mapped[int]
    """Different ones, among the open"""
    asked: Mapped[int]
    """Open questions"""
    days: Mapped[list[Any]]
    """How many on each of the last 14 days, the oldest first"""
    week: Mapped[int]
    """Of the last seven days, at most a few of one person"""
    over: Mapped[int]
    """What that leaves out"""
    why: Mapped[dict[str, Any]]
    """Reason → how many; see ``bot.review.WHY``"""
    candidate: Mapped[str | None] = mapped_column(String(64), index=True)
    """The item that answers it most likely"""
    matter: Mapped[str | None] = mapped_column(Text)
    could: Mapped[float] = mapped_column(Float)
    """Probability that we could answer it"""
    missing: Mapped[float] = mapped_column(Float)
    """What is missing today, from 0"""
    help: Mapped[float] = mapped_column(Float)
    """Expected help: week × could × missing"""
    last_at: Mapped[datetime | None]


class ReviewMember(Base):
    """A question of a group."""

    __tablename__ = "review_members"

    asked_id: Mapped[str] = mapped_column(String(32), ForeignKey("asked.id", ondelete="CASCADE"), primary_key=True)
    group_id: Mapped[str] = mapped_column(String(32), index=True)
    text: Mapped[str] = mapped_column(String(64))
    """Pseudonym of the normalised text: equal texts are told without being read"""
    danger: Mapped[bool] = mapped_column(Boolean, default=False)
    """It may tell of a danger that was not heard"""
    decision: Mapped[str | None] = mapped_column(String(32), index=True)
    """What settled it; None: it is open"""


class ReviewDecision(Base):
    """What somebody made of a group."""

    __tablename__ = "review_decisions"
    __table_args__ = (Index(None, "at", "id"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    group_id: Mapped[str] = mapped_column(String(32), index=True)
    action: Mapped[str] = mapped_column(String(16))
    """A key of ``bot.review.ACTIONS``"""
    qa_id: Mapped[str | None] = mapped_column(String(64))
    act: Mapped[str | None] = mapped_column(String(32))
    wording: Mapped[Any] = mapped_column(Secret, nullable=True)
    """What was adopted, masked; it stays, and names nobody"""
    detail: Mapped[dict[str, Any]]
    """What undoing it takes"""
    by: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]
    settled: Mapped[int]
    """Questions that it settled, those of near groups with them"""
    twice: Mapped[bool] = mapped_column(Boolean)
    """A second person reads it too"""
    second_by: Mapped[str | None] = mapped_column(String(64))
    second_at: Mapped[datetime | None]
    second: Mapped[dict[str, Any] | None]
    """What they would have done: action, qa_id, act"""
    agrees: Mapped[bool | None] = mapped_column(Boolean)
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[str | None] = mapped_column(String(64))


class ReviewAudit(Base):
    """An answer that was drawn by lot, for somebody to say whether it was right."""

    __tablename__ = "review_audits"

    asked_id: Mapped[str] = mapped_column(String(32), ForeignKey("asked.id", ondelete="CASCADE"), primary_key=True)
    lot: Mapped[str] = mapped_column(String(64), index=True)
    """SHA-256 of the id: the lowest are drawn"""
    verdict: Mapped[str | None] = mapped_column(String(8))
    """right, wrong or unclear"""
    by: Mapped[str | None] = mapped_column(String(64))
    at: Mapped[datetime | None]


class ReviewFigures(Base):
    """What a grouping found, and what the sample says by then."""

    __tablename__ = "review_figures"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    questions: Mapped[int]
    groups: Mapped[int]
    alone: Mapped[int]
    """Questions whose text is in a group of its own (零散)"""
    renewed: Mapped[int]
    """Vectors that were made anew, since the encoder is another one"""
    answered: Mapped[int]
    """Answers that the sample is drawn from"""
    drawn: Mapped[int]
    judged: Mapped[int]
    """right or wrong"""
    wrong: Mapped[int]
    low: Mapped[float | None] = mapped_column(Float)
    high: Mapped[float | None] = mapped_column(Float)
    """The 95 % interval of wrong ÷ answered"""


class NluExample(Base):
    """A sentence that says another act than was understood, for the next training (补充语料)."""

    __tablename__ = "nlu_examples"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    act: Mapped[str] = mapped_column(String(32))
    text: Mapped[Any] = mapped_column(Secret)
    decision: Mapped[str] = mapped_column(String(32), index=True)
    by: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]
