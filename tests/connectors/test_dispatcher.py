"""The dispatcher on a real database, with a stand-in for Rasa and its actions that takes its time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from sqlalchemy import func, select

from bot import conversations, database, turns
from bot.errors import StoreBusy
from bot.models.conversations import InboxMessage, TurnEffect
from bot.models.tickets import Ticket
from bot.replies import TextReply
from bot.settings import Settings
from bot.turns import Outcome, Turn
from connectors.turns.dispatcher import Busy, Dispatcher, TurnFailed
from connectors.turns.notifier import Notifier
from connectors.turns.rasa_client import RasaClient
from index.assistant.respond import Assistant
from index.versions.store import IndexReader

TURN_S = 0.05
AT_ONCE = 2


class Rush:
    """A dispatcher, and citizens who write."""

    def __init__(self, settings: Settings, url: str) -> None:
        self.settings = settings.model_copy(update={"rasa_concurrency": AT_ONCE})
        self.rasa = RasaClient(url, timeout_s=30)
        self.assistant = Assistant(self.settings, IndexReader(self.settings))
        self.dispatcher = Dispatcher(self.settings, self.rasa, self.assistant, Notifier(5, 200))

    def store(self, *texts: str) -> tuple[str, list[str]]:
        """A new conversation's messages: its id and theirs."""
        with database.write() as session:
            conversation, _ = conversations.create(session, "wechat")
            session.flush()
            stored = [turns.receive(session, conversation, text, text, self.settings) for text in texts]
        return conversation.id, [receipt.turn_id for receipt in stored]

    async def ask(self, text: str, within_s: float | None, address: str | None = None) -> bool:
        """Whether the citizen got an answer in time."""
        conversation_id, (turn_id,) = self.store(text)
        try:
            settled = await self.dispatcher.answer(conversation_id, turn_id, within_s, address)
        except TimeoutError:
            return False
        return settled.replies == [TextReply(text=text)]

    @property
    def open(self) -> int:
        """Messages without their answer."""
        with database.read() as session:
            return session.scalar(select(func.count()).where(InboxMessage.settled.is_(False))) or 0

    async def all_settled(self) -> None:
        def wait() -> None:
            deadline = time.monotonic() + 60
            while self.open:
                assert time.monotonic() < deadline, "some are never answered"
                time.sleep(TURN_S)

        await asyncio.to_thread(wait)


@pytest.fixture
def rush(sqlite_db: Settings) -> Callable[[Callable[[Rush], Awaitable[None]]], None]:
    def answer(turn_id: str) -> None:
        with database.read() as session:
            turn = turns.load(session, turn_id)
        turns.settle(turn, Outcome(replies=[TextReply(text=turn.text)], context=turn.context))

    async def webhook(request: web.Request) -> web.Response:
        await asyncio.sleep(TURN_S)
        await asyncio.to_thread(answer, (await request.json())["metadata"]["turn_id"])
        return web.json_response([])

    def run(scenario: Callable[[Rush], Awaitable[None]]) -> None:
        async def body() -> None:
            app = web.Application()
            app.router.add_post("/webhooks/rest/webhook", webhook)
            runner = web.AppRunner(app)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            one = Rush(sqlite_db, f"http://127.0.0.1:{runner.addresses[0][1]}")
            try:
                await scenario(one)
            finally:
                await one.dispatcher.close()
                await one.rasa.close()
                await runner.cleanup()

        asyncio.run(body())

    return run


def test_in_a_rush_who_cannot_be_answered_in_time_is_told_at_once_and_answered_later(rush) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Rush) -> None:
        assert all([await one.ask(f"before {number}", 30) for number in range(10)])  # how long a turn takes is known
        asked = [asyncio.create_task(one.ask(f"in the rush {number}", 20 * TURN_S)) for number in range(100)]
        await asyncio.sleep(2 * TURN_S)
        told = [task.result() for task in asked if task.done()]
        assert 20 <= told.count(False) < 100, "nobody is told before the time is over, or everybody"
        assert sum(await asyncio.gather(*asked)) < 100
        await one.all_settled()
        with database.read() as session:
            assert session.scalar(select(func.count()).select_from(TurnEffect)) == 110

    rush(scenario)


