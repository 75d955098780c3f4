"""Knowledge in, candidates out: BM25 over characters and words, a classifier, vectors, and the features that tell them apart.

Every wording of a Q&A (its question and its similar questions) is a row of its own; an item is as good as its best row.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from bot.errors import InvalidInput
from index.encoder import Encoder
from index.search import tokenize
from index.search.changed import ChangedBM25, ChangedClassifier
from index.search.classifier import ItemClassifier
from index.search.dense import DenseIndex
from index.search.lexical import BM25Index, IndexFileError
from index.search.lexicon import official_words
from index.search.normalise import canonical, clean
from index.search.terms import terms_in

FEATURES = ("char", "word", "answer", "official", "learned", "dense", "centroid", "passage", "coverage", "overlap")
"""What the ranker knows of a candidate, each about 0…1:

char      BM25 over characters and bigrams of its best wording, over what the query could reach
word      the same over jieba words
answer    the same over characters of question and answer together
official  like char, with the official words for the query's colloquial ones added (see ``lexicon``)
learned   log-probability that the item classifier gives it, 1 for certain, 0 from e⁻⁸ down (see ``classifier``)
dense     cosine of the query and its nearest wording
centroid  mean cosine of the query and all its wordings
passage   cosine of the query and the nearest sentence of the answer
coverage  how much of the query's words (by idf; unseen words weigh most) occur anywhere in the item
overlap   how much of the best wording's characters and bigrams (by idf) the query has
"""

_REMEMBERED = 64
"""Queries whose vectors are kept"""

_NEIGHBOURS = 30
"""Items that a changed one is told apart from anew"""

_WORDINGS = 100_000
"""Wordings and items that are kept cut up: versions share most of them"""

_POOL = 12
"""How many items each way of searching proposes."""

_COMPARED = 100
"""How many items, the nearest as a whole, have each of their wordings compared with the query"""

_UNLIKELY = 8.0
"""Log-probabilities below minus this say nothing more."""

_ANSWERED = 0.9
"""Cosine from which on a wording asks what was said to be unanswered: an item answers it now"""

_UNANSWERED = "unanswered.json"

_NOTHING_KNOWN = (0.85, 0.7)
"""``unanswered_like`` of knowledge for which nobody said what it does not answer: rather much, so that nothing is surer for it"""

_ALIKE = 8
"""Items that a text is compared with."""

_SAYS_ENOUGH = 4
"""Characters from which on a whole wording stands for itself; shorter (怎么办) anything may be meant."""
_STORY = 60
"""A wording of more characters speaks of more than what it asks"""

_SENTENCE_END = re.compile(r"[。；！？\n]")
_SHORTEST = 4
"""Shorter pieces of an answer say nothing by themselves."""

_TF_CEILING = 2.5
"""BM25's k1 + 1: idf sums are divided by it, so that an identical wording of average length scores about 1."""


@dataclass(frozen=True)
class Item:
    """One Q&A as retrieval sees it."""

    id: str
    matter: str
    region: str
    audience: str
    texts: tuple[str, ...]
    """Question first, then similar questions"""
    answer: str


@dataclass(frozen=True)
class Candidate:
    """One item proposed for a query, with what speaks for it."""

    item: Item
    features: NDArray[np.float64]
    """Shape (len(FEATURES),)"""
    wording: str
    """The item's wording that is nearest by characters"""
    few: float = 0.0
    """How few wordings it has: log of a usual item's number over its own, 0 from there on"""


