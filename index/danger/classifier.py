"""How likely a message tells of danger now, and of which kind: logistic regressions over characters, their pairs and words.

Fitted by ``training.danger`` on the project's own sentences, served from arrays: no index, no encoder and no scikit-learn is
needed.  Vectors of the bundled encoder were tried beside the characters and made it worse (``docs/decisions/0034``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import structlog
from numpy.typing import NDArray

from bot import guards
from bot.danger import KINDS, Kind
from index.search import tokenize
from index.search.normalise import normalise

log = structlog.get_logger(__name__)

FILE = Path(__file__).with_name("classifier.npz")


def grams(text: str) -> list[str]:
    """What the classifier sees of a message: characters, pairs of neighbours, and words (marked with a colon)."""
    said = guards.plain(normalise(text).text)
    pairs = [said[at : at + 2] for at in range(len(said) - 1)]
    return [*said, *pairs, *(f":{word}" for word in tokenize.words(said))]


@dataclass(frozen=True)
class Limits:
    """Probabilities from which on a message gets the card, the caring question, or either while a danger is open."""

    card_at: float
    ask_at: float
    care_at: float
    """Like ``ask_at`` where somebody may think of suicide: when in doubt, care"""
    open_at: float


class DangerClassifier:
    """One binary regression for danger, and one of thirteen classes for its kind."""

    def __init__(
        self,
        terms: list[str],
        idf: NDArray[np.float32],
        weights: NDArray[np.float32],
        intercepts: NDArray[np.float32],
        kinds: list[Kind],
        limits: Limits,
    ) -> None:
        """``weights``: shape (1 + kinds, terms), the first row for danger itself."""
        self._rows = {term: row for row, term in enumerate(terms)}
        self._idf, self._weights, self._intercepts, self.kinds = idf, weights, intercepts, kinds
        self.limits = limits

    def probability(self, text: str) -> tuple[float, list[Kind]]:
        """How likely the message tells of danger now (0…1), and the kinds that it may be, the likeliest first."""
        counts: dict[int, int] = {}
        for gram in grams(text):
            if (row := self._rows.get(gram)) is not None:
                counts[row] = counts.get(row, 0) + 1
        rows = np.fromiter(counts, dtype=np.int64, count=len(counts))
        values = (1 + np.log(np.fromiter(counts.values(), dtype=np.float32, count=len(counts)))) * self._idf[rows]
        length = float(np.linalg.norm(values)) or 1.0
        scores = self._weights[:, rows] @ (values / length) + self._intercepts
        order = np.argsort(-scores[1:])
        return float(1 / (1 + np.exp(-scores[0]))), [self.kinds[int(at)] for at in order]

    def save(self, path: Path) -> None:
        """Write it; weights in half precision."""
        np.savez_compressed(
            path,
            terms=np.frombuffer("\n".join(self._rows).encode(), dtype=np.uint8),
            idf=self._idf.astype(np.float16),
            weights=self._weights.astype(np.float16),
            intercepts=self._intercepts.astype(np.float32),
            about=np.frombuffer(
                json.dumps({"kinds": self.kinds, "limits": self.limits.__dict__}).encode(), dtype=np.uint8
            ),
        )

    @classmethod
    def load(cls, path: Path) -> DangerClassifier:
        """Read what ``save`` wrote."""
        with np.load(path) as data:
            about = json.loads(data["about"].tobytes())
            kinds: list[Kind] = [kind for kind in KINDS if kind in about["kinds"]]
            if kinds != about["kinds"]:
                raise ValueError("the classifier's kinds are not ours")
            return cls(
                data["terms"].tobytes().decode().split("\n"),
                data["idf"].astype(np.float32),
                data["weights"].astype(np.float32),
                data["intercepts"],
                kinds,
                Limits(**about["limits"]),
            )


@lru_cache
def bundled() -> DangerClassifier | None:
    """The project's own; None where it can't be read: then the patterns hear alone, and ``/readyz`` says so."""
    try:
        return DangerClassifier.load(FILE)
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        log.error("danger.patterns_alone", reason=f"{type(error).__name__}: {error}")
        return None
