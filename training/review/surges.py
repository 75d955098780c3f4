"""Matters that rise (突发与集中询问): more people ask about one thing than chance lets them, within minutes.

A scan over meaning and time.  Each new question is the middle of a ball in the space of vectors; the ball moves once to the mean of
what lies in it.  How many different people asked within it in the last 5, 10, 20 and 40 minutes is compared with how large a part of the
questions of the last 14 days, at this hour, lies in the same ball.  With *h* of *N* then, the chance that *c* or more fall in it while *M*
others are asked now is the tail of a negative binomial: what is known of the usual share, and how badly, is both in it, and a busy day,
when everything is asked more, raises nothing.  What was never asked is no special case: its *h* is 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

from bot import places

Vectors = NDArray[np.float32]

SPAN_MIN = 40
"""What was asked in so many minutes is looked at together"""
WINDOWS_MIN = (5, 10, 20, 40)
REACH = 0.70
"""Cosine to the question in the middle, at first"""
RADIUS = 0.72
"""Cosine to the middle of the ball: of four events' wordings nine in ten lie in it, of other questions one in a hundred"""
PERSONS = 8
"""Fewer make no alarm, however unusual it is: a few neighbours ask the same on any day"""
WORDINGS = 4
"""In fewer wordings it is one text that is handed on"""
OF_ONE_TEXT = 3
"""So many people with word for word the same text count, at most: one source can open many conversations"""
LIMIT, LIMIT_ASKED = 6.0, 8.0
"""-log10 of the chance, from which on it is raised: a new matter, and one that the knowledge answers (fitted: benchmarks/surges.py)"""
PERSONS_ASKED = 12
"""Where the knowledge answers it, it is less urgent"""
LEAST_USUAL = 200
"""With so few questions before it nobody can say what is usual"""
FEW_USUAL, MOST_USUAL = 1_000, 20_000
"""With fewer at this hour all hours count; of more a sample does"""
AGAIN_MIN = 24 * 60
"""So long after its last question the same matter is the same alarm"""
_CLUMPED = 2.0
"""Questions come in clumps: so many times the variance of independent ones, in what is usual and now"""
_UNSEEN = 0.5
"""What was never asked counts as if it had been asked so often"""
_ANSWERED = 0.5
"""Share of the members that were surely answered with one item, from which on the item is what is asked for"""
_CENTRES = 40
"""Balls that are looked at in a round: those with the most questions for what is usual in them"""
_SAME = 0.75
"""Cosine of two middles from which on they are of one matter"""


@dataclass(frozen=True)
class Asking:
    """A question of the last minutes."""

    id: str
    minute: float
    """When: minutes since any fixed point"""
    person: str
    text: str
    """Normalised, masked"""
    vector: Vectors
    """Of unit length"""
    item: str | None = None
    """That was surely answered"""


@dataclass(frozen=True)
class Risen:
    """More people than usual ask about one thing."""

    members: tuple[Asking, ...]
    """In the order in which they were asked"""
    middle: Vectors
    persons: int
    """Different ones, as far as they count"""
    expected: float
    """So many would be usual in the same minutes"""
    minutes: int
    """In how many minutes it is the most unusual"""
    surprise: float
    """-log10 of the chance"""
    item: str | None
    """The item that answers it; None: a new matter"""
    place: str | None = None
    """Where several places are named, each has its own"""


def risen(askings: Sequence[Asking], new: Sequence[int], usual: Vectors, now: float) -> list[Risen]:
    """What rises now, the most surprising first; no two of one matter and one place.

    Args:
        askings: of the last ``SPAN_MIN`` minutes.
        new: rows of them that are looked at: those that came since the last look.
        usual: vectors of what was asked before at this hour, of unit length, or a sample of them; shape (questions, dim).
        now: as ``Asking.minute``.
    """
    if len(askings) < PERSONS or not len(new) or len(usual) < LEAST_USUAL:
        return []
    vectors = np.stack([one.vector for one in askings])
    near = vectors[list(new)] @ vectors.T >= REACH
    sizes = near.sum(axis=1)
    rows = np.flatnonzero(sizes >= PERSONS)
    before = (
        np.count_nonzero(vectors[[new[int(row)] for row in rows]] @ usual.T >= REACH, axis=1) if len(rows) else rows
    )
    order = rows[np.argsort(-sizes[rows] / (before + _UNSEEN), kind="stable")][:_CENTRES]
    found = [
        one
        for row in order
        if (one := _ball(askings, vectors, _unit(vectors[near[int(row)]].mean(axis=0)), usual, now)) is not None
    ]
    found.sort(key=lambda one: -one.surprise)
    kept: list[Risen] = []
    for one in found:
        if not any(float(one.middle @ other.middle) >= _SAME or _shared(one, other) for other in kept):
            kept.append(one)
    return [part for one in kept for part in by_place(one)]


