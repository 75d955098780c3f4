"""``yihaoda review``: what went unanswered or wrong, and deciding about it."""

from __future__ import annotations

from typing import Annotated, cast

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from bot import database, review
from bot.errors import InvalidInput
from bot.review.deciding import Action
from bot.review.groups import State

app = typer.Typer(help="待学习：没有答上、答错的提问，按意思分组，和怎么处理。", no_args_is_help=True)

out = Console()

_Actor = Annotated[str, typer.Option(help="操作人的工号，记入审计日志")]
_STATES: dict[str, State] = {one: one for one in review.STATES}  # type: ignore[misc]


@app.command("list")
def list_(
    state: Annotated[
        str,
        typer.Option(help="open 要处理的，single 零散，crowd 一个来源问得多，danger 可能漏了险情，settled 处理过的"),
    ] = "open",
    limit: Annotated[int, typer.Option(min=1, max=500, help="最多看多少组")] = 30,
) -> None:
    """列出各组：处理以后帮助最大的在前。"""
    if state not in _STATES:
        raise InvalidInput(f"--state 可以写 {'、'.join(_STATES)}。")
    database.migrate()
    with database.read() as session:
        found, total = review.listed(session, _STATES[state], 0, limit)
        agreed, newest = review.agreement(session), review.newest_figures(session)
    table = Table("编号", Column("问法", ratio=1), "次数", "本周", "帮助", "原因", "最近的条目")
    for one in found:
        why = "、".join(review.WHY[name] for name in one.row.why)
        week = f"{one.row.week}（另有 {one.row.over} 次来自同一来源）" if one.row.over else str(one.row.week)
        cells = (one.row.id, one.text, str(one.row.asked), week, f"{one.row.help:.1f}", why, one.row.candidate or "")
        table.add_row(*map(Text, cells))
    if found:
        out.print(table)
    out.print(f"共 {total} 组{f'，这里是前 {limit} 组' if total > limit else ''}。")
    if newest is not None and newest.high is not None:
        out.print(f"抽查 {newest.judged} 条，答错 {newest.wrong} 条：答错的占 {newest.low:.1%}–{newest.high:.1%}。")
    if agreed.read:
        out.print(f"两人都读过 {agreed.read} 条，一致 {agreed.agreed} 条；还有 {agreed.waiting} 条等第二位读。")


@app.command("do")
def do_(
    groups: Annotated[list[str], typer.Argument(help="组的编号，可以写多个")],
    action: Annotated[str, typer.Option(help=f"怎么处理：{'、'.join(f'{a} {t}' for a, t in review.ACTIONS.items())}")],
    actor: _Actor,
    qa: Annotated[str | None, typer.Option(help="wording：加到哪条问答；不写就是最近的那条")] = None,
    text: Annotated[str | None, typer.Option(help="wording、new、act：说法；不写就用问得最多的那句")] = None,
    answer: Annotated[str | None, typer.Option(help="new：答案")] = None,
    act: Annotated[str | None, typer.Option(help="act：哪种意图")] = None,
    into: Annotated[str | None, typer.Option(help="merge：并到哪一组")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只说会做什么，不做")] = False,
) -> None:
    """处理一组或几组；做了的 7 天内可以撤销。"""
    if action not in review.ACTIONS or action == "split":
        raise InvalidInput("没有这种处理，或者要在页面上做（拆开）。见 --help。")
    database.migrate()
    wanted = review.Wanted(cast("Action", action), qa, text, answer, act, into)
    done = review.attempt(groups, wanted, actor, dry=dry_run)
    for one in done:
        out.print(Text(f"{one.group_id}　{'没有做：' if one.refused else '会' if dry_run else ''}{one.said}"))
        if one.decision_id and not dry_run:
            out.print(Text(f"　　要撤销：yihaoda review undo {one.decision_id}", style="dim"))
    if any(one.refused for one in done):
        raise typer.Exit(1)


@app.command()
def undo(decision: Annotated[str, typer.Argument(help="处理的编号")], actor: _Actor) -> None:
    """撤销一次处理：7 天之内。"""
    database.migrate()
    with database.write() as session:
        made = review.undo(session, decision, actor)
        out.print(Text(f"已撤销：{review.ACTIONS[made.action]}"))
