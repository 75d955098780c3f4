"""Which item a text asks for, learned from all wordings together: softmax regression over its n-grams, words and vector.

BM25 and cosines compare a question with one wording at a time and know nothing of the other items.  Here every item's
wordings are trained against everyone else's, so what tells near neighbours apart (丢 and 到期, 登记 and 领取) gets its weight.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from index.search import tokenize
from index.search.lexical import IndexFileError

if TYPE_CHECKING:
    from scipy import sparse

_STEPS = 30
_RATE = 0.05
"""Adam's steps over all wordings and their size: few, which is all the regularisation there is (of 620 labelled questions to
122 items the first was right for .877 after 30 steps; .855 at the optimum of a penalised loss)."""
_ROWS = 8192
"""At most so many wordings a step, drawn anew (see ``_draw``); more would only take time."""
_SCORES = 20_000_000
"""At most so many wordings × items a step: beyond some thousand items fewer wordings are drawn."""
_SHARE, _MANY = 1 / 15, 50
"""So large a share of all texts, and so many times a usual item's, are more than a class's number should tell"""
_BLOCK = 64
_WEIGHTS = 40_000_000
"""At most so many weights: the rarer n-grams of a very large knowledge are left out."""

_Floats = NDArray[np.float32]


class ItemClassifier:
    """A trained classifier, immutable."""

    def __init__(self, vocabulary: dict[str, int], idf: _Floats, tokens: NDArray[np.float16], vector: _Floats) -> None:
        """Args:
        vocabulary: token → row of ``tokens``.
        idf: weight of each token, shape (vocabulary,).
        tokens: shape (vocabulary, items).
        vector: shape (encoder's dim, items); dim 0 without an encoder.
        """
        self._vocabulary, self._idf, self._tokens, self._vector = vocabulary, idf, tokens, vector

    @classmethod
    def train(cls, texts: Sequence[str], owners: NDArray[np.int64], items: int, vectors: _Floats | None) -> Self:
        """Learn from cleaned wordings.

        An item of few wordings is as likely as one of many: while it is learned its score is held down by the logarithm of its
        share of a usual item's wordings, which the weights make up for (logit adjustment; Menon et al. 2021).  In the same way what no
        item answers is not likelier for making up more than a fifteenth of all, where items are few.

        Args:
            owners: the item of each text, 0…items-1.
            vectors: unit vectors of the texts, shape (texts, dim); None without an encoder.
        """
        from scipy import sparse

        counts = [Counter(_tokens(text)) for text in texts]
        frequency = Counter(token for one in counts for token in one)
        kept = [token for token, n in frequency.most_common(max(1, _WEIGHTS // max(items, 1))) if n > 1]
        vocabulary = {token: row for row, token in enumerate(kept)}
        idf = np.array([math.log((1 + len(texts)) / (1 + frequency[token])) + 1 for token in kept], dtype=np.float32)
        rows = [_row(one, vocabulary, idf) for one in counts]
        grams = sparse.csr_matrix(
            (
                np.concatenate([values for _, values in rows]) if rows else np.zeros(0, dtype=np.float32),
                np.concatenate([ids for ids, _ in rows]) if rows else np.zeros(0, dtype=np.int64),
                np.cumsum([0, *(len(ids) for ids, _ in rows)]),
            ),
            shape=(len(texts), len(kept)),
        )
        dense = vectors if vectors is not None else np.zeros((len(texts), 0), dtype=np.float32)
        weights = _softmax_regression(grams, dense, owners, items, _marks(texts))
        return cls(vocabulary, idf, weights[0].astype(np.float16), weights[1])

    def log_probabilities(self, text: str, vector: _Floats | None) -> NDArray[np.float64]:
        """Of a cleaned text, for every item, shape (items,)."""
        ids, values = _row(Counter(_tokens(text)), self._vocabulary, self._idf)
        scores = values @ self._tokens[ids].astype(np.float32)
        if vector is not None and len(self._vector):
            scores = scores + vector @ self._vector
        scores = scores.astype(np.float64) - scores.max()
        return np.asarray(scores - math.log(np.exp(scores).sum()))

    def save(self, folder: Path) -> None:
        """Write into ``folder``, which must not exist yet."""
        folder.mkdir()
        (folder / "vocabulary.json").write_text(
            json.dumps(list(self._vocabulary), ensure_ascii=False), encoding="utf-8"
        )
        for name, array in (("idf", self._idf), ("tokens", self._tokens), ("vector", self._vector)):
            np.save(folder / f"{name}.npy", array)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote.  Raises: IndexFileError."""
        try:
            tokens = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
            arrays = [np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("idf", "tokens", "vector")]
            return cls({token: row for row, token in enumerate(tokens)}, *arrays)
        except (OSError, EOFError, ValueError, TypeError) as error:
            raise IndexFileError(f"条目分类器无法读取：{folder}") from error


def _tokens(text: str) -> list[str]:
    return [*tokenize.ngrams(text), *tokenize.words(text)]


def _row(counts: Counter[str], vocabulary: dict[str, int], idf: _Floats) -> tuple[NDArray[np.int64], _Floats]:
    """Rows of the known tokens and their weights: tf-idf with sublinear tf, unit length."""
    found = [(vocabulary[token], 1 + math.log(n)) for token, n in counts.items() if token in vocabulary]
    ids = np.array([row for row, _ in found], dtype=np.int64)
    values = np.array([weight for _, weight in found], dtype=np.float32) * idf[ids]
    length = float(np.linalg.norm(values))
    return ids, values / length if length else values


def _softmax_regression(
    grams: sparse.csr_matrix, dense: _Floats, owners: NDArray[np.int64], items: int, marks: NDArray[np.uint64]
) -> tuple[_Floats, _Floats]:
    """Weights after a few steps of Adam (Kingma and Ba 2015) from zero on the cross entropy."""
    weights = [np.zeros((part.shape[1], items), dtype=np.float32) for part in (grams, dense)]
    means = [np.zeros_like(part) for part in weights]
    squares = [np.zeros_like(part) for part in weights]
    everything = np.arange(len(owners))
    sizes = np.maximum(np.bincount(owners, minlength=items), 1)
    usual = np.median(sizes)
    held = np.minimum(np.log(sizes / usual), 0)
    held += np.where(sizes > _MANY * usual, np.maximum(np.log(sizes / sizes.sum() / _SHARE), 0), 0)
    given = held.astype(np.float32)
    drawn = min(_ROWS, max(1024, _SCORES // max(items, 1)))
    for step in range(1, _STEPS + 1):
        rows = everything if len(owners) <= drawn else _draw(marks, step, drawn)
        x, z = grams[rows], dense[rows]
        error = np.asarray(x @ weights[0]) + z @ weights[1] + given
        error -= error.max(axis=1, keepdims=True)
        np.exp(error, out=error)
        error /= error.sum(axis=1, keepdims=True)
        error[np.arange(len(rows)), owners[rows]] -= 1
        error /= len(rows)
        gradients = (np.asarray(x.T.tocsr() @ error), z.T @ error)
        for parts in zip(weights, means, squares, gradients, strict=True):
            for start in range(0, len(parts[0]), _BLOCK):
                _adam(step, *(part[start : start + _BLOCK] for part in parts))
    return weights[0], weights[1]


def _adam(step: int, weight: _Floats, mean: _Floats, square: _Floats, gradient: _Floats) -> None:
    """One step, in place; of some rows at a time, so that they stay in the processor's cache."""
    mean += 0.1 * (gradient - mean)
    square += 0.001 * (gradient * gradient - square)
    weight -= _RATE * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)


def _marks(texts: Sequence[str]) -> NDArray[np.uint64]:
    """A number for each text, that hangs on nothing else."""
    digests = (hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest() for text in texts)
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def _draw(marks: NDArray[np.uint64], step: int, drawn: int) -> NDArray[np.int64]:
    """The wordings of one step: those whose mark, mixed with the step's number (splitmix64), is smallest.

    One more wording changes one place of a draw and no more.  Drawn at random by place, one more changed every draw: of 1,000
    questions 50 were then decided otherwise, wherever they belonged.
    """
    with np.errstate(over="ignore"):
        mixed = marks + np.uint64(step) * np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.sort(np.argpartition(mixed ^ (mixed >> np.uint64(31)), drawn)[:drawn])
