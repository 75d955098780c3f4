"""What a bundle in state ``shadow`` would have answered to citizens' turns: kept for 30 days, without words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from bot import database
from bot.asked import person_link, turn_link
from bot.models.conversations import InboxMessage, TurnEffect
from bot.models.shadow import ShadowTurn
from bot.replies import REPLIES, AnswerReply

if TYPE_CHECKING:
    from bot.turns import Outcome

KEPT = timedelta(days=30)
FAILED = "failed"
"""The decision of a bundle that could not decide"""


@dataclass(frozen=True)
class Decided:
    """What a turn came to, as far as it is compared."""

    decision: str
    qa: str | None = None
    certainty: str | None = None
    looked: bool = False
    """Whether it looked for an answer in the index at all"""


@dataclass(frozen=True)
class Compared:
    """One turn, as it was answered and as it would have been."""

    bundle: str
    turn_id: str
    conversation_id: str
    at: datetime
    live: Decided
    shadow: Decided
    ms: float
    skipped: int = 0


@dataclass(frozen=True)
class Figures:
    """What the shadow run of a bundle has shown so far."""

    compared: int
    same: int
    failed: int
    skipped: int
    mean_ms: float | None


def answered(effect: TurnEffect) -> Decided:
    """What the live bundle decided."""
    first = next((one for one in REPLIES.validate_python(effect.replies) if isinstance(one, AnswerReply)), None)
    looked = "version" in (effect.explain or {})
    return Decided(effect.decision, effect.qa_id, first.certainty if first else None, looked)


def decided(outcome: Outcome) -> Decided:
    """What another bundle would have."""
    first = next((one for one in outcome.replies if isinstance(one, AnswerReply)), None)
    return Decided(outcome.decision, outcome.qa_id, first.certainty if first else None, "version" in outcome.explain)


def keep(session: Session, rows: Sequence[Compared]) -> None:
    """Write them down; but for those whose citizens had the conversation erased meanwhile."""
    ids = [one.turn_id for one in rows]
    there = set(session.scalars(select(InboxMessage.turn_id).where(InboxMessage.turn_id.in_(ids))))
    written = [
        {
            "bundle": one.bundle,
            "at": one.at,
            "turn": turn_link(one.turn_id)[0],
            "person": person_link(one.conversation_id)[0],
            "live_decision": one.live.decision,
            "live_qa": one.live.qa,
            "live_certainty": one.live.certainty,
            "decision": one.shadow.decision,
            "qa": one.shadow.qa,
            "certainty": one.shadow.certainty,
            "same": (one.live.decision, one.live.qa, one.live.certainty)
            == (one.shadow.decision, one.shadow.qa, one.shadow.certainty),
            "ms": one.ms,
            "skipped": one.skipped,
        }
        for one in rows
        if one.turn_id in there
    ]
    if written:
        session.execute(insert(ShadowTurn), written)


def figures(session: Session, bundle: str) -> Figures:
    """What its shadow run has shown so far."""
    row = session.execute(
        select(
            func.count(),
            func.count().filter(ShadowTurn.same.is_(True)),
            func.count().filter(ShadowTurn.decision == FAILED),
            func.coalesce(func.sum(ShadowTurn.skipped), 0),
            func.avg(ShadowTurn.ms),
        ).where(ShadowTurn.bundle == bundle)
    ).one()
    return Figures(row[0], row[1], row[2], int(row[3]), float(row[4]) if row[4] is not None else None)


def erase(session: Session, conversation_ids: Sequence[str]) -> None:
    """Remove what there is of these conversations: their citizens want it."""
    links = [link for one in conversation_ids for link in person_link(one)]
    session.execute(delete(ShadowTurn).where(ShadowTurn.person.in_(links)).execution_options(synchronize_session=False))


def forget_old(session: Session, now: datetime) -> int:
    """Remove what is too old; how many rows."""
    return database.rows_changed(session, delete(ShadowTurn).where(ShadowTurn.at < now - KEPT))
