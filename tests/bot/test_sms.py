"""Short messages: stored once, bounded a phone, given once, and never again where nobody can tell."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import select, text

from bot import database, sms
from bot.clock import utcnow
from bot.errors import IllegalMove, InvalidInput, NotFound, TooMany
from bot.models.housekeeping import AuditEntry
from bot.models.sms import ShortMessage
from bot.settings import Settings
from bot.sms import Sent
from tests.bot.test_desk import do

PHONE = "13812345678"
_ids = count(1)


@pytest.fixture
def on(db: Settings) -> Settings:
    return db.model_copy(update={"sms_url": "http://127.0.0.1:1/sms"})


def put(settings: Settings, **more: Any) -> str:
    given = {"phone": PHONE, "text": "窗口在二楼。", "person": "wang", "id": f"{next(_ids):032x}"} | more
    phone, words, person = (given.pop(name) for name in ("phone", "text", "person"))
    return str(do(sms.put, phone, words, person, settings, **given).id)


def row(id_: str) -> ShortMessage:
    with database.read() as session:
        return session.get_one(ShortMessage, id_)


def test_without_a_platform_it_says_so(db: Settings) -> None:
    with pytest.raises(IllegalMove, match="没有开通短信"):
        put(db)


def test_what_can_not_be_sent_is_not_stored(on: Settings) -> None:
    for wrong in (
        {"phone": "0731-88881234"},
        {"phone": "1381234567"},
        {"text": " "},
        {"text": "字" * 1001},
        {"id": "1"},
    ):
        with pytest.raises(InvalidInput):
            put(on, **wrong)
    assert row(put(on, phone="+86 138-1234-5678")).phone == PHONE


def test_the_same_id_is_the_same_message(on: Settings) -> None:
    one = put(on, id="a" * 32)
    assert put(on, id="a" * 32) == one
    with pytest.raises(InvalidInput):
        put(on, id="a" * 32, person="li")
    with database.read() as session:
        assert len(session.scalars(select(ShortMessage)).all()) == 1
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "sms.send")).one()
        assert entry.detail["to"] == "138****5678"
        raw = session.execute(text("SELECT phone, text FROM sms_outbox")).one()
    assert PHONE not in raw[0] and "窗口" not in raw[1]


def test_a_phone_gets_so_many_a_day(on: Settings) -> None:
    now = utcnow()
    for _ in range(on.sms_per_day):
        put(on, now=now)
    with pytest.raises(TooMany, match="一天最多发 5 条"):
        put(on, now=now)
    put(on, phone="13912345678", now=now)
    put(on, now=now + timedelta(days=1, seconds=1))


def given(id_: str, sent: Sent, now: Any = None) -> str | None:
    assert do(sms.claim, id_) is not None
    return do(sms.settle, id_, sent, "关机", now or utcnow())  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("sent", "status"), [(Sent.ACCEPTED, "accepted"), (Sent.REFUSED, "refused"), (Sent.UNKNOWN, "unknown")]
)
def test_it_is_given_once(on: Settings, sent: Sent, status: str) -> None:
    one = put(on)
    assert given(one, sent) == status
    assert row(one).error == (None if status == "accepted" else "关机")
    with database.read() as session:
        assert not sms.due(session, utcnow() + timedelta(days=1))
    assert do(sms.claim, one) is None and do(sms.settle, one, Sent.ACCEPTED, "", utcnow()) is None


def test_what_certainly_did_not_get_there_is_tried_again_and_not_for_ever(on: Settings) -> None:
    one, now = put(on), utcnow()
    waits = []
    while given(one, Sent.AGAIN, now) == "pending":
        with database.read() as session:
            assert not sms.due(session, now)
            due = session.get_one(ShortMessage, one).next_attempt_at
        assert due is not None
        waits.append((due - now).total_seconds())
        now = due
        with database.read() as session:
            assert list(sms.due(session, now)) == [one]
    assert waits == [5, 10, 20, 40, 80, 160, 320] and row(one).status == "failed"
    with pytest.raises(NotFound):
        do(sms.again, one, "li", any_person=False)
    do(sms.again, one, "li", any_person=True)
    assert (row(one).status, row(one).attempts) == ("pending", 0)
    with pytest.raises(IllegalMove):
        do(sms.again, one, "wang", any_person=False)


def test_of_two_senders_one_gets_it(on: Settings) -> None:
    one = put(on)
    with ThreadPoolExecutor(6) as pool:
        assert sum(found is not None for found in pool.map(lambda _: do(sms.claim, one), range(6))) == 1


def test_what_a_killed_process_was_sending_may_have_gone_out(on: Settings) -> None:
    one = put(on)
    do(sms.claim, one)
    assert do(sms.any_sending) and do(sms.take_back, utcnow()) == 1
    assert row(one).status == "unknown" and not do(sms.any_sending)
    do(sms.again, one, "wang", any_person=False)


def test_they_are_forgotten(on: Settings) -> None:
    put(on), put(on, phone="13912345678")
    assert do(sms.forget_phone, "138 1234 5678") == 1
    assert do(sms.forget_old, utcnow() + timedelta(days=on.retention_days - 1)) == 0
    assert do(sms.forget_old, utcnow() + timedelta(days=on.retention_days + 1)) == 1


def test_the_list_is_ones_own_the_newest_first(on: Settings) -> None:
    now = utcnow()
    mine = [put(on, now=now + timedelta(seconds=n)) for n in range(3)]
    theirs = put(on, person="li", now=now + timedelta(seconds=9))
    with database.read() as session:
        rows, total = sms.listed(session, "wang", limit=2)
        assert [one.id for one in rows] == mine[:0:-1] and total == 3
        assert sms.listed(session, None)[0][0].id == theirs
