"""A document's passages as sections, and a section as statements: a sentence, a list with the line that leads it, a table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from bot.models.knowledge import Passage

HEADING = 30
"""A line of at most so many characters that ends no sentence is a heading, where something follows."""

_ARTICLE = re.compile(r"^第.+[条條]")
_TOP = re.compile(r"^([一二三四五六七八九十百〇零\d]+、)")
_ITEM = re.compile(r"^(?:（[一二三四五六七八九十]+）|\([一二三四五六七八九十]+\)|\d{1,2}[.．、)）]|[①-⑳])")
_END = re.compile(r"[。！？；：]$")
_SENTENCE = re.compile(r"[^。！？\n]+[。！？]?[”）》]*")
_ROW = re.compile(r"^\S{1,30}(?: \S{1,40}){1,6}$")


@dataclass(frozen=True)
class Clause:
    """What one label of a document says: 第三条; 一、（二）."""

    label: str
    text: str


@dataclass(frozen=True)
class Section:
    """An article, or everything under one 一、."""

    heading: str
    """Empty where it has none"""
    clauses: tuple[Clause, ...]


@dataclass(frozen=True)
class Statement:
    """What is said in one breath; joined, a clause's statements are its text."""

    text: str
    label: str
    begins: bool
    """Whether it begins a line"""


def sections(passages: Iterable[Passage]) -> list[Section]:
    """A document's text, by article or numbered heading; what stands before the first number is left out."""
    joined: list[Clause] = []
    for passage in passages:
        if joined and passage.label and joined[-1].label == passage.label:
            joined[-1] = Clause(passage.label, f"{joined[-1].text}\n{passage.text}")
        elif passage.label:
            joined.append(Clause(passage.label, passage.text))
    found = []
    for _, group in groupby(joined, key=lambda clause: _section_of(clause.label)):
        clauses = list(group)
        heading, rest = _headed(clauses[0].text)
        clauses[0] = Clause(clauses[0].label, rest)
        found.append(Section(heading, tuple(clause for clause in clauses if clause.text)))
    return found


def _section_of(label: str) -> str:
    top = _TOP.match(label)
    return label if _ARTICLE.match(label) or not top else top[1]


def _headed(text: str) -> tuple[str, str]:
    first, line, rest = text.partition("\n")
    if line and len(first) <= HEADING and not _END.search(first) and not _ROW.match(first):
        return first.strip(), rest.strip()
    return "", text


def statements(clause: Clause) -> list[Statement]:
    """A clause's sentences; a line that leads a list or a table is one with it, whatever full stops the items have."""
    return [Statement(text, clause.label, begins) for text, begins in _blocks(clause.text.split("\n"))]


def _blocks(lines: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Texts, and whether each begins a line."""
    at = 0
    while at < len(lines):
        end = at + 1
        while end < len(lines) and (_ITEM.match(lines[end]) or is_row(lines[end])):
            end += 1
        if lines[at].startswith(("问：", "答：")):
            yield lines[at], True
        elif end > at + 1 and (lines[at].endswith("：") or _ITEM.match(lines[at]) or is_row(lines[at])):
            *before, lead = _SENTENCE.findall(lines[at])
            yield from ((one, number == 0) for number, one in enumerate(before))
            yield "\n".join([lead, *lines[at + 1 : end]]), not before
        else:
            for line in lines[at:end]:
                yield from ((one, number == 0) for number, one in enumerate(_SENTENCE.findall(line)))
        at = end


def is_row(line: str) -> bool:
    """Whether a line is a row of a table: cells with a space between, and no sentence."""
    return bool(_ROW.match(line)) and not _END.search(line)
