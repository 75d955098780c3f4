"""Alarms: raised with the turn, seen once, told once, erased with the conversation."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from bot import alarms, conversations, danger, database, turns
from bot.clock import utcnow
from bot.conversations import Context
from bot.errors import NotFound
from bot.models.conversations import Alarm, Conversation
from bot.models.housekeeping import AuditEntry
from bot.settings import Settings
from bot.turns import Outcome, Receipt, Turn


def hears(turn: Turn) -> Outcome | None:
    if "着火" not in turn.text:
        return None
    return Outcome(replies=[danger.card(("fire",))], context=turn.context, decision="emergency")


def say(settings: Settings, id_: str, text: str) -> Receipt:
    with database.write() as session:
        conversation = conversations.lock(session, id_)
        return turns.receive(session, conversation, uuid.uuid4().hex, text, settings, hears=hears)


def opened(state: str = "bot") -> str:
    with database.write() as session:
        made, _ = conversations.create(session, "web")
        made.state = state  # type: ignore[assignment]
        return made.id


@pytest.mark.parametrize("state", ["bot", "waiting", "human", "closed"])
def test_in_every_state_the_card_comes_at_once_and_the_staff_has_its_alarm(db: Settings, state: str) -> None:
    id_ = opened(state)
    receipt = say(db, id_, "家里着火了")
    assert receipt.replies is not None and [reply.type for reply in receipt.replies] == ["emergency"]
    with database.read() as session:
        (alarm,) = alarms.unseen(session)
        assert (alarm.conversation_id, alarm.turn_id, alarm.kind) == (id_, receipt.turn_id, "fire")
        assert alarms.count_unseen(session) == 1
        assert session.get_one(Conversation, id_).state == ("bot" if state == "closed" else state)
        assert "着火" not in str({column.name: getattr(alarm, column.name) for column in Alarm.__table__.columns})


def test_any_other_message_waits_for_its_answer_or_for_the_agent(db: Settings) -> None:
    assert say(db, opened(), "公积金怎么取").replies is None
    assert say(db, opened("waiting"), "公积金怎么取").replies is None
    assert say(db, opened("human"), "公积金怎么取").replies == []
    with database.read() as session:
        assert not alarms.unseen(session)


def test_the_same_message_again_raises_no_second_alarm(db: Settings) -> None:
    id_ = opened()
    for _ in range(2):
        with database.write() as session:
            conversation = conversations.lock(session, id_)
            receipt = turns.receive(session, conversation, "m1", "着火了", db, hears=hears)
            assert receipt.replies
    with database.read() as session:
        assert alarms.count_unseen(session) == 1


def test_the_certain_ones_come_first_then_the_newest(db: Settings) -> None:
    now = utcnow()
    made = []
    for possible, ago in ((True, 0), (False, 30), (False, 10)):
        receipt = say(db, opened(), "你好")
        with database.write() as session:
            card = danger.card(("medical",), possible=possible)
            alarms.raise_(session, "c", receipt.turn_id, card, now - timedelta(minutes=ago))
        made.append(receipt.turn_id)
    with database.read() as session:
        assert [one.turn_id for one in alarms.unseen(session)] == [made[2], made[1], made[0]]


def test_who_saw_it_first_stands_in_the_audit_log(db: Settings) -> None:
    turn = say(db, opened(), "着火了").turn_id
    for agent in ("小王", "小李"):
        with database.write() as session:
            alarms.seen(session, turn, agent, utcnow())
    with database.write() as session, pytest.raises(NotFound):
        alarms.seen(session, "nothing", "小王", utcnow())
    with database.read() as session:
        assert alarms.count_unseen(session) == 0
        assert session.get_one(Alarm, turn).seen_by == "小王"
        entries = [one for one in session.query(AuditEntry) if one.action == "danger.seen"]
        assert [one.actor for one in entries] == ["小王"]


def test_an_alarm_goes_with_its_conversation(db: Settings) -> None:
    id_ = opened()
    say(db, id_, "着火了")
    with database.write() as session:
        conversations.erase(session, conversations.lock(session, id_))
    with database.read() as session:
        assert session.query(Alarm).count() == 0


def test_the_memory_of_a_danger_survives_being_stored() -> None:
    memory = Context(danger=conversations.OpenDanger(kinds=("fire", "gas"), at=utcnow()))
    assert Context.model_validate(memory.stored()).danger == memory.danger
