"""Versions withdrawn as wrong (答错作废): they never answer again, and neither does what says the same."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.errors import IllegalMove
from bot.models.versions import QAVersion

_SHORTEST = 8
"""Letters and figures that an answer has at least to be recognised within other words"""
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


def withdrawn(session: Session, qa_id: str) -> set[int]:
    """The numbers of an item's versions that were withdrawn as wrong."""
    wrong = QAVersion.qa_id == qa_id, QAVersion.withdrawn_at.is_not(None)
    return set(session.scalars(select(QAVersion.number).where(*wrong)))


def wrong_answers(session: Session, ids: Iterable[str]) -> dict[str, dict[str, int]]:
    """By item, the answers (``sense``) of its versions withdrawn as wrong, each with that version's number."""
    wrong = QAVersion.qa_id.in_(list(ids)), QAVersion.withdrawn_at.is_not(None)
    found: dict[str, dict[str, int]] = {}
    for version in session.scalars(select(QAVersion).where(*wrong).order_by(QAVersion.number)):
        found.setdefault(version.qa_id, {})[sense(version.content["answer"])] = version.number
    return found


def refuse(session: Session, qa_id: str, answer: str) -> None:
    """Raises: IllegalMove: a version with this answer was withdrawn as wrong."""
    number = wrong_answers(session, [qa_id]).get(qa_id, {}).get(sense(answer))
    if number is not None:
        raise IllegalMove(f"问答 {qa_id} 的第 {number} 版就是这个答案，已经因为答错作废，不能再用。请改写答案。")


def refuse_words(session: Session, qa_id: str, text: str) -> None:
    """Nobody passes a wrong answer on either, from a page that still shows it.  Raises: IllegalMove."""
    said = sense(text)
    for answer, number in wrong_answers(session, [qa_id]).get(qa_id, {}).items():
        if answer == said or (len(answer) >= _SHORTEST and answer in said):
            raise IllegalMove(f"这个答案（第 {number} 版）已经因为答错作废，不能再发给市民。请按正确的改写。")


def sense(answer: str) -> str:
    """An answer without white space and punctuation, in one width and case.

    What stands between two figures stays: 3.5 and 35, or 3-5 and 35, are not the same.
    """
    text = _THOUSANDS.sub("", unicodedata.normalize("NFKC", answer).casefold())
    kept = []
    for place, character in enumerate(text):
        neighbours = text[place - 1 : place] + text[place + 1 : place + 2]
        between = len(neighbours) == 2 and neighbours.isdigit()
        if between or character.isalnum() or character in "%‰" or unicodedata.category(character)[0] == "S":
            kept.append(character)
    return "".join(kept)
