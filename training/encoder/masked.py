"""Masked-language-model pretraining of a `Reader` on plain text: guess the words that were hidden."""

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from .batches import Tokens
from .model import Reader


@dataclass(frozen=True, slots=True)
class MaskedPlan:
    """How to pretrain; ``steps`` = 0 leaves it out."""

    steps: int = 0
    batch: int = 128  # sequences
    length: int = 128  # tokens of a sequence
    learning_rate: float = 1e-3
    warm_up: int = 500
    hidden_share: float = 0.15
    seed: int = 22


def token_stream(tokenizer: Tokenizer, texts: Iterable[str]) -> NDArray[np.int32]:
    """All texts' token ids in a row; unknown ones left out."""
    return Tokens.encode(tokenizer, list(texts)).ids


def hide(
    ids: NDArray[np.int64], share: float, mask: int, words: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Ids with some hidden, and which: of the chosen, 80 % become ``mask``, 10 % any word, 10 % stay (Devlin et al. 2019)."""
    chosen = rng.random(ids.shape) < share
    fate = rng.random(ids.shape)
    seen = np.where(chosen & (fate < 0.8), mask, ids)
    seen = np.where(chosen & (fate >= 0.9), rng.integers(1, words, size=ids.shape), seen)
    return seen, chosen


class Head(nn.Module):
    """From a hidden vector to scores of all tokens, over the same word vectors as at the input."""

    def __init__(self, dim: int, size: int) -> None:
        super().__init__()
        self.turn = nn.Linear(dim, dim)
        self.norm = nn.LayerNorm(dim)
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, hidden: Tensor, table: Tensor) -> Tensor:
        scores: Tensor = self.norm(functional.gelu(self.turn(hidden))) @ table.T + self.bias
        return scores


def masked_loss(reader: Reader, head: Head, seen: Tensor, wanted: Tensor, chosen: Tensor) -> Tensor:
    """Cross entropy of the hidden tokens. All arguments have the shape (sequences, tokens)."""
    starts = torch.full((len(seen), 1), reader.start, device=seen.device)
    whole = torch.cat([starts, seen], dim=1)
    hidden = reader.hidden(whole, torch.ones_like(whole))[:, 1:][chosen]
    table = reader.rows(torch.arange(reader.size, device=seen.device))
    return functional.cross_entropy(head(hidden, table).float(), wanted[chosen])


def pretrain(reader: Reader, stream: NDArray[np.int32], plan: MaskedPlan, work: Path, save_every: int = 500) -> None:
    """Pretrain ``reader`` in place on the tokens of ``stream``; resumes from ``work/masked.pt``."""
    device = reader.words.device
    head = Head(reader.words.shape[1], reader.size).to(device)
    parameters = [*reader.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=plan.learning_rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    checkpoint = work / "masked.pt"
    first = 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True, map_location=device)
        if saved["plan"] == asdict(plan):
            reader.load_state_dict(saved["reader"])
            head.load_state_dict(saved["head"])
            optimiser.load_state_dict(saved["optimiser"])
            first = saved["step"]
    reader.train()
    began, total = time.monotonic(), 0.0
    for step in range(first, plan.steps):
        rng = np.random.default_rng((plan.seed, step))
        torch.manual_seed(plan.seed * 1_000_003 + step)
        starts = rng.integers(max(len(stream) - plan.length, 1), size=plan.batch)
        ids = stream[np.minimum(starts[:, None] + np.arange(plan.length), len(stream) - 1)].astype(np.int64)
        seen, chosen = hide(ids, plan.hidden_share, reader.mask, reader.pad, rng)
        for group in optimiser.param_groups:
            group["lr"] = plan.learning_rate * min(1.0, (step + 1) / plan.warm_up) * (1 - step / plan.steps)
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            loss = masked_loss(reader, head, *(torch.from_numpy(array).to(device) for array in (seen, ids, chosen)))
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        total += loss.item()
        if (step + 1) % 100 == 0:
            seconds = (time.monotonic() - began) / (step + 1 - first)
            left = seconds * (plan.steps - step - 1) / 60
            print(
                f"masked {step + 1}/{plan.steps}  loss {total / 100:.3f}, {seconds:.2f} s a step, {left:.0f} min left",
                flush=True,
            )
            total = 0.0
        if (step + 1) % save_every == 0 or step + 1 == plan.steps:
            state = {"plan": asdict(plan), "step": step + 1, "reader": reader.state_dict(), "head": head.state_dict()}
            torch.save(state | {"optimiser": optimiser.state_dict()}, checkpoint)
    reader.eval()
