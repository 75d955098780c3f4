"""What no item answers is known as such, an item that answers it wins, and one of few wordings is found among those of many."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.few_wordings import added
from bot import regions
from index.encoder import Encoder, load_encoder
from index.search import unanswered
from index.search.normalise import canonical, clean
from index.search.ranking import EVIDENCE, Calibration, rank
from index.search.retriever import Item, Retriever
from index.versions import calibrations
from index.versions.vector_cache import CachedEncoder
from training.fit import starter_items

ITEMS = [
    Item(
        "sfz-1",
        "身份证",
        regions.NATION,
        "",
        ("身份证丢了怎么补办", "补办身份证要带什么", "身份证掉了去哪补"),
        "带户口簿到派出所补领，工本费40元。",
    ),
    Item(
        "sfz-2",
        "身份证",
        regions.NATION,
        "",
        ("身份证到期怎么换", "换身份证提前多久", "身份证过期了去哪换"),
        "期满前三个月内换领，工本费20元。",
    ),
    Item(
        "hz-1",
        "护照",
        regions.NATION,
        "",
        ("护照怎么办", "第一次办护照要什么材料", "办护照去哪"),
        "本人带身份证到出入境窗口申请。",
    ),
]
NONE = ["派出所星期六办身份证吗", "身份证照片太丑能重拍吗", "护照可以当身份证坐火车吗"]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder()


@pytest.fixture(scope="module")
def retriever(encoder: Encoder) -> Retriever:
    return Retriever.build(ITEMS, encoder, NONE)


def test_the_file_holds_each_question_once_and_no_wording_of_the_knowledge() -> None:
    rows = [json.loads(line) for line in unanswered.FILE.read_text(encoding="utf-8").splitlines()]
    items = starter_items()
    matters = {item.matter for item in items}
    assert all(set(row) == {"q", "matter"} and (row["matter"] is None or row["matter"] in matters) for row in rows)
    said = [canonical(clean(row["q"])) for row in rows]
    assert len(set(said)) == len(said)
    assert not set(said) & {canonical(clean(text)) for item in items for text in item.texts}


@pytest.mark.parametrize(
    ("like", "other"),
    [("礼拜六派出所给办身份证不", "身份证丢了去哪里补"), ("证件照不好看想重新拍", "护照办理要带什么")],
)
def test_what_is_like_it_is_told_from_what_is_answered(retriever: Retriever, like: str, other: str) -> None:
    one, two = retriever.unanswered_like(like), retriever.unanswered_like(other)
    assert one[0] > two[0] and one[1] > two[1]


def test_without_vectors_the_classifier_alone_says_it() -> None:
    lexical = Retriever.build(ITEMS, None, NONE)
    nearest, learned = lexical.unanswered_like(NONE[0])
    assert nearest == 0.0 and learned > lexical.unanswered_like("身份证丢了怎么补办")[1]


def test_an_item_that_asks_it_takes_it_away(retriever: Retriever, encoder: Encoder) -> None:
    own = Item("city", "身份证", regions.NATION, "", ("派出所周六办身份证吗", NONE[0]), "周六上午办。")
    built = Retriever.build([*ITEMS, own], encoder, NONE)
    assert built.unanswered == NONE[1:]
    assert built.unanswered_like(NONE[0])[0] < retriever.unanswered_like(NONE[0])[0] == pytest.approx(1, abs=1e-5)
    estimated = retriever.changed(own)
    assert estimated.unanswered == NONE[1:]
    assert rank(estimated.candidates(NONE[0]), calibration(encoder).ranker)[0].candidate.item.id == "city"
    assert retriever.unanswered == NONE  # what serves is as it was


def test_with_none_of_them_left_nothing_is_surer(encoder: Encoder) -> None:
    bare = Retriever.build(ITEMS, encoder)
    assert bare.unanswered_like("身份证丢了怎么补办") == bare.unanswered_like("天气怎么样")
    own = Item("city", "身份证", regions.NATION, "", tuple(NONE), "都答得上。")
    assert Retriever.build([*ITEMS, own], encoder, NONE).unanswered == []


def test_it_survives_the_disk(retriever: Retriever, encoder: Encoder, tmp_path: Path) -> None:
    retriever.save(tmp_path)
    for again in (Retriever.load(tmp_path, encoder), retriever.reading_with(encoder)):
        assert again.unanswered == NONE
        assert again.unanswered_like("周六能办身份证吗") == pytest.approx(retriever.unanswered_like("周六能办身份证吗"))
    assert Retriever.load(tmp_path, None).unanswered_like(NONE[0])[0] == 0.0


def calibration(encoder: Encoder) -> Calibration:
    shipped = calibrations.shipped(encoder.checksum)
    assert shipped is not None
    return shipped


def test_a_calibration_of_before_reads_on_as_it_was(encoder: Encoder) -> None:
    now = calibration(encoder)
    raw = now.to_json()
    raw["confidence"] = {**raw["confidence"], "weights": list(raw["confidence"]["weights"])[:-2]}
    before = Calibration.from_json(raw)
    assert len(before.confidence.weights) == len(EVIDENCE)
    proof = np.random.default_rng(2).random(len(EVIDENCE))
    other = np.where([name in EVIDENCE[-2:] for name in EVIDENCE], proof + 1, proof)
    assert before.confidence.probability(proof) == before.confidence.probability(other)
    assert now.confidence.probability(proof) != now.confidence.probability(other)


def test_an_item_of_few_wordings_is_found_among_items_of_many(encoder: Encoder, tmp_path: Path) -> None:
    every, questions = added()
    own = every[::3]
    near = [item for item in starter_items() if item.matter in {item.matter for item in own}]
    retriever = Retriever.build([*near, *own], CachedEncoder(encoder, tmp_path / "vectors.db"))
    asked = [one for one in questions if one.right <= {item.id for item in own}]
    firsts = [rank(retriever.candidates(clean(one.text)), calibration(encoder).ranker)[0] for one in asked]
    right = [first.candidate.item.id in one.right for first, one in zip(firsts, asked, strict=True)]
    assert len(right) == 2 * len(own) and np.mean(right) > 0.6
