"""What the assistant decides on labelled questions it was not fitted on, beside simpler ways of doing it.

``python -m benchmarks.decisions`` asks every question of a file (`training.evaluate`) with vectors and without, and lets two
baselines answer the same questions from the same items: the best wording by BM25 over characters, and (``--selector``, some
minutes of training) Rasa's ResponseSelector.  A baseline has no calibrated limit; it gets the best one in hindsight: that with
the most right answers at a share of wrong ones within the target.  Works in a temporary data folder.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import stack
from bot import database
from bot.settings import ROOT, Settings
from connectors.run import scratch
from index.knowledge_files import starter
from index.search import tokenize
from index.search.lexical import BM25Index
from index.search.normalise import clean, normalise
from index.versions import build, store
from training.evaluate.citizen import OUTCOMES, Asked
from training.evaluate.figures import ALL, figures, table
from training.evaluate.in_process import evaluate
from training.evaluate.questions import Question, read_questions
from training.fit import TARGET, calibration_for, starter_items, upper_bound

QUESTIONS = ROOT / "tests" / "data" / "questions_400.jsonl"

Guess = tuple[str, float]
"""An item's id and how sure the method is"""


def bm25(questions: Sequence[str]) -> list[Guess]:
    """The item of the best wording by BM25 over characters and bigrams."""
    items = starter_items()
    wordings = [(item.id, clean(text)) for item in items for text in item.texts]
    index = BM25Index.build([tokenize.ngrams(text) for _, text in wordings])
    guesses = []
    for text in questions:
        scores = index.scores(tokenize.ngrams(normalise(text).text))
        guesses.append((wordings[int(scores.argmax())][0], float(scores.max())))
    return guesses


def response_selector(questions: Sequence[str]) -> list[Guess]:
    """What Rasa's ResponseSelector says.  Raises: subprocess.CalledProcessError."""
    given = {"items": {item.id: list(item.texts) for item in starter_items()}, "questions": list(questions)}
    finished = subprocess.run(
        [ROOT / ".venv-rasa/bin/python", ROOT / "benchmarks/response_selector.py"],
        input=json.dumps(given, ensure_ascii=False),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [(id_, confidence) for id_, confidence in json.loads(finished.stdout.splitlines()[-1])]


def judged(guesses: Sequence[Guess], right: Sequence[frozenset[str]]) -> dict[str, Any]:
    """A baseline's figures at its best limit; ``right``: the ids that answer each question, none where nothing does."""
    best: dict[str, Any] = {"answered_right": 0, "answered_wrong": 0, "others_answered": 0, "limit": None}
    answerable = sum(map(bool, right))
    for limit in sorted({score for _, score in guesses}, reverse=True):
        answers = [(id_, wanted) for (id_, score), wanted in zip(guesses, right, strict=True) if score >= limit]
        good = sum(id_ in wanted for id_, wanted in answers)
        if (len(answers) - good) <= TARGET * len(answers) and good >= best["answered_right"]:
            best = {
                "answered_right": good,
                "answered_wrong": len(answers) - good,
                "others_answered": sum(not wanted for _, wanted in answers),
                "limit": round(limit, 3),
            }
    first = sum(id_ in wanted for (id_, _), wanted in zip(guesses, right, strict=True))
    return best | {
        "first_right": round(first / max(answerable, 1), 4),
        "answerable": answerable,
        "questions": len(right),
    }


def ours(asked: Sequence[Asked]) -> dict[str, Any]:
    """The same figures for the assistant at its own limits."""
    everything = figures(asked)
    made = everything["registers"][ALL]
    right = made["right_at_once"]["count"]
    others = made["unanswerable_sure"]["count"] + made["unanswerable_likely"]["count"]
    wrong = made["misled_sure"]["count"] + made["misled_likely"]["count"] + others
    return {
        "answered_right": right,
        "answered_wrong": wrong,
        "others_answered": others,
        "first_right": everything["first_right"],
        "asked_back_with_right": everything["outcomes"]["options"],
        "wrong_upper_bound_95": round(upper_bound(wrong, right + wrong), 4),
        "answerable": made["answerable"],
        "questions": len(asked),
    }


def measure(path: Path, folder: Path, *, selector: bool) -> tuple[dict[str, Any], list[Asked]]:
    """The report, and what came of each question with vectors."""
    settings = scratch.use(stack.settings_env(folder))
    database.migrate()
    with database.write() as session:
        starter.load_starter(session)
    store.publish(settings, build.build(settings, calibration_for))
    questions = read_questions(path)
    asked = {name: _ask(settings, questions, dense=name == "yihaoda") for name in ("yihaoda", "without vectors")}
    matters = {item.id: item.matter for item in starter_items()}
    alone = [one for one in questions if one.prev is None]
    right = [one.right_items(matters) for one in alone]
    texts = [one.q for one in alone]
    results = {name: ours(one) for name, one in asked.items()}
    results["BM25"] = judged(bm25(texts), right)
    if selector:
        results["ResponseSelector"] = judged(response_selector(texts), right)
    database.reset_engine()
    return {"questions": path.name, "target": TARGET, "results": results}, asked["yihaoda"]


def _ask(settings: Settings, questions: Sequence[Question], *, dense: bool) -> list[Asked]:
    return evaluate(settings.model_copy(update={"dense": dense}), questions)


def show(report: dict[str, Any], asked: Sequence[Asked]) -> None:
    """Tables, and every wrong answer by name."""
    console = Console(width=120)
    header, *rows = table(figures(asked))
    lived = Table(*header)
    for row in rows:
        lived.add_row(*row)
    console.print(lived)
    for one in asked:
        first = one.turns[0]
        if first.outcome.endswith("wrong"):
            wanted = "、".join(one.expected) or "不应作答"
            console.print(
                f"  {OUTCOMES[first.outcome]}：{one.q} → {first.qa_id or first.shown}，应为 {wanted}", markup=False
            )
    columns = ("first_right", "answered_right", "answered_wrong", "others_answered", "limit")
    compared = Table("method", *columns, title=report["questions"])
    for name, one in report["results"].items():
        compared.add_row(name, *(str(one.get(column, "calibrated")) for column in columns))
    console.print(compared)


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decisions", description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=Path, default=QUESTIONS, help="another file of labelled questions")
    parser.add_argument("--selector", action="store_true", help="train and ask Rasa's ResponseSelector as well")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there as well")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yihaoda-bench-") as folder:
        report, asked = measure(arguments.questions.resolve(), Path(folder), selector=arguments.selector)
    show(report, asked)
    if arguments.json:
        stack.write_json(arguments.json, report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
