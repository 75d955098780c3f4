"""Income tax of a resident on wages: monthly withholding, the bonus at the year's end, and the annual settlement.

Source: 个人所得税法 第二条, 第三条 and the first rate table (综合所得), 第六条 (60,000 yuan and the deductions), 第十一条; the cumulative
withholding of 国家税务总局公告2018年第61号; the bonus taxed by itself until 2027-12-31: 财税〔2018〕164号, prolonged by 财政部 税务总局公告
2023年第30号; nothing to settle up to 120,000 yuan a year or 400 yuan owed, 2024 to 2027: 财政部 税务总局公告2023年第32号.
Amounts are rounded to the fen, half up, wherever tax is worked out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from bot.errors import InvalidInput
from bot.replies import Source
from index.calculators.form import Calculator, Field, Result, to_fen, yuan

LAW = "中华人民共和国个人所得税法"
WITHHOLDING = Source(
    title="国家税务总局关于发布《个人所得税扣缴申报管理办法（试行）》的公告",
    doc_no="国家税务总局公告2018年第61号",
    clause="第六条",
)
BONUS_RULE = Source(
    title="财政部 税务总局关于个人所得税法修改后有关优惠政策衔接问题的通知",
    doc_no="财税〔2018〕164号",
    clause="第一条",
)
BONUS_PROLONGED = Source(
    title="关于延续实施全年一次性奖金个人所得税政策的公告", doc_no="财政部 税务总局公告2023年第30号"
)
SETTLEMENT_RULE = Source(
    title="关于延续实施个人所得税综合所得汇算清缴有关政策的公告", doc_no="财政部 税务总局公告2023年第32号"
)

BASIC = Decimal(60_000)
"""Free of tax, yuan a year (个人所得税法 第六条); a twelfth of it a month."""

NO_SETTLEMENT_INCOME = Decimal(120_000)
NO_SETTLEMENT_OWED = Decimal(400)
LAST_RELIEF_YEAR = 2027
"""Last tax year of the separate bonus and of the relief from settling."""


@dataclass(frozen=True)
class Bracket:
    """One rate: up to so much yuan of taxable income, percent, quick deduction."""

    up_to: Decimal | None
    percent: int
    quick: Decimal


def _brackets(*rows: tuple[int | None, int, int]) -> tuple[Bracket, ...]:
    return tuple(
        Bracket(None if top is None else Decimal(top), percent, Decimal(quick)) for top, percent, quick in rows
    )


ANNUAL = _brackets(
    (36_000, 3, 0),
    (144_000, 10, 2_520),
    (300_000, 20, 16_920),
    (420_000, 25, 31_920),
    (660_000, 30, 52_920),
    (960_000, 35, 85_920),
    (None, 45, 181_920),
)
"""The rates of the year's income, and of cumulative withholding."""

MONTHLY = _brackets(
    (3_000, 3, 0),
    (12_000, 10, 210),
    (25_000, 20, 1_410),
    (35_000, 25, 2_660),
    (55_000, 30, 4_410),
    (80_000, 35, 7_160),
    (None, 45, 15_160),
)
"""The same by the month, for a bonus taxed by itself."""


def bracket(taxable: Decimal, table: tuple[Bracket, ...]) -> Bracket:
    """The row of a table for a taxable income."""
    return next(row for row in table if row.up_to is None or taxable <= row.up_to)


def annual_tax(taxable: Decimal) -> Decimal:
    """Tax on a year's taxable income, yuan."""
    if taxable <= 0:
        return Decimal("0.00")
    row = bracket(taxable, ANNUAL)
    return to_fen(taxable * row.percent / 100 - row.quick)


def bonus_tax(bonus: Decimal) -> Decimal:
    """Tax on a bonus by itself: the rate is that of a twelfth of it in the monthly table (财税〔2018〕164号 第一条)."""
    if bonus <= 0:
        return Decimal("0.00")
    row = bracket(bonus / 12, MONTHLY)
    return to_fen(bonus * row.percent / 100 - row.quick)


