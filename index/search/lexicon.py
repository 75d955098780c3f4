"""Citizens' words and the official ones: 老板跑路了 is 拖欠工资, 上户口 is 出生登记.  The pairs lie in ``lexicon.csv``, for anyone to edit."""

from __future__ import annotations

import csv
import re
from functools import lru_cache
from pathlib import Path

from bot.errors import InvalidInput

FILE = Path(__file__).with_name("lexicon.csv")

COLUMNS = ("说法", "规范说法")


def read_lexicon(path: Path) -> dict[str, tuple[str, ...]]:
    """What is said → the official words for it.

    Raises:
        InvalidInput: with the line, for a file without the two columns, an empty cell or something said twice.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if tuple(rows.fieldnames or ()) != COLUMNS:
            raise InvalidInput(f"{path.name} 的表头应当是：{','.join(COLUMNS)}。")
        lexicon: dict[str, tuple[str, ...]] = {}
        for row in rows:
            said, official = (str(row[column] or "").strip() for column in COLUMNS)
            if not said or not official:
                raise InvalidInput(f"{path.name} 第 {rows.line_num} 行缺了一半。")
            if said in lexicon:
                raise InvalidInput(f"{path.name} 第 {rows.line_num} 行的「{said}」前面已经有了。")
            lexicon[said] = tuple(official.split())
    return lexicon


@lru_cache
def _lexicon() -> tuple[dict[str, tuple[str, ...]], re.Pattern[str]]:
    lexicon = {said.lower(): official for said, official in read_lexicon(FILE).items()}
    longest_first = sorted(lexicon, key=len, reverse=True)
    return lexicon, re.compile("|".join(map(re.escape, longest_first)))


def official_words(text: str) -> tuple[str, ...]:
    """The official words for what a cleaned text says in others, each once, without those that it says already."""
    lexicon, pattern = _lexicon()
    found = (word for said in pattern.findall(text) for word in lexicon[said])
    return tuple(dict.fromkeys(word for word in found if word not in text))
