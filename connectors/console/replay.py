"""昨日重放: what a change of one item would do to the questions of the last days."""

from __future__ import annotations

import threading
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from bot import database, jobs, replays
from bot.clock import utcnow
from bot.errors import TooMany
from bot.models.asked import Replay
from bot.models.jobs import Job
from connectors.web.access import TheCaller, signed
from connectors.web.context import Body, TheGateway
from connectors.web.errors import answers
from index import replay

router = APIRouter(
    prefix="/api/console/replay", tags=["knowledge"], dependencies=[Depends(signed)], responses=answers(400, 401, 403)
)

_one_at_a_time = threading.Lock()
"""An estimate takes a core for some seconds, and citizens are answered meanwhile"""
_GONE = "（已清除）"


class Proposed(Body):
    """A change of one item."""

    qa_id: str = Field(min_length=1, max_length=64)
    move: Literal["content", "pause", "retire"] = "content"
    content: dict[str, Any] = Field(default={}, max_length=30)
    """The columns that get another value; of a new item: at least question, answer, matter, region"""
    replaced_by: str | None = Field(default=None, max_length=64)
    whole: bool = False
    """Everything, with an index built for it, as a background job; else a first estimate, at once"""


class Comes(BaseModel):
    """What a question comes to."""

    level: Literal["sure", "likely", "doubtful", "none"]
    qa_id: str | None
    offered: list[str]
    probability: float


class ChangedQuestion(BaseModel):
    """A question that comes to something else."""

    id: str
    text: str
    """Masked"""
    times: int
    kind: Literal["gained", "lost", "moved", "reworded", "certainty", "offered"]
    before: Comes
    after: Comes
    right: list[str]
    """The items known to answer it"""
    right_before: bool
    taken: bool
    """It was answered rightly, or should be by another item, and now this change has the wrong one answer"""


class ReplayView(BaseModel):
    """A replay."""

    id: str
    qa_id: str
    digest: str
    move: str
    estimated: bool
    by: str
    at: datetime
    job: str | None
    state: str
    """完成, or that of its job"""
    doing: str | None
    """What its job is doing, or why it failed"""
    done: int | None
    total: int | None
    """How far its job is, where it counts"""
    asked: int | None
    own: int | None
    """How many of them are the city's own"""
    looked: int | None
    seconds: float | None
    taken: int | None
    lost_right: int | None
    """Questions that were answered rightly and are no longer answered"""
    counts: dict[str, dict[str, int]]
    """By kind, then by certainty: sure, likely, doubtful, none"""
    changes: list[ChangedQuestion]


def _view(row: Replay, job: Job | None, texts: dict[str, str], *, named: bool = True) -> ReplayView:
    result = row.result or {}
    changes = [{**one, "text": one["text"] or texts.get(one["id"], _GONE)} for one in result.get("changes", ())]
    own: dict[str, Any] = {name: getattr(row, name) for name in ("id", "qa_id", "digest", "by", "at", "job")}
    found: dict[str, Any] = {
        name: result.get(name) for name in ("asked", "own", "looked", "seconds", "taken", "lost_right")
    }
    return ReplayView(
        **own,
        **found,
        move=row.change["move"],
        estimated=not row.whole,
        state=job.state if job is not None else jobs.DONE,
        doing=(job.error or job.doing) if job is not None else None,
        done=job.done if job is not None else None,
        total=job.total if job is not None else None,
        counts=result.get("counts", {}),
        changes=[ChangedQuestion.model_validate(one) for one in changes] if named else [],
    )


@router.post("", responses=answers(404, 429))
def run_replay(body: Proposed, me: TheCaller, here: TheGateway) -> ReplayView:
    """Estimate at once, or ask for the whole replay."""
    change = replay.Change(body.qa_id, body.move, body.content, body.replaced_by)
    result = None
    if not body.whole:
        if not _one_at_a_time.acquire(blocking=False):
            raise TooMany("有人正在重放，请几秒后再试。", retry_after_s=5)
        try:
            result = replay.estimate(here.settings, here.assistant, change, utcnow()).stored()
        finally:
            _one_at_a_time.release()
    with database.write() as session:
        row = replays.add(session, me.number, change.stored(), change.digest, utcnow(), result=result)
        job = session.get(Job, row.job) if row.job else None
        return _view(row, job, replays.words(session, row))


@router.get("")
def list_replays(
    qa_id: Annotated[str | None, Query(max_length=64)] = None,
    digest: Annotated[str | None, Query(max_length=64)] = None,
) -> list[ReplayView]:
    """The last ones, without the questions; of an item, of one change."""
    with database.read() as session:
        return [
            _view(row, session.get(Job, row.job) if row.job else None, {}, named=False)
            for row in replays.listed(session, qa_id=qa_id, digest=digest)
        ]


@router.get("/{replay_id}", responses=answers(404))
def read_replay(replay_id: str) -> ReplayView:
    """One, with the questions that change, the worst first."""
    with database.read() as session:
        row = replays.get(session, replay_id)
        return _view(row, session.get(Job, row.job) if row.job else None, replays.words(session, row))