# --- month by month --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MonthlyTaxInputs:
    """A wage that stays the same all year, at one employer from January on.

    Attributes:
        wage: before tax and contributions, yuan a month.
        social: the employee's own contributions to social insurance and housing fund, yuan a month, if told.
        additional: additional special deductions (专项附加扣除), yuan a month, if told.
        other: other deductions by law (年金, 个人养老金…), yuan a month.
        month: the month asked about, 1 to 12, if told.
    """

    wage: Decimal
    social: Decimal | None = None
    additional: Decimal | None = None
    other: Decimal = Decimal(0)
    month: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class MonthlyTax(Result):
    """What is withheld.

    Attributes:
        months: withheld in January to December, yuan.
        total: in the year, yuan.
        net: paid out in the year after tax and contributions, yuan.
    """

    months: tuple[Decimal, ...]
    total: Decimal
    net: Decimal


def monthly_tax(inputs: MonthlyTaxInputs, today: date) -> MonthlyTax:
    """What an employer withholds each month (累计预扣法).

    Raises:
        InvalidInput: contributions above the wage.
    """
    social = inputs.social or Decimal(0)
    additional = inputs.additional or Decimal(0)
    if social > inputs.wage:
        raise InvalidInput("五险一金个人缴费比工资还多，请再看一下。")
    per_month = inputs.wage - BASIC / 12 - social - additional - inputs.other
    months: list[Decimal] = []
    steps = [
        f"每月计税部分：{yuan(inputs.wage)}－5000元－五险一金{yuan(social)}－专项附加扣除{yuan(additional)}－其他扣除{yuan(inputs.other)}"
        f"＝{yuan(max(per_month, Decimal(0)))}。"
    ]
    paid = Decimal(0)
    for count in range(1, 13):
        taxable = max(per_month * count, Decimal(0))
        due = annual_tax(taxable)
        withheld = max(due - paid, Decimal("0.00"))
        months.append(withheld)
        paid += withheld
        if taxable:
            row = bracket(taxable, ANNUAL)
            steps.append(
                f"{count}月：累计{yuan(taxable)}×{row.percent}%－{yuan(row.quick)}－已扣{yuan(paid - withheld)}＝{yuan(withheld)}。"
            )
    total = sum(months, Decimal("0.00"))
    if inputs.month is not None:
        asked = int(inputs.month)
        headline = f"{asked}月预扣个税{yuan(months[asked - 1])}。"
        points = [f"全年一共扣{yuan(total)}。"]
    elif total == 0:
        headline, points = "不用缴个税。", ["每月减去5000元和各项扣除后没有余额。"]
    elif months[0] == months[-1]:
        headline, points = f"每月预扣个税{yuan(months[0])}，全年{yuan(total)}。", []
    else:
        headline = f"全年一共扣个税{yuan(total)}，1月{yuan(months[0])}，12月{yuan(months[-1])}。"
        points = ["按全年累计算，越往后税率可能越高，所以每月扣得不一样。"]
    rate = bracket(max(per_month * 12, Decimal(0)), ANNUAL).percent
    if total:
        points.append(f"全年应纳税所得额{yuan(per_month * 12)}，最高适用税率{rate}%。")
    caveats = []
    if total and inputs.social is None:
        caveats.append("没有算五险一金个人缴费，减去后税会更少。")
    if total and inputs.additional is None:
        caveats.append("没有算专项附加扣除（子女、老人、房贷、房租等）。")
    caveats.append("按1月到12月工资不变、在一家单位算；年中入职或多处收入，年度汇算多退少补。")
    return MonthlyTax(
        headline=headline,
        points=tuple(points),
        steps=tuple(steps),
        sources=(Source(title=LAW, clause="第三条、第六条、附个人所得税税率表一"), WITHHOLDING),
        caveats=tuple(caveats),
        months=tuple(months),
        total=total,
        net=to_fen((inputs.wage - social) * 12 - total),
    )


# --- the bonus -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BonusInputs:
    """A bonus at the year's end.

    Attributes:
        bonus: yuan.
        wage: yuan a month without the bonus, if told.
        social: own contributions, yuan a month, if told.
        additional: additional special deductions, yuan a month, if told.
    """

    bonus: Decimal
    wage: Decimal | None = None
    social: Decimal | None = None
    additional: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class BonusTax(Result):
    """Two ways to tax it.

    Attributes:
        separate: tax on the bonus by itself, yuan.
        wages: tax on the year's wages without it, yuan; None if the wage is not told.
        merged: tax on wages and bonus together, yuan; None if the wage is not told.
        better: ``separate``, ``merged`` or ``same``; None if the wage is not told.
    """

    separate: Decimal
    wages: Decimal | None
    merged: Decimal | None
    better: str | None


