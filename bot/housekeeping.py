"""What was never meant to stay is removed: events that were told, drafts nobody finished, sign-ins and devices of long ago."""

from __future__ import annotations

from datetime import datetime

from bot import database, events
from bot.accounts import sign_in
from bot.clock import utcnow
from bot.desk import drafts


def tidy(now: datetime | None = None) -> int:
    """Remove what is too old; how many rows."""
    now = now or utcnow()
    with database.write() as session:
        return sum(forget(session, now) for forget in (events.forget_old, drafts.forget_old, sign_in.forget_old))
