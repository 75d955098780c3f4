"""Who is heard: ``python -m benchmarks.dangers`` puts every sentence of ``tests/data/danger_final.jsonl`` to both ears.

Written by two writers who saw neither the patterns nor the fitted sentences; none of it was fitted, but rules were settled beside
it (``docs/measurements.md``).  ``--misses`` names what was missed and what gave a false alarm.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

from rich.console import Console
from rich.table import Table

from bot import guards
from bot.danger import KINDS
from bot.settings import ROOT
from index.danger.hearing import Heard, hear
from training.danger.fit import read_sentences
from training.evaluate.figures import share

FINAL = ROOT / "tests" / "data" / "danger_final.jsonl"


def main() -> None:
    """Hear, count, show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--misses", action="store_true")
    options = parser.parse_args()
    rows = read_sentences(FINAL)
    hear("您好")  # loads
    heard: list[Heard | None] = []
    took: list[float] = []
    for row in rows:
        began = time.perf_counter()
        heard.append(hear(row["text"]))
        took.append(1000 * (time.perf_counter() - began))
    console = Console()
    console.print(_table(rows, heard))
    patterns = [bool(guards.dangers(row["text"])) for row in rows]
    danger = [row["label"] == "danger" for row in rows]
    console.print(
        "patterns alone: recall", share(sum(p and d for p, d in zip(patterns, danger, strict=True)), sum(danger))
    )
    console.print(f"a message: median {statistics.median(took):.2f} ms, longest {max(took):.1f} ms")
    if options.misses:
        for row, one in zip(rows, heard, strict=True):
            if (row["label"] == "danger") is not bool(one):
                console.print(row["kind"], row["text"], one.level if one else "", style=None, highlight=False)


def _table(rows: list[dict[str, Any]], heard: list[Heard | None]) -> Table:
    table = Table("kind", "sentences", "card", "card or question", "kind right", title="final set")
    for label in ("danger", "calm"):
        kinds = KINDS if label == "danger" else sorted({row["kind"] for row in rows if row["label"] == "calm"})
        for kind in (*kinds, "all"):
            chosen = [
                (row, one)
                for row, one in zip(rows, heard, strict=True)
                if row["label"] == label and kind in (row["kind"], "all")
            ]
            if not chosen:
                continue
            levels = [one.level if one else None for _, one in chosen]
            right = sum(bool(one) and row["kind"] in one.kinds for row, one in chosen if one)
            table.add_row(
                f"{label}: {kind}",
                str(len(chosen)),
                share(levels.count("card"), len(levels)),
                share(len(levels) - levels.count(None), len(levels)),
                share(right, sum(bool(level) for level in levels)) if label == "danger" else "",
            )
    return table


if __name__ == "__main__":
    main()
