"""The job worker as real processes on both databases: killed at every point, stopped, resumed, two at once, away."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from conftest import forget
from samples import fill
from sqlalchemy import select

from bot import backup, conversations, database, jobs, notices
from bot.clock import utcnow
from bot.jobs import DONE, FAILED, RUNNING, STOPPED, WAITING
from bot.models.conversations import Conversation
from bot.models.jobs import Job
from bot.settings import ROOT, Settings, get_settings
from tests.connectors import job_worker
from tests.connectors.job_worker import KIND, NAMES, POINTS, WHOLE

PATIENCE_S = 60.0


class Workers:
    """Starts workers, and ends them all at the end."""

    def __init__(self, nursery: subprocess.Popen[str], output: Path) -> None:
        self._nursery = nursery
        self.output = output
        self.pids: list[int] = []

    def start(self, **more: str) -> int:
        env = {name: value for name, value in os.environ.items() if name.startswith("YIHAODA_")}
        assert self._nursery.stdin and self._nursery.stdout
        self._nursery.stdin.write(json.dumps(env | {"OUTPUT": str(self.output)} | more) + "\n")
        self._nursery.stdin.flush()
        self.pids.append(int(self._nursery.stdout.readline()))
        return self.pids[-1]

    def end(self, pid: int, number: int = signal.SIGKILL) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        until(lambda: not psutil.pid_exists(pid), "it does not end")


@pytest.fixture(scope="module")
def nursery() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.connectors.job_worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as one:
        yield one
        one.kill()


@pytest.fixture
def workers(nursery: subprocess.Popen[str], tmp_path: Path) -> Iterator[Workers]:
    some = Workers(nursery, tmp_path / "output")
    yield some
    for pid in some.pids:
        some.end(pid)


@pytest.fixture(autouse=True)
def _kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own process asks for rehearsals, too."""
    monkeypatch.setattr(jobs, "KINDS", dict(jobs.KINDS))
    monkeypatch.setattr(job_worker.steps, "STEPS", dict(job_worker.steps.STEPS))
    job_worker.install()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "rehearsal"
    made.mkdir()
    return made


def until(reached: Callable[[], object], complaint: str = "it does not happen") -> float:
    """Wait; how many seconds it took."""
    began = time.monotonic()
    while not reached():
        assert time.monotonic() - began < PATIENCE_S, complaint
        time.sleep(0.02)
    return time.monotonic() - began


def ask(folder: Path | None = None, kind: str = KIND, **arguments: object) -> str:
    given = {"folder": str(folder)} if folder else arguments
    with database.write() as session:
        return jobs.request(session, kind, "张三", given)


def look(job_id: str) -> Job:
    with database.read() as session:
        return session.get_one(Job, job_id)


def comes_to(job_id: str, state: str) -> Job:
    until(lambda: look(job_id).state == state, f"it stays {look(job_id).state}")
    return look(job_id)


def traced(folder: Path) -> list[str]:
    path = folder / "trace"
    return path.read_text("utf-8").splitlines() if path.exists() else []


def whole(folder: Path) -> list[str]:
    """The files that are there: each is whole, at any moment."""
    found = [name for name in NAMES if (folder / name).exists()]
    assert all((folder / name).read_text("utf-8") == WHOLE for name in found)
    return found


def through_kills(workers: Workers, folder: Path, points: list[str]) -> Job:
    """A job whose worker is killed at each of these points, and started again each time."""
    (folder / "kill").write_text("\n".join(points), "utf-8")
    made = ask(folder)
    for _ in points:
        pid = workers.start()
        until(lambda pid=pid: not psutil.pid_exists(pid), "it was not killed")
        whole(folder)
    workers.start()
    return comes_to(made, DONE)


def check_kills(job: Job, folder: Path, points: list[str]) -> None:
    lines = traced(folder)
    assert [line.removeprefix("killed: ") for line in lines if line.startswith("killed")] == points
    assert "TWO AT ONCE" not in lines
    assert whole(folder) == list(NAMES) and not (folder / "kill").read_text("utf-8")
    for name in NAMES:  # once, and once more for each time that it was killed before DBOS had it
        again = [point for point in points if point in (f"{name} begins", f"{name} half", f"{name} renamed")]
        assert lines.count(name) == 1 + len(again), (name, lines)
    assert (job.step, job.steps, job.error) == (3, 3, None)


