"""Background jobs (后台任务): what there is, asking for one, stopping and resuming it, and when it runs by itself.

A row of ``jobs`` is the truth about a job: whoever asks writes it, and the worker (``connectors.jobs``) takes it up from there,
now or when it is back.  What the worker has of its own is only its memory of the steps that are done.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import delete, event, func, select, update
from sqlalchemy.orm import Session, object_session

from bot import audit, database, events, releases
from bot.clock import SHANGHAI, utcnow
from bot.errors import IllegalMove, InvalidInput, NotFound
from bot.models.jobs import Job, JobSchedule, JobWorker
from bot.settings import Settings

WAITING, RUNNING, STOPPING, STOPPED, DONE, FAILED = "等待", "进行中", "正在停止", "已停止", "完成", "失败"
MOVES: Mapping[str, frozenset[str]] = {
    WAITING: frozenset({RUNNING, STOPPED}),
    RUNNING: frozenset({STOPPING, DONE, FAILED}),
    STOPPING: frozenset({STOPPED, DONE, FAILED}),
    STOPPED: frozenset({WAITING}),
    FAILED: frozenset({WAITING}),
    DONE: frozenset(),
}
"""State → states it may go to.  RUNNING → RUNNING is no move: another worker takes up what one left."""
OPEN = (WAITING, RUNNING, STOPPING)
"""States of a job that is not over."""
SYSTEM = "系统"
"""Who asks for what runs by itself."""
HEARTBEAT_S = 5.0
DEAD_AFTER_S = 20.0
"""A worker that has not been heard of for so long is taken for dead."""
LOG_LINES = 100


@dataclass(frozen=True)
class Every:
    """Again so long after it was due last."""

    hours: int = 0
    minutes: int = 0

    def after(self, at: datetime) -> datetime:
        """The next time."""
        return at + timedelta(hours=self.hours, minutes=self.minutes)

    def __str__(self) -> str:
        if self.minutes:
            return "每分钟" if self.minutes == 1 else f"每 {self.minutes} 分钟"
        return "每小时" if self.hours == 1 else f"每 {self.hours} 小时"


@dataclass(frozen=True)
class Daily:
    """Once a day, by the clock in Shanghai."""

    at: time

    def after(self, at: datetime) -> datetime:
        """The next time."""
        local = at.astimezone(SHANGHAI)
        today = datetime.combine(local.date(), self.at, SHANGHAI)
        return today if today > local else today + timedelta(days=1)

    def __str__(self) -> str:
        return f"每天 {self.at:%H:%M}"


Rule = Every | Daily


@dataclass(frozen=True)
class Argument:
    """What may be said when a job is asked for."""

    title: str
    type: type[bool] | type[int] | type[str]
    default: bool | int | str


@dataclass(frozen=True)
class Kind:
    """A job that there is.

    Attributes:
        does: What it does, for whoever decides to start it.
        rule: When it runs by itself, from the settings; None: only when it is asked for.
        needed: Whether there is anything to do when it is due by itself (default: there always is).
    """

    title: str
    does: str
    arguments: Mapping[str, Argument]
    rule: Callable[[Settings], Rule | None]
    needed: Callable[[Session, datetime], bool] = lambda _session, _now: True


KINDS: dict[str, Kind] = {
    "retention": Kind(
        "到期清除",
        "清除沉默超过保留天数的会话，和结束很久的后台任务记录。时钟或数量不对时不清除，等人核对。",
        {"confirm": Argument("时钟和数量都核对过了，照样清除", bool, False)},
        lambda settings: Every(1),
    ),
    "recalculate": Kind(
        "重算办理期限",
        "按现在的节假日安排，重新计算暂按周末推算的工单期限。",
        {},
        lambda settings: Daily(time(3, 30)),
    ),
    "import_check": Kind(
        "读取导入的文件",
        "读一个要导入的文件，和系统里的知识比较。在“导入”页拖进文件就会发起，不用在这里发起。",
        {"import": Argument("导入的编号", str, "")},
        lambda settings: None,
    ),
    "import": Kind(
        "导入知识",
        "把看过的文件导入知识。在“导入”页决定以后就会发起，不用在这里发起。",
        {"import": Argument("导入的编号", str, "")},
        lambda settings: None,
    ),
    "replay": Kind(
        "昨日重放",
        "为一条问答的改动建一个试用的索引，把最近 7 天的提问全部重放一遍，看答案变了哪些。不影响正在用的索引。由问答的页面发起。",
        {"replay": Argument("哪一次重放（编号）", str, "")},
        lambda settings: None,
    ),
    "index": Kind(
        "重建索引",
        "由现在的知识构建一个新的索引版本，检查无误后启用，正在运行的服务自动换上。审核通过以后会自己发起；新的问法要等它做完才找得到。",
        {},
        lambda settings: None,
    ),
    "knowledge": Kind(
        "换上到期的新版本",
        "把到了生效日期的问答版本记到问答上。没有它，到了那天也照新版作答。",
        {},
        lambda settings: Daily(time(0, 5)),
    ),
    "backup": Kind(
        "备份",
        "把数据库、索引和本机密钥备份成一个文件，读回来检查一遍，并删除多出来的旧备份。",
        {},
        lambda settings: Daily(time.fromisoformat(settings.backup_time)) if settings.backup_time else None,
    ),
    "reviews": Kind(
        "复核清单",
        "登记今天起生效的文件变化，列出要复核的知识：依据已变的、快到期和已过期的、复核日期已过的。",
        {},
        lambda settings: Daily(time(2, 30)),
    ),
    "links": Kind(
        "检查网址",
        "逐个打开知识里的网址，打不开的列入待复核。同一个网站一秒最多访问一次。",
        {},
        lambda settings: Daily(time.fromisoformat(settings.link_check_time)) if settings.link_check_time else None,
    ),
    "health": Kind(
        "知识体检",
        "找出问法很近而数字或依据不同的问答，供人比对。",
        {},
        lambda settings: Daily(time(4, 30)),
    ),
    "review": Kind(
        "整理待学习",
        "把没有答上、答错的提问按意思分组，按帮助多少排好，抽出要核对的回答，写出补充语料。处理过的不再列出，组的编号不变。",
        {},
        lambda settings: Daily(time(5, 0)),
    ),
    "evaluate": Kind(
        "评测发布包",
        "用题库、留出的真实提问和最近的提问，把一个发布包和在用的比一遍，由闸门下结论。做好、重新训练以后会自己评测。",
        {"bundle": Argument("发布包的名称", str, "")},
        lambda settings: None,
    ),
    "watch": Kind(
        "看着灰度",
        "灰度的时候，每分钟把灰度的和在用的比一次，变差了就自动停下。有灰度就自己开始，灰度结束就结束，不用发起。",
        {},
        lambda settings: Every(minutes=1),
        releases.to_watch,
    ),
    "recall": Kind(
        "告知答错召回",
        "把另一位同意了的更正，逐个告知得到过错误答案的人：会话里、短信，或者列入回拨。每人一次。由“答错召回”发起。",
        {},
        lambda settings: None,
    ),
    "export": Kind(
        "导出全部知识",
        "把问答、政策文件连同原文、办事指南导出成一个 Excel 文件，从“知识体检”下载。",
        {},
        lambda settings: None,
    ),
    "train": Kind(
        "重新训练",
        "用现在的知识和审核过的提问重新训练：Rasa、索引、标定，做成一个发布包，再评测。不影响正在用的；发布由人决定。",
        {
            "why": Argument("为什么训练，写给以后看的人", str, ""),
            "encoder": Argument("换一个句向量模型：文件夹或名称。留空不换", str, ""),
        },
        lambda settings: None,
    ),
}
"""By name.  What each one does step by step is in ``connectors.jobs.steps``."""


# --- asking ----------------------------------------------------------------------------------------------------------


def request(session: Session, kind: str, by: str, arguments: Mapping[str, Any] | None = None) -> str:
    """Ask for a job; the worker takes it up within about two seconds, or once it is back.  Returns the job's id.

    Jobs of one kind run one after the other.

    Raises:
        InvalidInput: there is no such kind, or it takes other arguments; says which.
    """
    if kind not in KINDS:
        raise InvalidInput(f"没有“{kind}”这种后台任务。现有：{'、'.join(KINDS)}。")
    if not by.strip():
        raise InvalidInput("请写明是谁要做这个任务。")
    given = checked(kind, arguments or {})
    job = _add(session, kind, by, given, utcnow())
    audit.record(session, by, "job.request", job.id, title=KINDS[kind].title, kind=kind, arguments=given)
    return job.id


def request_once(session: Session, kind: str, by: str) -> None:
    """The same, unless one that has not begun yet will do it anyway."""
    waiting = select(Job.id).where(Job.kind == kind, Job.state == WAITING).limit(1)
    if session.scalar(waiting) is None:
        _add(session, kind, by, checked(kind, {}), utcnow())


def checked(kind: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a job with the defaults filled in.  Raises: InvalidInput."""
    known = KINDS[kind].arguments
    if not isinstance(arguments, Mapping):
        raise InvalidInput("任务的参数要写成“名称: 值”。")
    if unknown := [str(name) for name in arguments if name not in known]:
        takes = f"只有：{'、'.join(known)}" if known else "这种任务没有参数"
        raise InvalidInput(f"“{KINDS[kind].title}”没有参数 {'、'.join(unknown)}。{takes}。")
    for name, value in arguments.items():
        if type(value) is not known[name].type:
            shape = {bool: "true 或 false", int: "整数", str: "文字"}[known[name].type]
            raise InvalidInput(f"“{KINDS[kind].title}”的参数 {name}（{known[name].title}）要写{shape}。")
    return {name: arguments.get(name, one.default) for name, one in known.items()}


