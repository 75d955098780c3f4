"""Whoever got a wrong answer is on the list, exactly they, and each is told once: also when the work is cut off anywhere."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import subprocess
import sys
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from bot import conversations, database, jobs, knowledge, recalls, retention, sms, told, turns
from bot.asked import Look
from bot.calls import calls
from bot.clock import utcnow
from bot.conversations import Context
from bot.desk import callbacks, choices, takeover
from bot.errors import Forbidden, IllegalMove, InvalidInput, NotFound
from bot.models.callbacks import Callback
from bot.models.calls import CallShown
from bot.models.conversations import ChannelUser, Conversation, DeskNote, OutboxMessage, TurnEffect
from bot.models.housekeeping import AuditEntry
from bot.models.recalls import Recall, RecallTarget
from bot.models.sms import ShortMessage
from bot.models.tickets import Ticket, TicketEvent
from bot.models.versions import QAVersion
from bot.recalls import finding, sending
from bot.replies import TextReply
from bot.settings import ROOT, Settings
from bot.sms import Sent
from bot.tickets import lookup, moves, numbers, register
from bot.turns import Outcome
from connectors.jobs.steps import STEPS
from connectors.wechat import outbox
from tests.bot.test_desk import do, staff
from tests.bot.test_knowledge import a_qa

ITEM, RIGHT, WRONG = "sfz-001", "身份证有效期是二十年。", "身份证有效期是十五年，到期不用换。"
CORRECTION = "有效期是二十年，到期要换领。"
NOW = utcnow()
OLD = NOW - timedelta(days=60)
"""When the wrong version came, before versions were written down with each answer"""
SINCE = NOW - timedelta(days=20)
_numbers = itertools.count(1)


class Work:
    """A job under way."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.results: dict[str, Any] = {}

    def progress(self, doing: str, done: int | None = None, total: int | None = None) -> None: ...

    def log(self, line: str) -> None: ...


def run(settings: Settings) -> None:
    """The job's steps, one after the other."""
    work = Work(settings)
    for step in STEPS["recall"]:
        work.results[step.name] = step.call(work)  # type: ignore[arg-type]


def wrong_item() -> None:
    """Right until 60 days ago, then wrong, now withdrawn."""
    with database.write() as session:
        knowledge.upsert(session, [a_qa(ITEM, answer=RIGHT), a_qa("other", answer="别的答案，和这件事没有关系。")])
        for id_ in (ITEM, "other"):
            knowledge.approve(session, id_, "王审核", now=NOW - timedelta(days=200))
        knowledge.edit(session, ITEM, {"answer": WRONG}, "张编辑", now=OLD)
        knowledge.submit(session, ITEM, "张编辑", now=OLD)
        knowledge.approve(session, ITEM, "王审核", now=OLD)


def withdraw() -> None:
    with database.write() as session:
        knowledge.withdraw(session, ITEM, "班长", "年限写错了", now=NOW)


def asks(
    conversation: str, text: str, qa_id: str | None = ITEM, version: int | None = 2, at: datetime = NOW, **explain: str
) -> str:
    """A question of a citizen's, and the assistant's answer."""
    with database.write() as session:
        one = conversations.lock(session, conversation)
        receipt = turns.receive(session, one, uuid.uuid4().hex, text, Settings(), now=at)
    with database.read() as session:
        turn = turns.load(session, receipt.turn_id)
    outcome = Outcome([TextReply(text="答")], Context(), qa_id=qa_id, qa_version=version, explain=dict(explain))
    outcome.decision, outcome.look = "answer", Look(text, None)
    turns.settle(turn, outcome)
    with database.write() as session:
        session.get_one(TurnEffect, receipt.turn_id).settled_at = at
    return receipt.turn_id


def talk(channel: str = "web") -> str:
    with database.write() as session:
        made, _ = conversations.create(session, channel)
        session.flush()
        if channel == "wechat":
            session.add(
                ChannelUser(
                    channel=channel, user_digest=made.id, conversation_id=made.id, address=made.id,
                    push_until=NOW + timedelta(days=1), pushes_left=4,
                )
            )  # fmt: skip
        return made.id


