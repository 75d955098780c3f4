"""Calls and their lines: whatever order segments come in, however often, the transcript is the same; and it goes when it is to go."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from bot import database
from bot.calls import calls, segments
from bot.calls.segments import Segment
from bot.clock import utcnow
from bot.errors import IllegalMove, InvalidInput
from bot.models.calls import Call, CallLine, CallShown
from bot.settings import Settings

NOW = utcnow()


def begun(**more: object) -> str:
    with database.write() as session:
        return calls.begin(session, NOW, **({"agent": "1001"} | more)).id  # type: ignore[arg-type]


def take(call_id: str, *some: Segment) -> list[int]:
    with database.write() as session:
        return segments.take(session, calls.locked(session, call_id), some, utcnow())


def transcript(call_id: str) -> list[tuple[int, str, str]]:
    with database.read() as session:
        return [(line.seq, line.speaker, line.text) for line in calls.lines_of(session, call_id)]


def test_the_order_in_which_segments_come_does_not_matter(db: Settings) -> None:
    some = [Segment(n, "caller" if n % 2 else "agent", f"第{n}句，110{n}元") for n in range(1, 30)]
    some += [Segment(n, "agent", f"第{n}句，改过", version=v) for n in (3, 7) for v in (1, 2)]
    seen = set()
    for seed in range(5):
        dice = random.Random(seed)
        call_id = begun(agent=f"a{seed}")
        sent = some * 2
        dice.shuffle(sent)
        while sent:
            size = dice.randint(1, 7)
            take(call_id, *sent[:size])
            sent = sent[size:]
        seen.add(tuple(transcript(call_id)))
    assert len(seen) == 1
    (lines,) = seen
    assert [seq for seq, _, _ in lines] == list(range(1, 30))
    assert lines[2] == (3, "agent", "第3句，改过")


def test_the_same_again_changes_nothing(db: Settings) -> None:
    call_id = begun()
    assert take(call_id, Segment(1, "caller", "你好")) == [1]
    with database.read() as session:
        before = session.get_one(Call, call_id).revision
    assert take(call_id, Segment(1, "caller", "你好"), Segment(1, "caller", "晚到的旧版本")) == []
    assert take(call_id, Segment(2, "caller", "  ")) == []
    with database.read() as session:
        assert session.get_one(Call, call_id).revision == before
    assert transcript(call_id) == [(1, "caller", "你好")]


def test_one_call_for_one_external_id(db: Settings) -> None:
    first = begun(external_id="pbx-1", agent=None)
    assert begun(external_id="pbx-1", agent=None) == first
    assert begun(external_id="pbx-1", agent="1001") == first
    with database.read() as session:
        assert session.get_one(Call, first).agent == "1001"
    assert begun(external_id="pbx-1", agent="1002") == first
    with database.read() as session:
        assert session.get_one(Call, first).agent == "1001"


def test_a_call_runs_its_course(db: Settings) -> None:
    call_id = begun()
    with pytest.raises(IllegalMove):
        begun()
    with database.write() as session:
        calls.hang_up(session, calls.locked(session, call_id), utcnow())
    assert take(call_id, Segment(9, "caller", "最后一句晚到了")) == [9]
    with database.write() as session:
        calls.finish(session, calls.locked(session, call_id), utcnow(), {"what": "咨询公积金"})
    with pytest.raises(IllegalMove):
        take(call_id, Segment(10, "caller", "太晚了"))
    with pytest.raises(IllegalMove), database.write() as session:
        calls.finish(session, calls.locked(session, call_id), utcnow())
    unanswered = begun(agent=None)
    with database.write() as session:
        calls.hang_up(session, calls.locked(session, unanswered), utcnow())
        assert calls.locked(session, unanswered).state == "given_up"
        assert calls.count_since(session, NOW - timedelta(hours=1)) == {"done": 1, "given_up": 1}


def test_practice_is_counted_nowhere(db: Settings) -> None:
    begun(practice=True)
    with database.read() as session:
        assert calls.count_since(session, NOW - timedelta(hours=1)) == {}
        assert list(calls.under_way(session)) == []
        assert len(calls.open_of(session, "1001")) == 1


def test_nothing_is_kept_of_a_call_that_is_not_to_be_kept(db: Settings) -> None:
    call_id = begun(caller="13800138000")
    take(call_id, Segment(1, "caller", "我不想被记下来"))
    with database.write() as session:
        call = calls.locked(session, call_id)
        calls.shown(session, call, 1, 0, "问题", [{"qa_id": "x", "band": "sure", "probability": 0.9}], utcnow())
        calls.keep_nothing(session, call, "1001")
    assert take(call_id, Segment(2, "caller", "还有一句")) == []
    with database.read() as session:
        assert session.query(CallLine).count() == session.query(CallShown).count() == 0


def test_what_was_said_goes_when_its_time_is_over(db: Settings) -> None:
    old, new = begun(agent="a", caller="13800138000"), begun(agent="b", caller="13800138001")
    for one in (old, new):
        take(one, Segment(1, "caller", "你好"))
    with database.write() as session:
        session.get_one(Call, old).started_at = NOW - timedelta(days=31)
    with database.write() as session:
        assert calls.forget_old(session, NOW, 30) == 1
        assert calls.forget_old(session, NOW, 30) == 0
    assert transcript(old) == [] and transcript(new) != []
    with database.read() as session:
        gone = session.get_one(Call, old)
        assert (gone.caller, gone.caller_index, gone.summary) == (None, None, None)


def test_a_phone_is_forgotten_with_its_calls(db: Settings) -> None:
    mine, other = begun(agent="a", caller="0731-8888 6666"), begun(agent="b", caller="13800138001")
    take(mine, Segment(1, "caller", "你好"))
    with database.write() as session:
        assert calls.forget_phone(session, "073188886666", "运维") == 1
    with database.read() as session:
        assert session.get(Call, mine) is None and session.get(Call, other) is not None


def test_what_is_shown_is_noted_once(db: Settings) -> None:
    call_id = begun()
    items = [{"qa_id": "x", "band": "sure", "probability": 0.9}]
    with database.write() as session:
        call = calls.locked(session, call_id)
        calls.shown(session, call, 1, 0, "问题", items, utcnow())
        calls.shown(session, call, 2, 0, "问题", [items[0] | {"probability": 0.95}], utcnow())
        calls.shown(session, call, 3, 0, "问题", [items[0] | {"band": "likely"}], utcnow())
    with database.read() as session:
        assert [one.seq for one in calls.shown_in(session, call_id)] == [1, 3]


@pytest.mark.parametrize("caller", ["", "12", "abc", "1" * 21])
def test_a_caller_has_a_number(db: Settings, caller: str) -> None:
    with pytest.raises(InvalidInput):
        begun(caller=caller)


def test_a_call_that_the_telephone_system_lost_ends(db: Settings) -> None:
    call_id = begun()
    with database.write() as session:
        assert calls.end_lost(session, NOW + calls.LONGEST / 2) == 0
        assert calls.end_lost(session, NOW + 2 * calls.LONGEST) == 1
    with database.read() as session:
        assert session.get_one(Call, call_id).state == "wrap_up"
