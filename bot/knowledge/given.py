"""Which version of an item somebody was given: written down with each answer, worked out for what was given before that was."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.clock import SHANGHAI
from bot.knowledge import reading
from bot.knowledge.wrong import sense
from bot.models.versions import QAVersion


def given(session: Session, qa_id: str, words: str | None = None) -> int | None:
    """The version that a person passes on now; None: the item was never published, or is not there.

    Args:
        words: what they say: a page may still show the version before, and then its answer is in them.
    """
    qa = reading.get(session, qa_id)
    if qa is None or words is None:
        return qa.version if qa else None
    said = sense(words)
    newest = select(QAVersion).where(QAVersion.qa_id == qa_id).order_by(QAVersion.number.desc())
    same = [
        one.number for one in session.scalars(newest) if (answer := sense(one.content["answer"])) and answer in said
    ]
    return qa.version if qa.version in same or not same else same[0]


def in_force_at(versions: Sequence[QAVersion], at: datetime) -> int | None:
    """Which of an item's versions it was saying at a time, by when each was approved and began; None: none yet.

    Of what came with a file, approved elsewhere before, the time of its approval counts.
    """
    begun = [(_begins(one), one.number) for one in versions if not one.called_off]
    return max((one for one in begun if one[0] <= at), default=(at, None))[1]


def _begins(version: QAVersion) -> datetime:
    first = datetime.combine(version.starts, time(), SHANGHAI).astimezone(UTC)
    return max(version.published_at, first)
