"""Unemployment benefit, annual leave, severance pay and overtime against figures worked out by hand."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import InvalidInput
from index.calculators import CALCULATORS, Result
from index.calculators.form import ANSWER_LENGTH
from index.calculators.leave import LeaveInputs, full_days, leave
from index.calculators.overtime import OvertimeInputs, overtime
from index.calculators.severance import REASONS, SeveranceInputs, months_due, severance
from index.calculators.unemployment import UnemploymentInputs, benefit, limit

TODAY = date(2026, 11, 21)
D = Decimal


def compute(calculator: str, **inputs: object) -> Result:
    return CALCULATORS[calculator].compute(inputs, today=TODAY)


# --- unemployment ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("paid", "months"),
    [
        (0, 0),
        (1, 0),
        (11, 0),
        (12, 12),
        (13, 12),
        (24, 12),
        (59, 12),
        (60, 18),
        (61, 18),
        (84, 18),
        (119, 18),
        (120, 24),
        (121, 24),
        (480, 24),
    ],
)
def test_most_months_of_benefit(paid: int, months: int) -> None:
    assert limit(paid) == months
    assert benefit(UnemploymentInputs(D(paid)), TODAY).months == months


@pytest.mark.parametrize(
    ("paid", "unused", "months"),
    [(24, 3, 15), (60, 6, 24), (60, 7, 24), (130, 10, 24), (6, 5, 5), (12, 0, 12), (59, 12, 24), (59, 13, 24)],
)
def test_what_was_not_drawn_is_added_up_to_24(paid: int, unused: int, months: int) -> None:
    assert benefit(UnemploymentInputs(D(paid), D(unused)), TODAY).months == months


@given(st.integers(0, 480), st.integers(0, 24))
def test_more_contributions_never_give_less(paid: int, unused: int) -> None:
    less, more = (benefit(UnemploymentInputs(D(one), D(unused)), TODAY) for one in (paid, paid + 1))
    assert less.months <= more.months <= 24


@pytest.mark.parametrize(
    ("birth", "months", "extended", "words"),
    [
        ("1966-04", 0, False, "已到法定退休年龄"),  # retired 2026-08
        ("1966-12", 7, False, "到2027年6月法定退休为止"),  # 7 months left, less than the 12
        ("1967-08", 17, True, "可领到2028年4月法定退休，共17个月"),  # 17 - 12 = 5 < 12
        ("1968-03", 12, False, "最多可领12个月"),  # retires 2029-01, 26 months from now: 14 are left after the 12
    ],
)
def test_near_retirement(birth: str, months: int, extended: bool, words: str) -> None:
    result = compute("unemployment", paid="3年", category="男", birth=birth)
    assert (result.figures()["months"], result.figures()["extended"]) == (months, extended)
    assert words in result.headline


def test_unemployment_says_that_the_place_decides() -> None:
    text = compute("unemployment", paid="7年").to_answer_text()
    assert text.startswith("最多可领18个月失业保险金。") and "当地规定" in text


# --- annual leave ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("worked", "days"),
    [(0, 0), (11, 0), (12, 5), (60, 5), (119, 5), (120, 10), (180, 10), (239, 10), (240, 15), (480, 15)],
)
def test_days_of_a_full_year(worked: int, days: int) -> None:
    assert full_days(worked) == days


@pytest.mark.parametrize(
    ("worked", "joined", "left", "taken", "days", "untaken"),
    [
        (36, "2026-07-01", None, 0, 2, 2),  # 184 / 365 × 5 = 2.52
        (36, "2026-01-01", None, 0, 5, 5),
        (36, "2026-10-20", None, 0, 1, 1),  # 73 / 365 × 5 = 1 exactly
        (36, "2026-10-21", None, 0, 0, 0),  # 72 / 365 × 5 = 0.99
        (130, None, "2026-06-30", 2, 4, 2),  # 181 / 365 × 10 = 4.96
        (250, None, "2026-12-31", 0, 15, 15),
        (250, None, "2024-12-31", 0, 15, 15),  # a leap year gives no sixteenth day
        (130, None, "2026-06-30", 7, 4, 0),  # taken too many: not below nothing
        (36, "2026-03-01", "2026-08-31", 0, 2, 2),  # 184 / 365 × 5
    ],
)
def test_part_of_a_year(worked: int, joined: str | None, left: str | None, taken: int, days: int, untaken: int) -> None:
    figures = compute("annual_leave", worked=f"{worked}个月", joined=joined, left=left, taken=taken).figures()
    assert (figures["days"], figures["untaken"]) == (days, untaken)


@pytest.mark.parametrize(
    ("left", "days", "taken", "untaken"),
    [
        ("2026-06-30", 7, "3", 4),  # 181 / 365 × 15 = 7.44
        ("2026-06-30", 7, "2.5", 4),  # 4.94: less than a whole day doesn't count
        ("2026-06-30", 7, "6.5", 0),
        ("2026-06-30", 7, "8", 0),
        (None, 15, "两天半", "12.5"),
        (None, 15, "3", 12),
    ],
)
def test_half_days_are_taken_too(left: str | None, days: int, taken: str, untaken: str | int) -> None:
    result = compute("annual_leave", worked="20年", left=left, taken=taken)
    assert (result.figures()["days"], result.figures()["untaken"]) == (days, untaken)
    assert f"还剩{untaken}天" in result.to_answer_text()


@pytest.mark.parametrize(
    ("worked", "more", "excluded"),
    [
        (60, {"sick_months": "1"}, False),
        (60, {"sick_months": "2"}, True),
        (150, {"sick_months": "2"}, False),
        (150, {"sick_months": "3"}, True),
        (250, {"sick_months": "3.5"}, False),
        (250, {"sick_months": "4"}, True),
        (60, {"personal_days": "19"}, False),
        (60, {"personal_days": "20"}, True),
        (60, {"school_holidays": True}, True),
    ],
)
def test_who_has_no_leave_this_year(worked: int, more: dict[str, object], excluded: bool) -> None:
    figures = compute("annual_leave", worked=f"{worked}个月", **more).figures()
    assert figures["excluded"] == excluded
    assert (figures["days"] == 0) == excluded


@given(st.integers(0, 600), st.dates(date(2026, 1, 1), date(2026, 12, 31)))
def test_leave_grows_with_service_and_with_the_part_of_the_year(worked: int, left: date) -> None:
    def days(months: int, day: date) -> int:
        return leave(LeaveInputs(D(months), left=day), TODAY).days

    assert days(worked, left) <= days(worked + 1, left)
    if left < date(2026, 12, 31):
        assert days(worked, left) <= days(worked, left + timedelta(days=1)) <= full_days(worked)


@pytest.mark.parametrize(
    ("wage", "days", "extra", "total"),
    [
        ("8700", "5", "4000.00", "6000.00"),
        ("6000", "5", "2758.62", "4137.93"),
        ("10000", "1", "919.54", "1379.31"),
        ("21750", "10", "20000.00", "30000.00"),
    ],
)
def test_pay_for_leave_not_taken(wage: str, days: str, extra: str, total: str) -> None:
    figures = compute("leave_pay", wage=wage, days=days).figures()
    assert (figures["extra"], figures["total"]) == (extra, total)


# --- severance -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "months"),
    [("20天", "0.5"), ("1个月", "0.5"), ("5个月", "0.5"), ("5个月29天", "0.5"), ("6个月", "1"), ("半年", "1"), ("11个月", "1"), ("12个月", "1"),
     ("1年零1天", "1.5"), ("1年5个月", "1.5"), ("1年6个月", "2"), ("两年半", "3"), ("六年半", "7"), ("6年3个月", "6.5"), ("6年", "6"), ("15年", "15"),
     ("20年7个月", "21")],
)  # fmt: skip
def test_n(service: str, months: str) -> None:
    assert D(compute("severance", service=service, wage="8000").figures()["years"]) == D(months)


@pytest.mark.parametrize(
    ("service", "wage", "average", "n", "double", "capped"),
    [
        ("6年半", "8000", None, "56000.00", "112000.00", False),
        ("6年半", "8000", "7000", "56000.00", "112000.00", False),
        ("15年", "8000", "7000", "120000.00", "240000.00", False),  # below the cap: more than twelve years count
        ("15年", "21000", "7000", "315000.00", "630000.00", False),  # exactly three times: not above
        ("15年", "21000.01", "7000", "252000.00", "504000.00", True),
        ("15年", "50000", "7000", "252000.00", "504000.00", True),  # 3 × 7000 × 12
        ("5年", "50000", "7000", "105000.00", "210000.00", True),
        ("5个月", "9999.99", None, "5000.00", "10000.00", False),
    ],
)
def test_n_in_yuan(service: str, wage: str, average: str | None, n: str, double: str, capped: bool) -> None:
    figures = compute("severance", service=service, wage=wage, local_average=average).figures()
    assert (figures["n"], figures["double"], figures["capped"]) == (n, double, capped)


@pytest.mark.parametrize(
    ("reason", "notice", "due"),
    [
        ("negotiated", None, "24000.00"), ("layoff", None, "24000.00"), ("expired", None, "24000.00"), ("employer_fault", None, "24000.00"),
        ("closed", None, "24000.00"), ("no_fault", "没有", "34000.00"), ("no_fault", "是", "24000.00"), ("no_fault", None, None),
        ("illegal", None, "48000.00"), ("resigned", None, "0.00"), ("fault", None, "0.00"), ("probation", None, "0.00"), (None, None, None),
    ],
)  # fmt: skip
def test_which_reason_gives_what(reason: str | None, notice: str | None, due: str | None) -> None:
    result = compute("severance", service="3年", wage="8000", reason=reason, notice=notice, last_wage="10000")
    figures = result.figures()
    assert figures["due"] == due
    assert (figures["n"], figures["n_plus_one"], figures["double"]) == ("24000.00", "34000.00", "48000.00")
    if due and D(due):
        assert due.removesuffix(".00") in result.headline


def test_every_reason_is_a_choice() -> None:
    assert {choice.value for choice in CALCULATORS["severance"].field_named("reason").choices} == set(REASONS)


def test_years_before_2008_are_mentioned() -> None:
    old = compute("severance", service="20年", wage="8000")
    new = compute("severance", service="18年", wage="8000")
    assert any("2008" in caveat for caveat in old.caveats) and not any("2008" in caveat for caveat in new.caveats)


@given(st.integers(1, 700), st.integers(1, 100_000), st.integers(1000, 20_000) | st.none())
def test_severance_never_falls_with_service_or_wage(service: int, wage: int, average: int | None) -> None:
    local = None if average is None else D(average)

    def n(months: int, monthly: int) -> Decimal:
        return severance(SeveranceInputs(D(months), D(monthly), local_average=local), TODAY).n

    assert n(service, wage) <= n(service + 1, wage)
    if local is None or wage + 1 <= 3 * local or wage > 3 * local:
        assert n(service, wage) <= n(service, wage + 1)
    assert months_due(D(service + 12)) == months_due(D(service)) + 1


# --- overtime --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wage", "weekday", "restday", "holiday", "system", "total"),
    [
        ("8700", "2", "0", "0", "standard", "150.00"),  # 50 an hour
        ("8700", "0", "2天", "0", "standard", "1600.00"),
        ("8700", "0", "0", "一天", "standard", "1200.00"),
        ("8700", "2", "8", "8", "standard", "2150.00"),
        ("6000", "0", "16", "0", "standard", "1103.45"),
        ("8700", "0", "8", "0", "composite", "600.00"),
        ("8700", "0", "0", "8", "composite", "1200.00"),
        ("8700", "10", "8", "8", "flexible", "0.00"),
        ("2500", "半天", "0", "0", "standard", "86.21"),
    ],
)
def test_overtime_pay(wage: str, weekday: str, restday: str, holiday: str, system: str, total: str) -> None:
    result = compute("overtime", wage=wage, weekday=weekday, restday=restday, holiday=holiday, system=system)
    assert result.figures()["total"] == total


def test_too_many_hours_are_mentioned() -> None:
    assert any("36小时" in one for one in compute("overtime", wage="5000", weekday="40").caveats)
    assert not any("36小时" in one for one in compute("overtime", wage="5000", weekday="36").caveats)


@given(st.integers(1000, 50_000), st.integers(1, 300))
def test_an_hour_on_a_holiday_is_worth_more(wage: int, hours: int) -> None:
    weekday = overtime(OvertimeInputs(D(wage), weekday=D(hours)), TODAY).total
    restday = overtime(OvertimeInputs(D(wage), restday=D(hours)), TODAY).total
    holiday = overtime(OvertimeInputs(D(wage), holiday=D(hours)), TODAY).total
    assert weekday < restday < holiday
    assert abs(holiday - 2 * weekday) <= D("0.02")


# --- all -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("calculator", "inputs", "words"),
    [
        ("unemployment", {"paid": "-3年"}, "不够准确|没看懂"),
        ("unemployment", {"paid": "60年"}, "不会超过"),
        ("unemployment", {"paid": "3年", "unused": "25"}, "不会超过"),
        ("unemployment", {"paid": "3年", "birth": "1970-01"}, "一起告诉我"),
        ("unemployment", {}, "缴了几年几个月"),
        ("annual_leave", {"worked": "5年", "joined": "2026-05-01", "left": "2026-04-01"}, "不能早于"),
        ("annual_leave", {"worked": "5年", "joined": "2025-05-01", "left": "2026-04-01"}, "不在同一年"),
        ("annual_leave", {"worked": "5年", "joined": "2026-02-30"}, "日历上没有"),
        ("leave_pay", {"wage": "0", "days": "5"}, "大于 0"),
        ("severance", {"service": "六七年", "wage": "8000"}, "不够准确|没看懂"),
        ("severance", {"service": "七年多", "wage": "8000"}, "不够准确"),
        ("severance", {"service": "3年", "wage": "-8000"}, "负数"),
        ("severance", {"service": "3年", "wage": "0"}, "大于 0"),
        ("severance", {"service": "3年", "wage": "99999999"}, "不会超过"),
        ("overtime", {"wage": "8000"}, "至少一样"),
        ("overtime", {"wage": "8000", "weekday": "700", "holiday": "700"}, "没有这么多小时"),
        ("overtime", {"wage": "abc", "weekday": "7"}, "没看懂"),
    ],
)
def test_nonsense_is_refused_in_plain_words(calculator: str, inputs: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        compute(calculator, **inputs)


@given(
    st.integers(1, 700),
    st.integers(1, 10_000_000),
    st.sampled_from([None, *REASONS]),
    st.sampled_from([None, "是", "否"]),
    st.booleans(),
)
def test_severance_fits_on_a_phone(
    service: int, wage: int, reason: str | None, notice: str | None, capped: bool
) -> None:
    result = compute(
        "severance",
        service=f"{service}个月",
        wage=wage,
        reason=reason,
        notice=notice,
        local_average=7000 if capped else None,
    )
    _is_ready(result)


@given(
    st.integers(0, 500),
    st.dates(date(2026, 1, 1), date(2026, 12, 31)) | st.none(),
    st.booleans(),
    st.integers(0, 30),
    st.integers(0, 5),
)
def test_leave_fits_on_a_phone(worked: int, day: date | None, joins: bool, taken: int, sick: int) -> None:
    name = "joined" if joins else "left"
    _is_ready(
        compute("annual_leave", worked=f"{worked}个月", taken=taken, sick_months=sick, **({name: day} if day else {}))
    )


@given(st.integers(0, 500), st.integers(0, 24), st.integers(1960, 1990) | st.none())
def test_benefit_fits_on_a_phone(paid: int, unused: int, year: int | None) -> None:
    person = {"category": "male", "birth": f"{year}-05"} if year else {}
    _is_ready(compute("unemployment", paid=f"{paid}个月", unused=unused, **person))


@given(
    st.integers(1, 10_000_000),
    st.tuples(*[st.integers(0, 200)] * 3),
    st.sampled_from(["standard", "composite", "flexible"]),
)
def test_overtime_fits_on_a_phone(wage: int, hours: tuple[int, int, int], system: str) -> None:
    if sum(hours):
        _is_ready(compute("overtime", wage=wage, weekday=hours[0], restday=hours[1], holiday=hours[2], system=system))


def _is_ready(result: Result) -> None:
    """Ready to be shown: short, the figure first, with a caveat, steps and sources."""
    text = result.to_answer_text()
    assert len(text) <= ANSWER_LENGTH
    assert text.startswith(result.headline)
    assert result.caveats[0] in text
    assert result.steps and result.sources
    assert "None" not in text + "".join(result.steps) and "E+" not in text + "".join(result.steps)
