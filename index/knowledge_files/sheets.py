"""The sheets of an XLSX workbook as a person sees them: values of formulas, numbers in their format, merged cells for every
row they cover.  Rows are read one after the other, so that a full sheet takes no more memory than a small one.
"""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from html import unescape
from pathlib import Path
from typing import Any, NamedTuple

from openpyxl import load_workbook
from openpyxl.utils import range_boundaries
from openpyxl.worksheet._reader import FORMULA_TAG, WorkSheetParser

from bot.errors import InvalidInput
from index.knowledge_files.office_files import check_package, shown_name

warnings.filterwarnings("ignore", module="openpyxl")  # of extensions that it would not write back: we write nothing

LONGEST_NUMBER = 10**15
"""From here on Excel has lost digits: it keeps 15 (IEEE 754 double, "Excel specifications and limits")."""


class Bad(NamedTuple):
    """A cell whose value can't be told."""

    reason: str


class Row(NamedTuple):
    """A row of a table."""

    line: int
    """From 1, as Excel counts"""
    cells: list[Any]
    filled: frozenset[int] = frozenset()
    """Columns, from 0, whose value stands above, in a cell merged over this row"""
    across: frozenset[int] = frozenset()
    """Columns, from 0, that are empty because a cell to their left is merged over them"""


@dataclass
class Sheet:
    """One sheet; ``rows`` can be read once."""

    title: str
    rows: Iterator[Row]
    furniture: list[str] = field(default_factory=list)
    """Page header and footer"""
    hidden: list[int] = field(default_factory=list)
    """Numbers of the hidden rows, which ``rows`` leaves out, as they are come by"""


@dataclass
class Book:
    """A workbook while it is open."""

    sheets: list[Sheet]
    hidden: list[str]
    """Titles of hidden sheets, which aren't read"""
    furniture: list[str]
    """Words of text boxes, which belong to no cell"""


@contextmanager
def opened(path: Path) -> Iterator[Book]:
    """Open a workbook.

    Raises:
        InvalidInput: it is no sound workbook, or encrypted.
    """
    check_package(path)
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # whatever a broken part makes of openpyxl: it says nothing that a person could use
        raise InvalidInput(
            f"{shown_name(path)}：打不开，不是完好的 .xlsx 文件。请在 Excel 里打开后重新保存。"
        ) from error
    try:
        visible = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
        yield Book(
            sheets=[_sheet(sheet) for sheet in visible],
            hidden=[sheet.title for sheet in book.worksheets if sheet.sheet_state != "visible"],
            furniture=_drawn(path),
        )
    finally:
        book.close()


def _sheet(sheet: Any) -> Sheet:
    if not hasattr(sheet, "_worksheet_path"):  # an empty sheet of a workbook without one
        return Sheet(sheet.title, iter(()))
    merges, spans, furniture = _end(sheet)
    found = Sheet(sheet.title, iter(()), furniture)
    found.rows = _rows(sheet, merges, spans, found.hidden)
    return found


_WIDEST = 200
"""So many columns of a merged cell are looked at: it stands in a header, and no table is wider"""


def _end(sheet: Any) -> tuple[dict[int, list[tuple[int, int]]], dict[int, list[range]], list[str]]:
    """What stands behind the cells in a sheet's XML: vertical merges by first row as (column, last row); by row the columns
    that a merge to their left covers; header and footer."""
    tail = b""
    with sheet.parent._archive.open(sheet._worksheet_path) as stream:
        found = False
        while block := stream.read(1 << 20):
            if found:
                tail += block
                continue
            tail = tail[-64:] + block
            if match := re.search(rb"</(?:\w+:)?sheetData\s*>", tail):
                tail, found = tail[match.end() :], True
    merges: dict[int, list[tuple[int, int]]] = {}
    spans: dict[int, list[range]] = {}
    if found:
        for ref in re.findall(rb"<(?:\w+:)?mergeCell\s[^>]*ref=\"([A-Z]+\d+:[A-Z]+\d+)\"", tail):
            column, first, end, last = range_boundaries(ref.decode())
            if column and first and last and last > first:
                merges.setdefault(first, []).append((column - 1, last))
            if column and first and end and end > column:
                spans.setdefault(first, []).append(range(column, min(end, column + _WIDEST)))
    words = re.findall(rb"<(?:\w+:)?(?:odd|even|first)(?:Header|Footer)>([^<]*)<", tail if found else b"")
    plain = [unescape(one.decode("utf-8", "replace")) for one in words]
    parts = [re.sub(r'&(?:"[^"]*"|[LCRPNDTFAGBIUSEXYOH+]|\d{1,3}|K[0-9A-F]{6})', "\n", one) for one in plain]
    return merges, spans, [line for one in parts for line in one.split("\n") if line.strip()]


