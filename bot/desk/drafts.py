"""What people are about to say, kept on the server: it outlives a reload, a crash, and the thing's being taken by somebody else."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from bot import database
from bot.errors import IllegalMove, InvalidInput
from bot.models.people import Draft

KEPT = timedelta(days=30)
"""After the last change"""


def read(session: Session, person: str, kind: str, subject: str) -> Draft | None:
    """What a person is writing about something."""
    return session.get(Draft, (person, kind, subject))


def save(session: Session, person: str, kind: str, subject: str, text: str, revision: int, now: datetime) -> Draft:
    """Keep it.

    Raises:
        InvalidInput: kind or subject is malformed.
        IllegalMove: a newer one was saved since ``revision``, on another page.
    """
    if not (re.fullmatch(r"[a-z-]{1,16}", kind) and re.fullmatch(r"[\w.:-]{1,64}", subject)):
        raise InvalidInput("草稿的名称不对。")
    row = session.get(Draft, (person, kind, subject), with_for_update=True)
    if row is None:
        row = Draft(person=person, kind=kind, subject=subject, text="", revision=0, at=now)
        session.add(row)
    if row.revision > revision:
        raise IllegalMove("这份草稿在别的页面上又改过了，请刷新后再写。")
    row.text, row.revision, row.at = text, revision + 1, now
    return row


def forget_old(session: Session, now: datetime) -> int:
    """Remove drafts that nobody touched for long; how many."""
    return database.rows_changed(session, delete(Draft).where(Draft.at < now - KEPT))
