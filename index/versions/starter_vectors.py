"""The vectors that come with the project: those of the starter knowledge, so that a first start need not work them out.

``python -m training.starter_vectors`` writes them.  A number of a vector has eight bits here: cosines move by .001 or so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import structlog
from numpy.typing import NDArray

log = structlog.get_logger(__name__)

FILE = Path(__file__).with_suffix(".npy")
"""Rows of a key and a vector's direction, by key, uncompressed: git keeps what a change leaves as it was"""

_TOP = 127


def key(encoder: str, text: str) -> bytes:
    """Names a text's vector by the encoder of this checksum: 16 bytes."""
    return hashlib.sha256(f"{encoder}\n{text}".encode()).digest()[:16]


def find(keys: Sequence[bytes], dim: int) -> dict[bytes, NDArray[np.float32]]:
    """The unit vectors, of ``dim`` numbers, of those keys that the file has."""
    own, rows = _read(FILE)
    if not len(own) or rows.shape[1] != dim or not keys:
        return {}
    wanted = np.array([_short(one) for one in keys], dtype=np.uint64)
    places = np.minimum(np.searchsorted(own, wanted), len(own) - 1)
    there = np.flatnonzero(own[places] == wanted)
    vectors = rows[places[there]].astype(np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors /= np.where(lengths > 0, lengths, 1)
    return {keys[number]: vector for number, vector in zip(there.tolist(), vectors, strict=True)}


def write(keys: Sequence[bytes], vectors: NDArray[np.float32], file: Path = FILE) -> None:
    """Make the file anew of these, one row a key.  Raises: OSError."""
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    rows = np.empty(len(keys), dtype=[("key", "<u8"), ("vector", "i1", (vectors.shape[1],))])
    rows["key"] = [_short(one) for one in keys]
    rows["vector"] = np.rint(vectors / np.where(largest > 0, largest, 1) * _TOP)
    np.save(file, rows[np.unique(rows["key"], return_index=True)[1]])


def _short(key: bytes) -> int:
    """Enough to tell a few ten thousand texts apart: two of 40,000 share it once in 10¹⁰ times."""
    return int.from_bytes(key[:8], "little")


@lru_cache(1)
def _read(file: Path) -> tuple[NDArray[np.uint64], NDArray[np.int8]]:
    """Keys and rows; none where there is no such file, or nothing of the kind in it: vectors are worked out then."""
    try:
        rows = np.load(file, mmap_mode="r", allow_pickle=False)
        return np.ascontiguousarray(rows["key"]), rows["vector"]
    except (OSError, EOFError, ValueError, IndexError) as error:
        log.warning("starter_vectors.not_read", reason=str(error))
        return np.empty(0, dtype=np.uint64), np.empty((0, 0), dtype=np.int8)
