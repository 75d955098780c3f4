"""The second tier: passages of policy documents, for questions that no reviewed Q&A answers.

They are found, marked and shown as they stand (政策原文), never merged into an answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from index.encoder import Encoder
from index.search import tokenize
from index.search.dense import GRAPH_FROM, DenseIndex
from index.search.lexical import BM25Index, IndexFileError
from index.search.normalise import clean

SHOWN = 3
"""Passages shown for a question, at most."""
COVERAGE = 0.6
"""Share (by idf) of a question's words that a passage must hold to be shown.  The law has other words than the citizen:
vectors may order what is shown, they alone show nothing.  At 0.6, of NCPPolicies' development questions 81 % are shown
something, the right document among it for 89 % of these; of 400 questions on other subjects 4 %."""
_DOCUMENTS = ("document_chars", "document_words")
"""Where the whole documents lie.  A passage says where the answer is, its document what it is about: on NCPPolicies' development share the right document
is first for .830 of the questions with both, .776 by passages alone, .795 by documents alone"""
_SENTENCE = re.compile(r"[^。；！？\n]+[。；！？]?")


@dataclass(frozen=True)
class PolicyPassage:
    """One passage as the index keeps it."""

    document_id: str
    title: str
    region: str
    label: str
    text: str


@dataclass(frozen=True)
class Found:
    """A passage for a question, and the sentence of it that comes nearest."""

    passage: PolicyPassage
    score: float
    """0…1: mean of what characters and vectors make of it, and characters and words of its document, each as a share of the question's best"""
    sentence: tuple[int, int]
    """Offsets in the passage's text, from and to"""


