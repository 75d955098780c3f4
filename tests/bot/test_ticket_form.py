"""The ticket form: asks in order, can be corrected, can be left anywhere, and always ends."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import guards, regions, ticket_form
from bot.ticket_form import MAX_TURNS, Draft, FormStep

CONTENT = "楼下烧烤店每晚十二点还在营业，油烟很大"


def find_region(text: str) -> str | None:
    found = regions.find(text)
    return found[0].code if len(found) == 1 else None


def talk(step: FormStep, *messages: str) -> FormStep:
    """Send the messages one after another; the draft goes through JSON each time, as in the conversation's row."""
    for message in messages:
        assert step.draft is not None and not step.done
        draft = Draft.from_json(json.loads(json.dumps(step.draft.to_json())))
        assert draft == step.draft
        step = ticket_form.advance(draft, message, find_region=find_region)
    return step


def test_everything_in_order() -> None:
    step = ticket_form.start(None, kind="举报")
    assert step.text == ticket_form.ASK_CONTENT
    step = talk(step, CONTENT)
    assert step.text == ticket_form.ASK_REGION
    step = talk(step, "长沙岳麓区")
    assert step.text == ticket_form.ASK_PHONE and "同意" in step.text and "加密" in step.text
    step = talk(step, "138 1234 5678")
    assert CONTENT in step.text and "湖南省长沙市岳麓区" in step.text and "138****5678" in step.text
    assert "13812345678" not in step.text
    step = talk(step, "是的")
    assert step.done and step.draft is not None
    assert (step.draft.kind, step.draft.content, step.draft.region, step.draft.phone) == (
        "举报", CONTENT, "430104", "13812345678",
    )  # fmt: skip


def test_what_a_ticket_must_say_is_asked_once_and_goes_in_as_it_was_said() -> None:
    begun = ticket_form.start(CONTENT, needs=["地点", "从几点到几点"])
    assert "地点、从几点到几点" in begun.text
    step = talk(begun, "岳麓区麓山南路12号楼下，从晚上10点到2点")
    assert step.text == ticket_form.ASK_PHONE and step.draft is not None
    assert step.draft.content == f"{CONTENT}\n补充：岳麓区麓山南路12号楼下，从晚上10点到2点"
    assert step.draft.region == "430104" and step.draft.needs == ()
    for said in ("跳过", "不知道", "不清楚"):
        assert talk(begun, said).text == ticket_form.ASK_REGION
    assert talk(begun, "算了").cancelled
    told = talk(begun, "12号楼，13812345678")
    assert told.draft is not None and told.draft.phone == "13812345678" and told.text == ticket_form.ASK_REGION


def test_what_is_known_is_not_asked() -> None:
    assert ticket_form.start(CONTENT, region="430104").text == ticket_form.ASK_PHONE
    assert ticket_form.start("岳麓区" + CONTENT, find_region=find_region).text == ticket_form.ASK_PHONE
    step = talk(ticket_form.start(None), "岳麓区" + CONTENT)
    assert step.text == ticket_form.ASK_PHONE and step.draft is not None and step.draft.region == "430104"


@pytest.mark.parametrize(
    "skip", ["跳过", "不留了", "不想留", "不方便", "不用了", "不要", "没有", "不", "下一步", "不留电话", "匿名"]
)
def test_the_phone_is_optional(skip: str) -> None:
    step = talk(ticket_form.start(CONTENT, region="430104"), skip)
    assert step.draft is not None and step.draft.step == "confirm" and step.draft.phone is None
    assert "电话：未留" in step.text


def test_a_wrong_phone_is_asked_again_twice_at_most() -> None:
    step = ticket_form.start(CONTENT, region="430104")
    step = talk(step, "1381234567")
    assert step.text == ticket_form.PHONE_AGAIN
    step = talk(step, "什么")
    assert step.text == ticket_form.NO_NUMBER
    step = talk(step, "你好")
    assert step.text.startswith(ticket_form.NO_PHONE) and step.draft is not None and step.draft.step == "confirm"


def test_an_unknown_region_is_asked_again_once_and_kept_in_words() -> None:
    step = talk(ticket_form.start(CONTENT), "五一广场旁边")
    assert step.text == ticket_form.REGION_AGAIN
    step = talk(step, "就是五一广场旁边那条巷子")
    assert step.text == ticket_form.ASK_PHONE and step.draft is not None
    assert step.draft.address == "就是五一广场旁边那条巷子" and step.draft.region is None


