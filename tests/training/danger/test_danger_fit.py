"""The danger classifier's sentences, and that fitting learns from them."""

from __future__ import annotations

from collections import Counter

import numpy as np

from bot.danger import KINDS
from training.danger.fit import SENTENCES, Limits, fit, limits_of, ordinary, read_sentences

ROWS = read_sentences(SENTENCES)


def test_there_are_enough_sentences_of_every_kind_by_several_writers() -> None:
    dangers = [row for row in ROWS if row["label"] == "danger"]
    kinds = Counter(row["kind"] for row in dangers)
    assert len(dangers) >= 800 and len(ROWS) - len(dangers) >= 3000
    assert set(kinds) == set(KINDS) - {"unknown"} and min(kinds.values()) >= 200
    assert len({row["by"] for row in ROWS}) >= 10
    assert len({row["text"] for row in ROWS}) == len(ROWS)
    assert all(isinstance(row["clear"], bool) for row in dangers)


def test_a_few_hundred_sentences_teach_something_about_others() -> None:
    by = sorted({row["by"] for row in ROWS})
    taught = [row for row in ROWS if row["by"] in by[:2]]
    asked = [row for row in ROWS if row["by"] == by[2]]
    model = fit(taught, ordinary()[:500], Limits(0, 0, 0, 0))
    found = [model.probability(row["text"]) for row in asked]
    p, kinds = np.array([one for one, _ in found]), [likeliest[0] for _, likeliest in found]
    danger = np.array([row["label"] == "danger" for row in asked])
    assert np.median(p[danger]) > 3 * np.median(p[~danger])
    # Of two, one from each side, the danger is the likelier one far more often than not (AUC).
    assert np.mean(p[danger][:, None] > p[~danger][None, :]) > 0.85
    limits = limits_of(asked, p, kinds)
    assert limits.card_at >= limits.ask_at >= limits.open_at and limits.care_at <= limits.card_at
    assert np.mean(p[~danger] >= limits.ask_at) <= 0.05
