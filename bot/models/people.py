"""Tables of those who work with it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    String,
)
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base


class Agent(Base):
    """A hotline agent; on duty or not.  Log-in and roles come with the desk."""

    __tablename__ = "agents"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    on_duty_until: Mapped[datetime | None]
