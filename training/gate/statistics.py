"""How much more or less of something there is, with what chance alone would make of it: paired, for both sides were asked the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import binomtest, bootstrap, norm

LEVEL = 0.95
"""Of each bound, one-sided"""
POWER = 0.8
_RESAMPLES = 1_999
_SEED = 20_260


@dataclass(frozen=True)
class Difference:
    """A share of the questions before and after, in percentage points."""

    questions: int
    before: float
    after: float
    more: int
    """Questions that have it only after"""
    less: int
    """Questions that had it only before"""
    low: float
    high: float
    """One-sided bounds of the difference, each at ``LEVEL``"""
    p: float
    """Exact McNemar: how likely so lopsided a change is where neither side is better"""

    @property
    def delta(self) -> float:
        """After less before."""
        return self.after - self.before

    def stored(self) -> dict[str, float | int]:
        """A JSON value."""
        return {name: round(value, 4) for name, value in vars(self).items()} | {"delta": round(self.delta, 4)}


def difference(before: Sequence[bool], after: Sequence[bool]) -> Difference:
    """Compare a property of the same questions on both sides."""
    first, then = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    total = len(first)
    more, less = int((then > first).sum()), int((then < first).sum())
    low, high = bounds(first, then)
    return Difference(total, _percent(first), _percent(then), more, less, low, high, mcnemar(more, less))


def _percent(side: NDArray[np.float64]) -> float:
    return 100 * float(side.mean()) if len(side) else 0.0


def bounds(before: NDArray[np.float64], after: NDArray[np.float64]) -> tuple[float, float]:
    """Bounds of the mean difference in points: a paired bootstrap by percentiles (Efron & Tibshirani 1993, ch. 13).

    Where no question differs every resample is the same; then as many may differ either way as no event among so many allows for.
    """
    total, change = len(before), after - before
    if total < 2:
        return -100.0, 100.0
    if not change.any():
        unseen = 100 * float(1 - (1 - LEVEL) ** (1 / total))
        return -unseen, unseen
    found = bootstrap(
        (change,),  # of the pairs' differences: the same as drawing pairs
        np.mean,
        n_resamples=_RESAMPLES,
        batch=250,
        confidence_level=2 * LEVEL - 1,
        method="percentile",
        rng=np.random.default_rng(_SEED),
    ).confidence_interval
    return 100 * float(found.low), 100 * float(found.high)


def mcnemar(more: int, less: int) -> float:
    """Two-sided exact p of the discordant pairs (McNemar 1947, with the binomial)."""
    return float(binomtest(more, more + less, 0.5).pvalue) if more + less else 1.0


def smallest(questions: int, discordant: int) -> float:
    """The smallest worsening, in points, that so many questions show in four of five cases.

    Of a paired design: n = (z₁₋ₐ √ψ + z₁₋ᵦ √(ψ − δ²))² / δ² (Connor 1987, Biometrics 43:207–211), solved for δ; ψ is the share of
    questions that differ between the sides, as counted, and no smaller than δ.
    """
    if questions == 0:
        return 100.0
    alpha, beta = norm.ppf(LEVEL), norm.ppf(POWER)
    share = discordant / questions

    def missing(delta: float) -> float:
        psi = max(share, delta)
        return float((alpha * math.sqrt(psi) + beta * math.sqrt(max(0.0, psi - delta**2))) ** 2 / delta**2 - questions)

    if missing(1.0) > 0:
        return 100.0
    return 100 * float(brentq(missing, 1e-6, 1.0))
