"""Table of the calls that we owe: to whoever waited for a person and got none, or was answered wrongly."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base, Secret


class Callback(Base):
    """A call that we owe (回拨): to whom, why, and what came of it."""

    __tablename__ = "callbacks"
    __table_args__ = (Index(None, "done_at", "since"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    """What ``subject`` is: conversation or call; of a recall also ticket or sms"""
    subject: Mapped[str] = mapped_column(String(32), index=True)
    phone: Mapped[Any] = mapped_column(Secret)
    why: Mapped[str] = mapped_column(String(16))
    """leave (did not want to wait any longer), nobody (nobody was there any more), hung_up; recall (they were answered wrongly)"""
    says: Mapped[Any] = mapped_column(Secret, nullable=True)
    """What they are to be told, where it is that for which they are called"""
    since: Mapped[datetime]
    """Since when they had wanted a person; of a recall: when they got the wrong answer"""
    at: Mapped[datetime]
    """When the wait was over"""
    claimed_by: Mapped[str | None] = mapped_column(String(64))
    claimed_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    tried_at: Mapped[datetime | None]
    result: Mapped[str | None] = mapped_column(String(16))
    """Of the last try: reached, not_reached, wrong_number; served: they got a person in another way"""
    done_at: Mapped[datetime | None]
    done_by: Mapped[str | None] = mapped_column(String(64))
