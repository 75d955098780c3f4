"""How much of a question's words a text holds, words of like meaning counted in part.

Between keywords and vectors: every word of the question looks for its nearest word in the text (the late interaction
of ColBERT, Khattab and Zaharia 2020, on single words), so 老板 finds 用人单位 and yet each word must be found.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from index.encoder import Encoder

_ENCODE_BATCH = 2048


class SoftMatch:
    """Word vectors of a corpus, to score a few of its documents for a question."""

    def __init__(self, documents: Iterable[Sequence[str]], encoder: Encoder) -> None:
        """``documents`` are lists of words; a word's vector is what ``encoder`` gives for it alone."""
        numbers: dict[str, int] = {}
        counts: Counter[str] = Counter()
        words: list[NDArray[np.int32]] = []
        for document in documents:
            unique = list(dict.fromkeys(document))
            counts.update(unique)
            words.append(np.array([numbers.setdefault(word, len(numbers)) for word in unique], dtype=np.int32))
        self._encoder = encoder
        self._words = words
        self._counts = counts
        vocabulary = list(numbers)
        self._vectors = np.concatenate(
            [
                encoder.encode(vocabulary[at : at + _ENCODE_BATCH])
                for at in range(0, max(len(vocabulary), 1), _ENCODE_BATCH)
            ]
        )

    def scores(self, words: Sequence[str], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """For each document of ``rows`` 0…1: the mean over the question's words, weighted by rarity, of the highest
        cosine (at least 0) with a word of the document.
        """
        total = np.zeros(len(rows), dtype=np.float32)
        unique = list(dict.fromkeys(words))
        filled = [place for place, row in enumerate(rows) if len(self._words[row])]
        if not unique or not filled:
            return total
        documents = [self._words[rows[place]] for place in filled]
        weights = np.array([self._idf(word) for word in unique], dtype=np.float32)
        cosines = np.maximum(self._encoder.encode(unique) @ self._vectors.T, 0)
        starts = np.cumsum([0, *(len(document) for document in documents[:-1])])
        best = np.maximum.reduceat(cosines[:, np.concatenate(documents)], starts, axis=1)
        total[filled] = weights @ best / weights.sum()
        return total

    def _idf(self, word: str) -> float:
        n = self._counts[word]
        return math.log(1 + (len(self._words) - n + 0.5) / (n + 0.5))
