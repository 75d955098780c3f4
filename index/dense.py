"""An exact inner-product index of unit vectors, kept by FAISS: which documents mean something alike."""

from pathlib import Path
from typing import Self

import faiss
import numpy as np
from numpy.typing import NDArray

from .lexical import IndexFileError


class DenseIndex:
    """An immutable flat index. Rows are documents in the order they were given; scores of unit vectors are cosines."""

    def __init__(self, index: faiss.IndexFlat) -> None:
        self._index = index

    @classmethod
    def build(cls, vectors: NDArray[np.float32]) -> Self:
        """Index ``vectors``, shape (documents, dim).

        Raises:
            ValueError: the shape is not two-dimensional, or a value is not finite.
        """
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        if vectors.ndim != 2 or not vectors.shape[1]:
            raise ValueError(f"vectors must have the shape (documents, dim), got {vectors.shape}")
        if not np.isfinite(vectors).all():
            raise ValueError("vectors hold values that are not finite")
        index = faiss.IndexFlatIP(vectors.shape[1])
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

    def scores(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Score of every document for one query vector of shape (dim,); shape (documents,)."""
        if vector.shape != (self.dim,):
            raise ValueError(f"the query vector must have the shape ({self.dim},), got {vector.shape}")
        scores = np.zeros(len(self), dtype=np.float32)
        vector = np.ascontiguousarray(vector, dtype=np.float32)
        # FAISS's kernel on one thread, not numpy: BLAS would start threads, and on busy cores those cost 9 ms a query.
        faiss.fvec_inner_products_ny(  # type: ignore[attr-defined]
            faiss.swig_ptr(scores), faiss.swig_ptr(vector), self._index.get_xb(), self.dim, len(self)
        )
        return scores

    def save(self, path: Path) -> None:
        """Write FAISS's own file format.

        Raises:
            OSError: the file cannot be written.
        """
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
        try:
            index = faiss.read_index(str(path))
        except (RuntimeError, MemoryError) as error:
            raise IndexFileError(f"向量索引无法读取：{path}") from error
        if not isinstance(index, faiss.IndexFlat) or index.metric_type != faiss.METRIC_INNER_PRODUCT:
            raise IndexFileError(f"向量索引的类型不对：{path}")
        return cls(index)