class PolicyTexts:
    """An immutable set of passages, searchable."""

    def __init__(
        self,
        passages: Sequence[PolicyPassage],
        chars: BM25Index,
        words: BM25Index,
        documents: tuple[BM25Index, BM25Index] | None,
        dense: DenseIndex | None,
    ) -> None:
        """``documents``: whole ones by characters and by words, in the order of their first passages; None in an index of before."""
        self.passages = list(passages)
        self._chars, self._words, self._documents, self._dense = chars, words, documents, dense
        self._bags = [clean(_full(passage)) for passage in self.passages]
        places = {id_: place for place, id_ in enumerate(dict.fromkeys(one.document_id for one in passages))}
        self._owners = np.array([places[one.document_id] for one in passages], dtype=np.int64)

    @classmethod
    def build(cls, passages: Sequence[PolicyPassage], encoder: Encoder | None) -> Self | None:
        """Index ``passages``; None if there are none."""
        if not passages:
            return None
        texts = cls.encoded(passages)
        return cls.over(
            passages, DenseIndex.build(encoder.encode(texts), graph=len(texts) >= GRAPH_FROM) if encoder else None
        )

    @classmethod
    def over(cls, passages: Sequence[PolicyPassage], dense: DenseIndex | None) -> Self:
        """Index ``passages``, whose vectors are known."""
        texts = cls.encoded(passages)
        whole: dict[str, str] = {}
        for one in passages:
            whole[one.document_id] = f"{whole.get(one.document_id, one.title)} {one.label} {one.text}"
        documents = [clean(text) for text in whole.values()]
        chars, words, document_chars, document_words = (
            BM25Index.build(map(cut, said)) for said in (texts, documents) for cut in (tokenize.ngrams, tokenize.words)
        )
        return cls(passages, chars, words, (document_chars, document_words), dense)

    @staticmethod
    def encoded(passages: Sequence[PolicyPassage]) -> list[str]:
        """The texts whose vectors ``build`` asks for."""
        return [clean(_full(passage)) for passage in passages]

    def save(self, folder: Path) -> None:
        """Write into ``folder``, which is made."""
        folder.mkdir()
        rows = [asdict(passage) for passage in self.passages]
        (folder / "passages.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
        self._chars.save(folder / "chars")
        self._words.save(folder / "words")
        for name, index in zip(_DOCUMENTS, self._documents or (), strict=False):
            index.save(folder / name)
        if self._dense is not None:
            self._dense.save(folder / "dense.faiss")

    @classmethod
    def load(cls, folder: Path, encoder: Encoder | None) -> Self | None:
        """Read what ``save`` wrote; None if nothing was.  Raises: IndexFileError."""
        if not folder.exists():
            return None
        try:
            rows = json.loads((folder / "passages.json").read_text(encoding="utf-8"))
            passages = [PolicyPassage(**row) for row in rows]
        except (OSError, ValueError, TypeError) as error:
            raise IndexFileError(f"政策原文的索引无法读取：{folder}") from error
        return cls(
            passages,
            BM25Index.load(folder / "chars"),
            BM25Index.load(folder / "words"),
            (BM25Index.load(folder / _DOCUMENTS[0]), BM25Index.load(folder / _DOCUMENTS[1]))
            if (folder / _DOCUMENTS[0]).exists()
            else None,
            DenseIndex.load(folder / "dense.faiss") if encoder else None,
        )

    def search(self, query: str, encoder: Encoder | None, regions: frozenset[str]) -> list[Found]:
        """The passages that hold most of a normalised question's words, best first, one a clause, at most ``SHOWN``.

        Args:
            regions: codes of the regions whose documents hold where the citizen is.
        """
        words, grams = _words(query), tokenize.ngrams(query)
        mean = self.scores(query, encoder)
        found: list[Found] = []
        seen: set[tuple[str, str]] = set()
        for row in np.argsort(-mean, kind="stable")[: 20 * SHOWN]:
            passage = self.passages[row]
            clause = (passage.document_id, passage.label or passage.text)
            if passage.region not in regions or clause in seen or self.coverage(words, int(row)) < COVERAGE:
                continue
            seen.add(clause)
            found.append(Found(passage, float(mean[row]), self._nearest_sentence(passage.text, grams)))
            if len(found) == SHOWN:
                break
        return found

    def scores(self, query: str, encoder: Encoder | None) -> NDArray[np.float32]:
        """Of every passage: ``Found.score``."""
        grams, words = tokenize.ngrams(query), _words(query)
        scores = [_share(self._chars.scores(grams))]
        if self._documents is not None:
            by_document = zip(self._documents, (grams, words), strict=True)
            scores += [_share(index.scores(said))[self._owners] for index, said in by_document]
        else:
            scores.append(_share(self._words.scores(words)))
        if self._dense is not None and encoder is not None:
            scores.append(_share(self._dense.scores(encoder.encode([query])[0])))
        return np.asarray(np.mean(scores, axis=0), dtype=np.float32)

    def coverage(self, words: Sequence[str], row: int) -> float:
        """Share by idf, 0…1, of ``words`` that a passage, or its document's title, holds."""
        weights = [self._words.idf(word) for word in words]
        total = sum(weights)
        held = sum(weight for word, weight in zip(words, weights, strict=True) if word in self._bags[row])
        return held / total if total else 0.0

    def _nearest_sentence(self, text: str, grams: Sequence[str]) -> tuple[int, int]:
        """Offsets of the sentence that has most of the question's characters and bigrams, by idf, for its length."""
        wanted = {gram: self._chars.idf(gram) for gram in set(grams)}
        best, place = -1.0, (0, len(text))
        for match in _SENTENCE.finditer(text):
            has = set(tokenize.ngrams(clean(match.group())))
            score = sum(weight for gram, weight in wanted.items() if gram in has) / (len(has) + 40) ** 0.5
            if score > best:
                best, place = score, match.span()
        return place


def _words(query: str) -> list[str]:
    return [word for word in dict.fromkeys(tokenize.words(query)) if word.strip()]


def _full(passage: PolicyPassage) -> str:
    return f"{passage.title} {passage.label} {passage.text}"


def _share(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    best = float(scores.max()) if len(scores) else 0.0
    return np.asarray(np.maximum(scores, 0) / (best or 1.0), dtype=np.float32)
