"""What the columns of a table may mean, proposed to the person who says it: by how alike the names are, and by what stands in them."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from statistics import mean
from typing import Any

from index.knowledge_files.rows import KIND_NAMES, Column, Head, Kind
from index.knowledge_files.tables import names_of, offered

ALIKE = 0.5
"""From which likeness on two names are proposed as one"""
_ASKS = re.compile(r"[？?]$|吗|怎么|如何|什么|哪|多少|多久|能不能|可以不可以")


def propose(head: Head) -> tuple[Kind, list[str]]:
    """The kind of rows, and a field (or none: "") for each column, each field once."""
    best: tuple[float, Kind, list[str]] | None = None
    for kind in ("qa", "guide", "document"):
        fields, sure = _proposed(kind, head.columns)
        required = [one["field"] for one in offered(kind) if one["required"]]
        score = sure + 2 * sum(field in fields for field in required) / len(required)
        if best is None or score > best[0]:
            best = score, kind, fields
    assert best is not None
    return best[1], best[2]


def _proposed(kind: Kind, columns: list[Column]) -> tuple[list[str], float]:
    """The fields, and how like the names are on the whole."""
    names = names_of(kind)
    pairs = sorted(
        (
            (max((_likeness(column.plain, name), field) for name, field in names.items()), place)
            for place, column in enumerate(columns)
            if column.plain
        ),
        reverse=True,
    )
    found = [""] * len(columns)
    shown = {one["field"] for one in offered(kind)}
    likeness = 0.0
    for (share, field), place in pairs:
        if share >= ALIKE and field in shown and field not in found:
            found[place] = field
            likeness += share
    if kind == "qa":
        _by_content(columns, found)
    return found, likeness / max(1, len(columns))


def _likeness(one: str, other: str) -> float:
    if one == other:
        return 1.0
    share = SequenceMatcher(None, one, other, autojunk=False).ratio()
    return max(share, 0.75) if len(other) > 1 and one.endswith(other) else share


def _by_content(columns: list[Column], found: list[str]) -> None:
    """The column that asks is the question; that with the longest words is the answer."""
    free = [place for place, field in enumerate(found) if not field and any(columns[place].samples)]
    if "question" not in found:
        asking = [place for place in free if mean(bool(_ASKS.search(one)) for one in columns[place].samples) > 0.5]
        if asking:
            found[asking[0]] = "question"
            free.remove(asking[0])
    if "answer" not in found and free:
        longest = max(free, key=lambda place: mean(len(one) for one in columns[place].samples))
        if mean(len(one) for one in columns[longest].samples) >= 12:
            found[longest] = "answer"


def described(head: Head) -> dict[str, Any]:
    """A table for the console: its columns with samples, what each is for, and what it may be for."""
    kind, fields = (head.kind, [column.means or "" for column in head.columns]) if head.kind else propose(head)
    return {
        "headers": head.headers,
        "file": head.file,
        "line": head.line,
        "known": head.kind is not None,
        "remembered": head.remembered,
        "kind": kind,
        "columns": [
            {"header": column.header, "plain": column.plain, "field": field, "samples": column.samples}
            for column, field in zip(head.columns, fields, strict=True)
        ],
        "offered": {name: offered(name) for name in KIND_NAMES},
    }
