"""From what is typed to a query."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.assistant.acts import elliptic, literal_act, order, questions
from index.knowledge_files.reading import read_folder
from index.knowledge_files.starter import STARTER
from index.search.normalise import canonical, clean, normalise, repair


@pytest.mark.parametrize(
    ("typed", "query"),
    [
        ("请问一下，身份证丢了怎么办？谢谢！", "身份证丢了怎么办"),
        ("老師你好我想問一下失業金", "失业金"),
        ("ＡＢＣ１２３", "abc123"),
        ("异地就醫備案", "异地就医备案"),
        ("护照\x00怎\u202e么办", "护照 怎么办"),
        ("急急急急急急急急", "急急急"),
    ],
)
def test_width_script_and_filler(typed: str, query: str) -> None:
    assert normalise(typed).text == query


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("公鸡金能取不", "公积金"), ("身份正丢了", "身份证"), ("居主证", "居住证"), ("社宝卡", "社保卡"), ("异地就衣", "异地就医"),
     ("零时身份证", "临时身份证"), ("失业今", "失业金"), ("劳动重裁", "劳动仲裁"), ("孩子上护口", "户口"), ("信坊答复", "信访"), ("调修了没加般费", "调休了没加班费"),
     ("没签合铜", "合同"), ("身份征丢了", "身份证"), ("助学货款怎么还", "助学贷款"), ("家廷共济", "家庭共济"), ("瞻养老人怎么扣", "赡养老人")],
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
        "居留许可怎么延期",
        "物业非涨价不可",
        "社保经办窗口在哪",
        "货款没给我",
    ],
)
def test_right_words_are_left_alone(right: str) -> None:
    query = normalise(right)
    assert query.text == right and query.repairs == ()


def test_clean_text_is_hardly_ever_repaired() -> None:
    """Of the starter knowledge's own answers, proofread, at most one stretch in 20,000 characters."""
    answers = [qa.answer for qa in read_folder(STARTER).qas]
    repairs = [pair for answer in answers for pair in repair(clean(answer))[1]]
    assert len(repairs) <= sum(map(len, answers)) / 20_000, repairs


@pytest.mark.parametrize(
    ("typed", "reviewed"),
    [
        ("身份证丢了咋补办呀", "身份证丢了怎么补办？"),
        ("公积金如何提取", "公积金怎么提取"),
        ("啥是低保", "什么是低保？"),
    ],
)
def test_the_same_question_in_other_function_words_is_the_same(typed: str, reviewed: str) -> None:
    assert canonical(clean(typed)) == canonical(clean(reviewed))


def test_emoji_ask_nothing() -> None:
    assert normalise("身份证丢了🙏🙏怎么补办➡️").text == "身份证丢了 怎么补办"
    assert normalise("谢谢👍").text == "谢谢"


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("身份证丢了怎么补？公积金怎么提取？", ["身份证丢了怎么补", "公积金怎么提取"]),
        ("公积金咋取 另外居住证怎么办", ["公积金咋取", "居住证怎么办"]),
        ("1.社保卡丢了怎么办 2.医保能异地报销吗", ["社保卡丢了怎么办", "医保能异地报销吗"]),
        ("我妈七十了。高龄津贴怎么领？还有她的老年证在哪办", ["我妈七十了，高龄津贴怎么领", "她的老年证在哪办"]),
        ("身份证丢了怎么补？要带啥？", ["身份证丢了怎么补？要带啥？"]),
        ("我想问一下护照怎么办", ["我想问一下护照怎么办"]),
        ("我身份证丢了。谢谢", ["我身份证丢了。谢谢"]),
        ("？？？", ["？？？"]),
        ("", [""]),
    ],
)
def test_the_questions_of_a_message(text: str, asked: list[str]) -> None:
    assert questions(text) == asked


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


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("帮我投诉，拖欠工资10000元，电话13800001111", "拖欠工资10000元，电话13800001111"),
        ("我要举报　车牌湘A88888乱停车！\n第二天还在", "车牌湘A88888乱停车！\n第二天还在"),
        ("請幫我投訴 物業亂收費３０００００元", "物業亂收費３０００００元"),
    ],
)
def test_what_is_to_be_registered_stays_as_it_was_typed(text: str, content: str) -> None:
    ordered = order(text)
    assert ordered is not None and ordered[1] == content


@pytest.mark.parametrize(
    ("typed", "cleaned"),
    [
        ("月薪10000元", "月薪10000元"),
        ("电话13800001111", "电话13800001111"),
        ("五零零零零零元", "五零零零零零元"),
        ("1️⃣0️⃣0️⃣0️⃣0️⃣", "10000"),
        ("1\u200b0000", "10000"),
        ("10000¹", "10000 1"),
        ("①10000", "1 10000"),
        ("3½年", "3 1⁄2 年"),
        ("１００００", "10000"),
        ("兩萬伍仟", "两万伍仟"),
    ],
)
def test_no_number_is_changed(typed: str, cleaned: str) -> None:
    assert clean(typed) == cleaned


@given(st.text(alphabet="0123456789", min_size=1, max_size=40), st.sampled_from(["月薪{}元", "{}", "电话 {}！！！！！", "🙏{}🙏", "請問{}？"]))  # fmt: skip
def test_digits_come_out_as_they_went_in(digits: str, frame: str) -> None:
    for text in (frame.format(digits), frame.format(digits.translate({48 + n: 0xFF10 + n for n in range(10)}))):
        assert "".join(filter(str.isdigit, clean(text))) == digits
        assert "".join(filter(str.isdigit, normalise(text).text)) == digits


def test_a_number_is_no_list() -> None:
    assert questions("月薪 1.5万，要交多少税？五险一金怎么扣？") == ["月薪 1.5万，要交多少税", "五险一金怎么扣"]
