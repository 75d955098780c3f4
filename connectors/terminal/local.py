"""``yihaoda local``: a city's own figures as tables, what is missing, and approval."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from bot import database, regions
from bot.errors import InvalidInput
from bot.local import figures, tables
from bot.local.slots import slots
from bot.settings import get_settings
from index.knowledge_files import local_files

app = typer.Typer(help="本地标准：最低工资、低保标准、报修电话……本市自己的数。", no_args_is_help=True)

out, err = Console(), Console(stderr=True)

_Actor = Annotated[str, typer.Option(help="操作人的工号，要有知识编辑或知识审核的角色，记入审计日志")]
_Region = Annotated[str | None, typer.Option(help="行政区划代码；不写是本市")]


@app.command("list")
def list_(
    state: Annotated[
        str, typer.Option(help="all 全部，missing 还缺的，waiting 待审核的，soon 快到期的，live 在用的")
    ] = "all",
    limit: Annotated[int, typer.Option(min=1, max=5000, help="最多看多少项")] = 100,
) -> None:
    """列出本地标准：还缺的在前，其中市民问得多的在前。"""
    if state not in ("all", "missing", "waiting", "soon", "live"):
        raise InvalidInput("--state 可以写 all、missing、waiting、soon、live。")
    database.migrate()
    with database.read() as session:
        lines = figures.overview(session, get_settings())
    chosen = [
        line
        for line in lines
        if state == "all" or (line.copy is not None if state == "waiting" else line.state == state)
    ]
    table = Table("编号", "名称", "地区", Column("现在的值", ratio=1), "待审核", "现状", "近30天答到")
    for line in chosen[:limit]:
        cells = (
            line.slot.key,
            line.slot.label,
            regions.get(line.region).name,
            line.live.value if line.live else "",
            line.copy.value if line.copy else "",
            tables.standing(line),
            str(line.asked),
        )
        table.add_row(*(Text(cell) for cell in cells))
    if chosen:
        out.print(table)
    missing = sum(line.state == "missing" for line in lines)
    out.print(
        f"{len(chosen)} 项{f'，这里是前 {limit} 项' if len(chosen) > limit else ''}；全部 {len(lines)} 项里还缺 {missing} 项。"
    )


@app.command()
def export(target: Annotated[Path, typer.Argument(help="目标文件：.xlsx 或 .csv")]) -> None:
    """导出成表格，发给各部门填“值”“依据”“起始日期”“截止日期”几列；还缺的在前。"""
    database.migrate()
    with database.read() as session:
        table = tables.rows(figures.overview(session, get_settings()))
    local_files.write(target, table)
    out.print(Text(f"已导出 {target}：{len(table) - 1} 项"), soft_wrap=True)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="填好的表格：.xlsx 或 .csv")],
    actor: _Actor = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只看会有哪些变化，不写入")] = False,
) -> None:
    """导入填好的表格：好的行成为待审核，坏的行说明行号和原因。导入的要由另一个人审核，才给市民看。"""
    _named(actor)
    table = list(local_files.read(file))
    database.migrate()
    with database.write() as session:
        report = tables.take(session, actor, table, get_settings(), dry_run=dry_run)
    done = "预演，未写入" if dry_run else "已导入，等另一个人审核"
    out.print(
        f"{done}。新的 {len(report.proposed)} 项，没有变的 {len(report.unchanged)} 项，没填的 {report.empty} 行，有问题 {len(report.problems)} 行。"
    )
    for name in report.proposed:
        out.print(Text(f"  {name}"))
    for line, reason in report.problems:
        err.print(Text(f"  第 {line} 行：{reason}", style="red"))
    if report.problems and not (report.proposed or report.unchanged):
        raise typer.Exit(1)


@app.command()
def approve(
    keys: Annotated[list[str], typer.Argument(help="编号，可写多个；见 yihaoda local list")],
    actor: _Actor = "",
    region: _Region = None,
) -> None:
    """审核通过，立即生效（或从它的起始日期起）。自己写的不能自己审。"""
    _named(actor)
    database.migrate()
    settings = get_settings()
    where = region or settings.region
    with database.write() as session:
        for key in keys:
            slot = slots(settings).get(key)
            copy = figures.working_copy(session, key, where)
            row = figures.approve(session, actor, key, where, copy.revision if copy else 0)
            out.print(Text(f"{regions.get(where).name}{slot.label}：{row.value}，依据 {row.source}"), soft_wrap=True)
    out.print(f"已审核通过 {len(keys)} 项。")


def _named(actor: str) -> None:
    if not actor.strip():
        raise InvalidInput("请用 --actor 写明操作人的工号。")
