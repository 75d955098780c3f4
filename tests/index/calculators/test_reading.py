"""What people type, read into values."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import InvalidInput
from index.calculators import CALCULATORS
from index.calculators.form import Field, as_length, as_text
from index.calculators.numbers import number
from index.calculators.numbers import tidy as tidied
from index.calculators.reading import (
    Month,
    elapsed,
    read_date,
    read_length,
    read_money,
    read_month,
    read_number,
    read_yes,
)

TODAY = date(2026, 11, 21)
D = Decimal


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0), ("8500", 8500), ("12,000", 12000), ("1.2万", 12000), ("1万2", 12000), ("1万2千", 12000), ("1w5", 15000), ("15k", 15000), ("8千5", 8500),
        ("八千五", 8500), ("一万二", 12000), ("一万二千", 12000), ("一万零二百", 10200), ("一万零五百", 10500), ("两万三千四百五十六", 23456), ("三千零五十", 3050),
        ("三千零五", 3005), ("一百二", 120), ("一百零二", 102), ("十五", 15), ("二十", 20), ("二十五", 25), ("一百一十", 110), ("十", 10), ("零", 0), ("两", 2),
        ("三点五", "3.5"), ("一点二万", 12000), ("八千", 8000), ("十二万", 120000), ("１２３", 123), ("1.5w", 15000), ("二十万零三千", 203000),
    ],
)  # fmt: skip
def test_numbers(text: str, value: int | str) -> None:
    assert number(text) == D(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "七八千",
        "两三",
        "十几",
        "几百",
        "万",
        "百",
        "三万四万",
        "五六",
        "abc",
        "1.2.3",
        "1万20000",
        "千三",
        "9" * 30,
        "9" * 15 + "万零",
    ],
)
def test_what_is_vague_or_nonsense_is_no_number(text: str) -> None:
    assert number(text) is None


def _chinese(value: int) -> str:
    """A number in characters, the long way, as a second opinion."""
    digits, units = "零一二三四五六七八九", ["", "十", "百", "千"]

    def section(part: int) -> str:
        out, zero = "", False
        for place in (3, 2, 1, 0):
            digit = part // 10**place % 10
            if digit:
                out += ("零" if zero and out else "") + digits[digit] + units[place]
                zero = False
            else:
                zero = True
        return out

    high, low = divmod(value, 10_000)
    if not high:
        return section(low) or "零"
    return section(high) + "万" + ("零" if 0 < low < 1000 else "") + section(low)


@given(st.integers(0, 99_999_999))
def test_every_number_written_out_is_read_back(value: int) -> None:
    assert number(_chinese(value)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("8000", 8000), ("8000元", 8000), ("八千五", 8500), ("1.2万", 12000), ("月薪一万二", 12000), ("15k", 15000), ("大概8000左右", 8000), ("8,500块钱", 8500),
     ("一个月六千", 6000), ("6千", 6000), ("3500.55", "3500.55"), (" 9000 元/月", 9000)],
)  # fmt: skip
def test_money(text: str, value: int | str) -> None:
    assert read_money(text) == D(value)


@pytest.mark.parametrize(
    "text", ["", "没多少", "七八千", "一万多", "-500", "负500", "8000到9000", "5年", "6个月", "30岁", "几千"]
)
def test_no_money(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_money(text)


@pytest.mark.parametrize(
    ("text", "months"),
    [
        ("6年半", 78), ("六年半", 78), ("两年半", 30), ("6.5年", 78), ("6年3个月", 75), ("六年零三个月", 75), ("6年零3个月", 75), ("6年3月", 75), ("78个月", 78),
        ("12个月", 12), ("十八个月", 18), ("半年", 6), ("1年", 12), ("一年", 12), ("二十年", 240), ("我干了5年", 60), ("满10年", 120), ("一年零十个月", 22), ("俩月", 2),
        ("两个半年头", None), ("2个半月", "2.5"), ("20天", "0.67"), ("三个半年", None), ("整八年", 96), ("2019年3月到现在", 92), ("从19年3月干到现在", 92),
        ("2019.3入职", 92), ("10年了", 120),
    ],
)  # fmt: skip
def test_lengths(text: str, months: int | str | None) -> None:
    if months is None:
        with pytest.raises(InvalidInput):
            read_length(text, exact=True, today=TODAY)
    else:
        assert read_length(text, exact=True, today=TODAY) == D(months)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "很久",
        "六七年",
        "十几年",
        "十来年",
        "快十年",
        "差一个月满十年",
        "不到三年",
        "好几年",
        "2019年",
        "76年3月",
        "三年或四年",
        "三到五年吧",
        "3、5年",
        "3 5年",
        "3~5年",
        "三年或者五年",
        "五年差一个月",
        "5年还差两个月",
        "-3年",
        "1年13个月",
        "8000",
    ],
)
def test_what_is_no_exact_length(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_length(text, exact=True, today=TODAY)


def test_and_a_bit_is_enough_where_it_does_not_matter() -> None:
    assert read_length("七年多", exact=False, today=TODAY) == 84
    with pytest.raises(InvalidInput, match="不够准确"):
        read_length("七年多", exact=True, today=TODAY)


@pytest.mark.parametrize(
    ("text", "month"),
    [
        ("76年3月", "1976-03"), ("1976.3", "1976-03"), ("1976-03", "1976-03"), ("1976/3", "1976-03"), ("197603", "1976-03"), ("1976年03月", "1976-03"),
        ("七六年三月", "1976-03"), ("一九七六年三月", "1976-03"), ("76年3月15日", "1976-03"), ("1976-03-15", "1976-03"), ("19760315", "1976-03"),
        ("属龙的76年3月", "1976-03"), ("我是76年 3月份的", "1976-03"), ("76.3", "1976-03"), ("二零零一年十二月", "2001-12"), ("05年11月", "2005-11"),
        ("1976年属龙3月", "1976-03"), ("七六年十一月生", "1976-11"),
    ],
)  # fmt: skip
def test_months(text: str, month: str) -> None:
    assert str(read_month(text, today=TODAY)) == month


@pytest.mark.parametrize(
    ("text", "words"),
    [("76年", "还要知道月份.*1976年"), ("1976", "还要知道月份"), ("属龙的76年", "1976年"), ("农历76年3月", "公历"), ("76年腊月", "公历"), ("3月", "哪年哪月"),
     ("76年13月", "."), ("不告诉你", "哪年哪月"), ("1976年3月或4月1977年5月", "."), ("1976年3月或4月", "."), ("76年3月、4月", "."), ("七六年三月还是四月", ".")],
)  # fmt: skip
def test_no_month(text: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        read_month(text, today=TODAY)


@pytest.mark.parametrize("text", ["3月", "三月", "三月份", "3", "03", "3月生的", "1976年3月"])
def test_a_month_alone_is_enough_when_the_year_is_known(text: str) -> None:
    field = CALCULATORS["retirement"].field_named("birth")
    assert str(field.parse(text, today=TODAY, hint="1976")) == "1976-03"


@pytest.mark.parametrize(
    ("text", "day"),
    [("2026年3月15日", "2026-03-15"), ("2026-3-15", "2026-03-15"), ("20260315", "2026-03-15"), ("三月十五号", "2026-03-15"), ("3月15", "2026-03-15"),
     ("去年12月1号", "2025-12-01"), ("今年6月底", "2026-06-30"), ("2月末", "2026-02-28"), ("今天", "2026-11-21"), ("26年7月1日", "2026-07-01"),
     ("十一月二十一日", "2026-11-21")],
)  # fmt: skip
def test_dates(text: str, day: str) -> None:
    assert str(read_date(text, today=TODAY)) == day


@pytest.mark.parametrize(
    "text",
    [
        "2026年2月30日",
        "2026-13-01",
        "明天吧",
        "3月",
        "",
        "三月三十二号",
        "5月初",
        "13月5日",
        "2026年13月5日",
        "3月155日",
        "202603151",
        "2026-3-155",
        "3月1日或4月1日",
        "不是3月1日，是3月2日",
        "2026-3.15",
        "3月1日或2日",
        "3月1号、2号",
        "3月1到5号",
        "6月29或30号",
    ],
)
def test_no_date(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_date(text, today=TODAY)


@pytest.mark.parametrize(
    ("text", "value"), [("是", True), ("是的。", True), ("有", True), ("没有", False), ("否", False), ("不是啊", False)]
)
def test_yes_and_no(text: str, value: bool) -> None:
    assert read_yes(text) is value


@pytest.mark.parametrize(
    ("text", "value"), [("5", "5"), ("5天", "5"), ("三个", "3"), ("两天半", None), ("3个半小时", "3.5"), ("8小时", "8")]
)
def test_counts(text: str, value: str | None) -> None:
    if value is None:
        with pytest.raises(InvalidInput):
            read_number(text)
    else:
        assert read_number(text) == D(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [("男", "male"), ("男的", "male"), ("我是男同志", "male"), ("女干部", "female_55"), ("干部", "female_55"), ("女工人", "female_50"), ("工人", "female_50"), ("2", "female_55"),
     ("女工人（原50岁退休）", "female_50"), ("灵活就业女性", "female_55"), ("管理岗的", "female_55"), ("female_50", "female_50")],
)  # fmt: skip
def test_categories(text: str, value: str) -> None:
    assert CALCULATORS["retirement"].field_named("category").parse(text, today=TODAY) == value


@pytest.mark.parametrize("text", ["女", "女的", "女同志", "4", "退休", "男女"])
def test_an_unclear_category_is_asked_again(text: str) -> None:
    with pytest.raises(InvalidInput, match="请选一个"):
        CALCULATORS["retirement"].field_named("category").parse(text, today=TODAY)


def test_days_are_hours_of_work() -> None:
    field = CALCULATORS["overtime"].field_named("restday")
    assert [field.parse(text, today=TODAY) for text in ("2天", "半天", "一天半", "3小时", "没有", "0")] == [
        16,
        4,
        12,
        3,
        0,
        0,
    ]


def test_an_optional_field_can_be_skipped_and_a_needed_one_not() -> None:
    calculator = CALCULATORS["monthly_tax"]
    assert calculator.field_named("social").parse("不知道", today=TODAY) is None
    with pytest.raises(InvalidInput, match="税前月工资"):
        calculator.field_named("wage").parse("不知道", today=TODAY)


def test_the_fields_are_asked_in_order_and_skipped_ones_not_again() -> None:
    calculator = CALCULATORS["monthly_tax"]
    asked = []
    inputs: dict[str, object] = {}
    while (field := calculator.next_field(inputs)) is not None:
        asked.append(field.name)
        inputs[field.name] = "15000" if field.name == "wage" else ""
    assert asked == ["wage", "social", "additional"]
    assert calculator.compute(inputs, today=TODAY).figures()["total"] == "9480.00"


@pytest.mark.parametrize("calculator", CALCULATORS.values(), ids=list(CALCULATORS))
def test_every_field_says_what_it_wants(calculator: object) -> None:
    fields: tuple[Field, ...] = calculator.fields  # type: ignore[attr-defined]
    assert len({field.name for field in fields}) == len(fields)
    for field in fields:
        assert field.question.endswith(("？", "。", "）")) and field.label
        assert (field.kind == "choice") == bool(field.choices)
        if field.default is not None:
            field.parse(field.default, today=TODAY)


@given(st.text(max_size=60), st.sampled_from([field for one in CALCULATORS.values() for field in one.fields]))
def test_no_text_breaks_a_field(text: str, field: Field) -> None:
    try:
        value = field.parse(text, today=TODAY)
    except InvalidInput as error:
        assert str(error)
    else:
        if value is not None:
            assert field.parse(as_text(value) + ("个月" if field.kind == "length" else ""), today=TODAY) == value


@given(st.lists(st.sampled_from("一二三十百千万两半年个月天岁零多快.-0189元k"), max_size=12).map("".join))
def test_no_pile_of_units_breaks_a_reader(text: str) -> None:
    for field in CALCULATORS["severance"].fields:
        try:
            field.parse(text, today=TODAY)
        except InvalidInput as error:
            assert str(error)
    number(text)
    tidied(text)


@pytest.mark.parametrize("text", ["9" * 16, "9" * 15 + "万", "9" * 100, "1" * 200, "٣٠٠٠", "8000\x00", "一" * 100])
def test_a_monstrous_amount_is_refused_or_read(text: str) -> None:
    for name, calculator in (("wage", "severance"), ("service", "severance"), ("bonus", "bonus_tax")):
        try:
            CALCULATORS[calculator].field_named(name).parse(text, today=TODAY)
        except InvalidInput as error:
            assert len(str(error)) < 200


@given(st.integers(1, 700))
def test_a_length_is_read_back(months: int) -> None:
    assert read_length(as_length(D(months)), exact=True, today=TODAY) == months


@pytest.mark.parametrize(
    ("text", "value"),
    [("1万2千5", 12500), ("2万五", 25000), ("壹万贰仟叁佰", 12300), ("5仟", 5000), ("五〇〇〇", 5000), ("一零零零零", 10000), ("兩萬五", 25000), ("1️⃣0️⃣0️⃣0️⃣0️⃣", 10000),
     ("1\u200b0000", 10000), ("1万0500", 10500), ("一百十五", 115), ("12万3", 123000)],
)  # fmt: skip
def test_more_numbers(text: str, value: int) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    "text", ["1万50", "1.5万2", "10.000", "二零百", "一万零", "零五", "三四五", "一千千", "10,00", "1 0000", "五零零k5", "一万零零五"]
)  # fmt: skip
def test_what_may_be_a_slip_is_no_number(text: str) -> None:
    assert number(text) is None


@pytest.mark.parametrize(
    "text",
    ["10 000", "1 0000", "1,0000", "10,00", "10.000", "1OOOO", "10O00", "1000O", "1½万", "8千~1万", "10000²", "8000或9000", "将近一万", "不到8000", "一万以上", "1万50", "八九千"],
)  # fmt: skip
def test_an_amount_that_may_be_another_is_asked_again(text: str) -> None:
    with pytest.raises(InvalidInput, match="多少钱"):
        read_money(text)


@pytest.mark.parametrize(
    ("calculator", "name", "text", "value"),
    [
        ("annual_leave", "taken", "5天", "5"),
        ("annual_leave", "taken", "两天半", "2.5"),
        ("annual_leave", "taken", "休了3天了", "3"),
        ("annual_leave", "taken", "1个月", None),
        ("annual_leave", "sick_months", "2个月", "2"),
        ("annual_leave", "sick_months", "一个半月", "1.5"),
        ("annual_leave", "sick_months", "5天", None),
        ("unemployment", "unused", "5天", None),
        ("unemployment", "unused", "5个月", "5"),
        ("monthly_tax", "month", "8月份", "8"),
        ("monthly_tax", "month", "8年", None),
        ("overtime", "restday", "2天3小时", None),
        ("overtime", "restday", "8小时30分", None),
        ("overtime", "restday", "两天半", "20"),
    ],
)
def test_a_count_of_something_else_is_asked_again(calculator: str, name: str, text: str, value: str | None) -> None:
    field = CALCULATORS[calculator].field_named(name)
    if value is None:
        with pytest.raises(InvalidInput):
            field.parse(text, today=TODAY)
    else:
        assert field.parse(text, today=TODAY) == D(value)


@pytest.mark.parametrize(("text", "day"), [("1号", "2026-07-01"), ("15", "2026-07-15"), ("三十一日", "2026-07-31"), ("8月2日", "2026-08-02"), ("32号", None), ("月中", None)])  # fmt: skip
def test_a_day_alone_is_enough_when_the_month_is_known(text: str, day: str | None) -> None:
    field = CALCULATORS["annual_leave"].field_named("joined")
    if day is None:
        with pytest.raises(InvalidInput):
            field.parse(text, today=TODAY, hint="2026-07")
    else:
        assert str(field.parse(text, today=TODAY, hint="2026-07")) == day


@pytest.mark.parametrize(
    ("text", "months"),
    [("2019年3月15日入职", "92.2"), ("2020年11月25日到现在", "71.9"), ("从2019年5月到现在", None), ("2020年11月21日入职", None), ("2026年12月入职", None)],
)  # fmt: skip
def test_the_time_since_a_beginning(text: str, months: str | None) -> None:
    if months is None:
        with pytest.raises(InvalidInput):
            read_length(text, exact=True, today=TODAY)
    else:
        assert read_length(text, exact=True, today=TODAY) == D(months)


@given(st.dates(date(1990, 1, 1), date(2026, 11, 20)))
def test_elapsed_months_never_fall_and_full_ones_are_whole(start: date) -> None:
    months = elapsed(start, TODAY)
    assert months > 0 and elapsed(start, TODAY + timedelta(days=1)) >= months
    later = Month.of(start).plus(int(months))
    assert (later.year, later.month) <= (TODAY.year, TODAY.month)
    assert (months == int(months)) == (start.day == TODAY.day)
