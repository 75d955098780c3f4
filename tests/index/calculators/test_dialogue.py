"""A calculator as a conversation."""

from __future__ import annotations

from datetime import date

import pytest

from index.calculators import CALCULATORS, recognise
from index.calculators.dialogue import MAX_REFUSED, Open, Step, advance, begin

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
    assert step.open is None


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
