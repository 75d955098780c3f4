"""Tokenised training sets, and the batches drawn from them."""

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from .pairs import Pair, Source, key

HELD_OUT = ("equals", "ncp_nonbench_answer", "taipei_faq", "gd_matter_title", "henan_faq")
"""Sets of which a tenth of the passages is never trained on."""

PLAIN = "text:"
"""Sets made from plain text have names that start so."""

_BLOCK = 8  # neighbouring pairs of a plain text that enter a batch together


@dataclass(frozen=True, slots=True)
class Tokens:
    """Many tokenised texts in one array: text i is ``ids[ends[i]:ends[i + 1]]``."""

    ids: NDArray[np.int32]
    ends: NDArray[np.int64]

    @classmethod
    def encode(cls, tokenizer: Tokenizer, texts: list[str]) -> "Tokens":
        lengths: list[int] = []
        parts: list[NDArray[np.int32]] = []
        for start in range(0, len(texts), 20_000):
            for encoding in tokenizer.encode_batch(texts[start : start + 20_000], add_special_tokens=False):
                ids = np.array(encoding.ids, dtype=np.int32)
                parts.append(ids[ids > 0])
                lengths.append(len(parts[-1]))
        ids = np.concatenate(parts) if parts else np.zeros(0, np.int32)
        return cls(ids, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))

    def __len__(self) -> int:
        return len(self.ends) - 1

    def bags(
        self, rows: NDArray[np.int64], longest: int, dropout: float, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Token ids of ``rows`` one after another, and where each text begins and the last ends (rows + 1 places).

        A text of more than ``longest`` tokens is cropped at a random place; each token is left out with the
        probability ``dropout``.
        """
        starts = self.ends[rows]
        lengths = self.ends[rows + 1] - starts
        kept = np.minimum(lengths, longest)
        starts = starts + (rng.random(len(rows)) * (lengths - kept + 1)).astype(np.int64)
        offsets = np.concatenate([[0], np.cumsum(kept)])
        places = np.repeat(starts - offsets[:-1], kept) + np.arange(offsets[-1])
        keep = rng.random(len(places)) >= dropout
        return self.ids[places[keep]].astype(np.int64), np.concatenate([[0], np.cumsum(keep)])[offsets]


@dataclass(frozen=True, slots=True)
class Set:
    """A training set, tokenised. ``anchor_key`` and ``positive_key`` tell equal texts apart from different ones."""

    name: str
    weight: float
    anchors: Tokens
    positives: Tokens
    negatives: Tokens
    negatives_of: NDArray[np.int64]  # pair i has the rows negatives_of[i] … negatives_of[i + 1] of ``negatives``
    anchor_key: NDArray[np.int64]
    positive_key: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.anchor_key)

    def save(self, path: Path) -> None:
        """Keep the set, so that a second run need not tokenise again."""
        texts = {"anchors": self.anchors, "positives": self.positives, "negatives": self.negatives}
        arrays = {f"{name}_{part}": getattr(tokens, part) for name, tokens in texts.items() for part in ("ids", "ends")}
        keys = {name: getattr(self, name) for name in ("negatives_of", "anchor_key", "positive_key")}
        np.savez(path, **arrays, **keys)

    @classmethod
    def load(cls, path: Path, name: str, weight: float) -> "Set":
        with np.load(path, allow_pickle=False) as arrays:
            anchors, positives, negatives = (
                Tokens(arrays[f"{text}_ids"], arrays[f"{text}_ends"]) for text in ("anchors", "positives", "negatives")
            )
            keys = arrays["negatives_of"], arrays["anchor_key"], arrays["positive_key"]
            return cls(name, weight, anchors, positives, negatives, *keys)


def text_key(text: str) -> int:
    """A number that is the same for texts that differ in punctuation and case only."""
    return zlib.crc32(key(text).encode())


def is_held_out(name: str, pair: Pair) -> bool:
    """A tenth of the passages of the policy sets is never trained on: measures and fusion weights come from them."""
    return name in HELD_OUT and text_key(pair.positive) % 10 == 0


def tokenise(tokenizer: Tokenizer, source: Source) -> Set:
    """The pairs of a source that may be trained on, as token ids."""
    pairs = [pair for pair in source.pairs if not is_held_out(source.name, pair)]
    return Set(
        source.name,
        source.weight,
        Tokens.encode(tokenizer, [pair.anchor for pair in pairs]),
        Tokens.encode(tokenizer, [pair.positive for pair in pairs]),
        Tokens.encode(tokenizer, [negative for pair in pairs for negative in pair.negatives]),
        np.concatenate([[0], np.cumsum([len(pair.negatives) for pair in pairs])]).astype(np.int64),
        np.array([text_key(pair.anchor) for pair in pairs], dtype=np.int64),
        np.array([text_key(pair.positive) for pair in pairs], dtype=np.int64),
    )


@dataclass(frozen=True, slots=True)
class Draw:
    """Which pairs make one batch, and which texts are the same and so no negatives of each other."""

    chosen: Set
    rows: NDArray[np.int64]
    hard: NDArray[np.int64]  # rows of ``chosen.negatives``
    same: NDArray[np.bool_]  # (rows, rows), the diagonal False


def draw(sets: list[Set], batch: int, plain_share: float, rng: np.random.Generator) -> Draw:
    """A random batch of one set, which is drawn by its size times its weight.

    ``plain_share`` is the probability that the set is a plain-text one. Half of the plain-text batches are made of
    runs of neighbours: passages of the same document are the harder negatives.
    """
    sizes = np.array([len(chosen) * chosen.weight for chosen in sets])
    plain = np.array([chosen.name.startswith(PLAIN) for chosen in sets])
    shares = [sizes * kind / max((sizes * kind).sum(), 1e-9) for kind in (~plain, plain)]
    share = plain_share if plain.any() and not plain.all() else float(plain.all())
    chosen = sets[rng.choice(len(sets), p=share * shares[1] + (1 - share) * shares[0])]
    if len(chosen) < 4 * batch:
        rows = rng.permutation(len(chosen))[:batch]
    elif chosen.name.startswith(PLAIN) and rng.random() < 0.5:
        starts = rng.integers(len(chosen) - _BLOCK, size=batch // _BLOCK)
        rows = np.unique(starts[:, None] + np.arange(_BLOCK))
    else:
        rows = np.unique(rng.integers(len(chosen), size=batch))
    first, count = chosen.negatives_of[rows], np.diff(chosen.negatives_of)[rows]
    hard = (first + (rng.random(len(rows)) * count).astype(np.int64))[count > 0]
    same = (chosen.anchor_key[rows][:, None] == chosen.anchor_key[rows][None]) | (
        chosen.positive_key[rows][:, None] == chosen.positive_key[rows][None]
    )
    np.fill_diagonal(same, False)
    return Draw(chosen, rows, hard, same)