def ticket(
    conversation: str | None, phone: str | None = None, at: datetime = NOW, subject: str = "身份证多久换"
) -> str:
    with database.write() as session:
        return register.create(
            session, number=numbers.free_number(session, at), query_code="12345678", conversation_id=conversation,
            turn_id=None, kind="咨询", subject=subject, transcript=[], region=None, phone=phone, department=None, days=5,
            now=at,
        ).number  # fmt: skip


def call(
    phone: str | None,
    what: str | None = "used",
    *,
    practice: bool = False,
    made: str | None = None,
    qa_id: str = ITEM,
) -> str:
    agent = f"a{next(_numbers)}"
    with database.write() as session:
        one = calls.begin(session, NOW, agent=agent, caller=phone, practice=practice)
        one.ticket = made
        items = [{"qa_id": qa_id, "band": "sure", "probability": 1}]
        session.add(CallShown(call_id=one.id, seq=1, topic=1, question="身份证几年一换", items=items, at=NOW))
        if what:
            choices.record(
                session, kind="call", subject=one.id, person=agent, what=what, qa_id=qa_id, shown=[],  # type: ignore[arg-type]
                id=uuid.uuid4().hex, now=NOW, reason="不合适",
            )  # fmt: skip
        return one.id


def phone() -> str:
    return f"139{next(_numbers):08}"


@dataclass
class Crowd:
    """Who got what: a plain account of it."""

    people: list[set[tuple[str, str]]] = field(default_factory=list)
    """Those who got the wrong answer, each with all that is theirs"""
    others: list[str] = field(default_factory=list)


def crowd(settings: Settings, seed: int = 1) -> Crowd:
    """Fifty conversations over three channels, calls, tickets, short messages; about half of them got it."""
    dice, found = random.Random(seed), Crowd()
    got, others = found.people, found.others
    texts = ("身份证多久过期", "我那个证十年了要不要换呀", "证件有效期")
    for number in range(50):
        channel = ("web", "wechat", "miniprogram")[number % 3]
        one = talk(channel)
        kind = dice.choice(["wrong", "wrong", "twice", "before", "old", "too old", "agent", "other item", "nothing"])
        if kind == "nothing":
            others.append(one)
        elif kind == "other item":
            asks(one, "别的事", "other", 1)
            others.append(one)
        elif kind == "before":
            asks(one, texts[0], version=1)
            others.append(one)
        elif kind == "too old":  # nobody wrote down which version it was; by the time it was the right one
            asks(one, texts[0], version=None, at=OLD - timedelta(minutes=1))
            others.append(one)
        else:
            times = 3 if kind == "twice" else 1
            for _ in range(times):
                asks(one, dice.choice(texts), version=None if kind == "old" else 2, at=SINCE)
            mine = {("conversation", one)}
            if dice.random() < 0.3:
                mine.add(("ticket", ticket(one, phone(), SINCE)))
            got.append(mine)
        if kind == "agent":
            with database.write() as session:
                said = conversations.say(
                    session, conversations.lock(session, one), [TextReply(text=WRONG)], sender="agent"
                )
                said.qa_id, said.qa_version = ITEM, 2
    others.append(trial := talk("trial"))
    asks(trial, texts[0])

    for what in ("used", "edited"):
        got.append({("call", call(phone(), what))})
    got.append({("call", call(None))})  # nobody knows their number
    same = phone()  # rang twice, and left a ticket the second time
    made = ticket(None, same)
    got.append({("call", call(same)), ("call", call(same, made=made)), ("ticket", made)})
    others += [call(phone(), "unsuitable"), call(phone(), None), call(phone(), practice=True)]

    forgotten = talk()  # the conversation's time is over, the ticket stays
    asks(forgotten, texts[1])
    kept = ticket(forgotten, None, utcnow())
    with database.write() as session:
        retention.erase(session, [forgotten])
    got.append({("ticket", kept)})
    erased = talk()
    asks(erased, texts[1])
    ticket(erased)
    with database.write() as session:
        conversations.erase(session, conversations.lock(session, erased))
    quoted = ticket(None, phone())
    answered(quoted, f"您好：{WRONG}请放心。")
    got.append({("ticket", quoted)})
    fine = ticket(None, phone())
    answered(fine, f"您好：{RIGHT}")
    others.append(fine)
    with database.write() as session:
        on = settings.model_copy(update={"sms_url": "http://127.0.0.1:1/"})
        number = phone()
        sent = [sms.put(session, number, WRONG, "a", on, id=uuid.uuid4().hex, qa_id=ITEM).id for _ in range(2)]
        got.append({("sms", one) for one in sent})
        others.append(sms.put(session, phone(), "别的", "a", on, id=uuid.uuid4().hex, qa_id="other").id)
    return found


