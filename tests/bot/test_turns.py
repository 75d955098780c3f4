"""One message, one effect: repeats, order, late results, the states of a conversation."""

from __future__ import annotations

import contextlib
import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot import conversations, database, turns
from bot.clock import utcnow
from bot.conversations import Context
from bot.desk import takeover
from bot.errors import Forbidden, NotFound
from bot.models.conversations import Conversation, InboxMessage, OutboxMessage, Rating, TurnEffect
from bot.replies import TextReply
from bot.settings import Settings
from bot.turns import Outcome
from tests.bot.test_desk import staff


@pytest.fixture
def conversation(db: Settings) -> str:
    with database.write() as session:
        made, _ = conversations.create(session, "web")
    return made.id


def receive(settings: Settings, conversation_id: str, message_id: str, text: str = "你好") -> turns.Receipt:
    with database.write() as session:
        return turns.receive(session, conversations.lock(session, conversation_id), message_id, text, settings)


def settle(turn_id: str, text: str, **more: object) -> list[str]:
    with database.read() as session:
        turn = turns.load(session, turn_id)
    outcome = Outcome(replies=[TextReply(text=text)], context=turn.context, **more)  # type: ignore[arg-type]
    return [reply.text for reply in turns.settle(turn, outcome).replies]


def test_a_repeated_message_is_the_same_turn_and_gets_the_same_reply(db: Settings, conversation: str) -> None:
    first = receive(db, conversation, "m1")
    assert first.new and first.replies is None
    assert receive(db, conversation, "m1", "另一句话") == turns.Receipt(first.turn_id, False, "bot", None)
    settle(first.turn_id, "您好")
    again = receive(db, conversation, "m1")
    assert not again.new and again.replies == [TextReply(text="您好")]
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(InboxMessage)) == 1


def test_the_same_message_id_in_another_conversation_is_another_message(db: Settings, conversation: str) -> None:
    with database.write() as session:
        other, _ = conversations.create(session, "web")
    assert receive(db, conversation, "m1").turn_id != receive(db, other.id, "m1").turn_id


def test_the_first_to_settle_wins_and_the_late_one_leaves_no_trace(db: Settings, conversation: str) -> None:
    turn_id = receive(db, conversation, "m1").turn_id

    def effect(session: Session) -> None:
        session.add(Rating(turn_id=turn_id, helpful=False, reason=None, qa_id=None, created_at=utcnow()))

    assert settle(turn_id, "先到") == ["先到"]
    assert settle(turn_id, "后到", effect=effect) == ["先到"]
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(OutboxMessage)) == 1
        assert session.get(Rating, turn_id) is None


