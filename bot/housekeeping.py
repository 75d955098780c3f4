"""What was never meant to stay is removed: events that were told, drafts nobody finished, sign-ins and devices of long ago."""

from __future__ import annotations

from datetime import datetime

from bot import database, desk, events
from bot.accounts import sign_in
from bot.clock import utcnow


def tidy(now: datetime | None = None) -> int:
    """Remove what is too old; how many rows."""
    now = now or utcnow()
    with database.write() as session:
        return sum(forget(session, now) for forget in (events.forget_old, desk.forget_old_drafts, sign_in.forget_old))
