"""An index as it would be after a change of one item, without building it anew: for a first estimate of what the change does.

BM25 is exact but for the documents' number and average length, which one item hardly moves.  The classifier is trained again among the
item's neighbours alone, and what that changes is added to what the whole one says.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from index.search.classifier import ItemClassifier
from index.search.lexical import K1, B, BM25Index

_SURELY = 30.0
"""Log-odds are kept within so much"""


class ChangedBM25(BM25Index):
    """A BM25 index with the documents from ``start`` to ``stop`` replaced by others."""

    def __init__(
        self,
        live: BM25Index,
        start: int,
        stop: int,
        old: Sequence[Sequence[str]],
        new: Sequence[Sequence[str]],
        average: float,
    ) -> None:
        """
        Args:
            old: tokens of the documents that go.
            new: tokens of those that take their place.
            average: tokens of a document.
        """
        self._live, self._start, self._stop = live, start, stop
        self._documents = len(live) - len(old) + len(new)
        self._new = [Counter(tokens) for tokens in new]
        before, after = (Counter(token for tokens in part for token in set(tokens)) for part in (old, new))
        self._frequencies = {
            token: live.frequency(token) - before[token] + after[token]
            for token in before | after
            if before[token] != after[token]
        }
        self._touched = {token: self._idf_of(n) for token, n in self._frequencies.items()}
        self._short = [K1 * (1 - B + B * len(tokens) / average) for tokens in new]

    def __len__(self) -> int:
        return self._documents

    def _idf_of(self, n: int) -> float:
        return math.log(1 + (self._documents - n + 0.5) / (n + 0.5))

    def frequency(self, token: str) -> int:
        """As of the whole index."""
        known = self._frequencies.get(token)
        return self._live.frequency(token) if known is None else known

    def idf(self, token: str) -> float:
        """As of the whole index."""
        known = self._touched.get(token)
        return self._live.idf(token) if known is None else known

    def scores(self, query_tokens: Sequence[str]) -> NDArray[np.float32]:
        """As of the whole index."""
        scores = np.array(self._live.scores(query_tokens))
        for token, times in Counter(query_tokens).items():
            if token in self._touched and self._live.frequency(token):
                share = self._touched[token] / self._live.idf(token) - 1
                rows, known = self._live.postings(token)
                scores[rows] += np.float32(times * share) * known
        own = [
            sum(self.idf(token) * found / (short + found) for token in query_tokens if (found := counts[token]))
            for counts, short in zip(self._new, self._short, strict=True)
        ]
        return np.concatenate([scores[: self._start], np.array(own, dtype=np.float32), scores[self._stop :]])


class ChangedClassifier(ItemClassifier):
    """A classifier in which one item has other wordings, or is new."""

    def __init__(
        self,
        live: ItemClassifier,
        place: int,
        near: Sequence[int],
        without: ItemClassifier | None,
        with_: ItemClassifier,
    ) -> None:
        """
        Args:
            place: the item's; behind all other items it is new.
            near: its neighbours' places.
            without: trained on the wordings that it had and its neighbours', the item first; None for a new one.
            with_: the same on its new ones.
        """
        self._live, self._place, self._near = live, place, list(near)
        self._without, self._with = without, with_

    def log_probabilities(self, text: str, vector: NDArray[np.float32] | None) -> NDArray[np.float64]:
        """As of the whole classifier."""
        live = self._live.log_probabilities(text, vector)
        now = _log_odds(self._with.log_probabilities(text, vector)[0])
        if self._without is not None:
            before = _log_odds(self._without.log_probabilities(text, vector)[0])
            scores = live.copy()
            scores[self._place] += now - before
        else:
            # Against its neighbours it stands so; the neighbours have so much of the whole.
            scores = np.insert(live, self._place, now + np.logaddexp.reduce(live[self._near]))
        return np.asarray(scores - np.logaddexp.reduce(scores))


def _log_odds(log_probability: float) -> float:
    other = math.log(max(-math.expm1(min(log_probability, 0.0)), 1e-13))
    return max(-_SURELY, min(_SURELY, log_probability - other))
