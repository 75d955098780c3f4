"""A calculator as a conversation: what is still to be asked, and what a reply to that means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
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

    def to_json(self) -> dict[str, Any]:
        """A JSON value."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self | None:
        """None for what an older version left that is no calculation any more."""
        try:
            opened = cls(raw["calculator"], dict(raw["inputs"]), dict(raw.get("hints") or {}), int(raw["refused"]))
        except (KeyError, TypeError, ValueError):
            return None
        return opened if opened.calculator in CALCULATORS else None


@dataclass(frozen=True)
class Step:
    """What comes of a message: a question (with what stays open) or a result."""

    calculator: Calculator
    open: Open | None = None
    text: str = ""
    result: Result | None = None


def begin(request: Request, *, today: date) -> Step:
    """The first step for what a question tells.  Inputs that make no sense together are asked for anew."""
    return _next(CALCULATORS[request.calculator], Open(request.calculator, request.inputs, request.hints), today)


def advance(opened: Open, text: str, *, today: date) -> Step | None:
    """The next step, if ``text`` answers what was asked; None if it is something else, or was unclear too often."""
    calculator = CALCULATORS[opened.calculator]
    asked = calculator.next_field(opened.inputs, opened.hints)
    if asked is None:
        return None
    try:
        asked.parse(text, today=today, hint=opened.hints.get(asked.name))
    except InvalidInput as error:
        if opened.refused + 1 >= MAX_REFUSED or not _short(text):
            return None
        again = Open(opened.calculator, opened.inputs, opened.hints, opened.refused + 1)
        return Step(calculator, again, str(error))
    hint = opened.hints.get(asked.name)
    inputs = {**opened.inputs, asked.name: _told(asked, text, hint, today)}
    return _next(calculator, Open(opened.calculator, inputs, opened.hints), today)


def _told(asked: Field, text: str, hint: str | None, today: date) -> str:
    """The reply as text that needs no hint any more; empty if it was skipped."""
    value = asked.parse(text, today=today, hint=hint)
    return "" if value is None else (str(value) if asked.kind in ("month", "choice", "date") else text)


def _next(calculator: Calculator, opened: Open, today: date) -> Step:
    missing = calculator.next_field(opened.inputs, opened.hints)
    if missing is not None:
        return Step(calculator, opened, ask(missing))
    try:
        return Step(calculator, result=calculator.compute(opened.inputs, today=today))
    except InvalidInput as error:
        return Step(calculator, text=str(error))


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
