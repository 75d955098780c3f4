"""What the calculators have in common: their fields, their results, and how text becomes values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

from bot.errors import InvalidInput
from bot.replies import Source
from index.calculators import reading
from index.calculators.numbers import tidy
from index.calculators.reading import Month

Kind = Literal["choice", "month", "length", "number", "money", "date", "bool", "hours"]
"""choice: one of ``choices``.  month: a :class:`Month`.  length: months, a Decimal.  money: yuan.  hours: hours of work."""

Value = str | Month | Decimal | date | bool

ANSWER_LENGTH = 260
"""Most characters of an answer on a phone's screen."""

WORKING_HOURS_A_DAY = 8


@dataclass(frozen=True)
class Choice:
    """One value of a choice, its label, and other words for it, the most telling first."""

    value: str
    label: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Field:
    """One thing that a calculator has to know.

    Attributes:
        name: the key in the inputs.
        label: in Chinese, for a form.
        question: what the assistant asks for it.
        kind: see :data:`Kind`.
        choices: for ``choice``.
        optional: whether the calculator can do without.
        ask: whether the assistant asks for it although it is optional; 不知道 is then an answer.
        default: the text that stands for nothing told.
        unit: in Chinese, for a form.
        least: smallest value of a number, an amount or a length (in months).
        most: largest one.
        exact: for ``length``: whether 七年多 is too vague.
        whole: for ``number``: whether it has to be an integer.
        local: the key of the local figure (``bot.local``) that stands for nothing told, where the region has one.
    """

    name: str
    label: str
    question: str
    kind: Kind
    choices: tuple[Choice, ...] = ()
    optional: bool = False
    ask: bool = False
    default: str | None = None
    unit: str = ""
    least: Decimal = Decimal(0)
    most: Decimal = Decimal(100_000_000)
    exact: bool = False
    whole: bool = False
    local: str = ""

    def parse(self, text: str, *, today: date | None = None, hint: str | None = None) -> Value | None:
        """The value of a reply; None where an optional field is skipped (跳过, 不知道).

        Args:
            text: as typed.
            today: in Beijing, by default.
            hint: what was already understood in part: for a month its year, for a day its month.

        Raises:
            InvalidInput: with a sentence that says what is expected.
        """
        today = today or beijing_today()
        if len(text) > 200:
            raise InvalidInput(f"太长了，请只回答：{self.question}")
        if reading.skips(text):
            if not self.optional:
                raise InvalidInput(f"没有“{self.label}”算不出来。{self.question}{self._listed()}")
            return None
        match self.kind:
            case "choice":
                return self._choice(text)
            case "month":
                return reading.read_month(text, today=today, known_year=int(hint) if hint else None)
            case "date":
                return reading.read_date(text, today=today, known_month=_known_month(hint))
            case "bool":
                return reading.read_yes(text)
            case "length":
                return self._bounded(self._length(text, today))
            case "money":
                return self._bounded(Decimal(0) if self._none(text) else reading.read_money(text))
            case "hours":
                return self._bounded(Decimal(0) if self._none(text) else _hours(text))
            case "number":
                value = Decimal(0) if self._none(text) else reading.read_number(text, self.unit)
                if self.whole and value != value.to_integral_value():
                    raise InvalidInput(f"{self.label}要是整数。")
                return self._bounded(value)

    def _length(self, text: str, today: date) -> Decimal:
        if self.least == 0 and self._none(text):
            return Decimal(0)
        return reading.read_length(text, exact=self.exact, today=today)

    @staticmethod
    def _none(text: str) -> bool:
        return tidy(text).rstrip("的。.") in ("没有", "没", "无", "没交", "不交", "零", "一点没有", "0")

    def _choice(self, text: str) -> str:
        said = tidy(text).strip("。.!！,，、()（） ")
        if said.isdecimal() and 1 <= int(said) <= len(self.choices):
            return self.choices[int(said) - 1].value
        for choice in self.choices:
            if said in (choice.value, tidy(choice.label)) or said in choice.words:
                return choice.value
        found = {choice.value for choice in self.choices if any(word in said for word in choice.words if len(word) > 1)}
        if len(found) == 1:
            return found.pop()
        raise InvalidInput(f"请选一个，回复序号就行：{self._listed()}。")

    def _listed(self) -> str:
        return "；".join(f"{place}. {choice.label}" for place, choice in enumerate(self.choices, 1))

    def _bounded(self, value: Decimal) -> Decimal:
        if value < self.least:
            raise InvalidInput(f"{self.label}不能小于{self._say(self.least)}。")
        if value > self.most:
            raise InvalidInput(f"{self.label}不会超过{self._say(self.most)}，请再看一下。")
        return value

    def say(self, value: Value) -> str:
        """A value with its name, as part of a sentence: 月工资10,000元."""
        match value:
            case bool():
                return f"{self.label}：{'是' if value else '否'}"
            case Month():
                said = value.chinese
            case date():
                said = f"{value.year}年{value.month}月{value.day}日"
            case Decimal():
                said = _grouped(value) if self.kind == "money" else self._say(value)
            case str():
                return next(choice.label for choice in self.choices if choice.value == value)
        return f"{self.label}{said}"

    def _say(self, value: Decimal) -> str:
        return say_length(value) if self.kind == "length" else f"{plain(value)}{self.unit}"


