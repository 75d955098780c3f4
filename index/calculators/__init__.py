"""Calculators: rules that can be worked out for one person, each a pure function with its source and its steps.

``CALCULATORS`` holds them by id; ``recognise`` reads from a question which one it asks for and what it tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from bot.local import figures
from bot.local.slots import number
from bot.replies import Local
from bot.settings import Settings
from index.calculators.form import Calculator, Choice, Field, Request, Result
from index.calculators.income_tax import ANNUAL_TAX, BONUS_TAX, MONTHLY_TAX
from index.calculators.leave import ANNUAL_LEAVE, LEAVE_PAY
from index.calculators.overtime import OVERTIME
from index.calculators.recognise import recognise
from index.calculators.retirement import RETIREMENT
from index.calculators.severance import SEVERANCE
from index.calculators.unemployment import UNEMPLOYMENT

CALCULATORS: dict[str, Calculator] = {
    one.id: one
    for one in (
        RETIREMENT,
        UNEMPLOYMENT,
        ANNUAL_LEAVE,
        LEAVE_PAY,
        SEVERANCE,
        MONTHLY_TAX,
        BONUS_TAX,
        ANNUAL_TAX,
        OVERTIME,
    )
}
"""By id."""


def of_matter(matter: str | None) -> Calculator | None:
    """The one calculator of a matter; None where there is none, or several: which is meant nobody has said."""
    found = [one for one in CALCULATORS.values() if one.matter == matter]
    return found[0] if len(found) == 1 else None


@dataclass(frozen=True)
class LocalInput:
    """A region's own figure as a calculator's input."""

    text: str
    """As its field reads it"""
    figure: Local


def local_figures(
    session: Session, settings: Settings, calculator: str, region: str, today: date
) -> dict[str, LocalInput]:
    """By field, the region's own figures that a calculator takes where nothing else is told."""
    wanted = {one.name: one.local for one in CALCULATORS[calculator].fields if one.local}
    found = figures.by_key(session, settings, wanted.values(), region, today)
    return {
        name: LocalInput(f"{amount:f}", found[key])
        for name, key in wanted.items()
        if key in found and (amount := number(found[key].value)) is not None
    }


RULES_AS_OF = date(2026, 11, 1)
"""The day on which all their rules were checked against the law in force"""

__all__ = [
    "CALCULATORS",
    "RULES_AS_OF",
    "Calculator",
    "Choice",
    "Field",
    "LocalInput",
    "Request",
    "Result",
    "local_figures",
    "of_matter",
    "recognise",
]