def test_region_and_phone_can_be_corrected_at_the_end() -> None:
    confirm = talk(ticket_form.start(CONTENT, region="430104"), "13812345678")
    step = talk(confirm, "电话错了")
    assert step.text == ticket_form.ASK_PHONE
    step = talk(step, "13987654321")
    assert "139****4321" in step.text
    assert "139****4321" in talk(confirm, "电话不对，是13987654321").text
    step = talk(confirm, "改地区", "长沙天心区")
    assert "长沙市天心区" in step.text and "138****5678" in step.text
    assert "长沙市天心区" in talk(confirm, "应该是长沙天心区").text
    step = talk(confirm, "改内容", "楼下工地半夜施工，噪音很大")
    assert "半夜施工" in step.text and CONTENT not in step.text
    step = talk(confirm, "还有，他们把垃圾倒在路边")
    assert CONTENT in step.text and "补充：还有，他们把垃圾倒在路边" in step.text
    assert talk(confirm, "不对").text == ticket_form.WHAT_IS_WRONG


@pytest.mark.parametrize("step", ["content", "region", "phone", "confirm"])
@pytest.mark.parametrize("word", ["算了", "取消", "不投诉了", "退出吧"])
def test_it_can_be_left_at_any_point(step: ticket_form.Step, word: str) -> None:
    draft = Draft(step=step, content=CONTENT, region="430104", phone_settled=step == "confirm")
    result = ticket_form.advance(draft, word, find_region=find_region)
    assert (result.draft, result.cancelled, result.done) == (None, True, False)


MESSAGES = st.sampled_from(
    [
        "是",
        "不",
        "跳过",
        "13812345678",
        "1381234567",
        "岳麓区",
        "改电话",
        "改地区",
        "改内容",
        "电话错了",
        "嗯？",
        "",
        CONTENT,
        "怎么办",
    ]
) | st.text(max_size=20)


@given(st.none() | st.just(CONTENT) | st.text(max_size=10), st.lists(MESSAGES, min_size=MAX_TURNS, max_size=MAX_TURNS))
def test_any_messages_bring_it_to_its_end(content: str | None, messages: list[str]) -> None:
    step = ticket_form.start(content)
    for message in messages:
        if step.done or step.cancelled:
            break
        step = talk(step, message)
        assert step.text
    assert step.done or step.cancelled
    assert not step.done or (step.draft is not None and step.draft.content)


@given(st.lists(MESSAGES, max_size=MAX_TURNS))
def test_nothing_is_submitted_without_a_yes(messages: list[str]) -> None:
    step = ticket_form.start(CONTENT)
    last = ""
    for last in messages:
        if step.done or step.cancelled:
            return
        step = talk(step, last)
        assert not step.done or last == "是" or guards.is_yes(last)


def test_all_retries_and_a_correction_fit_into_the_bound() -> None:
    step = talk(
        ticket_form.start(None), "？", CONTENT, "那边", "那边啊", "1381", "1382", "1383", "改电话", "13812345678", "对"
    )
    assert step.done


@pytest.mark.parametrize(
    ("step", "message", "answers"),
    [
        ("content", CONTENT, True),
        ("content", "公司拖欠工资怎么没人管", True),
        ("content", "身份证丢了怎么补办", False),
        ("content", "居住证需要什么材料", False),
        ("region", "岳麓区", True),
        ("region", "五一广场旁边", True),
        ("region", "跳过", True),
        ("region", "岳麓区的居住证怎么办理", False),
        ("phone", "13812345678", True),
        ("phone", "1381234567", True),
        ("phone", "不留", True),
        ("phone", "失业金怎么领", False),
        ("phone", "你们要电话做什么用", False),
        ("confirm", "是的", True),
        ("confirm", "电话错了", True),
        ("confirm", "补充一下，晚上也吵", True),
        ("confirm", "公积金能不能提取", False),
        ("confirm", "算了", True),
    ],
)
def test_whether_a_message_is_for_the_form(step: ticket_form.Step, message: str, answers: bool) -> None:
    assert ticket_form.looks_like_answer(Draft(step=step, content=CONTENT), message) is answers


def test_a_draft_of_another_version_can_be_read() -> None:
    assert Draft.from_json({"content": "x", "new_field": 1}) == replace(Draft(), content="x")


def test_long_content_is_cut() -> None:
    step = ticket_form.start("吵" * 5000, region="430104")
    assert step.draft is not None and len(step.draft.content) == ticket_form.CONTENT_CHARS
    assert len(talk(step, "跳过").text) < 400
