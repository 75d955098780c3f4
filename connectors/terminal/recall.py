"""``yihaoda recall``: who got an answer that was wrong, and having them told."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from bot import database, recalls, told
from bot.clock import SHANGHAI
from bot.errors import InvalidInput
from bot.recalls.finding import KINDS
from bot.recalls.moves import STATE_NAMES

app = typer.Typer(help="答错召回：得到过错误答案的人，逐个告知更正。", no_args_is_help=True)

out = Console()

_Id = Annotated[str, typer.Argument(help="召回的编号")]
_Actor = Annotated[str, typer.Option(help="操作人的工号，记入审计日志")]


@app.command("list")
def list_(limit: Annotated[int, typer.Option(min=1, max=500, help="最多看多少份")] = 20) -> None:
    """列出各份召回，新的在前。"""
    database.migrate()
    with database.read() as session:
        found, total = recalls.listed(session, limit=limit)
        counted = recalls.figures(session, [one.id for one in found])
    table = Table(Column("编号", no_wrap=True), Column("问题", ratio=1), "版本", "进展", "人数", *told.STATES.values())
    for one in found:
        by = counted[one.id]
        versions = "、".join(map(str, one.versions))
        states = [str(getattr(by, name)) for name in told.STATES]
        table.add_row(*map(Text, (one.id, one.question, versions, STATE_NAMES[one.state], str(by.people), *states)))
    if found:
        out.print(table)
    out.print(f"共 {total} 份召回。")


@app.command()
def draft(
    item: Annotated[str, typer.Argument(help="问答的编号")],
    version: Annotated[list[int], typer.Option(help="已经作废的版本号，可以写多个")],
    text: Annotated[str, typer.Option(help="正确的答案，市民看得懂的话")],
    actor: _Actor,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只看会告知多少人、怎么说，不起草")] = False,
) -> None:
    """起草一份召回；另一位同意以后才告知。"""
    database.migrate()
    with database.read() as session:
        found = recalls.preview(session, item, version, text)
    by = "，".join(f"{KINDS[name]} {count}" for name, count in found.by_kind.items())
    out.print(f"得到过这些版本的有 {found.people} 人{f'：{by}' if by else ''}。")
    for one, words in found.examples:
        out.print(Text(f"　{one.at.astimezone(SHANGHAI):%m-%d %H:%M} {KINDS[one.kind]}：{words}", style="dim"))
    if dry_run:
        return
    with database.write() as session:
        made = recalls.draft(session, item, version, text, actor)
        out.print(Text(f"已起草 {made.id}，请另一位同意：yihaoda recall approve {made.id}"))


@app.command()
def approve(recall: _Id, actor: _Actor) -> None:
    """同意一份召回，开始告知；自己起草的不能自己同意。"""
    database.migrate()
    with database.write() as session:
        recalls.approve(session, recall, actor)
        people = recalls.figures(session, [recall])[recall].people
    out.print(f"已同意，后台任务会逐个告知 {people} 人。")


@app.command()
def show(
    recall: _Id,
    state: Annotated[
        str, typer.Option(help=f"只看哪些人：{'、'.join(f'{name} {title}' for name, title in told.STATES.items())}")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=500, help="最多看多少人")] = 30,
) -> None:
    """一份召回做到哪里了，告知了谁、还有谁没有看到。"""
    if state and state not in told.STATES:
        raise InvalidInput(f"--state 可以写 {'、'.join(told.STATES)}。")
    database.migrate()
    with database.read() as session:
        one = recalls.get(session, recall)
        by = recalls.figures(session, [recall])[recall]
        rows, total = recalls.targets(session, recall, state or None, limit=limit)
    out.print(Text(f"{one.question}　第 {'、'.join(map(str, one.versions))} 版　{STATE_NAMES[one.state]}"))
    out.print(Text(f"正确的是：{one.correction}"))
    states = "，".join(f"{title} {getattr(by, name)}" for name, title in told.STATES.items())
    out.print(f"共 {by.people} 人：{states}。")
    table = Table("哪里", "编号", "什么时候得到的", "现在", Column("说明", ratio=1))
    for row in rows:
        when = f"{row.asked_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
        table.add_row(*map(Text, (KINDS[row.kind], row.key, when, told.STATES[row.state], row.reason or "")))
    if rows:
        out.print(table)
    if total > len(rows):
        out.print(f"这里是前 {len(rows)} 人，共 {total} 人。")
