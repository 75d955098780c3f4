"""Train the bundled encoder: ``python -m index.encoder.train --data DIR --out DIR``.

The model is a table of word vectors; a text's vector is their mean, and a word's length is its weight. It is trained
with a symmetric InfoNCE loss: in a batch of pairs each text has to find its partner among all others of the same
set (neighbours of the same kind are the harder negatives), plus labelled hard negatives where a set has them.

A run keeps its tokenised texts and a checkpoint under ``--work`` and goes on from there if it is interrupted. The
same seed and data give the same batches.
"""

import argparse
import json
import time
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch.nn import functional

from .pairs import Pair, Source, key, read_sources
from .tokenizer import build_tokenizer

HELD_OUT = ("equals", "ncp_nonbench_answer", "taipei_faq", "gd_matter_title", "henan_faq")


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides the result of a run, apart from the data."""

    vocabulary: int = 49_000
    dim: int = 256
    batch: int = 1024
    steps: int = 1_500
    learning_rate: float = 0.01
    temperature: float = 0.05
    token_dropout: float = 0.1
    longest: int = 96  # tokens of a text seen in one step; a longer one is cropped at a random place
    plain_share: float = 0.4  # share of batches drawn from plain text
    seed: int = 20


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

    def bags(
        self, rows: NDArray[np.int64], recipe: Recipe, rng: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Token ids and bag offsets of ``rows``, cropped and thinned at random, as `embedding_bag` wants them."""
        starts = self.ends[rows]
        lengths = self.ends[rows + 1] - starts
        kept = np.minimum(lengths, recipe.longest)
        starts = starts + (rng.random(len(rows)) * (lengths - kept + 1)).astype(np.int64)
        offsets = np.concatenate([[0], np.cumsum(kept)])
        places = np.repeat(starts - offsets[:-1], kept) + np.arange(offsets[-1])
        keep = rng.random(len(places)) >= recipe.token_dropout
        counts = np.concatenate([[0], np.cumsum(keep)])[offsets]
        return torch.from_numpy(self.ids[places[keep]].astype(np.int64)), torch.from_numpy(counts[:-1])


@dataclass(frozen=True, slots=True)
class Set:
    """A training set, tokenised. ``anchor_key`` and ``positive_key`` tell equal texts apart from different ones."""

    name: str
    weight: float
    anchors: Tokens
    positives: Tokens
    negatives: Tokens  # of those pairs that have one
    negative_of: NDArray[np.int64]  # for each pair its row in ``negatives``, or -1
    anchor_key: NDArray[np.int64]
    positive_key: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.anchor_key)

    def save(self, path: Path) -> None:
        """Keep the set under ``work``, so that a second run need not tokenise again."""
        texts = {"anchors": self.anchors, "positives": self.positives, "negatives": self.negatives}
        arrays = {f"{name}_{part}": getattr(tokens, part) for name, tokens in texts.items() for part in ("ids", "ends")}
        keys = {name: getattr(self, name) for name in ("negative_of", "anchor_key", "positive_key")}
        np.savez(path, **arrays, **keys)

    @classmethod
    def load(cls, path: Path, name: str, weight: float) -> "Set":
        with np.load(path, allow_pickle=False) as arrays:
            anchors, positives, negatives = (
                Tokens(arrays[f"{text}_ids"], arrays[f"{text}_ends"]) for text in ("anchors", "positives", "negatives")
            )
            keys = arrays["negative_of"], arrays["anchor_key"], arrays["positive_key"]
            return cls(name, weight, anchors, positives, negatives, *keys)


def text_key(text: str) -> int:
    """A number that is the same for texts that differ in punctuation and case only."""
    return zlib.crc32(key(text).encode())


def is_held_out(name: str, pair: Pair) -> bool:
    """A tenth of the passages of the policy sets is never trained on; fusion weights are fitted on them."""
    return name in HELD_OUT and text_key(pair.positive) % 10 == 0


def tokenise(tokenizer: Tokenizer, source: Source) -> Set:
    pairs = [pair for pair in source.pairs if not is_held_out(source.name, pair)]
    negative_of = np.full(len(pairs), -1, dtype=np.int64)
    with_negative = [row for row, pair in enumerate(pairs) if pair.negative]
    negative_of[with_negative] = np.arange(len(with_negative))
    return Set(
        source.name,
        source.weight,
        Tokens.encode(tokenizer, [pair.anchor for pair in pairs]),
        Tokens.encode(tokenizer, [pair.positive for pair in pairs]),
        Tokens.encode(tokenizer, [pairs[row].negative for row in with_negative]),
        negative_of,
        np.array([text_key(pair.anchor) for pair in pairs], dtype=np.int64),
        np.array([text_key(pair.positive) for pair in pairs], dtype=np.int64),
    )


def loss_of(
    weight: torch.Tensor, chosen: Set, rows: NDArray[np.int64], recipe: Recipe, rng: np.random.Generator
) -> torch.Tensor:
    """Symmetric InfoNCE over one batch; equal texts are masked, so they are never each other's negatives."""

    def embed(tokens: Tokens, which: NDArray[np.int64]) -> torch.Tensor:
        ids, offsets = tokens.bags(which, recipe, rng)
        return functional.normalize(functional.embedding_bag(ids, weight, offsets, mode="mean"), dim=-1)

    anchors, positives = embed(chosen.anchors, rows), embed(chosen.positives, rows)
    same = (chosen.anchor_key[rows][:, None] == chosen.anchor_key[rows][None]) | (
        chosen.positive_key[rows][:, None] == chosen.positive_key[rows][None]
    )
    np.fill_diagonal(same, False)
    scores = (anchors @ positives.T / recipe.temperature).masked_fill(torch.from_numpy(same), -1e4)
    target = torch.arange(len(rows))
    backward = functional.cross_entropy(scores.T, target)
    hard = chosen.negative_of[rows]
    if (hard >= 0).any():
        negatives = embed(chosen.negatives, hard[hard >= 0])
        scores = torch.cat([scores, anchors @ negatives.T / recipe.temperature], dim=1)
    return (functional.cross_entropy(scores, target) + backward) / 2


