"""Income tax against figures worked out by hand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import InvalidInput
from index.calculators import CALCULATORS, Result
from index.calculators.form import ANSWER_LENGTH
from index.calculators.income_tax import ANNUAL, MONTHLY, annual_tax, bonus_tax

TODAY = date(2026, 11, 21)
D = Decimal


def compute(calculator: str, **inputs: object) -> Result:
    return CALCULATORS[calculator].compute(inputs, today=TODAY)


@pytest.mark.parametrize(
    ("taxable", "tax"),
    [("-5", "0.00"), ("0", "0.00"), ("1", "0.03"), ("36000", "1080.00"), ("36001", "1080.10"), ("100000", "7480.00"), ("144000", "11880.00"),
     ("144001", "11880.20"), ("300000", "43080.00"), ("300001", "43080.25"), ("420000", "73080.00"), ("660000", "145080.00"),
     ("960000", "250080.00"), ("1000000", "268080.00"), ("0.17", "0.01"), ("0.16", "0.00")],
)  # fmt: skip
def test_tax_of_a_year(taxable: str, tax: str) -> None:
    assert annual_tax(D(taxable)) == D(tax)


def test_the_quick_deductions_make_the_tables_continuous() -> None:
    for table in (ANNUAL, MONTHLY):
        for lower, upper in pairwise(table):
            assert lower.up_to is not None
            assert lower.up_to * lower.percent / 100 - lower.quick == lower.up_to * upper.percent / 100 - upper.quick


@pytest.mark.parametrize(
    ("bonus", "tax"),
    [("36000", "1080.00"), ("36001", "3390.10"), ("50000", "4790.00"), ("144000", "14190.00"), ("144001", "27390.20"), ("300000", "58590.00"),
     ("420000", "102340.00"), ("660000", "193590.00"), ("960000", "328840.00"), ("960001", "416840.45")],
)  # fmt: skip
def test_a_bonus_by_itself(bonus: str, tax: str) -> None:
    assert bonus_tax(D(bonus)) == D(tax)


@pytest.mark.parametrize(
    ("wage", "social", "additional", "january", "december", "total"),
    [
        ("5000", "0", "0", "0.00", "0.00", "0.00"),
        ("5001", "0", "0", "0.03", "0.03", "0.36"),
        ("8000", "0", "0", "90.00", "90.00", "1080.00"),
        # 10,000 a month: 3 % to 36,000, then 10 %: 120,000 × 10 % − 2,520
        ("15000", "0", "0", "300.00", "1000.00", "9480.00"),
        ("15000", "2000", "3000", "150.00", "500.00", "3480.00"),
        ("10000", "6000", "0", "0.00", "0.00", "0.00"),
        # 45,000 a month: 540,000 × 30 % − 52,920
        ("50000", "0", "0", "1980.00", "13500.00", "109080.00"),
    ],
)
def test_withholding(wage: str, social: str, additional: str, january: str, december: str, total: str) -> None:
    figures = compute("monthly_tax", wage=wage, social=social, additional=additional).figures()
    assert len(figures["months"]) == 12
    assert (figures["months"][0], figures["months"][11], figures["total"]) == (january, december, total)


def test_withholding_month_by_month() -> None:
    """10,000 taxable a month: three months at 3 %, the fourth crosses 36,000, then 10 %."""
    months = compute("monthly_tax", wage="15000", social="0", additional="0").figures()["months"]
    assert months == ["300.00", "300.00", "300.00", "580.00", *["1000.00"] * 8]


def test_a_month_can_be_asked_for() -> None:
    assert compute("monthly_tax", wage="一万五", month="4").headline == "4月预扣个税580元。"


@given(st.integers(0, 300_000), st.integers(0, 20_000), st.integers(0, 5_000))
def test_withheld_in_a_year_is_the_tax_of_the_year(wage: int, social: int, additional: int) -> None:
    social = min(social, wage)
    figures = compute("monthly_tax", wage=wage, social=social, additional=additional).figures()
    assert D(figures["total"]) == annual_tax(D(wage - social - additional - 5000) * 12)
    assert figures["months"] == sorted(figures["months"], key=D)


@given(st.integers(0, 500_000), st.integers(0, 500_000))
def test_who_earns_more_keeps_more(one: int, other: int) -> None:
    low, high = sorted((one, other))
    net = [D(compute("monthly_tax", wage=wage).figures()["net"]) for wage in (low, high)]
    assert net[0] <= net[1]


@given(st.decimals(0, 5_000_000, places=2), st.decimals(0, 5_000_000, places=2))
def test_the_net_of_a_year_never_falls(one: Decimal, other: Decimal) -> None:
    low, high = sorted((one, other))
    assert low - annual_tax(low) <= high - annual_tax(high)


@pytest.mark.parametrize(
    ("bonus", "wage", "separate", "wages", "merged", "better"),
    [
        # wages 60,000 taxable: 3,480; together 96,000: 7,080
        ("36000", "10000", "1080.00", "3480.00", "7080.00", "separate"),
        # no tax on wages of 3,000: 24,000 below the 60,000, together 36,000 - 24,000 = 12,000 at 3 %
        ("36000", "3000", "1080.00", "0.00", "360.00", "merged"),
        ("20000", "3000", "600.00", "0.00", "0.00", "merged"),
        ("36000", "5000", "1080.00", "0.00", "1080.00", "same"),
    ],
)
def test_a_bonus_two_ways(bonus: str, wage: str, separate: str, wages: str, merged: str, better: str) -> None:
    figures = compute("bonus_tax", bonus=bonus, wage=wage).figures()
    assert figures == {"separate": separate, "wages": wages, "merged": merged, "better": better}


def test_a_bonus_alone_and_just_above_a_rate() -> None:
    assert compute("bonus_tax", bonus="3.6万").headline == "年终奖单独计税，扣1080元，到手34920元。"
    assert any("发36000元反而" in one for one in compute("bonus_tax", bonus="36001").caveats)
    assert not any("反而" in one for one in compute("bonus_tax", bonus="36000").caveats)
    # 38,566.67: where the net is that of 36,000 again
    assert any("反而" in one for one in compute("bonus_tax", bonus="38566").caveats)
    assert not any("反而" in one for one in compute("bonus_tax", bonus="38567").caveats)


@pytest.mark.parametrize(
    ("inputs", "tax", "balance", "relieved", "words"),
    [
        ({"wages": "100000", "withheld": "3000"}, "1480.00", "-1520.00", False, "可退税1520元"),
        # exactly 120,000: 60,000 taxable, 3,480; owed 3,480, but relieved by the income
        ({"wages": "120000", "withheld": "0"}, "3480.00", "3480.00", True, "不用补"),
        ({"wages": "120001", "withheld": "0"}, "3480.10", "3480.10", False, "应补税3480.10元"),
        ({"wages": "200000", "withheld": "11080"}, "11480.00", "400.00", True, "不用补"),
        ({"wages": "200000", "withheld": "11079.99"}, "11480.00", "400.01", False, "应补税400.01元"),
        ({"wages": "200000", "withheld": "11480"}, "11480.00", "0.00", False, "不用补也没有退税"),
        ({"wages": "200000"}, "11480.00", None, False, "全年应缴个税11480元"),
        ({"wages": "50000"}, "0.00", None, False, "不用缴个税"),
        # services 10,000 × 80 %, writing 10,000 × 56 %
        ({"wages": "100000", "labour": "10000", "writing": "10000"}, "2840.00", None, False, "2840元"),
        (
            {"wages": "200000", "social": "24000", "additional": "36000", "other": "12000"},
            "4280.00",
            None,
            False,
            "4280元",
        ),
    ],
)
def test_the_settlement(inputs: dict[str, str], tax: str, balance: str | None, relieved: bool, words: str) -> None:
    result = compute("annual_tax", **inputs)
    figures = result.figures()
    assert (figures["tax"], figures["balance"], figures["relieved"]) == (tax, balance, relieved)
    assert words in result.headline and result.headline.startswith("2025年") is not relieved


def test_the_relief_ends_with_2027() -> None:
    calculator = CALCULATORS["annual_tax"]
    for year, relieved in ((2027, True), (2028, False)):
        figures = calculator.compute(
            {"wages": "110000", "withheld": "0", "year": year}, today=date(2029, 1, 1)
        ).figures()
        assert figures["relieved"] is relieved


@pytest.mark.parametrize(
    ("calculator", "inputs", "words"),
    [
        ("monthly_tax", {"wage": "5000", "social": "6000"}, "比工资还多"),
        ("monthly_tax", {"wage": "5000", "month": "13"}, "不会超过12月"),
        ("monthly_tax", {"wage": "5000", "month": "0"}, "不能小于1月"),
        ("monthly_tax", {"wage": "七八千"}, "没看懂"),
        ("bonus_tax", {"bonus": "0"}, "大于 0"),
        ("annual_tax", {"wages": "5万", "year": "2018"}, "不能小于|2019"),
        ("annual_tax", {"wages": "5万", "year": "2030"}, "2019到2026"),
        ("annual_tax", {"wages": "5万", "social": "6万"}, "比全年收入还多"),
        ("annual_tax", {}, "全年税前工资"),
    ],
)
def test_nonsense_is_refused_in_plain_words(calculator: str, inputs: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        compute(calculator, **inputs)


@given(st.decimals(0, 100_000_000, places=2), st.booleans(), st.booleans())
def test_every_answer_fits_on_a_phone(amount: Decimal, told: bool, other: bool) -> None:
    results = [
        compute("monthly_tax", wage=amount, **({"social": "0"} if told else {}), **({"month": 7} if other else {}))
    ]
    results.append(
        compute(
            "annual_tax",
            wages=amount,
            **({"withheld": "1234.56"} if told else {}),
            **({"labour": amount} if other else {}),
        )
    )
    if amount:
        results.append(compute("bonus_tax", bonus=amount, **({"wage": amount} if told else {})))
    for result in results:
        text = result.to_answer_text()
        assert len(text) <= ANSWER_LENGTH and text.startswith(result.headline) and result.caveats[0] in text
        assert result.steps and result.sources and "E+" not in text + "".join(result.steps)
