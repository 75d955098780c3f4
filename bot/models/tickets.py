"""Tables of tickets, and the calendar that they are due by."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    ForeignKey,
    String,
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from bot.crypto import get_cipher
from bot.masking import mask
from bot.models.base import Base, Secret


def phone_index(phone: str) -> str:
    """What ``Ticket.phone_index`` holds for a phone."""
    return get_cipher().blind(digits_of(phone))[0]


def words_index(subject: str) -> str:
    """What ``Ticket.words`` holds: the pairs of characters of the masked subject, each by its blind index, in no order.

    Whoever reads the column learns how many there are and which tickets share some, and may guess at the commonest; they don't read what was said.
    """
    return " ".join(sorted({blind_pair(pair)[0] for run in runs_of(mask(subject)) for pair in pairs_of(run)}))


def runs_of(text: str) -> list[str]:
    """Runs of letters, figures and Chinese characters, in one width and case."""
    return re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", text.encode("utf-8", "ignore").decode("utf-8")).lower())


def pairs_of(run: str) -> list[str]:
    """Of neighbouring characters; each character alone too, so that one can be looked for."""
    return [*run, *(run[place : place + 2] for place in range(len(run) - 1))]


def blind_pair(pair: str) -> tuple[str, ...]:
    """Under each key, the newest first: short, since many must fit; by chance one ticket in millions holds one that is another's."""
    return tuple(index[:8] for index in get_cipher().blind(f"pair {pair}"))


def digits_of(phone: str) -> str:
    """The number as one dials it: 0731-8888 6666 and 073188886666 are the same."""
    return re.sub(r"\D", "", unicodedata.normalize("NFKC", phone))


class Ticket(Base):
    """A ticket (工单)."""

    __tablename__ = "tickets"

    number: Mapped[str] = mapped_column(String(16), primary_key=True)
    query_code: Mapped[Any] = mapped_column(Secret)
    conversation_id: Mapped[str | None] = mapped_column(String(32), index=True)
    turn_id: Mapped[str | None] = mapped_column(String(32), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    """咨询, 投诉, 举报, 建议 or 求助"""
    subject: Mapped[Any] = mapped_column(Secret)
    """What the citizen asked or reports"""
    transcript: Mapped[Any] = mapped_column(Secret)
    """Masked lines of the conversation that led here: [{"sender", "text"}]"""
    region: Mapped[str | None] = mapped_column(String(6))
    phone: Mapped[Any] = mapped_column(Secret, nullable=True)
    phone_index: Mapped[str | None] = mapped_column(String(64), index=True)
    """Finds the tickets of one phone without reading any (``Cipher.blind`` of its digits)"""
    callback_phone: Mapped[Any] = mapped_column(Secret, nullable=True)
    """Another number, where the caller wants to be called back on it"""
    callback_index: Mapped[str | None] = mapped_column(String(64), index=True)
    """As ``phone_index``, of the other number"""
    caller_name: Mapped[Any] = mapped_column(Secret, nullable=True)
    address: Mapped[Any] = mapped_column(Secret, nullable=True)
    """Where it is, below the region, as it was told"""
    told_time: Mapped[Any] = mapped_column(Secret, nullable=True)
    """When it happened, as it was told"""
    happened_on: Mapped[date | None]
    """The day that ``told_time`` means, where that is sure"""
    category: Mapped[str | None] = mapped_column(String(16), index=True)
    """A code of the second level; None: 待分类"""
    category_scheme: Mapped[str | None] = mapped_column(String(64))
    """Scheme and version that the code is from (``bot.tickets.categories``)"""
    channel: Mapped[str | None] = mapped_column(String(16))
    """Where it came in: a key of ``bot.tickets.particulars.CHANNELS``; None: before this was kept"""
    urgency: Mapped[str] = mapped_column(String(8), default="一般")
    words: Mapped[str] = mapped_column(Text, default="")
    """Finds tickets by words of the subject without reading any (``words_index``)"""
    department: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(8), index=True)
    claimed_by: Mapped[str | None] = mapped_column(Text)
    answer: Mapped[Any] = mapped_column(Secret, nullable=True)
    working_days: Mapped[int]
    due_at: Mapped[datetime] = mapped_column(index=True)
    due_estimated: Mapped[bool]
    """Whether the calendar of a year without a holiday notice was used (暂按周末推算)."""
    created_at: Mapped[datetime]
    revision: Mapped[int] = mapped_column(default=0)
    """Counts up with each change: whoever changes it says which one they saw"""

    @validates("phone", "callback_phone", "subject")
    def _derive(self, key: str, value: str | None) -> str | None:
        if key == "subject":
            self.words = words_index(value or "")
        elif key == "callback_phone":
            self.callback_index = phone_index(value) if value else None
        else:
            self.phone_index = phone_index(value) if value else None
        return value

    events: Mapped[list[TicketEvent]] = relationship(order_by="TicketEvent.id", cascade="all, delete-orphan")


class TicketEvent(Base):
    """One change of a ticket: who, when, why."""

    __tablename__ = "ticket_events"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    number: Mapped[str] = mapped_column(ForeignKey("tickets.number"), index=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(8))
    """The state after the event"""
    note: Mapped[Any] = mapped_column(Secret)
    public: Mapped[bool] = mapped_column(default=True)


class CalendarDay(Base):
    """Operations' own word on one day, over the package's calendar."""

    __tablename__ = "calendar_days"

    day: Mapped[date] = mapped_column(primary_key=True)
    working: Mapped[bool]
    note: Mapped[str | None] = mapped_column(Text)
