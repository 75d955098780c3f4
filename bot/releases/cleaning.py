"""Knowledge bundles of long ago let go of their index: every approval makes one, of a hundred megabytes and more."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.models.releases import Bundle
from bot.releases import switching
from bot.releases.states import BUILT, GONE, KEPT, PASSED, REFUSED, SHORT, STOPPED
from bot.settings import get_settings

_KINDS = ("knowledge", "start")
"""A model's bundle stays until somebody drops it"""
_IDLE = (BUILT, PASSED, SHORT, REFUSED, KEPT, STOPPED)


def forget_old(session: Session, now: datetime) -> int:
    """How many go.  Their rows, manifests and history stay; the index's files go when the next version is put to use."""
    before = now - timedelta(days=get_settings().bundle_days)
    old = select(Bundle).where(Bundle.kind.in_(_KINDS), Bundle.state.in_(_IDLE), Bundle.since < before)
    gone = session.scalars(old).all()
    for one in gone:
        switching.note(session, one, GONE, by="系统", move="gone", why=None, figures={}, now=now)
        one.state, one.since, one.asked_by, one.asked_why, one.asked_at = GONE, now, None, None, None
    return len(gone)