def answered(number: str, text: str) -> None:
    with database.write() as session:
        moves.claim(session, number, "5")
        moves.reply(session, number, "5", text)


def drafted() -> str:
    with database.write() as session:
        return recalls.draft(session, ITEM, [2], CORRECTION, "2001", now=NOW).id


def approved(settings: Settings) -> str:
    id_ = drafted()
    with database.write() as session:
        recalls.approve(session, id_, "2002", now=NOW)
    return id_


def targets(**which: Any) -> list[RecallTarget]:
    with database.read() as session:
        return list(session.scalars(select(RecallTarget).filter_by(**which).order_by(RecallTarget.id)))


def keys(target: RecallTarget) -> set[tuple[str, str]]:
    return {(target.kind, target.key), *((kind, key) for kind, key in target.also)}


def corrections() -> Counter[str]:
    """How often each conversation, phone and ticket got a correction."""
    with database.read() as session:
        said = [
            one.conversation_id
            for one in session.scalars(select(OutboxMessage).where(OutboxMessage.sender == "system"))
            if one.replies[0]["text"].startswith("更正：")
        ]
        texts = [one.phone for one in session.scalars(select(ShortMessage)) if str(one.text).startswith("更正：")]
        owed = [one.phone for one in session.scalars(select(Callback)) if one.why == "recall"]
        shown = select(TicketEvent.number).where(TicketEvent.action == "更正", TicketEvent.public.is_(True))
        return Counter([*said, *texts, *owed, *session.scalars(shown)])


# --- who -------------------------------------------------------------------------------------------------------------


def test_the_list_is_exactly_who_got_it_and_each_is_told_once(db: Settings) -> None:
    wrong_item()
    found = crowd(db)
    withdraw()
    assert len(found.people) > 20
    with database.read() as session:
        listed = finding.people(session, ITEM, {2})
        assert sorted(sorted({(one.kind, one.key), *one.also}) for one in listed) == sorted(map(sorted, found.people))
        assert all(one.version == 2 for one in listed)
        right = finding.people(session, ITEM, {1})
        assert {one.key for one in right} <= set(found.others)
    approved(db)
    run(db)
    run(db)
    mine = targets()
    assert sorted(map(sorted, map(keys, mine))) == sorted(map(sorted, found.people))
    counted = corrections()
    assert set(counted.values()) == {1}
    assert not set(found.others) & set(counted)
    by = Counter(target.state for target in mine)
    assert by[told.WAITING] == 0 and by[told.UNREACHABLE] == 1  # the call without a number
    for target in mine:
        if target.kind == "conversation":
            assert counted[target.key] == 1
    with database.read() as session:
        (one,), total = recalls.listed(session)
        assert (total, one.state) == (1, "done")
        figures = recalls.figures(session, [one.id])[one.id]
        assert figures.people == len(found.people) == sum(getattr(figures, state) for state in told.STATES)
        for state in told.STATES:
            rows, count = recalls.targets(session, one.id, state, limit=1000)
            assert count == len(rows) == getattr(figures, state) == by[state]
        actions = session.scalars(select(AuditEntry.action).where(AuditEntry.action.startswith("recall."))).all()
        assert actions == ["recall.draft", "recall.approve"]


