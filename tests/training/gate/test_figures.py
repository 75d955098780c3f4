"""The gate's pure part: every total is a count of rows, and the statistics are what their names say."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bot.settings import Settings
from training.gate.rows import Heard, Row, judged, totals
from training.gate.statistics import bounds, difference, mcnemar, smallest
from training.gate.verdict import Finding, figures, judge

ITEMS = ("a-1", "a-2", "a-3")
heard = st.one_of(
    st.builds(Heard, st.sampled_from(("sure", "likely")), st.sampled_from(ITEMS)),
    st.builds(Heard, st.sampled_from(("doubtful", "none")), st.none()),
)
row = st.builds(
    Row,
    id=st.uuids().map(str),
    source=st.sampled_from(("golden", "held_out", "replay")),
    stratum=st.sampled_from(("questions", "spoken")),
    text=st.just("问"),
    right=st.sampled_from((("a-1",), ("a-1", "a-2"), (), None)),
    act=st.none(),
    must=st.booleans(),
    times=st.integers(1, 5),
    counted=st.booleans(),
    before=heard,
    after=heard,
)


def of(right: str | None, before: str | None, after: str | None, **more: object) -> Row:
    said = {"id": "x", "source": "golden", "stratum": "questions", "text": "问", "act": None}
    said |= {"must": False, "times": 1, "counted": True}

    def heard(answer: str | None) -> Heard:
        return Heard("sure" if answer else "none", answer)

    known = (right,) if right else ()
    return Row(**{**said, "right": known, "before": heard(before), "after": heard(after), **more})  # type: ignore[arg-type]


@given(st.lists(row, max_size=40))
@hypothesis_settings(deadline=None, max_examples=60)
def test_every_total_adds_up_from_the_rows_as_they_are_stored(rows: list[Row]) -> None:
    told = figures(rows).stored()
    stored = [one.stored() for one in rows]
    counted = [one for one in stored if one["counted"] and one["act"] is None and one["right"] is not None]
    for side, name in (("before", "was"), ("after", "now")):
        for outcome in ("right", "wrong", "neither"):
            assert told["totals"][f"{outcome}_{side}"] == sum(one[name] == outcome for one in counted)
    assert told["totals"]["questions"] == len(counted) == told["right"]["questions"]
    assert told["totals"]["gained"] - told["totals"]["lost"] == (
        told["totals"]["right_after"] - told["totals"]["right_before"]
    )
    assert told["totals"]["newly_wrong"] - told["totals"]["mended"] == (
        told["totals"]["wrong_after"] - told["totals"]["wrong_before"]
    )
    for key in ("right", "wrong"):
        assert sum(one[key]["questions"] for one in told["strata"].values()) == len(counted)
        assert sum(one[key]["more"] for one in told["strata"].values()) == told[key]["more"]
        assert sum(one[key]["less"] for one in told["strata"].values()) == told[key]["less"]
    replayed = [one for one in stored if one["source"] == "replay"]
    assert told["replayed"]["times"] == sum(one["times"] for one in replayed)
    assert totals(judged(rows))["questions"] == len(counted)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
@hypothesis_settings(deadline=None, max_examples=25)
def test_the_bounds_change_sides_with_the_sides(pairs: list[tuple[bool, bool]]) -> None:
    before, after = ([pair[side] for pair in pairs] for side in (0, 1))
    one, other = difference(before, after), difference(after, before)
    assert (one.more, one.less, one.p) == (other.less, other.more, other.p)
    assert one.low == pytest.approx(-other.high, abs=1e-9) and one.high == pytest.approx(-other.low, abs=1e-9)
    assert one.low <= one.high


@given(st.integers(0, 9), st.integers(0, 9))
def test_mcnemar_is_what_counting_all_cases_gives(more: int, less: int) -> None:
    total = more + less
    seen = comb(total, more)
    as_rare = sum(comb(total, count) for count in range(total + 1) if comb(total, count) <= seen)
    assert mcnemar(more, less) == pytest.approx(as_rare / 2**total)


def test_mcnemar_counts_every_way_the_pairs_may_fall() -> None:
    falls = [sum(way) for way in product((0, 1), repeat=7)]
    assert mcnemar(6, 1) == pytest.approx(sum(count in (0, 1, 6, 7) for count in falls) / len(falls))


def test_the_bootstrap_covers_what_is_there() -> None:
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(40):
        before = (rng.random(400) < 0.5).astype(float)
        flips = rng.random(400)
        after = np.where(flips < 0.03, 1.0, np.where(flips > 0.97, 0.0, before))  # on average nothing changes
        held += bounds(before, after)[1] >= 0.0
    assert held >= 34  # one-sided 95 %


def test_more_questions_show_less_and_where_nothing_differs_the_bound_is_exact() -> None:
    shown = [smallest(questions, round(0.04 * questions)) for questions in (100, 400, 1600, 6400)]
    assert shown == sorted(shown, reverse=True) and shown[-1] < 1.0 < shown[1]
    # n = (z₁₋ₐ √ψ + z₁₋ᵦ √(ψ − δ²))² / δ², by hand: ψ = .04, δ = .015, α = .05 one-sided, power .8
    by_hand = (1.6449 * 0.2 + 0.8416 * (0.04 - 0.015**2) ** 0.5) ** 2 / 0.015**2
    assert smallest(round(by_hand), round(0.04 * by_hand)) == pytest.approx(1.5, rel=0.01)
    assert smallest(0, 0) == 100.0
    same = difference([True] * 1000, [True] * 1000)
    assert (same.low, same.high) == (-same.high, pytest.approx(100 * (1 - 0.05 ** (1 / 1000))))


def test_what_became_of_a_question() -> None:
    assert of("a", "a", "a").kinds == ()
    assert of("a", None, "a").kinds == ("gained",)
    assert of("a", "a", None).kinds == ("lost",)
    assert of("a", "a", "b").kinds == ("lost", "wrong")
    assert of("a", "b", "a").kinds == ("gained", "mended")
    assert of(None, None, "b").kinds == ("wrong",)
    assert of(None, "b", None).kinds == ("mended",)
    assert replace(of("a", "a", "b"), right=None).kinds == ("moved",)
    assert replace(of("a", "a", "a"), right=None).kinds == ()
    assert of("a", "a", None, must=True).kinds == ("lost", "must")
    assert of(None, None, None, must=True).kinds == ()
    asked = of(None, "ask_policy", "follow_up", act="ask_policy")
    assert (asked.was, asked.now) == ("right", "right")


def verdict(settings: Settings, kind: str, rows: list[Row], *checks: Finding) -> tuple[str, str, list[str]]:
    told = judge(kind, rows, figures(rows), checks, settings)
    return told["verdict"], told["may"], told["stops"]


def test_what_follows_from_the_counts(settings: Settings) -> None:
    same = [of("a", "a", "a") for _ in range(1000)]
    assert verdict(settings, "model", same) == ("passed", "one", [])
    assert verdict(settings, "model", same[:50]) == (
        "short",
        "two",
        ["right_unclear", "surely_wrong_unclear", "wrong_unclear"],
    )
    assert verdict(settings, "model", same[:950] + [of("a", "a", "b")] * 50)[::2] == (
        "refused",
        ["right", "stratum", "surely_wrong", "wrong"],
    )
    assert verdict(settings, "model", same[:950] + [of("a", "a", None)] * 50)[::2] == ("refused", ["right", "stratum"])
    assert verdict(settings, "model", same[:950] + [of(None, None, "b")] * 50)[::2] == (
        "refused",
        ["stratum", "surely_wrong", "wrong"],
    )
    few = [*same[:992], *[of("a", "a", "b")] * 4, *[of("a", "b", "a")] * 4]
    assert verdict(settings, "model", few) == ("passed", "one", [])
    unclear = [*same[:200], *[of("a", "a", "b")] * 5, *[of("a", "b", "a")] * 5]
    assert verdict(settings, "model", unclear)[:2] == ("short", "two")
    broken = [*same[:999], of("a", "a", "b", must=True)]
    assert verdict(settings, "model", broken) == ("refused", "never", ["must"])
    assert verdict(settings, "knowledge", broken) == ("refused", "never", ["must", "newly_wrong"])
    assert verdict(settings, "knowledge", [of("a", "a", "b")]) == ("refused", "two", ["newly_wrong"])
    assert verdict(settings, "knowledge", [of("a", "a", None), of("a", "b", "b")]) == ("passed", "one", [])
    assert verdict(settings, "emergency", same) == ("passed", "two", [])
    note = Finding("n", "note", "说明")
    assert verdict(settings, "model", same, note) == ("passed", "one", [])
    assert verdict(settings, "model", same, Finding("x", "never", "不行"))[:2] == ("refused", "never")


def test_a_small_stratum_is_not_judged_and_a_large_one_is(settings: Settings) -> None:
    same = [of("a", "a", "a") for _ in range(3000)]
    worse = [of("a", "a", "b", stratum="spoken") for _ in range(12)]
    told = judge("model", [*same, *worse], figures([*same, *worse]), [], settings)
    assert told["verdict"] == "passed" and any("口语只有 12 题" in one for one in told["notes"])
    rest = [of("a", "a", "a", stratum="spoken") for _ in range(100)]
    told = judge("model", [*same, *worse, *rest], figures([*same, *worse, *rest]), [], settings)
    assert told["verdict"] == "refused" and told["stops"] == ["stratum"]
    assert any(one.startswith("口语变差") for one in told["reasons"])


def test_sentences_say_numbers_and_name_questions(settings: Settings) -> None:
    rows = [of("a", "a", "b", text="社保断了怎么补", must=True), of("a", "a", "b", text=None, id="f00d" * 8)]
    told = judge("knowledge", rows, figures(rows), [], settings)
    assert "“社保断了怎么补”" in told["reasons"][0] and "市民提问 f00df00d" in told["reasons"][1]
