"""What follows from rows and checks: passed, short or refused, and how many people it takes to let it out all the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bot.releases.states import PASSED, REFUSED, SHORT
from bot.settings import Settings
from training.gate.rows import Heard, Row, acts, judged, totals
from training.gate.statistics import LEVEL, Difference, difference, smallest

Weight = Literal["never", "two", "short", "note"]
"""never: it can't go out; two: not without a second person; short: too little is known; note: to be read"""
STRATA = {"questions": "提问", "spoken": "口语", "letters": "来信", "short": "极短", "held_out": "留出的市民提问"}
_SURE = 1 - LEVEL


@dataclass(frozen=True)
class Finding:
    """Something that speaks against a bundle, or is to be known."""

    key: str
    weight: Weight
    sentence: str


@dataclass(frozen=True)
class Figures:
    """All figures of an evaluation; counts of rows and what is worked out of them."""

    totals: dict[str, int]
    right: Difference
    wrong: Difference
    surely_wrong: Difference
    """Of the wrong ones those that are said without a doubt"""
    strata: dict[str, tuple[Difference, Difference]]
    """Right and wrong, by stratum"""
    acts: Difference
    by_act: dict[str, Difference]
    replayed: dict[str, int]
    power: float
    """Points; see ``statistics.smallest``"""

    def stored(self) -> dict[str, Any]:
        """A JSON value."""
        return {
            "totals": self.totals,
            "right": self.right.stored(),
            "wrong": self.wrong.stored(),
            "surely_wrong": self.surely_wrong.stored(),
            "strata": {
                name: {"right": one.stored(), "wrong": two.stored()} for name, (one, two) in self.strata.items()
            },
            "acts": self.acts.stored(),
            "replayed": self.replayed,
            "power": round(self.power, 3),
        }


def figures(rows: Sequence[Row]) -> Figures:
    """Work everything out of the rows, once."""
    questions, sentences = judged(rows), acts(rows)
    right, wrong = _compare(questions)
    replayed = [row for row in rows if row.source == "replay"]
    by_act = {
        name: [row for row in sentences if row.act == name] for name in sorted({row.act or "" for row in sentences})
    }
    return Figures(
        totals(questions),
        right,
        wrong,
        difference(*([_surely_wrong(row, side) for row in questions] for side in ("before", "after"))),
        {name: _compare([row for row in questions if row.stratum == name]) for name in _strata(questions)},
        _right(sentences),
        {name: _right(own) for name, own in by_act.items()},
        {
            "questions": len(replayed),
            "times": sum(row.times for row in replayed),
            **{
                kind: sum(row.times for row in replayed if kind in row.kinds)
                for kind in ("gained", "lost", "wrong", "moved")
            },
        },
        smallest(wrong.questions, wrong.more + wrong.less),
    )


def _strata(questions: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(sorted(row.stratum for row in questions)))


def _compare(rows: Sequence[Row]) -> tuple[Difference, Difference]:
    return _right(rows), difference([row.was == "wrong" for row in rows], [row.now == "wrong" for row in rows])


def _surely_wrong(row: Row, side: str) -> bool:
    heard: Heard = getattr(row, side)
    return heard.level == "sure" and row.outcome(heard) == "wrong"


def _right(rows: Sequence[Row]) -> Difference:
    return difference([row.was == "right" for row in rows], [row.now == "right" for row in rows])


def judge(
    kind: str, rows: Sequence[Row], counted: Figures, checks: Sequence[Finding], settings: Settings
) -> dict[str, Any]:
    """The gate's verdict on a bundle of a kind, as ``Bundle.gate`` keeps it."""
    found = [*checks, *_must(rows)]
    if kind == "knowledge":
        found += _newly_wrong(rows)
    elif rows:
        found += _not_worse(counted, settings)
    weights = {one.weight for one in found}
    if "never" in weights:
        verdict, may = REFUSED, "never"
    elif "two" in weights:
        verdict, may = REFUSED, "two"
    elif "short" in weights:
        verdict, may = SHORT, "two"
    else:
        verdict, may = PASSED, "two" if kind == "emergency" else "one"
    return {
        "verdict": verdict,
        "may": may,
        "needs": "second person" if may == "two" else None,
        "share": 10 if verdict == SHORT else None,
        "reasons": [one.sentence for one in found if one.weight != "note"],
        "notes": [one.sentence for one in found if one.weight == "note"],
        "stops": sorted({one.key for one in found if one.weight != "note"}),
        "figures": counted.stored(),
    }


