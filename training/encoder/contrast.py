"""Contrastive training: of a batch's texts those that ask for the same item attract, all others repel.

The loss over items is the supervised contrastive one (Khosla et al. 2020); between such batches, pairs of the training sets
(InfoNCE).  A step's batch depends on seed and step alone; training goes on from its last checkpoint.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from .network import Network


@dataclass(frozen=True)
class Step:
    """How a stage goes."""

    steps: int
    batch: int
    rate: float
    """Adam's highest step, after the warm-up of a twentieth; falls to nothing"""
    dropout: float = 0.0
    seed: int = 7


@dataclass
class Own:
    """The wordings of the items to train on, as token ids, and which items are near each other."""

    wordings: list[list[list[int]]]
    """By item"""
    answers: list[list[list[int]]]
    """By item: the pieces of its answer"""
    matters: list[int]
    """Each item's matter"""
    near: list[list[int]] = field(default_factory=list)
    """Each item's neighbours, nearest first; made anew as training goes"""


def optimised(
    network: Network, own: Own, how: Step, work: Path, loss: Callable[[int, random.Random], Tensor], often: int = 200
) -> None:
    """Take ``how.steps`` steps down ``loss(step, rng)``; a checkpoint in ``work`` every ``often`` of them."""
    trained = [weights for weights in network.parameters() if weights.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=how.rate, weight_decay=0.01, betas=(0.9, 0.98), fused=True)
    checkpoint, first = work / "contrast.pt", 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True, map_location=network.device)
        if saved["how"] == asdict(how):
            network.load_state_dict(saved["network"])
            optimiser.load_state_dict(saved["optimiser"])
            first, own.near = saved["step"], saved["near"]
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = how.dropout
    network.train()
    began, total = time.monotonic(), 0.0
    for step in range(first, how.steps):
        torch.manual_seed(how.seed * 1_000_003 + step)
        share = step / how.steps
        for group in optimiser.param_groups:
            group["lr"] = how.rate * min(1.0, share * 20 + 1 / how.steps) * (1 - share)
        optimiser.zero_grad(set_to_none=True)
        value = loss(step, random.Random(how.seed * 1_000_003 + step))
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        total += value.item()
        done = step + 1
        if done % 50 == 0:
            seconds = (time.monotonic() - began) / (done - first)
            left = seconds * (how.steps - done) / 60
            print(
                f"contrast {done}/{how.steps}  loss {total / 50:.4f}  {seconds:.2f} s a step, {left:.0f} min left",
                flush=True,
            )
            total = 0.0
        if done % often == 0 or done == how.steps:
            state = {"how": asdict(how), "step": done, "near": own.near, "network": network.state_dict()}
            torch.save(state | {"optimiser": optimiser.state_dict()}, checkpoint)
    network.eval()


def contrast(
    network: Network,
    own: Own,
    pairs: Sequence[tuple[list[int], list[int], list[int] | None]],
    how: Step,
    work: Path,
    shares: tuple[float, float] = (0.6, 0.12),
    temperature: float = 0.05,
) -> None:
    """Train on the project's wordings, their answers, and pairs of the training sets.

    Args:
        pairs: two texts that belong together, and one that doesn't belong to the first, if known.
        shares: of the batches that are wordings, and that are wordings with pieces of answers.
    """

    def loss(step: int, rng: random.Random) -> Tensor:
        if step % 400 == 0 or not own.near:
            own.near = neighbours(network, own)
        kind = rng.random()
        if kind < sum(shares):
            return _of_items(network, own, how.batch, kind >= shares[0], rng, temperature)
        rows = rng.sample(range(len(pairs)), how.batch // 4)
        chosen = [pairs[row] for row in rows]
        others = [other for *_, other in chosen if other]
        vectors = network([*(a for a, _, _ in chosen), *(b for _, b, _ in chosen), *others])
        count = len(chosen)
        target = torch.arange(count, device=vectors.device)
        scores = vectors[:count] @ vectors[count:].T / temperature
        back = vectors[count : 2 * count] @ vectors[:count].T / temperature
        return (functional.cross_entropy(scores, target) + functional.cross_entropy(back, target)) / 2

    optimised(network, own, how, work, loss)


_WORDINGS = 4
"""Wordings of an item in a batch"""
_FAMILY = 4
"""Items in a batch that are near each other"""


def _of_items(
    network: Network, own: Own, batch: int, with_answers: bool, rng: random.Random, temperature: float
) -> Tensor:
    items: list[int] = []
    while len(items) < batch // _WORDINGS:
        seed = rng.randrange(len(own.wordings))
        family = [seed, *rng.sample(own.near[seed], _FAMILY - 1)]
        items += [item for item in family if item not in items]
    texts, owners = [], []
    for item in items[: batch // _WORDINGS]:
        pool = own.wordings[item]
        chosen = rng.sample(pool, min(_WORDINGS, len(pool)))
        if with_answers:
            chosen = [*chosen[: _WORDINGS - 1], rng.choice(own.answers[item])]
        texts += chosen
        owners += [item] * len(chosen)
    vectors = network(texts)
    owner = torch.tensor(owners, device=vectors.device)
    same = owner[:, None] == owner[None]
    itself = torch.eye(len(texts), dtype=torch.bool, device=vectors.device)
    scores = (vectors @ vectors.T / temperature).masked_fill(itself, -1e4)
    likely = torch.log_softmax(scores, dim=1)
    right = same & ~itself
    return -((likely * right).sum(1) / right.sum(1).clamp(min=1)).mean()


_NEAR = 12


@torch.no_grad()
def neighbours(network: Network, own: Own) -> list[list[int]]:
    """Each item's nearest others by the mean of its wordings, then others of its matter, up to half as many."""
    network.eval()
    flat = [text for texts in own.wordings for text in texts[:12]]
    vectors = torch.cat([network(flat[start : start + 512]) for start in range(0, len(flat), 512)]).cpu()
    network.train()
    parts = torch.split(vectors, [len(texts[:12]) for texts in own.wordings])
    means = torch.stack([part.mean(0) for part in parts])
    means = functional.normalize(means - means.mean(0, keepdim=True), dim=1)
    scores = means @ means.T
    scores.fill_diagonal_(-9)
    siblings: dict[int, list[int]] = defaultdict(list)
    for item, matter in enumerate(own.matters):
        siblings[matter].append(item)
    found = []
    for item, matter in enumerate(own.matters):
        others = [other for other in siblings[matter] if other != item]
        nearest = scores[item].topk(min(_NEAR, len(means) - 1)).indices.tolist()
        found.append(list(dict.fromkeys([*nearest, *others]))[: _NEAR + 6])
    return found
