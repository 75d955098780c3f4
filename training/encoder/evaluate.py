"""Measure the encoder on the matters that it was not trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from index.encoder import load_encoder
from index.search.normalise import clean

from .pairs import Item


def leave_one_out(vectors: np.ndarray[Any, np.dtype[np.float32]], owners: np.ndarray[Any, np.dtype[np.int64]]) -> Any:
    """Whether each wording's nearest other one is its own item's, shape (wordings,)."""
    right = np.zeros(len(owners), dtype=bool)
    for start in range(0, len(owners), 512):
        cosines = vectors[start : start + 512] @ vectors.T
        cosines[np.arange(len(cosines)), start + np.arange(len(cosines))] = -2
        right[start : start + 512] = owners[cosines.argmax(axis=1)] == owners[start : start + 512]
    return right


def figures(folder: Path, items: Sequence[Item], held_out: Callable[[str], bool]) -> dict[str, Any]:
    """Of every wording: is the nearest of all other wordings one of the same item?  For held-out matters and the rest."""
    encoder = load_encoder(str(folder))
    texts = [clean(text) for item in items for text in item.wordings]
    owners = np.repeat(np.arange(len(items)), [len(item.wordings) for item in items])
    unseen = np.repeat([held_out(item.matter) for item in items], [len(item.wordings) for item in items])
    right = leave_one_out(encoder.encode(texts), owners)
    return {
        "nearest_is_own": {
            "held_out_matters": round(float(right[unseen].mean()), 4) if unseen.any() else None,
            "trained_matters": round(float(right[~unseen].mean()), 4) if not unseen.all() else None,
        },
        "wordings": {"held_out_matters": int(unseen.sum()), "trained_matters": int((~unseen).sum())},
    }
