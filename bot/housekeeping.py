"""What was never meant to stay is removed: events that were told, drafts nobody finished, sign-ins, states, choices and short messages of long ago."""

from __future__ import annotations

from datetime import datetime

from bot import database, events, sms
from bot.accounts import sign_in
from bot.clock import utcnow
from bot.desk import choices, drafts, states


def tidy(now: datetime | None = None) -> int:
    """Remove what is too old; how many rows."""
    now = now or utcnow()
    with database.write() as session:
        old = (
            events.forget_old,
            drafts.forget_old,
            sign_in.forget_old,
            states.forget_old,
            sms.forget_old,
            choices.forget_old,
        )
        return sum(forget(session, now) for forget in old)
