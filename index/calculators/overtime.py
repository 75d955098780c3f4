"""Overtime pay (加班工资).

Source: 劳动法 第四十四条 (150, 200, 300 %), 第四十一条 (36 hours a month); 工资支付暂行规定 第十三条 (piece work, reckoned hours, no fixed
hours); 人社部发〔2025〕2号: 21.75 paid days a month, eight hours a day.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from bot.errors import InvalidInput
from bot.replies import Source
from index.calculators.form import WORKING_HOURS_A_DAY, Calculator, Choice, Field, Result, plain, to_fen, yuan
from index.calculators.leave import PAID_DAYS

LAW = "中华人民共和国劳动法"
WAGES = Source(title="工资支付暂行规定", doc_no="劳部发〔1994〕489号", clause="第十三条")
CONVERSION = Source(title="关于职工全年月平均工作时间和工资折算问题的通知", doc_no="人社部发〔2025〕2号")

MONTHLY_LIMIT = 36
"""Most hours of overtime in a month (劳动法 第四十一条)."""


@dataclass(frozen=True)
class OvertimeInputs:
    """Work beyond the normal hours, in one month.

    Attributes:
        wage: yuan a month on which overtime is reckoned.
        weekday: hours on working days.
        restday: hours on days of rest without time off in exchange.
        holiday: hours on statutory holidays.
        system: ``standard``, ``composite`` (综合计算工时) or ``flexible`` (不定时).
        minimum: the place's minimum wage, yuan a month, if told.
    """

    wage: Decimal
    weekday: Decimal = Decimal(0)
    restday: Decimal = Decimal(0)
    holiday: Decimal = Decimal(0)
    system: str = "standard"
    minimum: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class Overtime(Result):
    """What is due.

    Attributes:
        hourly: an hour's wage, yuan.
        weekday: yuan.
        restday: yuan.
        holiday: yuan.
        total: yuan.
    """

    hourly: Decimal
    weekday: Decimal
    restday: Decimal
    holiday: Decimal
    total: Decimal


def overtime(inputs: OvertimeInputs, today: date) -> Overtime:
    """Overtime pay by kind of day.

    Raises:
        InvalidInput: no wage, no hours, or more hours than a month has.
    """
    _refuse_impossible(inputs)
    composite, flexible = inputs.system == "composite", inputs.system == "flexible"
    percents = {"weekday": 150, "restday": 150 if composite else 200, "holiday": 300}
    exact_hour = inputs.wage / PAID_DAYS / WORKING_HOURS_A_DAY
    names = {
        "weekday": "超出总工时的部分" if composite else "工作日",
        "restday": "休息日（计入总工时）" if composite else "休息日",
        "holiday": "法定节假日",
    }
    told = {"weekday": inputs.weekday, "restday": inputs.restday, "holiday": inputs.holiday}
    pay = {
        kind: Decimal("0.00") if flexible else to_fen(exact_hour * amount * percents[kind] / 100)
        for kind, amount in told.items()
    }
    total = sum(pay.values(), Decimal("0.00"))
    hourly = to_fen(exact_hour)
    steps = [f"小时工资：{yuan(inputs.wage)}÷21.75天÷8小时＝{yuan(hourly)}。"]
    if flexible:
        headline = "经批准实行不定时工作制的，一般不付加班费。"
        points = ["是否经人社部门批准，可以要求单位出示。"]
    else:
        headline = f"加班费共{yuan(total)}。"
        points = []
        for kind, amount in told.items():
            if amount:
                name, percent = names[kind], percents[kind]
                points.append(f"{name}{plain(amount)}小时，{percent}%：{yuan(pay[kind])}。")
                steps.append(f"{name}：{yuan(inputs.wage)}÷21.75÷8×{plain(amount)}小时×{percent}%＝{yuan(pay[kind])}。")
        points.append(f"小时工资{yuan(hourly)}（月工资÷21.75÷8）。")
    return Overtime(
        headline=headline,
        points=tuple(points),
        steps=tuple(steps),
        sources=(Source(title=LAW, clause="第四十四条"), WAGES, CONVERSION),
        caveats=tuple(_caveats(inputs)),
        hourly=hourly,
        weekday=pay["weekday"],
        restday=pay["restday"],
        holiday=pay["holiday"],
        total=total,
    )


def _refuse_impossible(inputs: OvertimeInputs) -> None:
    """Raises: InvalidInput."""
    hours = inputs.weekday + inputs.restday + inputs.holiday
    if inputs.wage <= 0:
        raise InvalidInput("月工资要大于 0。")
    if hours <= 0:
        raise InvalidInput("请告诉我加了多少班：平时、周末、法定节假日至少一样。")
    if hours > 31 * 24:
        raise InvalidInput("一个月没有这么多小时，请按月来算。")


def _caveats(inputs: OvertimeInputs) -> Iterator[str]:
    composite = inputs.system == "composite"
    if inputs.minimum and inputs.wage < inputs.minimum:
        yield f"这个月工资低于当地最低工资{yuan(inputs.minimum)}：计算基数不能低于它，可拨12333问。"
    if inputs.system == "flexible":
        yield "有的地方规定法定节假日上班仍付300%，请问12333。"
    else:
        if inputs.restday and not composite:
            yield "休息日安排了补休的，可以不付加班费。"
        if inputs.holiday:
            yield "法定节假日全年13天（春节4、国庆3、五一2，元旦、清明、端午、中秋各1），调休放的假按休息日算。"
        if inputs.restday and composite:
            yield "综合工时制下休息日不单算，超出周期总工时的才算加班。"
    if inputs.weekday + inputs.restday > MONTHLY_LIMIT:
        yield "每月延长工作时间一般不得超过36小时，超时可拨12333反映。"
    yield "计算基数合同有约定或当地有规定的，从其规定，不低于最低工资。"


def _hours(name: str, label: str, question: str) -> Field:
    return Field(
        name=name,
        label=label,
        question=question,
        kind="hours",
        optional=True,
        ask=True,
        default="0",
        unit="小时",
        most=Decimal(744),
    )


OVERTIME = Calculator(
    id="overtime",
    title="加班工资",
    matter="加班工资",
    rests_on=(LAW, WAGES.title, CONVERSION.title),
    fields=(
        Field(
            name="wage",
            label="月工资",
            question="每月工资多少（算加班费的基数）？",
            kind="money",
            unit="元",
            most=Decimal(10_000_000),
        ),
        _hours("weekday", "工作日加班", "平时（周一到周五）一共加了几小时班？没有就说“没有”。"),
        _hours("restday", "休息日加班", "周末加了几小时或几天（没补休的）？没有就说“没有”。"),
        _hours("holiday", "法定节假日加班", "法定节假日当天加了几小时或几天？没有就说“没有”。"),
        Field(
            name="system",
            label="工时制度",
            question="是哪种工时制？",
            kind="choice",
            optional=True,
            default="standard",
            choices=(
                Choice("standard", "标准工时", ("标准", "正常", "八小时")),
                Choice("composite", "综合计算工时", ("综合", "综合工时")),
                Choice("flexible", "不定时", ("不定时工时", "弹性")),
            ),
        ),
        Field(
            name="minimum",
            label="当地月最低工资",
            question="当地月最低工资是多少？不知道就跳过。",
            kind="money",
            optional=True,
            unit="元",
            most=Decimal(100_000),
            local="zuidi-gongzi",
        ),
    ),
    inputs=OvertimeInputs,
    formula=overtime,
)
