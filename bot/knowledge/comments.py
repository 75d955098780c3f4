"""What colleagues tell each other about an item: comments, each open until somebody has seen to it.  Citizens never see them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot import events
from bot.errors import IllegalMove, InvalidInput, NotFound
from bot.knowledge.content import FIELDS
from bot.models.knowledge import QA
from bot.models.versions import QAComment

MOST = 200
"""The newest that are shown, and so many may be open"""


def add(session: Session, qa_id: str, by: str, text: str, now: datetime, *, field: str | None = None) -> QAComment:
    """Write one down.

    Args:
        field: the content's field that it is about; None: the item as a whole.

    Raises:
        NotFound.
        InvalidInput: nothing said; no such field; too many open ones.
    """
    if session.get(QA, qa_id, with_for_update=True) is None:
        raise NotFound(f"没有编号为 {qa_id} 的问答。")
    if not text.strip():
        raise InvalidInput("请写上意见。")
    if field is not None and field not in FIELDS:
        raise InvalidInput(f"没有“{field}”这一栏。")
    if unsettled(session, [qa_id]).get(qa_id, 0) >= MOST:
        raise InvalidInput(f"这一条已经有 {MOST} 条意见没有处理，请先处理。")
    comment = QAComment(qa_id=qa_id, field=field, text=text.strip(), author=by, at=now)
    session.add(comment)
    session.flush()
    events.publish(session, "knowledge", qa_id)
    return comment


def settle(session: Session, qa_id: str, number: int, by: str, now: datetime, *, settled: bool = True) -> QAComment:
    """Somebody has seen to it; or, with ``settled`` False, it is open once more.

    Raises:
        NotFound.
        IllegalMove: it is so already.
    """
    comment = session.get(QAComment, number, with_for_update=True, populate_existing=True)
    if comment is None or comment.qa_id != qa_id:
        raise NotFound("没有这条意见。")
    if (comment.settled_at is not None) == settled:
        raise IllegalMove("这条意见已经处理过了。" if settled else "这条意见还没有处理。")
    comment.settled_by, comment.settled_at = (by, now) if settled else (None, None)
    events.publish(session, "knowledge", qa_id)
    return comment


def of(session: Session, qa_id: str) -> Sequence[QAComment]:
    """The open ones, then those that were seen to; of each the newest first."""
    return session.scalars(
        select(QAComment)
        .where(QAComment.qa_id == qa_id)
        .order_by(QAComment.settled_at.is_not(None), QAComment.at.desc(), QAComment.id.desc())
        .limit(MOST)
    ).all()


def unsettled(session: Session, qa_ids: Iterable[str]) -> dict[str, int]:
    """How many comments are open, of the items that have any."""
    found = session.execute(
        select(QAComment.qa_id, func.count())
        .where(QAComment.qa_id.in_(list(qa_ids)), QAComment.settled_at.is_(None))
        .group_by(QAComment.qa_id)
    )
    return dict(iter(found))
