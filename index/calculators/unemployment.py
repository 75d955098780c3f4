"""How many months of unemployment benefit (失业保险金) somebody can have at most.

Source: 社会保险法 第四十六条 and 失业保险条例 第十七条: paid one to under five years, at most 12 months; five to under ten, 18;
ten and more, 24; what was left of the last time is added, 24 at most altogether.  The months below those limits are set by the
provinces.  Near retirement it is paid until the statutory age: 国发〔2019〕28号 (benefit used up, less than a year left) and the
State Council's 办法 on the retirement age, article 7.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from bot.errors import InvalidInput
from bot.replies import Source
from index.calculators import retirement
from index.calculators.form import Calculator, Field, Result, say_length, to_fen, yuan
from index.calculators.reading import Month

LAW = Source(title="中华人民共和国社会保险法", clause="第四十六条")
REGULATION = Source(title="失业保险条例", doc_no="国务院令第258号", clause="第十七条")
NEAR_RETIREMENT = (
    Source(title="国务院关于进一步做好稳就业工作的意见", doc_no="国发〔2019〕28号"),
    Source(title=retirement.MEASURES, clause="第七条"),
)

LIMIT = 24
"""Most months altogether."""


@dataclass(frozen=True)
class UnemploymentInputs:
    """Who asks.

    Attributes:
        paid: months of contributions by employer and employee since the last claim.
        unused: months granted the last time and not drawn.
        category: for the retirement age, if told: a key of :data:`retirement.RULES`.
        birth: month of birth, if told.
        monthly: what the place pays a month, yuan, if told.
    """

    paid: Decimal
    unused: Decimal = Decimal(0)
    category: str | None = None
    birth: Month | None = None
    monthly: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class Unemployment(Result):
    """How long.

    Attributes:
        months: at most so many, counted from this month; 0 where there is no claim.
        extended: whether it goes on until the statutory age because less than a year is left then.
        retirement: the month of retirement, if age and category were told.
        monthly: what the place pays a month, yuan, if told and there is a claim.
    """

    months: int
    extended: bool
    retirement: Month | None
    monthly: Decimal | None = None


def limit(paid: Decimal | int) -> int:
    """Most months for so many months of contributions, without what is left from before (社会保险法 第四十六条)."""
    return 0 if paid < 12 else 12 if paid < 60 else 18 if paid < 120 else 24


def benefit(inputs: UnemploymentInputs, today: date) -> Unemployment:
    """How many months of benefit at most, and what they pay.

    Raises:
        InvalidInput: a category without a birth month or the other way round, or a birth in the future.
    """
    result = _months(inputs, today)
    if not inputs.monthly or not result.months:
        return result
    return replace(
        result,
        monthly=to_fen(inputs.monthly),
        points=(*result.points, f"按当地标准每月{yuan(inputs.monthly)}，实际发多少以核定为准。"),
        caveats=(result.caveats[0], "12、18、24个月以内的具体月数由各地定，请问12333。"),
    )


def _months(inputs: UnemploymentInputs, today: date) -> Unemployment:
    if (inputs.category is None) != (inputs.birth is None):
        raise InvalidInput("要算到退休还有多久，类别和出生年月要一起告诉我。")
    own = limit(inputs.paid)
    unused = int(inputs.unused)
    months = min(own + unused, LIMIT)
    steps = [f"累计缴费{say_length(inputs.paid)}：{_band(inputs.paid)}。"]
    if unused:
        steps.append(
            f"加上前次没领完的{unused}个月：{own}＋{unused}＝{own + unused}，合计最长{LIMIT}个月，取{months}个月。"
        )
    caveats = [
        "须非本人意愿离职，并办失业登记、有求职要求。",
        "每月金额和12、18、24个月以内的具体月数由各地定，请问12333。",
    ]
    result = Unemployment(
        headline=f"最多可领{months}个月失业保险金。",
        points=_points(inputs.paid, own, unused),
        steps=tuple(steps),
        sources=(LAW, REGULATION),
        caveats=tuple(caveats),
        months=months,
        extended=False,
        retirement=None,
    )
    if own == 0 and unused == 0:
        result = replace(
            result, headline="缴费不满1年，还不能领失业保险金。", points=("单位和本人要累计缴满1年才能领。",)
        )
    elif own == 0:
        result = replace(result, headline=f"缴费不满1年，不新增月数；前次没领完的{unused}个月可申请接着领。", points=())
    if inputs.category is None or inputs.birth is None:
        return result
    return _until_retirement(
        result, retirement.retire(retirement.RetirementInputs(inputs.category, inputs.birth), today).month, today
    )


def _band(paid: Decimal) -> str:
    if paid < 12:
        return "不满1年，不能领"
    if paid < 60:
        return "满1年不足5年，最长12个月"
    if paid < 120:
        return "满5年不足10年，最长18个月"
    return "满10年，最长24个月"


def _points(paid: Decimal, own: int, unused: int) -> tuple[str, ...]:
    points = [f"缴费{say_length(paid)}，{_band(paid)}。"]
    if unused:
        points.append(f"加上前次没领的{unused}个月，合计不超过{LIMIT}个月。")
    if own:
        points.append("这是国家规定的上限，实际核定几个月看当地规定。")
    return tuple(points)


def _until_retirement(result: Unemployment, month: Month, today: date) -> Unemployment:
    left = month.index - Month.of(today).index
    steps = (*result.steps, f"法定退休时间{month.chinese}，离现在{max(left, 0)}个月。")
    sources = (*result.sources, *NEAR_RETIREMENT)
    if left <= 0:
        return replace(
            result, headline=f"{month.chinese}已到法定退休年龄，不再领失业保险金。", points=("请办理养老金领取手续。",), months=0, steps=steps,
            sources=sources, retirement=month,
        )  # fmt: skip
    if result.months == 0:
        return replace(result, steps=steps, retirement=month)
    if left <= result.months:
        return replace(
            result, headline=f"最多可领{left}个月，到{month.chinese}法定退休为止。",
            points=(f"按缴费年限最多{result.months}个月，到龄领养老金后就停。",), months=left, steps=steps, sources=sources, retirement=month,
        )  # fmt: skip
    if left - result.months < 12:
        return replace(
            result, headline=f"可领到{month.chinese}法定退休，共{left}个月。",
            points=(*result.points, f"领满{result.months}个月仍没就业，离退休不足1年，可继续领到法定退休年龄，要向经办机构申请。"),
            months=left, extended=True, steps=(*steps, f"{left}－{result.months}＝{left - result.months}个月，不足1年，可延长。"),
            sources=sources, retirement=month,
        )  # fmt: skip
    return replace(result, steps=steps, retirement=month)


UNEMPLOYMENT = Calculator(
    id="unemployment",
    title="失业保险金领取期限",
    matter="失业保险金领取",
    rests_on=(LAW.title, REGULATION.title, *(one.title for one in NEAR_RETIREMENT)),
    fields=(
        Field(
            name="paid",
            label="失业保险累计缴费时间",
            question="失业保险一共缴了几年几个月？（领过失业金的，从上次领之后算）",
            kind="length",
            most=Decimal(50 * 12),
        ),
        Field(
            name="unused",
            label="前次没领完的月数",
            question="以前领失业金有没有没领完的？还剩几个月？没有就说“没有”。",
            kind="number",
            optional=True,
            default="0",
            unit="个月",
            most=Decimal(LIMIT),
            whole=True,
        ),
        replace(retirement.CATEGORY, optional=True),
        replace(retirement.BIRTH, optional=True),
        Field(
            name="monthly",
            label="当地失业保险金标准",
            question="当地失业保险金每月多少？不知道就跳过。",
            kind="money",
            optional=True,
            unit="元",
            most=Decimal(100_000),
            local="shiyejin-biaozhun",
        ),
    ),
    inputs=UnemploymentInputs,
    formula=benefit,
)