def stop(session: Session, job_id: str, by: str) -> Job:
    """Have a job stop: at once where it waits, else as soon as its step lets it; what is done stays done.

    Raises:
        NotFound: there is no such job.
        IllegalMove: it is over, or stopping already.
    """
    job = get(session, job_id)
    if job.state not in (WAITING, RUNNING):
        said = {STOPPING: "已经在停了", STOPPED: "已经停了", DONE: "已经完成了", FAILED: "已经失败了"}[job.state]
        raise IllegalMove(f"这个任务{said}，不能再停。")
    if job.state == WAITING:
        job.state, job.ended_at, job.doing = STOPPED, utcnow(), "还没有开始就停了。"
    else:
        job.state = STOPPING
    audit.record(session, by, "job.stop", job.id, title=title(job), kind=job.kind, step=job.step)
    return job


def resume(session: Session, job_id: str, by: str) -> Job:
    """Have a job that stopped or failed go on where it was: steps that are done are not done again.

    Raises:
        NotFound: there is no such job.
        IllegalMove: it is not over, or it is done.
    """
    job = get(session, job_id)
    if job.state not in (STOPPED, FAILED):
        said = {DONE: "已经完成了；要再做一次，请重新发起", WAITING: "正等着开始"}.get(job.state, "正在进行")
        raise IllegalMove(f"这个任务{said}，不用继续。")
    if job.kind not in KINDS:
        raise IllegalMove("现在的程序没有这种任务，不能继续。")
    job.state, job.ended_at, job.error, job.attempts, job.doing = WAITING, None, None, 0, ""
    audit.record(session, by, "job.resume", job.id, title=title(job), kind=job.kind, step=job.step)
    return job


