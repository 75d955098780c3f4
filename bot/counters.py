"""Fixed-window counters in the database, shared by all processes: rate limits and wrong tries."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from bot.models import Counter

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
    # SQLAlchemy has no common upsert: both dialects' inserts have the same methods, but no common type.
    insert: Any = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    over = Counter.expires_at <= now
    value: int = session.execute(
        insert(Counter)
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


def take_back(session: Session, name: str) -> None:
    """Undo one ``hit``: it turned out not to count."""
    session.execute(
        update(Counter)
        .where(Counter.name == name, Counter.value > 0)
        .values(value=Counter.value - 1)
        .execution_options(synchronize_session=False)
    )


def sweep(session: Session, now: datetime) -> None:
    """Remove some rows whose window is over.  ``hit`` does so whenever it opens a window: nothing piles up."""
    expired = (
        select(Counter.name)
        .where(Counter.expires_at <= now)
        .limit(_SWEEP)
        # PostgreSQL: pass over rows that another transaction counts in, rather than wait for it (and deadlock).
        .with_for_update(skip_locked=True)
    )
    session.execute(delete(Counter).where(Counter.name.in_(expired)).execution_options(synchronize_session=False))
