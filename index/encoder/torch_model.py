"""A sentence-transformers model, run by torch: whatever a city brings along."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from index.encoder import checksum

_FEW, _MANY = 8, 64  # texts up to which one call is small, and from which on it is worth several threads
_SAME = 1e-5  # difference up to which two vectors are taken for the same
_SHALLOW = 5_000_000  # parameters beside the table of words


class TorchEncoder:
    """A sentence-transformers model as an `Encoder`."""

    def __init__(self, folder: Path, name: str) -> None:
        model = SentenceTransformer(str(folder), device="cpu", local_files_only=True, trust_remote_code=False)
        layers = sum(p.numel() for name, p in model.named_parameters() if "embedding" not in name)
        self._bulk_threads = 0
        if layers < _SHALLOW:
            # Handing a short question to several threads costs more than working it out.
            self._bulk_threads = _usual_threads() if layers else 0
            torch.set_num_threads(1)
        self._model = model.float().eval()
        self._folder = folder
        self.name = name
        self.dim = int(model.get_embedding_dimension() or 0)
        self._of_nothing = self._vectors([""])

    @cached_property
    def checksum(self) -> str:
        return checksum(self._folder)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if not texts:
            return np.zeros((0, self.dim), dtype=np.float32)
        vectors = self._vectors(texts)
        # A model with a start token has a vector for an empty text too, and gives it to every text it sees nothing in.
        vectors[np.abs(vectors - self._of_nothing).max(axis=1) < _SAME] = 0
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)

    def _vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if len(texts) <= _FEW and not self._model.default_prompt_name:
            with torch.inference_mode():  # `encode` spends 2 ms on matters that these need not
                features = self._model(self._model.preprocess(list(texts)))
            return np.asarray(features["sentence_embedding"].numpy(), dtype=np.float32).copy()
        many = len(texts) > _MANY and self._bulk_threads > 0
        before = torch.get_num_threads()
        try:
            if many:
                torch.set_num_threads(self._bulk_threads)
            vectors = self._model.encode(
                list(texts),
                batch_size=256 if len(texts) > _MANY else _MANY,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        finally:
            if many:
                torch.set_num_threads(before)
        return np.asarray(vectors, dtype=np.float32)


@cache
def _usual_threads() -> int:
    """torch's threads before a small model set them to one."""
    return int(torch.get_num_threads())
