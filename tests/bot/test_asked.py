"""What was asked is kept, masked, with what comes of it; it names nobody and goes with whoever asked."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from conftest import forget
from samples import fill
from sqlalchemy import select

from bot import asked, conversations, database, keys, ratings, turns
from bot.asked import Look, Wanted
from bot.clock import utcnow
from bot.desk import takeover
from bot.errors import InvalidInput, NotFound
from bot.models.asked import Asked
from bot.models.conversations import Conversation, InboxMessage
from bot.models.tickets import Ticket
from bot.replies import AnswerReply, ClarifyReply, Option, Reply, TextReply
from bot.settings import Settings, get_settings
from bot.tickets import moves, numbers, register
from bot.turns import Outcome
from tests.bot.test_desk import staff
from tests.bot.test_turns import receive

CANDIDATE = {"qa_id": "a", "matter": "甲", "question": "问", "wording": "问", "score": 1.5, "features": {"char": 0.5}}
EXPLAIN = {"step": "question", "version": "v1", "probability": 0.9, "answer_at": 0.8, "candidates": [CANDIDATE]}


def conversation(channel: str = "web") -> str:
    with database.write() as session:
        return conversations.create(session, channel)[0].id


def answer(certainty: str = "sure") -> AnswerReply:
    fields: dict[str, Any] = {"qa_id": "a", "matter": "甲", "question": "问", "text": "答", "confidence": 0.9}
    nothing = dict.fromkeys(("valid_from", "valid_to", "as_of"))
    return AnswerReply(**fields, **nothing, certainty=certainty, sources=[], guides=[], related=[], region="100000")


def turn(
    settings: Settings,
    conversation_id: str,
    text: str,
    reply: Reply | None = None,
    look: Look | None = None,
    **more: Any,
) -> str:
    """Settle a turn; its id."""
    turn_id = receive(settings, conversation_id, f"m{time.monotonic_ns()}", text).turn_id
    with database.read() as session:
        loaded = turns.load(session, turn_id)
    reply = reply or answer()
    outcome = Outcome(replies=[reply], context=loaded.context, decision=reply.type, look=look)
    for name, value in ({"explain": dict(EXPLAIN)} | more).items():
        setattr(outcome, name, value)
    turns.settle(loaded, outcome)
    return turn_id


def every(**wanted: Any) -> list[Asked]:
    with database.read() as session:
        return list(asked.rows(session, Wanted(**wanted)))


def test_a_question_is_kept_masked_with_how_it_was_decided(db: Settings) -> None:
    look = Look("电话13800138000怎么改", "430100", {"matter": "甲", "question": "问", "qa": None}, b"\1\2\3\4", "sum")
    turn(db, conversation(), "电话 13800138000 怎么改", look=look, qa_id="a")
    with database.read() as session:
        (row,) = asked.rows(session, Wanted(), vectors=True)
        assert asked.vector_of(row) == b"\1\2\3\4"
    assert row.said == {"text": "电话 138****8000 怎么改", "normalised": "电话138****8000怎么改"}
    assert (row.source, row.channel, row.region, row.encoder) == ("市民", "web", "430100", "sum")
    assert (row.decision, row.certainty, row.qa_id, row.matter) == ("answer", "sure", "a", "甲")
    assert (row.probability, row.version, row.before["question"]) == (0.9, "v1", "问")
    assert row.found["candidates"] == [{"qa_id": "a", "wording": "问", "score": 1.5, "features": {"char": 0.5}}]


def test_what_looked_for_nothing_is_not_kept(db: Settings) -> None:
    turn(db, conversation(), "谢谢", TextReply(text="不客气"))
    assert every() == []


def test_no_row_names_its_conversation_or_turn(db: Settings) -> None:
    one = conversation()
    turn_id = turn(db, one, "问", look=Look("问", None))
    (row,) = every()
    values = " ".join(str(getattr(row, column.name)) for column in Asked.__table__.columns if column.name != "vector")
    assert one not in values and turn_id not in values
    assert row.person in asked.person_link(one) and row.turn in asked.turn_link(turn_id)


def test_what_came_of_it_is_filled_in(db: Settings) -> None:
    one = conversation()
    rated = turn(db, one, "第一问", look=Look("第一问", None), qa_id="a")
    with database.write() as session:
        ratings.rate(session, rated, False, None)
    assert [row.helpful for row in every(result="useless")] == [False]
    options = ClarifyReply(text="哪一个？", options=[Option(number=1, qa_id="b", question="乙")])
    turn(db, one, "第二问", options, look=Look("第二问", None))
    turn(db, one, "1", look=None, qa_id="b", explain={"step": "option"})
    (chosen,) = every(result="chosen")
    assert (chosen.said["text"], chosen.chosen, asked.right_item(chosen)) == ("第二问", "b", "b")
    turn(db, one, "第三问", answer("likely"), look=Look("第三问", None), qa_id="a")
    turn(db, one, "不是这个", TextReply(text="那是哪个？"), explain={"step": "option", "refused": True})
    assert [row.said["text"] for row in every(result="refused")] == ["第三问"]
    turn(db, one, "换句话问第三问", look=Look("换句话问第三问", None), qa_id="a")
    third, again = every(text="第三问")[::-1]
    assert third.rephrased == again.id and again.rephrased is None
    assert [row.said["text"] for row in every(result="nothing")] == ["换句话问第三问"]


def test_an_answer_that_nobody_found_fault_with_is_not_put_again(db: Settings) -> None:
    one = conversation()
    turn(db, one, "第一问", look=Look("第一问", None), qa_id="a")
    turn(db, one, "又一问", look=Look("又一问", None), qa_id="a")
    assert every(result="rephrased") == []


def test_a_ticket_s_outcome_reaches_the_question(db: Settings) -> None:
    one = conversation()
    turn(db, one, "问", TextReply(text="要登记吗？"), look=Look("问", None), decision="offer")
    now = utcnow()
    with database.write() as session:
        number = numbers.free_number(session, now)
        register.create(
            session,
            number=number,
            query_code="12345678",
            conversation_id=one,
            turn_id=None,
            kind="咨询",
            subject="问",
            transcript=[],
            region=None,
            phone=None,
            department=None,
            days=15,
            now=now,
        )
    assert [row.ticket for row in every()] == ["待受理"]
    with database.write() as session:
        moves.claim(session, number, "1")
        moves.reply(session, number, "1", "好了")
    assert [row.ticket for row in every(result="ticket")] == ["已答复"]
    assert number not in str(every()[0].ticket_link)


def test_what_an_agent_answered_from_an_item_is_kept(db: Settings) -> None:
    one = conversation()
    turn(db, one, "问", TextReply(text="要登记吗？"), look=Look("问", None), decision="offer")
    staff("1")
    with database.write() as session:
        takeover.take_over(session, one, "1", db)
        takeover.speak(session, one, "1", [TextReply(text="答")], qa_id="a", edited=False)
    (row,) = every()
    assert (row.agent_qa, row.agent_edited, row.source, asked.right_item(row)) == ("a", False, "市民", "a")
    receive(db, one, "m9", "那另一件呢，电话13800138000")
    with database.write() as session:
        takeover.speak(session, one, "1", [TextReply(text="答二")], qa_id="b", edited=True)
    own = every(source="坐席")
    assert [(row.said["text"], row.decision, row.agent_qa) for row in own] == [
        ("那另一件呢，电话138****8000", "forwarded", "b")
    ]
    assert asked.right_item(own[0]) is None  # edited: perhaps not the item's answer any more


def test_who_only_tries_is_told_apart(db: Settings) -> None:
    turn(db, conversation("trial"), "问", look=Look("问", None))
    assert [row.source for row in every()] == ["试一试"]


def test_a_citizen_s_wish_takes_it_along_and_time_by_its_own_measure(db: Settings) -> None:
    one, other = conversation(), conversation()
    for each in (one, other):
        turn(db, each, "问", look=Look("问", None))
    with database.write() as session:
        conversations.erase(session, conversations.lock(session, one))
    assert [row.person in asked.person_link(other) for row in every()] == [True]
    with database.write() as session:
        assert asked.purge(session, utcnow() + timedelta(days=29), 30) == 0
        assert asked.purge(session, utcnow() + timedelta(days=31), 30) == 1
    assert every() == []


def test_after_a_change_of_keys_the_wish_still_finds_it(db: Settings) -> None:
    one = fill(db)
    (before,) = every()
    keys.rotate(db, "王")
    forget()
    (row,) = every()
    assert row.person != before.person and row.person in asked.person_link(one) and row.turn != before.turn
    with database.write() as session:
        ratings.rate(session, session.scalars(select(InboxMessage.turn_id)).one(), True, None)
        moves.claim(session, session.scalars(select(Ticket.number)).one(), "1")
    assert [(row.helpful, row.ticket) for row in every()] == [(True, "办理中")]
    with database.write() as session:
        conversations.erase(session, session.scalars(select(Conversation)).one())
    assert every() == [] and get_settings()


def test_the_list_is_filtered_and_read_on(db: Settings) -> None:
    one = conversation()
    for number in range(7):
        turn(db, one, f"第{number}问", look=Look("问", "430104" if number % 2 else "110000"), qa_id="a")
    with database.read() as session:
        first = list(asked.rows(session, Wanted()))[:3]
        rest = list(asked.rows(session, Wanted(), before=first[-1].id))
    assert [row.said["text"] for row in [*first, *rest]] == [f"第{number}问" for number in range(6, -1, -1)]
    assert len(every(region="430000")) == 3 and len(every(region="100000")) == 7 and every(region="330000") == []
    assert len(every(qa_id="a", matter="甲", act="ask_policy", channel="web", certainty="sure")) == 7
    assert [row.said["text"] for row in every(text="5问")] == ["第5问"]
    assert every(since=utcnow()) == [] and len(every(until=utcnow())) == 7
    with database.read() as session, pytest.raises(InvalidInput):
        list(asked.rows(session, Wanted(result="?")))
    with database.read() as session, pytest.raises(NotFound):
        list(asked.rows(session, Wanted(), before="nothing"))
