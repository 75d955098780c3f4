"""The figures that limits rest on, and what is shipped with the project."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from index.encoder import encoder_checksum
from index.search.lexical import IndexFileError
from index.search.normalise import clean, normalise
from index.search.ranking import Calibration
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


@pytest.mark.parametrize(
    "name",
    [
        "questions_dev.jsonl",
        "questions_400.jsonl",
        "followups.jsonl",
        "followups_60.jsonl",
        "followups_150.jsonl",
        *(
            f"lived/{register}_{half}.jsonl"
            for register in ("questions", "spoken", "letters", "short")
            for half in ("final", "fresh")
        ),
    ],
)
def test_the_measuring_questions_are_not_in_what_is_fitted(name: str) -> None:
    seen = {clean(text) for item in fit.starter_items() for text in item.texts}
    seen |= {clean(row["q"]) for path in fit.question_files() for row in fit.read_questions(path)}
    rows = fit.read_questions(Path(__file__).parents[1] / "data" / name)
    alone = [row["q"] for row in rows if not row.get("prev") and not normalise(row["q"]).empty]
    assert [text for text in alone if clean(text) in seen] == []


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
