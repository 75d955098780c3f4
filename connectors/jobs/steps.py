"""What each kind of job does, step by step.

A step that was cut off runs again, so each one leaves either nothing or the whole: a transaction, or a file written aside and renamed.
What it returns (JSON) is remembered for the steps after it.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol

from bot import (
    asked,
    backup,
    database,
    health,
    housekeeping,
    imports,
    jobs,
    knowledge,
    links,
    recalls,
    replays,
    retention,
    review,
    reviews,
    security_log,
    surges,
)
from bot.clock import SHANGHAI, utcnow
from bot.models.jobs import Job
from bot.releases import moves, watching
from bot.settings import Settings
from bot.tickets import board
from bot.told import WAITING
from connectors.jobs import importing, retraining
from index.calculators import reviewing
from index.encoder import load_encoder
from index.knowledge_files import conflicts, exporting
from index.versions.store import VECTORS
from index.versions.vector_cache import CachedEncoder


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


def _old_questions(work: Work) -> int:
    removed = 0
    while True:
        with database.write() as session:
            batch = asked.purge(session, utcnow(), work.settings.asked_days)
            batch += replays.purge(session, utcnow(), work.settings.asked_days)
            batch += surges.purge(session, utcnow(), work.settings.asked_days)
        if not batch:
            return removed
        removed += batch
        work.progress(f"已清除 {removed} 条到期的提问记录", removed)


def _replay(work: Work) -> str:
    # Loaded here: only this kind of job needs an index in memory.
    from index import replay
    from index.assistant.respond import Assistant
    from index.versions.store import IndexReader

    id_: str = work.job.arguments["replay"]
    with database.read() as session:
        change = replays.get(session, id_).change
    work.progress("载入索引")
    assistant = Assistant(work.settings, IndexReader(work.settings))
    found = replay.whole(work.settings, assistant, replay.Change(**change), work.job.asked_at, work.progress).stored()
    with database.write() as session:
        replays.done(session, id_, found)
    changed = sum(sum(by.values()) for by in found["counts"].values())
    work.progress(f"重放了 {found['asked']} 条提问，{changed} 条有变化，其中 {found['taken']} 条可能答错")
    return id_


def _publish(work: Work) -> str:
    from index.versions import adopting, startup, store

    version: str = work.results["build"]
    if retraining.refused(work):
        work.progress(f"{version} 没有通过评测，没有启用")
        return version
    bundle: str | None = work.results["bundle"]
    if bundle is not None:
        moves.release_passed(work.settings, bundle)
    else:
        store.publish(work.settings, version)
        adopting.adopt(work.settings)
    startup.published(work.settings)
    work.progress(f"已启用 {version}")
    return version


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


def _versions(work: Work) -> int:
    with database.write() as session:
        brought = knowledge.bring_in(session, utcnow().astimezone(SHANGHAI).date())
    if brought:
        work.log(f"换上了新版本：{'、'.join(brought)}")
    work.progress(f"换上了 {len(brought)} 条问答的新版本")
    return len(brought)


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


def _look_again(work: Work) -> int:
    with database.write() as session:
        day = reviews.daily(session, utcnow().astimezone(SHANGHAI).date())
        calculators = reviewing.put_under_review(session)
    if day.applied:
        work.log(f"{day.applied} 份政策文件的变化从今天起生效。")
    work.progress(f"新列入待复核 {day.listed + calculators} 条，不用再看的 {day.settled} 条")
    return day.listed + calculators


def _check_links(work: Work) -> int:
    with database.read() as session:
        wanted = links.due(session, [url for _, _, url, _ in reviews.addresses(session)], utcnow())
    found: list[links.Checked] = []
    checking = links.check(wanted, threading.Event())
    try:
        for number, one in enumerate(checking, 1):
            found.append(one)
            if number % _TOGETHER == 0:
                _keep_links(found)
            work.progress(f"检查了 {number} 个网址", number, len(wanted))
    finally:
        checking.close()
        _keep_links(found)
    return len(wanted)


_TOGETHER = 20
"""Results that are written down at a time"""


def _keep_links(found: list[links.Checked]) -> None:
    if found:
        with database.write() as session:
            links.keep(session, found, utcnow())
        found.clear()


def _dead_links(work: Work) -> int:
    with database.write() as session:
        links.forget(session, [url for _, _, url, _ in reviews.addresses(session)])
        dead, alive = links.standing(session)
        listed = reviews.list_dead(session, dead, alive)
    work.progress(f"打不开的网址 {len(dead)} 个，新列入待复核 {listed} 条")
    return listed


def _conflicts(work: Work) -> int:
    with database.read() as session:
        revision, qas = knowledge.revision(session), knowledge.all_qas(session)
    own, built = work.settings.index_dir / "health.db", work.settings.index_dir / VECTORS
    if built.exists() and not own.exists():  # what the index has encoded need not be encoded again
        with closing(sqlite3.connect(built)) as source, closing(sqlite3.connect(own)) as copy:
            source.backup(copy)
    encoder = CachedEncoder(load_encoder(work.settings.encoder or None), own)
    try:
        found = conflicts.conflicts(qas, encoder, lambda done, total: work.progress("正在比对各种问法", done, total))
    finally:
        encoder.close()
    with database.write() as session:
        health.keep(session, [one.as_json() for one in found], revision, utcnow())
    work.progress(f"数字或依据不同的近似问答 {len(found)} 对")
    return len(found)


def _export(work: Work) -> str:
    work.settings.exports.mkdir(mode=0o700, parents=True, exist_ok=True)
    asked = work.job.asked_at.astimezone(SHANGHAI)
    target = work.settings.exports / f"zhishi-{asked:%Y%m%d-%H%M%S}-{work.job.id[:8]}.xlsx"
    with database.read() as session:
        exporting.export(session, target, internal=False)
    for old in sorted(work.settings.exports.glob("zhishi-*.xlsx"))[:-_EXPORTS]:
        if old != target:
            old.unlink(missing_ok=True)
    work.progress(f"已导出：{target.name}")
    return target.name


_EXPORTS = 3
"""Files that are kept"""


def _tell(work: Work) -> int:
    after, told, total = 0, 0, 0
    while True:
        with database.read() as session:
            batch = recalls.waiting(session, after, _TOGETHER)
        if not batch:
            return told
        for after in batch:  # one transaction each: what is sent, and that it was, can't come apart
            with database.write() as session:
                told += recalls.tell(session, after, work.settings) not in (None, WAITING)
        total += len(batch)
        work.progress(f"已发出 {told} 个更正", total)


def _recalled(work: Work) -> int:
    with database.write() as session:
        done = recalls.finish(session)
    work.progress(f"发出了 {work.results['tell']} 个更正")
    return len(done)


def _renew_vectors(work: Work) -> int:
    from training.review import gathering  # loaded here: only this kind of job groups

    with database.read() as session:
        wanted = gathering.wanted(session, utcnow())
        stale = gathering.stale(session, wanted, encoder := load_encoder(work.settings.encoder or None))
    for done in gathering.renew(stale, encoder):
        work.progress(f"重新编码了 {done} 条提问", done, len(stale))
    if stale:
        work.log(f"编码模型换过，或者提问没有向量：重新编码了 {len(stale)} 条。")
    return len(stale)


def _group_questions(work: Work) -> dict[str, int]:
    from training.review import placing

    found = placing.arrange(utcnow(), work.progress, load_encoder(work.settings.encoder or None).checksum)
    return {"questions": found.questions, "groups": found.groups, "alone": found.alone}


def _draw_sample(work: Work) -> int:
    from training.review import estimate

    with database.write() as session:
        kept = estimate.keep(session, utcnow(), renewed=work.results["renew"], **work.results["group"])
        review.export_examples(session, work.settings)
    said = f"{kept.questions} 条提问分成 {kept.groups} 组，零散 {kept.alone} 条；抽查核对了 {kept.judged} 条"
    work.progress(said if kept.high is None else f"{said}，答错的在 {kept.low:.1%} 到 {kept.high:.1%} 之间")
    return kept.groups


def _watch(work: Work) -> int:
    looks = 0
    while True:
        now = utcnow()
        watching.let_go(work.settings, now)
        found = watching.look(work.settings, now)
        if found is None:
            return looks
        looks += 1
        if found.worse:
            work.log(f"{found.bundle} 比在用的差，已停下：{''.join(found.worse)}")
            return looks
        said = f"{found.bundle} 灰度 {found.stages[-1].share}%：比了 {found.coming.conversations} 个会话"
        for _ in range(_LOOKS_EVERY_S // _STOPS_WITHIN_S):
            work.progress(f"{said}，在用的 {found.live.conversations} 个，没有变差")
            time.sleep(_STOPS_WITHIN_S)


_LOOKS_EVERY_S, _STOPS_WITHIN_S = 60, 4

STEPS: dict[str, tuple[Step, ...]] = {
    "retention": (
        Step("conversations", "清除到期的会话", _conversations),
        Step("asked", "清除到期的提问记录", _old_questions),
        Step("jobs", "清除旧的任务记录", _old_jobs),
        Step("tidy", "清除旧的通知、草稿和登录记录", _tidy),
    ),
    "recalculate": (Step("deadlines", "重新计算办理期限", _deadlines),),
    "import_check": (Step("check", "读文件，和系统里的知识比较", importing.check),),
    "import": (Step("write", "导入", importing.write),),
    "index": (
        Step("build", "构建并检查", retraining.rebuild),
        Step("bundle", "做成发布包", retraining.wrap),
        Step("evaluate", "评测", retraining.judge),
        Step("publish", "启用", _publish),
    ),
    "train": (
        Step("preflight", "看看能不能训练", retraining.preflight),
        Step("freeze", "冻结数据", retraining.freeze),
        Step("models", "训练 Rasa，建索引", retraining.models),
        Step("calibrate", "标定，检查索引", retraining.calibrate),
        Step("bundle", "做成发布包", retraining.bundle),
        Step("evaluate", "评测", retraining.evaluate),
    ),
    "replay": (Step("all", "逐条重放", _replay),),
    "review": (
        Step("renew", "补上向量", _renew_vectors),
        Step("group", "按意思分组", _group_questions),
        Step("sample", "抽查，写出补充语料", _draw_sample),
    ),
    "knowledge": (Step("versions", "换上到期的新版本", _versions),),
    "backup": (
        Step("archive", "备份，并读回来检查", _archive),
        Step("old", "删除多出来的旧备份", _old_archives),
    ),
    "reviews": (Step("look", "更新复核清单", _look_again),),
    "links": (
        Step("check", "打开每个网址", _check_links),
        Step("list", "列出打不开的", _dead_links),
    ),
    "evaluate": (Step("evaluate", "评测", lambda work: retraining.judged(work, work.job.arguments["bundle"])),),
    "watch": (Step("look", "每分钟比一次", _watch),),
    "health": (Step("conflicts", "比对近似的问答", _conflicts),),
    "recall": (Step("tell", "逐个告知", _tell), Step("finish", "收尾", _recalled)),
    "export": (Step("write", "写成 Excel 文件", _export),),
}
"""By kind, see ``bot.jobs.KINDS``."""
