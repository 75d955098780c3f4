"""Suggestions: right where they are sure, with reasons that hold, and none where nothing is said."""

from __future__ import annotations

import json

import pytest

from bot.tickets.categories import Catalogue, bundled
from index.assist.categories import Suggester, suggest, suggester
from index.encoder import Encoder, load_encoder


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("楼上卫生间漏水漏到我家，敲门不开", "0909"),
        ("工地夜里两点还在打桩", "1101"),
        ("老板三个月没给我们发工资了", "0201"),
        ("路灯坏了好几天没人修", "0803"),
        ("暖气片冰凉，家里才十四度", "1004"),
        ("健身房跑路了，卡里的钱退不了", "1203"),
    ],
)
def test_what_is_plain_is_found_with_or_without_the_encoder(encoder: Encoder, text: str, code: str) -> None:
    for one in (encoder, None):
        found = suggest(text, one)
        assert found.best is not None and found.best.code == code, found
    best = suggest(text, encoder).candidates[0]
    tree = bundled()
    assert best.name == tree.name(code) and best.department == tree.lead(code).name
    assert tree.second[code][1].covers in best.reason.entry
    assert best.reason.words and all(word in text for word in best.reason.words)
    model = suggester()
    assert model is not None and (best.reason.similar, code) in model.examples


def test_who_says_nothing_gets_no_category(encoder: Encoder) -> None:
    for text in ("", "喂", "？？？", "嗯嗯", "abc"):
        found = suggest(text, encoder)
        assert found.candidates == () and found.code is None


def test_at_most_three_and_probabilities_that_are_shares(encoder: Encoder) -> None:
    found = suggest("小区门口乱停车，还有人在楼道充电", encoder)
    shares = [one.probability for one in found.candidates]
    assert 1 <= len(shares) <= 3 and shares == sorted(shares, reverse=True) and 0 < sum(shares) <= 1.001
    assert len({one.code for one in found.candidates}) == len(shares)


def test_a_citys_tree_is_suggested_by_what_it_stands_for(encoder: Encoder) -> None:
    city = Catalogue.model_validate_json(
        json.dumps(
            {
                "scheme": "city",
                "version": "1",
                "title": "本市",
                "departments": [{"code": "A", "name": "住建局", "level": "市", "for": "房屋"}],
                "categories": [
                    {
                        "code": "1",
                        "name": "房屋",
                        "covers": "房屋",
                        "second": [
                            {
                                "code": "11",
                                "name": "邻里",
                                "covers": "邻里",
                                "department": "A",
                                "basis": "规定",
                                "same_as": ["0909", "1102"],
                            },
                            {"code": "12", "name": "其他", "covers": "其他", "department": "A", "basis": "规定"},
                        ],
                    }
                ],
            },
            ensure_ascii=False,
        )
    )
    found = suggest("楼上卫生间漏水漏到我家，敲门不开", encoder, city)
    assert found.scheme == "city/1" and [one.code for one in found.candidates] == ["11"]
    assert found.candidates[0].department == "住建局"
    assert suggest("养老金怎么还没到账", encoder, city).candidates == (), "nothing of this city's stands for it"


def test_what_was_fitted_knows_the_tree() -> None:
    model = suggester()
    assert isinstance(model, Suggester) and model.codes == sorted(bundled().second)