class Retriever:
    """An immutable set of items, searchable."""

    def __init__(
        self,
        items: Sequence[Item],
        chars: BM25Index,
        words: BM25Index,
        answers: BM25Index,
        dense: DenseIndex | None,
        passages: DenseIndex | None,
        classifier: ItemClassifier,
        encoder: Encoder | None,
        unanswered: Sequence[str] = (),
        unanswered_dense: DenseIndex | None = None,
    ) -> None:
        self.items = list(items)
        self.unanswered = list(unanswered)
        """What none of the items answers; the classifier has a class of its own for it, behind the items'"""
        self._rows = [text for item in items for text in item.texts]
        self._sizes = np.array([len(item.texts) for item in items])
        self._starts = np.cumsum([0, *self._sizes])[:-1]
        self._few = np.maximum(np.log(np.median(self._sizes) / self._sizes), 0) if items else self._sizes
        self._chars, self._words, self._answers = chars, words, answers
        self._dense, self._passages, self.encoder = dense, passages, encoder
        self._classifier, self._unanswered_dense = classifier, unanswered_dense
        self._passage_starts = np.cumsum([0] + [len(_passages(item)) for item in items])[:-1]
        self._means = None
        """Of each item's wordings the mean vector: its product with a query's is the mean of their cosines"""
        if dense is not None:
            sums = np.add.reduceat(dense.all(), self._starts, axis=0)
            self._means = DenseIndex.build(sums / self._sizes[:, None])
        self._index = {item.id: row for row, item in enumerate(self.items)}
        self._items_worded: dict[str, set[str]] = {}
        for item in self.items:
            for text in item.texts:
                self._items_worded.setdefault(_said(text), set()).add(item.id)
        self._worded = "\n".join(self._items_worded)
        """All canonical wordings, one a line: looked through as one text"""
        self.vector = lru_cache(_REMEMBERED)(self._vector)
        """A query's; None without an encoder.  Kept for whoever asks for the same again"""
        self._learned = lru_cache(_REMEMBERED)(self._log_probabilities)
        self._bags = [_everything(item) for item in items]
        self._totals: dict[int, float] = {}
        """By a wording's row: the idf of its characters in all"""

    @classmethod
    def build(cls, items: Sequence[Item], encoder: Encoder | None, unanswered: Sequence[str] = ()) -> Self:
        """Index ``items``.

        Args:
            unanswered: cleaned questions that none of them answers, so that what is like these is not answered either.  One
                that an item's wording asks is left out.

        Raises:
            InvalidInput: there are no items.
        """
        if not items:
            raise InvalidInput("知识库是空的，没有可以建立索引的问答。")
        rows = [clean(text) for item in items for text in item.texts]
        answers = [_bag(item) for item in items]
        vectors = encoder.encode(rows) if encoder else None
        none_vectors = encoder.encode(unanswered) if encoder and unanswered else None
        kept = _still_unanswered(unanswered, none_vectors, rows, vectors)
        unanswered = [unanswered[row] for row in kept]
        none_vectors = none_vectors[kept] if none_vectors is not None else None
        return cls(
            items,
            BM25Index.build([tokenize.ngrams(row) for row in rows]),
            BM25Index.build([tokenize.words(row) for row in rows]),
            BM25Index.build([tokenize.ngrams(answer) for answer in answers]),
            DenseIndex.build(vectors) if vectors is not None else None,
            DenseIndex.build(encoder.encode([text for item in items for text in _passages(item)])) if encoder else None,
            ItemClassifier.train(
                [*rows, *unanswered],
                np.append(_owners(items), np.full(len(unanswered), len(items))),
                len(items) + bool(unanswered),
                vectors if none_vectors is None or vectors is None else np.concatenate([vectors, none_vectors]),
            ),
            encoder,
            unanswered,
            DenseIndex.build(none_vectors) if none_vectors is not None and len(kept) else None,
        )

    @staticmethod
    def encoded(items: Sequence[Item], unanswered: Sequence[str] = ()) -> list[str]:
        """The texts whose vectors ``build`` asks for."""
        return [
            *(clean(text) for item in items for text in item.texts),
            *(p for item in items for p in _passages(item)),
            *unanswered,
        ]

    def save(self, folder: Path) -> None:
        """Write everything but the encoder into ``folder``."""
        (folder / "items.json").write_text(
            json.dumps([vars(item) for item in self.items], ensure_ascii=False), encoding="utf-8"
        )
        self._chars.save(folder / "chars")
        self._words.save(folder / "words")
        self._answers.save(folder / "answers")
        self._classifier.save(folder / "classifier")
        if self._dense is not None and self._passages is not None:
            self._dense.save(folder / "dense.faiss")
            self._passages.save(folder / "passages.faiss")
        if self.unanswered:
            (folder / _UNANSWERED).write_text(json.dumps(self.unanswered, ensure_ascii=False), encoding="utf-8")
            if self._unanswered_dense is not None:
                self._unanswered_dense.save(folder / "unanswered.faiss")

    @classmethod
    def load(cls, folder: Path, encoder: Encoder | None) -> Self:
        """Read what ``save`` wrote; vectors are used only with their ``encoder``.  Raises: IndexFileError."""
        try:
            raw = json.loads((folder / "items.json").read_text(encoding="utf-8"))
            items = [Item(**{**entry, "texts": tuple(entry["texts"])}) for entry in raw]
            file = folder / _UNANSWERED
            unanswered = [str(text) for text in json.loads(file.read_text(encoding="utf-8"))] if file.exists() else []
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise IndexFileError(f"索引的条目清单无法读取：{folder}") from error
        return cls(
            items,
            BM25Index.load(folder / "chars"),
            BM25Index.load(folder / "words"),
            BM25Index.load(folder / "answers"),
            DenseIndex.load(folder / "dense.faiss") if encoder else None,
            DenseIndex.load(folder / "passages.faiss") if encoder else None,
            ItemClassifier.load(folder / "classifier"),
            encoder,
            unanswered,
            DenseIndex.load(folder / "unanswered.faiss") if encoder and unanswered else None,
        )

    def reading_with(self, encoder: Encoder | None) -> Retriever:
        """The same knowledge, its queries' vectors from an encoder that gives the same ones."""
        other = copy(self)
        other.encoder = encoder
        other.vector = lru_cache(_REMEMBERED)(other._vector)
        other._learned = lru_cache(_REMEMBERED)(other._log_probabilities)
        return other

    @property
    def identity(self) -> object:
        """One and the same for all retrievers that search the same index."""
        return self._chars

    def expecting(self, vectors: NDArray[np.float32]) -> Retriever:
        """The same knowledge, which will be asked for these vectors, shape (queries, dim), one after the other."""
        other = self.reading_with(self.encoder)
        other._dense, other._unanswered_dense = (
            one and one.expecting(vectors) for one in (self._dense, self._unanswered_dense)
        )
        return other

    def vectors(self) -> NDArray[np.float32] | None:
        """Of all wordings, shape (rows, dim)."""
        return None if self._dense is None else self._dense.all()

    def two_nearest(self, vectors: NDArray[np.float32]) -> list[tuple[int, float, float]]:
        """For each vector the place of the item with the nearest wording, its cosine, and that of the nearest of another item."""
        if (own := self.vectors()) is None:
            return []
        cosines = np.maximum.reduceat(vectors @ own.T, self._starts, axis=1)
        first = cosines.argmax(axis=1)
        best = cosines[np.arange(len(cosines)), first]
        cosines[np.arange(len(cosines)), first] = -1.0
        return [
            (int(place), float(one), float(other))
            for place, one, other in zip(first, best, cosines.max(axis=1), strict=True)
        ]

    def changed(self, item: Item) -> Retriever:
        """As if ``item`` stood in place of the one with its id, or, where there is none, behind all others; not built anew.

        A first estimate: exact but for what ``index.search.changed`` says.
        """
        place = self._index.get(item.id, len(self.items))
        old = self.items[place : place + 1]
        items = [*self.items[:place], item, *self.items[place + 1 :]]
        start, stop = (int(np.append(self._starts, len(self._rows))[place]) for place in (place, place + len(old)))
        before, after = ([clean(text) for one in part for text in one.texts] for part in (old, [item]))
        first = clean(self._rows[0])

        def worded(live: BM25Index, cut: Callable[[str], list[str]]) -> ChangedBM25:
            average = live.average_length(0, cut(first))
            return ChangedBM25(live, start, stop, [cut(one) for one in before], [cut(one) for one in after], average)

        answers = ChangedBM25(
            self._answers,
            place,
            place + len(old),
            [tokenize.ngrams(_bag(one)) for one in old],
            [tokenize.ngrams(_bag(item))],
            self._answers.average_length(0, tokenize.ngrams(_bag(self.items[0]))),
        )
        dense, passages, vectors = self._dense, self._passages, None
        if self.encoder is not None and dense is not None and passages is not None:
            vectors = self.encoder.encode(after)
            dense = dense.replaced(start, stop, vectors)
            ends = np.append(self._passage_starts, len(passages))
            span = (int(ends[place]), int(ends[place + len(old)]))
            passages = passages.replaced(*span, self.encoder.encode(_passages(item)))
        return Retriever(
            items,
            worded(self._chars, tokenize.ngrams),
            worded(self._words, tokenize.words),
            answers,
            dense,
            passages,
            self._reclassified(place, old, item, vectors),
            self.encoder,
            *self._unanswered_beside(after, vectors),
        )

    def _unanswered_beside(
        self, wordings: Sequence[str], vectors: NDArray[np.float32] | None
    ) -> tuple[list[str], DenseIndex | None]:
        """What is unanswered still, where an item has these wordings.  The classifier's class for it stays as it is."""
        if self._unanswered_dense is None:
            return self.unanswered, None
        own = self._unanswered_dense.all()
        kept = _still_unanswered(self.unanswered, own, wordings, vectors)
        if not kept or len(kept) == len(own):
            return self.unanswered, self._unanswered_dense
        return [self.unanswered[place] for place in kept], DenseIndex.build(own[kept])

    def _reclassified(
        self, place: int, old: Sequence[Item], item: Item, vectors: NDArray[np.float32] | None
    ) -> ItemClassifier:
        """The classifier with the item's own part trained anew among its neighbours."""
        if old and old[0].texts == item.texts:
            return self._classifier
        near = self._neighbours(place if old else None, item, vectors)
        rows = [row for one in near for row in range(int(self._starts[one]), int(self._starts[one] + self._sizes[one]))]
        others = self._dense.some(rows) if self._dense is not None else None

        def trained(own: Item, own_vectors: NDArray[np.float32] | None) -> ItemClassifier:
            group = [own, *(self.items[one] for one in near)]
            texts = [clean(text) for one in group for text in one.texts]
            both = np.concatenate([own_vectors, others]) if own_vectors is not None and others is not None else None
            return ItemClassifier.train(texts, _owners(group), len(group), both)

        without = None
        if old:
            own = range(int(self._starts[place]), int(self._starts[place] + self._sizes[place]))
            without = trained(old[0], self._dense.some(own) if self._dense is not None else None)
        return ChangedClassifier(self._classifier, place, near, without, trained(item, vectors))

    def _neighbours(self, place: int | None, item: Item, vectors: NDArray[np.float32] | None) -> list[int]:
        """Places of the items whose wordings are most like the item's."""
        likeness = np.zeros(len(self.items))
        for number, text in enumerate(item.texts):
            if vectors is not None and self._dense is not None:
                likeness = np.maximum(likeness, np.maximum.reduceat(self._dense.scores(vectors[number]), self._starts))
            else:
                grams = tokenize.ngrams(clean(text))
                likeness += np.maximum.reduceat(self._chars.scores(grams), self._starts) / _ceiling(self._chars, grams)
        if place is not None:
            likeness[place] = -np.inf
        return [int(one) for one in np.argsort(-likeness, kind="stable")[:_NEIGHBOURS] if likeness[one] > -np.inf]

    def candidates(self, *queries: str) -> list[Candidate]:
        """The items that any way of searching proposes for a normalised query, in no order.

        Several queries are several readings of one message (a follow-up alone, and with what was said before): features
        are their means.
        """
        readings = [self._scores(query) for query in queries]
        pool = {place for by_item, _ in readings for scores in by_item.values() for place in _best(scores, _POOL)}
        # Wordings and sentences are the most that a search would read: they are compared where something else is near.
        near = pool.union(*(_best(by_item["centroid"], _COMPARED) for by_item, _ in readings if "centroid" in by_item))
        looked_at = sorted(near)
        for query, (by_item, _) in zip(queries, readings, strict=True):
            if (cosines := self._nearest(self._dense, self._starts, query, looked_at)) is not None:
                by_item["dense"] = dict(zip(looked_at, cosines, strict=True))
                pool.update(looked_at[number] for number in _best(cosines, _POOL))
        places = sorted(pool)
        for query, (by_item, _) in zip(queries, readings, strict=True):
            if (cosines := self._nearest(self._passages, self._passage_starts, query, places)) is not None:
                by_item["passage"] = dict(zip(places, cosines, strict=True))
        ends = np.append(self._starts[1:], len(self._rows))
        query_grams = [set(tokenize.ngrams(query)) for query in queries]
        gram_weights = [{gram: self._chars.idf(gram) for gram in grams} for grams in query_grams]
        query_words = [self._weighed(word for word in set(tokenize.words(query)) if word.strip()) for query in queries]
        features, wordings = [], []
        for index in places:
            start, end = int(self._starts[index]), int(ends[index])
            rows = [start + int(np.argmax(char_rows[start:end])) for _, char_rows in readings]
            wordings.append(self._rows[rows[0]])
            features += [
                [
                    *(by_item[name][index] if name in by_item else 0.0 for name in FEATURES[:-2]),
                    _coverage(words, self._bags[index]),
                    self._overlap(grams, weights, row),
                ]
                for (by_item, _), words, grams, weights, row in zip(
                    readings, query_words, query_grams, gram_weights, rows, strict=True
                )
            ]
        means = np.reshape(features, (len(places), len(readings), len(FEATURES))).mean(axis=1)
        return [
            Candidate(self.items[index], own, wording, float(self._few[index]))
            for index, own, wording in zip(places, means, wordings, strict=True)
        ]

    def _vector(self, query: str) -> NDArray[np.float32] | None:
        return self.encoder.encode([query])[0] if self.encoder is not None else None

    def _log_probabilities(self, query: str) -> NDArray[np.float64]:
        """The classifier's, of every item and, where that is known, of what none of them answers."""
        return self._classifier.log_probabilities(query, self.vector(query))

    def _scores(self, query: str) -> tuple[dict[str, Any], NDArray[Any]]:
        """Every item's score by each way of searching, and every wording's by characters."""
        grams, words = tokenize.ngrams(query), tokenize.words(query)
        char_rows: NDArray[Any] = self._chars.scores(grams) / _ceiling(self._chars, grams)
        by_item: dict[str, Any] = {
            "char": np.maximum.reduceat(char_rows, self._starts),
            "word": np.maximum.reduceat(self._words.scores(words), self._starts) / _ceiling(self._words, words),
            "answer": self._answers.scores(grams) / _ceiling(self._answers, grams),
        }
        by_item["official"] = by_item["char"]
        if more := tokenize.ngrams(" ".join(official_words(query))):
            official = [*grams, *more]
            official_rows = self._chars.scores(official) / _ceiling(self._chars, official)
            by_item["official"] = np.maximum.reduceat(official_rows, self._starts)
        vector = self.vector(query)
        by_item["learned"] = np.maximum(1 + self._learned(query)[: len(self.items)] / _UNLIKELY, 0)
        if self._means is not None and vector is not None:
            by_item["centroid"] = self._means.scores(vector)
        return by_item, char_rows

    def _nearest(
        self, index: DenseIndex | None, starts: NDArray[np.int64], query: str, places: Sequence[int]
    ) -> NDArray[np.float32] | None:
        """Of each of some items the cosine of what is nearest to a query of its own; None without vectors.

        Args:
            starts: where each item's own begin among the vectors of ``index``.
        """
        vector = self.vector(query)
        if vector is None or index is None or not places:
            return None
        ends = np.append(starts[1:], len(index))
        rows = [np.arange(starts[place], ends[place]) for place in places]
        first = np.cumsum([0, *(len(own) for own in rows)])[:-1]
        return np.maximum.reduceat(index.scores(vector, np.concatenate(rows)), first)

    def alike(self, text: str, most: int = _ALIKE) -> list[tuple[Item, str, float, bool]]:
        """The items with a wording nearest to a text: (item, wording, likeness, by words), the nearest first.

        Likeness is a cosine; without an encoder, by words, the share of neighbouring characters in common.
        """
        cleaned = clean(text)
        vector = self.vector(cleaned) if self._dense is not None else None
        if vector is not None and self._dense is not None:
            scores: NDArray[Any] = self._dense.scores(vector)
        else:
            grams = set(tokenize.ngrams(cleaned))
            scores = np.zeros(len(self._rows))
            for row in np.argsort(-self._chars.scores(sorted(grams)), kind="stable")[: 4 * most]:
                wording = _grams(self._rows[row])
                scores[row] = len(grams & wording) / max(len(grams | wording), 1)
        ends = np.append(self._starts[1:], len(self._rows))
        best = np.maximum.reduceat(scores, self._starts)
        found = []
        for place in np.argsort(-best, kind="stable")[:most]:
            start, end = int(self._starts[place]), int(ends[place])
            row = start + int(np.argmax(scores[start:end]))
            found.append((self.items[place], self._rows[row], float(scores[row]), vector is None))
        return found

    def exact(self, query: str) -> frozenset[str]:
        """Ids of the items that have a normalised query among their wordings, but for particles and such."""
        wording = canonical(query)
        return frozenset(self._items_worded.get(wording, ())) if len(wording) >= _SAYS_ENOUGH else frozenset()

    def matters_worded(self, wording: str) -> Counter[str]:
        """How many of each matter's wordings hold a canonical text; stories, which speak of more than they ask, left out."""
        found: Counter[str] = Counter()
        at = self._worded.find(wording)
        while at >= 0:
            start, end = self._worded.rfind("\n", 0, at) + 1, self._worded.find("\n", at)
            end = len(self._worded) if end < 0 else end
            if end - start <= _STORY:
                found.update(self.items[self._index[id_]].matter for id_ in self._items_worded[self._worded[start:end]])
            at = self._worded.find(wording, end + 1)
        return found

    def weight(self, gram: str) -> float:
        """How rare characters that neighbour one another are (idf)."""
        return self._chars.idf(gram)

    def place(self, item_id: str) -> int:
        """Where an item stands in the knowledge, from 0."""
        return self._index[item_id]

    def unseen(self, query: str) -> float:
        """Share (by idf, 0…1) of the query's words that occur nowhere in the knowledge."""
        words = set(tokenize.words(query))
        weights = {word: self._words.idf(word) for word in words}
        total = sum(weights.values())
        if not total:
            return 1.0
        return sum(weight for word, weight in weights.items() if not self._is_said(word)) / total

    def _is_said(self, word: str) -> bool:
        """Whether it occurs anywhere in the knowledge: most words are a word of some wording, or have characters that stand side by
        side nowhere, and both are known at once."""
        if self._words.frequency(word):
            return True
        if not word.isascii():  # of Latin letters and digits a part is no token
            pairs = tokenize.ngrams(word)
            if not all(self._chars.frequency(one) or self._answers.frequency(one) for one in pairs):
                return False
        return any(word in bag for bag in self._bags)

    def foreign(self, query: str, item_id: str) -> int:
        """How many domain terms the query names that its would-be answer never mentions, at most 2."""
        bag = self._bags[self._index[item_id]]
        return min(2, sum(term not in bag for term in terms_in(query)))

    def unanswered_like(self, query: str) -> tuple[float, float]:
        """How much a normalised query is like what no item answers: cosine to the nearest such question (0 without vectors), and
        the log-probability that the classifier gives to all of them, as ``learned``."""
        if not self.unanswered:
            return _NOTHING_KNOWN
        vector = self.vector(query) if self._unanswered_dense is not None else None
        nearest = 0.0
        if vector is not None and self._unanswered_dense is not None:
            nearest = float(self._unanswered_dense.scores(vector).max())
        return nearest, max(1 + float(self._learned(query)[len(self.items)]) / _UNLIKELY, 0.0)

    def covers(self, query: str, item_id: str) -> float:
        """How much of a query's words (by idf, 0…1) occurs anywhere in an item, answer included."""
        return _coverage(self._weighed(tokenize.words(query)), self._bags[self._index[item_id]])

    def _weighed(self, words: Iterable[str]) -> list[tuple[str, float]]:
        return [(word, self._words.idf(word)) for word in words]

    def _overlap(self, query: set[str], weights: Mapping[str, float], row: int) -> float:
        """How much of a wording (by idf, 0…1) the query has; ``weights``: the query's."""
        wording = _grams(self._rows[row])
        total = self._totals.get(row)
        if total is None:
            total = self._totals[row] = sum(self._chars.idf(gram) for gram in wording)
        return sum(weights[gram] for gram in wording & query) / total if total else 0.0


