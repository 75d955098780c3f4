"""``python -m training.calls``: fit how the desk listens to calls, and measure it on calls that nothing was fitted on.

The ranker learns from letters (``training/questions``, the question hidden in a story), cut into lines as speech would be; the
probability from every line of ``training/calls.jsonl`` (one writer's calls; with each question the line at which two readers found it
clear).  Bands and figures come from ``tests/data/calls/final.jsonl``, another writer's.  ``--measure`` fits nothing.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from bot.settings import ROOT, get_settings
from index.assist import listening
from index.assist.deciding import deciding, settled_by
from index.assist.lines import Line
from index.assist.listening import Listener, Topic, readings_of
from index.assist.weights import FILE, STANDING, VOTES, Weights, weights
from index.search.ranking import Logistic
from index.versions.store import IndexReader, Loaded

CALLS = Path(__file__).with_name("calls.jsonl")
LETTERS = Path(__file__).parent / "questions"
FINAL = ROOT / "tests" / "data" / "calls" / "final.jsonl"
AMBIGUOUS = ROOT / "tests" / "data" / "calls" / "ambiguous.jsonl"

SHOW_AT, KEEP_AT = 0.4, 0.15
"""Chosen on folds of the calls: earlier shows more too early, later shows less in time"""
LIKELY_AT, SURE_AT = 0.5, 0.75
_BREATH = 22
"""Characters of a line that a letter is cut into"""


@dataclass(frozen=True)
class Recorded:
    """A call with what is asked in it."""

    id: str
    kind: str
    lines: tuple[Line, ...]
    answers: tuple[frozenset[str], ...]
    """Of each question the items that answer it; no question has none"""
    clear: tuple[int, ...]
    """Of each question the line at which the later of two readers found it clear"""


def read_calls(path: Path) -> list[Recorded]:
    """The calls of a file."""
    return [_recorded(json.loads(row)) for row in path.read_text(encoding="utf-8").split("\n") if row.strip()]


def _recorded(raw: dict[str, Any]) -> Recorded:
    asked = [one for one in raw.get("questions", ()) if one["qa"]]
    return Recorded(
        raw["id"],
        raw["kind"],
        tuple(Line(seq, line["s"], line["t"]) for seq, line in enumerate(raw["lines"], 1)),
        tuple(frozenset(one["qa"]) for one in asked),
        tuple(max(one.get("clear", [0])) for one in asked),
    )


def letters() -> list[Recorded]:
    """The labelled letters, cut into breaths."""
    found: list[Recorded] = []
    for path in sorted(LETTERS.glob("*.jsonl")):
        for row in path.read_text(encoding="utf-8").split("\n"):
            if row.strip() and (raw := json.loads(row)).get("register") == "letters" and raw["qa"]:
                lines = tuple(Line(seq, "caller", text) for seq, text in enumerate(_breaths(raw["q"]), 1))
                found.append(Recorded(f"letter-{len(found)}", "single", lines, (frozenset(raw["qa"]),), (len(lines),)))
    return found


def _breaths(text: str) -> list[str]:
    lines: list[str] = []
    breath = ""
    for piece in re.split(r"(?<=[，。？！；,;?!\n])", text):
        if breath and len(breath) + len(piece) > _BREATH:
            lines.append(breath)
            breath = ""
        breath += piece
    return [said for line in (*lines, breath) if (said := line.strip("，。？！；,;?!\n "))]


def fit(loaded: Loaded) -> Weights:
    """Learn from the letters, then from the calls."""
    ranker = _fit_ranker(loaded, letters())
    fitted = Weights(ranker, Logistic((0.0,) * len(STANDING), 0.0), SHOW_AT, KEEP_AT, LIKELY_AT, SURE_AT, {}, {})
    rows, right = [], []
    for call in read_calls(CALLS):
        listener = Listener(loaded, get_settings().region, fitted)
        for heard in _prefixes(call):
            if topics := listener.topics(heard):
                rows.append(topics[0].standing)
                right.append(_right_by_now(call, heard, topics[0]))
    return Weights(
        ranker, _logistic(np.array(rows), np.array(right), 0.3), SHOW_AT, KEEP_AT, LIKELY_AT, SURE_AT, {}, {}
    )


def _right_by_now(call: Recorded, heard: Sequence[Line], topic: Topic) -> bool:
    first = topic.suggestions[0].qa_id
    return any(first in items and len(heard) >= at for items, at in zip(call.answers, call.clear, strict=True))


def _prefixes(call: Recorded) -> Iterator[Sequence[Line]]:
    """The call after each of the caller's lines, and at its end."""
    for count, line in enumerate(call.lines, 1):
        if line.speaker == "caller" or count == len(call.lines):
            yield call.lines[:count]


def _fit_ranker(loaded: Loaded, calls: Sequence[Recorded]) -> Logistic:
    rows, right = [], []
    for call in calls:
        listener = Listener(loaded, get_settings().region)
        readings = [
            one for one in (listener._find(*some, None, frozenset()) for some in readings_of(call.lines)) if one.ranked
        ]
        items = {one.candidate.item.id: one.candidate.item for reading in readings for one in reading.ranked}
        if not call.answers[0] & set(items):
            continue
        votes = listening._votes(readings, items, call.lines, listening._ages(call.lines))
        rows += [[one[name] for name in VOTES] for one in votes.values()]
        right += [id_ in call.answers[0] for id_ in votes]
    return _logistic(np.array(rows), np.array(right), 1.0, balanced=True, standardised=False)


