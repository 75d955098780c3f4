"""Background jobs on the console: seen, asked for, stopped, resumed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from bot import database, jobs, notices
from bot.accounts import people
from bot.clock import utcnow
from bot.models.jobs import Job
from bot.settings import get_settings
from connectors.web.access import TheCaller, signed
from connectors.web.context import Body
from connectors.web.errors import answers

router = APIRouter(
    prefix="/api/admin/jobs", tags=["admin"], dependencies=[Depends(signed)], responses=answers(400, 401, 403)
)


class JobView(BaseModel):
    """A job."""

    id: str
    kind: str
    title: str
    arguments: dict[str, Any]
    state: str
    asked_by: str
    asked_by_name: str
    asked_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    step: int
    steps: int
    done: int | None
    total: int | None
    doing: str
    error: str | None
    log: list[str]
    can: list[str]
    """stop, resume"""


class KindView(BaseModel):
    """A job that there is, and when it runs by itself."""

    name: str
    title: str
    does: str
    arguments: dict[str, dict[str, Any]]
    """Name → title, type (bool, int, str), default"""
    rule: str | None
    last_at: datetime | None
    next_at: datetime | None


class Jobs(BaseModel):
    """The last jobs, what there is, and whether somebody works on them."""

    items: list[JobView]
    kinds: list[KindView]
    worker_alive: bool
    worker_seen_at: datetime | None
    notices: list[str]
    """What processes have found that people must see to"""


def _view(job: Job, names: dict[str, str], *, whole: bool = False) -> JobView:
    own = ("title", "asked_by_name", "can", "log")
    can = [
        *(["stop"] if job.state in (jobs.WAITING, jobs.RUNNING) else []),
        *(["resume"] if job.state in (jobs.STOPPED, jobs.FAILED) else []),
    ]
    return JobView(
        **{name: getattr(job, name) for name in JobView.model_fields if name not in own},
        title=jobs.title(job),
        asked_by_name=names.get(job.asked_by, job.asked_by),
        log=job.log if whole else [],
        can=can,
    )


@router.get("")
def list_jobs(
    kind: Annotated[str | None, Query(max_length=32)] = None,
    offset: Annotated[int, Query(ge=0, le=100_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=50)] = 20,
) -> Jobs:
    """Jobs, those asked for last first."""
    with database.read() as session:
        found = jobs.jobs(session, kind=kind, limit=limit, offset=offset)
        names = people.names(session, [one.asked_by for one in found])
        worker = jobs.worker(session, utcnow())
        planned = {one.kind: one for one in jobs.schedules(session, get_settings())}
        return Jobs(
            items=[_view(one, names) for one in found],
            kinds=[
                KindView(
                    name=name,
                    title=one.title,
                    does=one.does,
                    arguments={
                        key: {"title": argument.title, "type": argument.type.__name__, "default": argument.default}
                        for key, argument in one.arguments.items()
                    },
                    rule=planned[name].rule,
                    last_at=planned[name].last_at,
                    next_at=planned[name].next_at,
                )
                for name, one in jobs.KINDS.items()
            ],
            worker_alive=worker.alive,
            worker_seen_at=worker.seen_at,
            notices=notices.texts(session),
        )


@router.get("/{job_id}", responses=answers(404))
def read_job(job_id: str) -> JobView:
    """One job with its last log lines."""
    with database.read() as session:
        job = jobs.get(session, job_id)
        return _view(job, people.names(session, [job.asked_by]), whole=True)


class Request(Body):
    """A job that is asked for."""

    kind: str = Field(max_length=32)
    arguments: dict[str, bool | int | str] = Field(default={}, max_length=20)


@router.post("", status_code=201)
def start_job(body: Request, me: TheCaller) -> JobView:
    """Ask for a job; the worker takes it up within about two seconds, or once it is back."""
    with database.write() as session:
        id_ = jobs.request(session, body.kind, me.number, body.arguments)
        return _view(jobs.get(session, id_), {me.number: me.name}, whole=True)


@router.post("/{job_id}/stop", responses=answers(404, 409))
def stop_job(job_id: str, me: TheCaller) -> JobView:
    """Have it stop as soon as its step lets it; what is done stays done."""
    with database.write() as session:
        job = jobs.stop(session, job_id, me.number)
        return _view(job, people.names(session, [job.asked_by]), whole=True)


@router.post("/{job_id}/resume", responses=answers(404, 409))
def resume_job(job_id: str, me: TheCaller) -> JobView:
    """Have it go on where it was."""
    with database.write() as session:
        job = jobs.resume(session, job_id, me.number)
        return _view(job, people.names(session, [job.asked_by]), whole=True)
