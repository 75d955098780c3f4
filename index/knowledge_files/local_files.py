"""Local figures from and to files: CSV and XLSX."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font

from bot.errors import InvalidInput
from index.knowledge_files import secrecy, sheets
from index.knowledge_files.office_files import refuse_unreadable, shown_name
from index.knowledge_files.rows import Bundle, decode_file
from index.knowledge_files.tables import QUOTED

_WIDTHS = (20, 30, 30, 10, 20, 30, 50, 12, 12, 24, 12, 10)


def read(path: Path) -> Iterator[tuple[int, list[str]]]:
    """A file's rows with their numbers: CSV (UTF-8, GB18030, UTF-16) or the first sheet of an XLSX.

    Raises:
        InvalidInput: there is no such file, its form is unknown, or it is not sound.
        Classified: the file bears a state-secret mark.
    """
    name = shown_name(path)
    secrecy.check_name(path, name)
    refuse_unreadable(path)
    if path.suffix.lower() == ".csv":
        bundle = Bundle()
        text = decode_file(path, bundle, ("utf-8", "gb18030"))
        if text is None:
            raise InvalidInput(str(bundle.problems[0]))
        yield from enumerate(csv.reader(io.StringIO(text)), 1)
    elif path.suffix.lower() == ".xlsx":
        with sheets.opened(path) as book:
            for row in book.sheets[0].rows if book.sheets else ():
                yield row.line, [sheets.as_text(cell) for cell in row.cells]
    else:
        raise InvalidInput(f"{name}：不支持的文件类型「{path.suffix}」，可用的有：.csv、.xlsx。")


def write(path: Path, table: Sequence[Sequence[str]]) -> None:
    """Write a table, by the suffix.  Raises: InvalidInput: another suffix."""
    if path.suffix.lower() == ".csv":
        with path.open("w", encoding="utf-8-sig", newline="") as file:  # with a BOM, or Excel takes it for GBK
            csv.writer(file).writerows([[quoted(cell) for cell in row] for row in table])
    elif path.suffix.lower() == ".xlsx":
        book = Workbook()
        sheet = book.active
        assert sheet is not None
        sheet.title = "本地标准"
        sheet.freeze_panes = "C2"
        for row in table:
            sheet.append([quoted(cell) for cell in row])
        for number, width in enumerate(_WIDTHS):
            sheet.column_dimensions[chr(ord("A") + number)].width = width
        for cell in sheet[1]:
            cell.font, cell.alignment = Font(bold=True), Alignment(vertical="top")
        book.save(path)
    else:
        raise InvalidInput(f"不支持导出为「{path.suffix}」，可用的有：.csv、.xlsx。")


def quoted(text: str) -> str:
    """A cell that Excel takes for no formula."""
    return f"'{text}" if text.startswith(tuple(QUOTED)) else text
