"""Calls that we owe: made from waits given up, claimed by one, tried thrice; and asking for civil words."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bot import conversations, database
from bot.clock import utcnow
from bot.desk import callbacks, lists, notes, shield, takeover, words
from bot.errors import IllegalMove, InvalidInput, NotFound
from bot.models.callbacks import Callback
from bot.models.conversations import DeskNote
from bot.models.desk import Shield
from bot.models.tickets import Ticket
from bot.settings import Settings
from bot.tickets import numbers, register
from tests.bot.test_desk import do, heard, opened, staff

PHONE = "13912345678"


def with_phone(id_: str) -> None:
    with database.write() as session:
        now = utcnow()
        register.create(
            session, number=numbers.free_number(session, now), query_code="12345678", conversation_id=id_, turn_id=None,
            kind="求助", subject="停水三天", transcript=[], region=None, phone=PHONE, department=None, days=15, now=now,
        )  # fmt: skip


def leaves(id_: str) -> None:
    with database.write() as session:
        takeover.leave(session, conversations.lock(session, id_))


def owed() -> list[Callback]:
    with database.read() as session:
        return list(callbacks.listed(session)[0])


def test_who_does_not_wait_any_longer_is_called_back(db: Settings) -> None:
    one = opened("waiting")
    with_phone(one)
    with database.read() as session:
        since = session.scalars(select(conversations.Conversation.waiting_since)).one()
    leaves(one)
    (row,) = owed()
    assert (row.kind, row.subject, row.phone, row.why, row.since) == ("conversation", one, PHONE, "leave", since)
    with database.write() as session:  # again in the queue, and out of it: one call is owed
        conversations.move(session, conversations.lock(session, one), "waiting", "市民", "conversation.ask_for_human")
    leaves(one)
    assert len(owed()) == 1


def test_without_a_phone_a_note_says_so(db: Settings) -> None:
    one = opened("waiting")
    leaves(one)
    assert owed() == []
    with database.read() as session:
        note = session.scalars(select(DeskNote)).one()
        assert note.conversation_id == one and "没有留电话" in note.text


def test_whoever_gets_a_person_after_all_is_owed_nothing(db: Settings) -> None:
    staff("wang")
    one = opened("waiting")
    with_phone(one)
    leaves(one)
    do(takeover.take_over, one, "wang", db)
    assert owed() == []
    with database.read() as session:
        row = session.scalars(select(Callback)).one()
        assert (row.result, row.done_by) == ("served", "wang")


def debt(id_: str = "c" * 32) -> str:
    now = utcnow()
    return str(do(callbacks.owe, "call", id_, PHONE, "hung_up", now, now).id)


def test_of_many_who_claim_one_gets_it(db: Settings) -> None:
    one = debt()

    def claim(number: str) -> bool:
        try:
            do(callbacks.claim, one, number)
        except IllegalMove as refused:
            assert "同事" in str(refused)
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(claim, [f"p{n}" for n in range(8)])) == 1


def test_a_claim_lapses_and_can_be_put_back(db: Settings) -> None:
    one, now = debt(), utcnow()
    do(callbacks.claim, one, "wang", now)
    do(callbacks.claim, one, "wang", now)  # one's own once more
    with pytest.raises(IllegalMove):
        do(callbacks.claim, one, "li", now + callbacks.HELD)
    do(callbacks.claim, one, "li", now + callbacks.HELD + timedelta(seconds=1))
    with pytest.raises(IllegalMove, match="不在您手上"):
        do(callbacks.close, one, "wang", "reached")
    do(callbacks.release, one, "li")
    do(callbacks.claim, one, "wang", now)
    with pytest.raises(NotFound):
        do(callbacks.claim, "nothing", "wang")


@pytest.mark.parametrize("result", ["reached", "wrong_number"])
def test_one_call_is_enough(db: Settings, result: callbacks.Result) -> None:
    one = debt()
    do(callbacks.claim, one, "wang")
    row = do(callbacks.close, one, "wang", result)
    assert (row.result, row.done_by, row.tries) == (result, "wang", 1) and owed() == []
    with pytest.raises(IllegalMove, match="办完"):
        do(callbacks.claim, one, "li")
    with database.read() as session:
        assert [one.id for one in callbacks.listed(session, done=True)[0]] == [one]


def test_who_does_not_answer_is_called_three_times_behind_the_others(db: Settings) -> None:
    first, second = debt("a" * 32), debt("b" * 32)
    for time in range(1, callbacks.TRIES + 1):
        do(callbacks.claim, first, "wang")
        with pytest.raises(InvalidInput):
            do(callbacks.close, first, "wang", "perhaps")
        row = do(callbacks.close, first, "wang", "not_reached")
        assert row.tries == time and row.claimed_by is None
        assert [one.id for one in owed()] == ([second, first] if time < callbacks.TRIES else [second])


def test_a_phone_is_forgotten_at_its_owners_wish(db: Settings) -> None:
    debt()
    assert do(callbacks.forget_phone, "139 1234 5679") == 0
    assert do(callbacks.forget_phone, "139-1234-5678") == 1
    assert owed() == []


# --- civil words -----------------------------------------------------------------------------------------------------


def told(now: Any) -> list[str | None]:
    with database.read() as session:
        due = [one.id for one in shield.due(session, now)]
    return [do(shield.tell, id_, now) for id_ in due]


def test_the_citizen_is_asked_once_when_it_can_t_be_taken_back(db: Settings) -> None:
    staff("wang")
    one = opened("human", "wang")
    now = utcnow()
    made = do(shield.ask, one, "wang", now)
    assert do(shield.ask, one, "wang", now).id == made.id
    assert told(now + shield.UNDO) == [] and ("system", words.CIVIL) not in heard(one)
    later = now + shield.UNDO + timedelta(seconds=1)
    assert told(later) == [one] and told(later) == []
    assert heard(one).count(("system", words.CIVIL)) == 1
    with pytest.raises(IllegalMove, match="过了"):
        do(shield.undo, made.id, "wang", now)  # said is said
    with database.read() as session:
        assert shield.count_unseen(session, later) == 1
    for supervisor in ("zhao", "qian"):
        do(shield.seen, made.id, supervisor, later)
    with database.read() as session:
        assert session.get_one(Shield, made.id).seen_by == "zhao"
        assert shield.count_unseen(session, later) == 0 and [row.id for row in shield.recent(session, later)] == [
            made.id
        ]


def test_taken_back_nothing_was_said(db: Settings) -> None:
    staff("wang"), staff("li")
    one = opened("human", "wang")
    now = utcnow()
    with pytest.raises(IllegalMove, match="不在您手上"):
        do(shield.ask, one, "li")
    made = do(shield.ask, one, "wang", now)
    with pytest.raises(NotFound):
        do(shield.undo, made.id, "li", now)
    do(shield.undo, made.id, "wang", now + shield.UNDO)
    assert told(now + 3 * shield.UNDO) == []
    with database.read() as session:
        assert not shield.recent(session, now)
    assert do(shield.ask, one, "wang", now).id != made.id


def test_over_before_that_nothing_is_said_either(db: Settings) -> None:
    staff("wang")
    one = opened("human", "wang")
    do(shield.ask, one, "wang", utcnow() - timedelta(minutes=1))
    do(takeover.end, one, "wang")
    assert told(utcnow()) == []


def test_the_rating_says_nothing_about_the_agent(db: Settings) -> None:
    staff("wang")
    rude, kind = opened("human", "wang"), opened("human", "wang")
    made = do(shield.ask, rude, "wang", utcnow())
    for one, rating in ((rude, 1), (kind, 3)):
        with database.read() as session:
            service = conversations.open_service(session, one)
        assert service is not None
        do(takeover.rate, one, service.id, rating)
    begin = utcnow() - timedelta(hours=1)
    with database.read() as session:
        day = lists.since(session, begin)
    assert (day.satisfied, day.rated) == (1, 1)
    do(shield.undo, made.id, "wang")
    with database.read() as session:
        assert lists.since(session, begin).rated == 2


def test_a_three_way_call_says_with_whom(db: Settings) -> None:
    one = opened()
    for kind, party in (("three-way", None), ("note", "市医保局")):
        with pytest.raises(InvalidInput, match="三方通话"):
            do(notes.add, one, "wang", kind, "已答复", utcnow(), party=party)
    do(notes.add, one, "wang", "three-way", "已答复：周五前上门", utcnow(), party="市水务局值班室")
    with database.read() as session:
        (note,) = notes.of(session, one)
        assert (note.kind, note.party, note.text) == ("three-way", "市水务局值班室", "已答复：周五前上门")


def test_with_the_conversation_all_of_it_goes(db: Settings) -> None:
    one = opened("waiting")
    with_phone(one)
    leaves(one)
    with database.write() as session:
        conversations.erase(session, conversations.lock(session, one))
    assert owed() == []
    with database.read() as session:
        assert session.scalars(select(Ticket.phone)).all() == [PHONE]  # the ticket is a record
