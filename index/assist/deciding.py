"""一句定案: where two answers are close, the one question that tells them apart, from what differs between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot import regions
from index.assist.listening import Suggestion, Topic
from index.assist.weights import band_of
from index.search.normalise import canonical, clean
from index.search.retriever import Item, Retriever
from index.search.terms import terms_in

_CLOSE = 0.35
"""The second one is close if it has so large a share of the first one's probability"""
_CLEAR = 0.93
"""and the first one is not as probable as this"""
_LIFT = 0.9
"""How probable the first one is at least once the question is answered"""
_NAME = 16
"""Characters of a name for an answer; what is longer is the item's whole question"""


@dataclass(frozen=True)
class Deciding:
    """A question for the caller, and what each answer means."""

    key: str
    """Names it within a call"""
    question: str
    answers: tuple[str, ...]
    """What may be answered, in the order of ``items``"""
    items: tuple[str, ...]
    """The item that each answer speaks for"""


def deciding(topic: Topic, retriever: Retriever) -> Deciding | None:
    """The question that tells the first two apart; None where the first one leads or nothing tells them apart."""
    if len(topic.suggestions) < 2:
        return None
    first, second = topic.suggestions[:2]
    if first.probability >= _CLEAR or second.probability < _CLOSE * first.probability:
        return None
    one, other = (retriever.items[retriever.place(each.qa_id)] for each in (first, second))
    names = _audiences(one, other) or _places(one, other) or _terms(one, other) or _questions(one, other)
    if names is None:
        return None
    how = "您问的是「{}」，还是「{}」？" if max(map(len, names)) > _NAME else "是{}，还是{}？"
    return Deciding(
        key="|".join(sorted((one.id, other.id))),
        question=how.format(*names),
        answers=names,
        items=(one.id, other.id),
    )


def settled_by(topic: Topic, question: Deciding, answer: str) -> Topic:
    """The topic once the question is answered: what it speaks for comes first, what it speaks against last."""
    if answer not in question.answers:
        return topic
    meant = question.items[question.answers.index(answer)]
    against = set(question.items) - {meant}

    def place(one: Suggestion) -> int:
        return 0 if one.qa_id == meant else 2 if one.qa_id in against else 1

    ordered = sorted(topic.suggestions, key=place)
    return replace(topic, suggestions=tuple(_lifted(one, one.qa_id == meant) for one in ordered))


def _lifted(one: Suggestion, meant: bool) -> Suggestion:
    probability = max(one.probability, _LIFT) if meant else one.probability * (1 - _LIFT)
    return replace(one, probability=probability, band=band_of(probability))


def _audiences(one: Item, other: Item) -> tuple[str, str] | None:
    names = {"个人": "个人办", "企业": "单位办"}
    if {one.audience, other.audience} == set(names):
        return names[one.audience], names[other.audience]
    return None


def _places(one: Item, other: Item) -> tuple[str, str] | None:
    if one.matter == other.matter and one.region != other.region:
        return regions.get(one.region).name, regions.get(other.region).name
    return None


def _terms(one: Item, other: Item) -> tuple[str, str] | None:
    """What one names and the other doesn't: of another matter its name, else a term of the question."""
    if one.matter != other.matter:
        return one.matter, other.matter
    mine, theirs = (_only(a, b) for a, b in ((one, other), (other, one)))
    return (mine, theirs) if mine and theirs and mine != theirs else None


def _only(item: Item, other: Item) -> str | None:
    """The longest term of an item's question that the other's wordings never use."""
    elsewhere = clean(" ".join(other.texts))
    found = [term for term in terms_in(clean(item.texts[0])) if term not in elsewhere and term not in item.matter]
    return max(found, key=len, default=None)


def _questions(one: Item, other: Item) -> tuple[str, str] | None:
    mine, theirs = (_short(item.texts[0]) for item in (one, other))
    return (mine, theirs) if canonical(mine) != canonical(theirs) else None


def _short(question: str) -> str:
    """The first question of an item's question."""
    return question.partition("？")[0].rstrip("?")


def answered(question: Deciding, said: Sequence[str]) -> str | None:
    """Which answer the caller's words name, if they name just one."""
    words = clean("".join(said))
    named = [answer for answer in question.answers if clean(answer) in words]
    return named[0] if len(named) == 1 else None
