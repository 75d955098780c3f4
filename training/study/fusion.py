"""A study: what fusion by hand, with parts that the product does not use, makes of a bench.  ``yihaoda bench --study`` runs it.

Side by side run BM25 on jieba words, on character uni- and bigrams and on those with trigrams, vectors, soft word match
(`soft_match`, on the hundred best by characters), and all of them fused, with how often a document's source is cited
(`citations`) on top.
"""

import re
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from index.encoder import Encoder
from index.search import tokenize
from index.search.lexical import BM25Index
from training.bench import DensePassages, highest, track
from training.study.citations import citation_counts
from training.study.soft_match import SoftMatch

FUSION_WEIGHTS = {"bm25_word": 0.1, "bm25_char": 0.25, "bm25_trigram": 0.25, "dense": 0.2, "soft_word": 0.2}
"""Shares of the ways in ``fused``, the same for every bench: round numbers, chosen with an eye on the development shares
of NCPPolicies and STARD (trigrams help the first and cost the second a little) and on questions held out from training."""

CITATION_WEIGHT = 0.04
"""Added to ``fused`` for each unit of `citation_counts`; the best for 1,325 questions of a training set to
the law articles, none of them a bench's."""

_SOFT_DEPTH = 100  # documents that are matched softly
_RUN = re.compile(r"[^\W_]+")
_UNIT = re.compile(r"[a-z]+|[0-9]+|[^\W_]")


class Fusion:
    """The study's ways over a corpus; see `training.bench.Ways`."""

    what = "研究：手工定权重的融合（产品不用）"
    names: Mapping[str, str] = {
        "bm25_word": "BM25（按词）",
        "bm25_char": "BM25（按字）",
        "bm25_trigram": "BM25（三字组）",
        "dense": "向量",
        "soft_word": "词的软匹配",
        "fused": "研究：融合",
    }

    def __init__(self, texts: Sequence[str], encoder: Encoder, bar: Progress | None = None) -> None:
        words = [tokenize.words(text) for text in track(texts, "分词", bar)]
        self._word = BM25Index.build(words)
        self._char = BM25Index.build(map(tokenize.ngrams, track(texts, "字组", bar)))
        self._trigram = BM25Index.build(map(trigrams, track(texts, "三字组", bar)))
        self._dense = DensePassages(texts, encoder, bar)
        self.passages = self._dense.passages
        self._soft = SoftMatch(words, encoder)
        self._citations = citation_counts(texts)

    def best(self, query: str) -> dict[str, tuple[NDArray[np.int64], float]]:
        """See `training.bench.Ways`; ``fused`` takes the time of all the others, too."""
        words = tokenize.words(query)
        scores: dict[str, NDArray[np.float32]] = {}
        best: dict[str, tuple[NDArray[np.int64], float]] = {}
        ways: dict[str, Callable[[], NDArray[np.float32]]] = {
            "bm25_word": lambda: self._word.scores(words),
            "bm25_char": lambda: self._char.scores(tokenize.ngrams(query)),
            "bm25_trigram": lambda: self._trigram.scores(trigrams(query)),
            "dense": lambda: self._dense.scores(query),
            "soft_word": lambda: self._soft_scores(words, scores["bm25_char"]),
            "fused": lambda: self._fused(scores),
        }
        for name, way in ways.items():
            start = time.perf_counter()
            scores[name] = way()
            best[name] = highest(scores[name]), time.perf_counter() - start
        best["fused"] = best["fused"][0], sum(took for _, took in best.values())
        return best

    def _soft_scores(self, words: Sequence[str], first: NDArray[np.float32]) -> NDArray[np.float32]:
        rows = highest(first, _SOFT_DEPTH)
        scores = np.zeros_like(first)
        scores[rows] = self._soft.scores(words, rows)
        return scores

    def _fused(self, scores: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        fused = fuse(scores, FUSION_WEIGHTS)
        return np.where(fused > 0, fused + np.float32(CITATION_WEIGHT) * self._citations, 0)


def fuse(scores: Mapping[str, NDArray[np.float32]], weights: Mapping[str, float]) -> NDArray[np.float32]:
    """Weighted sum of the ways' scores over the same documents, each divided by the query's best.

    BM25 has no fixed scale, so only its shape within one query means anything. Scores below zero count as zero. On
    our benches this is better than reciprocal rank fusion, which forgets by how far the first is ahead.
    """
    total = np.zeros_like(next(iter(scores.values())))
    for name, weight in weights.items():
        best = float(scores[name].max())
        if best > 0:
            total += np.float32(weight / best) * np.maximum(scores[name], 0)
    return total


def trigrams(text: str) -> list[str]:
    """Characters and runs of two and three neighbouring ones; a Latin word or a number counts as one character."""
    tokens: list[str] = []
    for run in _RUN.findall(unicodedata.normalize("NFKC", text).lower()):
        units = _UNIT.findall(run)
        tokens.extend(
            "".join(units[end - size : end]) for end in range(1, len(units) + 1) for size in (1, 2, 3) if size <= end
        )
    return tokens
