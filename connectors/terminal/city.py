"""``yihaoda city``: a new city's settings, and what is still to be done before it goes live."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from bot import database, departments, going_live, regions
from bot.errors import InvalidInput, NotFound
from bot.seal import seal
from bot.settings import ROOT, Settings, get_settings

app = typer.Typer(help="新的城市：设置、上线前的检查。", no_args_is_help=True)

out = Console()

_MARKS = {"done": "[green]✓[/]", "todo": "[red]✗[/]", "optional": "[dim]○[/]"}


@app.command()
def new(
    code: Annotated[str, typer.Option(help="6 位行政区划代码，或者城市的名称，如 430100、长沙市")] = "",
    name: Annotated[str, typer.Option(help="城市名称，用在问候语里，如 长沙")] = "",
    phone: Annotated[str, typer.Option(help="市民要找人时拨的电话；外地也要拨得通的，写上区号")] = "",
    seal_file: Annotated[
        str, typer.Option("--seal", help="城市标志的图片（PNG、JPEG、SVG，不超过 100 KB），可以没有")
    ] = "",
    departments_file: Annotated[str, typer.Option("--departments", help="承办单位名单，每行一个，可以以后再给")] = "",
    public_url: Annotated[str, typer.Option(help="公网地址，https 开头，可以以后再给")] = "",
    to: Annotated[Path, typer.Option(help="写进哪个设置文件")] = ROOT / ".env",
    yes: Annotated[bool, typer.Option("--yes", help="不问，没写的用默认的")] = False,
) -> None:
    """一步步填好一个新城市的设置，检查无误后写进设置文件；其余的设置照旧。"""
    region = _region(code or _asked("行政区划代码或城市名称（如 430100、长沙市）", yes=yes))
    full = regions.full_name(region)
    name = name or _asked("城市名称", re.sub(r"市$", "", regions.get(region).name), yes=yes)
    phone = phone or _asked("热线电话", "12345", yes=yes)
    seal_file = seal_file or _asked("城市标志的图片（没有就回车）", "", yes=yes)
    departments_file = departments_file or _asked("承办单位名单的文件（没有就回车）", "", yes=yes)
    public_url = public_url or _asked("公网地址 https://…（还没有就回车）", "", yes=yes)
    values = {
        "YIHAODA_REGION": region,
        "YIHAODA_CITY": name.strip(),
        "YIHAODA_PHONE": phone.strip(),
        "YIHAODA_SEAL_FILE": _seal(seal_file),
        "YIHAODA_DEPARTMENTS_FILE": _departments(departments_file),
        "YIHAODA_PUBLIC_URL": _https(public_url),
    }
    written = {key: value for key, value in values.items() if value}
    _check(written, to)
    _write(to, written)
    out.print(Text(f"已写进 {to}：{full}（{region}）"), soft_wrap=True)
    for key, value in written.items():
        out.print(Text(f"  {key}={value}"), soft_wrap=True)
    out.print(
        "重启后生效（make run）。接下来要做什么：./yihaoda city check，或者工作台的“上线准备”页。", soft_wrap=True
    )


@app.command()
def check() -> None:
    """上线前的检查：每一项现在怎样、接下来做什么。还有要做的，退出码为 1。"""
    database.migrate()
    with database.read() as session:
        lines = going_live.checklist(session, get_settings())
    for line in lines:
        out.print(f"{_MARKS[line.state]} [bold]{line.title}[/]", Text(f"：{line.found}"), sep="", soft_wrap=True)
        if line.next:
            out.print(Text(f"   {line.next}", style="dim"), soft_wrap=True)
    left = sum(line.state == "todo" for line in lines)
    out.print("\n可以上线了。" if not left else f"\n还有 {left} 项要做，做完才能上线。")
    if left:
        raise typer.Exit(1)


def _asked(what: str, default: str | None = None, *, yes: bool) -> str:
    if yes:
        if default is None:
            raise InvalidInput("请用 --code 写明行政区划代码或城市名称。")
        return default
    answer: str = typer.prompt(what, default=default, show_default=bool(default))
    return answer


def _region(said: str) -> str:
    """The code of a region that is told by code or name.  Raises: InvalidInput: none, several, or the whole nation."""
    said = said.strip()
    if re.fullmatch(r"\d{6}", said):
        try:
            found = [regions.get(said)]
        except NotFound as error:
            raise InvalidInput(str(error)) from error
    else:
        found = regions.find(said)
    if not found:
        raise InvalidInput(f"没有找到「{said[:20]}」，请写 6 位行政区划代码。")
    if len(found) > 1:
        names = "、".join(f"{regions.full_name(one.code)}（{one.code}）" for one in found[:8])
        raise InvalidInput(f"「{said[:20]}」有几个：{names}。请写代码。")
    if found[0].code == regions.NATION:
        raise InvalidInput("请写一个城市或省份，不能是全国。")
    return found[0].code


def _seal(said: str) -> str:
    said = said.strip()
    if said and seal(said) is None:
        raise InvalidInput(f"{said} 不是能用的图片：要有这个文件，是 PNG、JPEG 或 SVG，不超过 100 KB。")
    return str(Path(said).resolve()) if said else ""


def _departments(said: str) -> str:
    said = said.strip()
    if not said:
        return ""
    if not Path(said).is_file():
        raise InvalidInput(f"找不到承办单位名单 {said}。")
    departments.read(Path(said))
    return str(Path(said).resolve())


def _https(said: str) -> str:
    said = said.strip().rstrip("/")
    if said and not re.fullmatch(r"https://[\w.-]+(?::\d+)?(?:/[\w./-]*)?", said, re.ASCII):
        raise InvalidInput("公网地址要以 https:// 开头。")
    return said


def _check(values: Mapping[str, str], to: Path) -> None:
    """Whether the settings are sound with these values, beside what the file has already.  Raises: InvalidInput."""
    wrong = [key for key, value in values.items() if not value.isprintable() or '"' in value or "\\" in value]
    if wrong:
        raise InvalidInput(f"{'、'.join(wrong)} 里有不能用的字符。")
    given = {key.removeprefix("YIHAODA_").lower(): value for key, value in values.items()}
    try:
        Settings(_env_file=to if to.exists() else None, **given)  # type: ignore[arg-type,call-arg]
    except ValidationError as error:
        said = "；".join(f"{'.'.join(map(str, one['loc']))}：{one['msg']}" for one in error.errors())
        raise InvalidInput(f"设置不对：{said}") from error


def _write(to: Path, values: Mapping[str, str]) -> None:
    """Set the values in a file of settings, each in the place that it had; what else is there stays.  Only we may read it."""
    lines = to.read_text(encoding="utf-8").splitlines() if to.exists() else []
    left = dict(values)
    kept = []
    for line in lines:
        key = line.partition("=")[0].strip().removeprefix("export ").upper()
        if key in values:
            if key in left:
                kept.append(f'{key}="{left.pop(key)}"')
            continue
        kept.append(line)
    kept += [f'{key}="{value}"' for key, value in left.items()]
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=to.parent, prefix=".env.", delete=False) as part:
        part.write("\n".join(kept) + "\n")
    Path(part.name).replace(to)  # its mode is 0600