def _known_month(hint: str | None) -> Month | None:
    year, _, month = (hint or "").partition("-")
    return Month(int(year), int(month)) if month else None


def _hours(text: str) -> Decimal:
    """Hours of work; a day is eight of them (2天, 半天, 一天半)."""
    said = tidy(text)
    if said in ("半天", "半日"):
        return Decimal(WORKING_HOURS_A_DAY) / 2
    for unit, factor in (("天", WORKING_HOURS_A_DAY), ("日", WORKING_HOURS_A_DAY)):
        if unit in said:
            return reading.read_number(said, "天") * factor
    return reading.read_number(said, "小时")


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a calculator found; each calculator adds its figures.

    Attributes:
        headline: the figure first, one sentence.
        basis: the inputs that it was worked out from, one sentence, so that a misreading is seen.
        points: what belongs to it, a line each.
        steps: how it was worked out, a line each, ready to be shown.
        sources: the rules it rests on.
        caveats: what it does not know, the weightiest first.
    """

    headline: str
    basis: str = ""
    points: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    caveats: tuple[str, ...] = ()

    def to_answer_text(self) -> str:
        """The headline, the basis, the points and as many caveats as fit into :data:`ANSWER_LENGTH` characters."""
        text = "\n".join(filter(None, (self.headline, self.basis, *self.points)))
        for place, caveat in enumerate(self.caveats):
            longer = text + ("\n注意：" if place == 0 else "") + caveat
            if len(longer) > ANSWER_LENGTH:
                break
            text = longer
        return text

    def figures(self) -> dict[str, Any]:
        """The calculator's own figures, as JSON knows them: amounts and months are strings."""
        common = {one.name for one in fields(Result)}
        return {one.name: _json(getattr(self, one.name)) for one in fields(self) if one.name not in common}


def _json(value: object) -> Any:
    if isinstance(value, tuple):
        return [_json(one) for one in value]
    return value if value is None or isinstance(value, (bool, int)) else str(value)


