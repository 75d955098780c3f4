"""What people type as a number, an amount, a time or a date, read into values: 八千五, 1.2万, 76年3月, 两年半.

Small deterministic readers.  Each ``read_*`` function takes a whole reply and raises :class:`bot.errors.InvalidInput`
with a sentence that helps; each ``find_*`` function looks for one such thing in a longer text and returns None where
there is none, or where it is vague (十来年, 七八千): a calculator gets no guesses.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from bot.errors import InvalidInput
from index.calculators.numbers import ALONE, BEFORE, DIGITS, HAN, NUMBER, number, tidy

# --- numbers ---------------------------------------------------------------------------------------------------------

_OF_UNIT = {
    "天": "天|日",
    "小时": "个?(?:小时|钟头)|h",
    "个月": "个?月",
    "年": "年|年度",
    "月": "月份?",
}
"""What may follow a number of a unit; where another follows, another thing is meant."""
_OF_UNIT[""] = "|".join(_OF_UNIT.values())


def read_number(text: str, unit: str = "") -> Decimal:
    """A bare number with or without its unit or a counting word (5天, 三个, 8小时).

    Args:
        text: the whole reply.
        unit: what is counted, if known; 5天 are no months.

    Raises:
        InvalidInput: there is none, or it is vague, or of something else.
    """
    said = tidy(text).rstrip("。.!！了吧的")
    match = re.fullmatch(
        rf"(?:共|一共|总共|大概|大约|约|就|是|有|休了|已休)?(?P<n>{NUMBER})(?P<half>个?半)?(?:{_OF_UNIT.get(unit, unit)}|[个次])?(?P<after>{'半' if unit else '(?!)'})?",
        said,
    )
    value = number(match["n"]) if match else None
    if match is None or value is None or (match["half"] and match["after"]):
        wanted = f"请直接发一个数字，比如 5{unit}" if unit else "请直接发一个数字，比如 5"
        raise InvalidInput(f"“{_shown(text)}”我没看懂，{wanted}。")
    return value + Decimal("0.5") if match["half"] or match["after"] else value


# --- money -----------------------------------------------------------------------------------------------------------

YUAN = r"(?:元整?|块钱?|圆整?|rmb|人民币)"
"""The unit of an amount, in a regular expression"""
_PER_MONTH = r"(?:(?:/|每)个?|一个)月"
_VAGUE_TAIL = r"[几多来余]|以上|以下|以内|以外|开外|出头|不到|不止|起"


def read_money(text: str) -> Decimal:
    """An amount in yuan: 8000, 8000元, 八千五, 1.2万, 15k, 月薪一万二.

    Raises:
        InvalidInput: there is no single amount in it, or it is vague (七八千, 一万多, 8000到9000).
    """
    said = re.sub(rf"(?<=[\d百千万元块钱kw]){_PER_MONTH}|^[一每]个?月", "", tidy(text))
    if re.match(r"-|负", said):
        raise InvalidInput("金额不能是负数，请发一个大于或等于 0 的数。")
    amounts = [match for match in re.finditer(NUMBER, said) if number(match[0]) is not None or len(match[0]) > 1]
    if len(amounts) == 1 and not re.search(r"-|负", said[: amounts[0].start()]):
        value = number(amounts[0][0])
        before, rest = said[: amounts[0].start()], said[amounts[0].end() :]
        vague = re.match(rf"{_VAGUE_TAIL}|年|个?月$|岁|天|%|个(?!月)|小时|(?!rmb)[a-z\d]|[ ,.'’_]\d", rest)
        if value is not None and not vague and not re.search(r"不到|不足|将近|接近|超过|[a-z\d]$|上$|近$", before):
            return value.quantize(Decimal("0.01"))
    raise InvalidInput(f"“{_shown(text)}”我没看懂是多少钱，请发一个准确的数，比如 8500 或 1.2万。")


LEAST_AMOUNT = 500
"""Below it an amount in a question is no month's wage."""

