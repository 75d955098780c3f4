"""Each figure of an evaluation, made in one place, for every register and for all of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training import fit
from training.evaluate.citizen import OUTCOMES, Asked
from training.evaluate.questions import REPLIES, Style

_Z = 1.959964
"""Of the normal distribution: 95 % lie within"""

ALL = "all"
"""The name of all registers together"""

REGISTERS = {
    "questions": "提问",
    "spoken": "口语",
    "letters": "来信",
    "short": "极短",
    REPLIES: "回复",
    ALL: "合计",
}

_STYLES: dict[Style, str] = {
    "words": "用话说明",
    "yes": "说是",
    "ordinal": "说第几个",
    "correction": "不是…是…",
    "none": "都不是，我问…",
}


def interval(count: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927); 0 to 1 where nothing was counted."""
    if not of:
        return 0.0, 1.0
    share, z2 = count / of, _Z**2
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z * math.sqrt(share * (1 - share) / of + z2 / (4 * of**2)) / (1 + z2 / of)
    return max(0.0, middle - half), min(1.0, middle + half)


def share(count: int, of: int) -> str:
    """A share with its interval, for people: .540 (.48–.60)."""
    if not of:
        return "–"
    low, high = (f"{edge:.2f}" for edge in interval(count, of))
    return f"{count / of:.3f} ({low}–{high})".replace("0.", ".")


@dataclass(frozen=True)
class Figure:
    """A share of the questions with an answer, or of those without."""

    key: str
    name: str
    answerable: bool
    counts: Callable[[Asked], bool]


def _first(*outcomes: str) -> Callable[[Asked], bool]:
    return lambda one: one.outcome in outcomes


def _within(turns: int) -> Callable[[Asked], bool]:
    return lambda one: (one.turns_until_right or math.inf) <= turns


FIGURES = (
    Figure("right_at_once", "一次答对", True, _first("sure right", "likely right")),
    Figure("right_at_once_sure", "· 确定", True, _first("sure right")),
    Figure("right_at_once_likely", "· 可能", True, _first("likely right")),
    Figure("right_in_two", "两轮内答对", True, _within(2)),
    Figure("right_in_three", "三轮内答对", True, _within(3)),
    Figure("misled_sure", "误导：确定", True, _first("sure wrong")),
    Figure("misled_likely", "误导：可能", True, _first("likely wrong")),
    Figure(
        "asked_back_in_vain",
        "白反问（到底没答对）",
        True,
        lambda one: one.outcome in ("options", "other options") and one.turns_until_right is None,
    ),
    Figure("ticket", "有答案却要登记", True, _first("offer", "ticket")),
    Figure("wrong_act", "当成别的意图", True, _first("act")),
    Figure("said_no", "有答案却说答不了", True, _first("declined")),
    Figure("other", "政策原文、追问情况", True, _first("passages", "asks")),
    Figure("unanswerable_sure", "没答案却答（确定）", False, _first("sure wrong")),
    Figure("unanswerable_likely", "没答案却答（可能）", False, _first("likely wrong")),
    Figure("unanswerable_asked_back", "没答案，反问", False, _first("other options")),
    Figure("unanswerable_offer", "没答案，提出登记", False, _first("offer", "ticket")),
    Figure("unanswerable_said_no", "没答案，说答不了", False, _first("declined")),
    Figure("unanswerable_act", "没答案，按闲聊等处理", False, _first("act")),
)


def figures(asked: Sequence[Asked]) -> dict[str, Any]:
    """All figures of a run."""
    questions = [one for one in asked if one.register != REPLIES]
    groups = _by(questions, lambda one: one.register)
    answerable = [one for one in questions if one.expected]
    return {
        "asked": len(asked),
        "registers": {name: _register(group) for name, group in ({**groups, ALL: questions}).items()},
        "replies": _replies([one for one in asked if one.register == REPLIES]),
        "without_rasa": sum(  # who is in danger is never made to wait for it
            turn.engine == "fallback" and turn.step != "danger" for one in asked for turn in one.turns
        ),
        "outcomes": counts(questions),
        "first_right": _mean([one.rank == 1 for one in answerable]),
        "right_among_4": _mean([(one.rank or 9) <= 4 for one in answerable]),
        "expected_calibration_error": _calibration_error(questions),
        "by_kind": {kind: counts(group) for kind, group in _by(questions, lambda one: one.kind or "—").items()},
        "by_matter": {matter: counts(group) for matter, group in _by(questions, lambda one: one.matter).items()},
    }