def bonus(inputs: BonusInputs, today: date) -> BonusTax:
    """Tax on a bonus by itself, and together with the wages.

    Raises:
        InvalidInput: no bonus, or contributions above the wage.
    """
    if inputs.bonus <= 0:
        raise InvalidInput("年终奖要大于 0。")
    separate = bonus_tax(inputs.bonus)
    row = bracket(inputs.bonus / 12, MONTHLY)
    steps = [
        f"单独计税：{yuan(inputs.bonus)}÷12＝{yuan(inputs.bonus / 12)}，税率{row.percent}%，"
        f"{yuan(inputs.bonus)}×{row.percent}%－{yuan(row.quick)}＝{yuan(separate)}。"
    ]
    points: list[str] = []
    wages = merged = better = None
    if inputs.wage is None:
        headline = f"年终奖单独计税，扣{yuan(separate)}，到手{yuan(inputs.bonus - separate)}。"
        points.append("也可以并入全年工资一起算，哪种少交用哪种；告诉我月薪能帮您比较。")
    else:
        social, additional = inputs.social or Decimal(0), inputs.additional or Decimal(0)
        if social > inputs.wage:
            raise InvalidInput("五险一金个人缴费比工资还多，请再看一下。")
        taxable = (inputs.wage - social - additional) * 12 - BASIC
        wages, merged = annual_tax(taxable), annual_tax(taxable + inputs.bonus)
        apart = wages + separate
        steps += [
            f"工资全年应纳税所得额{yuan(max(taxable, Decimal(0)))}，税{yuan(wages)}；加年终奖单独的{yuan(separate)}，共{yuan(apart)}。",
            f"并入综合所得：应纳税所得额{yuan(max(taxable + inputs.bonus, Decimal(0)))}，税{yuan(merged)}。",
        ]
        better = "same" if apart == merged else "separate" if apart < merged else "merged"
        if better == "same":
            headline = f"两种算法一样，全年共{yuan(merged)}。"
        else:
            name = "单独计税" if better == "separate" else "并入全年工资"
            headline = f"{name}更省，全年共{yuan(min(apart, merged))}，少交{yuan(abs(apart - merged))}。"
        points += [
            f"单独计税：年终奖税{yuan(separate)}，加工资的税共{yuan(apart)}。",
            f"并入全年工资：共{yuan(merged)}。",
        ]
    caveats = []
    if (less := _worth_less(inputs.bonus)) is not None:
        caveats.append(f"这个数正好过了税率档：单独计税时发{yuan(less)}反而到手更多。")
    if inputs.wage is not None and (inputs.social is None or inputs.additional is None):
        caveats.append("没告诉我的五险一金、专项附加扣除按0算。")
    caveats.append("单独计税一年只能用一次，政策到2027年12月31日。")
    return BonusTax(
        headline=headline,
        points=tuple(points),
        steps=tuple(steps),
        sources=(BONUS_RULE, BONUS_PROLONGED, Source(title=LAW, clause="第三条、第六条")),
        caveats=tuple(caveats),
        separate=separate,
        wages=wages,
        merged=merged,
        better=better,
    )


def _worth_less(amount: Decimal) -> Decimal | None:
    """The highest amount of the rate below, where it leaves more after tax than this bonus does."""
    for row in MONTHLY:
        if (
            row.up_to is not None
            and amount > row.up_to * 12
            and row.up_to * 12 - bonus_tax(row.up_to * 12) > amount - bonus_tax(amount)
        ):
            return row.up_to * 12
    return None


# --- the year --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AnnualTaxInputs:
    """A year's income.

    Attributes:
        wages: the year's wages before tax, bonuses that are merged included, yuan.
        labour: remuneration for services (劳务报酬) before tax, yuan.
        writing: author's pay (稿酬), yuan.
        royalties: 特许权使用费, yuan.
        social: own contributions in the year, yuan, if told.
        additional: additional special deductions of the year, yuan, if told.
        other: other deductions by law, yuan.
        withheld: tax already withheld in the year, yuan, if told.
        year: the tax year; the one before this year by default.
    """

    wages: Decimal
    labour: Decimal = Decimal(0)
    writing: Decimal = Decimal(0)
    royalties: Decimal = Decimal(0)
    social: Decimal | None = None
    additional: Decimal | None = None
    other: Decimal = Decimal(0)
    withheld: Decimal | None = None
    year: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class AnnualTax(Result):
    """The year's tax.

    Attributes:
        taxable: yuan.
        percent: highest rate that applies.
        tax: yuan.
        balance: tax less what was withheld, yuan: above 0 owed, below 0 to be refunded; None if not told.
        relieved: whether what is owed need not be paid.
    """

    taxable: Decimal
    percent: int
    tax: Decimal
    balance: Decimal | None
    relieved: bool


