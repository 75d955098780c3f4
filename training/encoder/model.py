"""The encoder's network: word vectors, then a few BERT layers that read them together; the mean is the text's vector.

Two things set it apart from an ordinary small BERT, and both leave it an ordinary one when exported:

- A word's vector is its own plus the mean of its characters'. So 失业金 is near 失业保险金 from the start, and rare words
  are not strangers. The sum is folded into one table for export.
- Layer normalisation has an epsilon of 1, not 1e-12: a vector that is short stays short, so the length of a word's
  vector keeps its meaning, its weight in the mean. With the layers' last matrices zero at the start, the network
  begins as the table of word vectors it was given, and training only adds to that.
"""

import math
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertConfig, BertModel

PAD, MASK, START = "[PAD]", "[MASK]", "[CLS]"
SPECIAL = (PAD, MASK, START)
MAX_TOKENS = 192
"""Tokens of a text that are read, the start token included; about 300 characters."""

_EPSILON = 10.0
_GAIN = math.sqrt(1 + _EPSILON)  # of the normalisations: with it, a vector of variance 1 leaves as it came
_PLACE = 0.1  # standard deviation of the positions' vectors at the start; a typical word's is 1
_BUDGET = 8192  # tokens that are read at a time


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of the network."""

    dim: int = 256
    layers: int = 2
    heads: int = 4
    inner: int = 1024


def with_special_tokens(tokenizer: Tokenizer) -> Tokenizer:
    """A copy of the tokenizer that also knows `SPECIAL`, after all its words, so that no word's id changes."""
    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.add_special_tokens(list(SPECIAL))
    return copy


def characters_of(tokenizer: Tokenizer) -> tuple[Tensor, Tensor, int]:
    """Every token's Chinese characters as numbers, where each token's begin, and how many characters there are.

    Tokens of one character or of Latin letters and digits have none: their own vector says all.
    """
    numbers: dict[str, int] = {}
    flat: list[int] = []
    offsets: list[int] = []
    for row in range(tokenizer.get_vocab_size()):
        token = tokenizer.id_to_token(row) or ""
        offsets.append(len(flat))
        if token not in SPECIAL and not token.isascii():
            flat.extend(numbers.setdefault(character, len(numbers)) for character in token)
    return torch.tensor(flat), torch.tensor([*offsets, len(flat)]), len(numbers)


class Reader(nn.Module):
    """Token ids to vectors."""

    flat: Tensor  # of all tokens, one after another, the numbers of their characters
    offsets: Tensor  # where each token's begin, and the end

    def __init__(self, tokenizer: Tokenizer, shape: Shape, table: Tensor | None = None) -> None:
        """``tokenizer`` knows `SPECIAL`; ``table`` holds vectors of its first words, at most all but `SPECIAL`."""
        super().__init__()
        self.size = tokenizer.get_vocab_size()
        known = tokenizer.get_vocab()
        self.pad, self.mask, self.start = (known[token] for token in SPECIAL)
        flat, offsets, characters = characters_of(tokenizer)
        self.register_buffer("flat", flat, persistent=False)
        self.register_buffer("offsets", offsets, persistent=False)
        weight = torch.randn(self.size, shape.dim) * 0.3
        if table is not None:
            weight[: len(table)] = table * (math.sqrt(shape.dim) / table.norm(dim=1).median())  # variance 1
        weight[0] = weight[self.start] = 0
        self.words = nn.Parameter(weight)
        self.characters = nn.Parameter(torch.zeros(characters, shape.dim))
        self.bert = BertModel(
            BertConfig(
                vocab_size=1,
                hidden_size=shape.dim,
                num_hidden_layers=shape.layers,
                num_attention_heads=shape.heads,
                intermediate_size=shape.inner,
                max_position_embeddings=MAX_TOKENS,
                type_vocab_size=1,
                layer_norm_eps=_EPSILON,
                hidden_dropout_prob=0.0,
                attention_probs_dropout_prob=0.0,
            ),
            add_pooling_layer=False,
        )
        with torch.no_grad():
            for name, parameter in self.bert.named_parameters():
                if "LayerNorm.weight" in name:
                    parameter.fill_(_GAIN)
                elif name.startswith("embeddings.") or name.endswith("output.dense.weight"):
                    parameter.zero_()
                elif parameter.ndim == 2:
                    nn.init.xavier_uniform_(parameter)
            self.bert.embeddings.position_embeddings.weight.normal_(std=_PLACE)

    def rows(self, ids: Tensor) -> Tensor:
        """The vectors of tokens: their own plus the mean of their characters'."""
        starts, ends = self.offsets[ids], self.offsets[ids + 1]
        counts = ends - starts
        first = torch.cumsum(counts, 0) - counts
        places = torch.repeat_interleave(starts - first, counts) + torch.arange(int(counts.sum()), device=ids.device)
        means = functional.embedding_bag(self.flat[places], self.characters, first, mode="mean")
        return self.words[ids] + means

    def hidden(self, ids: Tensor, attention: Tensor) -> Tensor:
        """The last layer's vectors, shape (texts, tokens, dim), of padded ids and their 0/1 mask."""
        known, place = torch.unique(ids, return_inverse=True)
        read: Tensor = self.bert(
            inputs_embeds=functional.embedding(place, self.rows(known)), attention_mask=attention
        ).last_hidden_state
        return read

    def forward(self, ids: Tensor, starts: Tensor) -> Tensor:
        """Unit vectors, float32, of texts given one after another; text i is ``ids[starts[i]:starts[i + 1]]``."""
        lengths = starts.diff() + 1
        order = torch.argsort(lengths)
        sizes = lengths[order].tolist()
        parts: list[Tensor] = []
        begin = 0
        while begin < len(sizes):
            end = begin + 1
            while end < len(sizes) and sizes[end] * (end + 1 - begin) <= _BUDGET:
                end += 1
            chosen = order[begin:end]
            columns = torch.arange(sizes[end - 1], device=ids.device)
            attention = columns[None] < lengths[chosen][:, None]
            padded = torch.full((len(chosen), len(columns)), self.pad, device=ids.device)
            padded[:, 0] = self.start
            inside = attention & (columns[None] > 0)
            padded[inside] = ids[(starts[chosen][:, None] + columns[None] - 1)[inside]]
            hidden = self.hidden(padded, attention.long()).float()
            mask = attention.float()[:, :, None]
            parts.append((hidden * mask).sum(1) / mask.sum(1))
            begin = end
        back = torch.empty_like(order)
        back[order] = torch.arange(len(order), device=order.device)
        return functional.normalize(torch.cat(parts)[back], dim=-1)

    @torch.no_grad()
    def folded(self) -> Tensor:
        """The table of all tokens' vectors, characters included."""
        return self.rows(torch.arange(self.size, device=self.words.device))
