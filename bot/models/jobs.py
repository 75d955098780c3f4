"""Tables of background jobs: what was asked for and what became of it, when each is due again, and who works on them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base


class Job(Base):
    """A background job (后台任务).  Nothing in it is secret: texts are masked when they are written."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32), index=True)
    arguments: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(8), index=True)
    """A key of ``bot.jobs.MOVES``"""
    asked_by: Mapped[str] = mapped_column(Text)
    asked_at: Mapped[datetime] = mapped_column(index=True)
    started_at: Mapped[datetime | None]
    """When it was taken up first"""
    ended_at: Mapped[datetime | None]
    """When it was done, failed or stopped last; None while it is not over"""
    step: Mapped[int]
    """How many steps are done"""
    steps: Mapped[int]
    """Out of so many; 0 until it is taken up"""
    done: Mapped[int | None]
    """Within the step under way, where it counts"""
    total: Mapped[int | None]
    doing: Mapped[str] = mapped_column(Text)
    """What it is doing at this moment, or what came of it"""
    log: Mapped[list[str]]
    """The last lines, the newest last"""
    error: Mapped[str | None] = mapped_column(Text)
    run: Mapped[str | None] = mapped_column(String(32))
    """Names the worker's memory of the steps that are done; None: from the first step on"""
    owner: Mapped[str | None] = mapped_column(String(32))
    """The worker that has it; a worker that lost it writes nothing any more"""
    attempts: Mapped[int]
    """How often it was taken up since a step ended last"""


class JobSchedule(Base):
    """When a kind of job runs by itself."""

    __tablename__ = "job_schedules"

    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    rule: Mapped[str] = mapped_column(String(64))
    """The rule that ``next_at`` follows from; another one in the settings makes a new time"""
    last_at: Mapped[datetime | None]
    next_at: Mapped[datetime]


class JobWorker(Base):
    """The process that works on the jobs, while it lives."""

    __tablename__ = "job_workers"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """1: there is one"""
    name: Mapped[str] = mapped_column(String(32))
    host: Mapped[str] = mapped_column(Text)
    pid: Mapped[int]
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
