"""Events: that something changed, for pages that are open.  Written in the transaction of the change, read by cursor.

An event names what changed, and never what it says: whoever may see the thing asks for it.  Ids are given in the order in which
transactions commit, so that reading on from an id skips none.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, event, func, select, text
from sqlalchemy.orm import Session

from bot import database
from bot.clock import utcnow
from bot.models.housekeeping import Event

CHANNEL = "yihaoda_events"
"""PostgreSQL: where a commit with events is told of, as a wake-up only; the table is the truth"""
KEPT = timedelta(days=2)
"""A page that slept longer loads everything anew"""

_PENDING = "events of this transaction"


def publish(session: Session, kind: str, subject: str, **about: Any) -> None:
    """Note that something changed; of several notes on one thing in a transaction the last one counts.

    Args:
        kind: conversation, ticket, danger, person, job, import, unanswered, duty, doubt, callback, shield, sms, local, knowledge, learning, surge,
            recall, release.
        subject: its id.
        about: what decides who may hear of it, and what a page needs to know which lists are touched.  No personal data.
    """
    session.info.setdefault(_PENDING, {})[kind, subject] = about


def since(session: Session, after: int, limit: int = 500) -> Sequence[Event]:
    """Those with a greater id, in order."""
    return session.scalars(select(Event).where(Event.id > after).order_by(Event.id).limit(limit)).all()


def newest(session: Session) -> int:
    """The last id; 0: there is none."""
    return session.scalar(select(func.max(Event.id))) or 0


def oldest(session: Session) -> int:
    """The first id that is still kept; 0: there is none."""
    return session.scalar(select(func.min(Event.id))) or 0


def forget_old(session: Session, now: datetime) -> int:
    """Remove what is older than ``KEPT``, but for the newest one, from which the ids count on; how many."""
    return database.rows_changed(session, delete(Event).where(Event.at < now - KEPT, Event.id < newest(session)))


@event.listens_for(Session, "before_commit")
def _write(session: Session) -> None:
    if session.in_nested_transaction():
        return
    session.flush()  # which may publish more
    if not (pending := session.info.pop(_PENDING, None)):
        return
    database.one_at_a_time(session)
    at = utcnow()
    session.add_all(Event(at=at, kind=kind, subject=subject, about=about) for (kind, subject), about in pending.items())
    session.flush()
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_notify(:channel, '')"), {"channel": CHANNEL})
