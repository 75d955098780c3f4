"""Two pictures of a run of ``yihaoda evaluate``: how honest the probabilities are, and what a stricter limit would cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "Microsoft YaHei",
    "PingFang SC",
    "SimHei",
    "WenQuanYi Zen Hei",
)
_BINS = 10


def draw(probabilities: Sequence[float], right: Sequence[bool], answer_at: float, folder: Path) -> list[Path]:
    """Write ``reliability.png`` and ``risk_coverage.png`` into ``folder``.

    Reliability: of the questions whose first candidate was given about this probability, the share where it was right; on the
    diagonal the two agree.  Risk–coverage: wrong ÷ answered against answered ÷ asked, for every limit.

    Args:
        probabilities: of the first candidate of each question, 0…1.
        right: whether that candidate answers it.
        answer_at: the limit in force.

    Returns:
        The files; none if nothing was asked.
    """
    if not probabilities:
        return []
    import matplotlib as mpl
    from matplotlib.figure import Figure

    font = chinese_font()
    sure, good = np.array(probabilities), np.array(right, dtype=bool)
    # Without a Chinese font the words would be empty boxes.
    said = (
        ("给出的概率", "实际答对的比例", "作答的比例", "答错 ÷ 作答", "现在的界限")
        if font
        else ("probability given", "share that was right", "answered ÷ asked", "wrong ÷ answered", "limit in force")
    )
    with mpl.rc_context({"font.sans-serif": [font or "DejaVu Sans"], "font.size": 11}):
        reliability = Figure(figsize=(5, 5), layout="constrained")
        axes = reliability.subplots()
        centres, shares, sizes = _reliability(sure, good)
        axes.plot([0, 1], [0, 1], color="0.7", linestyle="--")
        axes.scatter(centres, shares, s=20 + 400 * sizes / len(sure), color="#14539a")
        axes.plot(centres, shares, color="#14539a")
        axes.axvline(answer_at, color="#b3261e", linewidth=1, label=said[4])
        axes.set(xlabel=said[0], ylabel=said[1], xlim=(0, 1), ylim=(0, 1.02))
        axes.legend(loc="upper left")
        risk = Figure(figsize=(6, 4), layout="constrained")
        axes = risk.subplots()
        coverage, wrong = _risk(sure, good)
        axes.step(coverage, wrong, where="post", color="#14539a")
        axes.axvline(float((sure >= answer_at).mean()), color="#b3261e", linewidth=1, label=said[4])
        axes.set(xlabel=said[2], ylabel=said[3], xlim=(0, 1), ylim=(0, None))
        axes.legend(loc="upper left")
        files = [folder / "reliability.png", folder / "risk_coverage.png"]
        for figure, file in zip((reliability, risk), files, strict=True):
            figure.savefig(file, dpi=120)
    return files


def chinese_font() -> str | None:
    """A font of this machine that has Chinese characters; None: there is none."""
    from matplotlib import font_manager

    known = {font.name for font in font_manager.fontManager.ttflist}
    return next((name for name in _FONTS if name in known), None)


def _reliability(
    sure: NDArray[np.float64], good: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Mean probability, share right and number of questions of each bin that holds any."""
    which = np.minimum((sure * _BINS).astype(int), _BINS - 1)
    held = np.unique(which)
    return (
        np.array([sure[which == one].mean() for one in held]),
        np.array([good[which == one].mean() for one in held]),
        np.array([(which == one).sum() for one in held]),
    )


def _risk(sure: NDArray[np.float64], good: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coverage and risk when the surest question is answered, the surest two, … all."""
    order = np.argsort(-sure, kind="stable")
    answered = np.arange(1, len(sure) + 1)
    return answered / len(sure), np.cumsum(~good[order]) / answered
