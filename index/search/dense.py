"""An inner-product index of unit vectors, kept by FAISS: which documents mean something alike.  Exact, or a graph for very many.

FAISS is imported where there is an index to build or to read: it takes a fifth of a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from index.search.lexical import IndexFileError

GRAPH_FROM = 50_000
"""Vectors from which on a graph is worth it where only the nearest count: .7 ms against 8 ms a query at 57,398 of 384
numbers, recall@10 .999 (``benchmarks/scale.py``)."""
_NEIGHBOURS, _BUILD_WIDTH = 32, 80
_NEAREST = 500
"""How many rows a graph is asked for when all are to be scored."""


class DenseIndex:
    """An immutable index. Rows are documents in the order they were given; scores of unit vectors are cosines."""

    def __init__(self, index: Any) -> None:
        """``index``: FAISS's IndexFlat or IndexHNSWFlat."""
        import faiss

        self._index = index
        self.exact = isinstance(index, faiss.IndexFlat)
        """Whether every row is looked at; a graph (HNSW, Malkov and Yashunin 2018) looks at the likely ones"""
        self._known: dict[bytes, NDArray[np.float32]] = {}
        if not self.exact:
            index.hnsw.efSearch = _NEAREST

    @classmethod
    def build(cls, vectors: NDArray[np.float32], *, graph: bool = False) -> Self:
        """Index ``vectors``, shape (documents, dim); as a graph if told so, which finds the nearest and scores no others.

        Raises:
            ValueError: the shape is not two-dimensional, or a value is not finite.
        """
        import faiss

        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        if vectors.ndim != 2 or not vectors.shape[1]:
            raise ValueError(f"vectors must have the shape (documents, dim), got {vectors.shape}")
        if not np.isfinite(vectors).all():
            raise ValueError("vectors hold values that are not finite")
        index: Any = faiss.IndexFlatIP(vectors.shape[1])
        if graph:
            index = faiss.IndexHNSWFlat(vectors.shape[1], _NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
            index.hnsw.efConstruction = _BUILD_WIDTH
        index.add(vectors)
        return cls(index)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dim(self) -> int:
        """Numbers in a vector."""
        return int(self._index.d)

    def search(self, vectors: NDArray[np.float32], k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The nearest ``k`` documents of each query vector, shape (queries, dim): scores (falling) and rows,
        both of shape (queries, min(k, documents)).

        Raises:
            ValueError: the vectors' dimension is not the index's.
        """
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        if vectors.ndim != 2 or vectors.shape[1] != self.dim:
            raise ValueError(f"query vectors must have the shape (queries, {self.dim}), got {vectors.shape}")
        k = min(k, len(self))
        if k < 1:
            return np.zeros((len(vectors), 0), np.float32), np.zeros((len(vectors), 0), np.int64)
        scores, rows = self._index.search(vectors, k)
        return scores, rows

    def scores(self, vector: NDArray[np.float32], rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Score of every document, or of some rows alone, for one query vector of shape (dim,); shape (documents,) or (rows,).

        Of all documents, a graph gives 0 to the far ones.
        """
        if vector.shape != (self.dim,):
            raise ValueError(f"the query vector must have the shape ({self.dim},), got {vector.shape}")
        if (known := self._known.get(vector.tobytes())) is not None:
            return known if rows is None else known[rows]
        if rows is not None:
            return _products(self.some(rows), vector)
        if not self.exact:
            scores = np.zeros(len(self), dtype=np.float32)
            near, rows = self.search(vector[None], _NEAREST)
            scores[rows[0][rows[0] >= 0]] = near[0][rows[0] >= 0]
            return scores
        return _products(self.all(), vector)

    def replaced(self, start: int, stop: int, vectors: NDArray[np.float32]) -> DenseIndex:
        """The index with the documents from ``start`` to ``stop`` replaced by others."""
        own = self._index.reconstruct_n(0, len(self))
        return DenseIndex.build(np.concatenate([own[:start], vectors, own[stop:]]))

    def expecting(self, vectors: NDArray[np.float32]) -> DenseIndex:
        """The same index, which knows the scores of these vectors, shape (queries, dim): found at once, that is several times faster."""
        other = copy(self)
        if self.exact and len(self):
            scores = vectors @ self.all().T
            scores.setflags(write=False)
            other._known = dict(zip((vector.tobytes() for vector in vectors), scores, strict=True))
        return other

    def all(self) -> NDArray[np.float32]:
        """All vectors, shape (documents, dim): of an exact index as FAISS holds them, to be read only as long as the index is there."""
        if not self.exact:
            return self.some(range(len(self)))
        import faiss

        held = faiss.rev_swig_ptr(self._index.get_xb(), len(self) * self.dim)
        return np.asarray(held, dtype=np.float32).reshape(len(self), self.dim)

    def some(self, rows: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float32]:
        """The vectors of some documents, shape (rows, dim)."""
        return np.asarray(self._index.reconstruct_batch(np.asarray(rows, dtype=np.int64)))

    def save(self, path: Path) -> None:
        """Write FAISS's own file format.

        Raises:
            OSError: the file cannot be written.
        """
        import faiss

        try:
            faiss.write_index(self._index, str(path))
        except RuntimeError as error:
            raise OSError(f"cannot write {path}: {error}") from error

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            IndexFileError: the file is missing, damaged or holds another kind of index.
        """
        import faiss

        try:
            index = faiss.read_index(str(path))
        except (RuntimeError, MemoryError) as error:
            raise IndexFileError(f"向量索引无法读取：{path}") from error
        if (
            not isinstance(index, faiss.IndexFlat | faiss.IndexHNSWFlat)
            or index.metric_type != faiss.METRIC_INNER_PRODUCT
        ):
            raise IndexFileError(f"向量索引的类型不对：{path}")
        return cls(index)


def _products(vectors: NDArray[np.float32], vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """Inner products of vectors, shape (rows, dim), with one.

    FAISS's kernel on one thread, not numpy: BLAS would start threads, and on busy cores those cost 9 ms a query.
    """
    import faiss

    products = np.zeros(len(vectors), dtype=np.float32)
    vector = np.ascontiguousarray(vector, dtype=np.float32)
    faiss.fvec_inner_products_ny(  # type: ignore[attr-defined]
        faiss.swig_ptr(products), faiss.swig_ptr(vector), faiss.swig_ptr(vectors), vectors.shape[1], len(vectors)
    )
    return products
