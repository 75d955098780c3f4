"""Numbers and figures in Chinese text."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.calculators.numbers import number
from index.figures import Figure, figures

_ONES = "零一二三四五六七八九"


def spelt(value: int) -> str:
    """A number below 10,000 in full Chinese digits."""
    if value == 0:
        return "零"
    parts, gap = "", False
    for place, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = value // place % 10
        if digit:
            parts += ("零" if gap and parts else "") + _ONES[digit] + name
            gap = False
        else:
            gap = True
    return parts


@given(st.integers(0, 9999))
def test_chinese_digits_are_read_as_they_are_spelt(value: int) -> None:
    assert number(spelt(value)) == value


@given(st.integers(1, 9999), st.integers(0, 9999))
def test_ten_thousands(high: int, low: int) -> None:
    tail = "" if low == 0 else ("零" if low < 1000 else "") + spelt(low)
    assert number(f"{spelt(high)}万{tail}") == high * 10_000 + low


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3.5", "3.5"), ("1.2万", "12000"), ("八千五", "8500"), ("一万二", "12000"), ("三百五", "350"), ("十五", "15"),
        ("两千", "2000"), ("一百零五", "105"), ("2千", "2000"), ("十", "10"), ("一万零五百", "10500"), ("一亿二", "120000000"),
    ],
)  # fmt: skip
def test_numbers_as_people_write_them(text: str, value: str) -> None:
    assert number(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "很多", "第三", "12a", "万分感谢"])
def test_what_is_no_number(text: str) -> None:
    assert number(text) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("年满十六周岁，30日内", "16岁 30日"),
        ("15个工作日；三十日", "15工作日 30日"),
        ("百分之二百，即200%", "200%"),
        ("半年以上不足一年", "6月 1年"),
        ("每月3,600元", "3600元"),
        ("自2026年1月1日起，第四十五条第（二）项，国发〔2019〕28号，拨12345", ""),
        ("一次性付清", ""),
        ("1.5倍", "1.5倍"),
    ],
)
def test_figures(text: str, found: str) -> None:
    assert {str(figure) for figure in figures(text)} == set(found.split())


def test_the_same_figure_in_two_scripts_is_one() -> None:
    assert figures("二十四个月") == figures("24个月") == {Figure(Decimal(24), "月")}
