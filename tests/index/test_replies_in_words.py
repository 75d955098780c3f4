"""Replies in words to a question back, as people wrote them (development half): most are understood, and none is lost."""

from __future__ import annotations

import pytest

from index.assistant import acts


@pytest.mark.parametrize(
    "text",
    ["是的", "嗯，就这个", "没错就它", "是嘞是嘞", "对头", "嗯对，就是", "是的，两边商量好了", "对，就是老人没了这种", "就这个", "要得",
     "对着咧", "对着哩", "是咧", "对对，俺就问这个", "我就是问这个", "对，我想问的就是这个"],
)  # fmt: skip
def test_a_yes_in_many_words(text: str) -> None:
    assert acts.this_one(text)


@pytest.mark.parametrize(
    "text",
    [
        "不是",
        "对方不同意怎么办",
        "可以网上办吗",
        "是不是要排队",
        "就业登记",
        "对公账户怎么开",
        "我想问这个要多少钱",
        "对着呢个章怎么盖",
    ],
)
def test_no_yes(text: str) -> None:
    assert not acts.this_one(text)


@pytest.mark.parametrize(
    ("text", "not_", "rest", "all_"),
    [
        ("都不对，我是问怎么补办", "", "怎么补办", True),
        ("不是补办，是到期换", "补办", "到期换", False),
        ("不是问扣几分，扣光了咋整", "扣几分", "扣光了咋整", False),
        ("没有我要的，听课买床垫被骗了咋退钱", "", "听课买床垫被骗了咋退钱", True),
        ("不是，我问上哪办", "", "上哪办", False),
        ("不是这个", "", "", False),
        ("答非所问", "", "", False),
    ],
)
def test_a_refusal_and_what_it_says_instead(text: str, not_: str, rest: str, all_: bool) -> None:
    assert acts.refusal(text) == acts.Refusal(not_, rest, all_)


@pytest.mark.parametrize("text", ["老人的", "我八十了", "怎么办理不是本市的户口迁入", "第二个"])
def test_no_refusal(text: str) -> None:
    assert acts.refusal(text) is None


def test_what_it_is_and_what_it_is_not() -> None:
    assert acts.told_apart("念书的事，不是医保") == ("念书的事", "医保")
    assert acts.told_apart("老人的") == ("老人的", "")
