"""From the citizen's words to the figure: nothing on the way changes a number, and what is uncertain is asked for."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
import writings

from bot import guards, ticket_form
from bot.errors import InvalidInput
from index.assistant.acts import order
from index.calculators import CALCULATORS, recognise
from index.calculators.dialogue import Step, advance, begin
from index.calculators.reading import Month, read_date, read_length, read_money, read_month

TODAY = date(2026, 11, 21)

ASKED = {
    "severance": ("干了3年被辞退，月薪{}，赔多少", "wage"),
    "monthly_tax": ("请问月薪{}，每月扣多少个税？谢谢", "wage"),
    "bonus_tax": ("年终奖{}，要交多少税", "bonus"),
    "annual_tax": ("年薪{}扣多少个税", "wages"),
    "overtime": ("月薪{}，周六加班8小时给多少钱", "wage"),
    "leave_pay": ("月薪{},有5天年假没休,公司该补多少钱", "wage"),
}
"""A question for each calculator that takes an amount, and the input that it is"""

SAMPLE = [pytest.param(150, id="a sample"), pytest.param(10_000, id="all", marks=pytest.mark.full)]


def step(text: str) -> Step:
    request = recognise(text, TODAY)
    assert request is not None, text
    return begin(request, today=TODAY)


def told(text: str) -> tuple[str, dict[str, str], dict[str, str]]:
    request = recognise(text, TODAY)
    assert request is not None, text
    return request.calculator, dict(request.inputs), dict(request.hints)


def figures(calculator: str, **inputs: object) -> dict[str, Any]:
    return CALCULATORS[calculator].compute(inputs, today=TODAY).figures()


@pytest.mark.parametrize("count", SAMPLE)
def test_an_amount_is_read_alike_in_all_its_writings(count: int) -> None:
    draw = random.Random(12)
    for value in writings.amounts(12, count):
        for kind, written in writings.of_amount(value).items():
            assert read_money(written) == value, (kind, written)
        calculator, (question, name) = draw.choice(list(ASKED.items()))
        if calculator == "annual_tax" and value < 3000:
            continue  # no year's wages
        kind, written = draw.choice(list(writings.of_amount(value).items()))
        recognised, inputs, _ = told(question.format(written))
        assert recognised == calculator, written
        assert Decimal(inputs[name]) == value, (kind, question.format(written))


@pytest.mark.parametrize("count", SAMPLE)
def test_from_an_amount_to_the_figure(count: int) -> None:
    draw = random.Random(13)
    for value in writings.amounts(13, count):
        for calculator, inputs in (
            ("severance", {"service": "3年"}),
            ("overtime", {"restday": "8"}),
            ("leave_pay", {"days": "5"}),
        ):
            question, name = ASKED[calculator]
            result = step(question.format(draw.choice(list(writings.of_amount(value).values())))).result
            assert result is not None
            assert result.figures() == figures(calculator, **inputs, **{name: Decimal(value)})
            assert f"{value:,}元" in result.to_answer_text()


@pytest.mark.parametrize("count", SAMPLE)
def test_an_amount_with_a_slip_is_asked_for_and_never_another(count: int) -> None:
    draw = random.Random(14)
    for value in writings.amounts(14, count):
        if value < 5000:
            continue
        written = writings.spoilt(value, draw)
        try:
            assert read_money(written) == value, written
        except InvalidInput as error:
            assert str(error)
        for question, name in ASKED.values():
            request = recognise(question.format(written), TODAY)
            read = request and request.inputs.get(name)
            assert read is None or Decimal(read) == value, question.format(written)


def days(count: int, first: date, last: date) -> Iterator[date]:
    draw = random.Random(15)
    for _ in range(count):
        yield first + timedelta(days=draw.randrange((last - first).days + 1))


@pytest.mark.parametrize("count", SAMPLE)
def test_a_day_is_read_alike_in_all_its_writings(count: int) -> None:
    draw = random.Random(16)
    for day in days(count, date(1950, 1, 1), date(2026, 12, 31)):
        for kind, written in writings.of_day(day).items():
            if kind == "short year" and day.year < 1970:
                continue  # 50年 may be a length of time
            assert read_date(written, today=TODAY) == day, (kind, written)
        this_year = day.replace(year=2026, day=min(day.day, 28))
        written = draw.choice(list(writings.of_day(this_year).values()))
        _, inputs, hints = told(f"{written}入职，累计工作12年，今年年假多少天")
        assert (inputs["joined"], hints) == (this_year.isoformat(), {}), written
        _, inputs, hints = told(f"工作20年，{written}离职，已休3天，还剩几天年假")
        assert (inputs["left"], inputs["taken"], hints) == (this_year.isoformat(), "3天", {}), written


@pytest.mark.parametrize("count", SAMPLE)
def test_a_month_is_read_alike_in_all_its_writings(count: int) -> None:
    draw = random.Random(17)
    for _ in range(count):
        month = Month(draw.randint(1950, 2008), draw.randint(1, 12))
        for kind, written in writings.of_month(month.year, month.month).items():
            assert read_month(written, today=TODAY) == month, (kind, written)
        written = draw.choice(list(writings.of_month(month.year, month.month).values()))
        _, inputs, _ = told(f"男，{written}出生，什么时候退休")
        assert inputs["birth"] == str(month), written


def test_a_length_of_time_is_read_alike_in_all_its_writings() -> None:
    draw = random.Random(18)
    for months in range(1, 600):
        for kind, written in writings.of_length(months).items():
            assert read_length(written, exact=True, today=TODAY) == months, (kind, written)
        written = draw.choice(list(writings.of_length(months).values()))
        if not written.startswith("整"):
            _, inputs, _ = told(f"在公司干了{written}被辞退，月薪10000，赔多少")
            assert read_length(inputs["service"], exact=True, today=TODAY) == months, written
            _, inputs, _ = told(f"失业保险交了{written}，失业金能领几个月")
            assert read_length(inputs["paid"], exact=True, today=TODAY) == months, written


@pytest.mark.parametrize("count", SAMPLE)
def test_phone_and_ticket_numbers_arrive_whole(count: int) -> None:
    draw = random.Random(19)
    for number in range(count):
        digit = draw.choice("0123456789")
        rest = digit * draw.randint(4, 7) if number % 2 else f"{draw.randrange(10**9):09}"
        phone = f"1{draw.choice('3456789')}{rest:0<9}"[:11]
        for kind, written in writings.of_phone(phone).items():
            assert guards.phone_in(f"我的电话是{written}。") == phone, (kind, written)
            ordered = order(f"帮我投诉，物业乱收费10000元，电话{written}")
            assert ordered is not None and ordered[1] == f"物业乱收费10000元，电话{written}"
            draft = ticket_form.Draft(step="phone", content="物业乱收费", region="430104")
            filled = ticket_form.advance(draft, written, find_region=lambda text: None).draft
            assert filled is not None and filled.phone == phone, (kind, written)
        day = TODAY - timedelta(days=draw.randrange(300))
        ticket = f"{day:%Y%m%d}{draw.randrange(10**6):06}" if number % 2 else f"{day:%Y%m%d}{digit * 6}"
        for kind, written in writings.of_ticket(ticket).items():
            assert guards.ticket_number_in(f"查一下{written}办到哪了") == ticket, (kind, written)


# --- what was said wrongly once --------------------------------------------------------------------------------------

SAID_WRONGLY: list[tuple[list[str], list[str]]] = [
    (["干了3年被辞退，月薪10000，赔多少"], ["30000元", "月平均工资10,000元", "3年"]),
    (["年终奖100000元交多少税", "跳过"], ["9790元", "年终奖100,000元"]),
    (["月薪20000，五险一金1000，8月份扣多少个税", "没有"], ["8月预扣个税1400元", "16680元", "20,000元", "1,000元"]),
    (["月薪30000个税多少", "没有", "没有"], ["43080元", "30,000元"]),
    (["月薪20000，周六加班8小时给多少钱"], ["1839.08元", "20,000元", "8小时"]),
    (["2026年7月1日入职，累计工作12年，今年年假多少天"], ["5天", "全年10天", "2026年7月1日", "12年"]),
    (["工作20年，2026年6月30日离职，已休3天，还剩几天"], ["年休假是7天", "还剩4天", "2026年6月30日", "20年"]),
]
"""What the citizen says in turn, and what the result has to hold"""


@pytest.mark.parametrize(("said", "words"), SAID_WRONGLY, ids=[one[0][0] for one in SAID_WRONGLY])
def test_the_right_figure_with_the_inputs_it_rests_on(said: list[str], words: list[str]) -> None:
    now: Step | None = step(said[0])
    for text in said[1:]:
        assert now is not None and now.open is not None, now
        now = advance(now.open, text, today=TODAY)
    assert now is not None and now.result is not None
    answer = now.result.to_answer_text()
    assert all(word in answer for word in words), answer


@pytest.mark.parametrize("calculator", CALCULATORS.values(), ids=list(CALCULATORS))
def test_every_calculator_repeats_every_input(calculator: Any) -> None:
    texts = {"month": "1976年3月", "length": "7年", "money": "18888", "number": "3", "hours": "3小时", "bool": "是", "date": "2026年3月1日"}  # fmt: skip
    for left_out in (None, *(field.name for field in calculator.fields if field.optional)):
        inputs = {
            field.name: field.choices[-1].value if field.kind == "choice" else ("2025" if field.unit == "年" else texts[field.kind])
            for field in calculator.fields
            if field.name != left_out
        }  # fmt: skip
        if calculator.id == "severance":
            inputs["local_average"] = "8888"
        for name in ("social", "additional", "other", "last_wage"):
            if name in inputs:
                inputs[name] = "1111"
        try:
            result = calculator.compute(inputs, today=TODAY)
        except InvalidInput:
            assert calculator.id in ("unemployment", "annual_leave")  # two that belong together
            continue
        for name in inputs:
            field = calculator.field_named(name)
            value = field.parse(inputs[name], today=TODAY)
            if field.default is None or value != field.parse(field.default, today=TODAY):
                assert field.say(value) in result.basis
        assert result.basis in result.to_answer_text()


# --- several figures in one question ---------------------------------------------------------------------------------


def questions(draw: random.Random, count: int) -> Iterator[tuple[str, dict[str, object]]]:
    """Questions with several figures, in any order and any writing, and what they tell."""
    values = writings.amounts(draw.randrange(10**6), 1_000_000)

    def way(ways: dict[str, str]) -> str:
        return draw.choice(list(ways.values()))

    def together(*parts: str) -> str:
        # A comma between two bare numbers (500，612) makes them one, for people too.
        first, *others = draw.sample(parts, len(parts))
        for part in others:
            bare = re.match(r"[\d￥]", part) and re.search(r"\d\W*$", first)
            first += (draw.choice(["。", "；"]) if bare else draw.choice([" ", "，", ",", "。"])) + part
        return first

    for _ in range(count):
        wage, bonus = next(values), next(values)
        months, taken, unused, day = draw.randint(12, 480), draw.randint(1, 5), draw.randint(1, 20), TODAY.replace(month=draw.randint(1, 12), day=draw.randint(1, 28))  # fmt: skip
        length = way(writings.of_length(months)).removeprefix("整")
        paid = draw.choice([one for one in (500, 1000, 1111, 2222, 4400) if one < wage] or [500])
        hours, more = draw.randint(1, 30), draw.randint(1, 30)
        month = draw.randint(1, 12)
        money = draw.choice(["月薪{}", "工资{}", "一个月{}", "{}块工资", "月工资是{}"]).format(
            way(writings.of_amount(wage))
        )
        yield together(money, f"在厂里干了{length}", "被辞退") + "，赔多少", {"wage": wage, "service": months}
        yield together(money, draw.choice(["五险一金扣{}", "社保公积金{}", "三险一金每月{}"]).format(way(writings.of_amount(paid)))) + f"，{month}月份要扣多少个税", {"wage": wage, "social": paid, "month": month}  # fmt: skip
        yield together(money, f"年终奖{way(writings.of_amount(bonus))}") + "，交多少税", {"wage": wage, "bonus": bonus}
        yield together(money, f"周六加班{hours}小时", f"平时晚上加班{writings.spoken(more)}个小时") + "，加班费多少", {"wage": wage, "restday": hours, "weekday": more, "holiday": 0}  # fmt: skip
        yield together(money, f"{writings.spoken(taken)}天年假没休") + "，补多少钱", {"wage": wage, "days": taken}
        yield together(f"累计工作{length}", f"{way(writings.of_day(day))}离职", f"休了{writings.spoken(taken)}天") + "，年假还剩几天", {"worked": months, "left": day, "taken": taken}  # fmt: skip
        yield (
            together(f"失业保险交了{length}", f"上次还剩{unused}个月") + "，失业金能领几个月",
            {"paid": months, "unused": unused},
        )


@pytest.mark.parametrize(
    "count", [pytest.param(40, id="a sample"), pytest.param(2000, id="all", marks=pytest.mark.full)]
)
def test_of_several_figures_each_is_read_right_or_asked_for(count: int) -> None:
    read = told_at_all = 0
    for question, truth in questions(random.Random(20), count):
        request = recognise(question, TODAY)
        if request is None:
            continue
        told_at_all += len(truth)
        calculator = CALCULATORS[request.calculator]
        for name, text in request.inputs.items():
            assert calculator.field_named(name).parse(text, today=TODAY) == truth[name], (question, name)
            read += 1
    # Asking is always safe; asking always is of no use.
    assert read > 0.85 * told_at_all > 0
