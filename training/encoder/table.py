"""Train a table of word vectors, where the deeper network starts: a text is the mean of its words' vectors.

This alone is a static encoder, trained in minutes on a CPU; a word's length in the table is its weight in the mean.
"""

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from .batches import Draw, Set, Tokens, draw
from .contrastive import pair_loss


@dataclass(frozen=True, slots=True)
class TablePlan:
    """How to train the table. The share of plain-text batches falls from twice ``plain_share`` to none."""

    steps: int = 1_500
    batch: int = 1024
    learning_rate: float = 0.01
    temperature: float = 0.05
    token_dropout: float = 0.1
    longest: int = 96  # tokens of a text seen in one step; a longer one is cropped at a random place
    plain_share: float = 0.4
    warm_up: int = 200
    seed: int = 20


def new_table(size: int, dim: int, seed: int) -> Tensor:
    """A random table to start from, shape (size, dim)."""
    return torch.randn(size, dim, generator=torch.Generator().manual_seed(seed)) * 0.1


def table_loss(weight: Tensor, batch: Draw, plan: TablePlan, rng: np.random.Generator) -> Tensor:
    """The loss of one batch under the means of the word vectors ``weight``, shape (words, dim)."""

    def embed(tokens: Tokens, rows: NDArray[np.int64]) -> Tensor:
        ids, starts = tokens.bags(rows, plan.longest, plan.token_dropout, rng)
        bags = functional.embedding_bag(torch.from_numpy(ids), weight, torch.from_numpy(starts[:-1]), mode="mean")
        return functional.normalize(bags, dim=-1)

    negatives = embed(batch.chosen.negatives, batch.hard) if len(batch.hard) else None
    return pair_loss(
        embed(batch.chosen.anchors, batch.rows),
        embed(batch.chosen.positives, batch.rows),
        negatives,
        torch.from_numpy(batch.same),
        plan.temperature,
    )


def train_table(
    sets: list[Set], start: Tensor, plan: TablePlan, work: Path, name: str = "table", save_every: int = 500
) -> Tensor:
    """The table ``start`` after training, float32; row 0 (unknown) is zero.

    Goes on from ``work/NAME.pt`` if one of the same plan is there; writes it each ``save_every`` steps.
    """
    weight = start.detach().clone().requires_grad_(True)
    optimiser = torch.optim.Adam([weight], lr=plan.learning_rate, betas=(0.9, 0.99), fused=True)
    checkpoint = work / f"{name}.pt"
    first = 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        if saved["plan"] == asdict(plan) and saved["weight"].shape == weight.shape:
            weight.data.copy_(saved["weight"])
            optimiser.load_state_dict(saved["optimiser"])
            first = saved["step"]
    began, total = time.monotonic(), 0.0
    for step in range(first, plan.steps):
        progress = step / plan.steps
        rng = np.random.default_rng((plan.seed, step))
        # Plain text first, to place every word; labelled pairs more and more towards the end.
        batch = draw(sets, plan.batch, min(0.95, 2 * plan.plain_share * (1 - progress)), rng)
        for group in optimiser.param_groups:
            group["lr"] = plan.learning_rate * min(1.0, (step + 1) / plan.warm_up) * (1 - progress)
        optimiser.zero_grad(set_to_none=True)
        loss = table_loss(weight, batch, plan, rng)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        total += loss.item()
        if (step + 1) % 100 == 0:
            minutes = (time.monotonic() - began) / 60
            print(f"{name} {step + 1}/{plan.steps}  loss {total / 100:.3f}, {minutes:.1f} min", flush=True)
            total = 0.0
        if (step + 1) % save_every == 0 or step + 1 == plan.steps:
            state = {"plan": asdict(plan), "step": step + 1, "weight": weight.detach()}
            torch.save(state | {"optimiser": optimiser.state_dict()}, checkpoint)
    result = weight.detach().clone()
    result[0] = 0
    return result