def _register(asked: Sequence[Asked]) -> dict[str, Any]:
    groups = {wanted: [one for one in asked if bool(one.expected) is wanted] for wanted in (True, False)}
    until = Counter(one.turns_until_right for one in groups[True])
    reached = [one.turns_until_right for one in groups[True] if one.turns_until_right]
    return {
        "answerable": len(groups[True]),
        "unanswerable": len(groups[False]),
        **{
            figure.key: _counted(sum(map(figure.counts, groups[figure.answerable])), len(groups[figure.answerable]))
            for figure in FIGURES
        },
        "turns_until_right": {**{str(n): until[n] for n in (1, 2, 3)}, "never": until[None], "mean": _mean(reached)},
    }


def _replies(asked: Sequence[Asked]) -> dict[str, Any]:
    said = [one for one in asked if one.understood is not None]
    by_style = _by(said, lambda one: one.kind)
    return {
        "replies": len(asked),
        "already_right": sum(one.understood is None and one.turns[0].right for one in asked),
        "not_asked_so": sum(one.understood is None and not one.turns[0].right for one in asked),
        "understood": _understood(said),
        "by_style": {style: _understood(group) for style, group in by_style.items()},
    }


def _understood(said: Sequence[Asked]) -> dict[str, Any]:
    return _counted(sum(one.understood is True for one in said), len(said))


def _counted(count: int, of: int) -> dict[str, Any]:
    low, high = interval(count, of)
    return {
        "count": count,
        "of": of,
        "share": round(count / of, 4) if of else None,
        "low": round(low, 4),
        "high": round(high, 4),
    }


def counts(asked: Iterable[Asked]) -> dict[str, int]:
    """How many of each outcome."""
    counted = Counter(one.outcome for one in asked)
    return {outcome: counted[outcome] for outcome in OUTCOMES}


def probabilities(asked: Sequence[Asked]) -> tuple[list[float], list[bool]]:
    """Of each question that has candidates, the probability of the first one and whether it was right."""
    found = [
        (one.probability, one.rank == 1) for one in asked if one.probability is not None and one.register != REPLIES
    ]
    return [probability for probability, _ in found], [right for _, right in found]


def missed(one: Asked) -> str | None:
    """What is wrong about what came of a question, for people; None if nothing is."""
    if one.register == REPLIES:
        return "回复没听懂" if one.understood is False else None
    names = [figure.name for figure in _MISSES[bool(one.expected)] if figure.counts(one)]
    if one.expected and not names and not _within(2)(one):
        return "两轮内没答对"
    return "、".join(names) or None


_MISSES = {
    True: [figure for figure in FIGURES if figure.answerable and not figure.key.startswith("right")],
    False: [figure for figure in FIGURES if figure.key in ("unanswerable_sure", "unanswerable_likely")],
}


def table(figured: dict[str, Any]) -> list[list[str]]:
    """The figures by register, for people: a header, then a row a figure."""
    registers = figured["registers"]
    rows = [["", *(REGISTERS.get(name, name) for name in registers)]]

    def counted(name: str, key: str) -> None:
        rows.append([name, *(str(register[key]) for register in registers.values())])

    for answerable, title, key in ((True, "有答案的", "answerable"), (False, "没答案的", "unanswerable")):
        counted(title, key)
        for figure in FIGURES:
            if figure.answerable is answerable:
                cells = (register[figure.key] for register in registers.values())
                rows.append([figure.name, *(share(cell["count"], cell["of"]) for cell in cells)])
    means = (register["turns_until_right"]["mean"] for register in registers.values())
    rows.append(["答对的平均用几轮", *("–" if mean is None else f"{mean:.2f}" for mean in means)])
    return rows


def replies_table(figured: dict[str, Any]) -> list[list[str]]:
    """How replies in words were understood, for people; empty where none was said."""
    replies = figured["replies"]
    if not replies["replies"]:
        return []
    cells = [("听懂了", replies["understood"])]
    cells += [
        (f"· {name}", replies["by_style"][style]) for style, name in _STYLES.items() if style in replies["by_style"]
    ]
    return [
        ["对反问的回复", ""],
        ["共有", str(replies["replies"])],
        ["原来的问题已经答对，用不着回复", str(replies["already_right"])],
        ["现在不这样问了，对不上", str(replies["not_asked_so"])],
        ["说出来的", str(replies["understood"]["of"])],
        *([name, share(cell["count"], cell["of"])] for name, cell in cells),
    ]


def _by(asked: Sequence[Asked], key: Callable[[Asked], str]) -> dict[str, list[Asked]]:
    groups: dict[str, list[Asked]] = {}
    for one in asked:
        groups.setdefault(key(one), []).append(one)
    return groups


def _mean(values: Sequence[float | bool]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


def _calibration_error(asked: Sequence[Asked]) -> float | None:
    sure, right = probabilities(asked)
    return round(fit.calibration_error(np.array(sure), np.array(right, dtype=np.int64)), 4) if sure else None
