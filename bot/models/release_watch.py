"""Table of what the watcher found of the bundle that is shared."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base


class ReleaseWatch(Base):
    """How a shared bundle compares with the live one, as it was looked at last."""

    __tablename__ = "release_watches"

    bundle: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[datetime]
    figures: Mapped[dict[str, Any]]
    """See ``bot.releases.watching.Compared.stored``"""
