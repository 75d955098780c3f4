"""Answers that may contradict one another: questions that mean nearly the same, with other figures or other sources in the answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bot.models.knowledge import QA
from index.encoder import Encoder
from index.figures import figures
from index.search.normalise import clean

ALIKE = 0.93
"""From this cosine of their questions on two items are laid side by side"""
MOST = 300
"""Pairs that are kept, the nearest first"""
_BATCH = 256


@dataclass(frozen=True)
class Conflict:
    """Two items side by side."""

    one: str
    other: str
    alike: float
    """Cosine of their nearest questions"""
    asked: tuple[str, str]
    """Those questions"""
    figures: tuple[tuple[str, ...], tuple[str, ...]]
    """What each answer says in a unit that both use and the other does not say"""
    sources: bool
    """Whether they rest on documents of which they share none"""

    def as_json(self) -> dict[str, Any]:
        """For keeping."""
        return asdict(self)


def conflicts(
    qas: Sequence[QA], encoder: Encoder, say: Callable[[int, int], None] = lambda _done, _total: None
) -> list[Conflict]:
    """Pairs of items for the same people and places whose questions come near and whose answers differ, the nearest first.

    Args:
        say: called with how many steps are done, out of how many.
    """
    live = [qa for qa in qas if qa.status in ("draft", "approved")]
    texts = [(number, text) for number, qa in enumerate(live) for text in (qa.question, *qa.similar)]
    if not texts:
        return []
    pieces = []
    for start in range(0, len(texts), _BATCH):
        say(start, 2 * len(texts))
        pieces.append(encoder.encode([clean(text) for _, text in texts[start : start + _BATCH]]))
    vectors = np.concatenate(pieces)
    owners = np.array([number for number, _ in texts])
    nearest: dict[tuple[int, int], tuple[float, int, int]] = {}
    for start in range(0, len(texts), _BATCH):
        say(len(texts) + start, 2 * len(texts))
        found = vectors[start : start + _BATCH] @ vectors.T
        for row, column in np.argwhere(found >= ALIKE):
            first, second = start + int(row), int(column)
            one, other = int(owners[first]), int(owners[second])
            if one >= other or not _meet(live[one], live[other]):
                continue
            score = float(found[row, column])
            if score > nearest.get((one, other), (0.0, 0, 0))[0]:
                nearest[one, other] = score, first, second
    pairs = []
    for (one, other), (score, first, second) in nearest.items():
        made = _differ(live[one], live[other], score, (texts[first][1], texts[second][1]))
        if made is not None:
            pairs.append(made)
    return sorted(pairs, key=lambda pair: (-pair.alike, pair.one, pair.other))[:MOST]


def _meet(one: QA, other: QA) -> bool:
    """Whether both can be the answer to one citizen's question in one place, at one time."""
    if one.region != other.region or other.id in (one.replaced_by, *one.related) or one.id == other.replaced_by:
        return False
    apart = (one.valid_to and other.valid_from and one.valid_to < other.valid_from) or (
        other.valid_to and one.valid_from and other.valid_to < one.valid_from
    )
    return not apart and (one.audience == other.audience or "个人和企业" in (one.audience, other.audience))


def _differ(one: QA, other: QA, score: float, asked: tuple[str, str]) -> Conflict | None:
    mine, theirs = figures(one.answer), figures(other.answer)
    shared = {figure.unit for figure in mine} & {figure.unit for figure in theirs}
    only_mine = tuple(sorted(str(figure) for figure in mine - theirs if figure.unit in shared))
    only_theirs = tuple(sorted(str(figure) for figure in theirs - mine if figure.unit in shared))
    rests, others = ({source["document"] for source in qa.sources} for qa in (one, other))
    apart = bool(rests and others and not rests & others)
    both = (only_mine, only_theirs) if only_mine and only_theirs else ((), ())
    return Conflict(one.id, other.id, round(score, 4), asked, both, apart) if both[0] or apart else None
