"""Matters that rise: how soon they are raised, and how often one is raised that is none.  ``python -m benchmarks.surges``

A simulated city asks in own wordings (the project's question sets and the starter knowledge), each said in other words: its vector is moved
as far as two wordings of one item lie apart.  Items are asked more or less often, by hour and weekday, more on some days than on others; in each
week one subject has its season and rises fourfold; several times a day a few people ask the same within half an hour, as neighbours and parents
of one class do.  One person asks the same thing twenty times, another asks about everything all day.

Ordinary weeks give the false alarms, a minute at a time.  Into ordinary days eight events are put, four to tune on and four that were measured
once (``tests/data/surges``), as 80 or 20 voices in 40 minutes.  ``--half tune`` and its seeds are what the limits were fitted on.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from bot.settings import get_settings
from index.encoder import load_encoder
from index.search.normalise import normalise
from index.versions.vector_cache import CachedEncoder
from training.fit import question_files, read_questions, starter_items
from training.review import surges
from training.review.surges import Asking, Risen, Vectors

EVENTS = Path(__file__).parent.parent / "tests" / "data" / "surges"
DAY = 24 * 60
WARM = 14
"""Days before the week"""
_HOURS = np.array([2, 1, 1, 1, 1, 2, 8, 20, 60, 99, 95, 70, 45, 50, 85, 95, 85, 60, 45, 45, 45, 35, 20, 8], dtype=float)
_WEEKEND = 0.55
_FAR = (0.1, 0.75)
"""How far a wording lies from another one of its item"""
_SURE = 0.6
_ITEM_AT = 0.82
"""Cosine to a starter wording from which on an event's question counts as surely answered with its item"""


@dataclass(frozen=True)
class Pool:
    """What a city may ask."""

    vectors: Vectors
    items: list[str]
    themes: list[str]
    events: dict[str, tuple[list[str], Vectors]]
    """Of one half: texts and vectors"""


def pool(half: str) -> Pool:
    """Own wordings, and the events of a half."""
    encoder = CachedEncoder(load_encoder(None), get_settings().index_dir / "surges.db")
    texts: dict[str, tuple[str, str]] = {}
    for item in starter_items():
        for text in item.texts[:8]:
            texts.setdefault(normalise(text).text, (item.id, item.matter))
    for path in question_files():
        for row in read_questions(path):
            if "prev" not in row:
                qa = (row.get("qa") or [f"none: {row['q']}"])[0]
                texts.setdefault(normalise(row["q"]).text, (qa, row["expect"] or qa))
    said: dict[str, list[str]] = defaultdict(list)
    for row in read_questions(EVENTS / f"{half}.jsonl"):
        said[row["event"]].append(normalise(row["q"]).text)
    vectors = encoder.encode(list(texts))
    events = {name: (some, encoder.encode(some)) for name, some in said.items()}
    encoder.close()
    return Pool(vectors, [item for item, _ in texts.values()], [theme for _, theme in texts.values()], events)


@dataclass
class City:
    """Three weeks of questions, in the order in which they were asked."""

    minute: NDArray[np.float64]
    vectors: Vectors
    person: NDArray[np.int64]
    wording: NDArray[np.int64]
    """Equal ones are one text"""
    item: list[str | None]


