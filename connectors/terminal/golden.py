"""``yihaoda golden``: the questions that releases are judged by; ``yihaoda gate``: having one judged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from bot import database, golden
from bot.errors import InvalidInput
from bot.golden import Content, Wanted
from bot.models.golden import GoldenChange
from bot.settings import get_settings

app = typer.Typer(help="题库：发布之前拿来考的题，每一题知道正确的问答。", no_args_is_help=True)

out = Console()

_Actor = Annotated[str, typer.Option(help="操作人的工号，记入审计日志")]
_Why = Annotated[str, typer.Option(help="为什么")]
_Qa = Annotated[list[str] | None, typer.Option(help="正确的问答编号，可以写多次；不写就是不该作答")]


def _ready() -> None:
    database.migrate()
    with database.write() as session:
        golden.start(session, get_settings())


@app.command("list")
def list_(
    text: Annotated[str, typer.Option(help="含这些字")] = "",
    stratum: Annotated[str, typer.Option(help=f"类别：{'、'.join(f'{k} {v}' for k, v in golden.STRATA.items())}")] = "",
    must: Annotated[bool, typer.Option("--must", help="只看必对的")] = False,
    retired: Annotated[bool, typer.Option("--retired", help="看停用的")] = False,
    waiting: Annotated[bool, typer.Option("--waiting", help="看等另一位确认的提议")] = False,
    limit: Annotated[int, typer.Option(min=1, max=500, help="最多看多少")] = 30,
) -> None:
    """列出题库里的题，必对的在前。"""
    _ready()
    with database.read() as session:
        if waiting:
            changes, total = golden.changes(session, state="waiting", limit=limit)
            table = Table("编号", "做什么", Column("题", ratio=1), "谁提的", "原因", "批次")
            for change in changes:
                cells = (
                    str(change.id),
                    golden.MOVES[change.move],
                    _said(change),
                    change.by,
                    change.why,
                    change.batch or "",
                )
                table.add_row(*map(Text, cells))
        else:
            wanted = Wanted(text=text, stratum=stratum or None, must=must or None, retired=retired)
            rows, total = golden.listed(session, wanted, 0, limit)
            table = Table("编号", Column("题", ratio=1), "正确的", "类别", "")
            for row in rows:
                right = row.act or "、".join(row.right) or "不该作答"
                stratum_name = golden.STRATA.get(row.stratum, row.stratum)
                table.add_row(*map(Text, (row.id, row.text, right, stratum_name, "必对" if row.must else "")))
    out.print(table)
    out.print(f"共 {total} 条。")


def _said(change: GoldenChange) -> str:
    content = change.after or change.before or {}
    right = content.get("act") or "、".join(content.get("right", ())) or "不该作答"
    return f"{content.get('text', '')}（{right}{'，必对' if content.get('must') else ''}）"


@app.command()
def add(
    text: Annotated[str, typer.Argument(help="问题")],
    actor: _Actor,
    qa: _Qa = None,
    must: Annotated[bool, typer.Option("--must", help="必对")] = False,
    stratum: Annotated[str, typer.Option(help="类别")] = "questions",
    region: Annotated[str | None, typer.Option(help="地区（行政区划代码）")] = None,
    note: Annotated[str, typer.Option(help="备注")] = "",
    why: _Why = "",
) -> None:
    """提一道新题，等另一位确认。"""
    _ready()
    content = Content(text, tuple(qa or ()), region=region, must=must, stratum=stratum, note=note)
    with database.write() as session:
        change = golden.propose_add(session, actor, content, get_settings(), why=why)
        out.print(f"提了，等另一位确认：yihaoda golden confirm {change.id} --actor 工号")


@app.command()
def propose(
    question: Annotated[str, typer.Argument(help="题的编号")],
    actor: _Actor,
    why: _Why,
    retire: Annotated[bool, typer.Option("--retire", help="停用")] = False,
    qa: _Qa = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="改成不该作答")] = False,
    must: Annotated[str, typer.Option(help="必对不必对：是、否；不写就不改")] = "",
    text: Annotated[str | None, typer.Option(help="问题改成")] = None,
    note: Annotated[str | None, typer.Option(help="备注改成")] = None,
) -> None:
    """提出改或停用一题，等另一位确认。"""
    _ready()
    with database.write() as session:
        if retire:
            change = golden.propose_retire(session, actor, question, why=why)
        else:
            said: dict[str, Any] = {"text": text, "must": {"是": True, "否": False}.get(must), "note": note}
            said["right"] = () if nobody else tuple(qa) if qa else None
            given = {name: value for name, value in said.items() if value is not None}
            content = Content(**vars(Content.of(golden.get(session, question))) | given)
            change = golden.propose_change(session, actor, question, content, get_settings(), why=why)
        out.print(f"提了，等另一位确认：yihaoda golden confirm {change.id} --actor 工号")


@app.command()
def confirm(
    proposals: Annotated[list[str], typer.Argument(help="提议的编号，或者一批导入的编号")],
    actor: _Actor,
    refuse: Annotated[bool, typer.Option("--refuse", help="不采用；自己的就是撤回")] = False,
    why: _Why = "",
) -> None:
    """确认别人的提议。"""
    _ready()
    for one in proposals:
        with database.write() as session:
            if one.isdecimal() and len(one) < 16:  # a batch's id has 32 digits
                change = (
                    golden.refuse(session, actor, int(one), why=why)
                    if refuse
                    else golden.confirm(session, actor, int(one), get_settings())
                )
                out.print(Text(f"{golden.DECIDED[change.state]}：{_said(change)}"))
            elif refuse:
                raise InvalidInput("整批只能确认；不采用的一条一条说明。")
            else:
                done, refused = golden.confirm_all(session, actor, one, get_settings())
                out.print(f"确认了 {done} 条。")
                for sentence in refused:
                    out.print(Text(f"没有确认：{sentence}"))


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="JSONL、CSV 或 XLSX", exists=True, dir_okay=False)],
    actor: _Actor,
    why: _Why = "",
) -> None:
    """导入：每一行提一道新题，不能收的说明为什么。"""
    _ready()
    with database.write() as session:
        came = golden.bring(session, actor, _rows(file), get_settings(), why=why)
    for line, reason in came.refused:
        out.print(Text(f"第 {line} 行没有收：{reason}"))
    out.print(f"提了 {came.proposed} 题。")
    if came.proposed:
        out.print(f"等另一位确认：yihaoda golden confirm {came.batch} --actor 工号")
    if came.refused:
        raise typer.Exit(1)


def _rows(file: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    if file.suffix.lower() == ".xlsx":
        from bot.golden.reading import table
        from index.knowledge_files import sheets  # loaded here: only this command reads a workbook

        with sheets.opened(file) as book:
            for sheet in book.sheets:
                yield from table((row.line, [_cell(cell) for cell in row.cells]) for row in sheet.rows)
        return
    raw = file.read_bytes()
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            yield from golden.rows_of(raw.decode(encoding))
        except UnicodeDecodeError:
            continue
        return
    raise InvalidInput(f"读不了 {file.name}：不是 UTF-8，也不是 GB18030。")


def _cell(value: Any) -> str:
    from index.knowledge_files import sheets

    if isinstance(value, sheets.Bad):
        raise InvalidInput(f"有一格读不出来：{value.reason}")
    return sheets.as_text(value) if value is not None else ""


@app.command()
def export(file: Annotated[Path, typer.Argument(help="写到哪个文件（JSONL）")]) -> None:
    """导出现在的题库。"""
    _ready()
    with database.read() as session:
        rows = list(golden.exported(session))
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    out.print(f"导出了 {len(rows)} 题：{file}")


def gate(
    bundle: Annotated[str, typer.Argument(help="发布包的名称")],
    actor: Annotated[str, typer.Option(help="操作人的工号，记入审计日志")] = "命令行",
) -> None:
    """让评测闸门评测一个发布包，说明结论和理由。"""
    from training import gate as judging  # loaded here: it fits and counts with scipy

    database.migrate()
    last = ""

    def say(doing: str, _done: int | None = None, _total: int | None = None) -> None:
        nonlocal last
        if doing != last:
            last = doing
            out.print(Text(f"· {doing}", style="dim"))

    told = judging.evaluate(get_settings(), bundle, say, by=actor)
    figures = told["figures"]
    table = Table("", "之前", "之后", "变化（95% 区间）")
    for name, title in (("right", "答对"), ("wrong", "答错"), ("surely_wrong", "说得肯定却答错"), ("acts", "听对意图")):
        one = figures[name]
        change = f"{one['delta']:+.2f}（{one['low']:+.2f} 到 {one['high']:+.2f}）"
        table.add_row(title, f"{one['before']:.1f}%", f"{one['after']:.1f}%", change if one["questions"] else "没有考")
    out.print(table)
    count = figures["totals"]["questions"]
    out.print(f"共 {count} 题；用这么多题能看出的最小变差是 {figures['power']:.2f} 个百分点。")
    for sentence in told["reasons"]:
        out.print(Text(f"· {sentence}", style="bold"))
    for sentence in told["notes"]:
        out.print(Text(f"· {sentence}"))
    who = {"one": "一个人就能发布", "two": "要两个人写明理由", "never": "不能发布"}[told["may"]]
    out.print(Text(f"结论：{judging.TITLES[told['verdict']]}，{who}。"))
    if told["verdict"] != "passed":
        raise typer.Exit(1)