def _drawn(path: Path) -> list[str]:
    """The words in text boxes and shapes."""
    words: list[str] = []
    with zipfile.ZipFile(path) as package:
        for name in package.namelist():
            if re.fullmatch(r"xl/drawings/[^/]+\.xml", name):
                for paragraph in re.findall(
                    r"<a:p[ >].*?</a:p>", package.read(name).decode("utf-8", "replace"), re.DOTALL
                ):
                    words.append(unescape("".join(re.findall(r"<a:t[^>]*>([^<]*)</a:t>", paragraph))))
    return [line for line in words if line.strip()]


class _Parser(WorkSheetParser):
    """openpyxl's reader of a sheet, which also says of a cell without value whether a formula is in it."""

    def parse_cell(self, element: Any) -> dict[str, Any]:
        cell: dict[str, Any] = super().parse_cell(element)
        # A formula that came to nothing has the type of text; one that nothing has reckoned yet has none.
        cell["unreckoned"] = (
            cell["value"] is None and element.get("t") != "str" and element.find(FORMULA_TAG) is not None
        )
        return cell


def _rows(
    sheet: Any, merges: dict[int, list[tuple[int, int]]], spans: dict[int, list[range]], hidden: list[int]
) -> Iterator[Row]:
    book = sheet.parent
    formats = _Formats(book)
    held: dict[int, tuple[int, Any]] = {}
    """By column: until which row a merged cell's value holds, and the value"""
    with book._archive.open(sheet._worksheet_path) as stream:
        parser = _Parser(
            stream,
            sheet._shared_strings,
            data_only=True,
            epoch=book.epoch,
            date_formats=book._date_formats,
            timedelta_formats=book._timedelta_formats,
        )
        for number, parsed in parser.parse():
            values = {
                cell["column"] - 1: value for cell in parsed if (value := _value(cell, formats)) not in (None, "")
            }
            filled = []
            for column, (until, value) in list(held.items()):
                if number > until:
                    del held[column]
                elif column not in values:
                    values[column] = value
                    filled.append(column)
            for column, until in merges.pop(number, ()):
                if column in values:
                    held[column] = until, values[column]
            about = parser.row_dimensions.pop(str(number), {})
            if about.get("hidden") in ("1", "true") and values:
                hidden.append(number)
                continue
            cells = [values.get(column) for column in range(max(values, default=-1) + 1)]
            across = frozenset(column for span in spans.pop(number, ()) for column in span)
            yield Row(number, cells, frozenset(filled), across)


def _value(cell: dict[str, Any], formats: _Formats) -> Any:
    value = cell["value"]
    if cell["unreckoned"]:
        return Bad("是公式，文件里没有算好的结果。请在 Excel 里打开并保存一次，或者把公式改成值")
    if cell["data_type"] == "e":
        return Bad(f"是 Excel 的错误值 {value}，请改正后再导入")
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)):
        if abs(value) >= LONGEST_NUMBER:
            return Bad(
                f"是一个 {len(str(int(abs(value))))} 位的数字，Excel 只保留前 15 位。请把单元格设为文本，重新填写"
            )
        return formats.shown(value, cell["style_id"])
    if isinstance(value, str):
        # Excel's own escapes of control characters (ECMA-376, ST_Xstring), which openpyxl leaves in.
        value = re.sub(r"_x000[Dd]_\n?|_x000[Aa]_", "\n", value)
        return re.sub(r"_x00[01][0-9A-Fa-f]_", "", value.replace("_x0009_", "\t"))
    return value