_MONEY = rf"(?P<n>{NUMBER}){YUAN}?(?:{_PER_MONTH}(?!零|[\d{HAN}]))?{ALONE}(?!{_VAGUE_TAIL}|年|个?半?月(?!薪|工资|收入)|岁|天|小时|钟头|号|日|%|个(?!税|人所得)|倍|点|人|次|级|档|/|\.|[a-mo-z])"


def find_amounts(text: str, cue: str) -> set[Decimal | None]:
    """The different amounts in yuan that directly follow a cue (工资, 月薪…), None among them for one that is vague.

    Args:
        text: tidy text.
        cue: regular expression of what stands before the amount.
    """
    return _amounts(
        text, rf"(?:{cue})(?:是|有|为|差不多|大概|大约|平均|才|只有|就|都|[:,，=¥]|一共|总共|现在|目前)*(?>{_MONEY})"
    )


def find_amounts_before(text: str, mark: str) -> set[Decimal | None]:
    """The different amounts in yuan right before a mark: 一万块工资; None among them for one that is vague.

    Args:
        text: tidy text.
        mark: regular expression of what stands behind the amount.
    """
    return _amounts(text, rf"{BEFORE}(?P<n>{NUMBER}){YUAN}?的?(?:{mark})")


def find_money(text: str, cue: str) -> Decimal | None:
    """The one amount in yuan that directly follows a cue; None if there is none, if it is vague, or if there are several."""
    found = find_amounts(text, cue)
    return found.pop() if len(found) == 1 else None


def tells_money(text: str, cue: str) -> bool:
    """Whether an amount follows a cue, certain or not (月薪八九千, 月薪8000到一万): one that is uncertain is to be asked for.

    Args:
        text: tidy text.
        cue: regular expression of what stands before the amount.
    """
    return bool(
        re.search(
            rf"(?:{cue})(?:是|有|为|才|就|只有|大概|大约|约|差不多|平均|将?近|快|[:,，=¥])*(?:\d|[{HAN}][、到]?[{HAN}]*[千万])",
            text,
        )
    )


def _amounts(text: str, pattern: str) -> set[Decimal | None]:
    values = {number(match["n"]) for match in re.finditer(pattern, text)}
    return {value and value.quantize(Decimal("0.01")) for value in values if value is None or value >= LEAST_AMOUNT}


# --- lengths of time -------------------------------------------------------------------------------------------------

_LENGTH = re.compile(
    rf"(?:(?P<years>{NUMBER})年(?P<more>多|来|几)?(?P<half>半)?"
    rf"(?:零|又|加|外加)?(?:(?P<months>{NUMBER})(?:个(?P<halfmonth>半)?)?月)?(?:零|又)?(?:(?P<days>{NUMBER})天)?"
    rf"|(?P<halfonly>半)年(?P<halfmore>多)?"
    rf"|(?P<onlymonths>{NUMBER})个?(?P<onlyhalfmonth>半)?月(?P<monthsmore>多)?(?:零?(?P<monthdays>{NUMBER})天)?"
    rf"|(?P<onlydays>{NUMBER})天)"
)
_BEFORE_VAGUE = re.compile(
    r"(?:快|将近|接近|近|还差|差|不到|不满|没满|未满|不足|没到|超过|几|好几|上|大于|小于|十|个)$"
    rf"|[\d{HAN}](?:[~\-—–至、,.' ]|到|或者?)$"
)
_AFTER_VAGUE = re.compile(
    r"^(?:左右|上下|以上|以下|以内|之内|多|来|几|不到|出头|前|内|后|以后|之前|之后|还?(?:差|缺|少|欠)|减|除去)"
    rf"|^(?:[~\-—–/、]|到|至|或者?){NUMBER}"
)


@dataclass(frozen=True)
class Length:
    """A length of time.

    Attributes:
        months: in months; a day counts a thirtieth.
        more: whether it was followed by 多 (七年多): ``months`` is then the least it can be.
    """

    months: Decimal
    more: bool = False