def settlement(inputs: AnnualTaxInputs, today: date) -> AnnualTax:
    """The tax of a year on 综合所得, and what is refunded or owed (个人所得税法 第六条, 第十一条; 实施条例 on the income of services).

    Services, royalties count 80 %, author's pay 56 %.

    Raises:
        InvalidInput: no income, contributions above it, or a year without these rules.
    """
    year = int(inputs.year) if inputs.year is not None else today.year - 1
    if not 2019 <= year <= today.year:
        raise InvalidInput(f"纳税年度请填2019到{today.year}之间的年份。")
    gross = inputs.wages + inputs.labour + inputs.writing + inputs.royalties
    social, additional = inputs.social or Decimal(0), inputs.additional or Decimal(0)
    if social > gross:
        raise InvalidInput("五险一金个人缴费比全年收入还多，请再看一下。")
    income = inputs.wages + (inputs.labour + inputs.royalties) * 80 / 100 + inputs.writing * 56 / 100
    taxable = max(income - BASIC - social - additional - inputs.other, Decimal(0))
    row = bracket(taxable, ANNUAL)
    tax = annual_tax(taxable)
    steps = []
    if income != inputs.wages:
        steps.append(
            f"收入额：工资{yuan(inputs.wages)}＋劳务、特许权{yuan(inputs.labour + inputs.royalties)}×80%＋稿酬{yuan(inputs.writing)}×56%＝{yuan(income)}。"
        )
    steps += [
        f"应纳税所得额：{yuan(income)}－60000元－专项扣除{yuan(social)}－专项附加扣除{yuan(additional)}－其他{yuan(inputs.other)}＝{yuan(taxable)}。",
        f"税额：{yuan(taxable)}×{row.percent}%－{yuan(row.quick)}＝{yuan(tax)}。",
    ]
    points = [f"应纳税所得额{yuan(taxable)}，" + (f"最高适用税率{row.percent}%。" if taxable else "不用缴税。")]
    balance, relieved = None, False
    headline = f"{year}年全年应缴个税{yuan(tax)}。" if tax else f"{year}年全年不用缴个税。"
    sources = [Source(title=LAW, clause="第三条、第六条、附个人所得税税率表一"), Source(title=LAW, clause="第十一条")]
    if inputs.withheld is not None:
        balance = tax - inputs.withheld
        steps.append(f"应缴{yuan(tax)}－已预缴{yuan(inputs.withheld)}＝{yuan(balance)}。")
        small = gross <= NO_SETTLEMENT_INCOME or balance <= NO_SETTLEMENT_OWED
        relieved = balance > 0 and small and year <= LAST_RELIEF_YEAR
        headline, what_to_do = _say_balance(year, balance, relieved)
        points = [f"全年应缴{yuan(tax)}，已预缴{yuan(inputs.withheld)}。", *points, *what_to_do]
        if relieved:
            sources.append(SETTLEMENT_RULE)
    caveats = []
    if tax and (inputs.social is None or inputs.additional is None):
        caveats.append("没告诉我的五险一金、专项附加扣除按0算，算上后税会更少。")
    if relieved:
        caveats.append("单位没有依法预扣的，不能免。")
    caveats.append("单独计税的年终奖不算在内。")
    return AnnualTax(
        headline=headline,
        points=tuple(points),
        steps=tuple(steps),
        sources=tuple(sources),
        caveats=tuple(caveats),
        taxable=to_fen(taxable),
        percent=row.percent if taxable else 0,
        tax=tax,
        balance=balance,
        relieved=relieved,
    )


