"""Contrastive training of a `Reader`: in a batch each text has to find its partner among all the others."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from .batches import Draw, Set, Tokens, draw
from .model import Reader


@dataclass(frozen=True, slots=True)
class Contrast:
    """How to train."""

    steps: int = 4_000
    batch: int = 512
    learning_rate: float = 6e-4  # of the layers
    table_rate: float = 3e-3  # of word and character vectors
    warm_up: int = 200
    temperature: float = 0.05
    token_dropout: float = 0.1
    longest_anchor: int = 48
    longest: int = 96
    plain_first: float = 0.6  # share of batches from plain text at the start; it falls to …
    plain_last: float = 0.1  # … this at the end
    seed: int = 21


def pair_loss(anchors: Tensor, positives: Tensor, negatives: Tensor | None, same: Tensor, temperature: float) -> Tensor:
    """Symmetric InfoNCE; ``same`` marks texts that are equal, so that they are never each other's negatives.

    ``negatives`` are further texts that no anchor belongs to.
    """
    scores = (anchors @ positives.T / temperature).masked_fill(same, -1e4)
    target = torch.arange(len(anchors), device=anchors.device)
    backward = functional.cross_entropy(scores.T, target)
    if negatives is not None:
        scores = torch.cat([scores, anchors @ negatives.T / temperature], dim=1)
    return (functional.cross_entropy(scores, target) + backward) / 2


def batch_loss(reader: Reader, batch: Draw, how: Contrast, rng: np.random.Generator) -> Tensor:
    """The loss of one batch, all its texts read in one go so that texts of a length share the padding."""
    device = reader.words.device
    texts: list[tuple[Tokens, NDArray[np.int64], int]] = [
        (batch.chosen.anchors, batch.rows, how.longest_anchor),
        (batch.chosen.positives, batch.rows, how.longest),
        (batch.chosen.negatives, batch.hard, how.longest),
    ]
    bags = [tokens.bags(rows, longest, how.token_dropout, rng) for tokens, rows, longest in texts]
    ids = np.concatenate([ids for ids, _ in bags])
    counts = np.concatenate([np.diff(starts) for _, starts in bags])
    starts = np.concatenate([[0], np.cumsum(counts)])
    with torch.autocast(device.type, dtype=torch.bfloat16):
        vectors = reader(torch.from_numpy(ids).to(device), torch.from_numpy(starts).to(device))
    n = len(batch.rows)
    same = torch.from_numpy(batch.same).to(device)
    return pair_loss(
        vectors[:n], vectors[n : 2 * n], vectors[2 * n :] if len(batch.hard) else None, same, how.temperature
    )


def train(reader: Reader, sets: list[Set], how: Contrast, work: Path, name: str, save_every: int = 250) -> None:
    """Train ``reader`` in place.

    Goes on from ``work/NAME.pt`` if one of the same settings is there; writes it each ``save_every`` steps and at the
    end. A step's batch depends on seed and step alone.
    """
    table = [reader.words, reader.characters]
    optimiser = torch.optim.AdamW(
        [
            {"params": table, "rate": how.table_rate, "weight_decay": 0.0},
            {"params": list(reader.bert.parameters()), "rate": how.learning_rate, "weight_decay": 0.01},
        ],
        betas=(0.9, 0.98),
        fused=True,
    )
    checkpoint = work / f"{name}.pt"
    first = 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True, map_location=reader.words.device)
        if saved["how"] == asdict(how):
            reader.load_state_dict(saved["reader"])
            optimiser.load_state_dict(saved["optimiser"])
            first = saved["step"]
    reader.train()
    began, losses = time.monotonic(), [0.0, 0.0, 0.0, 0.0]  # sum and number of labelled, of plain
    for step in range(first, how.steps):
        progress = step / how.steps
        rng = np.random.default_rng((how.seed, step))
        torch.manual_seed(how.seed * 1_000_003 + step)
        batch = draw(sets, how.batch, how.plain_first + (how.plain_last - how.plain_first) * progress, rng)
        for group in optimiser.param_groups:
            group["lr"] = group["rate"] * min(1.0, (step + 1) / how.warm_up) * (1 - progress)
        optimiser.zero_grad(set_to_none=True)
        loss = batch_loss(reader, batch, how, rng)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(list(reader.bert.parameters()), 1.0)
        optimiser.step()
        kind = 2 if batch.chosen.name.startswith("text:") else 0
        losses[kind] += loss.item()
        losses[kind + 1] += 1
        if (step + 1) % 50 == 0:
            labelled, plain = losses[0] / max(losses[1], 1), losses[2] / max(losses[3], 1)
            seconds = (time.monotonic() - began) / (step + 1 - first)
            print(
                f"{name} {step + 1}/{how.steps}  loss {labelled:.3f} labelled, {plain:.3f} plain, {seconds:.2f} s a step, "
                f"{seconds * (how.steps - step - 1) / 60:.0f} min left",
                flush=True,
            )
            losses = [0.0, 0.0, 0.0, 0.0]
        if (step + 1) % save_every == 0 or step + 1 == how.steps:
            state = {"how": asdict(how), "step": step + 1, "reader": reader.state_dict()}
            torch.save(state | {"optimiser": optimiser.state_dict()}, checkpoint)
    reader.eval()
