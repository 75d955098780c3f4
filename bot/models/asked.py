"""Tables of what was asked, to learn from, and of what a change of the knowledge would do to it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Float, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base, Secret


class Asked(Base):
    """One turn that looked for an answer, masked, with what came of it; it outlives its conversation and names nobody."""

    __tablename__ = "asked"
    __table_args__ = (Index(None, "at", "id"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    at: Mapped[datetime]
    turn: Mapped[str | None] = mapped_column(String(64), index=True)
    """The turn's blind index; None: no citizen's turn"""
    person: Mapped[str | None] = mapped_column(String(64), index=True)
    """The conversation's blind index: all that ties it to whoever asked"""
    source: Mapped[str] = mapped_column(String(8))
    """See ``bot.asked.SOURCES``"""
    channel: Mapped[str] = mapped_column(String(16))
    region: Mapped[str | None] = mapped_column(String(6))
    said: Mapped[Any] = mapped_column(Secret)
    """{"text": masked, "normalised": masked, as retrieval read it}"""
    before: Mapped[Any] = mapped_column(Secret, nullable=True)
    """What it followed on, masked: {"matter", "question", "qa"}"""
    vector: Mapped[Any] = mapped_column(Secret, nullable=True, deferred=True)
    """Of the normalised text: float16, little endian, in base64"""
    encoder: Mapped[str | None] = mapped_column(String(64))
    """Checksum of the encoder that the vector is of"""
    act: Mapped[str] = mapped_column(String(32))
    decision: Mapped[str] = mapped_column(String(32))
    """As the turn's; forwarded: a person answered"""
    certainty: Mapped[str | None] = mapped_column(String(8))
    """sure or likely: of an answer"""
    probability: Mapped[float | None] = mapped_column(Float)
    """That the first candidate answers it"""
    qa_id: Mapped[str | None] = mapped_column(String(64), index=True)
    """The item that was answered"""
    matter: Mapped[str | None] = mapped_column(Text)
    """Of the item that was answered, or of the first candidate"""
    version: Mapped[str | None] = mapped_column(String(64))
    """The index version that decided"""
    found: Mapped[dict[str, Any]]
    """{"candidates": [{"qa_id", "matter", "question", "wording", "score", "features"}], "answer_at", "likely_at", "clarify_at", "reason"}"""
    helpful: Mapped[bool | None] = mapped_column(Boolean)
    """有用, 没用"""
    refused: Mapped[bool] = mapped_column(Boolean, default=False)
    """不是这个, 以上都不是"""
    chosen: Mapped[str | None] = mapped_column(String(64))
    """The item that the citizen chose among the offered"""
    rephrased: Mapped[str | None] = mapped_column(String(32))
    """The id of the next question, where that put the same one in other words"""
    agent_qa: Mapped[str | None] = mapped_column(String(64))
    """The item that an agent answered with"""
    agent_edited: Mapped[bool | None] = mapped_column(Boolean)
    """Whether not word for word"""
    ticket: Mapped[str | None] = mapped_column(String(8))
    """The state of the ticket that came of it"""
    ticket_link: Mapped[str | None] = mapped_column(String(64), index=True)
    """That ticket's blind index"""


class Replay(Base):
    """What a change of one item does to the questions of the last days."""

    __tablename__ = "replays"
    __table_args__ = (Index(None, "qa_id", "digest"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    qa_id: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the change: finds what was found of a working copy or a version"""
    change: Mapped[dict[str, Any]]
    """{"move": content, pause, retire or new, "content": …, "replaced_by": …}"""
    whole: Mapped[bool] = mapped_column(Boolean)
    """With an index built for it; else estimated"""
    by: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    job: Mapped[str | None] = mapped_column(String(32))
    """The job that does it, of a whole one"""
    version: Mapped[str | None] = mapped_column(String(64))
    """The index version that it was compared with; None: it is not done yet"""
    result: Mapped[Any] = mapped_column(Secret, nullable=True)
    """Counts and the questions that change; None: it is not done yet"""
