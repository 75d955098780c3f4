"""How people asked for an item: their words, masked, that are none of its wordings yet, for an editor to take up."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from bot.asked import right_item
from bot.knowledge import get, under_way
from bot.models.asked import Asked
from bot.models.knowledge import QA

MOST = 20
_NEWEST = 500
"""Questions that are looked through"""
_LENGTHS = range(4, 61)
"""Shorter says nothing, longer is a story"""
_MASKED = "*"
_NO_LETTERS = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Wording:
    """A question as it was asked."""

    text: str
    times: int
    right: bool
    """It is known to be about this item: the citizen chose it or found it useful, or an agent gave it"""
    sure: bool
    """It was answered surely each time: retrieval needs no help with it"""


def asked_for(session: Session, qa_id: str) -> list[Wording]:
    """At most ``MOST``: what is known to be right first, then what retrieval was not sure of, then by how often it was asked.

    What the citizen refused, or what is known to be about another item, is left out.
    """
    known = _known(session, qa_id)
    query = (
        select(Asked)
        .where(or_(Asked.qa_id == qa_id, Asked.chosen == qa_id, Asked.agent_qa == qa_id), Asked.source != "试一试")
        .order_by(Asked.at.desc())
        .limit(_NEWEST)
    )
    found: dict[str, Wording] = {}
    for row in session.scalars(query):
        text, right = str(row.said["text"]).strip(), right_item(row)
        letters = _letters(text)
        wrong = right is not None and right != qa_id
        refused = right is None and (row.refused or row.helpful is False)
        if wrong or refused or letters in known or len(letters) not in _LENGTHS or _MASKED in text:
            continue
        sure = row.certainty == "sure" and row.qa_id == qa_id
        before = found.get(letters, Wording(text, 0, right=False, sure=True))
        found[letters] = Wording(before.text, before.times + 1, before.right or right is not None, before.sure and sure)
    return sorted(found.values(), key=lambda one: (not one.right, one.sure, -one.times, one.text))[:MOST]


def _known(session: Session, qa_id: str) -> set[str]:
    qa = get(session, qa_id)
    there: list[QA] = [qa, under_way(session, qa)] if qa is not None else []
    return {_letters(text) for one in there for text in (one.question, *one.similar)}


def _letters(text: str) -> str:
    """A text without what is no letter or digit: two that differ in a comma are one."""
    return _NO_LETTERS.sub("", text).lower()
