"""What is judged again after a wording was adopted: the rest of its group and groups near it, by their kept vectors.

No encoder is needed for it, so whoever decides waits for some hundred products of vectors and nothing else.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from math import sqrt
from operator import mul
from typing import Any

from sqlalchemy import Select, func, or_, select, update
from sqlalchemy.orm import Session

from bot.models.asked import Asked
from bot.models.review import ReviewGroup, ReviewMember

ALIKE = 0.88
"""Cosine from which on a text counts as answered by a wording: on our own questions the nearest one from there on asks the same four times of five"""
_MOST = 1500
"""Texts that are looked at"""


def settle_alike(session: Session, decision_id: str, like: Sequence[str], group: ReviewGroup, qa_id: str) -> set[str]:
    """Settle by a decision what is open and near the questions ``like``; the ids of the groups that it touches.

    Looked at are the texts of the group itself, and of groups of the same matter or with the same item in view, those that matter most first.
    """
    wanted = [one for one in session.execute(_vectors(like)) if one.vector]
    if not wanted:
        return set()
    encoder = wanted[0].encoder
    liked = [_unpacked(one.vector) for one in wanted if one.encoder == encoder]
    near = or_(ReviewGroup.id == group.id, ReviewGroup.candidate == qa_id, ReviewGroup.matter == group.matter)
    texts = (
        select(ReviewMember.text, func.max(ReviewMember.asked_id))
        .join(ReviewGroup, ReviewGroup.id == ReviewMember.group_id)
        .where(near, ReviewMember.decision.is_(None))
        .group_by(ReviewMember.text)
        .order_by(func.max(ReviewGroup.help).desc(), func.count().desc(), ReviewMember.text)
        .limit(_MOST)
    )
    text_of = {id_: text for text, id_ in session.execute(texts)}
    alike = []
    for one in session.execute(_vectors(list(text_of))):
        if one.vector and one.encoder == encoder:
            vector = _unpacked(one.vector)
            if any(sum(map(mul, vector, other)) >= ALIKE for other in liked):
                alike.append(text_of[one.id])
    return settle_texts(session, decision_id, alike)


def settle_texts(session: Session, decision_id: str, texts: Sequence[str]) -> set[str]:
    """Settle what is open of these texts by a decision; the ids of the groups that it touches."""
    touched: set[str] = set()
    for start in range(0, len(texts), 500):
        open_ = ReviewMember.text.in_(texts[start : start + 500]), ReviewMember.decision.is_(None)
        touched |= set(session.scalars(select(ReviewMember.group_id).where(*open_).distinct()))
        change = update(ReviewMember).where(*open_).values(decision=decision_id)
        session.execute(change.execution_options(synchronize_session=False))
    return touched


def _vectors(ids: Sequence[str]) -> Select[Any]:
    """Of these questions, and nothing else that would have to be decrypted."""
    return select(Asked.id, Asked.encoder, Asked.vector).where(Asked.id.in_(ids))


def _unpacked(kept: str) -> list[float]:
    raw = base64.b64decode(kept)
    numbers = struct.unpack(f"<{len(raw) // 2}e", raw)
    length = sqrt(sum(map(mul, numbers, numbers))) or 1.0
    return [number / length for number in numbers]
