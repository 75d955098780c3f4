"""Hard negatives: passages that share the question's characters but do not answer it, found with BM25."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from index.search import tokenize
from index.search.lexical import BM25Index

from .pairs import Pair, Source

MINED = ("equals", "ncp_nonbench_answer", "taipei_faq", "gd_matter_title", "henan_faq", "legalqa", "cmrc2018")
"""Sets of questions and passages whose negatives are mined among their own passages."""

_FIRST, _LAST = 2, 40  # ranks looked at: the very first is too often another right answer
_SAME = 0.5  # share of character pairs from which on two passages count as the same
_LONGEST = 300  # characters of a passage that are compared and counted


def with_mined_negatives(source: Source, further: Sequence[str], wanted: int, seed: int) -> Source:
    """The source with up to ``wanted`` negatives a pair, out of its own passages and ``further`` ones."""
    passages = list(dict.fromkeys([pair.positive for pair in source.pairs]))
    passages += [text for text in further if text not in set(passages)]
    grams = [frozenset(tokenize.ngrams(text[:_LONGEST])) for text in passages]
    rows = {text: row for row, text in enumerate(passages)}
    index = BM25Index.build(tokenize.ngrams(text[:_LONGEST]) for text in passages)
    rng = random.Random(seed)

    def mine() -> Iterator[Pair]:
        for pair in source.pairs:
            scores = index.scores(tokenize.ngrams(pair.anchor))
            best = np.argpartition(-scores, min(_LAST, len(scores) - 1))[:_LAST]
            own = grams[rows[pair.positive]]
            found = [
                passages[row]
                for row in sorted(best.tolist(), key=lambda row: -scores[row])[_FIRST:]
                if scores[row] > 0 and len(grams[row] & own) < _SAME * min(len(grams[row]), len(own))
            ]
            yield replace(pair, negatives=tuple(rng.sample(found, min(wanted, len(found)))))

    return replace(source, pairs=list(mine()))
