"""Publishing: an approved content becomes a version, and the item's row takes it at once or on its day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot import audit, events, jobs, policy_changes
from bot.clock import SHANGHAI, utcnow
from bot.knowledge.content import content, stored
from bot.knowledge.reading import put
from bot.knowledge.revision import bump, lock
from bot.knowledge.wrong import refuse
from bot.models.knowledge import QA
from bot.models.versions import QAVersion

SYSTEM = "系统"
"""Who loads what comes with the program: nobody's author"""


def publish(
    session: Session,
    qa: QA,
    kept: Mapping[str, Any],
    *,
    authors: Iterable[str],
    by: str | None,
    at: datetime,
    why: str | None = None,
    today: date | None = None,
) -> QAVersion:
    """A new version.  What is in force stays until the version's first day; where nothing is, the row takes it at once.

    Of two versions that would begin on the same later day the newer one counts.

    Args:
        kept: the content, as ``stored`` gives it.
        by: who approved it; None: nobody whom we know.
        today: the day in China (default: ``at``'s).

    Raises:
        IllegalMove: a version with the same answer was withdrawn as wrong.
    """
    today = today or at.astimezone(SHANGHAI).date()
    starts = max(date.fromisoformat(kept["valid_from"]), today) if kept.get("valid_from") else today
    in_force = qa.status == "approved" and not (qa.valid_from and qa.valid_from > today)
    version = record(session, qa, kept, authors=authors, by=by, at=at, why=why, starts=starts)
    if in_force and starts > today:
        for other in waiting(session, qa.id):
            if other.due == starts:
                other.due, other.called_off = None, True
        version.due = starts
    else:
        put(qa, version)
        qa.status, qa.replaced_by = "approved", None
    session.flush()
    policy_changes.refresh_stops(session, [qa.id])
    jobs.request_once(session, "index", by or SYSTEM)  # its wordings are found once they are in the index
    return version


def record(
    session: Session,
    qa: QA,
    kept: Mapping[str, Any],
    *,
    authors: Iterable[str],
    by: str | None,
    at: datetime,
    why: str | None = None,
    starts: date | None = None,
) -> QAVersion:
    """The next version of an item, written down.  ``starts``: its first day (default: ``at``'s in China).  Raises: as ``publish``."""
    refuse(session, qa.id, kept["answer"])
    newest = session.scalar(select(func.max(QAVersion.number)).where(QAVersion.qa_id == qa.id))
    version = QAVersion(
        qa_id=qa.id,
        number=1 + (newest or 0),
        content=dict(kept),
        authors=sorted(set(authors) - {SYSTEM}),
        approved_by=by,
        published_at=at,
        why=why,
        starts=starts or at.astimezone(SHANGHAI).date(),
        called_off=False,
    )
    session.add(version)
    return version


def first(session: Session, qa: QA, authors: Iterable[str]) -> None:
    """A new item comes with its review: that is its first version, whatever its status."""
    kept, at = stored(content(qa)), qa.reviewed_at or utcnow()
    record(session, qa, kept, authors=authors, by=qa.reviewed_by, at=at, starts=qa.valid_from)
    qa.version = 1


def waiting(session: Session, qa_id: str, today: date | None = None) -> list[QAVersion]:
    """An item's versions that its row does not hold yet, in their order; with ``today``, those that are in force by then."""
    query = select(QAVersion).where(QAVersion.qa_id == qa_id, QAVersion.due.is_not(None))
    if today is not None:
        query = query.where(QAVersion.due <= today)
    return list(session.scalars(query.order_by(QAVersion.due, QAVersion.number)))


def bring_in(session: Session, today: date) -> list[str]:
    """Put the versions whose first day has come into their items' rows; the items' ids.

    Reading does not depend on it (see ``reading``): it is for whatever looks at the rows themselves.
    """
    ids = session.scalars(select(QAVersion.qa_id).where(QAVersion.due <= today).distinct()).all()
    if not ids:
        return []
    lock(session)
    brought = [qa_id for qa_id in sorted(ids) if (qa := session.get(QA, qa_id)) and bring_in_one(session, qa, today)]
    if brought:
        number = bump(session)
        for qa_id in brought:
            session.get_one(QA, qa_id).revision = number
    session.flush()
    policy_changes.refresh_stops(session, brought)
    return brought


def bring_in_one(session: Session, qa: QA, today: date) -> bool:
    """The same for one item, which is locked; whether there was any."""
    due = waiting(session, qa.id, today)
    for version in due:
        put(qa, version)
        version.due = None
        audit.record(session, SYSTEM, "qa.in_force", qa.id, version=version.number)
    if due:
        qa.edits += 1
        events.publish(session, "knowledge", qa.id)
    return bool(due)