def _length(match: re.Match[str]) -> Length | None:
    def value(name: str) -> Decimal | None:
        return Decimal(0) if match[name] is None else number(match[name])

    years, months, days = value("years"), value("months"), value("days")
    months_only, month_days, days_only = value("onlymonths"), value("monthdays"), value("onlydays")
    parts = (years, months, days, months_only, month_days, days_only)
    if any(part is None for part in parts) or match["more"] in ("来", "几"):
        return None
    assert years is not None and months is not None and days is not None
    assert months_only is not None and month_days is not None and days_only is not None
    if years > 70 or re.match(r"[0零〇][\d一二三四五六七八九]", match["years"] or match["onlymonths"] or ""):
        return None  # a calendar year: 2019年, 08年
    if years and months >= 12:
        return None
    total = years * 12 + months + months_only + (days + month_days + days_only) / Decimal(30)
    total += 6 if match["half"] or match["halfonly"] else 0
    total += Decimal("0.5") if match["halfmonth"] or match["onlyhalfmonth"] else 0
    more = bool(match["more"] or match["halfmore"] or match["monthsmore"])
    return Length(total.quantize(Decimal("0.01")), more)


def find_length(text: str, cue: str) -> Length | None:
    """The length of time that directly follows a cue (干了, 交了…); None if there is none, if it is vague, or if there are several.

    Args:
        text: tidy text.
        cue: regular expression of what stands before it.
    """
    lengths = []
    for match in re.finditer(
        rf"(?<!每)(?<!每满)(?:{cue})(?P<between>[了满有是整够:]*|大概有?|一共有?|总共有?)(?={_LENGTH.pattern})", text
    ):
        found = _LENGTH.match(text, match.end("between"))
        if found is None or _AFTER_VAGUE.match(text[found.end() :]):
            continue
        if found["months"] and "个" not in found[0]:
            continue  # 12年3月 can be a date
        if found["months"] in ("一", "1") and re.match(rf"[¥是有挣拿]?{NUMBER}", text[found.end() :]):
            continue  # 十年一个月6000: ten years at 6000 a month
        if re.match(
            r"[年月]?(?:\d|[一二三四五六七八九十]+)?[月号]?(?:出生|入职|进厂|来的|进来|生)", text[found.end() :]
        ):
            continue
        length = _length(found)
        if length is not None and length.months > 0:
            lengths.append(length)
    return lengths[0] if len(set(lengths)) == 1 else None


def read_length(text: str, *, exact: bool, today: date) -> Decimal:
    """A length of time in months: 6年半, 六年零三个月, 78个月, 两年半; or from a beginning (2019年3月到现在).

    Args:
        text: the whole reply.
        exact: whether 多 (七年多) is too vague.
        today: end of a time that is told by its beginning.

    Raises:
        InvalidInput: there is no length of time in it, or it is vague.
    """
    said = tidy(text)
    if (
        re.search(r"从|至今|到现在|到今|入职|开始|进厂|来的", said)
        and (start := find_month(said, today=today)) is not None
    ):
        day = find_date(said, today=today)
        if (day or date(start.year, start.month, 1)) > today:
            raise InvalidInput("开始的时间在今天之后，请再看一下。")
        if day is not None and not (exact and near_half_year(day, today)):
            return elapsed(day, today)
        if day is not None:
            raise InvalidInput("正好在满半年的前后，请说清做满了几年几个月，比如 6年 或 6年零1天。")
        months = Decimal(Month.of(today).index - start.index)
        if exact and months % 6 == 0:
            # On which side of a half year it lies is for the day to say.
            raise InvalidInput(f"还要知道是哪一天，请把日期发全，比如 {start.chinese}15日到现在。")
        return months
    canonical = re.fullmatch(r"(\d+(?:\.\d+)?)m", said)
    if canonical:
        return Decimal(canonical[1])
    match = _LENGTH.search(said)
    if match is not None and "-" not in said[: match.start()] and "负" not in said:
        length = _length(match)
        vague = (
            _BEFORE_VAGUE.search(said[: match.start()])
            or _AFTER_VAGUE.match(said[match.end() :])
            or _LENGTH.search(said, match.end())
        )
        if length is not None and not vague and not (length.more and exact):
            return length.months
    if match is not None:
        raise InvalidInput(f"“{_shown(text)}”不够准确，请说清几年几个月，比如 6年3个月。")
    raise InvalidInput(f"“{_shown(text)}”我没看懂是多久，请说几年几个月，比如 6年3个月 或 78个月。")


