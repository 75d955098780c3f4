"""Why a question is looked at, and how much it would help to do something about a group of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.clock import SHANGHAI

WHY = {
    "unanswered": "没有答上",
    "vain": "反问了没有选",
    "useless": "点了没用",
    "refused": "说不是这个",
    "agent": "坐席用了别的",
    "rephrased": "换了说法再问",
    "margin": "把握在边上",
    "act": "可能听错了意图",
    "danger": "可能漏了险情",
}
"""Why a question is here, and what the staff reads of it"""
_MISSING = {
    "unanswered": 1.0,
    "vain": 0.8,
    "useless": 1.0,
    "refused": 1.0,
    "agent": 1.0,
    "rephrased": 0.7,
    "margin": 0.3,
    "act": 0.5,
    "danger": 3.0,
}
"""What is missing for the citizen; a wrong answer counts as much as none, a danger more than both"""
DAYS = 14
"""Days of the trend"""
WEEK = 7
OF_ONE = 2
"""So many questions of one person count in a group in a week: a crowd of one is no crowd"""
_MARGIN = 0.03
"""So near above the limit for an answer it might as well have been none"""
_LEAST, _KNOWN = 0.1, 0.95
"""Probability that we could answer: where nothing is near, and where somebody has shown the item"""


def reasons(row: Any, *, danger: bool = False) -> tuple[str, ...]:
    """Why a question is looked at; empty: nothing went wrong with it.

    Args:
        row: of ``Asked``, or with the same names.
        danger: see ``ReviewMember.danger``.
    """
    found = []
    nothing = not (row.chosen or row.agent_qa or row.helpful or row.ticket)
    if row.decision in ("offer", "passages", "not_ours") and nothing:
        found.append("unanswered")
        if row.act not in ("ask_policy", "follow_up"):
            found.append("act")
    if row.decision == "clarify" and not row.chosen and not row.helpful and not row.agent_qa:
        found.append("vain")
    if row.helpful is False:
        found.append("useless")
    if row.refused:
        found.append("refused")
    if row.agent_qa and row.agent_qa != row.qa_id:
        found.append("agent")
    if row.rephrased:
        found.append("rephrased")
    limit = (row.found or {}).get("answer_at" if row.certainty == "sure" else "likely_at")
    known = row.certainty and row.probability is not None and limit is not None
    if known and not row.helpful and 0 <= row.probability - limit < _MARGIN:
        found.append("margin")
    if danger:
        found.append("danger")
    return tuple(found)


def shown_item(row: Any) -> str | None:
    """The item that somebody has shown to be the right one."""
    if row.agent_qa and not row.agent_edited:
        return str(row.agent_qa)
    return row.chosen or (row.qa_id if row.helpful and not row.refused else None)


@dataclass(frozen=True)
class Figures:
    """What a group's open questions come to; see ``ReviewGroup``."""

    texts: int
    asked: int
    days: list[int]
    week: int
    over: int
    why: dict[str, int]
    candidate: str | None
    matter: str | None
    could: float
    missing: float
    help: float
    last_at: datetime | None
    example: str | None


@dataclass(frozen=True)
class Asking:
    """A question, as far as figures are concerned."""

    row: Any
    """See ``reasons``"""
    text: str
    danger: bool = False


def figures(questions: Iterable[Asking], now: datetime) -> Figures:
    """What they come to."""
    each = sorted(questions, key=lambda one: (one.row.at, one.row.id))
    today = now.astimezone(SHANGHAI).date()
    days = [0] * DAYS
    people: Counter[str] = Counter()
    raw = 0
    for one in each:
        ago = (today - one.row.at.astimezone(SHANGHAI).date()).days
        if 0 <= ago < DAYS:
            days[DAYS - 1 - ago] += 1
        if now - one.row.at <= timedelta(days=WEEK):
            raw += 1
            people[one.row.person or one.row.id] += 1
    week = sum(min(count, OF_ONE) for count in people.values())
    why: Counter[str] = Counter()
    missing = 0.0
    for one in each:
        found = reasons(one.row, danger=one.danger)
        why.update(found)
        missing += max((_MISSING[name] for name in found), default=0.0)
    missing = missing / len(each) if each else 0.0
    candidate, could = _could(each)
    texts = Counter(one.text for one in each)
    most = max(texts.items(), key=lambda pair: (pair[1], pair[0]))[0] if texts else None
    return Figures(
        texts=len(texts),
        asked=len(each),
        days=days,
        week=week,
        over=raw - week,
        why=dict(sorted(why.items())),
        candidate=candidate,
        matter=_commonest([one.row.matter for one in each]),
        could=could,
        missing=missing,
        help=week * could * missing,
        last_at=each[-1].row.at if each else None,
        example=next((one.row.id for one in reversed(each) if one.text == most), None),
    )


def _could(each: Sequence[Asking]) -> tuple[str | None, float]:
    """The item that answers them most likely, and the probability that we could answer."""
    shown = _commonest([shown_item(one.row) for one in each])
    if shown is not None:
        return shown, _KNOWN
    refused = {one.row.qa_id for one in each if one.row.refused or one.row.helpful is False}
    first: Counter[str] = Counter()
    for one in each:
        for found in _candidates(one.row.found)[:3]:
            if found["qa_id"] not in refused:
                first[found["qa_id"]] += 1
                break
    likely = [one.row.probability for one in each if one.row.probability is not None]
    could = max(_LEAST, sum(likely) / len(likely)) if likely else _LEAST
    return _commonest(list(first.elements())), could


def _candidates(found: Mapping[str, Any] | None) -> Sequence[Mapping[str, Any]]:
    candidates: Sequence[Mapping[str, Any]] = (found or {}).get("candidates", ())
    return candidates


def _commonest(values: Sequence[str | None]) -> str | None:
    counts = Counter(value for value in values if value)
    return max(counts, key=lambda value: (counts[value], value)) if counts else None