def _best(scores: NDArray[Any], most: int) -> list[int]:
    """Places of the highest scores, as far as they are above zero."""
    best = np.argpartition(-scores, min(most, len(scores) - 1))[:most]
    return [int(place) for place in best if scores[place] > 0]


def _still_unanswered(
    texts: Sequence[str], vectors: NDArray[np.float32] | None, rows: Sequence[str], own: NDArray[np.float32] | None
) -> list[int]:
    """Places of the texts that no wording asks; ``own``: the wordings' vectors."""
    asked = {canonical(row) for row in rows}
    kept = [place for place, text in enumerate(texts) if canonical(text) not in asked]
    if vectors is None or own is None:
        return kept
    nearest = np.concatenate(
        [(vectors[start : start + 256] @ own.T).max(axis=1) for start in range(0, len(texts), 256)]
    )
    return [place for place in kept if nearest[place] < _ANSWERED]


def _coverage(words: Sequence[tuple[str, float]], bag: str) -> float:
    total = sum(weight for _, weight in words)
    return sum(weight for word, weight in words if word in bag) / total if total else 0.0


@lru_cache(maxsize=_WORDINGS)
def _said(wording: str) -> str:
    """A wording as ``exact`` compares it."""
    return canonical(clean(wording))


@lru_cache(maxsize=_WORDINGS)
def _grams(wording: str) -> frozenset[str]:
    return frozenset(tokenize.ngrams(clean(wording)))


@lru_cache(maxsize=_WORDINGS)
def _everything(item: Item) -> str:
    """All that an item says."""
    return clean(" ".join((item.matter, *item.texts, item.answer)))


def _bag(item: Item) -> str:
    """What an item's answer is found by."""
    return clean(f"{item.matter} {item.texts[0]} {item.answer}")


def _owners(items: Sequence[Item]) -> NDArray[np.int64]:
    """The item of each wording."""
    return np.repeat(np.arange(len(items)), [len(item.texts) for item in items])


def sentences_of(answer: str) -> list[str]:
    """An answer's sentences, cleaned; what is too short to say something by itself left out."""
    sentences = (clean(sentence) for sentence in _SENTENCE_END.split(answer))
    return [sentence for sentence in sentences if len(sentence) >= _SHORTEST]


def _passages(item: Item) -> list[str]:
    """The question, and the answer's sentences."""
    return [clean(item.texts[0]), *sentences_of(item.answer)]


def _ceiling(index: BM25Index, tokens: Sequence[str]) -> float:
    return max(sum(index.idf(token) for token in set(tokens)) / _TF_CEILING, 1e-6)