def _must(rows: Sequence[Row]) -> list[Finding]:
    broken = [row for row in rows if row.must and not row.as_it_must]
    if not broken:
        return []
    return [Finding("must", "never", f"必对的题有 {len(broken)} 道没有答对，一道都不能错：{_named(broken)}")]


def _newly_wrong(rows: Sequence[Row]) -> list[Finding]:
    worse = [row for row in rows if "wrong" in row.kinds and row.act is None]
    if not worse:
        return []
    times = sum(row.times for row in worse)
    said = f"新答错 {len(worse)} 条（一周里问过 {times} 次）" if times > len(worse) else f"新答错 {len(worse)} 条"
    return [Finding("newly_wrong", "two", f"{said}，要另一位看过并写明理由才能发布：{_named(worse)}")]


def _not_worse(counted: Figures, settings: Settings) -> list[Finding]:
    found = [
        *_bound("wrong", "答错的", counted.wrong, settings.gate_wrong_margin, more_is_worse=True),
        *_bound(
            "surely_wrong", "说得肯定却答错的", counted.surely_wrong, settings.gate_wrong_margin, more_is_worse=True
        ),
        *_bound("right", "答对的", counted.right, settings.gate_right_margin, more_is_worse=False),
    ]
    for name, (right, wrong) in counted.strata.items():
        title = STRATA.get(name, name)
        if right.questions < settings.gate_stratum_min:
            sentence = f"{title}只有 {right.questions} 题，不到 {settings.gate_stratum_min} 题，这一类不下结论。"
            found.append(Finding("stratum_small", "note", sentence))
            continue
        tests = 2 * len(counted.strata)
        if wrong.delta > 0 and wrong.p < _SURE / tests:
            found.append(Finding("stratum", "never", f"{title}变差：{_course('答错的', wrong)}。"))
        if right.delta < 0 and right.p < _SURE / tests:
            found.append(Finding("stratum", "never", f"{title}变差：{_course('答对的', right)}。"))
    if counted.acts.questions:
        found += _bound("acts", "听对意图的", counted.acts, settings.gate_right_margin, more_is_worse=False)
        worse = [
            f"{name}（{one.questions} 句里听对的从 {_times(one, one.before)} 句变成 {_times(one, one.after)} 句）"
            for name, one in counted.by_act.items()
            if one.delta < 0 and one.p < _SURE / len(counted.by_act)
        ]
        if worse:
            said = f"有的意图听错了很多：{'、'.join(worse)}。请查补充的例句里有没有教错的。"
            found.append(Finding("acts_taught", "never", said))
    return found


def _times(one: Difference, share: float) -> int:
    return round(one.questions * share / 100)


def _bound(key: str, title: str, one: Difference, margin: float, *, more_is_worse: bool) -> list[Finding]:
    """Whether one share is worse by no more than the margin: shown so, shown not to be so, or not to be told."""
    worst, best, delta = (one.high, one.low, one.delta) if more_is_worse else (-one.low, -one.high, -one.delta)
    if worst <= margin:
        return []
    most = f"最多可以{'多' if more_is_worse else '少'} {margin:g} 个百分点"
    if delta > margin or best > 0:
        return [Finding(key, "never", f"变差了：{_course(title, one)}，{most}。")]
    told = f"看不准：{_course(title, one)}，{most}；题太少，分不清是变差还是碰巧。"
    return [Finding(f"{key}_unclear", "short", told)]


def _course(title: str, one: Difference) -> str:
    return (
        f"{title}从 {one.before:.1f}% 到 {one.after:.1f}%（相差 {one.delta:+.1f} 个百分点，"
        f"下限 {one.low:+.1f}、上限 {one.high:+.1f}，共 {one.questions} 题，新增 {one.more}、减少 {one.less}，p={one.p:.3g}）"
    )


def _named(rows: Sequence[Row], most: int = 5) -> str:
    shown = "、".join(f"“{_short(row.text)}”" if row.text else f"市民提问 {row.id[:8]}" for row in rows[:most])
    return f"{shown}等，见报告。" if len(rows) > most else f"{shown}。"


def _short(text: str, most: int = 40) -> str:
    return text if len(text) <= most else f"{text[:most]}…"
