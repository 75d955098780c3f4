"""Vectors kept from build to build, by text and encoder, so that an edit costs the encoding of its own text only."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import structlog
from numpy.typing import NDArray

from index.encoder import Encoder
from index.versions import starter_vectors

log = structlog.get_logger(__name__)

_BATCH = 500
"""Keys in one query; SQLite takes 999 at least."""
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_KEPT = 3
"""Builds after which a vector that none of them used is dropped."""


class CachedEncoder:
    """An ``Encoder`` that asks a file first, then what comes with the project.

    The file may be deleted at any time; damaged, it is made anew.
    """

    def __init__(self, encoder: Encoder, path: Path) -> None:
        self._encoder = encoder
        self._path = path
        self.name, self.checksum, self.dim = encoder.name, encoder.checksum, encoder.dim
        self.encoded = 0
        """Texts that had to be encoded so far"""
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._file = self._open(path)
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode in _DAMAGED:
                log.warning("vector_cache.made_anew", reason=str(error))
                path.unlink(missing_ok=True)
                self._file = self._open(path)
            else:  # a full disk, say: what the file holds stays for better days
                log.warning("vector_cache.not_used", reason=str(error))
                self._file = self._open(":memory:")

    def _open(self, path: Path | str) -> sqlite3.Connection:
        file = sqlite3.connect(path, timeout=30)
        file.execute("PRAGMA journal_mode=WAL")
        file.execute("PRAGMA synchronous=OFF")  # losing it costs time, nothing else
        file.execute(
            "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL, used INT NOT NULL)"
        )
        file.execute("CREATE TABLE IF NOT EXISTS builds (number INTEGER PRIMARY KEY)")
        with file:
            self._build = file.execute("INSERT INTO builds DEFAULT VALUES").lastrowid
        return file

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """As ``Encoder.encode``."""
        keys = [starter_vectors.key(self.checksum, text) for text in texts]
        known = self._known(keys)
        found = list(known)
        new = starter_vectors.find([key for key in dict.fromkeys(keys) if key not in known], self.dim)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known and key not in new}
        if missing:
            self.encoded += len(missing)
            new |= dict(zip(missing, self._encoder.encode(list(missing.values())), strict=True))
        known |= new
        self._keep(found, new)
        if not keys:
            return np.zeros((0, self.dim), dtype=np.float32)
        return np.stack([known[key] for key in keys])

    def _known(self, keys: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        known: dict[bytes, NDArray[np.float32]] = {}
        for batch in _batches(list(dict.fromkeys(keys))):
            marks = ",".join("?" * len(batch))
            for key, raw in self._file.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", batch):  # noqa: S608
                vector = np.frombuffer(raw, dtype=np.float32)
                if vector.shape == (self.dim,):
                    known[key] = vector
        return known

    def _keep(self, used: Sequence[bytes], new: Mapping[bytes, NDArray[np.float32]]) -> None:
        """For the next builds.  What can't be kept (disk full) costs them time, and this one nothing."""
        try:
            with self._file:
                for batch in _batches(used):
                    marks = ",".join("?" * len(batch))
                    self._file.execute(f"UPDATE vectors SET used = ? WHERE key IN ({marks})", [self._build, *batch])  # noqa: S608
                self._file.executemany(
                    "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)",
                    [(key, vector.tobytes(), self._build) for key, vector in new.items()],
                )
        except sqlite3.OperationalError as error:
            log.warning("vector_cache.not_kept", reason=str(error))

    def close(self) -> None:
        """Drop what the last builds did not use, and close the file."""
        with contextlib.suppress(sqlite3.DatabaseError), self._file:
            self._file.execute("DELETE FROM vectors WHERE used <= ?", [(self._build or 0) - _KEPT])
        self._file.close()


def _batches(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    return (keys[start : start + _BATCH] for start in range(0, len(keys), _BATCH))