def test_killed_within_and_between_steps_it_goes_on_where_it_was(db: Settings, workers: Workers, folder: Path) -> None:
    points = ["one half", "two remembered", "three renamed", "written"]
    job = through_kills(workers, folder, points)
    check_kills(job, folder, points)
    assert "138****8000" in "".join(job.log), "what a log holds is masked"


@pytest.mark.full
def test_killed_at_every_point_it_goes_on_where_it_was(db: Settings, workers: Workers, folder: Path) -> None:
    check_kills(through_kills(workers, folder, list(POINTS)), folder, list(POINTS))


def test_stopped_it_stands_still_and_resumed_it_does_nothing_twice(
    db: Settings, workers: Workers, folder: Path
) -> None:
    (folder / "hold two").touch()
    workers.start()
    until(lambda: _alive())
    made = ask(folder)
    taken_s = until(lambda: look(made).state != WAITING)
    assert taken_s < 5, "about half a second on an idle machine"
    until(lambda: look(made).doing == "two 等着")
    job = look(made)
    assert (job.state, job.step, job.steps, job.done, job.total) == (RUNNING, 1, 3, 1, 2)
    with database.write() as session:
        jobs.stop(session, made, "李四")
    job = comes_to(made, STOPPED)
    assert job.ended_at and "做完了 1 步，共 3 步" in job.doing
    assert whole(folder) == ["one"]
    (folder / "hold two").unlink()
    with database.write() as session:
        jobs.resume(session, made, "李四")
    comes_to(made, DONE)
    assert traced(folder) == ["one", "two", "two", "three"] and whole(folder) == list(NAMES)


def _alive() -> bool:
    with database.read() as session:
        return jobs.worker(session, utcnow()).alive


def test_a_step_that_fails_says_why_and_goes_on_once_it_can(db: Settings, workers: Workers, folder: Path) -> None:
    (folder / "fail two").touch()
    workers.start()
    made = ask(folder)
    job = comes_to(made, FAILED)
    assert job.error and "磁盘满" in job.error and job.step == 1
    (folder / "fail two").unlink()
    with database.write() as session:
        jobs.resume(session, made, "李四")
    comes_to(made, DONE)
    assert traced(folder) == ["one", "two", "two", "three"]


def test_two_workers_never_do_a_job_at_once_and_the_second_takes_over(
    db: Settings, workers: Workers, folder: Path
) -> None:
    (folder / "hold two").touch()
    made = ask(folder)  # nobody is there: it waits
    first, second = workers.start(), workers.start()
    until(lambda: look(made).doing == "two 等着")
    with database.read() as session:
        at_work = jobs.worker(session, utcnow())
    assert at_work.alive and at_work.pid in (first, second)
    time.sleep(1.5)
    assert traced(folder) == ["one", "two"], "the other one does nothing"
    workers.end(at_work.pid)
    assert _dead_in(30)
    until(lambda: traced(folder) == ["one", "two", "two"])
    (folder / "hold two").unlink()
    comes_to(made, DONE)
    assert traced(folder) == ["one", "two", "two", "three"]


def _dead_in(seconds: float) -> bool:
    """Whether the worker, killed now, would show as dead after so long if nobody took over."""
    with database.read() as session:
        return not jobs.worker(session, utcnow() + timedelta(seconds=seconds)).alive


def test_told_to_end_it_ends_and_the_next_one_goes_on(sqlite_db: Settings, workers: Workers, folder: Path) -> None:
    (folder / "hold two").touch()
    first = workers.start()
    made = ask(folder)
    until(lambda: look(made).doing == "two 等着")
    workers.end(first, signal.SIGTERM)
    assert (look(made).state, look(made).attempts, _alive()) == (RUNNING, 0, False)
    (folder / "hold two").unlink()
    workers.start()
    comes_to(made, DONE)
    assert traced(folder) == ["one", "two", "two", "three"]


def test_what_was_to_stop_when_the_worker_died_has_stopped(sqlite_db: Settings, workers: Workers, folder: Path) -> None:
    (folder / "hold two").touch()
    first = workers.start()
    made = ask(folder)
    until(lambda: look(made).doing == "two 等着")
    workers.end(first)
    with database.write() as session:
        jobs.stop(session, made, "李四")
    workers.start()
    comes_to(made, STOPPED)
    assert traced(folder) == ["one", "two"]


