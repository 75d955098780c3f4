"""What the desk's listening has learned: how votes for an item weigh, and how probable it is that the first one is right by now.

Fitted by ``training.calls`` on calls and letters of our own, for the bundled encoder; the bands' hit rates are measured on other calls.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from index.search.ranking import Logistic

Band = Literal["sure", "likely", "reference"]

NAMES: dict[Band, str] = {"sure": "可直接答", "likely": "请核对", "reference": "仅供参考"}

FILE = Path(__file__).with_name("weights.json")

VOTES = ("best", "line", "lines", "reply", "story", "recent", "asking", "sum", "firsts", "matter")
"""What is known of an item: its best vote; of single lines, of several, of a reply with its question, of the whole story, of the last two
lines, of lines that ask; all votes together (log); how often it came first (log); all votes of its matter (log)"""

STANDING = (
    "score",
    "lead_item",
    "lead_matter",
    "best",
    "asking",
    "story",
    "recent",
    "sum",
    "length",
    "asks",
    "lines",
    "agree",
)
"""What the probability of the first one rests on: its score, its lead over the next item and the next matter, five of its votes, how much was said
(log of characters), whether the last three lines ask, how many lines (log), the share of readings that it comes first in"""


@dataclass(frozen=True)
class Weights:
    """All that was fitted."""

    ranker: Logistic
    """Of ``VOTES``"""
    right: Logistic
    """Of ``STANDING``: that the first one is right and the question is clear by now"""
    show_at: float
    """A question is shown from this probability on,"""
    keep_at: float
    """and stays as long as it has this"""
    likely_at: float
    sure_at: float
    rates: dict[str, float]
    """Band → which share of the first items in it was right, at the end of calls that nothing was fitted on"""
    counts: dict[str, int]
    """Band → of how many"""


@lru_cache
def weights() -> Weights:
    """Those that come with the project."""
    raw = json.loads(FILE.read_text(encoding="utf-8"))
    logistic = {name: Logistic(tuple(raw[name]["weights"]), raw[name]["bias"]) for name in ("ranker", "right")}
    return Weights(**{**raw, **logistic})


def band_of(probability: float) -> Band:
    """The band of an item."""
    fitted = weights()
    return "sure" if probability >= fitted.sure_at else "likely" if probability >= fitted.likely_at else "reference"
