"""A training by a real worker: killed at every point, stopped and resumed, and what is left of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import select

from bot import database, jobs, knowledge
from bot.clock import utcnow
from bot.jobs import DONE, FAILED, STOPPED
from bot.models.releases import Bundle
from bot.models.review import NluExample
from bot.releases import files
from bot.settings import ROOT, Settings
from connectors.run.rasa_model import ensure_model
from index.versions import build, store
from tests.connectors.job_worker import trace
from tests.connectors.test_jobs import Workers, ask, comes_to, look, traced, until
from tests.connectors.train_worker import NAMES, POINTS
from tests.index.test_assistant import qa
from training import fit, rasa_model

_MODEL = rasa_model.model_id(ROOT)


@pytest.fixture(scope="module")
def nursery() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.connectors.train_worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as one:
        yield one
        one.kill()


@pytest.fixture
def workers(nursery: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workers]:
    monkeypatch.setenv("YIHAODA_DENSE", "false")
    some = Workers(nursery, tmp_path / "output")
    yield some
    for pid in some.pids:
        some.end(pid)


@pytest.fixture
def city(sqlite_db: Settings) -> Settings:
    """A small city, whose Rasa model is trained already."""
    with database.write() as session:
        knowledge.upsert(session, [qa(f"q-{n}", f"第{n}件事怎么办", matter=f"事项{n}") for n in range(8)])
    model = files.model_file(sqlite_db, _MODEL)
    model.parent.mkdir(parents=True)
    model.write_bytes(b"warm")
    lexical = sqlite_db.model_copy(update={"dense": False})
    store.publish(lexical, build.build(lexical, fit.calibration_for))
    return sqlite_db


def start(workers: Workers, folder: Path) -> int:
    return workers.start(KILL_FOLDER=str(folder), YIHAODA_DENSE="false", YIHAODA_GOLDEN_QUESTIONS="")


def through_kills(workers: Workers, folder: Path, points: list[str]) -> str:
    """A training whose worker is killed at each of these points, and started again each time; its id."""
    (folder / "kill").write_text("\n".join(points), "utf-8")
    made = ask(kind="train", why="练习")
    for _ in points:
        pid = start(workers, folder)
        until(lambda pid=pid: not psutil.pid_exists(pid), f"it was not killed: {look(made).error}")
        until(lambda: not _at_work(made), "what it had started outlives it")
    start(workers, folder)
    job = comes_to(made, DONE)
    assert [line.removeprefix("killed: ") for line in traced(folder) if line.startswith("killed")] == points, job.log
    return made


def _at_work(job_id: str) -> list[int]:
    """The processes that work on a training's folder."""
    found = []
    for one in psutil.process_iter(["cmdline", "status"]):
        if any(job_id in part for part in one.info["cmdline"] or ()) and one.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(one.pid)
    return found


def check(city: Settings, job_id: str) -> Bundle:
    """One bundle, whole, with all that it names; nothing else is left."""
    with database.read() as session:
        (row,) = session.scalars(select(Bundle)).all()
    manifest = json.loads((files.folder(city, row.name) / files.MANIFEST).read_text("utf-8"))
    assert (row.state, row.kind, row.rasa_model, manifest["name"]) == ("refused", "model", _MODEL, row.name)
    assert row.gate and "few" in row.gate["stops"], "there is no golden set here"
    version, before = store.versions(city)
    assert store.manifest_of(city, row.index_version)["files"] == manifest["index_files"]
    assert version["version"] == manifest["index"] and version["items"] == 8
    assert store.pointer(city) == (before["version"], None), "what answers is not touched"
    assert [path.name for path in (city.data_dir / "bundles").iterdir()] == [row.name]
    assert not list((city.data_dir / "training").iterdir()) and not list(city.index_dir.glob(".building-*"))
    assert row.summary["job"] == job_id
    return row


@pytest.mark.full
def test_killed_within_steps_it_goes_on_where_it_was(city: Settings, workers: Workers, tmp_path: Path) -> None:
    check(city, through_kills(workers, tmp_path, ["freeze inside", "models inside", "bundle ends"]))
    lines = traced(tmp_path)
    assert lines.count("preflight") == lines.count("calibrate") == 1 and lines.count("models") == 2


@pytest.mark.full
def test_killed_at_every_point_it_goes_on_where_it_was(city: Settings, workers: Workers, tmp_path: Path) -> None:
    check(city, through_kills(workers, tmp_path, list(POINTS)))
    for name in NAMES:
        again = sum(point.startswith(f"{name} ") for point in POINTS)
        assert traced(tmp_path).count(name) == 1 + again, name


@pytest.mark.full
def test_stopped_it_ends_at_once_and_resumed_it_does_the_rest(city: Settings, workers: Workers, tmp_path: Path) -> None:
    start(workers, tmp_path)
    made = ask(kind="train")
    until(lambda: _at_work(made))
    begun = time.monotonic()
    with database.write() as session:
        jobs.stop(session, made, "李四")
    job = comes_to(made, STOPPED)
    assert time.monotonic() - begun < 10 and not _at_work(made), "two seconds on an idle machine"
    assert NAMES[job.step] in ("models", "calibrate")
    with database.write() as session:
        jobs.resume(session, made, "李四")
    job = comes_to(made, DONE)
    check(city, made)
    assert "标注的问题不够" in "".join(job.log) and "做好了发布包" in "".join(job.log)
    lines = [line for line in traced(tmp_path) if not line.startswith("killed")]
    assert lines.count("freeze") == 1 and len(lines) == len(NAMES) + 1


def test_what_is_amiss_is_said_before_anything_is_done(sqlite_db: Settings, workers: Workers, tmp_path: Path) -> None:
    start(workers, tmp_path)
    job = comes_to(ask(kind="train", encoder="/没有/这个模型"), FAILED)
    assert job.error and "问答只有 0 条" in job.error and job.step == 0
    assert not (sqlite_db.data_dir / "training").exists()


@pytest.mark.full
def test_rasa_is_really_trained_with_what_reviewers_added(city: Settings, workers: Workers, tmp_path: Path) -> None:
    """Killed while it trains: what it had started ends with it, and the next one trains to the end."""
    shutil.rmtree(city.data_dir / "rasa")
    with database.write() as session:
        session.add(NluExample(id="1", act="thanks", text="多谢您嘞老哥", decision="d", by="2001", at=utcnow()))
    made = ask(kind="train")
    pid = start(workers, tmp_path)
    until(lambda: any("Rasa：" in line for line in look(made).log))
    workers.end(pid)
    until(lambda: not _at_work(made), "the training outlives its worker")
    trace(tmp_path, "again")
    start(workers, tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.connectors.test_jobs.PATIENCE_S", 400.0)
        job = comes_to(made, DONE)
    with database.read() as session:
        (row,) = session.scalars(select(Bundle)).all()
    assert row.rasa_model != _MODEL and files.model_file(city, row.rasa_model).stat().st_size > 100_000
    assert "多谢您嘞老哥" in (files.folder(city, row.name) / files.OVERLAY).read_text("utf-8")
    assert "冻结了" in "".join(job.log) and not list((city.data_dir / "rasa").glob("training-*"))
    assert ensure_model(ROOT).stem.removesuffix(".tar") == _MODEL, "ours is as it was"