@dataclass(frozen=True)
class Calculator:
    """A rule that can be worked out for one person.

    Attributes:
        id: stable, for REST and the dialogue.
        title: in Chinese.
        matter: the matter whose questions it belongs to.
        rests_on: the titles of the documents that its rule is taken from.
        fields: what it has to know, in the order of asking; they are the attributes of ``inputs``.
        inputs: the frozen dataclass that ``formula`` takes.
        formula: a pure function of the inputs and of today.
    """

    id: str
    title: str
    matter: str
    rests_on: tuple[str, ...]
    fields: tuple[Field, ...]
    inputs: Callable[..., Any] = field(repr=False)
    formula: Callable[[Any, date], Result] = field(repr=False)

    def field_named(self, name: str) -> Field:
        """The field of a name.

        Raises:
            InvalidInput: there is none.
        """
        for one in self.fields:
            if one.name == name:
                return one
        raise InvalidInput(f"{self.title}没有“{name}”这一项。")

    def next_field(self, inputs: Mapping[str, object], hints: Mapping[str, str] = {}) -> Field | None:
        """What to ask next: the first field that is needed, worth asking or told in part, and not in the inputs.

        A skipped one counts as told.
        """
        missing = (one for one in self.fields if one.name not in inputs)
        return next((one for one in missing if one.ask or not one.optional or one.name in hints), None)

    def compute(self, inputs: Mapping[str, object], *, today: date | None = None) -> Result:
        """Work it out.

        Args:
            inputs: by field name: text as typed, or the value itself; None and "" mean: not told.
            today: in Beijing, by default.

        Raises:
            InvalidInput: a field is missing, unknown or nonsense.
        """
        today = today or beijing_today()
        for name in inputs:
            self.field_named(name)
        values: dict[str, Value | None] = {}
        told: list[str] = []
        for one in self.fields:
            raw = inputs.get(one.name)
            text = "" if raw is None else as_text(raw)
            value = one.parse(text, today=today) if text.strip() or not one.optional else None
            default = None if one.default is None else one.parse(one.default, today=today)
            if value is not None and value != default:
                told.append(one.say(value))
            values[one.name] = default if value is None else value
        result = self.formula(self.inputs(**values), today)
        return replace(result, basis=f"按{'、'.join(told)}计算。")


@dataclass(frozen=True)
class Request:
    """A calculation that a question asks for.

    Attributes:
        calculator: its id.
        inputs: what the question tells, as texts that the fields read; can be kept as JSON.
        hints: what it tells in part: the year of a month, the month of a day, or nothing but that it matters (""); to be
            passed to :meth:`Field.parse`.
    """

    calculator: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    hints: Mapping[str, str] = field(default_factory=dict)


def as_text(value: object) -> str:
    """A value in the form that its field reads back."""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, float):
        return f"{Decimal(str(value)):f}" if abs(value) < 1e15 else str(value)
    return str(value)


def as_length(months: Decimal) -> str:
    """A length of time in the form that its field reads back."""
    return f"{months.normalize():f}个月"


def beijing_today() -> date:
    """Today's date in China."""
    return datetime.now(ZoneInfo("Asia/Shanghai")).date()


# --- saying figures --------------------------------------------------------------------------------------------------

_FEN = Decimal("0.01")


def to_fen(amount: Decimal) -> Decimal:
    """Rounded to the fen, half up."""
    return amount.quantize(_FEN, ROUND_HALF_UP)


def plain(value: Decimal | int) -> str:
    """A number without needless zeros: 5, 2.5."""
    value = Decimal(value)
    return str(int(value)) if value == value.to_integral_value() else f"{value.normalize():f}"


def _grouped(amount: Decimal) -> str:
    """An amount with its thousands apart, so that a digit too few is seen: 10,000元, 3,500.50元."""
    return f"{to_fen(amount):,}".removesuffix(".00") + "元"


def yuan(amount: Decimal) -> str:
    """An amount: 8000元, 4597.70元."""
    amount = to_fen(amount)
    return f"{int(amount)}元" if amount == amount.to_integral_value() else f"{amount}元"


def say_length(months: Decimal | int) -> str:
    """A length of time: 6年6个月, 15年, 8个月; part months as 不足1个月 more is 多."""
    months = Decimal(months)
    years, rest = divmod(int(months), 12)
    text = (f"{years}年" if years else "") + (f"{rest}个月" if rest else "")
    if months != int(months):
        days = ((months - int(months)) * 30).to_integral_value(ROUND_HALF_UP)
        return f"{text}零{days}天" if text else f"{days}天"
    return text or "0个月"


def say_age(months: int) -> str:
    """An age: 60岁, 60岁1个月."""
    years, rest = divmod(months, 12)
    return f"{years}岁" + (f"{rest}个月" if rest else "")
