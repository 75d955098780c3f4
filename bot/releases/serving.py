"""Which bundle answers whom."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session, defer

from bot.models.conversations import Conversation
from bot.models.releases import Bundle
from bot.releases.states import ANSWERING, GONE, HELD, LIVE, PREVIOUS, SHARE


@dataclass(frozen=True)
class Serving:
    """The bundles that are held at this moment."""

    live: Bundle | None
    """None: none was ever released; the index's own pointer counts"""
    held: Sequence[Bundle]
    """The live one too"""

    @classmethod
    def of(cls, held: Sequence[Bundle]) -> Self:
        """These are held."""
        return cls(next((one for one in held if one.state == LIVE), None), held)

    def named(self, name: str | None) -> Bundle | None:
        """The held bundle of this name."""
        return next((one for one in self.held if one.name == name), None)


def serving(session: Session) -> Serving:
    """What is held."""
    return Serving.of(session.scalars(_HELD).all())


_HELD = select(Bundle).where(Bundle.state.in_(HELD)).order_by(Bundle.name)
_LIGHT = (defer(Bundle.gate), defer(Bundle.summary))
"""Looked up in every turn: without what only people read"""


def assign(session: Session, conversation: Conversation) -> None:
    """Choose a bundle for a session that begins: by hash, so that whoever has the coming one keeps it as its share grows."""
    there = serving(session)
    coming = next((one for one in there.held if one.state == SHARE), None)
    mine = coming if coming is not None and falls(conversation.id, coming) else there.live
    conversation.bundle = mine.name if mine is not None else None


def falls(conversation_id: str, bundle: Bundle) -> bool:
    """Whether a conversation is among the share of a bundle."""
    return place(conversation_id, bundle.name) < bundle.share


def place(conversation_id: str, bundle: str) -> int:
    """From 0 to 99: from which share on a conversation is a bundle's."""
    digest = hashlib.sha256(f"{bundle}\n{conversation_id}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % 100


def to_watch(session: Session, now: datetime) -> bool:
    """Whether a bundle has to be looked after: it is shared, or was kept warm long enough."""
    over = and_(Bundle.state == PREVIOUS, Bundle.warm_until <= now)
    return session.scalar(select(Bundle.name).where(or_(Bundle.state == SHARE, over)).limit(1)) is not None


def of(session: Session, conversation: Conversation, begun_with: str | None = None) -> Bundle | None:
    """The bundle that answers a conversation now: its own as long as that answers, else the live one; None: there is none.

    Args:
        begun_with: In the place of its own, where a turn was begun with that.
    """
    there = Serving.of(session.scalars(_HELD.options(*_LIGHT)).all())
    own = there.named(begun_with or conversation.bundle)
    return own if own is not None and own.state in ANSWERING else there.live


def pinned(session: Session) -> tuple[set[str], set[str]]:
    """(index versions, Rasa models) that bundles name: they stay on disk until their bundle goes."""
    rows = session.execute(select(Bundle.index_version, Bundle.rasa_model).where(Bundle.state != GONE)).all()
    return {row[0] for row in rows}, {row[1] for row in rows}
