"""Which category a request belongs to, and who answers for it: suggested with a probability and the reasons, or 待分类.

Two looks at the text are put together in one regression: its words, and its vector of the bundled encoder.  It was fitted by ``training.categories`` on the project's own requests and on the knowledge's wordings; the most similar request of those is
shown as a reason.  Served from arrays: no scikit-learn is needed.  Without the bundled encoder the words decide alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
import structlog
from numpy.typing import NDArray

from bot.tickets.categories import UNSORTED, Catalogue, bundled
from index.danger.classifier import grams
from index.encoder import BUNDLED, Encoder, checksum

log = structlog.get_logger(__name__)

FILE = Path(__file__).with_name("categories.npz")
OFFERED = 3
"""So many categories are offered at most"""
_WORDS = 4
"""So many words are named as a reason"""
_LEAST = 4
"""Fewer letters than that say nothing"""


@dataclass(frozen=True)
class Reason:
    """Why a category is suggested."""

    entry: str
    """What the dispatch catalogue says of it"""
    words: tuple[str, ...]
    """Words of the text that speak for it most"""
    similar: str | None
    """A request of the same category that is much like it"""


@dataclass(frozen=True)
class Candidate:
    """A category that it may be."""

    code: str
    name: str
    department_code: str
    department: str
    probability: float
    reason: Reason


@dataclass(frozen=True)
class Suggestion:
    """What is suggested, the likeliest first."""

    scheme: str
    """Of the tree that the codes are from"""
    candidates: tuple[Candidate, ...]
    sure: bool
    """Whether the first is likely enough to be filled in; else the ticket stays 待分类 until somebody picks one"""

    @property
    def best(self) -> Candidate | None:
        """The likeliest."""
        return self.candidates[0] if self.candidates else None

    @property
    def code(self) -> str | None:
        """The category to be filled in; None: 待分类."""
        return self.candidates[0].code if self.sure and self.candidates else None


class Limits(NamedTuple):
    """Probabilities of the first candidate."""

    sure_at: float
    """From here on it is filled in"""
    offer_at: float
    """Below this none is offered: 待分类"""


class Suggester:
    """Fitted arrays; see ``training.categories.fit``."""

    def __init__(
        self,
        codes: Sequence[str],
        terms: Sequence[str],
        idf: NDArray[np.float32],
        word_weights: NDArray[np.float32],
        vector_weights: NDArray[np.float32],
        examples: Sequence[tuple[str, str]],
        vectors: NDArray[np.float32],
        limits: Limits,
        temperature: float,
    ) -> None:
        """Args:
        codes: of the bundled tree; the rows of the weights, whose last column is the intercept.
        examples: requests with their codes; ``vectors``: theirs, unit length.
        temperature: what the scores are divided by, so that a probability says how often it is right.
        """
        self.codes = list(codes)
        self._rows = {term: row for row, term in enumerate(terms)}
        self._terms = list(terms)
        self._idf, self._words, self._vectors = idf, word_weights, vector_weights
        self.examples, self._examples = list(examples), vectors
        self.limits, self._temperature = limits, temperature

    def scores_of(self, text: str, vector: NDArray[np.float32] | None) -> NDArray[np.float64]:
        """Of every code, in the order of ``codes``; ``vector``: the text's, by the bundled encoder."""
        return self._scores(self._weighed(text), vector)

    def _scores(self, weighed: dict[int, float], vector: NDArray[np.float32] | None) -> NDArray[np.float64]:
        scores = self._word_scores(weighed).astype(np.float64)
        if vector is not None:
            scores += self._vectors[:, :-1] @ vector + self._vectors[:, -1]
        return scores

    def suggest(self, text: str, encoder: Encoder | None, catalogue: Catalogue | None = None) -> Suggestion:
        """What a text is about.

        Args:
            catalogue: the tree whose codes are wanted; another than the bundled one says by ``same_as`` which codes it stands for.
        """
        own, wanted = bundled(), catalogue or bundled()
        weighed = self._weighed(text)
        if sum(letter.isalnum() for letter in text) < _LEAST or not weighed:
            return Suggestion(wanted.id, (), sure=False)
        vector = _vector(text, encoder)
        probabilities = _softmax(self._scores(weighed, vector) / self._temperature)
        share: dict[str, float] = {}
        stands_for: dict[str, str] = {}
        for at, code in enumerate(self.codes):
            target = code if wanted.id == own.id else _theirs(wanted).get(code)
            if target is not None:
                share[target] = share.get(target, 0.0) + float(probabilities[at])
                best = stands_for.get(target)
                if best is None or probabilities[at] > probabilities[self.codes.index(best)]:
                    stands_for[target] = code
        order = sorted(share, key=lambda code: -share[code])[:OFFERED]
        if not order or share[order[0]] < self.limits.offer_at:
            return Suggestion(wanted.id, (), sure=False)
        found = []
        for code in order:
            who = wanted.lead(code)
            reason = Reason(
                f"{wanted.second[code][1].name}：{wanted.second[code][1].covers}（{wanted.second[code][1].basis}）",
                self._reasons(text, weighed, self.codes.index(stands_for[code])),
                self._similar(vector, stands_for[code]),
            )
            found.append(
                Candidate(code, wanted.name(code) or UNSORTED, who.code, who.name, round(share[code], 3), reason)
            )
        return Suggestion(wanted.id, tuple(found), share[order[0]] >= self.limits.sure_at)

    def _weighed(self, text: str) -> dict[int, float]:
        """Term → its share of the text, as in training: tf-idf, unit length."""
        counts: dict[int, int] = {}
        for gram in grams(text):
            if (row := self._rows.get(gram)) is not None:
                counts[row] = counts.get(row, 0) + 1
        values = {row: (1 + np.log(count)) * float(self._idf[row]) for row, count in counts.items()}
        length = float(np.sqrt(sum(value * value for value in values.values()))) or 1.0
        return {row: value / length for row, value in values.items()}

    def _word_scores(self, weighed: dict[int, float]) -> NDArray[np.float32]:
        rows = np.fromiter(weighed, dtype=np.int64, count=len(weighed))
        values = np.fromiter(weighed.values(), dtype=np.float32, count=len(weighed))
        scores: NDArray[np.float32] = self._words[:, :-1][:, rows] @ values + self._words[:, -1]
        return scores

    def _reasons(self, text: str, weighed: dict[int, float], at: int) -> tuple[str, ...]:
        """The words of the text that speak most for a category, of overlapping ones the strongest."""
        speaking = sorted(
            ((float(self._words[at, row]) * value, self._terms[row]) for row, value in weighed.items()), reverse=True
        )
        kept: list[str] = []
        for weight, term in speaking:
            word = term.removeprefix(":")
            if weight <= 0 or len(kept) == _WORDS:
                break
            # As it was written: what was repaired before it was looked up is not in the text.
            if len(word) > 1 and word in text and not any(word in other or other in word for other in kept):
                kept.append(word)
        return tuple(kept)

    def _similar(self, vector: NDArray[np.float32] | None, code: str) -> str | None:
        if vector is None:
            return None
        scores = self._examples @ vector
        own = [at for at, (_, other) in enumerate(self.examples) if other == code]
        return self.examples[max(own, key=lambda at: float(scores[at]))][0] if own else None

    def save(self, path: Path) -> None:
        """Write it; weights and vectors in a byte each."""
        arrays: dict[str, NDArray[np.generic]] = {}
        for name, values in (("words", self._words), ("vectors", self._vectors), ("examples", self._examples)):
            scale = np.abs(values).max(axis=1, keepdims=True) / 127 + 1e-12
            arrays[name] = np.round(values / scale).astype(np.int8)
            arrays[f"{name}_scale"] = scale.astype(np.float32)
        about = {
            "codes": self.codes,
            "examples": self.examples,
            "limits": self.limits._asdict(),
            "temperature": self._temperature,
        }
        np.savez_compressed(
            path,
            terms=np.frombuffer("\n".join(self._terms).encode(), dtype=np.uint8),
            idf=self._idf.astype(np.float16),
            about=np.frombuffer(json.dumps(about, ensure_ascii=False).encode(), dtype=np.uint8),
            **arrays,  # type: ignore[arg-type]
        )

    @classmethod
    def load(cls, path: Path) -> Suggester:
        """Read what ``save`` wrote."""
        with np.load(path) as data:
            about = json.loads(data["about"].tobytes())
            words, vectors, examples = (
                data[name].astype(np.float32) * data[f"{name}_scale"] for name in ("words", "vectors", "examples")
            )
            return cls(
                about["codes"],
                data["terms"].tobytes().decode().split("\n"),
                data["idf"].astype(np.float32),
                words,
                vectors,
                [(text, code) for text, code in about["examples"]],
                examples,
                Limits(**about["limits"]),
                about["temperature"],
            )