class _Formats:
    """Number formats: what a number looks like (ECMA-376, 18.8.31), as far as it changes what it says."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._known: dict[int, _Format | None] = {}

    def shown(self, value: float, style: int) -> Any:
        """The number itself where the format adds nothing; else its text."""
        if style not in self._known:
            self._known[style] = _format(self._code(style))
        form = self._known[style]
        return value if form is None else form.of(value)

    def _code(self, style: int) -> str:
        from openpyxl.styles.numbers import BUILTIN_FORMATS, BUILTIN_FORMATS_MAX_SIZE

        id_ = self._book._cell_styles[style].numFmtId
        if id_ < BUILTIN_FORMATS_MAX_SIZE:
            return str(BUILTIN_FORMATS.get(id_, "General"))
        return str(self._book._number_formats[id_ - BUILTIN_FORMATS_MAX_SIZE])


class _Format(NamedTuple):
    before: str
    digits: int
    """At least so many before the point"""
    decimals: int | None
    """Exactly so many after it; None: as many as the number has"""
    thousands: bool
    percent: bool
    after: str

    def of(self, value: float) -> str:
        amount = Decimal(format(abs(value), ".15g")) * (100 if self.percent else 1)
        if self.decimals is not None:
            amount = round(amount, self.decimals)
        whole, _, rest = f"{amount:f}".partition(".")
        rest = rest.rstrip("0") if self.decimals is None else rest
        whole = whole.zfill(self.digits)
        whole = re.sub(r"(?<=\d)(?=(?:\d{3})+$)", ",", whole) if self.thousands else whole
        number = f"{whole}.{rest}" if rest else whole
        return f"{'-' if value < 0 and amount else ''}{self.before}{number}{'%' if self.percent else ''}{self.after}"


def _format(code: str) -> _Format | None:
    """What a format code adds to a number; None where that is nothing, or isn't understood."""
    section = _literals(code)
    match = re.fullmatch(r"([^#0?%]*?)(General|G/通用格式|[#0?,]+)(\.[#0?]+)?(%?)([^#0?%]*)", section, re.IGNORECASE)
    if match is None:
        return None
    before, pattern, decimals, percent, after = match.groups()
    general = pattern[0] in "Gg"
    if general and not (before or after):
        return None
    exact = None if general else decimals.count("0") if decimals and "#" not in decimals else None if decimals else 0
    digits = 1 if general else max(1, pattern.count("0"))
    return _Format(_said(before), digits, exact, "," in pattern.rstrip(","), bool(percent), _said(after))


def _literals(code: str) -> str:
    """The section for positive numbers, with what stands in quotes or behind a backslash made safe from the pattern."""
    out, rest = "", code
    while rest:
        if match := re.match(r'"([^"]*)"|\\(.)|\[\$([^\]-]*)[^\]]*\]', rest):
            literal = match[1] or match[2] or match[3] or ""
            out += "".join(chr(0xE000 + ord(char)) if ord(char) < 0x80 else char for char in literal)
        elif match := re.match(r"\[[^\]]*\]|_.|\*.", rest):
            pass
        elif rest[0] == ";":
            break
        else:
            match = re.match(".", rest, re.DOTALL)
            out += rest[0]
        assert match is not None
        rest = rest[match.end() :]
    return out


def _said(text: str) -> str:
    return "".join(chr(ord(char) - 0xE000) if 0xE000 <= ord(char) < 0xE080 else char for char in text).strip()


def as_text(value: Any) -> str:
    """A spreadsheet's or JSON's value as the text that a person sees there."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, float):
        return f"{Decimal(format(value, '.15g')):f}" if value == value and abs(value) != float("inf") else str(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return value.isoformat("minutes" if not value.second else "seconds")
    if isinstance(value, timedelta):
        minutes = round(value.total_seconds() / 60)
        return f"{minutes // 60}:{minutes % 60:02}"
    if isinstance(value, list):
        return "\n".join(as_text(item) for item in value)
    return str(value)
