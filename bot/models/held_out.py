"""Table of the questions that nothing is ever trained on."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base


class HeldOut(Base):
    """A question that was held out once, whatever becomes of its group and of the key that its person is hashed with."""

    __tablename__ = "held_out"

    asked_id: Mapped[str] = mapped_column(String(32), ForeignKey("asked.id", ondelete="CASCADE"), primary_key=True)
