"""Who leaves a question open in the official account is reminded, once: real gateway, real database, a WeChat API with its rules."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, time, timedelta

import pytest
from sqlalchemy import select, update

from bot import conversations, database, reminders, turns
from bot.clock import SHANGHAI, utcnow
from bot.conversations import Context
from bot.expects import Options
from bot.models.conversations import ChannelUser, Conversation, OutboxMessage
from bot.replies import ClarifyReply, Option
from bot.settings import Settings
from bot.turns import Outcome
from connectors.wechat import inbox
from connectors.wechat.account import GRACE
from connectors.wechat.outbox import OFFICIAL
from index.assistant import phrases
from tests.connectors.wechat_account import ASKED, Account, runner
from tests.index.test_assistant import Talk, make

QUIET = timedelta(minutes=10)
TOMORROW = (utcnow().astimezone(SHANGHAI) + timedelta(days=1)).date()
NOON = datetime.combine(TOMORROW, time(12), SHANGHAI)
"""So far may be pushed: 48 hours from now"""
OPEN = "图书馆的证件丢失"
UNSURE = {"YIHAODA_ANSWER_AT": "0.999", "YIHAODA_LIKELY_AT": "0.999", "YIHAODA_CLARIFY_AT": "0.001"}
KINDS = {
    "asked back": (OPEN, UNSURE, "您想问的是"),
    "offered": ("小区电梯坏了没有人来修怎么办", dict.fromkeys(UNSURE, "0.5"), phrases.OFFER),
    "likely": ("我的图书馆借书证丢失了该怎么弄呢", UNSURE | {"YIHAODA_LIKELY_AT": "0.02"}, phrases.LIKELY),
}


@pytest.fixture
def run(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    for name, value in UNSURE.items():
        monkeypatch.setenv(name, value)
    return runner(sqlite_db, monkeypatch, "wechat")


def silent_since(at: datetime) -> None:
    """All that was said was said then."""
    with database.write() as session:
        session.execute(update(Conversation).values(active_at=at))
        session.execute(update(OutboxMessage).values(delivered_at=at))


def remind(at: datetime = NOON) -> int:
    return reminders.remind(OFFICIAL, QUIET, at)


async def deliver(one: Account, at: datetime = NOON) -> list[str]:
    """What citizens got pushed in the end."""
    while await one.wechat.deliver(at + GRACE):
        pass
    return [text for _, text in one.fake.sent]


@pytest.mark.parametrize("kind", KINDS)
def test_a_question_left_open_is_reminded_of_once_and_can_be_registered(run, monkeypatch, kind: str) -> None:  # type: ignore[no-untyped-def]
    asked, limits, said = KINDS[kind]
    for name, value in limits.items():
        monkeypatch.setenv(name, value)

    async def scenario(one: Account) -> None:
        assert (await one.say("o1", asked)).startswith(said)
        silent_since(NOON - QUIET + timedelta(seconds=1))
        assert remind() == 0
        silent_since(NOON - QUIET)
        assert [remind(), remind()] == [1, 0]
        assert await deliver(one) == [reminders.WORDS]
        assert remind(NOON + timedelta(minutes=30)) == 0
        assert "已经登记给工作人员" in await one.say("o1", "登记")
        silent_since(NOON)
        assert remind(NOON + QUIET) == 0, "a ticket leaves nothing open"

    run(scenario)


def test_not_twice_after_a_restart_but_again_after_the_next_silence(run) -> None:  # type: ignore[no-untyped-def]
    async def first(one: Account) -> None:
        await one.say("o1", OPEN)
        silent_since(NOON - QUIET)
        assert remind() == 1
        assert await deliver(one) == [reminders.WORDS]

    async def second(one: Account) -> None:
        assert remind(NOON + timedelta(minutes=1)) == 0 and await deliver(one) == []
        await one.say("o1", OPEN, number=7)
        silent_since(NOON)
        assert remind(NOON + QUIET) == 1
        assert await deliver(one, NOON + QUIET) == [reminders.WORDS]

    run(first)
    run(second)


def test_what_was_put_out_before_a_restart_goes_out_at_once_or_never(run) -> None:  # type: ignore[no-untyped-def]
    async def first(one: Account) -> None:
        for citizen in ("o1", "o2"):
            await one.say(citizen, OPEN)
        silent_since(NOON - QUIET)
        assert remind() == 2
        with database.write() as session:
            reminder = session.scalars(select(OutboxMessage).where(OutboxMessage.turn_id.is_(None))).first()
            assert reminder is not None
            reminder.status = "sending"  # it may have gone out when the process was killed

    async def second(one: Account) -> None:
        assert await deliver(one, NOON + timedelta(hours=1)) == []
        assert one.statuses() == {"delivered": 2, "dropped": 2}
        assert reminders.WORDS not in await one.say("o1", "1"), "it is not offered either"

    run(first)
    run(second)


def test_who_comes_back_is_not_reminded_however_late(run) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        await one.say("o1", OPEN)
        silent_since(NOON - QUIET)
        answered = await one.say("o1", "1")
        assert "的答案" in answered
        silent_since(NOON - QUIET)
        assert remind() == 0
        await one.say("o1", OPEN)
        silent_since(NOON - QUIET)
        assert remind() == 1
        assert reminders.WORDS not in await one.say("o1", "1")
        assert await deliver(one) == [] and one.statuses() == {"delivered": 4, "dropped": 1}

    run(scenario)


@pytest.mark.parametrize("reaction", ["谢谢", "有用", "再见", "对，就是这个"])
def test_who_reacts_to_a_likely_answer_is_left_in_peace(run, monkeypatch, reaction: str) -> None:  # type: ignore[no-untyped-def]
    asked, limits, _ = KINDS["likely"]
    monkeypatch.setenv("YIHAODA_LIKELY_AT", limits["YIHAODA_LIKELY_AT"])

    async def scenario(one: Account) -> None:
        await one.say("o1", asked)
        await one.say("o1", reaction)
        silent_since(NOON - QUIET)
        assert remind() == 0

    run(scenario)


@pytest.mark.parametrize(
    ("clock", "count"), [((6, 59), 0), ((7, 0), 1), ((21, 59), 1), ((22, 0), 0), ((0, 30), 0)], ids=str
)
def test_nobody_is_woken(run, clock: tuple[int, int], count: int) -> None:  # type: ignore[no-untyped-def]
    at = datetime.combine(TOMORROW, time(*clock), SHANGHAI)

    async def scenario(one: Account) -> None:
        await one.say("o1", OPEN)
        silent_since(at - QUIET)
        assert remind(at) == count
        night = datetime.combine(TOMORROW, time(22), SHANGHAI)
        assert await deliver(one, night) == [], "one that was put out at the last minute neither"

    run(scenario)


@pytest.mark.parametrize("state", ["waiting", "human", "closed"])
def test_a_conversation_that_is_not_the_assistants_is_left_alone(run, state: str) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        await one.say("o1", OPEN)
        silent_since(NOON - QUIET)

        def become(state: str) -> None:
            with database.write() as session:
                session.execute(update(Conversation).values(state=state))

        become(state)
        assert remind() == 0
        become("bot")
        assert remind() == 1
        become(state)
        assert await deliver(one) == []

    run(scenario)


def test_the_last_push_is_kept_for_people_and_wechats_time_is_kept(run) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        await one.say("o1", OPEN)
        silent_since(NOON - QUIET)

        def may(left: int, until: datetime) -> None:
            with database.write() as session:
                session.execute(update(ChannelUser).values(pushes_left=left, push_until=until))

        for left, until in ((1, NOON + timedelta(hours=1)), (0, NOON + timedelta(hours=1)), (5, NOON)):
            may(left, until)
            assert remind() == 0
        may(2, NOON + timedelta(hours=1))
        assert remind() == 1 and await deliver(one) == [reminders.WORDS]
        with database.read() as session:
            assert session.scalars(select(ChannelUser.pushes_left)).one() == 1

    run(scenario)


def test_what_was_answered_what_was_not_seen_and_what_is_long_ago_is_not_reminded_of(run, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        await one.say("o1", OPEN)
        silent_since(NOON - QUIET - reminders.LATE - timedelta(seconds=1))
        assert remind() == 0
        silent_since(NOON - QUIET)
        with database.write() as session:
            session.execute(update(OutboxMessage).values(status="offered"))
        assert remind() == 0

    async def sure(one: Account) -> None:
        assert "依据" in await one.say("o2", ASKED)
        silent_since(NOON - QUIET)
        assert remind() == 0

    run(scenario)
    for name in UNSURE:
        monkeypatch.setenv(name, "0.5")
    run(sure)


def test_a_page_reminds_nobody(sqlite_db: Settings) -> None:
    talk = Talk(make(sqlite_db, answer_at=0.999, clarify_at=0.001))
    assert talk.say(OPEN).type == "clarify"
    silent_since(NOON - QUIET)
    assert remind() == 0 and reminders.remind("web", QUIET, NOON) == 0


def test_a_reminder_is_kept_encrypted_and_is_not_what_is_said_again(run) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        asked_back = await one.say("o1", OPEN)
        silent_since(NOON - QUIET)
        assert remind() == 1 and await deliver(one) == [reminders.WORDS]
        with database.read() as session:
            rests = (
                session.connection().exec_driver_sql("SELECT replies FROM outbox WHERE turn_id IS NULL").scalar_one()
            )
            assert "登记" not in rests and rests.startswith("gAAAA")
            conversation = session.scalars(select(Conversation)).one()
            assert conversations.history(session, conversation.id)[-1]["replies"][0]["text"] == reminders.WORDS
        assert await one.say("o1", "再说一遍") == asked_back

    run(scenario)


def test_two_gateways_remind_once(db: Settings) -> None:
    def asked_back(context: Context) -> Outcome:
        expects = Options(question=OPEN, offered=("plain",))
        reply = ClarifyReply(text=phrases.CLARIFY_ONE, options=[Option(number=1, qa_id="plain", question=ASKED)])
        return Outcome([reply], context.model_copy(update={"expects": expects}), decision="clarify")

    with database.write() as session:
        user = inbox.citizen(session, OFFICIAL, "o1", utcnow())
        user.pushes_left, user.push_until = 5, NOON + timedelta(hours=1)
        conversation = conversations.lock(session, user.conversation_id)
        turns.receive(session, conversation, "m", OPEN, db, known=asked_back)
        session.execute(update(OutboxMessage).values(status="delivered"))
    silent_since(NOON - QUIET)
    with ThreadPoolExecutor(4) as gateways:
        assert sum(gateways.map(lambda _: remind(), range(4))) == 1


@pytest.mark.parametrize(("minutes", "looks"), [("10", True), ("0", False)])
def test_zero_minutes_switches_it_off(run, monkeypatch, minutes: str, looks: bool) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("YIHAODA_WECHAT_REMINDER_MINUTES", minutes)

    async def scenario(one: Account) -> None:
        tasks = {getattr(task.get_coro(), "__name__", "") for task in asyncio.all_tasks()}
        assert ("remind_forever" in tasks) is looks

    run(scenario)