# --- looking ---------------------------------------------------------------------------------------------------------


def get(session: Session, job_id: str) -> Job:
    """A job, locked until the transaction ends where the database can.  Raises: NotFound."""
    job = session.get(Job, job_id, with_for_update=True, populate_existing=True)
    if job is None:
        raise NotFound(f"没有这个后台任务：{job_id}")
    return job


def find(session: Session, beginning: str) -> Job:
    """The job whose id begins so.  Raises: NotFound; InvalidInput: several do."""
    begins = Job.id.startswith(beginning, autoescape=True)
    found = session.scalars(select(Job).where(begins).limit(2)).all() if beginning else []
    if not found:
        raise NotFound(f"没有这个后台任务：{beginning}")
    if len(found) > 1:
        raise InvalidInput(f"有几个后台任务的编号都以“{beginning}”开头，请多写几位。")
    return found[0]


def jobs(
    session: Session, *, kind: str | None = None, states: Sequence[str] = (), limit: int = 100, offset: int = 0
) -> list[Job]:
    """Jobs, those asked for last first; of one kind, or in some states, if given."""
    query = select(Job).order_by(Job.asked_at.desc(), Job.id).limit(limit).offset(offset)
    if kind is not None:
        query = query.where(Job.kind == kind)
    if states:
        query = query.where(Job.state.in_(states))
    return list(session.scalars(query))


def title(job: Job) -> str:
    """What people call a job of this kind; its name where the program has it no more."""
    return KINDS[job.kind].title if job.kind in KINDS else job.kind


@dataclass(frozen=True)
class Schedule:
    """When a kind of job runs by itself.

    Attributes:
        rule: As people read it; None: never by itself.
        last_at: When it was due last and a job was made of it.
        next_at: None until the worker has seen the rule, or where there is none.
    """

    kind: str
    title: str
    rule: str | None
    last_at: datetime | None
    next_at: datetime | None