def city(pool: Pool, seed: int, daily: int) -> City:
    """Two weeks to know it by, and the one that is looked at; begins on a Monday."""
    rng = np.random.default_rng(seed)
    by_item: dict[str, list[int]] = defaultdict(list)
    for row, item in enumerate(pool.items):
        by_item[item].append(row)
    items = sorted(by_item)
    theme_of = [pool.themes[by_item[item][0]] for item in items]
    themes = sorted(set(theme_of))
    theme = np.array([themes.index(name) for name in theme_of])
    rank = rng.permutation(len(items))
    popular = 1 / (10 + rank) ** 0.9
    shift = rng.normal(0, 2.0, len(themes))
    """Hours by which a theme is asked about later in the day"""
    season = int(rng.integers(len(themes)))
    minutes: list[float] = []
    asked: list[int] = []
    persons: list[int] = []
    nobody = 0
    for day in range(WARM + 7):
        mood = rng.gamma(8, 1 / 8, len(themes))
        if day >= WARM:
            mood[season] *= 1 + 3 * (day - WARM + 1) / 7
        busy = daily * rng.gamma(60, 1 / 60) * (_WEEKEND if day % 7 >= 5 else 1.0)
        for hour in range(24):
            per = popular * mood[theme] * np.exp(-(((hour - 13 - shift[theme]) / 9) ** 2))
            count = rng.poisson(busy * _HOURS[hour] / _HOURS.sum())
            for number in rng.choice(len(items), count, p=per / per.sum()):
                nobody += 1
                at = day * DAY + hour * 60 + rng.uniform(0, 60)
                for _ in range(1 + (rng.random() < 0.25) + (rng.random() < 0.08)):  # some put it once more
                    minutes.append(at)
                    asked.append(int(number))
                    persons.append(nobody)
                    at += rng.exponential(3)
        for _ in range(rng.poisson(1 + daily / 1000)):  # neighbours, parents of a class
            number, start = int(rng.integers(len(items))), day * DAY + rng.uniform(8, 22) * 60
            for _ in range(int(rng.integers(3, 7))):
                nobody += 1
                minutes.append(start + rng.uniform(0, 30))
                asked.append(number)
                persons.append(nobody)
        nobody += 1  # one who asks the same again and again
        number, start = int(rng.integers(len(items))), day * DAY + rng.uniform(8, 21) * 60
        minutes += [start + float(one) for one in rng.uniform(0, 25, 20)]
        asked += [number] * 20
        persons += [nobody] * 20
        nobody += 1  # one who asks about everything
        minutes += [day * DAY + float(one) for one in rng.uniform(8 * 60, 22 * 60, 30)]
        asked += [int(one) for one in rng.integers(len(items), size=30)]
        persons += [nobody] * 30
    order = np.argsort(minutes, kind="stable")
    number_of = np.array(asked)[order]
    base = np.array([by_item[items[one]][int(rng.integers(len(by_item[items[one]])))] for one in number_of])
    variant = rng.integers(0, 40, len(base))
    noise = rng.standard_normal((len(base), pool.vectors.shape[1]), dtype=np.float32)
    noise *= rng.uniform(*_FAR, len(base)).astype(np.float32)[:, None] / np.linalg.norm(noise, axis=1, keepdims=True)
    vectors = pool.vectors[base] + noise
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    sure = rng.random(len(base)) < _SURE
    return City(
        np.array(minutes)[order],
        vectors,
        np.array(persons)[order],
        base * 40 + variant,
        [
            items[one] if known and not items[one].startswith("none") else None
            for one, known in zip(number_of, sure, strict=True)
        ],
    )


