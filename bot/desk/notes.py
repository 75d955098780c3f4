"""What the staff writes about a conversation, for themselves: notes, what came of three-way calls, and a supervisor's whispers to whoever has it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import audit, conversations, events
from bot.errors import InvalidInput
from bot.models.conversations import DeskNote

MOST = 200
"""The newest that are shown"""

Kind = Literal["note", "whisper", "three-way"]


def add(
    session: Session,
    conversation_id: str,
    author: str,
    kind: Kind,
    text: str,
    now: datetime,
    *,
    party: str | None = None,
) -> DeskNote:
    """Write one down.  The citizen never sees it.

    Args:
        party: with whom a three-way call was; ``text`` is what came of it.

    Raises:
        NotFound.
        InvalidInput: a three-way call without saying with whom.
    """
    if (kind == "three-way") != bool(party):
        raise InvalidInput("请写明和谁三方通话。")
    conversation = conversations.lock(session, conversation_id)
    note = DeskNote(conversation_id=conversation.id, author=author, kind=kind, party=party, text=text, at=now)
    session.add(note)
    session.flush()
    events.publish(session, "conversation", conversation.id, state=conversation.state)
    if kind == "whisper":
        audit.record(session, author, "conversation.whisper", conversation.id, agent=conversation.agent)
    return note


def of(session: Session, conversation_id: str) -> Sequence[DeskNote]:
    """The newest ones, oldest first."""
    found = session.scalars(
        select(DeskNote).where(DeskNote.conversation_id == conversation_id).order_by(DeskNote.id.desc()).limit(MOST)
    ).all()
    return list(reversed(found))
