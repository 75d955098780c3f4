"""What replays of changes found, kept by item and change: whoever approves a working copy sees what was found of that very one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from bot import audit, database, jobs
from bot.errors import NotFound
from bot.models.asked import Asked, Replay

_BATCH = 500


def add(
    session: Session,
    by: str,
    change: Mapping[str, Any],
    digest: str,
    now: datetime,
    *,
    result: Mapping[str, Any] | None = None,
) -> Replay:
    """Keep an estimate; without a result, ask for the whole replay as a background job."""
    row = Replay(
        id=uuid4().hex,
        qa_id=change["qa_id"],
        digest=digest,
        change=dict(change),
        whole=result is None,
        by=by,
        at=now,
        version=result["version"] if result else None,
        result=dict(result) if result else None,
    )
    session.add(row)
    session.flush()
    if result is None:
        row.job = jobs.request(session, "replay", by, {"replay": row.id})
    audit.record(session, by, "qa.replay", row.qa_id, move=change["move"], whole=row.whole)
    return row


def get(session: Session, id_: str) -> Replay:
    """Raises: NotFound."""
    row = session.get(Replay, id_)
    if row is None:
        raise NotFound("没有这次重放，可能已经到期清除。")
    return row


def done(session: Session, id_: str, result: Mapping[str, Any]) -> None:
    """The whole replay has found this.  Raises: NotFound."""
    row = get(session, id_)
    row.result, row.version = dict(result), result["version"]


def listed(session: Session, *, qa_id: str | None = None, digest: str | None = None, limit: int = 20) -> list[Replay]:
    """The newest first; of one item, or of one change, if given."""
    query = select(Replay).order_by(Replay.at.desc(), Replay.id).limit(limit)
    if qa_id is not None:
        query = query.where(Replay.qa_id == qa_id)
    if digest is not None:
        query = query.where(Replay.digest == digest)
    return list(session.scalars(query))


def words(session: Session, row: Replay) -> dict[str, str]:
    """What the questions said that a replay names, by id, as far as they are still kept."""
    ids = [one["id"] for one in (row.result or {}).get("changes", ()) if one["text"] is None]
    found: dict[str, str] = {}
    for start in range(0, len(ids), _BATCH):
        batch = select(Asked.id, Asked.said).where(Asked.id.in_(ids[start : start + _BATCH]))
        found |= {id_: said["text"] for id_, said in session.execute(batch)}
    return found


def purge(session: Session, now: datetime, days: int) -> int:
    """Remove what is older; how many."""
    return database.rows_changed(session, delete(Replay).where(Replay.at < now - timedelta(days=days)))