def test_a_job_that_kills_its_worker_is_given_up(sqlite_db: Settings, workers: Workers, folder: Path) -> None:
    made = ask(folder)
    with database.write() as session:
        job = jobs.get(session, made)
        job.state, job.owner, job.run, job.attempts = RUNNING, "a", "b", 5
    workers.start()
    job = comes_to(made, FAILED)
    assert job.error and "接连 5 次中断" in job.error and not traced(folder)


def test_after_an_upgrade_with_other_steps_it_says_so_and_begins_anew(
    sqlite_db: Settings, workers: Workers, folder: Path
) -> None:
    (folder / "hold two").touch()
    first = workers.start()
    made = ask(folder)
    until(lambda: look(made).doing == "two 等着")
    workers.end(first)
    (folder / "hold two").unlink()
    workers.start(OTHER_STEPS=" 新")
    job = comes_to(made, FAILED)
    assert job.error and "步骤变了" in job.error


def test_a_kind_that_the_program_has_no_more_fails(sqlite_db: Settings, workers: Workers, folder: Path) -> None:
    jobs.KINDS["old"] = jobs.KINDS[KIND]
    made = ask(folder, kind="old")
    workers.start()
    assert comes_to(made, FAILED).error == "现在的程序没有这种任务。"


# --- the real kinds --------------------------------------------------------------------------------------------------


def test_the_first_users_do_their_work(db: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``yihaoda run`` starts it; it listens nowhere, and tells nobody of anything."""
    old, young = fill(db), fill(db)
    with database.write() as session:
        conversations.lock(session, old).active_at = utcnow() - timedelta(days=200)
    monkeypatch.setenv("YIHAODA_BACKUP_KEEP", "2")
    monkeypatch.setenv("DBOS__CLOUD", "true")
    backups = db.data_dir / "backups"
    backups.mkdir(parents=True)
    for day in (1, 2, 3):
        (backups / f"yihaoda-2026110{day}-030000-0123abcd.tar.gz").touch()
    (backups / "另存的.tar.gz").touch()
    asked = [ask(kind="recalculate"), ask(kind="backup")]
    output = (tmp_path / "output").open("w")
    alive = tmp_path / "alive"
    command = [sys.executable, "-m", "connectors.jobs", "--alive", str(alive)]
    with subprocess.Popen(command, stdout=output, stderr=output, cwd=ROOT) as process:
        try:
            for one in asked:
                comes_to(one, DONE)
            until(lambda: _of("retention") == [DONE])  # by itself, at the first start
            connections = psutil.Process(process.pid).net_connections(kind="inet")
            assert all(one.status != psutil.CONN_LISTEN for one in connections)
            assert not [one for one in connections if one.raddr and one.raddr.ip != "127.0.0.1"]
            assert alive.exists()
        finally:
            process.terminate()
        assert process.wait(20) == 0
    with database.read() as session:
        assert session.get(Conversation, old) is None and session.get(Conversation, young) is not None
    left = sorted(path.name for path in backups.iterdir())
    assert len(left) == 3 and left[:1] == ["yihaoda-20261103-030000-0123abcd.tar.gz"] and left[2] == "另存的.tar.gz"
    said = (tmp_path / "output").read_text("utf-8")
    assert "http" not in said and "Conductor" not in said and "jobs.ready" in said
    assert not list(db.data_dir.glob("backups/.*"))
    monkeypatch.delenv("YIHAODA_DATABASE_URL", raising=False)
    monkeypatch.setenv("YIHAODA_DATA_DIR", str(tmp_path / "elsewhere"))
    forget()
    backup.restore(get_settings(), backups / left[1])
    assert look(asked[1]).state == STOPPED, "it was under way when the picture was taken"


def _of(kind: str) -> list[str]:
    with database.read() as session:
        return [job.state for job in jobs.jobs(session, kind=kind)]


def test_retention_that_is_refused_fails_says_so_and_is_confirmed(sqlite_db: Settings, workers: Workers) -> None:
    with database.write() as session:
        for _ in range(60):
            conversations.create(session, "web", utcnow() - timedelta(days=200))
    workers.start()
    until(lambda: _of("retention") == [FAILED])
    with database.read() as session:
        (refused,) = jobs.jobs(session, kind="retention")
        assert refused.error and "到期会话没有清除" in refused.error and notices.texts(session) == [refused.error]
    made = ask(kind="retention", confirm=True)
    assert "清除了 60 个" in comes_to(made, DONE).doing
    with database.read() as session:
        assert notices.texts(session) == [] and session.scalars(select(Conversation)).all() == []
