"""Tables of the work at the desk: what was chosen of what was shown, what each person is doing, who asked for civil words."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base, Secret

Kind = Literal["conversation", "call"]
"""What a ``subject`` is"""


class Choice(Base):
    """What somebody did with what the desk had found for them, and what stood on the screen then: to learn from."""

    __tablename__ = "choices"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    """What ``subject`` is: conversation or call"""
    subject: Mapped[str] = mapped_column(String(32), index=True)
    person: Mapped[str] = mapped_column(String(64))
    what: Mapped[str] = mapped_column(String(16))
    """used (as it is), edited, unsuitable, wrong (reported), sent (as a short message)"""
    qa_id: Mapped[str] = mapped_column(String(64), index=True)
    qa_version: Mapped[int | None]
    """Which version of it; None: it is to be told by the time, or it has none"""
    shown: Mapped[list[Any]]
    """[{"qa_id", "place" (from 1), "band"}], as they stood"""
    reason: Mapped[Any] = mapped_column(Secret, nullable=True)
    at: Mapped[datetime] = mapped_column(index=True)


class AgentState(Base):
    """What somebody on duty is doing, from when to when.  A person has at most one that has not ended."""

    __tablename__ = "agent_states"
    __table_args__ = (Index(None, "person", "ended_at"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    person: Mapped[str] = mapped_column(ForeignKey("people.number"))
    state: Mapped[str] = mapped_column(String(16))
    """idle, call, wrap_up or break"""
    reason: Mapped[str | None] = mapped_column(String(100))
    since: Mapped[datetime]
    ended_at: Mapped[datetime | None] = mapped_column(index=True)


class Shield(Base):
    """An agent asked for civil words (请文明用语): a supervisor looks in, and the rating says nothing about the agent."""

    __tablename__ = "shields"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    """What ``subject`` is: conversation or call"""
    subject: Mapped[str] = mapped_column(String(32), index=True)
    service: Mapped[str | None] = mapped_column(String(32), index=True)
    """Of a conversation: the ``HumanService``"""
    person: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(index=True)
    told_at: Mapped[datetime | None]
    """When the citizen was asked"""
    undone_at: Mapped[datetime | None]
    seen_by: Mapped[str | None] = mapped_column(String(64))
    """Which supervisor has looked in"""
    seen_at: Mapped[datetime | None]