# --- months and dates ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, order=True)
class Month:
    """A month of the Gregorian calendar; its text is 1976-03."""

    year: int
    month: int

    def __post_init__(self) -> None:
        if not (1 <= self.month <= 12 and 1 <= self.year <= 9999):
            raise InvalidInput("月份要在 1 到 12 之间。")

    @property
    def index(self) -> int:
        """Months since the beginning of the year 0: differences count months."""
        return self.year * 12 + self.month - 1

    def plus(self, months: int) -> Month:
        """So many months later, or earlier."""
        year, month = divmod(self.index + months, 12)
        return Month(year, month + 1)

    @classmethod
    def of(cls, day: date) -> Month:
        """The month of a day."""
        return cls(day.year, day.month)

    @property
    def chinese(self) -> str:
        """As people read it: 1976年3月."""
        return f"{self.year}年{self.month}月"

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


_HAN_DIGIT = "零〇一二三四五六七八九"
_HAN_MONTH = "十[一二]|[一二三四五六七八九十]"
MONTH = rf"0?[1-9]|1[0-2]|{_HAN_MONTH}"
"""The number of a month, in a regular expression"""
_YEAR = rf"(?<![\d{_HAN_DIGIT}])(?P<year>(?:19|20)\d\d|\d\d|[一二][九零〇][{_HAN_DIGIT}]{{2}}|[{_HAN_DIGIT}]{{2}})"
_MONTH_WORDS = re.compile(rf"{_YEAR}年(?:的|属[鼠牛虎兔龙蛇马羊猴鸡狗猪]的?)?(?P<month>{MONTH})月份?")
_MONTH_FIGURES = re.compile(
    r"(?<![\d.\-/])(?P<year>(?:19|20)\d\d)[-./](?P<month>0?[1-9]|1[0-2])(?:[-./](?:\d{1,2}))?(?![\d.\-/])"
)
_MONTH_BLOCK = re.compile(r"(?<!\d)(?P<year>19\d\d|20\d\d)(?P<month>0[1-9]|1[0-2])(?:[0-2]\d|3[01])?(?!\d)")
_MONTH_SHORT = re.compile(r"(?P<year>\d\d)[-./](?P<month>0?[1-9]|1[0-2])")
_YEAR_ONLY = re.compile(rf"{_YEAR}年")
_OR = r"(?:或者?|还是|到|至|[、~\-—–])"
_MONTHS = re.compile(rf"月份?{_OR}(?:{MONTH})月")
_DAYS = re.compile(rf"(?:月\d{{1,2}}|月[一二三四五六七八九十]{{1,3}}|[日号]){_OR}[\d{HAN}]")
"""More than one of them: 3月或4月, 29或30号"""
_LUNAR = re.compile(r"农历|阴历|旧历|腊月|正月|冬月|闰")


def _calendar_year(text: str, today: date) -> int:
    digits = "".join(str(DIGITS[character]) if character in DIGITS else character for character in text)
    year = int(digits)
    if year >= 100:
        return year
    return year + (2000 if year <= today.year % 100 else 1900)


def _month(match: re.Match[str], today: date) -> Month:
    month = number(match["month"])
    assert month is not None
    return Month(_calendar_year(match["year"], today), int(month))


def find_month(text: str, *, today: date, then: str = "") -> Month | None:
    """The one month that a text names with its year (76年3月, 1976.3, 七六年三月, 197603); None if none or several.

    Args:
        text: tidy text.
        today: two-digit years are not after its year.
        then: regular expression of what has to follow it (出生, 入职).
    """
    if _LUNAR.search(text) or _MONTHS.search(text):
        return None
    found = {
        _month(match, today)
        for pattern in (_MONTH_WORDS, _MONTH_FIGURES, _MONTH_BLOCK)
        for match in pattern.finditer(text)
        if re.match(then, text[match.end() :])
    }
    return found.pop() if len(found) == 1 else None