def _logistic(
    rows: NDArray[np.float64], right: NDArray[np.bool_], c: float, *, balanced: bool = False, standardised: bool = True
) -> Logistic:
    """Fitted on standardised features, and told in the features themselves."""
    mean = rows.mean(axis=0) if standardised else np.zeros(rows.shape[1])
    deviation = rows.std(axis=0) + 1e-9 if standardised else np.ones(rows.shape[1])
    fitted = LogisticRegression(C=c, max_iter=2000, class_weight="balanced" if balanced else None)
    fitted.fit((rows - mean) / deviation, right)
    slopes = fitted.coef_[0] / deviation
    bias = float(fitted.intercept_[0] - np.dot(slopes, mean))
    return Logistic(tuple(round(float(slope), 5) for slope in slopes), round(bias, 5))


def write(fitted: Weights) -> None:
    """Keep them, and use them from now on."""
    raw = {name: getattr(fitted, name) for name in Weights.__dataclass_fields__}
    for name in ("ranker", "right"):
        raw[name] = {"weights": raw[name].weights, "bias": raw[name].bias}
    FILE.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    weights.cache_clear()


@dataclass(frozen=True)
class Figures:
    """How well calls are heard."""

    questions: int
    first: float
    """Right item first at the end"""
    three: float
    """among three at the end"""
    in_time: float
    """among three at most one line after the question was clear"""
    not_early: float
    """Share of the calls in which nothing was shown before"""
    silent: float
    """Share of the calls that nothing answers at whose end nothing is shown"""
    rates: dict[str, float]
    counts: dict[str, int]


def measure(loaded: Loaded, calls: Sequence[Recorded]) -> Figures:
    """Hear the calls line by line, as the desk does."""
    first = three = in_time = early = answered = silent = unanswered = 0
    bands: dict[str, list[bool]] = {"sure": [], "likely": [], "reference": []}
    for call in calls:
        listener = Listener(loaded, get_settings().region)
        shown: dict[int, list[Topic]] = {0: []}
        for count in range(1, len(call.lines) + 1):
            shown[count] = listener.hear(call.lines[:count])
        end = shown[len(call.lines)]
        for topic in end:
            bands[topic.suggestions[0].band].append(any(topic.suggestions[0].qa_id in items for items in call.answers))
        if not call.answers:
            unanswered += 1
            silent += not end
            continue
        answered += 1
        early += any(shown[count] for count in range(min(call.clear)))
        for items, at in zip(call.answers, call.clear, strict=True):
            first += any(topic.suggestions[0].qa_id in items for topic in end)
            three += _among(end, items)
            in_time += _among(shown[min(at + 1, len(call.lines))], items)
    questions = sum(len(call.answers) for call in calls)
    return Figures(
        questions,
        first / questions,
        three / questions,
        in_time / questions,
        1 - early / max(1, answered),
        silent / max(1, unanswered),
        {band: round(sum(hits) / len(hits), 3) for band, hits in bands.items() if hits},
        {band: len(hits) for band, hits in bands.items()},
    )


def _among(topics: Sequence[Topic], items: frozenset[str]) -> bool:
    return any(one.qa_id in items for topic in topics for one in topic.suggestions)


def decided(loaded: Loaded) -> tuple[int, int, int, int]:
    """(calls, asked a deciding question, right first before, right first after it was answered truthfully) of the ambiguous ones."""
    rows = [json.loads(row) for row in AMBIGUOUS.read_text(encoding="utf-8").split("\n") if row.strip()]
    asked = before = after = 0
    for raw in rows:
        call = _recorded(raw)
        topics = Listener(loaded, get_settings().region).topics(call.lines)
        first = topics[0] if topics else None
        said = "".join(line.text for line in call.lines if line.speaker == "caller")
        question = deciding(first, loaded.retriever, said) if first else None
        asked += question is not None
        before += first is not None and first.suggestions[0].qa_id == raw["truth"]
        if first is not None and question is not None and raw["truth"] in question.items:
            first = settled_by(first, question, question.answers[question.items.index(raw["truth"])])
        after += first is not None and first.suggestions[0].qa_id == raw["truth"]
    return len(rows), asked, before, after


def main() -> None:
    """Fit and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", action="store_true", help="fit nothing")
    arguments = parser.parse_args()
    loaded = IndexReader(get_settings()).get()
    if not arguments.measure:
        write(fit(loaded))
        print("calls that were fitted on:", measure(loaded, read_calls(CALLS)))
    figures = measure(loaded, read_calls(FINAL))
    print("final calls:", figures)
    if not arguments.measure:
        write(Weights(**{**vars(weights()), "rates": figures.rates, "counts": figures.counts}))
    print("ambiguous (calls, asked, right before, right after):", decided(loaded))


if __name__ == "__main__":
    main()
