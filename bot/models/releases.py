"""Tables of what is released: bundles (发布包), and every step that one of them took."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base


class Bundle(Base):
    """One release: a Rasa model, an index version with its limits, and the published versions that it was made from.

    Its folder, ``bundles/<name>/`` in the data folder, never changes; see ``bot.releases.files``.
    """

    __tablename__ = "bundles"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    """A key of ``bot.releases.KINDS``"""
    state: Mapped[str] = mapped_column(String(16), index=True)
    """A key of ``bot.releases.STATES``"""
    share: Mapped[int] = mapped_column(Integer, default=0)
    """Percent of the new sessions that get it while it is shared"""
    index_version: Mapped[str] = mapped_column(String(64))
    rasa_model: Mapped[str] = mapped_column(String(64))
    """Names ``rasa/<it>.tar.gz`` in the data folder"""
    rasa_port: Mapped[int | None]
    """Where a Rasa with this model listens while the bundle is held; None: none does, the gateway answers by itself"""
    summary: Mapped[dict[str, Any]]
    """What its manifest says, without the long lists: encoder, limits, counts, digests, code"""
    gate: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """The gate's verdict and figures; None: it was not evaluated"""
    made_by: Mapped[str] = mapped_column(Text)
    made_at: Mapped[datetime]
    since: Mapped[datetime]
    """Since when it has been in this state"""
    warm_until: Mapped[datetime | None]
    """Until when the bundle before is kept ready to go back to"""
    asked_by: Mapped[str | None] = mapped_column(Text)
    """Who wants it out though the gate did not pass it; another person has to confirm"""
    asked_why: Mapped[str | None] = mapped_column(Text)
    asked_at: Mapped[datetime | None]


class ReleaseStep(Base):
    """Something that became of a bundle: who, what, why, with which figures."""

    __tablename__ = "release_steps"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    bundle: Mapped[str] = mapped_column(String(64), index=True)
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(Text)
    move: Mapped[str] = mapped_column(String(16))
    before: Mapped[str] = mapped_column(String(16))
    after: Mapped[str] = mapped_column(String(16))
    why: Mapped[str | None] = mapped_column(Text)
    figures: Mapped[dict[str, Any]]
