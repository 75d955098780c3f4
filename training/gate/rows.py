"""One row a question: what it came to before, what it comes to now.  Every figure of a report is a count of rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from index.replay import Verdict

Source = Literal["golden", "held_out", "replay"]
Outcome = Literal["right", "wrong", "neither", "unknown"]
QUESTIONS = frozenset({"ask_policy", "follow_up", "nlu_fallback"})
"""Acts that reach the same action: retrieval decides"""


@dataclass(frozen=True)
class Heard:
    """What one side makes of a question."""

    level: str
    """sure, likely, doubtful or none; act: Rasa heard an act"""
    answer: str | None
    """The item that is answered; of an act its name"""
    probability: float = 0.0

    @classmethod
    def of(cls, verdict: Verdict) -> Heard:
        """What retrieval decided."""
        return cls(verdict.level, verdict.qa_id, verdict.probability)

    @property
    def answered(self) -> bool:
        """Whether a citizen is told something as an answer."""
        return self.level in ("sure", "likely") and self.answer is not None


@dataclass(frozen=True)
class Row:
    """One question on both sides."""

    id: str
    source: Source
    stratum: str
    text: str | None
    """None: a citizen's, whose words stay where they can be erased"""
    right: tuple[str, ...] | None
    """What answers it; empty: nothing may be answered; None: nobody knows"""
    act: str | None
    """The act that has to be heard, where that is what is judged"""
    must: bool
    times: int
    counted: bool
    """Whether it plays a part in the totals; else it is only read for what is newly wrong, or must be right"""
    before: Heard
    after: Heard

    def outcome(self, heard: Heard) -> Outcome:
        """What that is worth."""
        if self.act is not None:
            same = heard.answer == self.act or {heard.answer, self.act} <= QUESTIONS
            return "right" if same else "wrong"
        if not heard.answered:
            return "neither"
        if self.right is None:
            return "unknown"
        return "right" if heard.answer in self.right else "wrong"

    @property
    def was(self) -> Outcome:
        """What it came to before."""
        return self.outcome(self.before)

    @property
    def now(self) -> Outcome:
        """What it comes to now."""
        return self.outcome(self.after)

    @property
    def as_it_must(self) -> bool:
        """Whether it comes to what it must: the right answer, or none where there is none."""
        return self.now == "right" or (self.right == () and self.now == "neither")

    @property
    def kinds(self) -> tuple[str, ...]:
        """What has become of it: gained, lost, wrong (newly), mended, moved (another answer, and nobody knows which is right)."""
        was, now = self.was, self.now
        found = {
            "gained": now == "right" != was,
            "lost": was == "right" != now,
            "wrong": now == "wrong" != was,
            "mended": was == "wrong" != now,
            "moved": "unknown" in (was, now)
            and (self.before.answer if was == "unknown" else None) != (self.after.answer if now == "unknown" else None),
            "must": self.must and not self.as_it_must,
        }
        return tuple(name for name, holds in found.items() if holds)

    def stored(self) -> dict[str, Any]:
        """A JSON value; what is read off it is there, too."""
        return {
            **{name: getattr(self, name) for name in _STORED},
            "right": list(self.right) if self.right is not None else None,
            "before": vars(self.before),
            "after": vars(self.after),
            "was": self.was,
            "now": self.now,
            "kinds": list(self.kinds),
        }


_STORED = ("id", "source", "stratum", "text", "act", "must", "times", "counted")


def judged(rows: Iterable[Row]) -> list[Row]:
    """Questions that the totals are of."""
    return [row for row in rows if row.counted and row.act is None and row.right is not None]


def acts(rows: Iterable[Row]) -> list[Row]:
    """Sentences whose act is judged."""
    return [row for row in rows if row.counted and row.act is not None]


def totals(rows: Sequence[Row]) -> dict[str, int]:
    """Counts of rows, before and after."""
    found = {"questions": len(rows)}
    for side in ("before", "after"):
        outcomes = [row.outcome(getattr(row, side)) for row in rows]
        found |= {f"{name}_{side}": outcomes.count(name) for name in ("right", "wrong", "neither")}
    for kind in ("gained", "lost", "wrong", "mended", "must"):
        found[f"newly_{kind}" if kind == "wrong" else kind] = sum(kind in row.kinds for row in rows)
    return found
