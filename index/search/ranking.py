"""Ranking and confidence: a learned fusion of features, and the calibrated probability that the first one is right.

Both are logistic regressions, small enough to read: ``score = w · features``, ``probability = σ(v · evidence)``, with weights of
their own for what follows on something.  They are fitted by ``training.fit`` and travel inside each index version.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from index.search import scope
from index.search.lexical import IndexFileError
from index.search.retriever import FEATURES, Candidate, Retriever

EVIDENCE = (
    "score",
    "margin_item",
    "margin_matter",
    "char",
    "learned",
    "dense",
    "coverage",
    "overlap",
    "unseen",
    "foreign",
    "length",
    "near_unanswered",
    "unanswered",
)
"""What the probability rests on: the first one's score, its lead over the next item and over the next matter, five of its
features, the share of the query's words that the knowledge never saw, the domain terms that the first one never mentions,
the query's length (log of characters), and how much it is like what no item answers (``Retriever.unanswered_like``)."""

_OF_FOLLOWING = len(EVIDENCE) - 2
"""What follows on something is not asked how much it is like what no item answers: by itself it says too little (小孩呢)"""

FOLLOWING = ("score", "alone", "same_matter", "same_item")
"""What ranks the candidates for a message that follows on something: the score of the message read together with what was spoken
of, that of the message alone, whether the candidate is of the matter spoken of, and whether it is what was just answered"""

VERBATIM = 0.99
"""Probability for a query that is one item's reviewed wording itself: the calibration's questions hold none of these."""

FEW = 1.25
"""What an item's few wordings are worth (times ``Candidate.few``): the best of forty is nearer to any question than the best of four,
whatever is asked.  ``benchmarks/few_wordings.py`` measures it; it can't be fitted where all items have about as many."""

_LEAD_MAX = 6.0
"""Leads are capped here: beyond, a larger one says nothing more."""


@dataclass(frozen=True)
class Ranked:
    """A candidate in its place."""

    candidate: Candidate
    score: float


@dataclass(frozen=True)
class Logistic:
    """Weights of one logistic regression."""

    weights: tuple[float, ...]
    bias: float

    def logit(self, features: NDArray[np.float64]) -> float:
        """w · x + b."""
        return float(np.dot(np.asarray(self.weights), features) + self.bias)

    def probability(self, features: NDArray[np.float64]) -> float:
        """σ(w · x + b), 0…1."""
        return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, self.logit(features)))))


@dataclass(frozen=True)
class Calibration:
    """All that was fitted, for one encoder (or for none)."""

    encoder: str
    """Checksum of the encoder whose cosines it was fitted on; empty: without vectors"""
    ranker: Logistic
    confidence: Logistic
    follow_ranker: Logistic
    """Of ``FOLLOWING``"""
    follow_confidence: Logistic
    """Of ``EVIDENCE`` but its last two and the first one's last three of ``FOLLOWING``"""
    scope: Logistic
    """Probability that a text is something a government hotline answers; see ``index.search.scope``"""
    answer_at: float
    likely_at: float
    clarify_at: float
    fitted_on: dict[str, Any]

    @property
    def own(self) -> bool:
        """Whether it was fitted on a city's own knowledge, by ``training.retrain``; else it came with the program."""
        return "items_sha256" in self.fitted_on

    def to_json(self) -> dict[str, Any]:
        """A JSON value."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Self:
        """Raises: IndexFileError if a part is missing or has another size."""
        try:
            parts = {
                name: Logistic(tuple(raw[name]["weights"]), raw[name]["bias"])
                for name in ("ranker", "confidence", "follow_ranker", "follow_confidence", "scope")
            }
            parts["confidence"] = _widened(parts["confidence"])
            calibration = cls(**{**raw, **parts})
        except (KeyError, TypeError) as error:
            raise IndexFileError("标定文件的内容不完整。") from error
        sizes = [
            len(one.weights)
            for one in (
                calibration.ranker,
                calibration.confidence,
                calibration.follow_ranker,
                calibration.follow_confidence,
            )
        ]
        if (
            sizes != [len(FEATURES), len(EVIDENCE), len(FOLLOWING), _OF_FOLLOWING + 3]
            or len(calibration.scope.weights) < scope.WIDTH
        ):
            raise IndexFileError("标定文件与当前程序的特征不一致，请重新标定。")
        return calibration

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises: IndexFileError."""
        try:
            return cls.from_json(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise IndexFileError(f"标定文件无法读取：{path}") from error


def _widened(confidence: Logistic) -> Logistic:
    """One of before what no item answers was known, with weights of 0 for that; any other as it is."""
    if len(confidence.weights) != len(EVIDENCE) - 2:
        return confidence
    return Logistic((*confidence.weights, 0.0, 0.0), confidence.bias)


def rank(candidates: list[Candidate], ranker: Logistic) -> list[Ranked]:
    """Best first."""
    ranked = [Ranked(one, ranker.logit(one.features) + FEW * one.few) for one in candidates]
    return sorted(ranked, key=lambda one: (-one.score, one.candidate.item.id))


@dataclass(frozen=True)
class Spoken:
    """What a message follows on."""

    matter: str
    question: str
    qa: str | None
    """What was answered"""


def follow_features(ranked: list[Ranked], alone: list[Ranked], spoken: Spoken) -> NDArray[np.float64]:
    """Shape (candidates, len(FOLLOWING)).  ``alone``: the same candidates for the message alone."""
    scores = {one.candidate.item.id: one.score for one in alone}
    lowest = min(scores.values(), default=0.0)
    return np.array(
        [
            [
                one.score,
                scores.get(one.candidate.item.id, lowest),
                one.candidate.item.matter == spoken.matter,
                one.candidate.item.id == spoken.qa,
            ]
            for one in ranked
        ],
        dtype=np.float64,
    )


def follow(
    ranked: list[Ranked], features: NDArray[np.float64], ranker: Logistic
) -> tuple[list[Ranked], NDArray[np.float64]]:
    """Best first, as what follows on something, and the first one's last three features.  ``ranked`` is not empty."""
    scores = features @ np.asarray(ranker.weights) + ranker.bias
    order = np.argsort(-scores, kind="stable")
    return [Ranked(ranked[row].candidate, float(scores[row])) for row in order], features[order[0], 1:]


def following_evidence(
    ranked: list[Ranked], of_first: NDArray[np.float64], query: str, retriever: Retriever
) -> NDArray[np.float64]:
    """The same for what follows on something; ``of_first``: as ``follow`` gives it."""
    return np.concatenate([evidence(ranked, query, retriever)[:_OF_FOLLOWING], of_first])


def evidence(ranked: list[Ranked], query: str, retriever: Retriever) -> NDArray[np.float64]:
    """What the probability of the first one rests on, shape (len(EVIDENCE),).  ``ranked`` is not empty."""
    first = ranked[0]
    item = first.candidate.item
    others = [one.score for one in ranked[1:]]
    other_matters = [one.score for one in ranked[1:] if one.candidate.item.matter != item.matter]
    features = dict(zip(FEATURES, first.candidate.features, strict=True))
    return np.array(
        [
            first.score,
            min(_LEAD_MAX, first.score - others[0]) if others else _LEAD_MAX,
            min(_LEAD_MAX, first.score - other_matters[0]) if other_matters else _LEAD_MAX,
            features["char"],
            features["learned"],
            features["dense"],
            features["coverage"],
            features["overlap"],
            retriever.unseen(query),
            retriever.foreign(query, item.id),
            math.log1p(len(query)),
            *retriever.unanswered_like(query),
        ]
    )