def find_year(text: str, *, today: date) -> int | None:
    """The one year that a text names with 年 behind it (属龙的76年, 1976年); None if none or several."""
    found = {_calendar_year(match["year"], today) for match in _YEAR_ONLY.finditer(text)}
    return found.pop() if len(found) == 1 else None


def read_month(text: str, *, today: date, known_year: int | None = None) -> Month:
    """A month with its year: 1976年3月, 76.3, 七六年三月, 1976-03-15, 属龙的76年3月.

    Args:
        text: the whole reply.
        today: two-digit years are not after its year.
        known_year: told before; then the month alone is enough (3月, 三月份).

    Raises:
        InvalidInput: there is no such month in it.
    """
    said = tidy(text)
    if _LUNAR.search(said):
        raise InvalidInput("请按身份证上的公历（阳历）年月说，比如 1976年3月。")
    month = find_month(said, today=today)
    if month is not None:
        return month
    if short := _MONTH_SHORT.fullmatch(said.removesuffix("生").removesuffix("出")):
        return _month(short, today)
    if known_year is not None and (
        alone := re.fullmatch(rf"(?P<m>{MONTH})(?:月份?)?(?:出?生)?的?(?:人|吧|呀|啊)?", said.removeprefix("是"))
    ):
        value = number(alone["m"])
        assert value is not None
        return Month(known_year, int(value))
    year = find_year(said, today=today)
    if year is None and re.fullmatch(r"(?:19|20)\d\d", said):
        year = int(said)
    if year is not None:
        raise InvalidInput(f"还要知道月份，请把年和月一起发给我，比如 {year}年3月。")
    raise InvalidInput(f"“{_shown(text)}”我没看懂是哪年哪月，请这样发：1976年3月。")


_DATE = re.compile(
    rf"(?<![\d{HAN}])(?:(?P<year>(?:19|20)?\d\d|[一二][九零〇][{_HAN_DIGIT}]{{2}}|今|去|前|明)年的?)?(?P<month>{MONTH})月"
    rf"(?P<day>\d{{1,2}}|[一二三]?十[一二三四五六七八九]?|[一二三四五六七八九]|末|底)(?![\d{HAN}])(?:日|号)?"
)
_DATE_FIGURES = re.compile(
    r"(?<![\d.\-/])(?P<year>(?:19|20)\d\d)(?P<between>[-./])(?P<month>\d{1,2})(?P=between)(?P<day>\d{1,2})(?![\d.\-/])"
    r"|(?<!\d)(?P<block>(?:19|20)\d{6})(?!\d)"
)
_RELATIVE = {"今": 0, "去": -1, "前": -2, "明": 1}


def _day(match: re.Match[str], today: date) -> date:
    """The day of a match of one of the two patterns.  Raises: ValueError: the calendar has none; its text names it."""
    parts = match.groupdict()
    if block := parts.get("block"):
        year, month, day = int(block[:4]), int(block[4:6]), int(block[6:])
    else:
        told = parts["year"]
        year = (
            today.year + _RELATIVE.get(told or "今", 0) if told in (None, *_RELATIVE) else _calendar_year(told, today)
        )
        month = int(number(parts["month"]) or 0)
        if parts["day"] in ("末", "底"):
            return date(year, month, calendar.monthrange(year, month)[1])
        day = int(number(parts["day"]) or 0)
    try:
        return date(year, month, day)
    except ValueError:
        raise ValueError(f"{year}年{month}月{day}日") from None


def find_date(text: str, *, today: date, then: str = "", before: str = "") -> date | None:
    """The one day that a text names (2026年7月1日, 2026-7-1, 今年6月底); None if none, several, or one that no calendar has.

    Args:
        text: tidy text.
        today: a day without a year is in its year.
        then: regular expression of what has to follow it (入职).
        before: regular expression of what may stand before it instead (入职日期是).
    """
    if _DAYS.search(text):
        return None
    found = set()
    for pattern in (_DATE, _DATE_FIGURES):
        for match in pattern.finditer(text):
            led = bool(before) and re.search(rf"(?:{before})$", text[: match.start()]) is not None
            if not led and re.match(then, text[match.end() :]) is None:
                continue
            try:
                found.add(_day(match, today))
            except ValueError:
                return None
    return found.pop() if len(found) == 1 else None


