"""What is shown stays calm, whatever is wanted next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from index.assist.listening import Suggestion
from index.assist.panel import SETTLED, Panel

START = datetime(2026, 11, 30, tzinfo=UTC)


def items(names: str) -> list[Suggestion]:
    return [Suggestion(name, "事项", name, 0.5, "likely") for name in names]


def names(panel: Panel) -> str:
    return "".join(one.qa_id for one in panel.items)


wanted = st.lists(st.sampled_from("abcdefg"), unique=True, max_size=3).map("".join)
steps = st.lists(st.tuples(wanted, st.integers(0, 3000)), max_size=20)


@given(steps)
def test_what_has_been_read_moves_one_place_at_most(moves: list[tuple[str, int]]) -> None:
    panel, now = Panel(), START
    for goal, wait_ms in moves:
        now += timedelta(milliseconds=wait_ms)
        before = {one.qa_id: place for place, one in enumerate(panel.items)}
        settled = {name for name in before if now - panel.since[name] >= SETTLED}
        panel = panel.next(items(goal), now)
        after = {one.qa_id: place for place, one in enumerate(panel.items)}
        assert len(after) == len(panel.items) <= 3
        for name in settled & set(after):
            assert abs(after[name] - before[name]) <= 1
        gone = settled - set(after)
        assert all(before[name] == max(before[other] for other in settled) for name in gone)


@given(wanted, wanted)
def test_what_is_wanted_long_enough_is_shown(first: str, then: str) -> None:
    panel = Panel().next(items(first), START)
    assert names(panel) == first
    for n in range(1, 9):
        panel = panel.next(items(then), START + n * timedelta(seconds=2))
    assert names(panel)[: len(then)] == then


def test_what_does_not_fit_is_gone_at_once() -> None:
    panel = Panel().next(items("abc"), START)
    assert names(panel.without({"a"}).next(items("bcd"), START + timedelta(seconds=5)))[0] == "b"


def test_an_item_keeps_its_place_but_tells_what_is_known_now() -> None:
    panel = Panel().next(items("ab"), START)
    surer = [Suggestion("a", "事项", "a", 0.9, "sure"), Suggestion("b", "事项", "b", 0.1, "reference")]
    assert [one.band for one in panel.next(surer, START + timedelta(seconds=3)).items] == ["sure", "reference"]
