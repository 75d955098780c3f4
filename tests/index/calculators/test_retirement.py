"""The month of retirement against rows of the official tables, read off them by hand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import InvalidInput
from index.calculators import CALCULATORS
from index.calculators.reading import Month
from index.calculators.retirement import RULES, RetirementInputs, delay, least_paid, retire, statutory, table

TODAY = date(2026, 11, 21)

# birth, statutory age (years, months), month of retirement
MEN = """
1964-12 60 0 2024-12
1965-01 60 1 2025-02
1965-02 60 1 2025-03
1965-04 60 1 2025-05
1965-05 60 2 2025-07
1965-08 60 2 2025-10
1965-09 60 3 2025-12
1965-12 60 3 2026-03
1966-01 60 4 2026-05
1966-04 60 4 2026-08
1966-05 60 5 2026-10
1966-12 60 6 2027-06
1967-08 60 8 2028-04
1968-10 60 12 2029-10
1968-09 60 12 2029-09
1969-01 61 1 2030-02
1970-01 61 4 2031-05
1972-12 62 0 2034-12
1973-01 62 1 2035-02
1975-05 62 8 2038-01
1976-05 62 11 2039-04
1976-08 62 11 2039-07
1976-09 63 0 2039-09
1976-12 63 0 2039-12
1990-06 63 0 2053-06
"""
WOMEN_55 = """
1969-12 55 0 2024-12
1970-01 55 1 2025-02
1970-04 55 1 2025-05
1970-05 55 2 2025-07
1970-09 55 3 2025-12
1971-01 55 4 2026-05
1972-03 55 7 2027-10
1973-12 55 12 2029-12
1974-01 56 1 2030-02
1977-12 56 12 2034-12
1978-01 57 1 2035-02
1981-08 57 11 2039-07
1981-09 58 0 2039-09
1981-12 58 0 2039-12
2000-01 58 0 2058-01
"""
WOMEN_50 = """
1974-12 50 0 2024-12
1975-01 50 1 2025-02
1975-02 50 1 2025-03
1975-03 50 2 2025-05
1975-04 50 2 2025-06
1975-12 50 6 2026-06
1976-01 50 7 2026-08
1976-03 50 8 2026-11
1976-12 50 12 2027-12
1977-01 51 1 2028-02
1977-12 51 6 2029-06
1978-12 51 12 2030-12
1979-01 52 1 2031-02
1980-12 52 12 2033-12
1981-01 53 1 2034-02
1984-09 54 11 2039-08
1984-10 54 11 2039-09
1984-11 55 0 2039-11
1984-12 55 0 2039-12
1995-07 55 0 2050-07
"""
ROWS = [
    (category, *row.split())
    for category, rows in (("male", MEN), ("female_55", WOMEN_55), ("female_50", WOMEN_50))
    for row in rows.strip().splitlines()
]


def month(text: str) -> Month:
    return Month(int(text[:4]), int(text[5:]))


@pytest.mark.parametrize(("category", "birth", "years", "months", "retires"), ROWS)
def test_a_row_of_the_official_tables(category: str, birth: str, years: str, months: str, retires: str) -> None:
    result = retire(RetirementInputs(category, month(birth)), TODAY)
    assert result.age == int(years) * 12 + int(months)
    assert str(result.month) == retires


@pytest.mark.parametrize(
    ("category", "rows", "last"),
    [("male", 141, "1976-09"), ("female_55", 141, "1981-09"), ("female_50", 119, "1984-11")],
)
def test_the_whole_table_has_no_gap_and_ends_with_the_full_delay(category: str, rows: int, last: str) -> None:
    listed = list(table(category))
    assert len(listed) == rows
    assert str(listed[-1][0]) == last
    rule = RULES[category]
    counts = [sum(1 for _, age, _ in listed if age == rule.old_age + later) for later in range(1, rule.most)]
    assert set(counts) == {rule.every}  # every age stands for the same number of birth months


@pytest.mark.parametrize(
    ("year", "months"),
    [(2024, 180), (2025, 180), (2029, 180), (2030, 186), (2031, 192), (2032, 198), (2033, 204), (2034, 210), (2035, 216), (2036, 222),
     (2037, 228), (2038, 234), (2039, 240), (2040, 240), (2070, 240)],
)  # fmt: skip
def test_least_years_of_contribution(year: int, months: int) -> None:
    assert least_paid(year) == months


births = st.builds(Month, st.integers(1930, 2020), st.integers(1, 12))
categories = st.sampled_from(sorted(RULES))


@given(categories, births)
def test_who_is_born_later_does_not_retire_earlier(category: str, birth: Month) -> None:
    assert statutory(category, birth) < statutory(category, birth.plus(1))
    assert 0 <= delay(category, birth.plus(1)) - delay(category, birth) <= 1


@given(categories, births)
def test_the_choice_lies_within_three_years_and_not_below_the_old_age(category: str, birth: Month) -> None:
    result = retire(RetirementInputs(category, birth), TODAY)
    assert result.old_month <= result.month
    if result.earliest is not None:
        assert result.old_month <= result.earliest <= result.month
        assert result.month.index - result.earliest.index <= 36
    if result.latest is not None:
        assert result.latest.index - result.month.index == 36
    assert (result.latest is None) == (result.month < Month(2025, 1))
    assert len(result.to_answer_text()) <= 260


def test_flexible_early_is_cut_at_the_old_age_for_women_of_50() -> None:
    full = retire(RetirementInputs("female_50", Month(1990, 1)), TODAY)  # five years later than before
    assert (str(full.month), str(full.earliest), str(full.latest)) == ("2045-01", "2042-01", "2048-01")
    part = retire(RetirementInputs("female_50", Month(1976, 3)), TODAY)
    assert (str(part.earliest), str(part.old_month)) == ("2026-03", "2026-03")


@pytest.mark.parametrize(
    ("paid", "words"),
    [
        (None, "要缴满15年。"),
        ("15年", "已缴15年，够了。"),
        ("13年2个月", "一直缴下去到时有15年，够。"),
        ("13年1个月", "就算一直缴到时也差1个月"),
        ("10年", "差3年2个月"),
    ],
)
def test_contributions_so_far(paid: str | None, words: str) -> None:
    """22 months from now to September 2028, and 15 years are asked for."""
    result = CALCULATORS["retirement"].compute({"category": "male", "birth": "1967-12", "paid": paid}, today=TODAY)
    assert result.figures()["month"] == "2028-09"
    assert words in result.points[-1]


def test_who_has_reached_the_age() -> None:
    assert (
        retire(RetirementInputs("female_50", Month(1976, 3)), TODAY).headline
        == "已到法定退休年龄：2026年11月，50岁8个月。"
    )
    assert (
        retire(RetirementInputs("female_50", Month(1976, 4)), TODAY).headline == "法定退休时间：2026年12月，50岁8个月。"
    )


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"category": "male", "birth": "2026-12"}, "今天之后"),
        ({"category": "male", "birth": "1911-01"}, "早于"),
        ({"category": "male", "birth": "2000-01", "paid": "30年"}, "还长"),
        ({"category": "male", "birth": "1976-13"}, "没看懂"),
        ({"category": "女", "birth": "1976-03"}, "请选一个"),
        ({"category": "male"}, "出生年月"),
        ({"category": "male", "birth": "1976-03", "colour": "red"}, "没有“colour”"),
    ],
)
def test_nonsense_is_refused_in_plain_words(inputs: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        CALCULATORS["retirement"].compute(inputs, today=TODAY)


def test_nothing_past_is_offered() -> None:
    def points(birth: str) -> str:
        return "".join(retire(RetirementInputs("male", month(birth)), TODAY).points)

    assert "弹性" not in points("1960-01")  # retired under the old rules
    assert "最晚2028年5月" in points("1965-04") and "提前" not in points("1965-04")  # retired in May 2025
    assert "现在就可以申请" in points("1966-11")  # 60 this month, 60 years and 6 months in May 2027
    assert "最早2027年1月" in points("1967-01")


def test_the_answer_begins_with_the_figure() -> None:
    result = retire(RetirementInputs("male", Month(1970, 1), Decimal(200)), TODAY)
    text = result.to_answer_text()
    assert text.startswith("法定退休时间：2031年5月，61岁4个月。")
    assert "2030年1月" in text and "2034年5月" in text and "16年" in text
    assert all(source.title for source in result.sources)