def _say_balance(year: int, balance: Decimal, relieved: bool) -> tuple[str, list[str]]:
    """The headline of a year's settlement, and what there is to do."""
    if balance < 0:
        return f"{year}年度汇算可退税{yuan(-balance)}。", ["要在次年3月1日到6月30日办汇算申请退税，可用个人所得税APP。"]
    if balance == 0:
        return f"{year}年度汇算不用补也没有退税。", []
    if relieved:
        headline = f"算下来应补{yuan(balance)}，但符合免予汇算的条件，不用补。"
        return headline, ["条件：全年综合所得收入不超过12万元，或补税不超过400元。"]
    return f"{year}年度汇算应补税{yuan(balance)}。", ["要在次年3月1日到6月30日办汇算补税。"]


_MOST = Decimal(1_000_000_000)


def _money(
    name: str, label: str, question: str, *, optional: bool = False, ask: bool = False, default: str | None = None
) -> Field:
    return Field(
        name=name,
        label=label,
        question=question,
        kind="money",
        optional=optional,
        ask=ask,
        default=default,
        unit="元",
        most=_MOST,
    )


_SOCIAL = _money(
    "social",
    "五险一金个人每月缴费",
    "每月工资里扣的五险一金（个人部分）是多少？不清楚就说“不知道”。",
    optional=True,
    ask=True,
)
_ADDITIONAL = _money(
    "additional",
    "专项附加扣除（每月）",
    "每月专项附加扣除一共多少？（如每个孩子2000元、赡养老人最多3000元、房贷1000元）没有就说“没有”。",
    optional=True,
    ask=True,
)

MONTHLY_TAX = Calculator(
    id="monthly_tax",
    title="每月工资个税",
    matter="个税起征与计算",
    rests_on=(LAW, WITHHOLDING.title),
    fields=(
        _money("wage", "税前月工资", "每月税前工资是多少？"),
        _SOCIAL,
        _ADDITIONAL,
        _money("other", "其他扣除（每月）", "每月有年金、个人养老金等其他扣除吗？没有就说“没有”。", optional=True, default="0"),
        Field(
            name="month", label="月份", question="想知道哪个月的？", kind="number", optional=True, unit="月", least=Decimal(1),
            most=Decimal(12), whole=True,
        ),
    ),
    inputs=MonthlyTaxInputs,
    formula=monthly_tax,
)  # fmt: skip

BONUS_TAX = Calculator(
    id="bonus_tax",
    title="年终奖个税",
    matter="个税起征与计算",
    rests_on=(LAW, BONUS_RULE.title, BONUS_PROLONGED.title),
    fields=(
        _money("bonus", "年终奖", "年终奖是多少？"),
        _money("wage", "税前月工资", "平时每月税前工资多少？不想比较就说“跳过”。", optional=True, ask=True),
        _money("social", "五险一金个人每月缴费", "每月扣的五险一金（个人部分）是多少？", optional=True),
        _money("additional", "专项附加扣除（每月）", "每月专项附加扣除一共多少？", optional=True),
    ),
    inputs=BonusInputs,
    formula=bonus,
)

ANNUAL_TAX = Calculator(
    id="annual_tax",
    title="全年个税与汇算清缴",
    matter="个税汇算清缴",
    rests_on=(LAW, SETTLEMENT_RULE.title),
    fields=(
        _money("wages", "全年工资", "全年税前工资一共多少？"),
        _money("labour", "全年劳务报酬", "全年劳务报酬多少？没有就说“没有”。", optional=True, default="0"),
        _money("writing", "全年稿酬", "全年稿酬多少？没有就说“没有”。", optional=True, default="0"),
        _money("royalties", "全年特许权使用费", "全年特许权使用费多少？没有就说“没有”。", optional=True, default="0"),
        _money("social", "全年五险一金个人缴费", "全年扣的五险一金（个人部分）一共多少？不清楚就说“不知道”。", optional=True, ask=True),
        _money("additional", "全年专项附加扣除", "全年专项附加扣除一共多少？没有就说“没有”。", optional=True, ask=True),
        _money("other", "全年其他扣除", "全年有年金、个人养老金等其他扣除吗？", optional=True, default="0"),
        _money("withheld", "已预缴税额", "全年单位已经扣了多少个税？不清楚就说“不知道”。", optional=True, ask=True),
        Field(name="year", label="纳税年度", question="哪一年的？", kind="number", optional=True, unit="年", least=Decimal(2019), most=Decimal(2100), whole=True),
    ),
    inputs=AnnualTaxInputs,
    formula=settlement,
)  # fmt: skip