def schedules(session: Session, settings: Settings) -> list[Schedule]:
    """When each kind of job runs by itself."""
    rows = {row.kind: row for row in session.scalars(select(JobSchedule))}
    found = []
    for name, kind in KINDS.items():
        rule, row = kind.rule(settings), rows.get(name)
        next_at = row.next_at if row and rule and row.rule == str(rule) else None
        last_at = row.last_at if row else None
        found.append(Schedule(name, kind.title, str(rule) if rule else None, last_at, next_at))
    return found


@dataclass(frozen=True)
class Worker:
    """The process that works on the jobs, as it was heard of last."""

    alive: bool
    host: str = ""
    pid: int = 0
    started_at: datetime | None = None
    seen_at: datetime | None = None


def worker(session: Session, now: datetime) -> Worker:
    """Whether somebody works on the jobs.  One that was killed shows as dead after ``DEAD_AFTER_S``."""
    row = session.get(JobWorker, 1, populate_existing=True)
    if row is None:
        return Worker(alive=False)
    alive = abs(now - row.seen_at) < timedelta(seconds=DEAD_AFTER_S)
    return Worker(alive, row.host, row.pid, row.started_at, row.seen_at)


# --- for the worker, and for restoring -------------------------------------------------------------------------------


def plan(session: Session, now: datetime, settings: Settings) -> list[Job]:
    """Ask for what is due by itself: each kind once, however long nobody looked, and not while one of it is under way.

    The next time stands in the same transaction, so none is made twice.  A time that lies further ahead than the rule can
    mean was written while the clock was wrong, and is worked out again.
    """
    made = []
    for name, kind in KINDS.items():
        rule = kind.rule(settings)
        row = session.get(JobSchedule, name, with_for_update=True)
        if rule is None:
            if row is not None:
                session.delete(row)
            continue
        first = now if isinstance(rule, Every) else rule.after(now)
        if row is None:
            row = JobSchedule(kind=name, rule=str(rule), last_at=None, next_at=first)
            session.add(row)
        elif row.rule != str(rule) or row.next_at > rule.after(rule.after(now)):
            row.rule, row.next_at = str(rule), rule.after(now)
        if row.next_at > now:
            continue
        row.last_at, row.next_at = now, rule.after(now)
        under_way = select(func.count()).select_from(Job).where(Job.kind == name, Job.state.in_(OPEN))
        if not session.scalar(under_way) and kind.needed(session, now):
            made.append(_add(session, name, SYSTEM, checked(name, {}), now))
    return made


def purge(session: Session, now: datetime, days: int) -> int:
    """Remove the records of jobs that have been over for so many days; how many."""
    old = delete(Job).where(Job.state.not_in(OPEN), Job.ended_at < now - timedelta(days=days))
    return database.rows_changed(session, old)


def restored(session: Session) -> int:
    """After a restore: what was under way when the backup was made stands still until a person resumes it; how many.

    What a worker remembers of the steps belongs to what happened since the backup, and counts no more.
    """
    # By statements, not by objects: a restored database has the events that it had, and no more.
    said = "备份的时候它正在进行，恢复以后没有自动继续。"
    under_way = update(Job).where(Job.state.in_((RUNNING, STOPPING)))
    stopped = database.rows_changed(session, under_way.values(state=STOPPED, ended_at=utcnow(), doing=said))
    database.rows_changed(session, update(Job).where(Job.run.is_not(None)).values(run=None, owner=None, step=0))
    session.execute(delete(JobWorker))
    return stopped


def _add(session: Session, kind: str, by: str, arguments: dict[str, Any], now: datetime) -> Job:
    job = Job(
        id=uuid.uuid4().hex,
        kind=kind,
        arguments=arguments,
        state=WAITING,
        asked_by=by,
        asked_at=now,
        step=0,
        steps=0,
        doing="",
        log=[],
        attempts=0,
    )
    session.add(job)
    session.flush()
    return job


@event.listens_for(Job, "after_insert")
@event.listens_for(Job, "after_update")
def _changed(_mapper: Any, _connection: Any, job: Job) -> None:
    """Whoever changes a job, open pages hear of it."""
    if (session := object_session(job)) is not None:
        events.publish(session, "job", job.id, of=job.kind, state=job.state)