def _shared(one: Risen, other: Risen) -> bool:
    ids = {each.id for each in other.members}
    return 2 * sum(each.id in ids for each in one.members) >= min(len(one.members), len(ids))


def _ball(askings: Sequence[Asking], vectors: Vectors, middle: Vectors, usual: Vectors, now: float) -> Risen | None:
    inside = np.flatnonzero(vectors @ middle >= RADIUS)
    members = sorted((askings[int(row)] for row in inside), key=lambda one: one.minute)
    counted = counting(members)
    if len(counted) < PERSONS or len({one.text for one in counted}) < WORDINGS:
        return None
    before = int(np.count_nonzero(usual @ middle >= RADIUS))
    ids = set(inside.tolist())
    others = np.array([one.minute for row, one in enumerate(askings) if row not in ids])
    best: tuple[float, int, float] = (0.0, SPAN_MIN, 0.0)
    for minutes in WINDOWS_MIN:
        count = sum(one.minute > now - minutes for one in counted)
        beside = max(int((others > now - minutes).sum()), len(others) * minutes / SPAN_MIN) + 1
        surprise = surprise_of(count, before, len(usual), beside)
        if count >= PERSONS and surprise > best[0]:
            best = surprise, minutes, (before + _UNSEEN) * beside / max(1, len(usual) - before)
    surprise, minutes, expected = best
    item = answered(members)
    limit, persons = (LIMIT_ASKED, PERSONS_ASKED) if item else (LIMIT, PERSONS)
    if surprise < limit or len(counted) < persons:
        return None
    return Risen(tuple(members), middle, len(counted), expected, minutes, surprise, item)


def surprise_of(count: int, before: int, of: int, beside: float) -> float:
    """-log10 of the chance of so many, or more.

    Args:
        count: people now.
        before: of the usual questions, those of the same matter.
        of: usual questions.
        beside: questions of other matters now.
    """
    chance = betainc(
        max(count, 1e-9) / _CLUMPED, (before + _UNSEEN) / _CLUMPED, beside / (beside + max(1, of - before))
    )
    return float(-np.log10(max(float(chance), 1e-300)))


def counting(members: Sequence[Asking]) -> list[Asking]:
    """One question of each person, and only so many of one text."""
    texts: Counter[str] = Counter()
    persons: set[str] = set()
    found = []
    for one in members:
        if one.person not in persons and texts[one.text] < OF_ONE_TEXT:
            persons.add(one.person)
            texts[one.text] += 1
            found.append(one)
    return found


def answered(members: Sequence[Asking]) -> str | None:
    """The item that most of them were surely answered with."""
    items = Counter(one.item for one in members if one.item)
    item, times = items.most_common(1)[0] if items else (None, 0)
    return item if times >= _ANSWERED * len(members) else None


def by_place(one: Risen) -> list[Risen]:
    """A part for each place that enough people name; whoever names none goes with the first."""
    texts = {each.id: each.text for each in counting(one.members)}
    parts: list[tuple[str, frozenset[str]]] = []
    for place in places.named(texts, PERSONS):
        taken = frozenset[str]().union(*(ids for _, ids in parts))
        if len(place.named_by - taken) >= PERSONS:
            parts.append((place.name, place.named_by - taken))
    if len(parts) < 2:
        return [Risen(**{**vars(one), "place": parts[0][0] if parts else None})]
    home = {each.id: next((name for name, _ in parts if name in each.text), parts[0][0]) for each in one.members}
    found = []
    for name, _ in parts:
        members = tuple(each for each in one.members if home[each.id] == name)
        middle = _unit(np.mean([each.vector for each in members], axis=0))
        found.append(
            Risen(members, middle, len(counting(members)), one.expected, one.minutes, one.surprise, one.item, name)
        )
    return found


def place_of(counted: Sequence[Asking]) -> str | None:
    """The name that most of them give, if enough give one."""
    found = places.named({one.id: one.text for one in counted}, PERSONS)
    return found[0].name if found else None


def _unit(vector: NDArray[np.floating]) -> Vectors:
    return (vector / (float(np.linalg.norm(vector)) or 1.0)).astype(np.float32)


def same(one: Risen, middle: Vectors, place: str | None) -> bool:
    """Whether it is the matter of an earlier alarm: near in meaning, and of no other place."""
    apart = one.place is not None and place is not None and one.place not in place and place not in one.place
    return float(one.middle @ middle) >= _SAME and not apart