def test_who_is_waited_for_goes_before_those_who_gave_up_and_those_of_an_earlier_process(rush) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Rush) -> None:
        left_behind = [one.store(f"left {number}") for number in range(40)]
        assert await one.dispatcher.recover() == len(left_behind)
        gave_up = await asyncio.gather(*(one.ask(f"gave up {number}", TURN_S / 10) for number in range(40)))
        assert not all(gave_up)
        assert await one.ask("in time", 30)
        assert one.open > 20
        await one.all_settled()

    rush(scenario)


def test_one_who_writes_much_does_not_hold_up_those_who_write_little(rush) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Rush) -> None:
        assert await one.ask("before", 30)
        attack = [one.store(*(f"much {number}" for number in range(7))) for _ in range(10)]
        waits = [
            asyncio.create_task(one.dispatcher.answer(conversation_id, turn_id, 60, "address"))
            for conversation_id, asked in attack
            for turn_id in asked
        ]
        await asyncio.sleep(0)
        left = one.open
        for number, address in enumerate(("address", "elsewhere", None)):
            assert await one.ask(f"little {number}", 60, address)
        assert left - one.open <= 12, "they waited for the others"
        await asyncio.gather(*waits)
        await one.all_settled()

    rush(scenario)


def test_beyond_the_backlog_one_is_told_at_once_and_answered_later(rush) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Rush) -> None:
        one.dispatcher._backlog = 10
        asked = [asyncio.create_task(one.ask(f"asked {number}", 60)) for number in range(30)]
        in_time = await asyncio.gather(*asked)
        assert 10 <= sum(in_time) <= 12 + AT_ONCE
        assert in_time[0] and not in_time[-1]
        await one.all_settled()
        conversation_id, (turn_id,) = one.store("afterwards")
        one.dispatcher._backlog = -1
        with pytest.raises(Busy):
            await one.dispatcher.answer(conversation_id, turn_id, 60)
        await one.all_settled()
        with database.read() as session:
            assert session.scalar(select(func.count()).select_from(TurnEffect)) == 31

    rush(scenario)


def test_messages_of_one_conversation_stay_in_order_however_late(rush) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Rush) -> None:
        conversation_id, asked = one.store(*(f"number {number}" for number in range(5)))
        for turn_id in asked:
            with pytest.raises(TimeoutError):
                await one.dispatcher.answer(conversation_id, turn_id, 0)
        await one.all_settled()
        with database.read() as session:
            settled = session.scalars(select(TurnEffect.turn_id).order_by(TurnEffect.settled_at)).all()
        assert settled == asked

    rush(scenario)


def test_a_turn_whose_database_is_away_is_answered_afterwards_and_not_apologised_for(
    sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.turns.dispatcher._RETRY_S", 0.05)

    async def scenario() -> None:
        one = Rush(sqlite_db, "http://127.0.0.1:1")  # no Rasa
        respond, tried = one.assistant.respond, []

        def away(turn: Turn) -> object:
            tried.append(turn.turn_id)
            if len(tried) < 3:
                raise StoreBusy("系统正忙")
            return respond(turn)

        monkeypatch.setattr(one.assistant, "respond", away)
        conversation_id, (turn_id,) = one.store("谢谢")
        try:
            with pytest.raises(TurnFailed):
                await one.dispatcher.answer(conversation_id, turn_id)
            await one.all_settled()
        finally:
            await one.dispatcher.close()
            await one.rasa.close()
        assert tried == [turn_id] * 3
        with database.read() as session:
            assert session.scalars(select(TurnEffect.decision)).all() == ["text"]
            assert session.scalar(select(func.count()).select_from(Ticket)) == 0

    asyncio.run(scenario())
