"""Days of paid annual leave (带薪年休假), in part years too, and the pay for days not taken.

Source: 职工带薪年休假条例 第三条 (5, 10, 15 days by years worked altogether), 第四条 (who has none), 第五条 (300 %);
企业职工带薪年休假实施办法 第三条 (after 12 months without a break), 第五条 (joining), 第十条 and 第十一条 (pay), 第十二条 (leaving).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from bot.errors import InvalidInput
from bot.replies import Source
from index.calculators.form import Calculator, Field, Result, plain, say_length, to_fen, yuan

REGULATION = "职工带薪年休假条例"
REGULATION_NO = "国务院令第514号"
MEASURES = "企业职工带薪年休假实施办法"
MEASURES_NO = "人力资源和社会保障部令第1号"

PAID_DAYS = Decimal("21.75")
"""Days of a month that are paid: (365 - 104) / 12 (人社部发〔2025〕2号)."""

SICK_LIMITS = {5: Decimal(2), 10: Decimal(3), 15: Decimal(4)}
"""Months of sick leave in a year from which on there is no annual leave, by its days (条例 第四条)."""


@dataclass(frozen=True)
class LeaveInputs:
    """Who asks.

    Attributes:
        worked: months worked altogether, for all employers.
        joined: the day of joining this employer, if in the year asked about.
        left: the last day with this employer, if in the year asked about.
        taken: days of this year's leave already taken.
        sick_months: months of sick leave in the year.
        personal_days: days of private leave for which wages were paid on.
        school_holidays: has longer school holidays by law.
    """

    worked: Decimal
    joined: date | None = None
    left: date | None = None
    taken: Decimal = Decimal(0)
    sick_months: Decimal = Decimal(0)
    personal_days: Decimal = Decimal(0)
    school_holidays: bool = False


@dataclass(frozen=True, kw_only=True)
class Leave(Result):
    """How many days.

    Attributes:
        full: days of a full year.
        days: days of the year asked about, with this employer.
        untaken: what is left of them.
        excluded: whether one of the reasons of 条例 第四条 takes the leave away.
    """

    full: int
    days: int
    untaken: Decimal | int
    excluded: bool


def full_days(worked: Decimal | int) -> int:
    """Days of a full year by months worked altogether (条例 第三条)."""
    return 0 if worked < 12 else 5 if worked < 120 else 10 if worked < 240 else 15


def leave(inputs: LeaveInputs, today: date) -> Leave:
    """How many days of leave.

    Raises:
        InvalidInput: left before joining, or joined and left in different years.
    """
    joined, left = inputs.joined, inputs.left
    if joined and left and left < joined:
        raise InvalidInput("离职日期不能早于入职日期，请再看一下。")
    if joined and left and joined.year != left.year:
        raise InvalidInput("入职和离职不在同一年：只算离职那一年，请不要填入职日期。")
    full = full_days(inputs.worked)
    steps = [f"累计工作{say_length(inputs.worked)}：全年{full}天（满1年5天，满10年10天，满20年15天）。"]
    days, earned = full, Decimal(full)
    year = (joined or left or today).year
    if full and (joined or left):
        first = joined or date(year, 1, 1)
        last = left or date(year, 12, 31)
        calendar_days = (last - first).days + 1
        days = min(full, calendar_days * full // 365)
        what = "剩余" if joined and not left else "已过"
        earned = min(Decimal(calendar_days * full) / 365, Decimal(full))
        steps.append(
            f"当年在本单位{what}{calendar_days}天：{calendar_days}÷365×{full}＝{earned:.2f}，不足1整天的部分不算，得{days}天。"
        )
    reason = _exclusion(inputs, full)
    if reason:
        days = 0
        steps.append(f"{reason}：不享受当年的年休假。")
    untaken = _untaken(earned if left and days else Decimal(days), inputs.taken, left=left is not None)
    if inputs.taken:
        steps.append(f"已休{plain(inputs.taken)}天，剩{untaken}天。")

    if full == 0:
        headline, points = "累计工作不满1年，还没有年休假。", ["连续工作满12个月后可以休。"]
    elif reason:
        headline, points = f"当年没有年休假：{reason}。", []
    else:
        partial = days != full or joined or left
        when = "今年" if year == today.year else f"{year}年"
        headline = f"{when}在本单位的年休假是{days}天。" if partial else f"每年{days}天年休假。"
        points = [f"全年{full}天，按在职天数折算。" if partial else "法定节假日、周末不计在内。"]
        if inputs.taken:
            points.append(f"已休{plain(inputs.taken)}天，还剩{untaken}天。")
        if left and untaken:
            points.append(f"离职时没休的{untaken}天，单位要按日工资的300%付（含已发的100%）。")
    return Leave(
        headline=headline,
        points=tuple(points),
        steps=tuple(steps),
        sources=_sources(bool(reason), joined is not None, left is not None),
        caveats=tuple(_caveats(inputs, full, days, bool(reason))),
        full=full,
        days=days,
        untaken=untaken,
        excluded=reason is not None,
    )


def _untaken(earned: Decimal, taken: Decimal, *, left: bool) -> Decimal | int:
    """What is left; half days are taken too, and whoever leaves gets whole days only (办法 第十二条)."""
    rest = max(earned - taken, Decimal(0))
    return int(rest) if left or rest == rest.to_integral_value() else rest.normalize()


def _exclusion(inputs: LeaveInputs, full: int) -> str | None:
    """Why there is no leave this year (条例 第四条), or None."""
    if not full:
        return None
    if inputs.school_holidays:
        return "寒暑假多于年休假天数"
    if inputs.personal_days >= 20:
        return "事假累计20天以上且没扣工资"
    limit = SICK_LIMITS[full]
    return f"病假累计{limit}个月以上" if inputs.sick_months >= limit else None


def _caveats(inputs: LeaveInputs, full: int, days: int, excluded: bool) -> Iterator[str]:
    if full and inputs.joined:
        yield "入职前要已连续工作满12个月（可含原单位）。"
    if full and inputs.left and inputs.taken > days:
        yield "多休的天数单位不能扣回。"
    if full and not excluded and any(0 < bound - inputs.worked <= 12 for bound in (120, 240)):
        yield "快满10年或20年的，当年按哪一档算请问单位或12333。"
    yield "年限按在各单位累计的工作时间算；单位规定更多的，从其规定。"


def _sources(excluded: bool, joined: bool, left: bool) -> tuple[Source, ...]:
    sources = [Source(title=REGULATION, doc_no=REGULATION_NO, clause="第三条")]
    if excluded:
        sources.append(Source(title=REGULATION, doc_no=REGULATION_NO, clause="第四条"))
    sources.append(Source(title=MEASURES, doc_no=MEASURES_NO, clause="第三条"))
    if joined:
        sources.append(Source(title=MEASURES, doc_no=MEASURES_NO, clause="第五条"))
    if left:
        sources.append(Source(title=MEASURES, doc_no=MEASURES_NO, clause="第十二条"))
    return tuple(sources)


@dataclass(frozen=True)
class LeavePayInputs:
    """Days not taken.

    Attributes:
        wage: average of the last twelve months without overtime pay, yuan a month.
        days: days of leave due and not taken.
    """

    wage: Decimal
    days: Decimal


@dataclass(frozen=True, kw_only=True)
class LeavePay(Result):
    """What they are worth.

    Attributes:
        daily: a day's wage, yuan.
        extra: to be paid beside the normal wage (200 %), yuan.
        total: including the normal wage (300 %), yuan.
    """

    daily: Decimal
    extra: Decimal
    total: Decimal


def leave_pay(inputs: LeavePayInputs, today: date) -> LeavePay:
    """The pay for days of leave not taken (条例 第五条, 办法 第十条 and 第十一条).

    Raises:
        InvalidInput: nothing to work out.
    """
    if inputs.wage <= 0 or inputs.days <= 0:
        raise InvalidInput("月工资和没休的天数都要大于 0。")
    daily = to_fen(inputs.wage / PAID_DAYS)
    extra = to_fen(inputs.wage / PAID_DAYS * inputs.days * 2)
    total = to_fen(inputs.wage / PAID_DAYS * inputs.days * 3)
    days = plain(inputs.days)
    return LeavePay(
        headline=f"没休的{days}天年假，单位应另外补{yuan(extra)}。",
        points=(
            f"日工资{yuan(daily)}，按300%算共{yuan(total)}，其中100%已随平时工资发了。",
            "本人书面提出不休的，单位可以只付正常工资。",
        ),
        steps=(
            f"日工资：{yuan(inputs.wage)}÷21.75天＝{yuan(daily)}。",
            f"300%合计：{yuan(inputs.wage)}÷21.75×{days}×3＝{yuan(total)}。",
            f"平时工资已含100%，另补200%：{yuan(inputs.wage)}÷21.75×{days}×2＝{yuan(extra)}。",
        ),
        sources=(
            Source(title=REGULATION, doc_no=REGULATION_NO, clause="第五条"),
            Source(title=MEASURES, doc_no=MEASURES_NO, clause="第十条"),
            Source(title=MEASURES, doc_no=MEASURES_NO, clause="第十一条"),
        ),
        caveats=("月工资是前12个月剔除加班费后的平均数，不满12个月按实际月数平均。",),
        daily=daily,
        extra=extra,
        total=total,
    )


ANNUAL_LEAVE = Calculator(
    id="annual_leave",
    title="年休假天数",
    matter="带薪年休假",
    rests_on=(REGULATION, MEASURES),
    fields=(
        Field(
            name="worked",
            label="累计工作时间",
            question="您一共工作了几年几个月？（各单位加起来）",
            kind="length",
            most=Decimal(60 * 12),
        ),
        Field(name="joined", label="入职日期", question="今年哪天进的这家单位？不是今年进的就说“跳过”。", kind="date", optional=True),
        Field(name="left", label="离职日期", question="哪天离职？没有离职就说“跳过”。", kind="date", optional=True),
        Field(name="taken", label="已休天数", question="今年已经休了几天年假？没有就说“没有”。", kind="number", optional=True, default="0", unit="天", most=Decimal(366)),
        Field(name="sick_months", label="当年病假月数", question="今年病假一共几个月？没有就说“没有”。", kind="number", optional=True, default="0", unit="个月", most=Decimal(12)),
        Field(name="personal_days", label="当年不扣工资的事假天数", question="今年请了几天不扣工资的事假？没有就说“没有”。", kind="number", optional=True, default="0", unit="天", most=Decimal(366)),
        Field(name="school_holidays", label="有寒暑假", question="您有寒暑假吗（比年休假长）？", kind="bool", optional=True, default="否"),
    ),
    inputs=LeaveInputs,
    formula=leave,
)  # fmt: skip

LEAVE_PAY = Calculator(
    id="leave_pay",
    title="未休年休假工资",
    matter="带薪年休假",
    rests_on=(REGULATION, MEASURES),
    fields=(
        Field(
            name="wage",
            label="月工资",
            question="前12个月平均每月工资多少（税前，不算加班费）？",
            kind="money",
            unit="元",
            most=Decimal(10_000_000),
        ),
        Field(name="days", label="没休的天数", question="有几天年假没休？", kind="number", unit="天", most=Decimal(60)),
    ),
    inputs=LeavePayInputs,
    formula=leave_pay,
)
