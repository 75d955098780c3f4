"""Counters in the database, shared by all processes and kept over restarts: rate limits, wrong tries, used signatures."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from bot.models.housekeeping import Counter

_SWEEP = 100
"""How many expired rows one call removes at most: the work stays bounded."""


def hit(session: Session, name: str, limit: int, window: timedelta, now: datetime) -> bool:
    """Count one under ``name``; False when that is more than ``limit`` in the present window.

    The window begins with its first hit.  One statement, so that no two callers get the same count; the row stays
    locked until the caller's transaction ends.

    Args:
        name: at most 128 characters; hash what could be longer or says who someone is.
        limit: how many are fine.
        window: its length.
        now: aware.
    """
    over = Counter.expires_at <= now
    value: int = session.execute(
        _insert(session)
        .values(name=name, value=1, expires_at=now + window)
        .on_conflict_do_update(
            index_elements=[Counter.name],
            set_={
                "value": case((over, 1), else_=Counter.value + 1),
                "expires_at": case((over, now + window), else_=Counter.expires_at),
            },
        )
        .returning(Counter.value)
    ).scalar_one()
    if value == 1:
        sweep(session, now)
    return value <= limit


def locked(session: Session, name: str, now: datetime) -> Counter:
    """The row under ``name``, locked until the transaction ends; its value is 0 where there was none or its time is over.

    Whoever counts in it sets ``expires_at``, else it is soon swept away.  Lock several in one order everywhere.
    """
    # The update changes nothing but locks: between an insert that does nothing and a look, the row could be swept away.
    session.execute(
        _insert(session)
        .values(name=name, value=0, expires_at=now)
        .on_conflict_do_update(index_elements=[Counter.name], set_={"name": name})
    )
    row = session.get_one(Counter, name, populate_existing=True)
    if row.expires_at is None or row.expires_at <= now:
        row.value = 0
    return row


def once(session: Session, name: str, value: int, until: datetime, now: datetime) -> bool:
    """Keep ``value`` under ``name`` until a time, if nothing is kept there yet; whether ``value`` is what is kept then."""
    row = locked(session, name, now)
    if row.expires_at is None or row.expires_at <= now:
        row.value, row.expires_at = value, until
        sweep(session, now)
    return row.value == value


def _insert(session: Session) -> Any:
    # SQLAlchemy has no common upsert: both dialects' inserts have the same methods, but no common type.
    insert: Any = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    return insert(Counter)


def sweep(session: Session, now: datetime) -> None:
    """Remove some rows whose window is over.  Whoever opens a window does so, too: nothing piles up."""
    expired = (
        select(Counter.name)
        .where(Counter.expires_at <= now)
        .limit(_SWEEP)
        # PostgreSQL: pass over rows that another transaction counts in, rather than wait for it (and deadlock).
        .with_for_update(skip_locked=True)
    )
    session.execute(delete(Counter).where(Counter.name.in_(expired)).execution_options(synchronize_session=False))
