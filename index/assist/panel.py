"""What is shown stays calm: an item that has been there for a second moves at most one place with each line."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import permutations

from index.assist.listening import SHOWN, Suggestion

SETTLED = timedelta(seconds=1)
"""After so long somebody may be reading it"""


@dataclass(frozen=True)
class Panel:
    """The items of one question, from the top down, and since when each is there."""

    items: tuple[Suggestion, ...] = ()
    since: dict[str, datetime] = field(default_factory=dict)

    def without(self, refused: Collection[str]) -> Panel:
        """Without what somebody said does not fit: that is gone at once."""
        kept = tuple(one for one in self.items if one.qa_id not in refused)
        return Panel(kept, {one.qa_id: self.since[one.qa_id] for one in kept})

    def next(self, wanted: Sequence[Suggestion], now: datetime) -> Panel:
        """What is shown after one more line: the nearest to what is wanted among all that move nothing settled by more than a place.

        What is settled leaves from the last place only.
        """
        goal = {one.qa_id: SHOWN - rank for rank, one in enumerate(wanted[:SHOWN])}
        known = {one.qa_id: one for one in self.items} | {one.qa_id: one for one in wanted[:SHOWN]}
        settled = {one.qa_id: place for place, one in enumerate(self.items) if now - self.since[one.qa_id] >= SETTLED}
        size = max(len(goal), min(SHOWN, len(settled)))
        allowed = [order for order in permutations(known, size) if _calm(order, settled)]
        best = max(
            allowed, key=lambda order: sum((SHOWN - place) * goal.get(id_, 0) for place, id_ in enumerate(order))
        )
        return Panel(tuple(known[id_] for id_ in best), {id_: self.since.get(id_, now) for id_ in best})


def _calm(order: Sequence[str], settled: Mapping[str, int]) -> bool:
    last = max(settled.values(), default=0)
    for id_, place in settled.items():
        if id_ in order:
            if abs(order.index(id_) - place) > 1:
                return False
        elif place != last:
            return False
    return True
