"""Questions for the golden set from what somebody wrote: JSON lines or CSV; a sheet's rows come as lists."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bot.errors import InvalidInput
from bot.golden.questions import STRATA, Content

COLUMNS = {
    "q": ("q", "问题", "题目", "问法"),
    "qa": ("qa", "正确的问答", "答案编号", "问答编号"),
    "act": ("act", "意图"),
    "region": ("region", "地区", "区划"),
    "must": ("must", "必对"),
    "stratum": ("stratum", "类别", "register"),
    "note": ("note", "备注"),
}
"""Field → what its column may be called"""
_YES = frozenset({"是", "必对", "true", "yes", "y", "1", "√", "对"})
_NOBODY = frozenset({"无", "不该作答", "没有", "-", "none"})


def rows_of(text: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """(Line, what stands there), of JSON lines or of CSV with a header; a line that is none gives why.

    Raises:
        InvalidInput: a CSV without a column of questions, or of answers.
    """
    text = text.removeprefix("\ufeff")
    if text.lstrip().startswith("{"):
        yield from _json_lines(text)
    else:
        yield from table(enumerate(csv.reader(io.StringIO(text, newline="")), start=1))


def _json_lines(text: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError:
                yield number, "不是一行 JSON。"
            else:
                yield number, row if isinstance(row, dict) else "不是一行 JSON。"


def table(rows: Iterable[tuple[int, Sequence[Any]]]) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """As ``rows_of``, of a table's rows with their numbers, the header first."""
    fields: list[str | None] | None = None
    for number, cells in rows:
        said = ["" if cell is None else str(cell).strip() for cell in cells]
        if not any(said):
            continue
        if fields is None:
            fields = [next((name for name, names in COLUMNS.items() if cell.lower() in names), None) for cell in said]
            if "q" not in fields or not {"qa", "act"} & set(fields):
                raise InvalidInput("表头要有“问题”，和“正确的问答”或“意图”。不该作答的，“正确的问答”里写“无”。")
            continue
        yield number, {name: cell for name, cell in zip(fields, said, strict=False) if name}


def content_of(row: Mapping[str, Any]) -> Content:
    """What a row says.  Raises: InvalidInput: it says what can't be."""
    text = row.get("q")
    if not isinstance(text, str) or not text.strip():
        raise InvalidInput("没有写问题。")
    act = str(row.get("act") or "").strip() or None
    right = () if act else _right(row.get("qa"))
    stratum = str(row.get("stratum") or row.get("register") or "").strip()
    stratum = "act" if act else next((key for key, name in STRATA.items() if stratum in (key, name)), "questions")
    must = row.get("must")
    return Content(
        text=" ".join(text.split()),
        right=right,
        act=act,
        region=str(row.get("region") or "").strip() or None,
        must=must if isinstance(must, bool) else str(must or "").strip().lower() in _YES,
        stratum=stratum,
        note=str(row.get("note") or "").strip(),
    )


def _right(value: Any) -> tuple[str, ...]:
    if value is None or value == "":
        raise InvalidInput("没有写哪条问答算答对；不该作答的，写“无”或者空的列表。")
    if isinstance(value, str):
        named = [one for one in value.replace("，", " ").replace("、", " ").replace(",", " ").split() if one]
        value = [] if [one.lower() for one in named] and all(one.lower() in _NOBODY for one in named) else named
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise InvalidInput("“正确的问答”要写问答的编号，几条的用顿号分开。")
    return tuple(dict.fromkeys(value))
