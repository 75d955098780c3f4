"""Who may let which bundle out, step by step; and going back, with what items said then."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from bot import audit, conversations, database, knowledge, releases
from bot.accounts import people
from bot.accounts.roles import SUPERVISOR
from bot.clock import utcnow
from bot.errors import Forbidden, IllegalMove, InvalidInput
from bot.knowledge.content import content, stored
from bot.models.conversations import Conversation
from bot.models.jobs import Job
from bot.models.knowledge import QA
from bot.models.releases import Bundle, ReleaseStep
from bot.releases import files, moves, rollback
from bot.releases.states import BUILT, KEPT, LIVE, PASSED, PREVIOUS, REFUSED, SHADOW, SHARE, SHORT, STOPPED
from bot.settings import Settings
from tests.index.test_assistant import qa

GATES: dict[str, dict[str, Any] | None] = {
    "none": None,
    "passed": {"verdict": "passed", "may": "one", "reasons": []},
    "short": {"verdict": "short", "may": "two", "reasons": ["样本不足。"]},
    "newly wrong": {"verdict": "refused", "may": "two", "reasons": ["有一题新答错了。"]},
    "worse": {"verdict": "refused", "may": "never", "reasons": ["变差了。"]},
}
VERDICTS = {"none": BUILT, "passed": PASSED, "short": SHORT, "newly wrong": REFUSED, "worse": REFUSED}


def made(
    where: Settings,
    name: str,
    *,
    kind: str = "model",
    gate: str = "passed",
    state: str | None = None,
    named: dict[str, int] | None = None,
) -> None:
    """A bundle with its folder, and small files in the place of its index and its model."""
    at = utcnow()
    named_files = {where.index_dir / f"index-{name}" / "file": name, files.model_file(where, "rasa"): "model"}
    for path, text in named_files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    index, model = (files.checksum(path) for path in named_files)
    manifest = files.Manifest(
        name, at.isoformat(), kind, files.code(), f"index-{name}", {"file": index}, {"model": "rasa", "sha256": model},
        encoder="", limits={}, knowledge_revision=0, knowledge=named or {},
    )  # fmt: skip
    files.write(where, manifest, {})
    row = files.row(manifest, state or VERDICTS[gate], "2001")
    row.gate = GATES[gate]
    with database.write() as session:
        session.add(row)


def states() -> dict[str, str]:
    with database.read() as session:
        return {one.name: one.state for one in session.scalars(select(Bundle))}


def history(name: str) -> list[ReleaseStep]:
    with database.read() as session:
        return list(session.scalars(select(ReleaseStep).where(ReleaseStep.bundle == name).order_by(ReleaseStep.id)))


def test_what_passed_goes_out_step_by_step_and_every_step_is_told(db: Settings) -> None:
    made(db, "a", kind="start", gate="none", state=LIVE)
    made(db, "b")
    with pytest.raises(IllegalMove, match="不能灰度"):
        moves.take(db, "share", "b", "2002", share=10)
    with pytest.raises(IllegalMove, match="先影子运行"):
        moves.take(db, "all", "b", "2002")
    moves.take(db, "shadow", "b", "2002")
    moves.take(db, "share", "b", "2002", share=10)
    with pytest.raises(InvalidInput, match="灰度可以是50%"):
        moves.take(db, "share", "b", "2002", share=10)
    moves.take(db, "share", "b", "2002", share=50)
    moves.take(db, "all", "b", "2002")
    assert states() == {"a": PREVIOUS, "b": LIVE}
    taken = history("b")
    assert [(one.move, one.before, one.after) for one in taken] == [
        ("shadow", PASSED, SHADOW), ("share", SHADOW, SHARE), ("share", SHARE, SHARE), ("all", SHARE, LIVE),
    ]  # fmt: skip
    assert [one.figures.get("share") for one in taken] == [None, 10, 50, None]
    with database.read() as session:
        assert [one.action for one in audit.entries(session, subject="b")][::-1] == [
            "release.shadow", "release.share", "release.share", "release.all",
        ]  # fmt: skip


def test_what_was_not_evaluated_or_got_worse_goes_out_by_nobody(sqlite_db: Settings) -> None:
    made(sqlite_db, "a", gate="none")
    made(sqlite_db, "b", gate="worse")
    for name in ("a", "b"):
        for move in ("shadow", "share", "all", "ask", "confirm"):
            with pytest.raises(IllegalMove):
                moves.take(sqlite_db, move, name, "2002", share=10, why="急用")
    moves.take(sqlite_db, "drop", "a", "2002")
    assert states() == {"b": REFUSED} and not files.folder(sqlite_db, "a").exists()
    assert [one.move for one in history("a")] == ["drop"], "that it was there is not forgotten"


def test_too_few_questions_take_two_people_and_a_reason_for_each_step(db: Settings) -> None:
    made(db, "a", kind="start", gate="none", state=LIVE)
    made(db, "b", gate="short")
    moves.take(db, "shadow", "b", "2002")
    with pytest.raises(IllegalMove, match="不能一个人发布"):
        moves.take(db, "share", "b", "2002", share=10)
    with pytest.raises(InvalidInput, match="请写明原因"):
        moves.take(db, "ask", "b", "2002", why=" ")
    moves.take(db, "ask", "b", "2002", why="题库还小，先放一成看看")
    with pytest.raises(Forbidden, match="另一位"):
        moves.take(db, "confirm", "b", "2002")
    moves.take(db, "confirm", "b", "2003")
    with database.read() as session:
        bundle = session.get_one(Bundle, "b")
        assert (bundle.state, bundle.share, bundle.asked_by) == (SHARE, 10, None), "never all at once"
    step = history("b")[-1]
    assert (step.by, step.why, step.figures["asked_by"]) == ("2003", "题库还小，先放一成看看", "2002")
    for share in (50, 0):
        with pytest.raises(IllegalMove, match="不能一个人发布"):
            moves.take(db, "all", "b", "2002")
        moves.take(db, "ask", "b", "2003", why="一成里没有变差")
        moves.take(db, "confirm", "b", "2002")
        with database.read() as session:
            assert session.get_one(Bundle, "b").share == share
    assert states()["b"] == LIVE


def test_knowledge_goes_out_at_once_if_it_passed_and_else_by_two(sqlite_db: Settings) -> None:
    made(sqlite_db, "a", kind="start", gate="none", state=LIVE)
    made(sqlite_db, "b", kind="knowledge")
    moves.release_passed(sqlite_db, "b")
    made(sqlite_db, "c", kind="knowledge", gate="newly wrong")
    with pytest.raises(IllegalMove):
        moves.release_passed(sqlite_db, "c")
    with pytest.raises(IllegalMove):
        moves.take(sqlite_db, "all", "c", "2002")
    moves.take(sqlite_db, "ask", "c", "2002", why="那一题的答案本来就改了")
    moves.take(sqlite_db, "confirm", "c", "2003")
    assert states() == {"a": KEPT, "b": PREVIOUS, "c": LIVE}
    made(sqlite_db, "d", kind="emergency", gate="none")
    moves.take(sqlite_db, "ask", "d", "2002", why="昨天的停水通知说错了")
    moves.take(sqlite_db, "confirm", "d", "2003")
    assert states()["d"] == LIVE
    with database.read() as session:
        asked = session.scalars(select(Job).where(Job.kind == "evaluate")).one()
        assert asked.arguments == {"bundle": "d"}, "evaluated afterwards"


def test_only_one_is_on_its_way_and_what_was_stopped_takes_two(sqlite_db: Settings) -> None:
    made(sqlite_db, "a", kind="start", gate="none", state=LIVE)
    made(sqlite_db, "b")
    made(sqlite_db, "c")
    moves.take(sqlite_db, "shadow", "b", "2002")
    with pytest.raises(IllegalMove, match="一次只发布一个"):
        moves.take(sqlite_db, "shadow", "c", "2002")
    moves.take(sqlite_db, "share", "b", "2002", share=10)
    moves.stop_worse(sqlite_db, "b", "比在用的差")
    with pytest.raises(IllegalMove, match="没有全部启用过"):
        moves.take(sqlite_db, "back", "b", "2002", why="试试")
    moves.take(sqlite_db, "shadow", "c", "2002")
    moves.take(sqlite_db, "stop", "c", "2002", why="先看 b")
    moves.take(sqlite_db, "ask", "b", "2002", why="是碰巧")
    moves.take(sqlite_db, "confirm", "b", "2003")
    assert states() == {"a": LIVE, "b": SHARE, "c": STOPPED}
    with pytest.raises(IllegalMove, match="停过"):
        moves.take(sqlite_db, "all", "b", "2002")


def test_in_production_it_takes_the_role(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with database.write() as session:
        people.create(session, "9001", "3001", "王班", [SUPERVISOR])
        people.create(session, "9001", "2001", "李编", ["editor"])
    made(sqlite_db, "b")
    monkeypatch.setattr(sqlite_db, "env", "production")
    for nobody in ("2001", "7777", moves.SYSTEM):
        with pytest.raises(Forbidden):
            moves.take(sqlite_db, "shadow", "b", nobody)
    moves.take(sqlite_db, "shadow", "b", "3001")


# --- whatever people do ----------------------------------------------------------------------------------------------

_ACT = st.tuples(
    st.sampled_from([*moves.MOVES, "gate"]),
    st.sampled_from("abc"),
    st.sampled_from(("2001", "2002")),
    st.sampled_from((10, 50)),
    st.sampled_from(list(GATES)),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kinds=st.tuples(*[st.sampled_from(("model", "knowledge", "emergency"))] * 3),
    gates=st.tuples(*[st.sampled_from(list(GATES))] * 3),
    acts=st.lists(_ACT, max_size=25),
)
def test_whatever_people_do_nothing_goes_out_that_should_not(
    sqlite_db: Settings, kinds: tuple[str, ...], gates: tuple[str, ...], acts: list[tuple[str, str, str, int, str]]
) -> None:
    with database.write() as session:
        session.query(ReleaseStep).delete()
        session.query(Bundle).delete()
    made(sqlite_db, "s", kind="start", gate="none", state=LIVE)
    for name, kind, gate in zip("abc", kinds, gates, strict=True):
        made(sqlite_db, name, kind=kind, gate=gate)
    asked: dict[str, str] = {}
    for move, name, by, share, gate in acts:
        before = states()
        if move == "gate":
            if before.get(name) in VERDICTS.values():
                with database.write() as session:
                    bundle = session.get_one(Bundle, name)
                    bundle.gate, bundle.state = GATES[gate], VERDICTS[gate]
            continue
        if name not in before:
            continue
        with database.read() as session:
            one = moves.held(session, name)
            gate_now, kind, was_live = one.bundle.gate, one.bundle.kind, one.was_live
            open_ = moves.open_to(one, by, frozenset({SUPERVISOR}))
        try:
            moves.take(sqlite_db, move, name, by, share=share, why="因为")
        except (IllegalMove, Forbidden, InvalidInput):
            assert states() == before
            assert move not in open_ or move == "share", "what is offered can be done"
            continue
        assert move in open_, "what can be done is offered"
        now = states()
        if move == "ask":
            asked[name] = by
        elif move == "confirm":
            assert asked[name] != by
        out = now.get(name) in (SHARE, LIVE) and now.get(name) != before[name]
        if out and move != "back":
            may = gate_now["may"] if gate_now else None
            assert may != "never" and (gate_now is not None or kind == "emergency")
            assert move == "confirm" or may == "one"
            assert kind != "model" or now[name] != LIVE or before[name] == SHARE
        if move == "back":
            assert was_live
        assert list(now.values()).count(LIVE) == 1
        assert sum(state in (SHADOW, SHARE) for state in now.values()) <= 1
        assert list(now.values()).count(PREVIOUS) <= 1


# --- going back ------------------------------------------------------------------------------------------------------


def said(qa_id: str) -> str:
    with database.read() as session:
        found = knowledge.get(session, qa_id)
        assert found is not None
        return found.answer


def publish(qa_id: str, answer: str, **fields: Any) -> int:
    """A new version, written by one and approved by another."""
    with database.write() as session:
        knowledge.edit(session, qa_id, {"answer": answer, **fields}, "2001")
        knowledge.submit(session, qa_id, "2001")
        version = knowledge.approve(session, qa_id, "2002").version
    assert version is not None
    return version


@pytest.fixture
def twice(db: Settings) -> Settings:
    """Bundle a knows version 1 of five items, b, which is live, version 2; one item is newer than a."""
    ids = ["same", "edited", "paused", "corrected", "ended"]
    with database.write() as session:
        for id_ in ids:
            knowledge.upsert(session, [qa(id_, f"问题 {id_}", "第一版的答案", status="approved")])
    yesterday = (utcnow() - timedelta(days=1)).date()
    with database.write() as session:
        old = session.get_one(QA, "ended")
        old.valid_to = yesterday
        version = knowledge.versions(session, "ended")[0]
        version.content = {**version.content, "valid_to": yesterday.isoformat()}
    made(db, "a", kind="start", gate="none", state=LIVE, named=dict.fromkeys(ids, 1))
    for id_ in ids[1:]:
        publish(id_, "第二版的答案", valid_to=None)
    with database.write() as session:
        knowledge.upsert(session, [qa("fresh", "新的问题", "新的答案", status="approved")])
        knowledge.pause(session, "corrected", "2001", why="说错了")
    publish("corrected", "更正过的答案")
    with database.write() as session:
        knowledge.pause(session, "paused", "2001")
        session.query(Job).delete()
    made(db, "b", kind="knowledge", named={**dict.fromkeys(ids, 2), "fresh": 1})
    moves.release_passed(db, "b")
    return db


def test_going_back_takes_the_knowledge_along_but_for_what_was_silenced(twice: Settings) -> None:
    with database.read() as session:
        bundle = session.get_one(Bundle, "a")
        planned = rollback.plan(session, twice, bundle)
    assert [(one.qa_id, one.now, one.then) for one in planned.changes] == [("edited", 2, 1)]
    assert {one.qa_id: one.why for one in planned.stays} == {
        "paused": "paused", "corrected": "silenced", "ended": "ended",
    }  # fmt: skip
    assert planned.unknown == ["fresh"]
    with database.write() as session:
        conversation, _ = conversations.create(session, "web")
        session.flush()
        id_ = conversation.id
    moves.take(twice, "back", "a", "3001", why="新的答错多")
    assert states() == {"a": LIVE, "b": STOPPED}
    assert (said("edited"), said("corrected"), said("fresh")) == ("第一版的答案", "更正过的答案", "新的答案")
    with database.read() as session:
        versions = knowledge.versions(session, "edited")
        assert [one.number for one in versions] == [3, 2, 1] and session.get_one(QA, "edited").version == 3
        assert stored(content(session.get_one(QA, "edited"))) == versions[2].content
        assert session.get_one(QA, "paused").status == "paused"
        found = releases.of(session, session.get_one(Conversation, id_))
        assert found is not None and found.name == "a", "conversations under way go along"
        assert audit.entries(session, action="qa.rolled_back")[0].detail == {
            "version": 3, "restores": 1, "bundle": "a",
        }  # fmt: skip
        assert session.scalar(select(Job.id).where(Job.kind == "index")) is None, "the bundle's index is of just these"
    assert history("a")[-1].figures["knowledge"]["changes"] == [["edited", 2, 1]]
    moves.take(twice, "back", "b", "3001", why="还是新的好")
    assert said("edited") == "第二版的答案"


def test_going_back_without_the_knowledge_leaves_it(twice: Settings) -> None:
    moves.take(twice, "back", "a", "3001", why="新的慢", knowledge=False)
    assert states()["a"] == LIVE and said("edited") == "第二版的答案"


def test_a_version_withdrawn_as_wrong_never_comes_back(twice: Settings) -> None:
    with database.write() as session:
        knowledge.withdraw(session, "edited", "2001", "第一版的答案说错了", number=1)
    publish("same", "第一版的答案！", question="换个问法")  # the same words but for a mark
    with database.write() as session:
        knowledge.withdraw(session, "same", "2001", "这一版也错")
        assert session.get_one(QA, "same").status == "paused"
    publish("same", "改对的答案")
    moves.take(twice, "back", "a", "3001", why="新的答错多")
    assert (said("edited"), said("same")) == ("第二版的答案", "改对的答案"), "nor does what says the same"
    stays = history("a")[-1].figures["knowledge"]["stays"]
    assert ["edited", "withdrawn"] in stays and ["same", "withdrawn"] in stays


def test_knowledge_is_not_let_out_over_what_was_gone_back_to_meanwhile(twice: Settings) -> None:
    made(twice, "c", kind="knowledge")
    with database.write() as session:
        session.get_one(Bundle, "c").gate = {**(GATES["passed"] or {}), "against": "b"}
    moves.take(twice, "back", "a", "3001", why="新的答错多")
    with pytest.raises(IllegalMove, match="再重建一次索引"):
        moves.release_passed(twice, "c")
    moves.take(twice, "back", "b", "3001", why="还是新的好")
    moves.release_passed(twice, "c")
    moves.release_passed(twice, "c")
    assert states()["c"] == LIVE


def test_a_model_that_was_made_before_the_last_approvals_has_the_index_built_anew(sqlite_db: Settings) -> None:
    with database.write() as session:
        knowledge.upsert(session, [qa("one", "问题", "第一版的答案", status="approved")])
    made(sqlite_db, "a", kind="start", gate="none", state=LIVE, named={"one": 1})
    made(sqlite_db, "b", named={"one": 1})
    publish("one", "第二版的答案")
    with database.write() as session:
        session.query(Job).delete()
    moves.take(sqlite_db, "shadow", "b", "2002")
    moves.take(sqlite_db, "share", "b", "2002", share=50)
    moves.take(sqlite_db, "all", "b", "2002")
    with database.read() as session:
        assert session.scalar(select(Job.kind)) == "index"
    assert said("one") == "第二版的答案", "what an item says stands in its row, whichever bundle answers"


def test_what_a_killed_writer_left_goes_with_the_next_try(sqlite_db: Settings) -> None:
    made(sqlite_db, "a")
    manifest = files.read(sqlite_db, "a")
    left, other = (files.folder(sqlite_db, name) for name in (".a-0badcafe", ".b-0badcafe"))
    for one in (left, other):
        one.mkdir()
        (one / files.OVERLAY).write_text("half", encoding="utf-8")
    files.write(sqlite_db, manifest, {})
    assert not left.exists() and other.is_dir(), "another bundle may be in the making"
