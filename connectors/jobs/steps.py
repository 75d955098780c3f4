"""What each kind of job does, step by step.

A step that was cut off runs again, so each one leaves either nothing or the whole: a transaction, or a file written aside and renamed.
What it returns (JSON) is remembered for the steps after it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from bot import backup, database, housekeeping, imports, jobs, retention, security_log
from bot.clock import SHANGHAI, utcnow
from bot.models.jobs import Job
from bot.settings import Settings
from bot.tickets import board
from connectors.jobs import importing


class Work(Protocol):
    """A job under way, as its steps see it.  Never call its methods within a transaction: they have their own.

    Attributes:
        job: As it was when it was taken up.
        results: What the steps before returned, by their names.
    """

    job: Job
    settings: Settings
    results: dict[str, Any]

    def progress(self, doing: str, done: int | None = None, total: int | None = None) -> None:
        """Say where it stands.  Call it often: here a job that shall stop ends."""

    def log(self, line: str) -> None:
        """Add a line to the job's log."""


@dataclass(frozen=True)
class Step:
    """One step of a job.

    Attributes:
        name: Unique within the job; what is remembered hangs on it.
        title: What it does, for people.
    """

    name: str
    title: str
    call: Callable[[Work], Any]


def _conversations(work: Work) -> int:
    confirmed_by = work.job.asked_by if work.job.arguments["confirm"] else None
    removed = retention.run(
        work.settings.retention_days,
        confirmed_by=confirmed_by,
        say=lambda count: work.progress(f"已清除 {count} 个会话", count),
    )
    if removed:
        work.log(f"清除了 {removed} 个到期的会话。")
    return removed


def _old_jobs(work: Work) -> int:
    with database.write() as session:
        return jobs.purge(session, utcnow(), work.settings.job_days)


def _tidy(work: Work) -> int:
    removed = housekeeping.tidy(work.settings.call_days)
    with database.write() as session:
        forgotten = imports.forget_old(session, utcnow(), work.settings.import_days)
    if forgotten:
        database.forget_erased()
    removed += forgotten
    done = work.results
    work.progress(f"清除了 {done['conversations']} 个到期的会话，{done['jobs']} 条旧的任务记录，{removed} 条别的旧记录")
    return removed


def _deadlines(work: Work) -> int:
    with database.write() as session:
        changed = board.recalculate(session)
    work.progress(f"更新了 {changed} 张工单的办理期限")
    return changed


_OURS = re.compile(r"yihaoda-\d{8}-\d{6}-[0-9a-f]{8}\.tar\.gz")


def _archive(work: Work) -> str:
    folder = work.settings.backups
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    asked = work.job.asked_at.astimezone(SHANGHAI)
    target = folder / f"yihaoda-{asked:%Y%m%d-%H%M%S}-{work.job.id[:8]}.tar.gz"
    for left in folder.glob(f".{target.name}.*"):  # of this same step, killed before
        shutil.rmtree(left, ignore_errors=True)
    held = backup.backup(work.settings, target, say=lambda rows: work.progress(f"已写入 {rows} 行", rows))
    security_log.record("backup.made", str(target), counted=False)
    size = target.stat().st_size / 1e6
    work.log(f"已备份到 {target}：{sum(held.rows.values())} 行，{size:.1f} MB，读回检查无误。")
    if held.keys:
        work.log(f"恢复时要用的密钥（指纹）：{'、'.join(held.keys)}")
    if held.unreadable:
        work.log(f"注意：有 {held.unreadable} 处内容，现有的密钥都打不开。")
    return target.name


def _old_archives(work: Work) -> int:
    new: str = work.results["archive"]
    others = sorted(path for path in work.settings.backups.iterdir() if _OURS.fullmatch(path.name) and path.name != new)
    too_many = others[: max(0, len(others) + 1 - work.settings.backup_keep)]
    for path in too_many:
        path.unlink(missing_ok=True)
        work.log(f"删除了旧备份 {path.name}。")
    work.progress(f"已备份：{new}")
    return len(too_many)


STEPS: dict[str, tuple[Step, ...]] = {
    "retention": (
        Step("conversations", "清除到期的会话", _conversations),
        Step("jobs", "清除旧的任务记录", _old_jobs),
        Step("tidy", "清除旧的通知、草稿和登录记录", _tidy),
    ),
    "recalculate": (Step("deadlines", "重新计算办理期限", _deadlines),),
    "import_check": (Step("check", "读文件，和系统里的知识比较", importing.check),),
    "import": (Step("write", "导入", importing.write),),
    "backup": (
        Step("archive", "备份，并读回来检查", _archive),
        Step("old", "删除多出来的旧备份", _old_archives),
    ),
}
"""By kind, see ``bot.jobs.KINDS``."""
