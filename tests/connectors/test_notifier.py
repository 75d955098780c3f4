"""Those who follow a conversation: told at once, by one read for all, and not more of them than may be."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from bot.conversations import PAGE
from bot.errors import NotFound, StoreBusy, TooMany
from connectors.turns import notifier as module
from connectors.turns.notifier import Notifier


class Said:
    """What was said in a conversation, and how often it was read."""

    def __init__(self, numbers: int = 0) -> None:
        self.last = numbers
        self.reads = 0
        self.problem: Exception | None = None

    def read(self, after: int) -> list[int]:
        self.reads += 1
        if self.problem:
            raise self.problem
        return list(range(after + 1, self.last + 1))[:PAGE]


def played(scenario: Callable[[Notifier, Said], Coroutine[Any, Any, None]]) -> None:
    async def body() -> None:
        await asyncio.wait_for(scenario(Notifier(5, 7), Said()), 30)

    asyncio.run(body())


async def waiting(followers: list[Any], after: int) -> list[asyncio.Task[list[int]]]:
    """All wait for news, and have looked."""
    tasks = [asyncio.create_task(one.news(after)) for one in followers]
    while any(not one._read_up for one in followers):  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.01)
    return tasks


def test_one_read_for_each_wake_however_many_follow_and_none_in_between() -> None:
    async def scenario(notifier: Notifier, said: Said) -> None:
        followers = [notifier.follow("c", "address", said.read) for _ in range(5)]
        for number in range(1, 4):
            tasks = await waiting(followers, number - 1)
            before = said.reads
            said.last = number
            notifier.wake("c")
            assert await asyncio.gather(*tasks) == [[number]] * 5
            assert said.reads == before + 1
        tasks = await waiting(followers, 3)
        assert said.reads == 1 + 3
        notifier.wake("another")
        await asyncio.sleep(0.05)
        assert said.reads == 4 and not any(task.done() for task in tasks)
        for task in tasks:
            task.cancel()

    played(scenario)


def test_a_wake_from_another_thread_is_heard() -> None:
    async def scenario(notifier: Notifier, said: Said) -> None:
        (task,) = await waiting([notifier.follow("c", "address", said.read)], 0)
        said.last = 1
        thread = threading.Thread(target=notifier.wake, args=("c",))
        thread.start()
        assert await task == [1]
        thread.join()

    played(scenario)


def test_a_long_history_comes_in_pages_and_nothing_is_left_out() -> None:
    async def scenario(notifier: Notifier, said: Said) -> None:
        said.last = 2 * PAGE + 50
        follower = notifier.follow("c", "address", said.read)
        got: list[int] = []
        while len(got) < said.last:
            got += await follower.news(got[-1] if got else 0)
        assert got == list(range(1, said.last + 1))

    played(scenario)


def test_what_is_said_between_two_looks_is_not_missed() -> None:
    async def scenario(notifier: Notifier, said: Said) -> None:
        follower = notifier.follow("c", "address", said.read)
        said.last = 1
        assert await follower.news(0) == [1]
        said.last = 2  # nobody waits just now
        notifier.wake("c")
        await asyncio.sleep(0)
        assert await follower.news(1) == [2]

    played(scenario)


def test_so_many_and_no_more_follow_and_who_leaves_makes_room() -> None:
    async def scenario(notifier: Notifier, said: Said) -> None:
        five = [notifier.follow("c", "address", said.read) for _ in range(5)]
        with pytest.raises(TooMany, match="对话"):
            notifier.follow("c", "elsewhere", said.read)
        two = [notifier.follow("d", "address", said.read) for _ in range(2)]
        with pytest.raises(TooMany, match="网络"):
            notifier.follow("e", "address", said.read)
        notifier.follow("e", "elsewhere", said.read).leave()
        for one in (*five, *two):
            one.leave()
        assert not notifier._feeds and not notifier._addresses
        notifier.follow("c", "address", said.read)

    played(scenario)


def test_a_busy_database_ends_no_stream_and_an_erased_conversation_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BUSY_S", 0.01)

    async def scenario(notifier: Notifier, said: Said) -> None:
        said.problem = StoreBusy("忙")
        followers = [notifier.follow("c", "address", said.read) for _ in range(2)]
        tasks = [asyncio.create_task(one.news(0)) for one in followers]
        while said.reads < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        said.problem, said.last = None, 1
        assert await asyncio.gather(*tasks) == [[1], [1]]
        tasks = await waiting(followers, 1)
        said.problem = NotFound("没有这个对话。")
        notifier.wake("c")
        for task in tasks:
            with pytest.raises(NotFound):
                await task

    played(scenario)
