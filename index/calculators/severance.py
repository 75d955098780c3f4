"""Severance pay (经济补偿, N), with a month's wage in place of notice (N+1), and damages for unlawful dismissal (2N).

Source: 劳动合同法 第四十六条 (when), 第四十七条 (how much; cap of three times the local average wage and twelve years), 第四十条 (N+1), 第八十七条 (2N),
第三十七条 and 第三十九条 (when none); 劳动合同法实施条例 第二十条 (the extra month is the last month's wage), 第二十七条 (which wage).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from bot.errors import InvalidInput
from bot.replies import Source
from index.calculators.form import Calculator, Choice, Field, Result, plain, say_length, to_fen, yuan
from index.calculators.reading import Month

LAW = "中华人民共和国劳动合同法"
REGULATION = "中华人民共和国劳动合同法实施条例"
REGULATION_NO = "国务院令第535号"

CAP_TIMES = 3
"""Cap of the monthly wage, in local average wages."""

CAP_YEARS = Decimal(12)
"""Cap of the years, for those above the cap of the wage only."""


@dataclass(frozen=True)
class Reason:
    """Why the contract ended.

    Attributes:
        said: in Chinese, as part of a sentence.
        article: of 劳动合同法.
        pays: ``none``, ``n``, ``n_or_n1`` (one month more without notice), ``2n``.
    """

    said: str
    article: str
    pays: str


REASONS = {
    "negotiated": Reason("单位提出、双方协商解除", "第四十六条第二项", "n"),
    "layoff": Reason("经济性裁员", "第四十六条第四项、第四十一条", "n"),
    "no_fault": Reason("医疗期满、不能胜任或客观情况变化", "第四十条、第四十六条第三项", "n_or_n1"),
    "expired": Reason("合同到期，单位不续签或降低条件续签", "第四十六条第五项", "n"),
    "employer_fault": Reason("单位欠薪、不缴社保等，劳动者被迫离职", "第三十八条、第四十六条第一项", "n"),
    "closed": Reason("单位破产、被吊销或提前解散", "第四十六条第六项", "n"),
    "illegal": Reason("单位违法解除或终止", "第八十七条", "2n"),
    "resigned": Reason("自己辞职", "第三十七条", "none"),
    "fault": Reason("严重违纪等本人过错", "第三十九条", "none"),
    "probation": Reason("试用期被证明不符合录用条件", "第三十九条第一项", "none"),
}
"""By value of the field."""


@dataclass(frozen=True)
class SeveranceInputs:
    """Who asks.

    Attributes:
        service: months with this employer.
        wage: average of the last twelve months, all that was due before tax, yuan a month.
        reason: a key of :data:`REASONS`, if told.
        notice: whether thirty days' written notice was given, if told.
        last_wage: the last month's wage, for N+1; the average, if not told.
        local_average: monthly average wage of the city in the year before, if told.
    """

    service: Decimal
    wage: Decimal
    reason: str | None = None
    notice: bool | None = None
    last_wage: Decimal | None = None
    local_average: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class Severance(Result):
    """How much.

    Attributes:
        years: months' wages that are due (N).
        capped: whether wage and years were cut to the cap.
        base: the monthly wage reckoned with, yuan.
        n: severance pay, yuan.
        n_plus_one: with a month's wage in place of notice, yuan.
        double: damages for unlawful dismissal, yuan.
        due: what the reason gives, yuan; None where the reason or the notice is not told.
    """

    years: Decimal
    capped: bool
    base: Decimal
    n: Decimal
    n_plus_one: Decimal
    double: Decimal
    due: Decimal | None


def months_due(service: Decimal) -> Decimal:
    """N: a month's wage for every full year; from six months a full one more, below half a one (劳动合同法 第四十七条).

    Args:
        service: in months.
    """
    years, rest = divmod(service, 12)
    return years + (Decimal(0) if rest == 0 else Decimal("0.5") if rest < 6 else Decimal(1))


def severance(inputs: SeveranceInputs, today: date) -> Severance:
    """Severance pay, with the month in place of notice, and damages.

    Raises:
        InvalidInput: no service or no wage.
    """
    if inputs.service <= 0:
        raise InvalidInput("在本单位的工作时间要大于 0。")
    if inputs.wage <= 0:
        raise InvalidInput("月平均工资要大于 0。")
    years = months_due(inputs.service)
    steps = [
        f"在本单位工作{say_length(inputs.service)}：每满1年1个月，满6个月不满1年算1个月，不满6个月算半个月，共{plain(years)}个月工资。"
    ]
    base, capped = inputs.wage, False
    if inputs.local_average:
        cap = inputs.local_average * CAP_TIMES
        capped = inputs.wage > cap
        if capped:
            base, years = cap, min(years, CAP_YEARS)
            steps.append(
                f"月工资{yuan(inputs.wage)}高于当地平均工资的3倍（{yuan(cap)}）：基数按{yuan(cap)}，年限最多12年，取{plain(years)}个月。"
            )
        else:
            steps.append(f"月工资{yuan(inputs.wage)}没有超过当地平均工资的3倍（{yuan(cap)}），不封顶。")
    n = to_fen(base * years)
    extra = inputs.wage if inputs.last_wage is None else inputs.last_wage
    n_plus_one = to_fen(n + extra)
    double = to_fen(n * 2)
    steps += [
        f"N：{yuan(base)}×{plain(years)}＝{yuan(n)}。",
        f"N+1：{yuan(n)}＋上个月工资{yuan(extra)}＝{yuan(n_plus_one)}（没提前30天书面通知，且属第四十条的情形）。",
        f"2N：{yuan(n)}×2＝{yuan(double)}（违法解除或终止的赔偿金，不再另付N）。",
    ]
    reason = REASONS[inputs.reason] if inputs.reason else None
    headline, points, due = _outcome(reason, inputs.notice, years, n, n_plus_one, double)
    articles = ("第四十七条", *((reason.article,) if reason else ("第四十六条", "第四十条", "第八十七条")))
    sources = [Source(title=LAW, clause=article) for article in articles]
    sources += [Source(title=REGULATION, doc_no=REGULATION_NO, clause=clause) for clause in ("第二十条", "第二十七条")]

    caveats = []
    if not inputs.local_average:
        caveats.append("月工资超过当地上年度平均工资3倍的，按3倍、最多12年封顶。")
    caveats.append("月工资是离职前12个月应发工资的平均数（含奖金、津贴，税前）。")
    if Month.of(today).plus(-int(inputs.service)) < Month(2008, 1):
        caveats.append("2008年以前的工作年限按当时的规定分段算。")
    return Severance(
        headline=headline,
        points=points,
        steps=tuple(steps),
        sources=tuple(sources),
        caveats=tuple(caveats),
        years=years,
        capped=capped,
        base=to_fen(base),
        n=n,
        n_plus_one=n_plus_one,
        double=double,
        due=due,
    )


def _outcome(
    reason: Reason | None, notice: bool | None, years: Decimal, n: Decimal, n_plus_one: Decimal, double: Decimal
) -> tuple[str, tuple[str, ...], Decimal | None]:
    """The headline, the points, and the amount due, by reason."""
    basic = f"经济补偿（N）：{plain(years)}个月工资，{yuan(n)}"
    illegal = f"属违法解除的，赔偿金（2N）是{yuan(double)}。"
    if reason is None:
        return (
            f"{basic}。",
            (
                f"因医疗期满、不能胜任、客观情况变化被辞，又没提前30天书面通知的，N+1是{yuan(n_plus_one)}。",
                illegal,
                "自己辞职、严重违纪、试用期不合格的，一般没有补偿。",
            ),
            None,
        )
    if reason.pays == "2n":
        return (
            f"违法解除的赔偿金（2N）：{yuan(double)}。",
            (f"是经济补偿{yuan(n)}的2倍，不再另付经济补偿。", "也可以要求继续履行合同。"),
            double,
        )
    if reason.pays == "none":
        return (
            f"{reason.said}的，单位一般不用付经济补偿。",
            (f"如因单位欠薪、不缴社保等被迫离职，可要N：{yuan(n)}。", illegal),
            Decimal("0.00"),
        )
    if reason.pays == "n":
        return f"{basic}。", (f"情形：{reason.said}。", illegal), n
    if notice is None:
        return f"{basic}；没提前30天书面通知的，N+1是{yuan(n_plus_one)}。", (f"情形：{reason.said}。", illegal), None
    if notice:
        return f"{basic}。", (f"情形：{reason.said}；已提前30天书面通知，不另加1个月。", illegal), n
    return (
        f"N+1：{yuan(n_plus_one)}（{plain(years)}个月工资{yuan(n)}，另加1个月）。",
        (f"情形：{reason.said}，没提前30天书面通知。", illegal),
        n_plus_one,
    )


SEVERANCE = Calculator(
    id="severance",
    title="经济补偿金",
    matter="经济补偿金",
    rests_on=(LAW, REGULATION),
    fields=(
        Field(
            name="service",
            label="在本单位的工作时间",
            question="在这家单位干了几年几个月？（也可以说 2019年3月入职）",
            kind="length",
            most=Decimal(60 * 12),
            exact=True,
        ),
        Field(
            name="wage",
            label="月平均工资",
            question="离职前12个月平均每月应发工资多少（税前，含奖金津贴）？",
            kind="money",
            unit="元",
            most=Decimal(10_000_000),
        ),
        Field(
            name="reason",
            label="离职原因",
            question="是怎么离职的？",
            kind="choice",
            optional=True,
            choices=(
                Choice("negotiated", "单位提出协商解除", ("协商", "协商解除", "单位提出")),
                Choice("layoff", "经济性裁员", ("裁员", "被裁", "优化", "裁了")),
                Choice(
                    "no_fault",
                    "医疗期满、不胜任或客观情况变化",
                    ("医疗期", "不胜任", "不能胜任", "客观情况", "撤销岗位", "搬迁"),
                ),
                Choice("expired", "到期不续签", ("到期", "不续签", "没续签", "合同到期", "期满")),
                Choice("employer_fault", "单位欠薪等被迫离职", ("欠薪", "拖欠", "不交社保", "没交社保", "被迫")),
                Choice("closed", "单位破产解散", ("破产", "倒闭", "解散", "关门", "吊销")),
                Choice("illegal", "违法辞退", ("违法", "无故", "无理由", "没理由", "怀孕")),
                Choice("resigned", "自己辞职", ("辞职", "自己走", "自己不干", "自愿离职", "主动离职")),
                Choice("fault", "严重违纪", ("违纪", "旷工", "失职", "过错")),
                Choice("probation", "试用期不合格", ("试用期", "试用")),
            ),
        ),
        Field(
            name="notice", label="提前30天书面通知", question="单位提前30天书面通知了吗？", kind="bool", optional=True
        ),
        Field(
            name="last_wage",
            label="上个月工资",
            question="离职前一个月的工资是多少？",
            kind="money",
            optional=True,
            unit="元",
            most=Decimal(10_000_000),
        ),
        Field(
            name="local_average",
            label="当地上年度职工月平均工资",
            question="当地上年度职工月平均工资是多少？不知道就跳过。",
            kind="money",
            optional=True,
            unit="元",
            most=Decimal(1_000_000),
            local="pingjun-gongzi",
        ),
    ),
    inputs=SeveranceInputs,
    formula=severance,
)