def train(
    sets: list[Set], size: int, recipe: Recipe, work: Path, log_every: int = 200, save_every: int = 1000
) -> torch.Tensor:
    """The trained table of word vectors, float32, shape (size, dim); row 0 (unknown) is zero.

    Goes on from ``work/checkpoint.pt`` if one of the same recipe is there; writes it each ``save_every`` steps.
    """
    generator = torch.Generator().manual_seed(recipe.seed)
    weight = torch.randn(size, recipe.dim, generator=generator) * 0.1
    weight.requires_grad_(True)
    optimiser = torch.optim.Adam([weight], lr=recipe.learning_rate, betas=(0.9, 0.99), fused=True)
    checkpoint = work / "checkpoint.pt"
    first = 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        if saved["recipe"] == asdict(recipe) and saved["weight"].shape == weight.shape:
            weight.data.copy_(saved["weight"])
            optimiser.load_state_dict(saved["optimiser"])
            first = saved["step"]
    sizes = np.array([len(chosen) * chosen.weight for chosen in sets])
    plain = np.array([chosen.name.startswith("text:") for chosen in sets])
    labelled_share = sizes * ~plain / max((sizes * ~plain).sum(), 1e-9)
    plain_share = sizes * plain / max((sizes * plain).sum(), 1e-9)
    began = time.monotonic()
    total = 0.0
    for step in range(first, recipe.steps):
        progress = step / recipe.steps
        # Plain text first, to place every word; labelled pairs more and more towards the end.
        share = min(0.95, 2 * recipe.plain_share * (1 - progress)) if plain.any() else 0.0
        rng = np.random.default_rng((recipe.seed, step))
        chosen = sets[rng.choice(len(sets), p=share * plain_share + (1 - share) * labelled_share)]
        rows = (
            rng.permutation(len(chosen))[: recipe.batch]
            if len(chosen) < 4 * recipe.batch
            else np.unique(rng.integers(len(chosen), size=recipe.batch))
        )
        warm = min(1.0, (step + 1) / 200)
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * warm * (1 - progress)
        optimiser.zero_grad(set_to_none=True)
        loss = loss_of(weight, chosen, rows, recipe, rng)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        total += loss.item()
        if (step + 1) % log_every == 0:
            minutes = (time.monotonic() - began) / 60
            print(f"step {step + 1}/{recipe.steps}  loss {total / log_every:.3f}  {minutes:.1f} min", flush=True)
            total = 0.0
        if (step + 1) % save_every == 0:
            state = {"recipe": asdict(recipe), "step": step + 1, "weight": weight.detach()}
            torch.save(state | {"optimiser": optimiser.state_dict()}, checkpoint)
    result = weight.detach().clone()
    result[0] = 0
    return result


def save_model(out: Path, tokenizer: Tokenizer, weight: torch.Tensor) -> None:
    """Write a sentence-transformers folder with half-precision weights."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding

    module = StaticEmbedding(tokenizer, embedding_weights=weight.half())
    SentenceTransformer(modules=[module, Normalize()], device="cpu").save(str(out), create_model_card=False)


def all_texts(sources: list[Source]) -> list[str]:
    """Every text once, for counting words."""
    return list({text for s in sources for pair in s.pairs for text in (pair.anchor, pair.positive)})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m index.encoder.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/ and bench/ (never bench queries)")
    parser.add_argument("--out", type=Path, required=True, help="folder for the finished model")
    parser.add_argument("--work", type=Path, help="folder for tokenised texts and checkpoints (default: OUT.work)")
    parser.add_argument("--threads", type=int, default=2)
    for name, value in asdict(Recipe()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    options = parser.parse_args()
    recipe = Recipe(**{name: getattr(options, name) for name in asdict(Recipe())})
    torch.set_num_threads(options.threads)
    work: Path = options.work or options.out.with_suffix(".work")
    work.mkdir(parents=True, exist_ok=True)

    began = time.monotonic()
    sources = read_sources(options.data, recipe.seed)
    tokenizer_file = work / f"tokenizer-{recipe.vocabulary}.json"
    if not tokenizer_file.exists():
        build_tokenizer(all_texts(sources), recipe.vocabulary).save(str(tokenizer_file))
    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    print(f"{tokenizer.get_vocab_size()} tokens, {time.monotonic() - began:.0f} s", flush=True)
    sets = []
    for source in sources:
        kept = work / f"{recipe.vocabulary}-{source.name.replace(':', '-')}.npz"
        if not kept.exists():
            tokenise(tokenizer, source).save(kept)
        sets.append(Set.load(kept, source.name, source.weight))
    print(f"{sum(map(len, sets))} pairs in {len(sets)} sets, {time.monotonic() - began:.0f} s", flush=True)
    weight = train(sets, tokenizer.get_vocab_size(), recipe, work)
    save_model(options.out, tokenizer, weight)
    (options.out / "recipe.json").write_text(json.dumps(asdict(recipe), indent=2) + "\n", encoding="utf-8")
    print(f"done in {(time.monotonic() - began) / 60:.1f} min", flush=True)


if __name__ == "__main__":
    main()
