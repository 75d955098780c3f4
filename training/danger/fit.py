"""``python -m training.danger.fit``: fit the danger classifier on the project's own sentences, and its limits out of fold.

``sentences.jsonl``: {"text", "label": danger or calm, "kind", "clear", "by"}, written for this by several writers who saw
neither patterns nor product.  Limits come from folds that leave one writer out: at most 1 % of the look-alikes get the card, at
most 3.5 % more the caring question.  The knowledge's wordings and the questions that the limits of answering are fitted on are
look-alikes too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from bot import guards
from bot.danger import KINDS, Kind
from bot.settings import ROOT
from index.danger.classifier import FILE, DangerClassifier, Limits, grams
from index.danger.hearing import level
from index.knowledge_files.reading import read_folder
from index.knowledge_files.starter import STARTER
from training.fit import read_questions

SENTENCES = Path(__file__).with_name("sentences.jsonl")
NLU = ROOT / "nlu_data" / "nlu"
QUESTIONS = Path(__file__).parent.parent / "questions"

CARD, CARD_OR_QUESTION, OPEN = 0.01, 0.045, 0.10
"""Shares of the look-alikes that may get the card, that or the question, that or the question while a danger is open (the last 800 were written to
be mistaken: the second was .04 before them, and would have cost one danger in a hundred);"""
CARING = 0.01
"""of the second so much may be questions to those who may think of suicide."""

_ORDINARY = 12_000
"""So many of the knowledge's wordings are look-alikes too,"""
_RESCUE = re.compile(r"(?<!\d)(?:110|119|120|122)(?!\d)")
"""Whoever asks for an item whose answer names one of these may be in danger: such a text is no look-alike"""
_C = 30.0
"""Inverse strength of the penalty: the best of 3, 10, 30, 100 out of fold"""
_FOLDS = 5
_SEED = 20261129


def read_sentences(path: Path) -> list[dict[str, Any]]:
    """The labelled sentences of a file."""
    with path.open(encoding="utf-8", newline="") as file:
        return [json.loads(line) for line in file if line.strip()]


def ordinary() -> list[str]:
    """Texts in which nobody is in danger: wordings of the knowledge, and the questions of ``training/questions``."""
    qas = read_folder(STARTER).qas
    rescue = {qa.id for qa in qas if _RESCUE.search(qa.answer)}
    wordings = sorted({text for qa in qas if qa.id not in rescue for text in (qa.question, *qa.similar)})
    chosen = np.random.default_rng(_SEED).choice(len(wordings), _ORDINARY, replace=False)
    rows = (row for path in sorted(QUESTIONS.glob("*.jsonl")) for row in read_questions(path))
    asked = [row["q"] for row in rows if not rescue & set(row["qa"] if "qa" in row else [row.get("expect")])]
    # What is said to any assistant (不用了, 打不通, 第二个): in brackets stands what Rasa is to find in it.
    acts = [
        re.sub(r"\[([^\]]*)\](?:\([^)]*\)|\{[^}]*\})", r"\1", line)
        for path in sorted(NLU.glob("*.yml"))
        for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["nlu"]
        if entry.get("intent") not in (None, "ask_policy")
        for line in re.findall(r"^\s*-\s*(.+)$", entry["examples"], re.MULTILINE)
    ]
    return [*(wordings[at] for at in sorted(chosen)), *asked, *(text for text in acts if not guards.dangers(text))]


def fit(rows: Sequence[dict[str, Any]], calm: Sequence[str], limits: Limits) -> DangerClassifier:
    """A classifier fitted on labelled rows, and on texts without danger."""
    vectoriser = TfidfVectorizer(analyzer=grams, sublinear_tf=True, min_df=2)
    features = vectoriser.fit_transform([*(row["text"] for row in rows), *calm])
    danger = np.array([row["label"] == "danger" for row in rows] + [False] * len(calm))
    whether = _regression().fit(features, danger)
    kinds: list[Kind] = [kind for kind in KINDS if kind in {row["kind"] for row in rows if row["label"] == "danger"}]
    told = features[np.flatnonzero(danger)]
    which = [
        kind for row, is_danger in zip(rows, danger[: len(rows)], strict=True) if is_danger for kind in [row["kind"]]
    ]
    each = [_regression().fit(told, np.array([kind == one for kind in which])) for one in kinds]
    models = [whether, *each]
    return DangerClassifier(
        [str(term) for term in vectoriser.get_feature_names_out()],
        vectoriser.idf_.astype(np.float32),
        np.vstack([model.coef_[0] for model in models]).astype(np.float32),
        np.array([model.intercept_[0] for model in models], dtype=np.float32),
        kinds,
        limits,
    )


