"""Measure an encoder on what it was not trained on: held-out questions to passages, and the project's own Q&A."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from index.encoder import Encoder

from .batches import HELD_OUT, is_held_out
from .pairs import Item, Source

_DEPTH = 10


def _ranks(scores: NDArray[np.float32], wanted: Sequence[set[int]]) -> NDArray[np.int64]:
    """For each row the place, from 0, of its best wanted column."""
    best = np.array([max(row[column] for column in columns) for row, columns in zip(scores, wanted, strict=True)])
    return np.asarray((scores > best[:, None]).sum(axis=1))


def _measures(ranks: NDArray[np.int64]) -> dict[str, float]:
    reciprocal = np.where(ranks < _DEPTH, 1 / (ranks + 1), 0)
    return {
        "hit1": round(float((ranks < 1).mean()), 4),
        "hit10": round(float((ranks < _DEPTH).mean()), 4),
        "mrr10": round(float(reciprocal.mean()), 4),
        "questions": len(ranks),
    }


def held_out_passages(encoder: Encoder, sources: Sequence[Source]) -> dict[str, float]:
    """Questions whose passage was held out, against all passages of the same sets.

    ``hit1`` and ``hit10``: a right passage is the first or among the first ten; ``mrr10``: 1 ÷ the place of the best.
    Titles of service matters are not asked: their passage begins with them.
    """
    passages: dict[str, int] = {}
    questions: dict[str, set[int]] = {}
    for source in sources:
        if source.name in HELD_OUT:
            for pair in source.pairs:
                row = passages.setdefault(pair.positive, len(passages))
                if is_held_out(source.name, pair) and source.name != "gd_matter_title":
                    questions.setdefault(pair.anchor, set()).add(row)
    scores = encoder.encode(list(questions)) @ encoder.encode(list(passages)).T
    return _measures(_ranks(scores, list(questions.values())))


def held_out_items(encoder: Encoder, items: Sequence[Item]) -> dict[str, float]:
    """Similar questions of the held-out items, each to find its item by the questions of all items."""
    asked = [(text, row) for row, item in enumerate(items) if item.held_out for text in item.similar]
    scores = encoder.encode([text for text, _ in asked]) @ encoder.encode([item.question for item in items]).T
    return _measures(_ranks(scores, [{row} for _, row in asked]))
