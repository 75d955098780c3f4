"""The worker: takes up the jobs that are asked for, does them in threads, and says that it lives.

The rows of ``jobs`` are the truth, and `Ownership` sees to it that one process changes them.  Should it lose that (PostgreSQL's connection
broke), every write still asks whether the row is ours, and the process ends.
"""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError

from bot import database, disk, jobs
from bot.clock import SHANGHAI, utcnow
from bot.errors import StoreBusy, YihaodaError
from bot.masking import mask
from bot.models.jobs import Job, JobWorker
from bot.settings import Settings
from connectors.jobs.memory import LetGo, Memory, MemoryFailed, OtherSteps
from connectors.jobs.owner import Ownership
from connectors.jobs.steps import STEPS, Step
from connectors.jobs.watching import watch

log = structlog.get_logger(__name__)

POLL_S = 0.5
_WRITE_S = 0.5
"""A step may say where it stands as often as it likes; it is written so often."""
_HANDED_S = 30.0
"""A job that was handed over and is not under way after so long is handed over again."""
_AGAIN_S = 5.0
"""A job that could not go on, because the database was away, is handed over again after so long."""
_PATIENCE = 60
"""A job that finds the database busy so often has failed."""
MOST_ATTEMPTS = 5
"""A step during which the process ended so often in a row is not tried again."""
_LINGER_S = 5.0
"""When we are told to end, so long steps may come to a point where they can."""
_LONGEST_LINE = 500


class _Stop(BaseException):
    """The job was told to stop."""