def read_date(text: str, *, today: date, known_month: Month | None = None) -> date:
    """A day: 2026年3月15日, 2026-3-15, 20260315, 三月十五号 (of this year), 去年12月1号, 6月底, 今天.

    Args:
        text: the whole reply.
        today: a day without a year is in its year.
        known_month: told before; then the day alone is enough (15号).

    Raises:
        InvalidInput: there is no such day in it, there are several, or the calendar has no such day.
    """
    said = tidy(text)
    if said in ("今天", "今日"):
        return today
    try:
        days = {_day(match, today) for pattern in (_DATE, _DATE_FIGURES) for match in pattern.finditer(said)}
        if len(days) == 1 and not _DAYS.search(said):
            return days.pop()
        if known_month is not None and (alone := re.fullmatch(rf"(?:是|就是)?(?P<d>{NUMBER})[日号]?(?:的|吧)?", said)):
            day = number(alone["d"])
            if day is not None and day == day.to_integral_value() and 1 <= day <= 31:
                return date(known_month.year, known_month.month, int(day))
    except ValueError as error:
        shown = str(error) if "年" in str(error) else f"{known_month.chinese}{said}" if known_month else said
        raise InvalidInput(f"日历上没有{shown}，请再看一下。") from None
    raise InvalidInput(f"“{_shown(text)}”我没看懂是哪一天，请这样发：{today.year}年3月15日。")


def elapsed(start: date, end: date) -> Decimal:
    """The months from a day to another: full ones, and a thirtieth for each day more."""
    months = (end.year - start.year) * 12 + end.month - start.month
    last = calendar.monthrange(end.year, end.month)[1]
    if end.day < min(start.day, last):
        months -= 1
    turn = Month.of(start).plus(months)
    since = date(turn.year, turn.month, min(start.day, calendar.monthrange(turn.year, turn.month)[1]))
    return (months + Decimal(min((end - since).days, 29)) / 30).quantize(Decimal("0.01"))


def near_half_year(start: date, today: date) -> bool:
    """Whether a day earlier or later puts the time since a day on the other side of a half year."""

    def side(end: date) -> tuple[Decimal, bool]:
        halves, rest = divmod(elapsed(start, end), 6)
        return halves, rest == 0

    return start < today and side(today - timedelta(days=1)) != side(today + timedelta(days=1))


# --- yes and no, and nothing -----------------------------------------------------------------------------------------

_YES = frozenset(
    (
        "是",
        "是的",
        "对",
        "对的",
        "有",
        "有的",
        "提前了",
        "通知了",
        "嗯",
        "要",
        "yes",
        "y",
        "true",
        "1",
        "好",
        "可以",
        "当然",
    )
)
_NO = frozenset(
    (
        "否",
        "不",
        "不是",
        "没",
        "没有",
        "无",
        "没通知",
        "没提前",
        "不对",
        "no",
        "n",
        "false",
        "0",
        "没有的",
        "从没",
        "未",
    )
)
_SKIP = frozenset(
    (
        "",
        "跳过",
        "不知道",
        "不清楚",
        "不晓得",
        "不记得",
        "忘了",
        "记不清",
        "不确定",
        "略",
        "没注意",
        "不用",
        "算了",
        "随便",
        "none",
        "null",
    )
)


def read_yes(text: str) -> bool:
    """Yes or no.

    Raises:
        InvalidInput: it is neither.
    """
    said = re.sub(r"[\s,，。.!！?？~啊呀哦吧呢了]+$", "", tidy(text)) or tidy(text)
    if said in _YES:
        return True
    if said in _NO:
        return False
    raise InvalidInput("请回答“是”或“否”。")


def skips(text: str) -> bool:
    """Whether a reply says that there is nothing to tell: 跳过, 不知道."""
    return re.sub(r"[\s,，。.!！?？~啊呀哦吧呢了]+$", "", tidy(text)) in _SKIP or tidy(text) in _SKIP


def _shown(text: str) -> str:
    """A reply as an error shows it: short, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= 20 else line[:20] + "…"
