"""``yihaoda surges``: what more people ask about than usual."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from bot import database, surges
from bot.clock import SHANGHAI, utcnow
from bot.errors import InvalidInput

out = Console()

_STATES: dict[str, surges.State] = {one: one for one in surges.STATES}


def list_(
    state: Annotated[str, typer.Option(help="going 还在问、没有处理的，open 没有处理的，judged 处理过的")] = "open",
    limit: Annotated[int, typer.Option(min=1, max=500, help="最多看多少条")] = 30,
) -> None:
    """列出新事项和集中询问：比平时问得多的事，人数多的在前。"""
    if state not in _STATES:
        raise InvalidInput(f"--state 可以写 {'、'.join(_STATES)}。")
    database.migrate()
    with database.read() as session:
        found, total = surges.listed(session, _STATES[state], 0, limit)
        counted = surges.figures(session, utcnow())
    table = Table("编号", "种类", Column("说法", ratio=1), "人数", "平时", "地点", "开始", "提醒", "现在")
    for one in found:
        row = one.row
        now = "误报" if row.real is False else "属实" if row.real else "已平息" if row.ended_at else "还在问"
        cells = (
            row.id,
            "集中询问" if row.qa_id else "新事项",
            one.text,
            str(row.persons),
            f"{row.minutes} 分钟 {row.expected:.1f} 人",
            "、".join(f"{name} {persons}" for name, persons in one.places),
            f"{row.began_at.astimezone(SHANGHAI):%m-%d %H:%M}",
            f"{row.raised_at.astimezone(SHANGHAI):%H:%M}",
            now,
        )
        table.add_row(*map(Text, cells))
    if found:
        out.print(table)
    out.print(
        f"共 {total} 条{f'，这里是前 {limit} 条' if total > limit else ''}。最近 {surges.FIGURES_DAYS} 天提醒 {counted.raised} 次："
        f"属实 {counted.real}，误报 {counted.false}，没有处理 {counted.waiting}。"
    )
