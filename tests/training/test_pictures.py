"""The pictures of an evaluation: what they are drawn from."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.pictures import _reliability, _risk, draw


def test_the_bins_of_the_reliability_diagram() -> None:
    centres, shares, sizes = _reliability(np.array([0.05, 0.05, 0.95, 1.0]), np.array([False, True, True, True]))
    assert np.allclose(centres, [0.05, 0.975])
    assert np.allclose(shares, [0.5, 1.0])
    assert sizes.tolist() == [2, 2]


def test_the_surest_are_answered_first() -> None:
    coverage, risk = _risk(np.array([0.2, 0.9, 0.5, 0.8]), np.array([False, True, False, True]))
    assert np.allclose(coverage, [0.25, 0.5, 0.75, 1.0])
    assert np.allclose(risk, [0, 0, 1 / 3, 0.5])


def test_two_pictures_are_written_and_none_of_nothing(tmp_path: Path) -> None:
    files = draw([0.1, 0.7, 0.9], [False, True, True], 0.8, tmp_path)
    assert [file.name for file in files] == ["reliability.png", "risk_coverage.png"]
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files)
    assert draw([], [], 0.8, tmp_path) == []
