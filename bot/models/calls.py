"""Tables of telephone calls: who called, what was said line by line, what the desk was shown."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, validates

from bot.models.base import Base, Secret
from bot.models.tickets import phone_index

CallState = Literal["live", "wrap_up", "done", "given_up"]
"""People talk; the agent writes down what came of it; that is done; the caller hung up before anybody answered"""


class Call(Base):
    """One telephone call.  No recording is kept, only what was recognised, and that for a while."""

    __tablename__ = "calls"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    external_id: Mapped[str | None] = mapped_column(String(128), unique=True)
    """What the telephone system calls it; None: an agent began it by hand"""
    practice: Mapped[bool] = mapped_column(default=False)
    """Played for training: counted nowhere, and makes no tickets"""
    agent: Mapped[str | None] = mapped_column(Text, index=True)
    """The number of whoever talks"""
    state: Mapped[CallState] = mapped_column(String(16), index=True)
    caller: Mapped[Any] = mapped_column(Secret, nullable=True)
    """The caller's number, as the telephone system tells it"""
    caller_index: Mapped[str | None] = mapped_column(String(64), index=True)
    """Finds the calls of one phone without reading any"""
    region: Mapped[str | None] = mapped_column(String(6))
    told_at: Mapped[datetime | None]
    """When the caller was told that what is said is written down"""
    kept: Mapped[bool] = mapped_column(default=True)
    """Whether lines are stored; no: what there was is gone, and what comes is not stored"""
    seq: Mapped[int] = mapped_column(default=0)
    """The highest number of a stored line"""
    revision: Mapped[int] = mapped_column(default=0)
    """Counts up with each change of its lines"""
    summary: Mapped[Any] = mapped_column(Secret, nullable=True)
    """What came of it, as the agent left it (话后小结)"""
    ticket: Mapped[str | None] = mapped_column(String(16))
    """The number of the ticket that came of it"""
    started_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None]
    """When they hung up"""
    done_at: Mapped[datetime | None]

    @validates("caller")
    def _derive(self, _key: str, value: str | None) -> str | None:
        self.caller_index = phone_index(value) if value else None
        return value


class CallLine(Base):
    """A final segment of a call's transcript.  The number orders them; one that comes again with a higher version corrects."""

    __tablename__ = "call_lines"

    call_id: Mapped[str] = mapped_column(ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(default=0)
    speaker: Mapped[str] = mapped_column(String(8))
    """caller or agent"""
    text: Mapped[Any] = mapped_column(Secret)
    start_ms: Mapped[int] = mapped_column(BigInteger)
    """When it began, from the call's start"""
    at: Mapped[datetime]
    """When it came"""


class CallShown(Base):
    """What the desk showed when: what somebody chose is understood only beside what they could see."""

    __tablename__ = "call_shown"
    __table_args__ = (Index(None, "call_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    call_id: Mapped[str] = mapped_column(ForeignKey("calls.id", ondelete="CASCADE"))
    seq: Mapped[int]
    """After which line"""
    topic: Mapped[int]
    """Of several questions in a call, which"""
    question: Mapped[Any] = mapped_column(Secret)
    """As it was understood, masked"""
    items: Mapped[list[Any]]
    """[{"qa_id", "band", "probability"}] from the top down"""
    at: Mapped[datetime]


class Favourite(Base):
    """What somebody at the desk keeps at hand."""

    __tablename__ = "favourites"

    person: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    """qa, guide or document"""
    item: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[datetime]
