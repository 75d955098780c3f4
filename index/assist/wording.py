"""A language model may word the summary of a call; every sentence of it is checked against the lines that it says it comes from.

Off unless the city hosts one (``bot.language_model``); what it is told is masked; what it says goes into a field that a person reads and
changes before it is kept.  A sentence that names no line, whose figures do not stand in its lines, or whose words mostly don't, is left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.language_model import LanguageModel
from bot.masking import mask
from index.assist.lines import Line
from index.search import tokenize
from index.search.normalise import clean

_ASKED = (
    "你替12345热线的坐席写话后小结。下面是一通电话的逐句记录，每句前面有编号。只用里面说过的内容，三到六句话，依次写：谁、什么时候、在哪里、什么事、要什么、坐席怎么答的。"
    "每句话单独一行，末尾用方括号写出处编号，例如 [3,5]。没说到的不写，不推测，不改任何数字。"
)
_CITED = re.compile(r"[\[［【]\s*([\d,，、\s]+)[\]］】]\s*$")
_FIGURE = re.compile(r"\d+(?:[.,]\d+)*|[零〇一二三四五六七八九十百千万亿两幺]{2,}")
_SHARE = 0.5
"""So large a share of a sentence's characters and pairs stands in its lines at least"""


@dataclass(frozen=True)
class Worded:
    """What a model made of a call."""

    sentences: tuple[tuple[str, tuple[int, ...]], ...]
    """Each with the numbers of the lines that it comes from"""
    left_out: int
    """Sentences that nothing in the call bears out"""


def word_summary(model: LanguageModel, lines: Sequence[Line]) -> Worded:
    """Have it worded, and keep what the lines bear out.  Raises: LanguageModelFailed, InvalidInput."""
    said = {line.seq: mask(line.text) for line in lines}
    who = {"caller": "来电人", "agent": "坐席"}
    told = "\n".join(f"{line.seq} {who[line.speaker]}：{said[line.seq]}" for line in lines)
    kept: list[tuple[str, tuple[int, ...]]] = []
    left_out = 0
    for row in model.ask(_ASKED, told, tokens=800).split("\n"):
        if not row.strip():
            continue
        sentence, seqs = _read(row)
        if sentence and borne_out(sentence, [said[seq] for seq in seqs if seq in said]):
            kept.append((sentence, tuple(seq for seq in seqs if seq in said)))
        else:
            left_out += 1
    return Worded(tuple(kept), left_out)


def _read(row: str) -> tuple[str, list[int]]:
    cited = _CITED.search(row)
    if cited is None:
        return row.strip(), []
    return row[: cited.start()].strip(" -·*\t"), [int(number) for number in re.findall(r"\d+", cited[1])]


def borne_out(sentence: str, sources: Sequence[str]) -> bool:
    """Whether the lines say what a sentence says: all of its figures, and most of its words."""
    if not sources:
        return False
    there = clean(" ".join(sources))
    said = clean(sentence)
    if any(figure not in there for figure in _FIGURE.findall(said)):
        return False
    grams = set(tokenize.ngrams(said))
    held = set(tokenize.ngrams(there))
    return len(grams & held) >= _SHARE * len(grams) if grams else False
