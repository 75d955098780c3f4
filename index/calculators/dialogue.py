"""A calculator as a conversation: what is still to be asked, and what a reply to that means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import Any, Self

from bot.errors import InvalidInput
from index.calculators import CALCULATORS
from index.calculators.form import Calculator, Field, Request, Result
from index.calculators.numbers import NUMBER, tidy

MAX_REFUSED = 2
"""After so many replies in a row that make no value, the calculation is given up."""


@dataclass(frozen=True)
class Open:
    """A calculation that waits for an input; travels in the conversation's memory as JSON."""

    calculator: str
    inputs: Mapping[str, str]
    hints: Mapping[str, str] = field(default_factory=dict)
    refused: int = 0
    local: Mapping[str, str] = field(default_factory=dict)
    """The region's own figures, by field: taken where the citizen says nothing else"""

    @property
    def known(self) -> dict[str, str]:
        """What was told, and the region's own figures besides."""
        return {**self.local, **self.inputs}

    def telling(self, inputs: Mapping[str, str]) -> Open:
        """The same with other inputs."""
        return replace(self, inputs=inputs, refused=0)

    def to_json(self) -> dict[str, Any]:
        """A JSON value."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self | None:
        """None for what an older version left that is no calculation any more."""
        try:
            opened = cls(
                raw["calculator"],
                dict(raw["inputs"]),
                dict(raw.get("hints") or {}),
                int(raw["refused"]),
                dict(raw.get("local") or {}),
            )
        except (KeyError, TypeError, ValueError):
            return None
        return opened if opened.calculator in CALCULATORS else None


@dataclass(frozen=True)
class Step:
    """What comes of a message: a question (with what stays open) or a result, whose inputs may still be changed."""

    calculator: Calculator
    open: Open | None = None
    text: str = ""
    result: Result | None = None
    asked: Field | None = None
    """What the text asks for"""


@dataclass(frozen=True)
class Told:
    """An input as it was understood."""

    label: str
    said: str


_BACK = re.compile(r"(?:返回|上一步|上一个|退回|后退|回到?上一步|改上一(?:步|个))(?:吧|了|去)?")
_CHANGE = re.compile(r"(?:改|换|修改|改一下|换一下|更正)(?:一下)?(?P<label>.{1,12}?)(?:吧|了)?")


def goes_back(text: str) -> bool:
    """Whether a message wants the question before once more."""
    return _BACK.fullmatch(tidy(text)) is not None


def told(calculator: Calculator, opened: Open, today: date) -> list[Told]:
    """The inputs so far, as they were understood, in the order of the fields; skipped ones left out."""
    found = []
    for one in calculator.fields:
        raw = opened.known.get(one.name)
        value = one.parse(raw, today=today) if raw else None
        if value is not None:
            found.append(Told(one.label, one.say(value).removeprefix(one.label).lstrip("：")))
    return found


def begin(request: Request, *, today: date, local: Mapping[str, str] = {}) -> Step:
    """The first step for what a question tells.  Inputs that make no sense together are asked for anew.

    Args:
        local: the region's own figures by field, as text: not asked for.
    """
    opened = Open(request.calculator, request.inputs, request.hints, local=local)
    return _next(CALCULATORS[request.calculator], opened, today)


def advance(opened: Open, text: str, *, today: date) -> Step | None:
    """The next step, if ``text`` answers what was asked, goes back, changes an input, or tells several at once; None if it is
    something else, or was unclear too often."""
    calculator = CALCULATORS[opened.calculator]
    if (without := _taken_back(calculator, opened, text)) is not None:
        asked_anew = opened.telling({name: said for name, said in opened.inputs.items() if name != without})
        asked_anew = replace(
            asked_anew,
            local={name: said for name, said in opened.local.items() if name != without},
            hints={**opened.hints, without: ""} if without in opened.local else opened.hints,
        )
        return _asks(calculator, asked_anew, calculator.field_named(without))
    asked = calculator.next_field(opened.known, opened.hints)
    if asked is None:
        return None
    if goes_back(text):  # nothing was told yet
        return _asks(calculator, opened, asked)
    if (several := _several(calculator, opened, asked, text, today)) is not None:
        return _next(calculator, opened.telling(several), today)
    try:
        asked.parse(text, today=today, hint=opened.hints.get(asked.name))
    except InvalidInput as error:
        if opened.refused + 1 >= MAX_REFUSED or not _short(text):
            return None
        again = replace(opened, refused=opened.refused + 1)
        return Step(calculator, again, str(error), asked=asked)
    hint = opened.hints.get(asked.name)
    inputs = {**opened.inputs, asked.name: _told(asked, text, hint, today)}
    return _next(calculator, opened.telling(inputs), today)


def _taken_back(calculator: Calculator, opened: Open, text: str) -> str | None:
    """The name of the input that is to be told anew: the last one (返回), or the one that is named (改出生年月)."""
    if goes_back(text):
        return next(reversed(list(opened.inputs)), None)
    match = _CHANGE.fullmatch(tidy(text))
    if match is None:
        return None
    wanted = match["label"]
    named = [one for one in calculator.fields if one.name in opened.known]
    named.sort(key=lambda one: tidy(one.label) != wanted)  # 月平均工资 is a part of 当地上年度职工月平均工资
    return next((one.name for one in named if wanted in tidy(one.label) or tidy(one.label) in wanted), None)


def _several(calculator: Calculator, opened: Open, asked: Field, text: str, today: date) -> dict[str, str] | None:
    """Inputs with those that a message tells besides what was asked for, in any order (女 1975年3月); None where it is not all understood."""
    apart = re.sub(
        r"(?<=[男女])(?:的)?(?=[\d一二三四五六七八九])|(?<=月)(?:的)?(?=[男女])|(?<=年)(?:的)?(?=[男女])", " ", text
    )
    pieces = [piece for piece in re.split(r"[,，、;；。\s]+", apart) if piece]
    if len(pieces) < 2 and _reads(asked, text, opened.hints.get(asked.name), today):
        return None
    found = dict(opened.inputs)
    taken = 0
    for piece in pieces:
        wanted = [asked, *(one for one in calculator.fields if one is not asked)]
        open_ = [one for one in wanted if one.name not in found and (one is asked or _tells(one, piece))]
        name = next((one.name for one in open_ if _reads(one, piece, opened.hints.get(one.name), today)), None)
        if name is not None:
            one = calculator.field_named(name)
            found[name] = _told(one, piece, opened.hints.get(name), today)
            taken += 1
        elif not any(_half_told(one, piece) for one in open_ + [one for one in wanted if one.name not in found]):
            return None
    return found if taken else None


def _tells(one: Field, piece: str) -> bool:
    """Whether a piece may tell a field that was not asked for: by its form alone, never a bare number."""
    if one.local:
        return False  # nobody tells by the way what their city's figure is
    match one.kind:
        case "month" | "date":
            return "月" in piece or "年" in piece
        case "choice":
            return not any(character.isdigit() for character in piece)
        case "money":
            return any(unit in piece for unit in "元块万千")
        case _:
            return False


def _reads(one: Field, piece: str, hint: str | None, today: date) -> bool:
    try:
        return one.parse(piece, today=today, hint=hint) is not None
    except InvalidInput:
        return False


def _half_told(one: Field, piece: str) -> bool:
    """Whether a piece leaves some of a field's choices (女): it is asked which."""
    said = tidy(piece).rstrip("的性")
    return one.kind == "choice" and any(said in choice.label for choice in one.choices)


