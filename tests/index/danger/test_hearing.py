"""Danger is heard, however it is said; what only looks like it is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot import guards
from bot.danger import KINDS
from bot.settings import ROOT
from index.danger import classifier
from index.danger.classifier import FILE, DangerClassifier, Limits, grams
from index.danger.hearing import hear, level
from training.danger.fit import SENTENCES, read_sentences

FINAL = read_sentences(ROOT / "tests" / "data" / "danger_final.jsonl")
DANGERS = [row for row in FINAL if row["label"] == "danger"]
MODEL = DangerClassifier.load(FILE)
CALM = [row for row in FINAL if row["label"] == "calm"]


def test_most_of_what_nobody_tuned_on_is_heard() -> None:
    heard = [hear(row["text"]) for row in DANGERS]
    assert len(DANGERS) >= 300
    assert sum(bool(one) for one in heard) >= 0.95 * len(DANGERS)
    assert sum(bool(one and one.level == "card") for one in heard) >= 0.8 * len(DANGERS)
    for kind in {row["kind"] for row in DANGERS}:
        of_kind = [one for row, one in zip(DANGERS, heard, strict=True) if row["kind"] == kind]
        # Of those who speak of themselves and dying 23 of 26: what they leave unsaid, no one hears (docs/decisions/0034).
        least = 0.85 if kind == "suicide_self" else 0.9
        assert len(of_kind) >= 20 and sum(bool(one) for one in of_kind) >= least * len(of_kind), kind


def test_few_look_alikes_are_disturbed() -> None:
    levels = [one.level if (one := hear(row["text"])) else None for row in CALM]
    assert len(CALM) >= 600
    assert levels.count("card") <= 0.01 * len(CALM)
    assert levels.count("question") <= 0.03 * len(CALM)


def test_the_final_set_is_not_fitted() -> None:
    fitted = {row["text"] for row in read_sentences(SENTENCES)}
    assert not fitted & {row["text"] for row in FINAL}
    assert len({row["by"] for row in read_sentences(SENTENCES)} & {row["by"] for row in FINAL}) == 0


@pytest.mark.parametrize("text", ["着火了", "我不想活了", "救命啊", "煤气漏了", "有人落水了", "我爸晕倒了"])
def test_a_short_message_that_a_pattern_hits_always_gets_the_card(text: str) -> None:
    found = hear(text)
    assert found and found.level == "card" and found.by == "patterns"
    assert level(text, guards.dangers(text), 0.0, "fire", MODEL.limits) == "card"


def test_only_a_longer_message_is_doubted_and_no_cry_is_taken_away() -> None:
    limits = Limits(0.8, 0.4, 0.2, 0.1)
    assert level("今天的晚霞像天空失火了真美拍了好多", ("fire",), 0.001, "fire", limits) is None
    assert level("今天的晚霞像天空失火了真美拍了好多", ("fire",), 0.05, "fire", limits) == "question"
    assert level("今天的晚霞像天空失火了真美拍了好多", ("fire",), 0.3, "fire", limits) == "card"
    assert level("我也说不清楚就是觉得活着没意思了", ("suicide_self",), 0.0, "suicide_self", limits) == "question"
    assert level("我朋友昨天夜里跟我说她想自杀", ("suicide_other",), 0.0, "suicide_other", limits) == "question"
    assert level("隔壁那家人又在打孩子了快来人呀", ("violence",), 0.0, "violence", limits) == "question"


def test_what_follows_on_a_danger_needs_less() -> None:
    limits = Limits(0.8, 0.4, 0.2, 0.1)
    assert [level("嗯嗯嗯嗯", (), 0.5, "fire", limits, open_=now) for now in (False, True)] == ["question", "card"]
    assert [level("嗯嗯嗯嗯", (), 0.2, "fire", limits, open_=now) for now in (False, True)] == [None, "question"]


def test_when_in_doubt_it_cares() -> None:
    limits = Limits(0.8, 0.4, 0.2, 0.1)
    assert level("谁知道明天呢", (), 0.3, "fire", limits) is None
    assert level("谁知道明天呢", (), 0.3, "suicide_self", limits) == "question"


def test_the_classifier_says_nothing_to_a_word_and_little_to_a_letter() -> None:
    limits = Limits(0.8, 0.4, 0.2, 0.1)
    assert level("别了", (), 1.0, "suicide_self", limits, open_=True) is None
    assert level("信" * 80, (), 0.7, "fire", limits) is None
    assert level("信" * 80, (), 0.9, "fire", limits) == "question"


def test_a_reply_to_what_was_asked_back_has_to_say_more() -> None:
    limits = Limits(0.8, 0.4, 0.2, 0.1)
    assert level("瘫床上的那种", (), 0.7, "medical", limits, reply=True) is None
    assert level("瘫床上的那种", (), 0.9, "medical", limits, reply=True) == "question"
    assert level("瘫床上喊不应了", (), 0.5, "medical", limits, reply=True, open_=True) == "card"
    assert level("最后一个", (), 0.99, "suicide_self", limits) is None


@settings(deadline=None)  # the first call loads the encoder
@given(st.text(max_size=200))
def test_any_text_is_heard_without_an_error(text: str) -> None:
    found = hear(text)
    assert found is None or (set(found.kinds) <= set(KINDS) and 0 <= found.probability <= 1)


@pytest.mark.parametrize("text", ["", "　", "👍", "\u0000\u200b", "1" * 5000, "着火了" * 2000])
def test_odd_texts(text: str) -> None:
    hear(text)
    grams(text)


def test_a_classifier_is_the_same_after_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "classifier.npz"
    MODEL.save(path)
    again = DangerClassifier.load(path)
    for row in FINAL[:50]:
        assert again.probability(row["text"])[0] == pytest.approx(MODEL.probability(row["text"])[0], abs=1e-3)
    assert again.limits == MODEL.limits


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 no archive", b"\0" * 100])
def test_without_its_classifier_it_hears_what_the_patterns_hear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    path = tmp_path / "classifier.npz"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setattr(classifier, "FILE", path)
    classifier.bundled.cache_clear()
    try:
        found = hear("我家着火了")
        assert found and (found.level, found.by) == ("card", "patterns")
        assert hear("他躺在地上怎么喊都不应声") is None and classifier.bundled() is None
    finally:
        classifier.bundled.cache_clear()
