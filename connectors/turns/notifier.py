"""Those who follow a conversation: woken when something was said in it, all by one read of the database."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from bot.conversations import PAGE
from bot.errors import StoreBusy, TooMany

T = TypeVar("T")

_BUSY_S = 1.0
"""How long a follower rests whose database does not answer"""


class _Feed:
    """A conversation that somebody follows."""

    def __init__(self) -> None:
        self.followers: set[asyncio.Event] = set()
        self.after = -1
        self.reading: asyncio.Task[Any] | None = None

    def wake(self) -> None:
        self.reading = None  # what was read before says nothing about now
        for event in self.followers:
            event.set()


class Notifier:
    """Wakes followers.  Nobody asks the database whether there is news: whoever says something says so here."""

    def __init__(self, per_conversation: int, per_address: int) -> None:
        """How many may follow one conversation, and from one address, at a time."""
        self._per_conversation, self._per_address = per_conversation, per_address
        self._loop = asyncio.get_running_loop()
        self._feeds: dict[str, _Feed] = {}
        self._addresses: Counter[str] = Counter()

    def wake(self, conversation_id: str) -> None:
        """Something was said, or the conversation is no more.  May be called from any thread."""
        self._loop.call_soon_threadsafe(self._wake, conversation_id)

    def _wake(self, conversation_id: str) -> None:
        if feed := self._feeds.get(conversation_id):
            feed.wake()

    def room(self, conversation_id: str, address: str) -> None:
        """Whether one more may follow.  Raises: TooMany."""
        feed = self._feeds.get(conversation_id)
        if (len(feed.followers) if feed else 0) >= self._per_conversation:
            raise TooMany("这个对话同时打开的连接太多了，请关掉一些页面再试。")
        if self._addresses[address] >= self._per_address:
            raise TooMany("您所在的网络同时打开的连接太多了，请稍后再试。")

    def follow(self, conversation_id: str, address: str, read: Callable[[int], list[T]]) -> Follower[T]:
        """Follow a conversation until ``Follower.leave``, if ``room`` is left.  ``read`` gives what was said after a number, a page at most.

        Raises:
            TooMany: so many follow already.
        """
        self.room(conversation_id, address)
        self._addresses[address] += 1
        return Follower(self, self._feeds.setdefault(conversation_id, _Feed()), conversation_id, address, read)

    def leave(self, feed: _Feed, event: asyncio.Event, conversation_id: str, address: str) -> None:
        """Stop following."""
        feed.followers.discard(event)
        if not feed.followers:
            self._feeds.pop(conversation_id, None)
        self._addresses[address] -= 1
        if not self._addresses[address]:
            del self._addresses[address]


class Follower(Generic[T]):
    """One who follows a conversation."""

    def __init__(
        self, notifier: Notifier, feed: _Feed, conversation_id: str, address: str, read: Callable[[int], list[T]]
    ) -> None:
        self._notifier, self._feed, self._read = notifier, feed, read
        self._place = conversation_id, address
        self._event = asyncio.Event()
        self._read_up = False
        feed.followers.add(self._event)

    def leave(self) -> None:
        """Stop following."""
        self._notifier.leave(self._feed, self._event, *self._place)

    async def news(self, after: int) -> list[T]:
        """What was said after the message with this number: at once, or as soon as there is something.

        Raises: what ``read`` raises, but StoreBusy: then it is tried again.
        """
        while True:
            if self._read_up:
                await self._event.wait()
            self._event.clear()
            try:
                found = await self._shared(after)
            except StoreBusy:
                await asyncio.sleep(_BUSY_S)
                continue
            self._read_up = len(found) < PAGE
            if found:
                return found

    async def _shared(self, after: int) -> list[T]:
        """The conversation's followers are mostly at the same place: then one of them reads for all."""
        feed = self._feed
        if feed.reading is None or feed.after != after or (feed.reading.done() and feed.reading.exception()):
            feed.after, feed.reading = after, asyncio.create_task(asyncio.to_thread(self._read, after))
        found: list[T] = await asyncio.shield(feed.reading)
        return found
