"""``yihaoda categories``: the tree of categories with its departments, and a city's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from bot import database
from bot.tickets import categories

app = typer.Typer(help="诉求事项分类和承办单位目录。", no_args_is_help=True)

out = Console()


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="YAML 文件，格式与 bot/data/categories.yaml 相同")],
    check: Annotated[bool, typer.Option("--check", help="只检查，不导入")] = False,
    actor: Annotated[str, typer.Option(help="操作人，记入审计日志")] = "命令行",
) -> None:
    """导入本市的分类目录，马上启用；旧工单按它登记时的目录显示。"""
    database.migrate()
    found = categories.read(file)
    told = f"{found.title}（{found.id}）：{len(found.categories)} 个一级分类，{len(found.second)} 个二级分类，{len(found.departments)} 个承办单位"
    if check:
        out.print(Text(f"没有发现问题。{told}。"))
        return
    with database.write() as session:
        new = categories.import_(session, found, actor)
    out.print(Text(f"{'已导入并启用' if new else '以前导入过，重新启用'}：{told}。"))
    silent = sum(not one.same_as for _, one in found.second.values()) if found.id != categories.bundled().id else 0
    if silent:
        out.print(Text(f"有 {silent} 个二级分类没有写 same_as，机器不会推荐它们，只能手工选。"))


@app.command()
def show() -> None:
    """列出现在用的分类目录。"""
    database.migrate()
    with database.read() as session:
        tree = categories.current(session)
    out.print(Text(f"{tree.title}（{tree.id}）"))
    for top in tree.categories:
        out.print(Text(f"{top.code} {top.name}", style="bold"))
        for one in top.second:
            out.print(Text(f"  {one.code} {one.name} → {tree.lead(one.code).name}：{one.covers}"))
