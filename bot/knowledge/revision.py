"""The knowledge's revision: one more with every transaction that changed what may be answered."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bot.models.housekeeping import Counter

REVISION = "knowledge_revision"
"""Name of the counter that holds it."""


def revision(session: Session) -> int:
    """The knowledge revision: 0 for an empty database, and one more with every transaction that changed something."""
    return session.scalar(select(Counter.value).where(Counter.name == REVISION)) or 0


def bump(session: Session) -> int:
    """Take the next revision.  It holds the counter's row until the commit, so revisions follow the commits' order."""
    return _advance(session, 1)


def lock(session: Session) -> None:
    """Wait until no other transaction is changing knowledge, and keep the others out until this one ends."""
    _advance(session, 0)


def _advance(session: Session, by: int) -> int:
    advance = (
        update(Counter)
        .where(Counter.name == REVISION)
        .values(value=Counter.value + by)
        .returning(Counter.value)
        .execution_options(synchronize_session=False)
    )
    value = session.scalar(advance)
    if value is None:
        try:
            with session.begin_nested():
                session.add(Counter(name=REVISION, value=0))
        except IntegrityError:  # another transaction made the row in this moment
            pass
        value = session.scalar(advance)
    assert value is not None
    return value
