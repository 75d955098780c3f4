"""Local figures as a table that a department fills in: rows of texts, whatever file they come from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy.orm import Session

from bot import regions
from bot.accounts.roles import APPROVER, EDITOR
from bot.errors import InvalidInput, YihaodaError
from bot.local import figures
from bot.local.figures import Content, Line
from bot.local.slots import KINDS, checked, slots
from bot.models.local import LocalFigure
from bot.settings import Settings

COLUMNS = (
    "编号",
    "名称",
    "怎么写",
    "地区代码",
    "地区",
    "值",
    "依据",
    "起始日期",
    "截止日期",
    "责任单位",
    "现状",
    "近30天答到",
)
"""What export writes; of these, import reads 编号, 地区代码, 值, 依据, 起始日期, 截止日期 and 责任单位"""
_NEEDED = ("编号", "值", "依据")
MOST_ROWS = 2000
_HEADER_ROWS = 10
_DAY = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[ T][\d:.]*)?")


@dataclass
class Report:
    """What an import did, or would do: names of figures, and what is wrong with which row."""

    proposed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    empty: int = 0
    """Rows without a value"""
    problems: list[tuple[int, str]] = field(default_factory=list)
    """Row, from 1 for the first of the file, and reason"""


def rows(lines: Iterable[Line]) -> list[list[str]]:
    """The table: its header, and a row for each figure, with the working copy's value where there is one."""
    table = [list(COLUMNS)]
    for line in lines:
        shown = line.copy or line.live
        table.append(
            [
                line.slot.key,
                line.slot.label,
                f"{KINDS[line.slot.kind]}：{line.slot.form}",
                line.region,
                regions.full_name(line.region),
                shown.value if shown else "",
                shown.source if shown else "",
                _written(shown.valid_from if shown else None),
                _written(shown.valid_to if shown else None),
                (shown.department if shown else None) or line.slot.department or "",
                standing(line),
                str(line.asked),
            ]
        )
    return table


def standing(line: Line) -> str:
    """How a figure stands, in words."""
    if line.copy is not None:
        return figures.STATUS_NAMES[line.copy.status]
    if line.live is not None:
        return "快到期" if line.soon else "在用"
    if line.ended is not None:
        return "已停用" if line.ended.status == figures.WITHDRAWN else "已过期"
    return "还没填"


def take(
    session: Session, by: str, table: Iterable[tuple[int, Sequence[str]]], settings: Settings, *, dry_run: bool = False
) -> Report:
    """Propose what a filled-in table says; what is right is taken, what is wrong is named.  Nothing of it is approved.

    Args:
        table: the file's rows with their numbers; the header is one of the first ones.

    Raises:
        InvalidInput: there is no header, or there are too many rows.
        Forbidden: who is no editor or approver.
    """
    figures.must_be(session, by, EDITOR, APPROVER)
    report = Report()
    columns: dict[str, int] | None = None
    seen = 0
    for number, cells in table:
        texts = [cell.strip().removeprefix("'") for cell in cells]
        if columns is None:
            if set(_NEEDED) <= set(texts):
                columns = {name: texts.index(name) for name in COLUMNS if name in texts}
            elif seen >= _HEADER_ROWS:
                break
            seen += 1
            continue
        if not any(texts):
            continue
        if (seen := seen + 1) > MOST_ROWS:
            raise InvalidInput(f"表格最多 {MOST_ROWS} 行。")
        given = {name: texts[index] if index < len(texts) else "" for name, index in columns.items()}
        if not given["值"]:
            report.empty += 1
            continue
        _take_row(session, by, number, given, settings, report, dry_run=dry_run)
    if columns is None:
        raise InvalidInput(f"没有找到表头，至少要有这几列：{'、'.join(_NEEDED)}。请先导出，再在导出的表格里填。")
    return report


def _take_row(
    session: Session, by: str, number: int, given: dict[str, str], settings: Settings, report: Report, *, dry_run: bool
) -> None:
    key, region = given["编号"], given.get("地区代码") or settings.region
    try:
        slot = slots(settings).get(key)
        written = Content(
            value=checked(slot, given["值"]),
            source=given["依据"],
            valid_from=day(given.get("起始日期", ""), "起始日期"),
            valid_to=day(given.get("截止日期", ""), "截止日期"),
            department=given.get("责任单位") or None,
        )
        copy = figures.working_copy(session, key, region)
        live = next((row for row in figures.history(session, key, region) if row.status == figures.APPROVED), None)
        name = f"{slot.label}（{region}）"
        if any(row is not None and _same(row, written, slot.department) for row in (copy, live)):
            report.unchanged.append(name)
            return
        if copy is not None and copy.authors != [by]:
            raise InvalidInput(f"{slot.label}有别人写的、还没审核的内容（{copy.value}），请先审核或放弃它。")
        # Tried and taken back: a dry run finds what the import will find.
        with session.begin_nested() as attempt:
            figures.propose(
                session, by, key, region, written, revision=copy.revision if copy else None, settings=settings
            )
            if dry_run:
                attempt.rollback()
        report.proposed.append(name)
    except YihaodaError as error:
        report.problems.append((number, str(error)))


def _same(row: LocalFigure, written: Content, department: str | None) -> bool:
    names = ("value", "source", "valid_from", "valid_to")
    if any(getattr(row, name) != getattr(written, name) for name in names):
        return False
    return (row.department or department) == (written.department or department)


def day(text: str, name: str = "日期") -> date | None:
    """A day as people write it; None: nothing.  Raises: InvalidInput."""
    said = text.strip()
    if said in ("", "长期", "—", "-"):
        return None
    match = _DAY.fullmatch(said)
    try:
        if match is None:
            raise ValueError
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        raise InvalidInput(f"{name}「{said[:20]}」看不懂，请写成 2026-01-31。") from None


def _written(value: date | None) -> str:
    return value.isoformat() if value else ""
