"""Shadow runs: a coming release decides citizens' turns once more, changes nothing, and holds up nobody."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, select

from bot import conversations, database, housekeeping, knowledge, turns
from bot.clock import utcnow
from bot.models.conversations import Conversation, TurnEffect
from bot.models.housekeeping import Counter
from bot.models.knowledge import QA
from bot.models.releases import Bundle
from bot.models.shadow import ShadowTurn
from bot.releases import shadow
from bot.settings import Settings
from bot.turns import Turn
from connectors.turns.shadow import Shadow
from index.assistant.respond import Assistant
from index.versions import build, store
from tests.index.test_assistant import KNOWLEDGE, NOWHERE, _copy, make, qa
from training.fit import calibration_for

ASKED = "图书馆借书证丢失如何补领"


@contextlib.contextmanager
def writes(engine: Engine) -> Iterator[list[str]]:
    """The statements that change something meanwhile."""
    seen: list[str] = []

    def look(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().split(None, 1)[0].upper() not in ("SELECT", "BEGIN", "PRAGMA"):
            seen.append(statement)

    event.listen(engine, "before_cursor_execute", look)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", look)


def received(assistant: Assistant, conversation_id: str, text: str, act: str = "ask_policy") -> Turn:
    with database.write() as session:
        conversation = conversations.lock(session, conversation_id)
        receipt = turns.receive(session, conversation, uuid.uuid4().hex, text, assistant._settings, source="here")
    with database.read() as session:
        return turns.load(session, receipt.turn_id, act=act)


def opened() -> str:
    with database.write() as session:
        made, _ = conversations.create(session, "web")
    return made.id


def test_a_trial_writes_nothing_whatever_is_said(sqlite_db: Settings) -> None:
    """Above all it counts no wrong query code: a shadow run would lock citizens out."""
    assistant = make(sqlite_db, region="430000")
    conversation_id = opened()
    said = [
        ASKED, "没用", "有用", "不是这个", "1", "以上都不是", "自行车上牌照要多少钱", "养犬登记证年审流程", "火星签证怎么办", "好",
        "13800138000", "高龄津贴每月领多少钱", "长沙市岳麓区", "转人工", "我要投诉", "路灯坏了三天没人修", "岳麓区麓山路 12 号",
        "13900139000", "算了", f"{NOWHERE} 123456", f"{NOWHERE} 654321", "我的工单办得怎么样了", "家里着火了", "再说一遍", "看不懂",
        "月薪 20000 要交多少个税", "谢谢", "", "你好", "/restart",
    ]  # fmt: skip
    acts = ("ask_policy", "rate_bad", "report_problem", "request_human", "check_ticket", "chitchat", "repeat")
    with database.read() as session:
        before = {one.name: one.value for one in session.scalars(select(Counter))}
    for number, text in enumerate(said):
        turn = received(assistant, conversation_id, text)
        for act in (turn.act, acts[number % len(acts)]):
            with writes(database.get_engine()) as seen:
                assistant.decide(replace(turn, act=act, trial=True))
            assert seen == [], text
        if "1234" not in text and "6543" not in text:
            assistant.respond(turn)  # the conversation goes on, and what is expected next changes
        else:
            with writes(database.get_engine()) as seen:
                assistant.decide(turn)
            assert seen, "the real one counts: the test would notice"
    with database.read() as session:
        changed = {one.name for one in session.scalars(select(Counter)) if before.get(one.name) != one.value}
    assert changed, "the real ones counted"


@pytest.fixture
def two(sqlite_db: Settings) -> tuple[Assistant, str, str]:
    """An assistant with two index versions: the one in use, and one in which another item is found."""
    assistant = make(sqlite_db)
    live = store.pointer(sqlite_db)[0]
    with database.write() as session:
        knowledge.upsert(session, [qa("newer", "借书证丢失补领", similar=[ASKED, "图书馆借书证丢了怎么补领"])])
        session.get_one(QA, "plain").similar = []
        session.get_one(QA, "plain").question = "古籍阅览预约"
    coming = build.build(assistant._settings, calibration_for)
    with database.write() as session:
        knowledge.upsert(session, [_copy(item) for item in KNOWLEDGE])
    assert live is not None
    return assistant, live, coming


def a_bundle(name: str, state: str, index: str) -> Bundle:
    at = utcnow()
    return Bundle(
        name=name, kind="model", state=state, share=0, index_version=index, rasa_model="m", rasa_port=None,
        summary={}, made_by="2001", made_at=at, since=at,
    )  # fmt: skip


class Running:
    def __init__(self, assistant: Assistant, live: str, coming: str) -> None:
        self.assistant, self.busy = assistant, False
        with database.write() as session:
            session.add_all([a_bundle("a", "live", live), a_bundle("b", "shadow", coming)])
        with database.read() as session:
            one, other = session.get_one(Bundle, "a"), session.get_one(Bundle, "b")
        assistant.reader.hold({live, coming})
        self.shadow = Shadow(assistant, lambda: (one, other), lambda: self.busy)
        self.shadow.start()
        self.conversation = opened()

    def say(self, text: str, conversation: str | None = None) -> TurnEffect:
        turn = received(self.assistant, conversation or self.conversation, text)
        self.assistant.respond(turn)
        with database.read() as session:
            effect = session.get_one(TurnEffect, turn.turn_id)
        self.shadow.offer(turn, effect)
        return effect


@pytest.fixture
def running(two: tuple[Assistant, str, str]) -> Iterator[Running]:
    one = Running(*two)
    yield one
    one.shadow.close()


def rows() -> list[ShadowTurn]:
    with database.read() as session:
        return list(session.scalars(select(ShadowTurn).order_by(ShadowTurn.id)))


def wait_until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_a_coming_release_would_have_answered_is_kept_without_words(running: Running) -> None:
    first = running.say(ASKED)
    second = running.say("自行车上牌照要多少钱")
    running.say("谢谢")  # no index has a say in it
    running.shadow.close()
    one, other = rows()
    assert (one.bundle, one.live_qa, one.qa, one.same) == ("b", first.qa_id, "newer", False)
    assert first.qa_id == "plain" and one.live_certainty and one.certainty and one.ms > 0
    assert (other.decision, other.same) == (second.decision, True)
    with database.read() as session:
        found = shadow.figures(session, "b")
        effects = session.scalars(select(TurnEffect)).all()
    assert (found.compared, found.same, found.failed, found.skipped) == (2, 1, 0, 0)
    assert {effect.bundle for effect in effects} == {"a"}
    assert "图书馆" not in str([{c: getattr(row, c) for c in row.__table__.columns.keys()} for row in rows()])  # noqa: SIM118


def test_nobody_waits_for_it_and_what_there_is_no_time_for_is_counted(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.turns.shadow._PATIENCE_S", 0.1)
    running.busy = True
    began = time.monotonic()
    effect = running.say(ASKED)
    with database.read() as session:
        turn = turns.load(session, effect.turn_id)
    for _ in range(60):
        running.shadow.offer(turn, effect)
    assert time.monotonic() - began < 5
    wait_until(lambda: running.shadow._skipped == 61)
    assert rows() == []
    running.busy = False
    running.say(ASKED)
    running.shadow.close()
    (row,) = rows()
    assert row.skipped == 61


def test_one_that_cannot_decide_is_said_and_the_next_goes_on(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    decide = running.assistant.decide
    with monkeypatch.context() as patch:
        patch.setattr(running.assistant, "decide", lambda turn: 1 / 0 if turn.trial else decide(turn))
        running.say(ASKED)
        wait_until(lambda: len(running.shadow._rows) == 1)
    running.say(ASKED)
    running.shadow.close()
    assert [row.decision for row in rows()] == ["failed", "answer"]


def test_an_index_that_is_not_in_memory_is_not_taken_for_another(running: Running) -> None:
    running.assistant.reader.hold(())
    running.say(ASKED)
    running.shadow.close()
    assert rows() == [] and running.shadow._skipped == 1


def test_it_is_erased_with_the_conversation_and_after_its_time(running: Running) -> None:
    other = opened()
    running.say(ASKED)
    running.say(ASKED, other)
    erased = opened()
    running.say(ASKED, erased)
    wait_until(lambda: len(running.shadow._rows) == 3)
    with database.write() as session:
        conversations.erase(session, conversations.lock(session, erased))  # before it was written
    running.shadow.close()
    assert len(rows()) == 2
    with database.write() as session:
        conversations.erase(session, conversations.lock(session, other))
        assert session.get(Conversation, other) is None
    assert len(rows()) == 1
    housekeeping.tidy(30, utcnow() + timedelta(days=29))
    assert len(rows()) == 1
    housekeeping.tidy(30, utcnow() + timedelta(days=31))
    assert rows() == []


def test_what_was_paused_or_corrected_is_so_in_every_release_at_the_next_message(running: Running) -> None:
    """Both releases know the item; what it says and whether it may answer stands in its row alone."""
    with database.read() as session:
        index = {name: session.get_one(Bundle, name).index_version for name in "ab"}
    asked = "图书馆借书证丢失如何补领"

    def answers() -> dict[str, tuple[str, str]]:
        found = {}
        for name, version in index.items():
            turn = received(running.assistant, opened(), asked)
            outcome = running.assistant.decide(replace(turn, bundle=name, index=version))
            found[name] = outcome.decision, getattr(outcome.replies[0], "text", "")
        return found

    with database.write() as session:
        for id_ in ("plain", "newer"):
            session.get_one(QA, id_).answer = "已经更正。"
    assert {name: text for name, (_, text) in answers().items()} == {"a": "已经更正。", "b": "已经更正。"}
    with database.write() as session:
        for id_ in ("plain", "newer"):
            session.get_one(QA, id_).status = "paused"
    assert "answer" not in {decision for decision, _ in answers().values()}
