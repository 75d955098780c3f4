"""The month of retirement under the gradual rise of the statutory age (渐进式延迟法定退休年龄).

Source: the decision of the Standing Committee of 2024-09-13 and the State Council's 办法 with its tables, in force since
2025-01-01.  Article 1: men from 60 to 63 and women from 55 to 58, a month later for every four months of birth date; women from
50 to 55, a month later for every two.  Article 2: the least years of contribution, 15, rise from 2030 on by six months
a year to 20.  Article 3: up to three years earlier, not below the old age; up to three years later, by agreement.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from bot.errors import InvalidInput
from bot.replies import Source
from index.calculators.form import Calculator, Choice, Field, Result, say_age, say_length
from index.calculators.reading import Month

DECISION = Source(title="全国人民代表大会常务委员会关于实施渐进式延迟法定退休年龄的决定")
MEASURES = "国务院关于渐进式延迟法定退休年龄的办法"
FLEXIBLE = Source(title="实施弹性退休制度暂行办法", doc_no="人社部发〔2024〕94号")

FLEXIBLE_MONTHS = 36
"""How far from the statutory age one may retire, earlier or later."""

BEGINNING = Month(2025, 1)
"""First month of the new rules."""


@dataclass(frozen=True)
class Rule:
    """How the age rises for one group.

    Attributes:
        label: in Chinese.
        old_age: statutory age before 2025, in months.
        first_birth: first birth month that retires later than before.
        every: a month later for every so many months of birth date.
        most: the largest delay, in months.
    """

    label: str
    old_age: int
    first_birth: Month
    every: int
    most: int


RULES = {
    "male": Rule("男职工", 60 * 12, Month(1965, 1), 4, 36),
    "female_55": Rule("女职工（原55岁退休）", 55 * 12, Month(1970, 1), 4, 36),
    "female_50": Rule("女职工（原50岁退休）", 50 * 12, Month(1975, 1), 2, 60),
}
"""By category."""

EARLIEST_BIRTH = Month(1930, 1)


@dataclass(frozen=True)
class RetirementInputs:
    """Who asks.

    Attributes:
        category: a key of :data:`RULES`.
        birth: month of birth.
        paid: months of contribution to the employees' pension so far, if told.
    """

    category: str
    birth: Month
    paid: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class Retirement(Result):
    """When somebody retires.

    Attributes:
        age: statutory age in months.
        month: month of retirement at that age.
        old_month: what it would have been before 2025.
        delay: months between the two.
        earliest: earliest month with 弹性提前; None where there is nothing to choose.
        latest: latest month with 弹性延迟; None for those who retired under the old rules.
        least_paid: months of contribution that the year of ``month`` asks for.
    """

    age: int
    month: Month
    old_month: Month
    delay: int
    earliest: Month | None
    latest: Month | None
    least_paid: int


def delay(category: str, birth: Month) -> int:
    """By how many months the statutory age of a birth month lies above the old one (办法 第一条, 附表1–3)."""
    rule = RULES[category]
    months = birth.index - rule.first_birth.index
    return 0 if months < 0 else min(months // rule.every + 1, rule.most)


def least_paid(year: int) -> int:
    """Months of contribution needed for a monthly pension in a year (办法 第二条, 附表4): 180, from 2030 six more a year, at most 240."""
    return 180 + 6 * min(max(year - 2029, 0), 10)


def statutory(category: str, birth: Month) -> Month:
    """The month in which the statutory age is reached."""
    return birth.plus(RULES[category].old_age + delay(category, birth))


def table(category: str) -> Iterator[tuple[Month, int, Month]]:
    """The official table of a group: birth month, statutory age in months, month of retirement; to the first birth month of the full rise."""
    rule = RULES[category]
    birth = rule.first_birth
    while True:
        later = delay(category, birth)
        yield birth, rule.old_age + later, statutory(category, birth)
        if later == rule.most:
            return
        birth = birth.plus(1)


def retire(inputs: RetirementInputs, today: date) -> Retirement:
    """When somebody retires.

    Raises:
        InvalidInput: the birth lies in the future, or more contributions than a life has room for.
    """
    this_month = Month.of(today)
    _refuse_impossible(inputs, this_month)
    rule = RULES[inputs.category]
    later = delay(inputs.category, inputs.birth)
    month = statutory(inputs.category, inputs.birth)
    old_month = inputs.birth.plus(rule.old_age)
    age = rule.old_age + later
    needed = least_paid(month.year)
    reformed = month >= BEGINNING
    earliest = max(old_month, month.plus(-FLEXIBLE_MONTHS)) if later else None
    latest = month.plus(FLEXIBLE_MONTHS) if reformed else None
    reached = month <= this_month

    points = []
    if later:
        points.append(f"比原来的{say_age(rule.old_age)}（{old_month.chinese}）晚{say_length(later)}。")
    if choice := _choice(earliest, latest, reached, this_month):
        points.append(choice)
    points.append(
        f"按月领养老金，{month.year}年要缴满{say_length(needed)}。" + _enough(inputs.paid, month, this_month, needed)
    )

    caveats = []
    if inputs.category != "male":
        caveats.append("女职工按原50岁还是原55岁，看岗位和参保地人社部门的认定。")
    if earliest is not None and not reached:
        caveats.append("提前退休须已缴满最低年限，并提前3个月书面告知单位。")
    caveats.append("特殊工种、病残等另有规定；以参保地社保机构核定为准。")

    steps = _delay_steps(inputs.birth, rule, later)
    steps.append(f"法定退休年龄{say_age(age)}，{inputs.birth.chinese}＋{say_age(age)}＝{month.chinese}。")
    if earliest is not None:
        steps.append(
            f"弹性提前最多3年，且不早于原年龄：{earliest.chinese}。弹性延迟最多3年：{month.plus(FLEXIBLE_MONTHS).chinese}。"
        )
    steps.append(f"{month.year}年最低缴费年限：{say_length(needed)}（2029年及以前15年，2030年起每年加6个月，到20年）。")

    return Retirement(
        headline=f"{'已到法定退休年龄：' if reached else '法定退休时间：'}{month.chinese}，{say_age(age)}。",
        points=tuple(points),
        steps=tuple(steps),
        sources=(
            DECISION,
            Source(title=MEASURES, clause="第一条、附表"),
            Source(title=MEASURES, clause="第二条"),
            Source(title=MEASURES, clause="第三条"),
            FLEXIBLE,
        ),
        caveats=tuple(caveats),
        age=age,
        month=month,
        old_month=old_month,
        delay=later,
        earliest=earliest,
        latest=latest,
        least_paid=needed,
    )


def _refuse_impossible(inputs: RetirementInputs, this_month: Month) -> None:
    """Raises: InvalidInput."""
    if inputs.birth > this_month:
        raise InvalidInput("出生年月在今天之后，请再看一下。")
    if inputs.birth < EARLIEST_BIRTH:
        raise InvalidInput(f"出生年月早于{EARLIEST_BIRTH.chinese}，算不了，请再看一下。")
    if inputs.paid is not None and inputs.paid > this_month.index - inputs.birth.index - 14 * 12:
        raise InvalidInput("缴费年限比参加工作以来的时间还长，请再看一下出生年月和缴费年限。")


def _delay_steps(birth: Month, rule: Rule, later: int) -> list[str]:
    """How the delay of so many months comes about."""
    group = f"类别：{rule.label}，原法定退休年龄{say_age(rule.old_age)}；出生年月{birth.chinese}。"
    if not later:
        return [group, f"{rule.first_birth.chinese}以前出生，不延迟。"]
    since = birth.index - rule.first_birth.index + 1
    return [
        group,
        f"从{rule.first_birth.chinese}出生的起，每{rule.every}个月延迟1个月：本人在其中第{since}个月，"
        f"{since}÷{rule.every}向上取整，最多{rule.most}，延迟{later}个月。",
    ]


def _choice(earliest: Month | None, latest: Month | None, reached: bool, this_month: Month) -> str:
    """What can be chosen beside the statutory month; nothing that is past is offered."""
    if latest is None:
        return ""
    if reached:
        return f"到龄前已与单位约定弹性延迟的，最晚{latest.chinese}。" if latest > this_month else ""
    late = f"与单位协商一致可延迟，最晚{latest.chinese}。"
    if earliest is None:
        return late
    early = f"最早{earliest.chinese}" if earliest > this_month else "现在就可以申请"
    return f"可自愿弹性提前，{early}；{late}"


def _enough(paid: Decimal | None, month: Month, this_month: Month, needed: int) -> str:
    if paid is None:
        return ""
    by_then = int(paid) + max(month.index - this_month.index, 0)
    if by_then >= needed:
        return f"已缴{say_length(int(paid))}，" + (
            "够了。" if paid >= needed else f"一直缴下去到时有{say_length(by_then)}，够。"
        )
    return f"已缴{say_length(int(paid))}，就算一直缴到时也差{say_length(needed - by_then)}，可问社保机构怎么补缴。"


CATEGORY = Field(
    name="category",
    label="类别",
    question="您是哪一类？",
    kind="choice",
    choices=(
        Choice("male", "男职工", ("男", "男的", "男性", "男同志", "先生", "男工人", "男干部", "老爷们", "爷们")),
        Choice(
            "female_55",
            "女干部、管理技术岗或灵活就业女性（原55岁退休）",
            (
                "女干部",
                "干部",
                "管理岗",
                "技术岗",
                "管理技术岗",
                "管理人员",
                "55",
                "55岁",
                "五十五",
                "五十五岁",
                "原55岁",
                "灵活就业女",
                "女灵活就业",
                "女教师",
                "女公务员",
                "女管理",
            ),
        ),
        Choice(
            "female_50",
            "女工人（原50岁退休）",
            ("女工人", "女工", "工人", "工人岗", "生产岗", "操作岗", "普工", "50", "50岁", "五十", "五十岁", "原50岁"),
        ),
    ),
)
BIRTH = Field(name="birth", label="出生年月", question="您是哪年哪月出生的？（按身份证，比如 1976年3月）", kind="month")

RETIREMENT = Calculator(
    id="retirement",
    title="退休时间",
    matter="延迟退休",
    rests_on=(DECISION.title, MEASURES, FLEXIBLE.title),
    fields=(
        CATEGORY,
        BIRTH,
        Field(
            name="paid",
            label="养老保险已缴年限",
            question="职工养老保险已经缴了几年几个月？不清楚就说“不知道”。",
            kind="length",
            optional=True,
            most=Decimal(60 * 12),
        ),
    ),
    inputs=RetirementInputs,
    formula=retire,
)