def _regression() -> LogisticRegression:
    return LogisticRegression(C=_C, max_iter=300, solver="liblinear", random_state=_SEED)


def out_of_fold(rows: Sequence[dict[str, Any]], calm: Sequence[str]) -> tuple[NDArray[np.float64], list[Kind]]:
    """(probability, likeliest kind) of every row by a classifier that saw none of its writer's."""
    found: list[tuple[float, Kind]] = [(0.0, "unknown")] * len(rows)
    writers = sorted({row["by"] for row in rows})
    for fold in range(_FOLDS):
        out = set(writers[fold::_FOLDS])
        model = fit([row for row in rows if row["by"] not in out], calm, Limits(0, 0, 0, 0))
        for at, row in enumerate(rows):
            if row["by"] in out:
                probability, kinds = model.probability(row["text"])
                found[at] = probability, kinds[0]
    return np.array([one for one, _ in found]), [kind for _, kind in found]


def limits_of(rows: Sequence[dict[str, Any]], probabilities: NDArray[np.float64], kinds: Sequence[Kind]) -> Limits:
    """The lowest limits with which both ears together keep the look-alikes' shares."""
    calm = [
        (row["text"], guards.dangers(row["text"]), float(p), kind)
        for row, p, kind in zip(rows, probabilities, kinds, strict=True)
        if row["label"] == "calm"
    ]
    tried = sorted({round(p, 2) for _, _, p, _ in calm})

    def lowest(
        share: float, limits: Callable[[float], Limits], counted: tuple[str, ...], *, open_: bool = False
    ) -> float:
        for at in tried:
            given = sum(level(*one, limits(at), open_=open_) in counted for one in calm)
            if given <= share * len(calm):
                return at
        return 1.0

    both = ("card", "question")
    # The patterns alone have their share: what caring adds comes on top of it.
    patterns = np.mean([level(*one, Limits(1.0, 1.0, 1.0, 1.0)) in both for one in calm])
    care_at = lowest(float(patterns) + CARING, lambda at: Limits(1.0, 1.0, at, at), both)
    ask_at = lowest(CARD_OR_QUESTION, lambda at: Limits(1.0, at, care_at, at), both)
    card_at = lowest(CARD, lambda at: Limits(at, ask_at, care_at, ask_at), ("card",))
    open_at = lowest(OPEN, lambda at: Limits(card_at, ask_at, care_at, at), both, open_=True)
    return Limits(card_at, ask_at, care_at, open_at)


def main() -> None:
    """Fit, write, show."""
    rows, calm = read_sentences(SENTENCES), ordinary()
    probabilities, kinds = out_of_fold(rows, calm)
    limits = limits_of(rows, probabilities, kinds)
    fit(rows, calm, limits).save(FILE)
    given = [
        level(row["text"], guards.dangers(row["text"]), float(p), kind, limits)
        for row, p, kind in zip(rows, probabilities, kinds, strict=True)
    ]
    table = Table("kind", "sentences", "card", "card or question", "kind right", title="writers left out")

    def add(name: str, chosen: list[int], right: str) -> None:
        card = np.mean([given[n] == "card" for n in chosen])
        table.add_row(name, str(len(chosen)), f"{card:.3f}", f"{np.mean([bool(given[n]) for n in chosen]):.3f}", right)

    danger = [n for n, row in enumerate(rows) if row["label"] == "danger"]
    for kind in KINDS:
        if chosen := [n for n in danger if rows[n]["kind"] == kind]:
            add(kind, chosen, f"{np.mean([kinds[n] == kind for n in chosen]):.3f}")
    add("all", danger, "")
    add("look-alikes", [n for n, row in enumerate(rows) if row["label"] == "calm"], "")
    Console().print(table, limits)


if __name__ == "__main__":
    main()