def usual(city: City, minute: float, rng: np.random.Generator) -> Vectors:
    """What was asked at this hour in the 14 days before, as the watch keeps it."""
    hour = minute // 60 % 24
    away = np.abs(city.minute // 60 % 24 - hour)
    before = (city.minute < minute - surges.SPAN_MIN) & (city.minute >= minute - WARM * DAY)
    rows = np.flatnonzero(before & (np.minimum(away, 24 - away) <= 1))
    if len(rows) < surges.FEW_USUAL:
        rows = np.flatnonzero(before)
    if len(rows) > surges.MOST_USUAL:
        rows = rng.choice(rows, surges.MOST_USUAL, replace=False)
    return city.vectors[rows]


def asking(city: City, row: int) -> Asking:
    """A question of the city as the watch reads it."""
    return Asking(
        str(row),
        float(city.minute[row]),
        str(city.person[row]),
        f"{city.wording[row]}",
        city.vectors[row],
        city.item[row],
    )


def ordinary(pool: Pool, seed: int, daily: int) -> tuple[list[Risen], list[float]]:
    """What is raised in an ordinary week, and how long each look took in seconds of CPU."""
    here, rng = city(pool, seed, daily), np.random.default_rng(seed)
    raised: list[tuple[float, Risen]] = []
    took: list[float] = []
    known, hour = here.vectors[:0], -1
    for minute in range(WARM * DAY, (WARM + 7) * DAY):
        if minute // 60 != hour:
            known, hour = usual(here, minute, rng), minute // 60
        first, fresh, last = np.searchsorted(here.minute, [minute - surges.SPAN_MIN, minute - 1, minute])
        if last - fresh == 0:
            continue
        start = time.process_time()
        rows = [asking(here, row) for row in range(first, last)]
        found = surges.risen(rows, list(range(fresh - first, last - first)), known, minute)
        took.append(time.process_time() - start)
        for one in found:
            if not any(
                minute - at < surges.AGAIN_MIN and surges.same(one, other.middle, other.place) for at, other in raised
            ):
                raised.append((minute, one))
    return [one for _, one in raised], took


def event(
    pool: Pool, here: City, name: str, voices: int, rng: np.random.Generator, starters: tuple[Vectors, list[str]]
) -> int | None:
    """Minutes from its first voice until it is raised; None: not while it went on."""
    texts, vectors = pool.events[name]
    start = (WARM + int(rng.integers(7))) * DAY + rng.uniform(6.5, 22) * 60
    known = usual(here, start, rng)
    at = np.sort(rng.uniform(0, surges.SPAN_MIN, voices))
    at += start - at[0]
    drawn = [int(one) for one in np.concatenate([rng.permutation(len(texts)) for _ in range(2)])[:voices]]
    near = vectors @ starters[0].T
    spoken = []
    for number, (minute, row) in enumerate(zip(at, drawn, strict=True)):
        best = int(near[row].argmax())
        item = starters[1][best] if near[row, best] >= _ITEM_AT else None
        spoken.append(Asking(f"e{number}", float(minute), f"e{number}", texts[row], vectors[row], item))
    for step in range(1, surges.SPAN_MIN + 1):
        now = start + step
        first, last = np.searchsorted(here.minute, [now - surges.SPAN_MIN, now])
        rows = [asking(here, row) for row in range(first, last)] + [one for one in spoken if one.minute <= now]
        new = [number for number, one in enumerate(rows) if one.minute > now - 1]
        for one in surges.risen(rows, new, known, now):
            if 2 * sum(each.id.startswith("e") for each in one.members) > len(one.members):
                return step
    return None


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--half", choices=("tune", "measure"), default="measure")
    parser.add_argument("--weeks", type=int, default=20)
    parser.add_argument("--daily", type=int, default=3000, help="questions on a weekday")
    parser.add_argument("--trials", type=int, default=25, help="of each event and size")
    arguments = parser.parse_args()
    out = Console()
    made = pool(arguments.half)
    seeds = 1000 if arguments.half == "tune" else 2000
    wordings = [row for row, item in enumerate(made.items) if not item.startswith("none")]
    starters = made.vectors[wordings], [made.items[row] for row in wordings]
    false: list[Risen] = []
    took: list[float] = []
    for week in range(arguments.weeks):
        found, seconds = ordinary(made, seeds + week, arguments.daily)
        false += found
        took += seconds
    new = [one for one in false if one.item is None]
    if arguments.weeks:
        out.print(f"{arguments.weeks} ordinary weeks of {arguments.daily} questions a day:")
        out.print(
            f"  new matters {len(new) / arguments.weeks:.2f} a week, asked for {(len(false) - len(new)) / arguments.weeks:.2f} a week"
        )
        out.print(f"  a look {1000 * np.mean(took):.1f} ms of CPU, p99 {1000 * np.quantile(took, 0.99):.1f} ms")
        for one in sorted(false, key=lambda each: -each.surprise)[:30]:
            out.print(
                f"    {one.persons} people, {one.expected:.2f} usual, {one.minutes} min, {one.surprise:.1f} {one.item or 'new'}"
            )
    for voices in (80, 40, 20):
        everything: list[int | None] = []
        for name in made.events:
            rng = np.random.default_rng(seeds + voices)
            here = [city(made, seeds + 500 + number, arguments.daily) for number in range(2)]
            times = [event(made, here[one % 2], name, voices, rng, starters) for one in range(arguments.trials)]
            everything += times
            out.print(f"  {voices} voices, {name:<8} {_told(times)}")
        out.print(f"{voices} voices in 40 minutes: {_told(everything)}")


def _told(times: list[int | None]) -> str:
    raised = sorted(one for one in times if one is not None)
    if not raised:
        return "never raised"
    soon = sum(one <= 10 for one in raised)
    median, late = np.median(raised), np.quantile(raised, 0.95)
    return f"raised {len(raised)}/{len(times)}, within 10 min {soon}/{len(times)}, median {median:.0f} min, 95 % by {late:.0f} min"


if __name__ == "__main__":
    main()
