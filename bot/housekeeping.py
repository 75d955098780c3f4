"""What was never meant to stay is removed: events that were told, drafts nobody finished, sign-ins, states, choices and short messages of long ago."""

from __future__ import annotations

from datetime import datetime

from bot import database, events, sms
from bot.accounts import sign_in
from bot.calls import calls
from bot.clock import utcnow
from bot.desk import choices, drafts, states
from bot.releases import cleaning, shadow

_FORGET = (
    events.forget_old,
    drafts.forget_old,
    sign_in.forget_old,
    states.forget_old,
    sms.forget_old,
    choices.forget_old,
    shadow.forget_old,
    cleaning.forget_old,
)


def tidy(call_days: int, now: datetime | None = None) -> int:
    """Remove what is too old; how many rows.  ``call_days``: how long what was said in calls is kept."""
    now = now or utcnow()
    with database.write() as session:
        removed = sum(forget(session, now) for forget in _FORGET)
        calls.end_lost(session, now)
    while True:  # in short transactions
        with database.write() as session:
            forgotten = calls.forget_old(session, now, call_days)
        removed += forgotten
        if not forgotten:
            break
    if removed:
        database.forget_erased()
    return removed
