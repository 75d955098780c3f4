"""What a process has found that people must see to, kept where every process sees it until it is settled."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import database
from bot.clock import utcnow
from bot.models.housekeeping import Notice


def put(name: str, text: str) -> None:
    """Say it, in place of what was said under this name before.  In a transaction of its own."""
    with database.write() as session:
        session.merge(Notice(name=name, text=text, at=utcnow()))


def settle(name: str) -> None:
    """Nothing is to be said under this name any more.  Writes only where there was something."""
    with database.read() as session:
        if session.get(Notice, name) is None:
            return
    with database.write() as session:
        if notice := session.get(Notice, name):
            session.delete(notice)


def texts(session: Session) -> list[str]:
    """What is to be said now, the oldest first."""
    return list(session.scalars(select(Notice.text).order_by(Notice.at, Notice.name)))
