"""``find``: from a question to ranked candidates, and how likely the first one is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from bot import regions
from index.search.normalise import Query, canonical
from index.search.ranking import (
    VERBATIM,
    Calibration,
    Ranked,
    Spoken,
    evidence,
    follow,
    follow_features,
    following_evidence,
    rank,
)
from index.search.retriever import Candidate, Retriever
from index.search.terms import terms_in

_NEARER = 2.0
"""An item of the nearer region comes before the wider one's up to so much less score."""


@dataclass(frozen=True)
class Finding:
    """What retrieval found for one wording of a question."""

    query: Query
    ranked: list[Ranked]
    probability: float
    """That the first one answers it, 0…1"""
    before: tuple[str, ...] = ()
    """What was spoken of before, that it was read with"""

    @property
    def first(self) -> Candidate | None:
        """The best candidate."""
        return self.ranked[0].candidate if self.ranked else None


@dataclass(frozen=True)
class Place:
    """Where a question is asked."""

    served: str
    """The region that this assistant serves"""
    said: str | None
    """Where the citizen is, if that is known"""
    anywhere: bool = True
    """Whether items of parts of the served region count where it isn't: then the citizen can still be asked"""
    without: frozenset[str] = frozenset()
    """Items that the citizen has refused"""


@dataclass(frozen=True)
class Before:
    """What a message may follow on."""

    spoken: Spoken
    alone: Finding
    """What was found for the message by itself"""


def find(
    retriever: Retriever,
    calibration: Calibration,
    query: Query,
    place: Place,
    before: Sequence[str] = (),
    follows: Before | None = None,
) -> Finding:
    """Rank the items that hold where the citizen is, and how likely the first one is right.

    Args:
        before: what the message may leave out; it is then read alone and with each of them in front.
        follows: what it follows on, where it does: then it is read with that, and an item of the same matter is likelier.
    """
    if place.served != regions.NATION:
        query = replace(query, text=regions.without(query.text, place.served))
    if follows is not None:
        before = (follows.spoken.matter, follows.spoken.question)
    readings = (query.text, *(f"{topic} {query.text}" for topic in before))
    ranked = _own_region_first(rank(_fitting(retriever.candidates(*readings), place), calibration.ranker))
    if not ranked or query.empty:
        return Finding(query, ranked, 0.0, tuple(before))
    if follows is not None:
        features = follow_features(ranked, follows.alone.ranked, follows.spoken)
        ranked, of_first = follow(ranked, features, calibration.follow_ranker)
        proof = following_evidence(ranked, of_first, query.text, retriever)
        return Finding(query, ranked, calibration.follow_confidence.probability(proof), tuple(before))
    verbatim = retriever.exact(query.text)
    same = [one for one in ranked if one.candidate.item.id in verbatim]
    if len(same) == 1:
        ranked = [*same, *(one for one in ranked if one is not same[0])]
    probability = calibration.confidence.probability(evidence(ranked, query.text, retriever))
    return Finding(query, ranked, max(probability, VERBATIM) if len(same) == 1 else probability, tuple(before))


def _fitting(candidates: Sequence[Candidate], place: Place) -> list[Candidate]:
    """Those that hold where the citizen is, and were not refused."""
    here = place.said or place.served
    above = set(regions.ancestors(here))
    within = place.said is None and place.anywhere
    return [
        one
        for one in candidates
        if one.item.id not in place.without
        and (one.item.region in above or (within and regions.is_within(one.item.region, here)))
    ]


@lru_cache(maxsize=1024)
def place_in(text: str) -> str | None:
    """The code of the region that a message names, if it names exactly one."""
    found = regions.find(text, within=None)
    return found[0].code if len(found) == 1 else None


def _own_region_first(ranked: list[Ranked]) -> list[Ranked]:
    """Drop an item of a wider region where the same matter's own-region item is about as good."""
    kept: list[Ranked] = []
    for one in ranked:
        item = one.candidate.item
        overridden = any(
            other.candidate.item.matter == item.matter
            and other.candidate.item.region != item.region
            and regions.is_within(other.candidate.item.region, item.region)
            and other.score > one.score - _NEARER
            for other in ranked
        )
        if not overridden:
            kept.append(one)
    return kept


LETTER = 60
"""A text of more characters tells a story around its question, and is never sure as a whole."""
SHORT = 6
"""Characters of a message that may be no more than a name"""
_MOST, _LEADS = 0.55, 4.0
"""It names a matter if so large a share of the wordings that hold it is the matter's, so many times the next one's share;"""
_FEW = 0.4
"""and it names several if no matter has so large a share."""


def naming(retriever: Retriever, query: Query) -> str | bool | None:
    """What a very short message names: one matter (its name), several or none (False); None where that can't be told.

    失业金 and 离婚 name one, 多少钱 and 过户 none or several, however well a single wording matches.  Only a term of the domain
    or of the matter's own name is one: 垃圾 stands in one matter's wordings too.
    """
    said = canonical(query.text)
    if not said or len(said) > SHORT:
        return None
    holding = retriever.matters_worded(said)
    total = holding.total()
    if not total:
        return None
    (first, most), *rest = holding.most_common(2)
    share = most / total
    if share >= _MOST and most >= _LEADS * (rest[0][1] if rest else 0):
        return first if terms_in(said) or said in first else None
    return False if share < _FEW else None
