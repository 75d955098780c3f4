"""待学习: how long grouping takes, how steady the groups are, and whether the order by expected help is worth it.  ``python -m benchmarks.review``

``--count`` questions are made of real wordings (starter knowledge, the project's question sets), each said in other words, with vectors moved
as far as two wordings of one item lie apart.  In a process of its own, so that its peak of memory is its own.  The learning curve: a simulated
city where it is known which groups we could answer; a reviewer takes groups in the order by expected help, or in a random one, and what they
teach answers so many questions of the next week.
"""

from __future__ import annotations

import argparse
import resource
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from bot.models.asked import Asked
from bot.review.reasons import Asking, figures
from bot.settings import get_settings
from index import replay
from index.encoder import load_encoder
from training.review import grouping

_SAID = ("请问", "我想问", "麻烦问下", "你好，", "")
_ENDS = ("", "？", "怎么办", "呢", "，急", "，谢谢")


@dataclass(frozen=True)
class Made:
    """Questions that were made up."""

    texts: list[str]
    """Different ones"""
    vectors: NDArray[np.float32]
    asked: list[int]
    """The text of each question"""


def make(count: int, seed: int) -> Made:
    """So many questions, a third of them said before in the same words."""
    rng = np.random.default_rng(seed)
    encoder = load_encoder(None)
    known = {one.normalised: one.vector for one in replay.projects(get_settings(), encoder) if one.vector is not None}
    sources = sorted(known)
    base = np.stack([known[text] for text in sources])
    weights = 1 / np.arange(1, len(sources) + 1) ** 0.8
    drawn = rng.choice(len(sources), count, p=weights / weights.sum())
    far = rng.uniform(0.1, 0.75, count)
    place: dict[str, int] = {}
    vectors: list[NDArray[np.float32]] = []
    asked = []
    for number in range(count):
        own = int(drawn[number])
        variant = int(rng.integers(0, 40))
        text = f"{_SAID[variant % len(_SAID)]}{sources[own]}{_ENDS[variant % len(_ENDS)]}·{variant}"
        if text not in place:
            noise = rng.standard_normal((base.shape[1],)).astype(np.float32)
            moved = base[own] + far[number] * noise / np.linalg.norm(noise)
            place[text] = len(vectors)
            vectors.append(moved / np.linalg.norm(moved))
        asked.append(place[text])
    return Made(list(place), np.stack(vectors).astype(np.float32), asked)


def kept_pairs(before: NDArray[np.int64], after: NDArray[np.int64]) -> float:
    """The share of pairs of one group that are of one group still."""
    pairs = sum(int(n) * (int(n) - 1) // 2 for n in np.bincount(before))
    both = before * (int(after.max()) + 1) + after
    _, counts = np.unique(both, return_counts=True)
    return float(sum(int(n) * (int(n) - 1) // 2 for n in counts) / max(1, pairs))


def _grouping(out: Console, count: int) -> None:
    made = make(count, 1)
    keys = made.texts
    start = time.perf_counter()
    labels = grouping.group(keys, made.vectors)
    took = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    again = grouping.group(keys[::-1], made.vectors[::-1])[::-1]
    out.print(f"{count} questions, {len(keys)} texts: {took:.1f} s, peak {peak:.0f} MB, {labels.max() + 1} groups")
    out.print(f"biggest {np.bincount(labels).max()} texts, of one text {(np.bincount(labels) == 1).sum()}")
    out.print(f"the same in another order: {bool((labels == again).all())}")
    old = sorted(np.random.default_rng(2).choice(len(keys), len(keys) * 20 // 21, replace=False).tolist())
    first = grouping.group([keys[row] for row in old], made.vectors[old])
    was = {keys[row]: str(first[number]) for number, row in enumerate(old)}
    start = time.perf_counter()
    labels = grouping.group(keys, made.vectors, before=was)
    out.print(f"with what there was before: {time.perf_counter() - start:.1f} s")
    out.print(f"5 % new: {kept_pairs(first, labels[old]):.4f} of the pairs of texts keep together")
    place = {row: number for number, row in enumerate(old)}
    seen = [row for row in made.asked if row in place]
    asked_before = np.array([first[place[row]] for row in seen])
    out.print(f"         {kept_pairs(asked_before, labels[seen]):.4f} of the pairs of questions")
    before = {keys[row]: f"g{first[number]}" for number, row in enumerate(old)}
    groups = [[keys[row] for row in np.flatnonzero(labels == label)] for label in range(labels.max() + 1)]
    ids = grouping.keep_ids(groups, before)
    kept = len(set(ids) & set(before.values())) / len(set(before.values()))
    out.print(f"         {kept:.4f} of the groups keep their id")


def _curve(out: Console, groups: int, seeds: int) -> None:
    """Of what we could answer, how much is answered after so many decisions."""
    now = datetime(2026, 11, 30, tzinfo=UTC)
    shares = (0.05, 0.1, 0.25, 0.5)
    curves: dict[str, list[list[float]]] = {"help": [], "random": [], "count": []}
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        gains, helps, counts = [], [], []
        for number in range(groups):
            size = int(rng.zipf(1.7)) if rng.random() < 0.9 else 40
            size = min(size, 60)
            crowd = rng.random() < 0.03  # one source that asks the same again and again
            could = float(rng.beta(1.2, 1.6))
            answerable = rng.random() < could
            seen = float(np.clip(could + rng.normal(0, 0.15), 0, 1))
            wrong = rng.random() < 0.6
            rows = [
                Asked(
                    id=f"{number}-{one}",
                    at=now - timedelta(days=float(rng.uniform(0, 6.9))),
                    person="one" if crowd else f"{number}-{one}",
                    act="ask_policy",
                    decision="offer" if wrong else "answer",
                    certainty=None if wrong else "likely",
                    probability=seen,
                    qa_id=None if wrong else "x",
                    matter="x",
                    found={"candidates": [], "likely_at": seen - 0.01},
                    refused=False,
                )
                for one in range(size)
            ]
            found = figures([Asking(row, "t") for row in rows], now)
            helps.append(found.help)
            counts.append(size)
            gains.append((1 if crowd else size) * answerable * (1.0 if wrong else 0.3))
        gain = np.array(gains)
        orders = {
            "help": np.argsort(-np.array(helps), kind="stable"),
            "count": np.argsort(-np.array(counts), kind="stable"),
            "random": rng.permutation(groups),
        }
        for name, order in orders.items():
            reached = np.cumsum(gain[order]) / gain.sum()
            curves[name].append([float(reached[int(share * groups) - 1]) for share in shares])
    out.print(
        f"share of the answerable need that is met after 5, 10, 25, 50 % of {groups} groups, mean of {seeds} cities"
    )
    for name, values in curves.items():
        out.print(f"  {name:<7}" + "  ".join(f"{value:.3f}" for value in np.array(values).mean(axis=0)))
    better = (np.array(curves["help"]) > np.array(curves["random"])).mean()
    out.print(f"  help above random in {better:.1%} of the comparisons")


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="questions")
    parser.add_argument("--groups", type=int, default=2_000, help="groups of the simulated city")
    parser.add_argument("--seeds", type=int, default=20)
    arguments = parser.parse_args()
    out = Console()
    _curve(out, arguments.groups, arguments.seeds)
    _grouping(out, arguments.count)


if __name__ == "__main__":
    main()
