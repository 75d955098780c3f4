"""``yihaoda train``: ask for a training, and see how it goes."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from bot import database, jobs
from bot.clock import utcnow
from bot.models.jobs import Job

out, err = Console(), Console(stderr=True)

_LOOK_S = 0.5


def train(
    why: Annotated[str, typer.Option(help="为什么训练，写给以后看的人")] = "",
    encoder: Annotated[str, typer.Option(help="换一个句向量模型：sentence-transformers 的文件夹或名称；不写不换")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="等它做完，一路显示进展；没有做成时退出码为 1")] = False,
    actor: Annotated[str, typer.Option(help="操作人，记入审计日志")] = "运维人员",
) -> None:
    """用现在的知识和审核过的提问重新训练，做成一个发布包并评测；不影响正在用的，发布由人决定。"""
    database.migrate()
    with database.write() as session:
        made = jobs.request(session, "train", actor, {"why": why, "encoder": encoder})
        worker = jobs.worker(session, utcnow())
    out.print(f"已发起：重新训练，编号 {made}。进展：./yihaoda jobs show {made[:8]}", soft_wrap=True)
    if not worker.alive:
        out.print("[bold yellow]做任务的进程没有在运行[/]，发起的任务会等着。启动：./yihaoda run", highlight=False)
    if wait:
        raise typer.Exit(_watch(made))


def _watch(job_id: str) -> int:
    """Show how it goes until it is over; 0 where it is done."""
    shown: list[str] = []
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("等待", total=None)
        while True:
            with database.read() as session:
                job = session.get_one(Job, job_id)
            if shown != job.log:
                known = set(shown)
                for line in job.log:
                    if line not in known:
                        out.print(Text(line), soft_wrap=True)
                shown = list(job.log)
            if job.state not in jobs.OPEN:
                break
            step = f"第 {min(job.step + 1, job.steps)} 步，共 {job.steps} 步　{job.doing}" if job.steps else job.state
            bar.update(task, description=step, completed=job.done or 0, total=job.total)
            time.sleep(_LOOK_S)
    out.print(Text(f"{job.state}：{job.error or job.doing}"), style="bold")
    return 0 if job.state == jobs.DONE else 1