class _Failed(BaseException):
    """The step raised; no ``Exception``, see `Memory.step`."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class OwnershipLost(Exception):
    """Somebody else may work on the jobs by now."""


class Worker:
    """Does jobs until it is told to end.  One in a process."""

    def __init__(self, settings: Settings, alive: Path | None = None) -> None:
        """Args: alive: A file that is touched as long as we live: the supervisor looks at it."""
        self.settings = settings
        self.name = uuid.uuid4().hex
        self.ending = threading.Event()
        self._alive = alive
        self._owner = Ownership()
        self._memory: Memory | None = None
        self._started_at = utcnow()
        self._seen = float("-inf")
        self._lock = threading.Lock()
        self._active: set[str] = set()
        self._not_before: dict[str, float] = {}
        """Job → when it may be handed over again, of those that were handed over and are not over"""
        self._busy: dict[str, int] = {}
        """Job → how often it found the database busy"""
        self._done: list[str] = []
        """Runs whose steps need not be remembered any more"""

    def run(self) -> None:
        """Until `ending` is set.  Raises: OwnershipLost."""
        while not self._take_ownership():
            if self._rest():
                return
        self._memory = Memory(self.settings, self._perform, self.name)
        threading.Thread(target=watch, args=(self.ending,), name="watch", daemon=True).start()
        log.info("jobs.ready", worker=self.name)
        inherited = False
        while True:
            try:
                self._say_alive()
                if not inherited:
                    self._inherit()
                    inherited = True
                self._take_up()
                self._hand_over()
            except (StoreBusy, DBAPIError, MemoryFailed) as error:
                log.warning("jobs.later", reason=disk.reason(error) or str(error))
            if self._rest():
                break
        self._end()

    # --- the process ---

    def _take_ownership(self) -> bool:
        try:
            if not self._owner.take():
                return False
            database.migrate()
            return True
        except (StoreBusy, DBAPIError, OSError) as error:
            log.warning("jobs.later", reason=disk.reason(error) or str(error))
            return False

    def _rest(self) -> bool:
        """Wait a moment; whether we are to end."""
        if self._alive is not None:
            with contextlib.suppress(OSError):
                self._alive.touch()
        return self.ending.wait(POLL_S)

    def _say_alive(self) -> None:
        """Every few seconds: we are still here, and still the one; then ask for what is due by itself."""
        if time.monotonic() < self._seen + jobs.HEARTBEAT_S:
            return
        if not self._owner.holds():
            raise OwnershipLost
        with database.write() as session:
            me = JobWorker(
                id=1,
                name=self.name,
                host=socket.gethostname(),
                pid=os.getpid(),
                started_at=self._started_at,
                seen_at=utcnow(),
            )
            session.merge(me)
            jobs.plan(session, utcnow(), self.settings)
        self._seen = time.monotonic()

    def _end(self) -> None:
        deadline = time.monotonic() + _LINGER_S
        while self._active and time.monotonic() < deadline:
            time.sleep(0.05)
        with database.write() as session:
            # That we end is no fault of the job's.
            session.execute(update(Job).where(Job.owner == self.name, Job.state == jobs.RUNNING).values(attempts=0))
            me = session.get(JobWorker, 1)
            if me is not None and me.name == self.name:
                session.delete(me)

    # --- the jobs, from the main thread ---

    def _inherit(self) -> None:
        """What the process before us left under way goes on here; what it was to stop has stopped."""
        assert self._memory is not None
        with database.write() as session:
            for job in session.scalars(select(Job).where(Job.state.in_((jobs.RUNNING, jobs.STOPPING)))):
                if job.state == jobs.STOPPING:
                    job.state, job.ended_at, job.doing = jobs.STOPPED, utcnow(), "停在两步之间。"
                else:
                    _note(job, "后台任务重新启动，接着做。")
                    self._claim(job)
            unfinished = set(session.scalars(select(Job.run).where(Job.run.is_not(None), Job.state != jobs.DONE)))
        self._memory.keep_only({run for run in unfinished if run})

    def _take_up(self) -> None:
        """Take what waits, in the order in which it was asked for; of each kind one at a time."""
        with database.read() as session:
            if session.scalar(select(Job.id).where(Job.state == jobs.WAITING).limit(1)) is None:
                return
        with database.write() as session:
            query = select(Job).where(Job.state.in_(jobs.OPEN)).order_by(Job.asked_at, Job.id).with_for_update()
            open_ = session.scalars(query).all()
            busy = {job.kind for job in open_ if job.state != jobs.WAITING}
            for job in open_:
                if job.state == jobs.WAITING and job.kind not in busy:
                    job.state, job.started_at = jobs.RUNNING, job.started_at or utcnow()
                    _note(job, "接着做。" if job.step else "开始。")
                    self._claim(job)
                    if job.state == jobs.RUNNING:
                        busy.add(job.kind)

    def _claim(self, job: Job) -> None:
        """Make a job ours, in the caller's transaction."""
        if job.kind not in STEPS:
            _over(job, jobs.FAILED, "现在的程序没有这种任务。")
            return
        if job.attempts >= MOST_ATTEMPTS:
            _over(job, jobs.FAILED, f"做这一步的时候，后台任务的进程接连 {job.attempts} 次中断，不再重试。请看日志。")
            return
        job.owner, job.run, job.attempts = self.name, job.run or uuid.uuid4().hex, job.attempts + 1
        job.steps = len(STEPS[job.kind])

    def _hand_over(self) -> None:
        """Have threads do what is ours and not under way; forget the steps of what is done."""
        assert self._memory is not None
        while self._done:
            self._memory.forget(self._done[0])
            del self._done[0]
        query = select(Job.id, Job.run).where(Job.owner == self.name, Job.state.in_((jobs.RUNNING, jobs.STOPPING)))
        with database.read() as session:
            ours = session.execute(query).all()
        for job, run in ours:
            with self._lock:
                ready = job not in self._active and time.monotonic() >= self._not_before.get(job, 0.0)
                if ready:
                    self._not_before[job] = time.monotonic() + _HANDED_S
            if ready and run:
                self._memory.begin(job, run)

    # --- a job, in a thread of its own ---

    def _perform(self, job_id: str, run: str) -> None:
        """The body of a run."""
        with self._lock:
            if job_id in self._active:
                raise LetGo
            self._active.add(job_id)
        again: float | None = _AGAIN_S
        try:
            if self._work(job_id, run):
                again = None
        except LetGo:
            pass
        except BaseException as error:  # DBOS's own, such as that the run is somebody else's by now
            log.warning("job.later", job=job_id, reason=repr(error))
        finally:
            with self._lock:
                self._active.discard(job_id)
                if again is None:
                    self._not_before.pop(job_id, None)
                else:
                    self._not_before[job_id] = time.monotonic() + again
        raise LetGo  # nothing but the steps is remembered

    def _work(self, job_id: str, run: str) -> bool:
        """Do the steps; whether the job is over."""
        assert self._memory is not None
        with database.read() as session:
            job = session.get(Job, job_id)
        if job is None or job.owner != self.name or job.run != run or job.kind not in STEPS:
            raise LetGo  # of a process before us: we have not taken it up yet
        work = _Work(self, job)
        try:
            for number, step in enumerate(STEPS[job.kind]):
                work.begin(number, step)
                work.results[step.name] = self._memory.step(step.name, functools.partial(_attempt, step, work))
            work.write(state=jobs.DONE, step=len(STEPS[job.kind]))
            self._done.append(run)
        except _Stop:
            work.write(state=jobs.STOPPED)
        except _Failed as failed:
            if isinstance(failed.error, StoreBusy) and self._is_patient(job_id):
                log.warning("job.later", job=job_id, reason=str(failed.error))
                return False
            log.error("job.failed", job=job_id, kind=job.kind, exc_info=failed.error)
            work.write(state=jobs.FAILED, error=_sentence(failed.error))
        except OtherSteps:
            log.exception("job.other_steps", job=job_id)
            work.write(
                state=jobs.FAILED, error="程序升级以后，这种任务的步骤变了。继续的话，从第一步做起。", run=None, step=0
            )
        except (StoreBusy, DBAPIError, MemoryFailed) as error:
            log.warning("job.later", job=job_id, reason=disk.reason(error) or str(error))
            return False
        except Exception as error:
            log.exception("job.crashed", job=job_id)
            work.write(state=jobs.FAILED, error=_sentence(error))
        return True

    def _is_patient(self, job_id: str) -> bool:
        """Whether a database that was busy, or away, is worth waiting for once more."""
        self._busy[job_id] = self._busy.get(job_id, 0) + 1
        if self._busy[job_id] <= _PATIENCE:
            return True
        del self._busy[job_id]
        return False


