"""Whether an item of few wordings is found among items of many: what a city adds beside the starter knowledge.

``python -m benchmarks.few_wordings``: every tenth item of the starter knowledge keeps its first four wordings, and the 40 items of
``tests/data/city_items.jsonl`` (four wordings each, near the starter's) join them.  Then the labelled questions of the thinned items, as
many of others, and the two questions that other people asked of each added item are ranked, with ``ranking.FEW`` as it is and otherwise.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bot import regions
from bot.settings import ROOT
from index.encoder import load_encoder
from index.search import ranking, unanswered
from index.search.normalise import normalise
from index.search.retriever import Candidate, Item, Retriever
from index.versions.vector_cache import CachedEncoder
from training.fit import Question, calibration_for, our_questions, starter_items

ADDED = ROOT / "tests" / "data" / "city_items.jsonl"
_TENTH, _KEPT = 10, 4
_WORTH = (0.0, 0.5, 1.0, ranking.FEW, 1.5, 2.0)


def added() -> tuple[list[Item], list[Question]]:
    """A city's own items, and what is asked of them."""
    rows = [json.loads(line) for line in ADDED.read_text(encoding="utf-8").splitlines()]
    items = [
        Item(f"city-{n}", row["matter"], regions.NATION, "", (row["question"], *row["similar"]), row["answer"])
        for n, row in enumerate(rows)
    ]
    return items, [Question(q, frozenset([f"city-{n}"]), "") for n, row in enumerate(rows) for q in row["asks"]]


def main() -> None:
    """Build, ask, and print a row for each worth."""
    console = Console()
    starter = starter_items()
    thin = {item.id for item in starter[::_TENTH]}
    own, asked = added()
    items = [replace(item, texts=item.texts[:_KEPT]) if item.id in thin else item for item in starter] + own
    questions = [one for one in our_questions() if one.right]
    sets = {
        "of thinned items": [one for one in questions if one.right <= thin],
        "of others": [one for one in questions if not one.right & thin][:: _TENTH - 1],
        "of added items": asked,
    }
    with tempfile.TemporaryDirectory() as folder, console.status("builds an index"):
        encoder = CachedEncoder(load_encoder(), Path(folder) / "vectors.db")
        retriever = Retriever.build(items, encoder, unanswered.questions())
        found = {
            name: [(one, normalise(one.text).text, retriever.candidates(normalise(one.text).text)) for one in asked]
            for name, asked in sets.items()
        }
        calibration = calibration_for(encoder)
        table = Table(
            "worth", *(f"{name} ({len(asked)}): first right, in four, misled" for name, asked in sets.items())
        )
        for worth in _WORTH:
            ranking.FEW = worth
            table.add_row(f"{worth:g}", *(_row(asked, calibration, retriever) for asked in found.values()))
        encoder.close()
    console.print(table)


def _row(
    asked: Sequence[tuple[Question, str, list[Candidate]]], calibration: ranking.Calibration, retriever: Retriever
) -> str:
    first, four, misled = 0, 0, 0
    for question, text, candidates in asked:
        ranked = ranking.rank(candidates, calibration.ranker)
        right = [one.candidate.item.id in question.right for one in ranked[:4]]
        first, four = first + right[0], four + any(right)
        probability = calibration.confidence.probability(ranking.evidence(ranked, text, retriever))
        misled += not right[0] and probability >= calibration.likely_at
    return ", ".join(f"{count / len(asked):.3f}" for count in (first, four, misled))


if __name__ == "__main__":
    main()
