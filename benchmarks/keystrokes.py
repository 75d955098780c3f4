"""Keys to a finished ticket: with what the desk filled in from the call, and typed by hand.

``python -m benchmarks.keystrokes`` takes the calls of ``tests/data/calls`` that end in a ticket.  Text is typed as with a full-pinyin input method: the letters of each
character and a key that takes each word; a digit is one key.  By hand every field of the ticket is typed, with a key to go on to the next.  At the desk a field that
was filled in right costs nothing, a wrong or empty one the keys to get there, to clear it and to type it, and one that should be empty the keys to clear it.  A short
field (name, phone, place, time) is right where it says what the label says.  What happened stands there in the caller's words: once it is counted as taken, once as
written anew.  Category and department are chosen by four keys each, unless they were filled in; whether rightly is not known here.
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import jieba
from pypinyin import lazy_pinyin

from benchmarks import stack
from bot.settings import ROOT
from index.assist import categories
from index.assist.fields import Field, Fields, Suggest, fields
from index.assist.lines import Line
from index.encoder import load_encoder

CALLS = ROOT / "tests" / "data" / "calls"
ORDER = ("what", "wants", "name", "phone", "region", "address", "time", "kind")
"""Labelled fields, in the order of the page"""
OURS = {"what": "matter", "wants": "wanted", "name": "caller_name", "time": "told_time"}
CHOICE, CLEAR, SUBMIT, START = 4, 1, 1, 1
"""Keys: a choice from a list; select what stands there; register; go to the first field"""


@dataclass(frozen=True)
class Keys:
    """Of one ticket."""

    by_hand: int
    desk: int
    anew: int
    """At the desk, with what happened and what is wanted written anew"""


def typed(text: str) -> int:
    """Keys of a text."""
    return sum(
        len(word) if word.isascii() else sum(map(len, lazy_pinyin(word))) + 1
        for word in jieba.cut(text)
        if word.strip()
    )


def right(name: str, found: Field, label: str) -> bool:
    """Whether a filled-in field says what the label says."""
    value = (found.value or "").replace("-", "")
    if name in ("phone", "kind"):
        return value == label
    if name in ("what", "wants"):
        return bool(value)
    shared = len(set(value) & set(label)) / len(set(label))
    return value == label or (bool(value) and (value in label or label in value or shared >= 0.8))


def of_call(ticket: dict[str, Any], found: Fields) -> Keys:
    """Keys of one ticket both ways."""
    by_hand = START + SUBMIT + 2 * (CHOICE + 1)
    desk = SUBMIT
    summary = 0
    for place, name in enumerate(ORDER):
        label, value = ticket.get(name) or "", getattr(found, OURS.get(name, name))
        keys = CHOICE if name == "kind" else typed(label)
        by_hand += keys + 1
        there = START + place + CLEAR
        if not label:
            desk += there + 1 if value.value else 0
        elif not right(name, value, label):
            desk += there + keys
        if name in ("what", "wants") and label and right(name, value, label):
            summary += there + keys
    for place, one in enumerate((found.category, found.department), len(ORDER)):
        desk += 0 if one.sure else START + place + CHOICE
    return Keys(by_hand, desk, desk + summary)


def counted(path: Path, suggest: Suggest) -> list[Keys]:
    """Of every call that ends in a ticket."""
    found = []
    for raw in path.read_text(encoding="utf-8").split("\n"):
        if raw.strip() and (row := json.loads(raw))["ticket"]:
            lines = [Line(seq, one["s"], one["t"]) for seq, one in enumerate(row["lines"], 1)]
            found.append(of_call(row["ticket"], fields(lines, today=date(2026, 11, 27), suggest=suggest)))
    return found


def main() -> None:
    """Print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.keystrokes", description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there as well")
    given = parser.parse_args()
    encoder = load_encoder(None)
    report: dict[str, Any] = {}
    for name in ("development", "final"):
        keys = counted(CALLS / f"{name}.jsonl", lambda text: categories.suggest(text, encoder))
        medians = {part: statistics.median(getattr(one, part) for one in keys) for part in ("by_hand", "desk", "anew")}
        report[name] = {"tickets": len(keys), **medians}
        print(
            f"{name}: {len(keys)} tickets, keys in the median: by hand {medians['by_hand']:.0f}, at the desk {medians['desk']:.0f}, "
            f"with what happened written anew {medians['anew']:.0f}"
        )
    if given.json:
        stack.write_json(given.json, report)


if __name__ == "__main__":
    main()
