"""From the citizen's words to the figure through the whole running stack."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import islice

import pytest
import writings
from processes import Citizen, Stack

Asked = tuple[str, str, object]
"""A question, the name of a figure of its reply, and its right value"""


def fen(amount: Decimal) -> str:
    return str(amount.quantize(Decimal("0.01"), ROUND_HALF_UP))


# The rules once more, in the fewest words.
AMOUNTS: list[tuple[str, str, Callable[[int], str]]] = [
    ("干了3年被辞退，月薪{}，赔多少", "n", lambda wage: fen(Decimal(wage * 3))),
    ("月薪{}，周六加班8小时给多少钱", "total", lambda wage: fen(Decimal(wage) * 2 / Decimal("21.75"))),
    ("月薪{}，有5天年假没休，公司该补多少钱", "extra", lambda wage: fen(Decimal(wage) * 10 / Decimal("21.75"))),
]


def asked(seed: int) -> Iterator[Asked]:
    """Without end: an amount, a day, a length of time, a month, each in one of its writings."""
    draw = random.Random(seed)
    values = writings.amounts(seed, 1_000_000)
    while True:
        for frame, name, figure in AMOUNTS:
            value = next(values)
            yield frame.format(draw.choice(list(writings.of_amount(value).values()))), name, figure(value)
        day = date(2026, 1, 1) + timedelta(days=draw.randrange(365))
        written = draw.choice(list(writings.of_day(day).values()))
        leave = ((date(2026, 12, 31) - day).days + 1) * 10 // 365
        yield f"{written}入职，累计工作12年，今年年假多少天", "days", leave
        months = draw.randint(12, 500)
        written = draw.choice(list(writings.of_length(months).values()))
        yield f"失业保险交了{written}，失业金能领几个月", "months", 12 if months < 60 else 18 if months < 120 else 24
        year, month = draw.randint(1976, 1990), draw.randint(9, 12)
        written = draw.choice(list(writings.of_month(year, month).values()))
        # Born from September 1976 on, a man retires at 63.
        yield f"男，{written}出生，什么时候退休", "month", f"{year + 63}-{month:02}"


@pytest.mark.parametrize(
    ("seed", "count"),
    [
        pytest.param(0, 200, id="200"),
        *(pytest.param(seed, 1000, id=f"{seed} of 10 times 1000", marks=pytest.mark.full) for seed in range(1, 11)),
    ],
)
def test_every_figure_is_right_through_the_whole_stack(stack: Stack, seed: int, count: int) -> None:
    questions = list(islice(asked(seed), count))
    citizens = [Citizen(stack) for _ in range(8)]

    def ask(number: int) -> list[tuple[str, object, object]]:
        wrong: list[tuple[str, object, object]] = []
        for question, name, right in questions[number :: len(citizens)]:
            reply = citizens[number].say(question)
            if reply["type"] != "calculation" or reply["figures"][name] != right:
                wrong.append((question, right, reply.get("figures") or reply["text"]))
        return wrong

    with ThreadPoolExecutor(len(citizens)) as pool:
        assert not [one for wrong in pool.map(ask, range(len(citizens))) for one in wrong]
    assert len({question for question, _, _ in questions}) > count * 0.9


@pytest.mark.full
def test_every_writing_of_an_amount_through_the_whole_stack(stack: Stack) -> None:
    citizen = Citizen(stack)
    for value in (888, 1000, 1111, 2500, 8888, 10_000, 10_500, 12_500, 15_000, 25_000, 100_000, 111_111, 1_000_000):
        for kind, written in writings.of_amount(value).items():
            reply = citizen.say(f"干了3年被辞退，月薪{written}，赔多少")
            assert reply["figures"]["n"] == fen(Decimal(value * 3)), (kind, written)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (["干了3年被辞退，月薪10000，赔多少"], ["30000元", "月平均工资10,000元"]),
        (["年终奖100000元交多少税", "跳过"], ["9790元", "年终奖100,000元"]),
        (["月薪20000，五险一金1000，8月份扣多少个税", "没有"], ["1400元", "16680元"]),
        (["月薪30000个税多少", "没有", "没有"], ["43080元"]),
        (["月薪20000，周六加班8小时给多少钱"], ["1839.08元"]),
        (["2026年7月1日入职，累计工作12年，今年年假多少天"], ["年休假是5天"]),
        (["工作20年，2026年6月30日离职，已休3天，还剩几天"], ["年休假是7天", "还剩4天"]),
        (["月薪八九千扣多少税", "八九千吧不固定", "8888", "没有", "没有"], ["税前月工资8,888元"]),
    ],
)
def test_a_conversation_comes_to_the_right_figure(citizen: Citizen, said: list[str], words: list[str]) -> None:
    reply = [citizen.say(text) for text in said][-1]
    assert reply["type"] == "calculation", reply
    assert all(word in reply["text"] for word in words), reply["text"]


def test_who_may_draw_is_not_asked_of_the_calculator_of_ages(citizen: Citizen) -> None:
    reply = citizen.say("社保才交了11年还能领吗")
    assert reply["type"] != "calculation" and "哪一类" not in reply["text"], reply


def test_a_form_repeats_its_inputs_too(stack: Stack) -> None:
    with stack.http() as http:
        inputs = {"service": "三年", "wage": "1万"}
        reply = http.post("/api/calculators/severance", json={"inputs": inputs}).json()
    assert "按在本单位的工作时间3年、月平均工资10,000元计算。" in reply["text"]


def test_a_number_in_a_complaint_arrives_whole(citizen: Citizen) -> None:
    for text in ("帮我投诉，物业乱收费100000元，一直不退", "跳过", "１３８００００１１１１"):
        reply = citizen.say(text)
    assert "100000元" in reply["text"] and "138****1111" in reply["text"], reply
