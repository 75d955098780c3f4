"""BM25 over token lists, kept by bm25s: which documents share rare words with the query.

bm25s brings SciPy along, which takes a while to import: that waits until there is an index to build or to read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from bot.errors import YihaodaError

if TYPE_CHECKING:
    import bm25s

K1, B = 1.5, 0.75
_EMPTY = ""  # stands in for the tokens of a document that has none; no query ever holds it


class IndexFileError(YihaodaError):
    """An index file cannot be read: it is missing, cut short or not what it should be."""


class BM25Index:
    """An immutable BM25 index (Lucene's variant). Rows are documents in the order they were given."""

    def __init__(self, index: bm25s.BM25, documents: int) -> None:
        self._index = index
        self._documents = documents
        self._vocabulary: dict[str, int] = index.vocab_dict
        self._idf: dict[str, float] = {}

    @classmethod
    def build(cls, token_lists: Iterable[Sequence[str]]) -> Self:
        """Index documents given as token lists; an iterator is read once and not kept.

        Raises:
            ValueError: there is no document.
        """
        import bm25s

        vocabulary: dict[str, int] = {_EMPTY: 0}
        rows = [[vocabulary.setdefault(token, len(vocabulary)) for token in tokens] for tokens in token_lists]
        if not rows:
            raise ValueError("没有可以建立索引的文档")
        if not any(rows):  # bm25s divides by the average length
            rows = [[0] for _ in rows]
        index = bm25s.BM25(k1=K1, b=B)
        index.index((rows, vocabulary), create_empty_token=False, show_progress=False)
        return cls(index, len(rows))

    def __len__(self) -> int:
        return self._documents

    def scores(self, query_tokens: Sequence[str]) -> NDArray[np.float32]:
        """Score of every document, shape (documents,); 0 where no token is shared. Unknown tokens count nothing."""
        ids = [self._vocabulary[token] for token in query_tokens if token and token in self._vocabulary]
        if not ids:
            return np.zeros(self._documents, dtype=np.float32)
        return np.asarray(self._index.get_scores_from_ids(ids), dtype=np.float32)

    def top(self, query_tokens: Sequence[str], k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The best ``k`` documents that share a token with the query: scores (falling) and rows, at most k of each."""
        scores = self.scores(query_tokens)
        k = min(k, len(scores))
        rows = np.argpartition(-scores, k - 1)[:k] if k else np.zeros(0, dtype=np.int64)
        rows = rows[np.lexsort((rows, -scores[rows]))]
        rows = rows[scores[rows] > 0]
        return scores[rows], rows

    def frequency(self, token: str) -> int:
        """In how many documents it stands."""
        row = self._vocabulary.get(token) if token else None
        bounds = self._index.scores["indptr"]
        return 0 if row is None else int(bounds[row + 1] - bounds[row])

    def average_length(self, row: int, tokens: Sequence[str]) -> float:
        """Tokens of a document on average: the index keeps no lengths, but each score depends on it.

        Args:
            row: any document that is not empty; ``tokens``: what it was indexed with.
        """
        token = tokens[0]
        rows, scores = self.postings(token)
        found = float(scores[np.flatnonzero(rows == row)[0]])
        short = tokens.count(token) * (self.idf(token) / found - 1)
        return B * len(tokens) / (short / K1 - 1 + B)

    def postings(self, token: str) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The rows of the documents that have a token of the vocabulary, and what it adds to their scores."""
        place = self._vocabulary[token]
        start, end = (int(self._index.scores["indptr"][place + more]) for more in (0, 1))
        return self._index.scores["indices"][start:end], self._index.scores["data"][start:end]

    def idf(self, token: str) -> float:
        """ln(1 + (N - n + 0.5) / (n + 0.5)) for a token in n of N documents; an unseen token has n = 0, the highest."""
        known = self._idf.get(token)
        if known is not None:
            return known
        n = self.frequency(token)
        value = math.log(1 + (self._documents - n + 0.5) / (n + 0.5))
        if n:  # unseen tokens are without number
            self._idf[token] = value
        return value

    def save(self, folder: Path) -> None:
        """Write plain numpy arrays and JSON into ``folder``, which is made if needed."""
        self._index.save(folder, show_progress=False)

    @classmethod
    def load(cls, folder: Path, mmap: bool = True) -> Self:
        """Read what `save` wrote; nothing in it is executed. With ``mmap`` the arrays stay on disk until used.

        Raises:
            IndexFileError: a file is missing or damaged.
        """
        import bm25s

        try:
            index = bm25s.BM25.load(folder, mmap=mmap, allow_pickle=False, show_progress=False)
            documents = int(index.scores["num_docs"])
            for name in (
                "indptr",
                "indices",
                "data",
            ):  # of numpy's memmap every slice is an object of its own, 300 a query
                index.scores[name] = np.asarray(index.scores[name])
            bounds, rows, data = (index.scores[name] for name in ("indptr", "indices", "data"))
            sound = (
                len(bounds) == len(index.vocab_dict) + 1
                and bounds[0] == 0
                and bounds[-1] == len(rows) == len(data)
                and bool(np.all(np.diff(bounds) >= 0))
                and (not len(rows) or 0 <= int(rows.min()) <= int(rows.max()) < documents)
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, json.JSONDecodeError) as error:
            raise IndexFileError(f"关键词索引无法读取：{folder}（{error}）") from error
        if not sound:
            raise IndexFileError(f"关键词索引已损坏：{folder}")
        return cls(index, documents)
