"""``hear``: two ears for danger.  The patterns of ``bot.guards`` are the floor; the classifier adds to them.

A short message that a pattern hits says no more than that: it always gets the card.  A longer one shows what it is about, so
there a pattern is doubtful (癫痫十年没发作了，能不能考驾照): the classifier may make a caring question of it, or take it away where it
holds a danger for next to impossible.  Who speaks of dying, or cries for help, is never taken away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bot import guards
from bot.danger import Kind
from index.danger.classifier import Limits, bundled

Level = Literal["card", "question"]

CARE: frozenset[Kind] = frozenset({"suicide_self", "suicide_other"})
_TERSE, _LONG = 3, 60
"""In fewer than four characters only the patterns are heard; in a long letter, which has every word in it, the classifier asks at
most, and only where it is surest"""
_SHORT = 8
"""A pattern in a message of up to so many characters is never doubtful"""
_CALM_AT, _SURE_AT = 0.02, 0.1
"""A doubtful one counts for nothing where the classifier holds a danger for less likely than the first, and for the caring
question only below the second"""


@dataclass(frozen=True)
class Heard:
    """Danger in a message."""

    kinds: tuple[Kind, ...]
    """The gravest or likeliest first"""
    level: Level
    """The card; or the caring question, where it may be a danger and may be none"""
    probability: float
    """As the classifier sees it, 0…1"""
    by: Literal["patterns", "classifier"]


def hear(text: str, *, open_: bool = False, reply: bool = False) -> Heard | None:
    """The danger that a message tells of, or None.

    Args:
        open_: a danger was just spoken of: then less is enough.
        reply: it may be the reply to what was asked back (瘫床上的那种): then the classifier has to be surer.
    """
    said = guards.dangers(text)
    classifier = bundled()
    if classifier is None:
        return Heard(said, "card", 1.0, "patterns") if said else None
    probability, likeliest = classifier.probability(text)
    found = level(text, said, probability, likeliest[0], classifier.limits, open_=open_, reply=reply)
    if found is None:
        return None
    by: Literal["patterns", "classifier"] = "patterns" if said else "classifier"
    return Heard(said or (likeliest[0],), found, probability, by)


def level(
    text: str,
    said: Sequence[Kind],
    probability: float,
    likeliest: Kind,
    limits: Limits,
    *,
    open_: bool = False,
    reply: bool = False,
) -> Level | None:
    """What a message gets of which the patterns say these kinds, and the classifier this probability and kind."""
    if said and (len(guards.plain(text)) <= _SHORT or probability >= _SURE_AT):
        return "card"
    if not said and (len(text.strip()) <= _TERSE or guards.option_number(text) is not None):
        return None
    if not said and (len(text) > _LONG or (reply and not open_)):
        return "question" if probability >= limits.card_at else None
    if probability >= limits.card_at or (open_ and probability >= limits.ask_at):
        return "card"
    doubted = bool(said) and (probability >= _CALM_AT or not CARE.isdisjoint(said) or guards.cries_for_help(text))
    ask_at = limits.care_at if likeliest in CARE else limits.ask_at
    if doubted or probability >= ask_at or (open_ and probability >= limits.open_at):
        return "question"
    return None