@pytest.mark.parametrize("db", ["sqlite", pytest.param("postgresql", marks=pytest.mark.full)], indirect=True)
@pytest.mark.parametrize("by_sms", [False, True])
def test_wherever_it_is_cut_off_each_is_told_once(db: Settings, monkeypatch: pytest.MonkeyPatch, by_sms: bool) -> None:
    if by_sms:
        db.sms_url = "http://127.0.0.1:1/"
    wrong_item()
    found = crowd(db, seed=2)
    withdraw()
    approved(db)
    dice, cuts = random.Random(3), 0

    def fragile(name: str, module: Any) -> None:
        real = getattr(module, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            nonlocal cuts
            place = dice.random()
            if place < 0.1:
                cuts += 1
                raise KeyboardInterrupt
            done = real(*args, **kwargs)
            if place < 0.2:
                cuts += 1
                raise KeyboardInterrupt
            return done

        monkeypatch.setattr(module, name, wrapped)

    fragile("say", conversations)
    fragile("owe", callbacks)
    fragile("put", sms)
    fragile("note_event", moves)
    fragile("_sent", sending)
    for _ in range(200):
        with contextlib.suppress(KeyboardInterrupt):
            run(db)
            break
    assert cuts > 5
    counted = corrections()
    assert set(counted.values()) == {1}
    assert len([one for one in targets() if one.state != told.UNREACHABLE]) == len(found.people) - 1


@pytest.mark.parametrize("db", ["sqlite", pytest.param("postgresql", marks=pytest.mark.full)], indirect=True)
def test_a_process_that_is_killed_and_two_at_once_tell_nobody_twice(db: Settings) -> None:
    wrong_item()
    ids = [talk() for _ in range(12)]
    for one in ids:
        asks(one, "身份证多久过期")
    withdraw()
    approved(db)
    program = """
import os, signal
from bot import conversations, database, recalls
from bot.settings import get_settings
said, count = conversations.say, 0
def say(*args, **kwargs):
    global count
    count += 1
    message = said(*args, **kwargs)
    if count == 5:
        args[0].flush()
        os.kill(os.getpid(), signal.SIGKILL)
    return message
conversations.say = say
with database.read() as session:
    waiting = recalls.waiting(session, 0, 100)
for one in waiting:
    with database.write() as session:
        recalls.tell(session, one, get_settings())
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=dict(os.environ), timeout=60)
    assert ended.returncode == -signal.SIGKILL
    assert sum(corrections().values()) == 4
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: run(db), range(3)))
    assert corrections() == Counter(ids)


# --- how -------------------------------------------------------------------------------------------------------------


def test_everybody_reads_their_own_words_and_the_day(sqlite_db: Settings) -> None:
    wrong_item()
    one, chose, long = talk(), talk(), talk()
    day = SINCE.replace(hour=17, minute=30)  # the next day in China
    asks(one, "我的\n证十年了要换不", at=day)
    asks(chose, "证件有效期是多少", None, None, at=day - timedelta(minutes=1))
    asks(chose, "2", at=day, step="option")
    asks(long, "长" * 200, at=day)
    made = call(phone())
    withdraw()
    approved(sqlite_db)
    run(sqlite_db)
    china = day + timedelta(hours=8)
    begins = f"更正：您 {china.month} 月 {china.day} 日问过“"
    expected = {one: "我的 证十年了要换不", chose: "证件有效期是多少", long: "长" * 59 + "…"}
    with database.read() as session:
        for id_, words in expected.items():
            query = select(OutboxMessage).where(OutboxMessage.conversation_id == id_, OutboxMessage.sender == "system")
            said = session.scalars(query).one().replies[0]["text"]
            assert said == f"{begins}{words}”，当时的回答有误。正确的是：{CORRECTION}"
        owed = session.scalars(select(Callback)).one()
        assert owed.subject == made and "身份证几年一换" in str(owed.says)
        stored = session.scalars(select(RecallTarget)).all()
        assert not any(words in repr(vars(target)) for target in stored for words in expected.values())


def test_a_web_citizen_has_seen_it_once_they_ask_for_what_comes_after(sqlite_db: Settings) -> None:
    wrong_item()
    one, other = talk(), talk()
    for id_ in (one, other):
        asks(id_, "身份证多久过期")
    withdraw()
    approved(sqlite_db)
    run(sqlite_db)
    with database.read() as session:
        place = conversations.history(session, one)[-1]["seq"]
        assert not told.unread(session, one, place - 1) and told.unread(session, one, place)
    do(told.read, one, place - 1, NOW)
    assert {target.state for target in targets()} == {told.SENT}
    do(told.read, one, place, NOW)
    assert {target.key: target.state for target in targets()} == {one: told.SEEN, other: told.SENT}
    assert [target.seen_at for target in targets(key=one)] == [NOW]
    with database.read() as session:
        assert not told.unread(session, one, place)


def test_wechat_pushes_it_within_its_time_and_offers_it_after(sqlite_db: Settings) -> None:
    wrong_item()
    soon, late = talk("wechat"), talk("wechat")
    for one in (soon, late):
        asks(one, "身份证多久过期")
    with database.write() as session:
        for user in session.scalars(select(ChannelUser)):
            user.push_until = NOW + timedelta(hours=1 if user.conversation_id == soon else -1)
        for message in session.scalars(select(OutboxMessage)):
            message.status = "delivered"
    withdraw()
    approved(sqlite_db)
    run(sqlite_db)
    for id_ in outbox.due(["wechat"], utcnow(), timedelta()):
        if (claimed := outbox.claim(id_, NOW, None)) is not None:
            assert "更正" in claimed.forms[-1]["text"]["content"]
            outbox.settle(id_, claimed, outbox.Sent.DELIVERED, NOW)
    assert {target.key: target.state for target in targets()} == {soon: told.SEEN, late: told.SENT}
    turn = asks(late, "还在吗", None, None)
    assert "更正：" in outbox.take(turn, again=False)
    assert {target.state for target in targets()} == {told.SEEN}


def test_short_messages_and_calls_say_what_came_of_them(sqlite_db: Settings) -> None:
    sqlite_db.sms_url = "http://127.0.0.1:1/"
    wrong_item()
    accepted, refused, landline = call(phone()), call(phone()), call("073188886666")
    withdraw()
    id_ = approved(sqlite_db)
    run(sqlite_db)
    assert {target.key: (target.state, target.how) for target in targets()} == {
        accepted: (told.SENT, "sms"),
        refused: (told.SENT, "sms"),
        landline: (told.CALLBACK, "callback"),
    }
    (by_phone,) = targets(key=landline)
    assert "11 位的手机号" in (by_phone.reason or "")
    for key, what in ((accepted, Sent.ACCEPTED), (refused, Sent.REFUSED)):
        (target,) = targets(key=key)
        do(sms.claim, target.message)
        do(sms.settle, target.message, what, "停机", NOW)
    (target,) = targets(key=refused)
    assert (target.state, target.reason) == (told.WAITING, "短信没有发成：停机")
    with database.read() as session:
        assert recalls.get(session, id_).state == "approved" and jobs.jobs(session, kind="recall")
    run(sqlite_db)
    (target,) = targets(key=refused)
    assert target.state == told.CALLBACK
    staff("li")
    for _ in range(callbacks.TRIES):
        do(callbacks.claim, target.message, "li")
        do(callbacks.close, target.message, "li", "not_reached")
    do(callbacks.claim, by_phone.message, "li")
    do(callbacks.close, by_phone.message, "li", "reached")
    assert {target.key: target.state for target in targets()} == {
        accepted: told.SEEN,
        refused: told.UNREACHABLE,
        landline: told.SEEN,
    }
    with database.read() as session:
        figures = recalls.figures(session, [id_])[id_]
        assert (figures.people, figures.seen, figures.unreachable, figures.waiting) == (3, 2, 1, 0)


def test_a_phone_that_is_forgotten_is_not_called(sqlite_db: Settings) -> None:
    wrong_item()
    number = phone()
    call(number)
    withdraw()
    approved(sqlite_db)
    run(sqlite_db)
    do(callbacks.forget_phone, number)
    (target,) = targets()
    assert (target.state, target.reason) == (told.UNREACHABLE, told.FORGOTTEN)


def test_a_ticket_shows_it_and_is_seen_when_it_is_opened(sqlite_db: Settings) -> None:
    wrong_item()
    number = ticket(None)
    answered(number, WRONG)
    withdraw()
    approved(sqlite_db)
    run(sqlite_db)
    (target,) = targets()
    assert (target.kind, target.state, target.how) == ("ticket", told.SENT, "progress")
    with database.read() as session:
        events = [event for event in session.get_one(Ticket, number).events if event.action == "更正"]
        assert [(event.public, str(event.note).startswith("更正：您")) for event in events] == [(True, True)]
    do(lambda session: lookup.find(session, number, "12345678", source="here", now=NOW))
    (target,) = targets()
    assert target.state == told.SEEN


def test_an_agent_is_told_beside_the_conversation_and_the_citizen_after_it(sqlite_db: Settings) -> None:
    staff("wang")
    wrong_item()
    one = talk()
    asks(one, "身份证多久过期")
    do(takeover.take_over, one, "wang", sqlite_db)
    withdraw()
    id_ = approved(sqlite_db)
    run(sqlite_db)
    run(sqlite_db)
    assert not corrections()
    (target,) = targets()
    assert (target.state, target.how, target.reason) == (told.WAITING, "note", sending.WITH_A_PERSON)
    with database.read() as session:
        (note,) = session.scalars(select(DeskNote))
        assert note.conversation_id == one and CORRECTION in str(note.text)
        assert recalls.get(session, id_).state == "approved"
        before = len(jobs.jobs(session, kind="recall", states=[jobs.WAITING]))
    assert before == 1
    with database.write() as session:
        jobs.jobs(session, kind="recall")[0].state = jobs.DONE
    do(takeover.hand_back, one, "wang")
    with database.read() as session:
        assert len(jobs.jobs(session, kind="recall", states=[jobs.WAITING])) == 1
    run(sqlite_db)
    assert corrections() == {one: 1}
    with database.read() as session:
        assert recalls.get(session, id_).state == "done"


def test_whoever_has_their_conversation_erased_drops_out(sqlite_db: Settings) -> None:
    wrong_item()
    gone, meanwhile, kept = talk(), talk(), talk()
    for one in (gone, meanwhile, kept):
        asks(one, "身份证多久过期")
    withdraw()
    id_ = approved(sqlite_db)
    with database.write() as session:
        conversations.erase(session, conversations.lock(session, gone))
    run(sqlite_db)
    with database.write() as session:
        conversations.erase(session, conversations.lock(session, meanwhile))
    assert [target.key for target in targets()] == [kept]
    with database.read() as session:
        assert recalls.figures(session, [id_])[id_].people == 1


# --- who may ---------------------------------------------------------------------------------------------------------


def test_two_people_and_a_version_only_once(sqlite_db: Settings) -> None:
    wrong_item()
    one = talk()
    asks(one, "身份证多久过期")
    with database.write() as session:
        with pytest.raises(IllegalMove, match="还没有作废"):
            recalls.draft(session, ITEM, [2], CORRECTION, "2001")
        with pytest.raises(NotFound, match="第 7 版"):
            recalls.draft(session, ITEM, [7], CORRECTION, "2001")
    withdraw()
    with database.write() as session:
        for correction in (" ", "长" * 501):
            with pytest.raises(InvalidInput, match="正确的答案"):
                recalls.draft(session, ITEM, [2], correction, "2001")
        with pytest.raises(IllegalMove, match="作废"):  # the wrong answer is no correction
            recalls.draft(session, ITEM, [2], WRONG, "2001")
        with pytest.raises(InvalidInput, match="版本"):
            recalls.draft(session, ITEM, [], CORRECTION, "2001")
    id_ = drafted()
    with database.write() as session:
        with pytest.raises(IllegalMove, match="已经有一份召回"):
            recalls.draft(session, ITEM, [2], CORRECTION, "2001")
        with pytest.raises(Forbidden, match="另一位"):
            recalls.approve(session, id_, "2001")
    run(sqlite_db)
    assert not corrections(), "a draft tells nobody"
    do(recalls.call_off, id_, "2001")
    assert targets() == []
    with database.write() as session:
        for move in (recalls.approve, recalls.call_off):
            with pytest.raises(IllegalMove, match="已取消"):
                move(session, id_, "2002")
    again = drafted()
    late = talk()
    asks(late, "我也问过", at=NOW - timedelta(days=1))  # found only now
    do(recalls.approve, again, "2002")
    run(sqlite_db)
    assert corrections() == {one: 1, late: 1}
    with database.write() as session, pytest.raises(IllegalMove, match="都已发出"):
        recalls.call_off(session, again, "2002")


def test_in_production_people_need_the_role(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong_item()
    withdraw()
    staff("boss", roles=("supervisor",))
    staff("judge", roles=("approver",))
    staff("pen", roles=("editor",))
    production = sqlite_db.model_copy(update={"env": "production"})
    monkeypatch.setattr("bot.knowledge.moves.get_settings", lambda: production)
    with database.write() as session:
        for nobody in ("pen", "judge", "x"):
            with pytest.raises(Forbidden):
                recalls.draft(session, ITEM, [2], CORRECTION, nobody)
        id_ = recalls.draft(session, ITEM, [2], CORRECTION, "boss").id
        with pytest.raises(Forbidden):
            recalls.approve(session, id_, "pen")
        recalls.approve(session, id_, "judge")


def test_a_preview_counts_shows_and_keeps_nothing(sqlite_db: Settings) -> None:
    wrong_item()
    for channel in ("web", "web", "wechat", "miniprogram"):
        asks(talk(channel), "身份证多久过期")
    call(phone())
    quoted = ticket(None, phone())
    answered(quoted, WRONG)
    withdraw()
    with database.read() as session:
        found = recalls.preview(session, ITEM, [2], CORRECTION)
        assert (found.people, found.by_kind) == (6, {"conversation": 4, "call": 1, "ticket": 1})
        assert found.by_channel == {"web": 2, "wechat": 1, "miniprogram": 1, "phone": 1, "ticket": 1}
        assert len(found.examples) == 5 and all(CORRECTION in words for _, words in found.examples)
        assert session.scalar(select(func.count()).select_from(Recall)) == 0


@pytest.mark.full
def test_ten_thousand_are_listed_in_seconds(sqlite_db: Settings) -> None:
    wrong_item()
    with database.write() as session:
        session.add_all(
            Conversation(
                id=f"{n:032}", channel="web", token_digest=None, state="bot", session=1, session_turns=0, seq=0,
                context={}, created_at=SINCE, active_at=NOW,
            )
            for n in range(10_000)
        )  # fmt: skip
        session.add_all(
            OutboxMessage(
                id=f"{n:032}", conversation_id=f"{n:032}", seq=1, sender="agent", qa_id=ITEM, qa_version=2, channel="web",
                replies=[], status="available", attempts=0, created_at=SINCE,
            )
            for n in range(10_000)
        )  # fmt: skip
        assert session.get_one(QAVersion, (ITEM, 2)).number == 2
    withdraw()
    start = utcnow()
    id_ = drafted()
    assert utcnow() - start < timedelta(seconds=15)
    with database.read() as session:
        assert recalls.figures(session, [id_])[id_].people == 10_000
