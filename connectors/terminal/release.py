"""``yihaoda release``: what is released, letting out, stopping and going back."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from bot import database
from bot.clock import SHANGHAI
from bot.models.release_watch import ReleaseWatch
from bot.models.releases import Bundle
from bot.releases import moves, reading, watching
from bot.releases.states import KINDS, SHARE, STATES
from bot.settings import get_settings

app = typer.Typer(help="发布：在用的、要发布的、以前的发布包。", no_args_is_help=True)

out = Console()

_Name = Annotated[str, typer.Argument(help="发布包的名称")]
_Actor = Annotated[str, typer.Option(help="操作人的工号，记入审计日志")]
_Why = Annotated[str, typer.Option(help="原因，必填")]
_Note = Annotated[str, typer.Option(help="原因")]
_Dry = Annotated[bool, typer.Option("--dry-run", help="只说会做什么，不做")]


@app.command("list")
def list_(limit: Annotated[int, typer.Option(min=1, max=500, help="最多看多少个")] = 20) -> None:
    """列出发布包，新的在前。"""
    database.migrate()
    with database.read() as session:
        found, total = reading.listed(session, 0, limit)
    table = Table("名称", "种类", "状态", "做好于", Column("等着同意", ratio=1))
    for one in found:
        asked = f"{one.asked_by}：{one.asked_why}" if one.asked_by else ""
        table.add_row(*map(Text, (one.name, KINDS.get(one.kind, one.kind), _state(one), _at(one.made_at), asked)))
    if found:
        out.print(table)
    out.print(f"共 {total} 个{f'，这里是前 {limit} 个' if total > limit else ''}。")


@app.command()
def show(name: _Name, as_json: Annotated[bool, typer.Option("--json", help="输出 JSON")] = False) -> None:
    """看一个发布包：闸门说了什么，灰度得怎么样，谁做过什么。"""
    database.migrate()
    with database.read() as session:
        one, held = reading.get(session, name), moves.held(session, name)
        steps, _ = reading.history(session, bundle=name, limit=100)
        watch = session.get(ReleaseWatch, name)
    if as_json:
        print(json.dumps(_as_json(one) | {"watch": watch.figures if watch else None}, ensure_ascii=False, indent=2))
        return
    out.print(Text(f"{one.name}　{KINDS.get(one.kind, one.kind)}　{_state(one)}"), style="bold")
    out.print(Text(f"{one.made_by} 做好于 {_at(one.made_at)}　索引 {one.index_version}　Rasa {one.rasa_model}"))
    people = {moves.ONE: "一个人可以发布", moves.TWO: "要两个人、写明原因", moves.NEVER: "不能发布"}[moves.way(held)]
    out.print(Text("还没有评测。" if one.gate is None else f"闸门：{one.gate.get('verdict')}。{people}。"))
    for reason in (one.gate or {}).get("reasons", ()):
        out.print(Text(f"  {reason}"))
    if one.asked_by:
        out.print(Text(f"{one.asked_by} 申请破例发布（下一步：{moves.following(one)}）：{one.asked_why}"))
    if watch is not None and one.state == SHARE:
        _show_watch(watch)
    for step in steps:
        done = moves.MOVES[step.move].title if step.move in moves.MOVES else step.move
        why = f"：{step.why}" if step.why else ""
        out.print(Text(f"  {_at(step.at)}　{done}　{step.by}{why}", style="dim"))


def _show_watch(watch: ReleaseWatch) -> None:
    coming, live = watch.figures["coming"], watch.figures["live"]
    out.print(f"灰度的 {coming['conversations']} 个会话，在用的 {live['conversations']} 个（{_at(watch.at)}）：")
    for sign, title in watching.SIGNS.items():
        evidence = f"更差的证据 {watch.figures['evidence'][sign]:.3g}，到 {watch.figures['stop_at']:.0f} 就停"
        out.print(Text(f"  {title}：{coming['signs'][sign]} 对 {live['signs'][sign]}（{evidence}）"))


@app.command()
def diff(
    name: _Name, than: Annotated[str, typer.Argument(help="和哪一个比")],
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="最多列多少条问答")] = 50,
) -> None:  # fmt: skip
    """两个发布包有什么不同：问答的版本、作答的限、模型、补充语料。"""
    database.migrate()
    with database.read() as session:
        found = reading.difference(session, get_settings(), than, name, 0, limit)
    for line in found.said:
        out.print(Text(line))
    for item in found.items:
        before, after = (f"第 {number} 版" if number else "没有" for number in (item.before, item.after))
        out.print(Text(f"  {item.qa_id}　{item.question}：{before} → {after}"))
    if found.total:
        out.print(f"共 {found.total} 条问答的版本不同。")


@app.command()
def shadow(name: _Name, actor: _Actor, dry_run: _Dry = False) -> None:
    """影子运行：跟着真实的对话试答，不回复市民。"""
    _take("shadow", name, actor, dry_run)


@app.command()
def share(
    name: _Name,
    percent: Annotated[int, typer.Argument(help="新会话的百分之几：10 或 50")],
    actor: _Actor,
    dry_run: _Dry = False,
) -> None:
    """灰度：让一部分新会话由它回答，变差了自动停。"""
    _take("share", name, actor, dry_run, share=percent)


@app.command("all")
def all_(name: _Name, actor: _Actor, dry_run: _Dry = False) -> None:
    """全部启用。"""
    _take("all", name, actor, dry_run)


@app.command()
def stop(name: _Name, actor: _Actor, why: _Why, dry_run: _Dry = False) -> None:
    """停下影子运行或灰度。"""
    _take("stop", name, actor, dry_run, why=why)


@app.command()
def back(
    name: _Name,
    actor: _Actor,
    why: _Why,
    keep_knowledge: Annotated[
        bool, typer.Option("--keep-knowledge", help="知识不动，只退回模型、索引和作答的限")
    ] = False,
    dry_run: _Dry = False,
) -> None:
    """退回到上一版，或者以前启用过的任何一版；知识一起退回。"""
    _take("back", name, actor, dry_run, why=why, knowledge=not keep_knowledge)


@app.command()
def ask(name: _Name, actor: _Actor, why: _Why, dry_run: _Dry = False) -> None:
    """申请破例发布闸门没有通过的；要另一位同意。"""
    _take("ask", name, actor, dry_run, why=why)


@app.command()
def confirm(name: _Name, actor: _Actor, why: _Note = "", dry_run: _Dry = False) -> None:
    """同意另一位的申请：走下一步。"""
    _take("confirm", name, actor, dry_run, why=why)


@app.command()
def decline(name: _Name, actor: _Actor, why: _Note = "", dry_run: _Dry = False) -> None:
    """撤销申请。"""
    _take("decline", name, actor, dry_run, why=why)


@app.command()
def drop(name: _Name, actor: _Actor, why: _Note = "", dry_run: _Dry = False) -> None:
    """删除一个没有发布过的发布包。"""
    _take("drop", name, actor, dry_run, why=why)


def _take(move: str, name: str, actor: str, dry_run: bool, **given: Any) -> None:
    database.migrate()
    settings = get_settings()
    if dry_run:
        about = {key: value for key, value in given.items() if key != "why"}
        with database.read() as session:
            for line in reading.says(session, settings, move, name, **about):
                out.print(Text(line))
        return
    moves.take(settings, move, name, actor, **given)
    with database.read() as session:
        left = session.get(Bundle, name)
    out.print(Text(f"{moves.MOVES[move].title}：做好了。{name} 现在是「{_state(left) if left else '删除了'}」。"))


def _state(one: Bundle) -> str:
    return STATES.get(one.state, one.state) + (f" {one.share}%" if one.state == SHARE else "")


def _at(at: datetime) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"


def _as_json(one: Bundle) -> dict[str, Any]:
    found = {column: getattr(one, column) for column in one.__table__.columns.keys()}  # noqa: SIM118
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in found.items()}
