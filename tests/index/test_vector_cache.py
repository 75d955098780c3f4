"""Vectors are kept by text and encoder; an edit costs its own text, and a damaged file nothing but time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from index.encoder import Encoder, load_encoder
from index.versions.vector_cache import CachedEncoder

TEXTS = ["身份证丢了怎么补办", "公积金怎么提取", "", "公积金怎么提取"]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder()


def test_the_second_build_encodes_only_what_changed(encoder: Encoder, tmp_path: Path) -> None:
    path = tmp_path / "index" / "vectors.db"
    first = CachedEncoder(encoder, path)
    np.testing.assert_allclose(first.encode(TEXTS), encoder.encode(TEXTS), atol=1e-6)
    assert first.encoded == 3
    first.close()
    second = CachedEncoder(encoder, path)
    np.testing.assert_allclose(second.encode([*TEXTS, "护照多少钱"]), encoder.encode([*TEXTS, "护照多少钱"]), atol=1e-6)
    assert second.encoded == 1
    assert second.encode([]).shape == (0, encoder.dim)
    second.close()


def test_another_encoders_vectors_are_not_taken(encoder: Encoder, tmp_path: Path) -> None:
    first = CachedEncoder(encoder, tmp_path / "v.db")
    first.encode(TEXTS)
    first.close()
    other = CachedEncoder(encoder, tmp_path / "v.db")
    other.checksum = "another"
    other.encode(TEXTS)
    assert other.encoded == 3
    other.close()


def test_what_no_build_uses_any_more_is_dropped(encoder: Encoder, tmp_path: Path) -> None:
    for texts in (TEXTS, TEXTS[:1], TEXTS[:1], TEXTS[:1]):
        cached = CachedEncoder(encoder, tmp_path / "v.db")
        cached.encode(texts)
        cached.close()
    cached = CachedEncoder(encoder, tmp_path / "v.db")
    cached.encode(TEXTS)
    assert cached.encoded == 2  # the one that was used is still there
    cached.close()


@pytest.mark.parametrize("damage", [b"no database at all, but long enough to look at", b""])
def test_a_damaged_file_is_made_anew(encoder: Encoder, tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "v.db").write_bytes(damage)
    cached = CachedEncoder(encoder, tmp_path / "v.db")
    assert cached.encode(TEXTS).shape == (4, encoder.dim)
    cached.close()


def test_a_full_disk_costs_time_and_not_what_was_kept(encoder: Encoder, tmp_path: Path) -> None:
    path = tmp_path / "v.db"
    first = CachedEncoder(encoder, path)
    first.encode(TEXTS)
    first.close()
    full = CachedEncoder(encoder, path)
    # SQLite's own limit: it fails as it does on a full disk.
    (pages,) = full._file.execute("PRAGMA page_count").fetchone()
    full._file.execute(f"PRAGMA max_page_count = {pages}")
    many = [f"第{number}个问题怎么办" for number in range(40)]
    np.testing.assert_allclose(full.encode([*TEXTS, *many]), encoder.encode([*TEXTS, *many]), atol=1e-6)
    full.close()
    after = CachedEncoder(encoder, path)
    after.encode(TEXTS)
    assert after.encoded == 0
    after.close()


def test_a_cache_that_cannot_be_opened_is_left_alone(encoder: Encoder, tmp_path: Path) -> None:
    (tmp_path / "v.db").mkdir()
    cached = CachedEncoder(encoder, tmp_path / "v.db")
    assert cached.encode(TEXTS).shape == (4, encoder.dim)
    cached.close()
    assert (tmp_path / "v.db").is_dir()