def _theirs(wanted: Catalogue) -> dict[str, str]:
    """Code of the bundled tree → the city's code that stands for it."""
    return {code: one.code for _, one in wanted.second.values() for code in one.same_as}


def _vector(text: str, encoder: Encoder | None) -> NDArray[np.float32] | None:
    if encoder is None or encoder.checksum != _bundled_checksum():
        return None
    vector: NDArray[np.float32] = encoder.encode([text])[0]
    return vector if np.any(vector) else None


@lru_cache(maxsize=1)
def _bundled_checksum() -> str:
    return checksum(BUNDLED)


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = np.exp(scores - scores.max())
    return np.asarray(shifted / shifted.sum())


@lru_cache(maxsize=1)
def suggester() -> Suggester | None:
    """The bundled one; None where it can't be read: then tickets stay 待分类."""
    try:
        return Suggester.load(FILE)
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        log.error("categories.unreadable", reason=f"{type(error).__name__}: {error}")
        return None


def suggest(text: str, encoder: Encoder | None, catalogue: Catalogue | None = None) -> Suggestion:
    """What a text is about, by the bundled suggester."""
    found = suggester()
    if found is None:
        return Suggestion((catalogue or bundled()).id, (), sure=False)
    return found.suggest(text, encoder, catalogue)
