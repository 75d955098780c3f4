"""A model in ONNX, run by ONNX Runtime: no torch, a question in some milliseconds on one thread.

Texts are read one by one, never together: 8-bit activations are scaled by what else is read, so that a text's vector would
depend on its company.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from index.encoder import ONNX, checksum

LONGEST = 192
"""Tokens of a text that are read, about 280 characters"""
_MANY = 64
"""Texts from which on several threads are worth their starting"""
_REMEMBERED = 64
"""Single texts whose vectors are kept: a turn asks for its question's several times"""
_UNKNOWN = "\ue000"
"""A character for private use, that no model knows: gives the marks around every text and the one for what is unknown"""


class Network:
    """A tokenizer and a network that takes token ids, from two files."""

    def __init__(self, network: Path, tokenizer: Path, longest: int) -> None:
        """``longest``: tokens that are read; what follows is cut off."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # a long text's memory is given back
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(network), options, providers=["CPUExecutionProvider"])
        self.tokenizer = Tokenizer.from_file(str(tokenizer))
        self.tokenizer.enable_truncation(longest)
        self.tokenizer.no_padding()
        self.width = self._session.get_outputs()[0].shape[-1]

    def run(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """What the network makes of one text's ids, without the dimension of texts."""
        inputs = np.array([ids], dtype=np.int64)
        (found,) = self._session.run(None, {"input_ids": inputs, "attention_mask": np.ones_like(inputs)})
        return np.asarray(found[0], dtype=np.float32)

    def run_all(self, texts: Iterable[Sequence[int]]) -> Iterable[NDArray[np.float32]]:
        """The same of many, on all cores."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            yield from pool.map(self.run, texts)


class OnnxEncoder:
    """A folder in sentence-transformers' layout with ``onnx/model.onnx`` as an `Encoder`: mean of the tokens, unit length."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self.name = name
        self._network = Network(folder / ONNX, folder / "tokenizer.json", LONGEST)
        self.dim = int(self._network.width)
        self._once = lru_cache(_REMEMBERED)(lambda text: self._encode([text]))
        pieces = self._network.tokenizer.get_vocab()
        self._silent = {id_ for piece, id_ in pieces.items() if not any(map(str.isalnum, piece))}
        self._silent.update(self._network.tokenizer.encode(_UNKNOWN).ids)

    @cached_property
    def checksum(self) -> str:
        return checksum(self._folder)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._once(texts[0]).copy() if len(texts) == 1 else self._encode(texts)

    def _encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        ids = [one.ids for one in self._network.tokenizer.encode_batch_fast(list(texts))]
        said = [row for row, one in enumerate(ids) if not self._silent.issuperset(one)]
        run = self._network.run_all if len(said) > _MANY else lambda texts: map(self._network.run, texts)
        for row, hidden in zip(said, run(ids[row] for row in said), strict=True):
            mean = hidden.mean(axis=0)
            vectors[row] = mean / np.linalg.norm(mean)
        return vectors
