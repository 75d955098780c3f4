"""The figures that limits rest on, and what is shipped with the project."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.golden import letters
from index.encoder import encoder_checksum
from index.search import unanswered
from index.search.lexical import IndexFileError
from index.search.normalise import clean, normalise
from index.search.ranking import Calibration
from index.search.retriever import Item, Retriever
from index.versions import calibrations
from training import fit


@pytest.mark.parametrize(
    ("wrong", "total", "bound"), [(0, 99, 0.0298), (0, 100, 0.0295), (3, 100, 0.0757), (5, 5, 1.0)]
)
def test_the_upper_bound_is_clopper_and_pearsons(wrong: int, total: int, bound: float) -> None:
    assert fit.upper_bound(wrong, total) == pytest.approx(bound, abs=1e-4)


def test_the_limit_is_the_lowest_that_keeps_the_target() -> None:
    probabilities = np.linspace(0.5, 1, 400)
    right = (probabilities > 0.7).astype(np.int64)
    limit = fit.answer_limit(probabilities, right)
    answered = probabilities >= limit
    assert fit.upper_bound(int((answered & (right == 0)).sum()), int(answered.sum())) <= fit.TARGET
    lower = probabilities >= limit - 0.01
    assert fit.upper_bound(int((lower & (right == 0)).sum()), int(lower.sum())) > 0.75 * fit.TARGET


def test_with_few_questions_the_limit_is_the_most_careful_one() -> None:
    probabilities = np.linspace(0.5, 1, 20)
    right = (probabilities > 0.8).astype(np.int64)
    assert fit.answer_limit(probabilities, right) >= 0.79


def test_what_is_shown_as_likely_is_no_oftener_wrong_than_allowed() -> None:
    rng = np.random.default_rng(1)
    probabilities = rng.random(4000)
    right = (rng.random(4000) < probabilities).astype(np.int64)
    answerable = np.ones(4000, dtype=bool)
    answerable[::5] = False
    right[~answerable] = 0
    probabilities[~answerable] *= 0.8  # as what they were given looks
    free = fit.likely_limit(probabilities, right, answerable, 0.97)
    shown = (probabilities >= free) & (probabilities < 0.97)
    assert free < 0.9
    assert fit.wrong_share(shown, right, answerable) <= fit.LIKELY_TARGET
    assert (probabilities[~answerable] >= free).mean() <= 0.07
    assert fit.likely_limit(probabilities, right, answerable, 0.97, free - 0.3) == free
    kept = free - 0.01
    assert fit.likely_limit(probabilities, right, answerable, 0.97, kept) == kept, (
        "what is in use stays while it keeps the target"
    )
    assert fit.likely_limit(probabilities, right, answerable, 0.97, 0.96) == 0.96
    assert fit.likely_limit(probabilities, right, answerable, 0.97, 0.99) == 0.97


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=60),
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=60),
    st.floats(0, 1),
)
def test_no_more_is_wrong_after_than_before(
    before: list[tuple[float, bool]], after: list[tuple[float, bool]], likely_at: float
) -> None:
    was, now = (
        fit.Shown(np.array([p for p, _ in one]), np.array([w for _, w in one], dtype=bool)) for one in (before, after)
    )
    limit = fit.no_more_wrong(was, likely_at, now)
    assert now.share_wrong(limit) <= was.share_wrong(likely_at) + 1e-6
    assert fit.no_more_wrong(was, likely_at, was) <= math.floor(1000 * likely_at + 1) / 1000, (
        "nothing new: nothing changes"
    )


def test_what_weights_show_is_counted_as_it_comes() -> None:
    items = [Item(f"q{n}", f"事{n}", "100000", "个人", (f"第{n}件事怎么办", f"{n}号怎么弄"), "答") for n in range(12)]
    retriever = Retriever.build(items, None)
    questions = [fit.Question(f"第{n}件事咋办", frozenset({f"q{(n + n % 2) % 12}"}), f"g{n}") for n in range(12)]
    examples = fit.labelled(retriever, questions)
    shipped = calibrations.shipped("")
    assert shipped is not None
    shown = fit.Shown.of(examples, shipped.ranker, shipped.confidence, retriever)
    firsts = [fit._top(one, shipped.ranker) for one in examples]
    wrong = sum(one.verdict(first) is False for one, first in zip(examples, firsts, strict=True))
    assert wrong and shown.share_wrong(0.0) == pytest.approx(wrong / 12)
    assert shown.share_wrong(1.1) == 0


def test_a_perfect_calibration_has_no_error() -> None:
    probabilities = np.array([0.0] * 10 + [1.0] * 10)
    assert fit.calibration_error(probabilities, (probabilities > 0.5).astype(np.int64)) == 0
    assert fit.calibration_error(probabilities, (probabilities < 0.5).astype(np.int64)) == 1


def test_the_shipped_calibration_fits_the_shipped_encoder_and_meets_the_target() -> None:
    for checksum in (encoder_checksum(None), ""):
        shipped = calibrations.shipped(checksum)
        assert shipped is not None
        assert shipped.fitted_on["wrong_upper_bound"] <= fit.TARGET
        assert shipped.fitted_on["other_matters"]["wrong_upper_bound"] <= fit.TARGET
        assert shipped.fitted_on["expected_calibration_error"] <= 0.05
        assert 0 < shipped.clarify_at < shipped.answer_at < 1


@pytest.fixture(scope="module")
def fitted() -> set[str]:
    """All wordings and labelled questions."""
    seen = {clean(text) for item in fit.starter_items() for text in item.texts}
    seen |= set(unanswered.questions())
    return seen | {clean(row["q"]) for path in fit.question_files() for row in fit.read_questions(path)}


@pytest.mark.parametrize(
    "name",
    [
        "questions_dev.jsonl",
        "questions_400.jsonl",
        "followups.jsonl",
        "followups_60.jsonl",
        "followups_150.jsonl",
        "followups_fresh.jsonl",
        *(
            f"lived/{register}_{half}.jsonl"
            for register in ("questions", "spoken", "letters", "short")
            for half in ("final", "fresh")
        ),
        "lived/volume2_final.jsonl",
        "lived/stories_final.jsonl",
        "lived/mixed_final.jsonl",
        "lived/situations_final.jsonl",
    ],
)
def test_the_measuring_questions_are_not_in_what_is_fitted(name: str, fitted: set[str]) -> None:
    rows = fit.read_questions(Path(__file__).parents[1] / "data" / name)
    alone = [row["q"] for row in rows if not row.get("prev") and not normalise(row["q"]).empty]
    # Three letters and fewer (护照) are everybody's words.
    assert [text for text in alone if clean(text) in fitted and len(letters(text)) > 3] == []


def test_the_labels_name_knowledge_that_exists() -> None:
    items = {item.id: item.matter for item in fit.starter_items()}
    matters = set(items.values())
    for path in fit.question_files():
        for row in fit.read_questions(path):
            assert set(row.get("qa") or ()) <= set(items), row
            assert row["expect"] is None or row["expect"] in matters, row


@pytest.mark.parametrize("content", ["", "{}", '{"encoder": "", "ranker": {"weights": [1], "bias": 0}}'])
def test_a_damaged_calibration_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(IndexFileError):
        Calibration.load(path)


def test_a_calibration_of_other_features_is_refused() -> None:
    raw = json.loads(calibrations.FILE.read_text(encoding="utf-8"))[0]
    raw["ranker"]["weights"].append(0.5)
    with pytest.raises(IndexFileError, match="特征不一致"):
        Calibration.from_json(raw)
