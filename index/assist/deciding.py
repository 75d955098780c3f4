"""一句定案: where two answers are close, the one question that tells them apart, from what differs between them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot import regions
from index.assist.listening import SHOWN, Suggestion, Topic
from index.assist.weights import band_of
from index.search import tokenize
from index.search.normalise import canonical, clean
from index.search.retriever import Item, Retriever
from index.search.terms import terms_in

_CLEAR = 0.9
"""Whatever is so probable needs no question"""
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


def deciding(topic: Topic, retriever: Retriever, said: str) -> Deciding | None:
    """The question that tells the first item from the nearest other one; None where what was said tells them apart already.

    Two items are close if each has words of its own (职工 and 居民, 首次 and 补领) and the caller has used neither's, or both's.

    Args:
        said: all that the caller said.
    """
    if not topic.suggestions or topic.suggestions[0].probability >= _CLEAR:
        return None
    first, *others = (retriever.items[retriever.place(one.qa_id)] for one in (*topic.suggestions, *topic.near))
    words = clean(said)
    for other in others:
        if other.matter != first.matter and not _akin(first, other):
            continue
        if _says(words, first, other) != _says(words, other, first):
            continue
        names = _audiences(first, other) or _places(first, other) or _terms(first, other) or _questions(first, other)
        if names is not None:
            return _asked(first, other, names)
    return None


def _asked(one: Item, other: Item, names: tuple[str, str]) -> Deciding:
    how = "您问的是「{}」，还是「{}」？" if max(map(len, names)) > _NAME else "是{}，还是{}？"
    key = "|".join(sorted((one.id, other.id)))
    return Deciding(key, how.format(*names), names, (one.id, other.id))


def _words(item: Item) -> set[str]:
    return {word for word in tokenize.words(clean(f"{item.matter} {item.texts[0]}")) if len(word) > 1}


def _akin(one: Item, other: Item) -> bool:
    """Whether two items of different matters ask the same thing of near kinds (职工养老, 居民养老)."""
    return bool({*terms_in(clean(one.texts[0])), *_words(one)} & {*terms_in(clean(other.texts[0])), *_words(other)})


def _says(said: str, item: Item, other: Item) -> bool:
    """Whether a word that only this item has was said."""
    return any(word in said for word in _words(item) - _words(other))


def settled_by(topic: Topic, question: Deciding, answer: str) -> Topic:
    """The topic once the question is answered: what it speaks for comes first, what it speaks against last."""
    if answer not in question.answers:
        return topic
    meant = question.items[question.answers.index(answer)]
    against = set(question.items) - {meant}

    def place(one: Suggestion) -> int:
        return 0 if one.qa_id == meant else 2 if one.qa_id in against else 1

    ordered = sorted((*topic.suggestions, *topic.near), key=place)[:SHOWN]
    first = topic.suggestions[0].probability
    return replace(topic, suggestions=tuple(_lifted(one, first if one.qa_id == meant else None) for one in ordered))


def _lifted(one: Suggestion, first: float | None) -> Suggestion:
    """``first``: of what is meant, how probable the first one was before; None: it is not meant."""
    probability = one.probability * (1 - _LIFT) if first is None else max(one.probability, first, _LIFT)
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