def test_of_many_threads_exactly_one_settles(db: Settings, conversation: str) -> None:
    turn_id = receive(db, conversation, "m1").turn_id
    told: list[list[str]] = []
    threads = [threading.Thread(target=lambda n=n: told.append(settle(turn_id, f"第{n}个"))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 8 and len({tuple(replies) for replies in told}) == 1
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(TurnEffect)) == 1


def test_an_effect_that_fails_undoes_the_whole_turn(db: Settings, conversation: str) -> None:
    turn_id = receive(db, conversation, "m1").turn_id

    def fails(session: Session) -> None:
        raise RuntimeError("disk on fire")

    with pytest.raises(RuntimeError, match="disk on fire"):
        settle(turn_id, "没说成", effect=fails)
    with database.read() as session:
        assert turns.unsettled(session) == [(conversation, turn_id)]
        assert session.scalar(select(func.count()).select_from(OutboxMessage)) == 0


def test_messages_in_and_out_share_one_order(db: Settings, conversation: str) -> None:
    for number in range(3):
        settle(receive(db, conversation, f"m{number}", f"问{number}").turn_id, f"答{number}")
    with database.read() as session:
        said = conversations.history(session, conversation)
        later = conversations.history(session, conversation, after=4)
    assert [m["seq"] for m in said] == [1, 2, 3, 4, 5, 6]
    assert [m["sender"] for m in said] == ["citizen", "bot"] * 3
    assert [m["seq"] for m in later] == [5, 6]


def test_what_was_said_rests_encrypted(sqlite_db: Settings) -> None:
    with database.write() as session:
        made, _ = conversations.create(session, "web")
    settle(receive(sqlite_db, made.id, "m1", "我的电话是13800138000").turn_id, "记下了13800138000")
    raw = b"".join(path.read_bytes() for path in sqlite_db.data_dir.glob("yihaoda.db*"))
    assert b"13800138000" not in raw and "我的电话".encode() not in raw


def test_with_an_agent_the_assistant_is_silent(db: Settings, conversation: str) -> None:
    staff("wang")
    with database.write() as session:
        takeover.take_over(session, conversation, "wang", db)
    receipt = receive(db, conversation, "m1", "在吗")
    assert receipt.state == "human" and receipt.replies == []
    with database.read() as session:
        assert turns.unsettled(session) == []
    with database.write() as session:
        takeover.end(session, conversation, "wang")
    assert receive(db, conversation, "m2").state == "bot"


def test_a_session_is_renewed_when_idle_long_or_closed(db: Settings, conversation: str) -> None:
    settings = db.model_copy(update={"session_turns": 3})
    senders = set()
    for number in range(7):
        receive(settings, conversation, f"m{number}")
        with database.read() as session:
            senders.add(session.get_one(Conversation, conversation).sender)
    assert len(senders) == 3
    with database.write() as session:
        locked = conversations.lock(session, conversation)
        turns.receive(session, locked, "late", "还在吗", settings, now=utcnow() + timedelta(hours=2))
    with database.read() as session:
        senders.add(session.get_one(Conversation, conversation).sender)
    assert len(senders) == 4


def test_a_new_session_remembers_unless_the_old_one_was_closed(db: Settings, conversation: str) -> None:
    turn_id = receive(db, conversation, "m1").turn_id
    with database.read() as session:
        turn = turns.load(session, turn_id)
    memory = Context(region="430104", last_matter="护照办理", offered=["hz-001"])
    turns.settle(turn, Outcome(replies=[TextReply(text="x")], context=memory))
    with database.write() as session:
        locked = conversations.lock(session, conversation)
        turns.receive(session, locked, "m2", "然后呢", db, now=utcnow() + timedelta(days=1))
    with database.read() as session:
        assert conversations.context_of(session.get_one(Conversation, conversation)) == memory
    with database.write() as session:
        conversations.lock(session, conversation).state = "closed"
    receive(db, conversation, "m3")
    with database.read() as session:
        assert conversations.context_of(session.get_one(Conversation, conversation)) == Context(region="430104")


def test_what_the_citizen_sets_during_a_turn_outlasts_it_and_a_closed_session(db: Settings, conversation: str) -> None:
    turn_id = receive(db, conversation, "m1").turn_id
    with database.read() as session:
        turn = turns.load(session, turn_id)
    with database.write() as session:
        locked = conversations.lock(session, conversation)
        conversations.set_region(locked, "430104", db)
        conversations.agree_to_privacy(session, locked, "2")
    turns.settle(turn, Outcome(replies=[TextReply(text="x")], context=Context(last_qa="hz-001")))
    with database.write() as session:
        locked = conversations.lock(session, conversation)
        memory = conversations.context_of(locked)
        assert (memory.region, memory.last_qa) == ("430104", "hz-001")
        locked.state = "closed"
    receive(db, conversation, "m2")
    with database.read() as session:
        memory = conversations.context_of(session.get_one(Conversation, conversation))
    assert memory.privacy is not None and (memory.region, memory.privacy.version) == ("430104", "2")
    assert memory.last_qa is None


def test_a_turn_of_an_erased_conversation_writes_nothing(db: Settings, conversation: str) -> None:
    turn_id = receive(db, conversation, "m1").turn_id
    with database.read() as session:
        turn = turns.load(session, turn_id)
    with database.write() as session:
        conversations.erase(session, conversations.lock(session, conversation))
    with pytest.raises(NotFound):
        turns.settle(turn, Outcome(replies=[TextReply(text="x")], context=turn.context))
    with database.read() as session:
        assert turns.unsettled(session) == []
        for table in (Conversation, InboxMessage, TurnEffect, OutboxMessage):
            assert session.scalar(select(func.count()).select_from(table)) == 0


def test_erasing_and_settling_at_once_leave_no_rows(db: Settings) -> None:
    def one() -> None:
        with database.write() as session:
            made, _ = conversations.create(session, "web")
        turn_id = receive(db, made.id, "m1").turn_id
        with database.read() as session:
            turn = turns.load(session, turn_id)

        def settle_it() -> None:
            with contextlib.suppress(NotFound):
                turns.settle(turn, Outcome(replies=[TextReply(text="x")], context=turn.context))

        def erase() -> None:
            with database.write() as session:
                conversations.erase(session, conversations.lock(session, made.id))

        threads = [threading.Thread(target=work) for work in (settle_it, erase)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    for _ in range(10):
        one()
    with database.read() as session:
        for table in (Conversation, InboxMessage, TurnEffect, OutboxMessage):
            assert session.scalar(select(func.count()).select_from(table)) == 0


def test_only_its_own_token_opens_a_conversation(db: Settings) -> None:
    with database.write() as session:
        mine, token = conversations.create(session, "web")
        other, _ = conversations.create(session, "web")
    with database.read() as session:
        assert conversations.authenticate(session, mine.id, token).id == mine.id
        for conversation_id, wrong in ((mine.id, "x"), (other.id, token), ("none", token)):
            with pytest.raises(Forbidden, match="无权访问"):
                conversations.authenticate(session, conversation_id, wrong)
