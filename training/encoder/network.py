"""Texts to vectors while training: a BERT over token lists, texts of a length read together, the mean its vector."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertModel

from index.encoder.onnx_model import LONGEST

_BUDGET = 2048
"""Tokens, padding included, that are read at a time"""


def token_ids(tokenizer: Tokenizer, texts: Sequence[str], longest: int = LONGEST) -> list[list[int]]:
    """The ids of each text, cut after ``longest``, the closing mark kept."""
    return [
        ids if len(ids) <= longest else [*ids[: longest - 1], ids[-1]]
        for ids in (one.ids for one in tokenizer.encode_batch_fast(list(texts)))
    ]


class Network(nn.Module):
    """A BERT whose vector of a text is the mean of its tokens', of length one."""

    def __init__(self, bert: BertModel, pad: int) -> None:
        super().__init__()
        self.bert, self.pad = bert, pad

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = self.bert.embeddings.word_embeddings.weight.device
        return device

    def forward(self, texts: Sequence[Sequence[int]]) -> Tensor:
        """Unit vectors, float32, shape (texts, hidden), of token ids."""
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        parts = []
        for rows in in_chunks(order, [len(texts[row]) for row in order]):
            ids, mask = padded([texts[row] for row in rows], self.pad, self.device)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
                hidden = self.bert(input_ids=ids, attention_mask=mask).last_hidden_state
            weights = mask[:, :, None].float()
            parts.append((hidden.float() * weights).sum(1) / weights.sum(1))
        vectors = functional.normalize(torch.cat(parts), dim=-1)
        back = torch.empty(len(order), dtype=torch.long)
        back[torch.tensor(order)] = torch.arange(len(order))
        return vectors[back.to(self.device)]


def in_chunks(rows: Sequence[int], lengths: Sequence[int]) -> list[list[int]]:
    """``rows``, whose ``lengths`` rise, in runs that fit the budget when padded to their longest."""
    chunks: list[list[int]] = []
    for row, length in zip(rows, lengths, strict=True):
        if chunks and length * (len(chunks[-1]) + 1) <= _BUDGET:
            chunks[-1].append(row)
        else:
            chunks.append([row])
    return chunks


def padded(texts: Sequence[Sequence[int]], pad: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Ids and 0/1 mask, shape (texts, longest)."""
    longest = max(map(len, texts))
    ids = torch.tensor([[*text, *[pad] * (longest - len(text))] for text in texts])
    mask = torch.tensor([[1] * len(text) + [0] * (longest - len(text)) for text in texts])
    return ids.to(device), mask.to(device)
