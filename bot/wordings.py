"""How people asked for an item: their words, masked, that are none of its wordings yet, for an editor to take up.

What the item was given for is known by it (``asked_for``); what nothing was given for is near it by meaning (``near``), or is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, undefer

from bot.asked import AGENT, CITIZEN, right_item, vector_of
from bot.knowledge import get, under_way
from bot.models.asked import Asked
from bot.models.knowledge import QA

MOST = 20
_NEWEST = 500
"""Questions that are looked through"""
OPEN_DAYS = 30
"""So long a question that got no answer is suggested"""
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
        wrong = right is not None and right != qa_id
        refused = right is None and (row.refused or row.helpful is False)
        if wrong or refused or not _fit(text, known):
            continue
        sure = row.certainty == "sure" and row.qa_id == qa_id
        letters = _letters(text)
        before = found.get(letters, Wording(text, 0, right=False, sure=True))
        found[letters] = Wording(before.text, before.times + 1, before.right or right is not None, before.sure and sure)
    return sorted(found.values(), key=lambda one: (not one.right, one.sure, -one.times, one.text))[:MOST]


@dataclass(frozen=True)
class Near:
    """A question that got no answer and comes near an item."""

    text: str
    times: int
    cosine: float
    """Of the nearest of the item's wordings"""


Nearness = Callable[[Sequence[bytes]], Iterable[float]]
"""The cosine of the nearest of an item's wordings, for each of some vectors (float16, little endian)"""


def near(
    session: Session,
    qa_id: str | None,
    texts: Iterable[str],
    encoder: str,
    nearness: Nearness,
    least: float,
    now: datetime,
) -> list[Near]:
    """At most ``MOST`` questions of the last days that were answered by nothing and nobody, the nearest first.

    What came nearer to another item than to this one is left out.

    Args:
        qa_id: the item; None: a new one.
        texts: its wordings, as somebody is writing them.
        encoder: checksum of the encoder that ``nearness`` is of.
        least: from this cosine on.
    """
    known = {_letters(text) for text in texts}
    nothing = (Asked.qa_id.is_(None), Asked.chosen.is_(None), Asked.agent_qa.is_(None), Asked.encoder == encoder)
    query = (
        select(Asked)
        .options(undefer(Asked.vector))
        .where(Asked.at >= now - timedelta(days=OPEN_DAYS), Asked.source.in_((CITIZEN, AGENT)), *nothing)
        .order_by(Asked.at.desc())
        .limit(_NEWEST)
    )
    rows = [(row, vector) for row in session.scalars(query) if (vector := vector_of(row)) is not None]
    found: dict[str, Near] = {}
    for (row, _), cosine in zip(rows, nearness([vector for _, vector in rows]), strict=True):
        text = str(row.said["text"]).strip()
        if cosine < max(least, _elsewhere(row, qa_id)) or row.before is not None or not _fit(text, known):
            continue
        same = found.get(_letters(text), Near(text, 0, cosine))
        found[_letters(text)] = Near(same.text, same.times + 1, max(same.cosine, cosine))
    return sorted(found.values(), key=lambda one: (-one.cosine, one.text))[:MOST]


def _elsewhere(row: Asked, qa_id: str | None) -> float:
    """The cosine of the nearest wording of another item that was found for it."""
    others = [one for one in row.found.get("candidates") or () if one.get("qa_id") != qa_id]
    return max((float((one.get("features") or {}).get("dense", 0.0)) for one in others), default=0.0)


def _fit(text: str, known: set[str]) -> bool:
    """Whether it can be a wording, and is none that is there."""
    return _MASKED not in text and len(_letters(text)) in _LENGTHS and _letters(text) not in known


def _known(session: Session, qa_id: str) -> set[str]:
    qa = get(session, qa_id)
    there: list[QA] = [qa, under_way(session, qa)] if qa is not None else []
    return {_letters(text) for one in there for text in (one.question, *one.similar)}


def _letters(text: str) -> str:
    """A text without what is no letter or digit: two that differ in a comma are one."""
    return _NO_LETTERS.sub("", text).lower()
