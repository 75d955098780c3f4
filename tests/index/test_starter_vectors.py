"""The starter knowledge's vectors come with the project: all of them, right, and nothing depends on their being there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from index.encoder import encoder_checksum, load_encoder
from index.search import unanswered
from index.search.retriever import Retriever
from index.versions import starter_vectors
from index.versions.vector_cache import CachedEncoder
from training.fit import starter_items

AGAIN = "run `python -m training.starter_vectors` and commit what it writes"


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return sorted(set(Retriever.encoded(starter_items(), unanswered.questions())))


def test_every_text_of_the_starter_knowledge_has_its_vector(texts: list[str]) -> None:
    checksum = encoder_checksum()
    found = starter_vectors.find([starter_vectors.key(checksum, text) for text in texts], 384)
    assert len(found) == len(texts), AGAIN


def test_they_are_what_the_encoder_says(texts: list[str]) -> None:
    encoder = load_encoder()
    some = texts[:: len(texts) // 60]
    found = starter_vectors.find([starter_vectors.key(encoder.checksum, text) for text in some], encoder.dim)
    cosines = (np.stack(list(found.values())) * encoder.encode(some)).sum(axis=1)
    assert cosines.min() > 0.995, AGAIN  # 8 bits cost .0001; the rest is for other processors' sums


def test_an_index_takes_them_and_another_encoder_does_not(texts: list[str], tmp_path: Path) -> None:
    encoder = load_encoder()
    cached = CachedEncoder(encoder, tmp_path / "v.db")
    assert cached.encode([*texts[:50], "这一句示范知识里没有"]).shape == (51, encoder.dim)
    assert cached.encoded == 1
    cached.checksum = "another"
    cached.encode(texts[:3])
    assert cached.encoded == 4
    cached.close()


def test_what_is_written_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "vectors.npy"
    vectors = np.random.default_rng(1).normal(size=(6, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[3] = 0  # a text without any known word
    keys = [starter_vectors.key("e", str(number)) for number in range(6)]
    starter_vectors.write([*keys, keys[0]], np.concatenate([vectors, vectors[:1]]), file)
    monkeypatch.setattr(starter_vectors, "FILE", file)
    found = starter_vectors.find([*keys, starter_vectors.key("other", "1")], 384)
    assert list(found) == keys
    np.testing.assert_allclose(np.stack(list(found.values())), vectors, atol=0.002)
    before = file.read_bytes()
    starter_vectors.write(list(found), np.stack(list(found.values())), file)
    assert file.read_bytes() == before  # what is taken over stays as it is


@pytest.mark.parametrize("content", [None, b"", b"no array at all, but long enough to be looked at" * 9])
def test_without_the_file_vectors_are_worked_out(
    content: bytes | None, texts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "vectors.npy"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setattr(starter_vectors, "FILE", file)
    encoder = load_encoder()
    cached = CachedEncoder(encoder, tmp_path / "v.db")
    np.testing.assert_allclose(cached.encode(texts[:3]), encoder.encode(texts[:3]), atol=1e-6)
    assert cached.encoded == 3
    cached.close()
