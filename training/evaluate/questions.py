"""Labelled questions and written replies, as their files hold them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from sqlalchemy import select

from bot import database
from bot.errors import InvalidInput
from bot.models.knowledge import QA
from index.search.normalise import clean
from training import fit

_MIN_OVERLAP = 4
"""Shorter texts (护照) are everybody's words: no sign that a file was copied."""

REPLIES = "replies"
"""The register of the replies to a question back"""

Style = Literal["words", "yes", "ordinal", "correction", "none"]
"""words: says which is meant; yes: the first one, or the answer shown; ordinal: by its place; correction: not this, but that;
none: refuses all of them and says what was asked"""


@dataclass(frozen=True)
class Written:
    """What somebody wrote in reply to a question back or to a likely answer."""

    text: str
    style: Style
    place: int | None
    """Place of the option that is meant, from 1; None: the answer shown, or none of them"""
    options: int
    """How many were offered"""
    shown: str | None
    """The item of the likely answer that it replies to"""


@dataclass(frozen=True)
class Question:
    """One line of a question file."""

    q: str
    expect: str | None
    prev: str | None = None
    qa: tuple[str, ...] | None = None
    """The items that answer it, where somebody has looked: none of the matter's may"""
    kind: str = ""
    register: str = ""
    words: Written | None = None
    """What whoever asked it would reply to a question back"""
    prev_qa: str | None = None
    """What answers ``prev``, where it is known: ``q`` follows on that"""

    def right_items(self, matters: dict[str, str]) -> frozenset[str]:
        """Ids of the items that answer it; ``matters``: the matter of each item."""
        if self.qa is not None:
            return frozenset(self.qa)
        return frozenset(id_ for id_, matter in matters.items() if self.expect in (id_, matter))


def read_sets(paths: Sequence[Path]) -> list[Question]:
    """The questions of all files; those that a reply was written for know it.

    Raises:
        InvalidInput: a file that can't be read, has no question, or a line that is none (which line, and why).
    """
    found = [one for path in paths for one in read_questions(path)]
    words = {one.q: one.words for one in found if one.register == REPLIES}
    return [replace(one, words=one.words or words.get(one.q)) for one in found]


def read_questions(path: Path) -> list[Question]:
    """The questions of one file.  Raises: InvalidInput, with the line, for what is not such a question."""
    questions = [_question(path, number, row) for number, row in _rows(path)]
    if not questions:
        raise InvalidInput(f"{path.name} 里没有问题。")
    return questions


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # splitlines also cuts at U+2028 within a string
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"读不了问题文件 {path}（应当是 UTF-8 的 JSONL）。") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except ValueError as error:
                raise InvalidInput(f"{path.name} 第 {number} 行不是一行 JSON。") from error


def _question(path: Path, number: int, row: Any) -> Question:
    where = f"{path.name} 第 {number} 行"
    if not isinstance(row, dict) or "q" not in row or not row.keys() & {"expect", "style"}:
        raise InvalidInput(
            f'{where}要写成 {{"q": …, "expect": …}}；对反问的回复要写成 {{"prev": …, "q": …, "style": …}}。'
        )
    text, expect, prev, ids = row["q"], row.get("expect"), row.get("prev"), row.get("qa")
    if not isinstance(text, str) or not text.strip() or not isinstance(expect, str | None):
        raise InvalidInput(f"{where}：q 要有文字，expect 是问答编号、事项名或 null。")
    before = row.get("prev_qa")
    if not isinstance(prev, str | None) or not isinstance(before, str | None) or not (ids is None or _texts(ids)):
        raise InvalidInput(f"{where}：prev 是文字，prev_qa 是问答编号，qa 是问答编号的列表。")
    items = None if ids is None else tuple(ids)
    if "style" in row:
        return _reply(where, row, text, prev, items)
    named = str(row.get("register") or path.stem.partition("_")[0])
    return Question(text, expect, prev, items, str(row.get("kind") or ""), named, prev_qa=before)


def _reply(where: str, row: dict[str, Any], text: str, prev: str | None, items: tuple[str, ...] | None) -> Question:
    options, shown, means, style = row.get("options"), row.get("shown"), row.get("means"), row["style"]
    written = (
        style in get_args(Style) and isinstance(options, list) and _texts(options) and isinstance(shown, str | None)
    )
    if not written or not prev or not items:
        raise InvalidInput(
            f"{where}：回复要有 prev（原来的问题）、qa（正确的问答）、options（当时的选项）、"
            f"shown（当时给出的问答或 null），style 是 {'、'.join(get_args(Style))} 之一。"
        )
    if style == "ordinal" and not isinstance(means, int):
        raise InvalidInput(f"{where}：按序号回复的，means 要写第几个。")
    words = Written(text, style, means if isinstance(means, int) else None, len(options or ()), shown)
    return Question(prev, None, None, items, style, REPLIES, words)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def known_matters() -> dict[str, str]:
    """The matter of each item of the knowledge."""
    with database.read() as session:
        return {row.id: row.matter for row in session.execute(select(QA.id, QA.matter))}


def _letters(text: str) -> str:
    return "".join(character for character in clean(text) if character.isalnum())


def refuse_unknown(questions: Sequence[Question], matters: Mapping[str, str]) -> None:
    """Raises: InvalidInput: an expected id or matter is not in the knowledge.

    Args:
        matters: the matter of each item of the knowledge.
    """
    named = {name for one in questions for name in (one.expect, *(one.qa or ())) if name}
    if lost := sorted(named - set(matters) - set(matters.values())):
        raise InvalidInput(f"知识库里没有这些编号或事项：{'、'.join(lost[:10])}")


def refuse_overlap(paths: Sequence[Path]) -> None:
    """What the assistant was built or fitted from proves nothing about it.  Whoever names a file of the calibration knows that
    it was fitted; of a reply the question before it plays no part.

    Raises:
        InvalidInput: questions that are word for word in the knowledge, the calibration's questions or Rasa's examples.
    """
    fitted = {path.resolve() for path in fit.question_files()}
    questions = [one for path in paths if path.resolve() not in fitted for one in read_questions(path)]
    known = {_letters(row["q"]): f"标定数据 {file.name}" for file in fitted for row in fit.read_questions(file)}
    known |= {_letters(text): "Rasa 训练数据" for act in ("ask_policy", "follow_up") for text in fit.nlu_examples(act)}
    with database.read() as session:
        for id_, question, similar in session.execute(select(QA.id, QA.question, QA.similar)):
            known |= {_letters(text): f"问答 {id_}" for text in (question, *similar)}
    same = [
        f"「{one.q}」（{known[letters]}）"
        for one in questions
        if len(letters := _letters(one.q)) >= _MIN_OVERLAP
        and letters in known
        and one.prev is None
        and one.register != REPLIES
    ]
    if same:
        shown = "、".join(same[:10]) + ("等" if len(same) > 10 else "")
        raise InvalidInput(f"有 {len(same)} 个问题和知识库、标定或训练数据重复，评测不作数，请先删去：{shown}")
