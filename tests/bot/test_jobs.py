"""Background jobs as rows: asking, stopping, resuming, when they run by themselves, what a backup makes of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import forget
from sqlalchemy import select

from bot import backup, database, jobs
from bot.clock import utcnow
from bot.errors import IllegalMove, InvalidInput, NotFound
from bot.jobs import DONE, FAILED, RUNNING, STOPPED, STOPPING, WAITING
from bot.models.housekeeping import AuditEntry
from bot.models.jobs import Job, JobSchedule, JobWorker
from bot.settings import Settings, get_settings

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOON = datetime(2026, 11, 30, 4, tzinfo=UTC)
"""Noon in Shanghai"""


def asked(kind: str = "recalculate", state: str = WAITING, **values: Any) -> str:
    """A job that has come to this state."""
    with database.write() as session:
        made = jobs.request(session, kind, "张三")
        job = jobs.get(session, made)
        for name, value in {"state": state, **values}.items():
            setattr(job, name, value)
    return made


def look(job_id: str) -> Job:
    with database.read() as session:
        return session.get_one(Job, job_id)


def audited(action: str) -> list[AuditEntry]:
    with database.read() as session:
        return list(session.scalars(select(AuditEntry).where(AuditEntry.action == action)))


def test_a_job_is_asked_for_stopped_and_resumed_and_each_is_on_record(db: Settings) -> None:
    made = asked()
    assert (look(made).state, look(made).asked_by, look(made).arguments) == (WAITING, "张三", {})
    with database.write() as session:
        jobs.stop(session, made, "李四")
    assert look(made).state == STOPPED and look(made).ended_at
    with database.write() as session:
        jobs.resume(session, made, "王五")
    assert look(made).state == WAITING and look(made).ended_at is None
    found = [audited(f"job.{verb}") for verb in ("request", "stop", "resume")]
    assert [[entry.actor for entry in entries] for entries in found] == [["张三"], ["李四"], ["王五"]]
    assert all(made in entries[0].subject for entries in found)
    with database.read() as session:
        assert jobs.find(session, made[:8]).id == made
        assert [job.id for job in jobs.jobs(session, kind="recalculate", states=[WAITING])] == [made]
        assert jobs.jobs(session, kind="backup") == jobs.jobs(session, states=[DONE]) == []


def test_a_job_that_runs_is_asked_to_stop(sqlite_db: Settings) -> None:
    made = asked(state=RUNNING)
    with database.write() as session:
        jobs.stop(session, made, "李四")
    assert look(made).state == STOPPING


@pytest.mark.parametrize(
    ("kind", "arguments", "said"),
    [
        (
            "拖地",
            {},
            "没有“拖地”这种后台任务。现有：retention、recalculate、import_check、import、replay、index、knowledge、backup、",
        ),
        ("recalculate", {"days": 3}, "“重算办理期限”没有参数 days。这种任务没有参数。"),
        ("retention", {"sure": True}, "“到期清除”没有参数 sure。只有：confirm。"),
        ("retention", {"confirm": "yes"}, "的参数 confirm（时钟和数量都核对过了，照样清除）要写true 或 false。"),
        ("retention", {"confirm": 1}, "要写true 或 false"),
        ("retention", {"confirm": None}, "要写true 或 false"),
        ("retention", ["confirm"], "名称: 值"),
        ("retention", {3: True}, "没有参数 3"),
    ],
)
def test_what_cannot_be_asked_for_is_said(sqlite_db: Settings, kind: str, arguments: Any, said: str) -> None:
    with pytest.raises(InvalidInput) as refused, database.write() as session:
        jobs.request(session, kind, "张三", arguments)
    assert said in str(refused.value)
    with database.read() as session:
        assert jobs.jobs(session) == [] and not session.scalars(select(AuditEntry)).all()


def test_nobody_asks_for_nothing(sqlite_db: Settings) -> None:
    with pytest.raises(InvalidInput, match="是谁"), database.write() as session:
        jobs.request(session, "backup", " ")


@pytest.mark.parametrize(
    ("verb", "state", "said"),
    [
        ("stop", DONE, "已经完成了，不能再停"),
        ("stop", FAILED, "已经失败了，不能再停"),
        ("stop", STOPPED, "已经停了"),
        ("stop", STOPPING, "已经在停了"),
        ("resume", RUNNING, "正在进行，不用继续"),
        ("resume", STOPPING, "正在进行，不用继续"),
        ("resume", WAITING, "正等着开始"),
        ("resume", DONE, "请重新发起"),
    ],
)
def test_what_a_job_cannot_do_now_is_said(sqlite_db: Settings, verb: str, state: str, said: str) -> None:
    made = asked(state=state)
    with pytest.raises(IllegalMove, match=said), database.write() as session:
        getattr(jobs, verb)(session, made, "李四")
    assert look(made).state == state and not audited(f"job.{verb}")


@pytest.mark.parametrize("beginning", ["", "没有", "%", "_", "0" * 40])
def test_a_job_that_does_not_exist_is_not_found(sqlite_db: Settings, beginning: str) -> None:
    asked()
    for verb in (jobs.stop, jobs.resume):
        with pytest.raises(NotFound, match="没有这个后台任务"), database.write() as session:
            verb(session, beginning, "李四")
    with pytest.raises(NotFound, match="没有这个后台任务"), database.read() as session:
        jobs.find(session, beginning)


def test_a_beginning_that_fits_two_is_said(sqlite_db: Settings) -> None:
    with database.write() as session:
        for name in ("abc1", "abc2"):
            jobs.get(session, jobs.request(session, "backup", "张三")).id = name
    with pytest.raises(InvalidInput, match="多写几位"), database.read() as session:
        jobs.find(session, "abc")


# --- by themselves ---------------------------------------------------------------------------------------------------


def planned(now: datetime) -> list[str]:
    """The kinds that were due; what was made is done at once."""
    with database.write() as session:
        made = jobs.plan(session, now, get_settings())
        for job in made:
            assert (job.asked_by, job.state) == ("系统", WAITING)
            job.state = DONE
        return [job.kind for job in made]


def test_what_is_due_is_asked_for_once(db: Settings) -> None:
    assert planned(NOON) == ["retention"]  # at the first start: nobody knows how long nothing ran
    assert planned(NOON) == planned(NOON + HOUR - timedelta(seconds=1)) == []
    assert planned(NOON + HOUR) == ["retention"]
    assert planned(NOON + 15.4 * HOUR) == ["retention", "knowledge", "reviews"], "however long nobody looked, once"
    assert planned(NOON + 15.5 * HOUR) == ["recalculate"], "half past three"
    assert planned(NOON + 15.6 * HOUR) == []
    with database.read() as session:
        by_kind = {one.kind: one for one in jobs.schedules(session, db)}
    assert by_kind["retention"].last_at == NOON + 15.4 * HOUR
    assert by_kind["recalculate"].next_at == NOON + 39.5 * HOUR
    assert (by_kind["recalculate"].rule, by_kind["backup"].rule, by_kind["backup"].next_at) == (
        "每天 03:30",
        None,
        None,
    )
    assert not audited("job.request"), "nobody asked"


def test_nothing_is_asked_for_while_one_of_its_kind_is_under_way(sqlite_db: Settings) -> None:
    made = asked("retention", RUNNING)
    assert planned(NOON) == []
    with database.write() as session:
        jobs.get(session, made).state = DONE
    assert planned(NOON + HOUR) == ["retention"]


def test_a_clock_that_leapt_ahead_and_came_back_puts_nothing_off(sqlite_db: Settings) -> None:
    planned(NOON)
    assert planned(NOON + 700 * DAY) == ["retention", "recalculate", "knowledge", "reviews", "health", "review"]
    assert planned(NOON + HOUR / 2) == []
    assert planned(NOON + 1.5 * HOUR) == ["retention"]


def test_another_rule_counts_at_once(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YIHAODA_BACKUP_TIME", "23:00")
    forget()
    planned(NOON)
    monkeypatch.setenv("YIHAODA_BACKUP_TIME", "12:30")
    forget()
    assert planned(NOON + timedelta(minutes=20)) == []
    assert planned(NOON + timedelta(minutes=30)) == ["backup"]
    monkeypatch.delenv("YIHAODA_BACKUP_TIME")
    forget()
    assert "backup" not in planned(NOON + 2 * DAY)
    with database.read() as session:
        assert session.get(JobSchedule, "backup") is None


# --- the worker, the records, backups --------------------------------------------------------------------------------


def test_a_worker_that_is_not_heard_of_is_dead_within_half_a_minute(db: Settings) -> None:
    with database.read() as session:
        assert not jobs.worker(session, NOON).alive
    with database.write() as session:
        session.add(JobWorker(id=1, name="a", host="h", pid=7, started_at=NOON, seen_at=NOON))
    with database.read() as session:
        alive = [jobs.worker(session, NOON + timedelta(seconds=s)).alive for s in (-5, 0, 15, 19, 21, 30)]
        assert alive == [True, True, True, True, False, False]
        assert jobs.worker(session, NOON).pid == 7


def test_old_records_go_and_what_is_not_over_stays(db: Settings) -> None:
    for state in (DONE, FAILED, STOPPED, RUNNING, WAITING):
        asked(state=state, ended_at=NOON if state in (DONE, FAILED, STOPPED) else None)
    young = asked(state=DONE, ended_at=NOON + 2 * DAY)
    with database.write() as session:
        assert jobs.purge(session, NOON + 90 * DAY, 90) == 0
        assert jobs.purge(session, NOON + 91 * DAY, 90) == 3
    with database.read() as session:
        left = {job.id: job.state for job in jobs.jobs(session)}
    assert sorted(left.values()) == sorted([RUNNING, WAITING, DONE]) and young in left


def test_a_backup_carries_the_jobs_and_restoring_continues_none_by_itself(
    db: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = {
        asked(state=state, run="r" * 32 if state != WAITING else None, step=1, log=["一行"]): state
        for state in (WAITING, RUNNING, STOPPING, STOPPED, FAILED, DONE)
    }
    with database.write() as session:
        session.add(JobWorker(id=1, name="a", host="h", pid=7, started_at=utcnow(), seen_at=utcnow()))
    archive = tmp_path / "backup.tar.gz"
    assert backup.backup(db, archive).rows["jobs"] == 6
    monkeypatch.delenv("YIHAODA_DATABASE_URL", raising=False)
    monkeypatch.setenv("YIHAODA_DATA_DIR", str(tmp_path / "elsewhere"))
    forget()
    backup.restore(get_settings(), archive)
    for job_id, state in states.items():
        job = look(job_id)
        assert job.state == (STOPPED if state in (RUNNING, STOPPING) else state)
        assert job.run is None and job.log == ["一行"]
        assert ("恢复以后没有自动继续" in job.doing) == (state in (RUNNING, STOPPING))
    with database.read() as session:
        assert not jobs.worker(session, utcnow()).alive
    with database.write() as session:
        jobs.resume(session, next(job for job, state in states.items() if state == RUNNING), "张三")
