"""What people did with what the desk had found for them, with what stood on the screen then: kept to learn from.

Conversations and calls use it alike.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, TypedDict

from sqlalchemy import delete
from sqlalchemy.orm import Session

from bot import database, doubts, knowledge
from bot.errors import InvalidInput, NotFound
from bot.models.desk import Choice, Kind
from bot.models.doubts import Doubt
from bot.settings import Settings, get_settings

What = Literal["used", "edited", "unsuitable", "wrong", "sent"]
MOST = 20
"""So many items of a screen are kept"""


class Shown(TypedDict):
    """An item on the screen."""

    qa_id: str
    place: int
    """From 1"""
    band: str | None
    """How sure the desk was of it: sure, likely, reference"""


def record(
    session: Session,
    *,
    kind: Kind,
    subject: str,
    person: str,
    what: What,
    qa_id: str,
    shown: Sequence[Shown],
    id: str,
    now: datetime,
    reason: str | None = None,
) -> Choice:
    """Keep a choice.  The same ``id`` again is the same choice.

    Args:
        subject: the conversation or call in which it was made.
        id: 32 hex digits; the page's own, or the id of the message that it led to.

    Raises:
        InvalidInput: the id is malformed or another person's, too many items, or an unsuitable one without a reason.
    """
    reason = (reason or "").strip() or None
    if not re.fullmatch(r"[0-9a-f]{32}", id) or len(shown) > MOST:
        raise InvalidInput("这次选择记不下来。")
    if what in ("unsuitable", "wrong") and reason is None:
        raise InvalidInput("请写明原因。")
    if (same := session.get(Choice, id)) is not None:
        if same.person != person:
            raise InvalidInput("这次选择记不下来。")
        return same
    choice = Choice(
        id=id,
        kind=kind,
        subject=subject,
        person=person,
        what=what,
        qa_id=qa_id,
        qa_version=knowledge.given(session, qa_id),
        shown=list(shown),
        reason=reason,
        at=now,
    )
    session.add(choice)
    session.flush()
    return choice


def undo(session: Session, id: str, person: str) -> None:
    """Take one's own choice back: nothing is to be learnt from it.  Raises: NotFound."""
    choice = session.get(Choice, id, with_for_update=True)
    if choice is None or choice.person != person:
        raise NotFound("没有这次选择。")
    session.delete(choice)


def wrong(
    session: Session,
    *,
    kind: Kind,
    subject: str,
    person: str,
    qa_id: str,
    shown: Sequence[Shown],
    reason: str,
    settings: Settings,
    now: datetime,
) -> Doubt:
    """报错 out of a conversation or a call: the report (``doubts.report``), and the choice, under one id.  Raises: as both."""
    doubt = doubts.report(session, qa_id, reason, person, settings, now)
    record(
        session,
        kind=kind,
        subject=subject,
        person=person,
        what="wrong",
        qa_id=qa_id,
        shown=shown,
        id=doubt.id,
        now=now,
        reason=reason,
    )
    return doubt


def take_back(session: Session, doubt_id: str, person: str, now: datetime) -> None:
    """Undo a report, and the choice that it was, if it was one.  Raises: as ``doubts.undo``."""
    doubts.undo(session, doubt_id, person, now)
    session.execute(delete(Choice).where(Choice.id == doubt_id).execution_options(synchronize_session=False))


def forget_old(session: Session, now: datetime) -> int:
    """Remove what is older than conversations are kept, whatever became of its subject; how many."""
    old = Choice.at < now - timedelta(days=get_settings().retention_days)
    return database.rows_changed(session, delete(Choice).where(old))
