"""A calculator as a conversation."""

from __future__ import annotations

from datetime import date

import pytest

from index.calculators import CALCULATORS, Request, recognise
from index.calculators.dialogue import MAX_REFUSED, Open, Step, advance, begin, told

TODAY = date(2026, 11, 21)


def started(question: str) -> Step:
    request = recognise(question, TODAY)
    assert request is not None
    return begin(request, today=TODAY)


def replied(step: Step, text: str) -> Step | None:
    assert step.open is not None
    opened = Open.from_json(step.open.to_json())
    assert opened is not None
    return advance(opened, text, today=TODAY)


def test_a_full_question_is_answered_at_once() -> None:
    step = started("我76年3月的女工人啥时候退休")
    assert step.result is not None
    assert "2026年11月" in step.result.to_answer_text()
    assert step.asked is None


def test_each_input_can_be_changed_after_the_result_and_whatever_else_is_said_is_something_new() -> None:
    step = started("我76年3月的女工人啥时候退休")
    assert step.open is not None
    assert "1976年3月" in [one.said for one in told(step.calculator, step.open, TODAY)]
    asked = replied(step, "改出生年月")
    assert asked is not None and asked.asked is not None and asked.asked.name == "birth" and asked.result is None
    done = replied(asked, "1977年3月")
    assert done is not None and done.result is not None and "1977年3月" in done.result.basis
    for other in ("谢谢", "护照多少钱", "改天再说"):
        assert replied(step, other) is None


@pytest.mark.parametrize("said", ["女工人，1976年3月", "1976年3月 女工人", "1976年3月，女工人50岁退"])
def test_several_are_taken_as_they_come_in_any_order(said: str) -> None:
    step = advance(Open("retirement", {}), said, today=TODAY)
    assert step is not None and step.result is not None and "1976年3月" in step.result.basis


@pytest.mark.parametrize("said", ["女 1975年3月", "女1975年3月", "1975年3月 女的"])
def test_what_is_half_told_is_asked_for(said: str) -> None:
    step = advance(Open("retirement", {}), said, today=TODAY)
    assert step is not None and step.open is not None and step.open.inputs["birth"] == "1975-03"
    assert step.asked is not None and step.asked.name == "category" and len(step.asked.choices) == 3


def test_back_asks_for_the_last_one_again_and_at_the_beginning_stays() -> None:
    first = begin(Request("retirement"), today=TODAY)
    assert replied(first, "返回") == first
    second = replied(first, "男")
    assert second is not None and second.asked != first.asked
    back = replied(second, "上一步")
    assert back is not None and back.asked == first.asked and back.open is not None and not back.open.inputs


@pytest.mark.parametrize("said", ["我啥时候退休", "请问我妈什么时候退休？", "俺几岁退休"])
def test_whoever_asks_for_their_own_day_is_asked_for_what_it_takes(said: str) -> None:
    step = started(said)
    assert step.calculator.id == "retirement" and step.asked is not None and step.asked.name == "category"
    later = replied(step, "1976年3月")  # told before it was asked for
    assert later is not None and later.open is not None and later.open.inputs["birth"] == "1976-03"


@pytest.mark.parametrize("said", ["国庆加班三天", "春节加班2天", "五一三天加班费"])
def test_days_of_a_festival_are_not_all_holidays_by_law_so_it_is_asked(said: str) -> None:
    step = started(said)
    assert step.calculator.id == "overtime" and step.open is not None and not step.open.inputs


@pytest.mark.parametrize(
    "said", ["国庆加班三天不给钱", "退休年龄是多少岁", "男的几岁退休", "国庆放几天假", "扣了八百多", "女1975年3月"]
)
def test_no_calculator_starts_where_none_was_meant(said: str) -> None:
    assert recognise(said, TODAY) is None


def test_what_is_missing_is_asked_for_and_a_year_told_before_is_kept() -> None:
    step = started("我75年的男的啥时候能退休")
    assert step.result is None and "出生" in step.text
    done = replied(step, "3月")
    assert done is not None and done.result is not None
    assert "2037年10月" in done.result.to_answer_text()


def test_optional_inputs_can_be_skipped() -> None:
    step = started("月薪一万五扣多少税")
    second = replied(step, "不知道")
    assert second is not None
    third = replied(second, "没有")
    assert third is not None and third.result is not None
    assert "9480元" in third.result.to_answer_text()


def test_another_question_is_no_reply() -> None:
    step = started("我75年的男的啥时候能退休")
    assert replied(step, "那失业金怎么领啊？") is None


def test_nonsense_is_explained_once_and_then_given_up() -> None:
    step = started("我75年的男的啥时候能退休")
    for _ in range(MAX_REFUSED - 1):
        again = replied(step, "哈哈")
        assert again is not None and again.open is not None and again.result is None
        assert again.text
        step = again
    assert replied(step, "哈哈") is None


@pytest.mark.parametrize("raw", [{}, {"calculator": "gone", "inputs": {}, "refused": 0}, {"calculator": "retirement"}])
def test_a_memory_of_another_version_is_no_calculation(raw: dict[str, object]) -> None:
    assert Open.from_json(raw) is None


@pytest.mark.parametrize("calculator", list(CALCULATORS))
def test_each_calculator_asks_until_it_has_a_result_or_says_what_is_wrong(calculator: str) -> None:
    opened: Open | None = Open(calculator, {})
    answers = {"month": "1976年3月", "length": "7年", "money": "8000", "number": "3", "hours": "2天", "bool": "是", "date": "2026年3月1日"}  # fmt: skip
    for _ in range(12):
        assert opened is not None
        field = CALCULATORS[calculator].next_field(opened.inputs)
        assert field is not None
        step = advance(opened, "1" if field.kind == "choice" else answers[field.kind], today=TODAY)
        assert step is not None
        if step.result is not None:
            assert step.result.steps and step.result.sources
            return
        opened = step.open
    pytest.fail("no result")


@pytest.mark.parametrize(
    ("question", "replies", "words"),
    [
        ("2026年7月入职，累计工作12年，今年年假多少天", ["1号"], ["年休假是5天", "2026年7月1日"]),
        ("今年刚换的工作，累计工作12年，今年年假多少天", ["七月一号"], ["年休假是5天"]),
        ("工作20年，准备离职，年假还剩几天", ["6月31号", "6月30号"], ["年休假是7天", "2026年6月30日"]),
        ("工作20年，准备离职，年假还剩几天", ["跳过"], ["每年15天"]),
        ("月薪八九千扣多少税", ["八千到九千之间吧，不太固定的", "8888", "没有", "没有"], ["税前月工资8,888元"]),
        ("2019年5月入职，现在被裁，月薪10000，赔多少", ["2019年5月入职", "2019年5月15日入职"], ["8个月工资，80000元"]),
    ],
)
def test_what_was_told_in_part_is_asked_and_completed(question: str, replies: list[str], words: list[str]) -> None:
    now: Step | None = started(question)
    for text in replies:
        assert now is not None and now.result is None, now
        now = replied(now, text)
    assert now is not None and now.result is not None, now
    assert all(word in now.result.to_answer_text() for word in words), now.result.to_answer_text()