def _told(asked: Field, text: str, hint: str | None, today: date) -> str:
    """The reply as text that needs no hint any more; empty if it was skipped."""
    value = asked.parse(text, today=today, hint=hint)
    return "" if value is None else (str(value) if asked.kind in ("month", "choice", "date") else text)


def _next(calculator: Calculator, opened: Open, today: date) -> Step:
    missing = calculator.next_field(opened.known, opened.hints)
    if missing is not None:
        return _asks(calculator, opened, missing)
    try:
        return Step(calculator, opened, result=calculator.compute(opened.known, today=today))
    except InvalidInput as error:
        return Step(calculator, text=str(error))


def _asks(calculator: Calculator, opened: Open, field: Field) -> Step:
    return Step(calculator, opened, ask(field), asked=field)


def ask(one: Field) -> str:
    """The question for a field, with its choices numbered."""
    if one.kind != "choice":
        return one.question
    return "\n".join([one.question, *(f"{place}. {choice.label}" for place, choice in enumerate(one.choices, 1))])


def _short(text: str) -> bool:
    """Whether a text can be meant as one value: a longer one, or one that asks, is something new.

    One that holds a number may be longer: 大概八千到一万之间吧不太固定.
    """
    most = 24 if re.search(NUMBER, tidy(text)) else 12
    return len(text.strip()) <= most and not any(sign in text for sign in "?？吗呢怎咋")
