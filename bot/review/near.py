"""What is judged again after a wording was adopted: the rest of its group and groups near it, by their kept vectors.

No encoder is needed for it, so whoever decides waits for some hundred products of vectors and nothing else.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from math import sqrt
from operator import mul

from sqlalchemy import Select, func, or_, select, update
from sqlalchemy.orm import Session, undefer

from bot import asked
from bot.models.asked import Asked
from bot.models.review import ReviewGroup, ReviewMember

ALIKE = 0.88
"""Cosine from which on a text counts as answered by a wording: on our own questions the nearest one from there on asks the same four times of five"""
_MOST = 1500
"""Texts that are looked at"""


def settle_alike(session: Session, decision_id: str, like: Sequence[str], group: ReviewGroup, qa_id: str) -> set[str]:
    """Settle by a decision what is open and near the questions ``like``; the ids of the groups that it touches.

    Looked at are the texts of the group itself, and of groups of the same matter or with the same item in view.
    """
    wanted = [one for one in session.scalars(_with_vectors(like)) if one.vector]
    if not wanted:
        return set()
    of_one_encoder = [_unpacked(one) for one in wanted if one.encoder == wanted[0].encoder]
    near = or_(ReviewGroup.id == group.id, ReviewGroup.candidate == qa_id, ReviewGroup.matter == group.matter)
    texts = (
        select(ReviewMember.text, func.max(ReviewMember.asked_id))
        .join(ReviewGroup, ReviewGroup.id == ReviewMember.group_id)
        .where(near, ReviewMember.decision.is_(None))
        .group_by(ReviewMember.text)
        .order_by(func.count().desc(), ReviewMember.text)
        .limit(_MOST)
    )
    by_question = {id_: text for text, id_ in session.execute(texts)}
    alike = [
        by_question[one.id]
        for one in session.scalars(_with_vectors(list(by_question)))
        if one.vector
        and one.encoder == wanted[0].encoder
        and any(sum(map(mul, vector, _unpacked(one))) >= ALIKE for vector in of_one_encoder)
    ]
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


def _with_vectors(ids: Sequence[str]) -> Select[Asked]:
    return select(Asked).where(Asked.id.in_(ids)).options(undefer(Asked.vector))


def _unpacked(row: Asked) -> list[float]:
    raw = asked.vector_of(row) or b""
    numbers = struct.unpack(f"<{len(raw) // 2}e", raw)
    length = sqrt(sum(map(mul, numbers, numbers))) or 1.0
    return [number / length for number in numbers]
