"""From what is typed to a query."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.acts import elliptic, literal_act, order
from index.normalise import clean, normalise


@pytest.mark.parametrize(
    ("typed", "query"),
    [
        ("请问一下，身份证丢了怎么办？谢谢！", "身份证丢了怎么办"),
        ("老師你好我想問一下失業金", "失业金"),
        ("ＡＢＣ１２３", "abc123"),
        ("异地就醫備案", "异地就医备案"),
        ("护照\x00怎\u202e么办", "护照 怎 么办"),
        ("急急急急急急急急", "急急急"),
    ],
)
def test_width_script_and_filler(typed: str, query: str) -> None:
    assert normalise(typed).text == query


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("公鸡金能取不", "公积金"), ("身份正丢了", "身份证"), ("居主证", "居住证"), ("社宝卡", "社保卡"), ("异地就衣", "异地就医"),
     ("零时身份证", "临时身份证"), ("失业今", "失业金"), ("劳动重裁", "劳动仲裁")],
)  # fmt: skip
def test_homophones_of_domain_terms_are_put_right(typed: str, meant: str) -> None:
    assert meant in normalise(typed).text


@pytest.mark.parametrize(
    "right",
    [
        "户口不在这边",
        "我的工资已经三个月没发了",
        "身份证丢了怎么补办",
        "公司不给年假",
        "住房公积金贷款",
        "离婚冷静期多久",
        "孩子上学要什么材料",
    ],
)
def test_right_words_are_left_alone(right: str) -> None:
    query = normalise(right)
    assert query.text == right and query.repairs == ()


@given(st.text(max_size=200))
def test_any_text_can_be_cleaned_and_cleaning_again_changes_nothing(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    normalise(text)


@pytest.mark.parametrize("text", ["", " ", "😀", "？！", "\u200b", "……"])
def test_nothing_that_means_anything(text: str) -> None:
    assert normalise(text).empty


def test_acts_that_words_alone_tell() -> None:
    assert literal_act("你好呀！") == "greet"
    assert literal_act("谢谢") == "thanks"
    assert literal_act("👍") == "rate_good"
    assert literal_act("你好我想问护照") is None


@pytest.mark.parametrize(
    ("text", "ordered"),
    [
        ("我要投诉楼下烧烤店", ("投诉", "楼下烧烤店")),
        ("帮我反映一下路灯坏了", ("投诉", "路灯坏了")),
        ("我要举报有人偷税", ("举报", "有人偷税")),
        ("我想提个建议，多装路灯", ("建议", "多装路灯")),
        ("我要反映", ("投诉", "")),
        ("我想投诉物业找哪个部门", None),
        ("怎么投诉物业", None),
        ("我要投诉电话", None),
        ("投诉要多久有结果", None),
    ],
)
def test_an_order_to_register_something_is_told_from_a_question(text: str, ordered: tuple[str, str] | None) -> None:
    assert order(text) == ordered


def test_elliptic_questions() -> None:
    assert all(elliptic(text) for text in ("那能领多久", "要带啥", "多少钱", "农村户口呢", "如果丢了怎么办"))
    assert not elliptic("身份证丢了怎么补办")