class _Work:
    """A job under way, see ``connectors.jobs.steps.Work``."""

    def __init__(self, worker: Worker, job: Job) -> None:
        self.job = job
        self.settings = worker.settings
        self.results: dict[str, Any] = {}
        self._worker = worker
        self._run = job.run
        self._written = 0.0
        self._lines: list[str] = []
        self._said: dict[str, Any] = {}

    def progress(self, doing: str, done: int | None = None, total: int | None = None) -> None:
        """Say where it stands; here it ends if it shall."""
        self._said = {"doing": mask(doing)[:_LONGEST_LINE], "done": done, "total": total}
        if self._worker.ending.is_set():
            raise LetGo
        if time.monotonic() - self._written >= _WRITE_S:
            self.write()

    def log(self, line: str) -> None:
        """Add a line to the job's log."""
        self._lines.append(line)

    def begin(self, number: int, step: Step) -> None:
        """Before a step, also one that is remembered: those before it are done."""
        if self._worker.ending.is_set():
            raise LetGo
        self._said = {**self._said, "doing": step.title, "done": None, "total": None}
        fresh = {} if number <= self.job.step else {"attempts": 0}
        self.write(step=max(number, self.job.step), **fresh)

    def write(self, **values: Any) -> None:
        """Write down what was said, and ``values``.  Raises: LetGo, _Stop, StoreBusy."""
        with database.write() as session:
            job = jobs.get(session, self.job.id)
            if job.owner != self._worker.name or job.run != self._run or job.state not in (jobs.RUNNING, jobs.STOPPING):
                raise LetGo  # it is somebody else's by now
            stopping = job.state == jobs.STOPPING
            for name, value in {**self._said, **values}.items():
                setattr(job, name, value)
            for line in self._lines:
                _note(job, line)
            if "state" in values:
                _over(job, values["state"], values.get("error"))
        self._lines.clear()
        self._written = time.monotonic()
        if stopping and "state" not in values:
            raise _Stop


def _attempt(step: Step, work: _Work) -> Any:
    try:
        return step.call(work)
    except Exception as error:
        raise _Failed(error) from error


def _over(job: Job, state: str, error: str | None) -> None:
    job.state, job.error, job.ended_at, job.done, job.total = state, error, utcnow(), None, None
    if state == jobs.STOPPED:
        job.doing = f"停下了，做完了 {job.step} 步，共 {job.steps} 步。"
    _note(job, f"{state}：{error}" if error else f"{state}。")


def _note(job: Job, line: str) -> None:
    """Add a line to a job's log; the oldest go."""
    said = f"{utcnow().astimezone(SHANGHAI):%m-%d %H:%M:%S} {mask(line)[:_LONGEST_LINE]}"
    job.log = [*job.log, said][-jobs.LOG_LINES :]


def _sentence(error: Exception) -> str:
    """Why a job failed, for people."""
    if isinstance(error, YihaodaError) and not isinstance(error, StoreBusy):
        return mask(str(error))
    return disk.reason(error) or mask(f"程序出错了（{type(error).__name__}），日志 jobs.log 里有详细的记录。")
