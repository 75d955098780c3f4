"""Table of what a city imported: its tree of categories and its catalogue of departments."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base


class CategoryScheme(Base):
    """One version of a tree; none is ever removed, since tickets name their category by its code in it."""

    __tablename__ = "category_schemes"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Scheme and version: ``yihaoda/2026.1``"""
    content: Mapped[dict[str, Any]]
    """As ``bot.tickets.categories.Catalogue`` writes itself"""
    imported_by: Mapped[str] = mapped_column(Text)
    imported_at: Mapped[datetime] = mapped_column(index=True)
    """The last time: the newest one is in force"""
