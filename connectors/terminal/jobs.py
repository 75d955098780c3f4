"""``yihaoda jobs``: see, start, stop and resume background jobs."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from bot import database, jobs
from bot.clock import SHANGHAI, utcnow
from bot.errors import InvalidInput
from bot.models.jobs import Job
from bot.settings import get_settings

app = typer.Typer(help="后台任务。", no_args_is_help=True)

out = Console()

_Id = Annotated[str, typer.Argument(help="任务编号，可以只写开头几位")]
_Actor = Annotated[str, typer.Option(help="操作人，记入审计日志")]


@app.command("list")
def list_(
    kind: Annotated[str | None, typer.Option(help="只看一种任务")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="最多看多少条")] = 20,
) -> None:
    """列出后台任务（新的在前）、各种任务什么时候自动做，和做任务的进程在不在。"""
    database.migrate()
    now = utcnow()
    with database.read() as session:
        worker = jobs.worker(session, now)
        planned = jobs.schedules(session, get_settings())
        found = jobs.jobs(session, kind=kind, limit=limit)
    _say_who_works(worker)
    for one in planned:
        when = f"{one.rule}，下次 {_shown(one.next_at)}，上次 {_shown(one.last_at)}" if one.rule else "不自动做"
        out.print(Text(f"{one.title}（{one.kind}）：{when}"))
    out.print()
    if not found:
        out.print("还没有后台任务。")
    for job in found:
        line = f"{job.id[:8]}  {_shown(job.asked_at)}  {jobs.title(job)}  {job.state}{_progress(job)}　{job.asked_by}"
        out.print(Text(line))
        if job.error or job.doing:
            out.print(Text(f"          {job.error or job.doing}", style="dim"))


@app.command()
def show(
    job: _Id,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON")] = False,
) -> None:
    """看一个后台任务：做到哪里，最近的记录，没做成的原因。"""
    database.migrate()
    with database.read() as session:
        found = jobs.find(session, job)
        worker = jobs.worker(session, utcnow())
    if as_json:
        print(json.dumps(_as_json(found), ensure_ascii=False, indent=2))
        return
    out.print(Text(f"{jobs.title(found)}　{found.state}{_progress(found)}"), style="bold")
    out.print(Text(f"编号 {found.id}　{found.asked_by}　{_shown(found.asked_at)} 发起"))
    out.print(f"开始 {_shown(found.started_at)}　结束 {_shown(found.ended_at)}")
    if found.arguments:
        out.print(Text(f"参数 {json.dumps(found.arguments, ensure_ascii=False)}"))
    if found.doing:
        out.print(Text(found.doing))
    if found.error:
        out.print(Text(f"原因：{found.error}", style="red"))
    for line in found.log:
        out.print(Text(f"  {line}", style="dim"))
    if found.state in jobs.OPEN:
        _say_who_works(worker)


@app.command()
def start(
    kind: Annotated[str, typer.Argument(help="种类：retention 到期清除，recalculate 重算办理期限，backup 备份")],
    set_: Annotated[list[str] | None, typer.Option("--set", help="参数，如 confirm=true，可写多个")] = None,
    actor: _Actor = "运维人员",
) -> None:
    """发起一个后台任务。做任务的进程两秒内开始；它不在的话，等它回来。"""
    arguments = dict(_argument(one) for one in set_ or ())
    database.migrate()
    with database.write() as session:
        made = jobs.request(session, kind, actor, arguments)
        worker = jobs.worker(session, utcnow())
    out.print(f"已发起：{jobs.KINDS[kind].title}，编号 {made}。进展：./yihaoda jobs show {made[:8]}", soft_wrap=True)
    _say_who_works(worker)


@app.command()
def stop(job: _Id, actor: _Actor = "运维人员") -> None:
    """让一个后台任务停下；做完的步骤留着，以后可以继续。"""
    database.migrate()
    with database.write() as session:
        found = jobs.stop(session, jobs.find(session, job).id, actor)
    out.print("已停止。" if found.state == jobs.STOPPED else "正在停止：手上这一步到了能停的地方就停。")


@app.command()
def resume(job: _Id, actor: _Actor = "运维人员") -> None:
    """让停下的、没做成的后台任务接着做；做完的步骤不重做。"""
    database.migrate()
    with database.write() as session:
        jobs.resume(session, jobs.find(session, job).id, actor)
        worker = jobs.worker(session, utcnow())
    out.print("接着做。")
    _say_who_works(worker)


def _argument(text: str) -> tuple[str, Any]:
    name, found, value = text.partition("=")
    if not found or not name:
        raise InvalidInput(f"参数要写成“名称=值”，这里写的是：{text}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _say_who_works(worker: jobs.Worker) -> None:
    if worker.alive:
        out.print(f"做任务的进程：在 {worker.host}，进程号 {worker.pid}。", highlight=False)
    elif worker.seen_at:
        out.print(
            f"[bold yellow]做任务的进程没有在运行[/]，最后一次有动静是 {_shown(worker.seen_at)}。", highlight=False
        )
    else:
        out.print("[bold yellow]做任务的进程没有在运行[/]，发起的任务会等着。启动：./yihaoda run", highlight=False)


def _progress(job: Job) -> str:
    if job.state not in (jobs.RUNNING, jobs.STOPPING) or not job.steps:
        return ""
    counted = f"，{job.done}/{job.total}" if job.done is not None and job.total else ""
    return f"（第 {min(job.step + 1, job.steps)} 步，共 {job.steps} 步{counted}）"


def _shown(at: datetime | None) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}" if at else "—"


def _as_json(job: Job) -> dict[str, Any]:
    names = [
        "id",
        "kind",
        "arguments",
        "state",
        "asked_by",
        "asked_at",
        "started_at",
        "ended_at",
        "step",
        "steps",
        "done",
        "total",
        "doing",
        "log",
        "error",
    ]
    found = {name: getattr(job, name) for name in names}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in found.items()}
