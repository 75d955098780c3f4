"""A queue in which nobody waits for what another one asks too much: who asked for little lately goes first.

It is decay-usage scheduling, as in BSD's scheduler of processes (Hellerstein, "Achieving service rate objectives with decay
usage scheduling", IEEE Transactions on Software Engineering 19(8), 1993), on two levels.  What an address was given lately
counts against it, divided by the square root of its distinct conversations: behind a hall or a mobile operator are many
citizens, and a hundred conversations may be one attacker's.  Within an address, what a conversation asked for counts.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

HALF_LIFE_S = 30.0
"""What was asked counts half after so long"""
HEAVY = 12.0
"""Requests, lately and still open, that make a conversation heavy: who types a message every four seconds stays below"""
_PILED, _PILED_COST = 3.0, 2.0
"""Who asks again while so many are open is not waiting for the answer: each such request counts for so many more"""
_HEAVY_EVERY_S = 1.0
"""So often a heavy one gets a place although others wait or are being served"""
_AROUND_S = 10.0
"""Others count as around for so long after their last request"""
_LATE_SEEN = 500
"""Of those that nobody waits for, the first so many are looked at: after a crash there may be thousands"""
_FORGOTTEN = 0.05
"""Requests lately below which a conversation counts no more"""
_PRUNE_S = 10.0


class Source(NamedTuple):
    """Who asks: a conversation, and the address that it comes from.  None where the channel knows the person (an openid):
    then the conversation stands alone."""

    conversation: str
    address: str | None = None

    @property
    def group(self) -> str:
        """What shares a share."""
        return self.address or self.conversation


@dataclass
class _Usage:
    """What was given lately, and what is asked for and not given yet."""

    level: float = -math.inf
    """log2(given lately) + time in half-lives: of two, the greater at any time is the greater one always"""
    open: float = 0.0

    def lately(self, now: float) -> float:
        return math.exp2(self.level - now / HALF_LIFE_S)

    def total(self, now: float) -> float:
        return self.lately(now) + self.open

    def give(self, cost: float, now: float) -> None:
        if cost > 0:
            self.level = math.log2(self.lately(now) + cost) + now / HALF_LIFE_S


@dataclass
class _Address(_Usage):
    conversations: dict[str, _Usage] = field(default_factory=dict)


class Ledger:
    """Who asked for how much lately; queues may share one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._addresses: dict[str, _Address] = {}
        self._others: OrderedDict[str, float] = OrderedDict()
        """Conversations that are not heavy, and when they asked last"""
        self._pruned_at = clock()

    def ask(self, source: Source, cost: float = 1.0) -> None:
        """The source asks for something that takes so many ordinary requests."""
        now = self.clock()
        usage = self._usage(source)
        if usage.open >= _PILED:
            usage.give(_PILED_COST * cost, now)
        usage.open += cost
        self._others.pop(source.conversation, None)
        if usage.total(now) <= HEAVY:
            self._others[source.conversation] = now
        while self._others and next(iter(self._others.values())) < now - _AROUND_S:
            self._others.popitem(last=False)
        if now - self._pruned_at > _PRUNE_S:
            self._prune(now)

    def give(self, source: Source, cost: float) -> None:
        """The source gets so much of what it asked for."""
        now = self.clock()
        self.drop(source, cost)
        self._usage(source).give(cost, now)
        self._addresses[source.group].give(cost, now)

    def charge(self, source: Source, cost: float) -> None:
        """What the source was given cost so much more than it seemed."""
        self._usage(source).give(cost, self.clock())

    def drop(self, source: Source, cost: float = math.inf) -> None:
        """So much is asked for no more; all of it by default."""
        usage = self._usage(source)
        usage.open = max(0.0, usage.open - cost)

    def rank(self, source: Source, now: float) -> tuple[float, float]:
        """The lower goes first."""
        address = self._addresses.get(source.group)
        if address is None:
            return -math.inf, 0.0
        share = math.log2(max(1, len(address.conversations))) / 2
        usage = address.conversations.get(source.conversation)
        return address.level - share, usage.total(now) if usage else 0.0

    def heavy(self, source: Source, now: float) -> bool:
        """Whether the conversation is heavy."""
        return self._usage(source).total(now) > HEAVY

    def others(self) -> bool:
        """Whether anybody is around who is not heavy."""
        return bool(self._others)

    def _usage(self, source: Source) -> _Usage:
        address = self._addresses.setdefault(source.group, _Address())
        return address.conversations.setdefault(source.conversation, _Usage())

    def _prune(self, now: float) -> None:
        self._pruned_at = now
        for group, address in list(self._addresses.items()):
            kept = {name: usage for name, usage in address.conversations.items() if usage.total(now) > _FORGOTTEN}
            if kept or address.lately(now) > _FORGOTTEN:
                address.conversations = kept
            else:
                del self._addresses[group]


class Place:
    """A place asked for; ``async with`` waits for it and holds it."""

    def __init__(self, queue: FairQueue, source: Source, cost: float, order: int, late: bool) -> None:
        self._queue = queue
        self.source, self.cost, self.order, self.late = source, cost, order, late
        self.heavy = False
        self.granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def stand_back(self, late: bool) -> None:
        """Nobody waits for it any more, or somebody does again.  Nothing happens where it has been granted."""
        self._queue.stand_back(self, late)

    async def __aenter__(self) -> None:
        try:
            await self.granted
        except asyncio.CancelledError:
            self._queue.leave(self)
            raise

    async def __aexit__(self, *_: object) -> None:
        self._queue.leave(self)


class FairQueue:
    """Gives out places, so many at a time, and to a conversation one.

    Late requests, for which nobody waits any more, get half of the places at most, and where others wait, one.
    Heavy conversations, as long as others are around, get an eighth of the places, at least one, and while others
    wait or are being served one a second, no more and no less.
    """

    def __init__(self, places: int, ledger: Ledger) -> None:
        self.places = places
        self._ledger = ledger
        self._late_places, self._heavy_places = max(1, places // 2), max(1, places // 8)
        self._waiting: dict[int, Place] = {}
        self._late: dict[int, Place] = {}
        self._orders = 0
        self._running: set[str] = set()
        self._running_late = self._running_heavy = 0
        self._late_before = False
        self._heavy_at = ledger.clock()

    def ahead(self, source: Source) -> int:
        """How many requests that somebody waits for go before the one that the source has asked for last."""
        now = self._ledger.clock()
        rank = self._ledger.rank(source, now)
        return len(self._running) + sum(self._ledger.rank(one.source, now) <= rank for one in self._waiting.values())

    def place(self, source: Source, *, late: bool = False, cost: float = 1.0) -> Place:
        """Wait in the queue from now on for a place.

        Args:
            late: Nobody waits for it any more.
            cost: How much of what the source has asked for it gives.
        """
        self._orders += 1
        one = Place(self, source, cost, self._orders, late)
        self._lane(one)[one.order] = one
        self._grant()
        return one

    def stand_back(self, one: Place, late: bool) -> None:
        """See ``Place.stand_back``."""
        if self._lane(one).pop(one.order, None):
            one.late = late
            self._lane(one)[one.order] = one
            self._grant()

    def leave(self, one: Place) -> None:
        """Give the place back, or wait for it no more."""
        if self._lane(one).pop(one.order, None):
            self._ledger.drop(one.source, one.cost)
            return
        self._running.discard(one.source.conversation)
        self._running_late -= one.late
        self._running_heavy -= one.heavy
        self._grant()

    def _lane(self, one: Place) -> dict[int, Place]:
        return self._late if one.late else self._waiting

    def _grant(self) -> None:
        while len(self._running) < self.places and (one := self._next()):
            now = self._ledger.clock()
            del self._lane(one)[one.order]
            one.heavy = self._ledger.heavy(one.source, now)
            self._running.add(one.source.conversation)
            self._running_late += one.late
            self._running_heavy += one.heavy
            self._late_before = one.late
            if one.heavy:
                self._heavy_at = now
            self._ledger.give(one.source, one.cost)
            if not one.granted.done():  # else it is being cancelled, and gives the place back
                one.granted.set_result(None)

    def _next(self) -> Place | None:
        """Whose turn it is; None where all that wait have to."""
        now = self._ledger.clock()
        waiting = self._able(self._waiting.values())
        late = self._able(itertools.islice(self._late.values(), _LATE_SEEN))
        if self._running_late >= self._late_places:
            late = []
        if self._ledger.others():
            due = now - self._heavy_at >= _HEAVY_EVERY_S
            others_are_served = len(self._running) > self._running_heavy
            if self._running_heavy >= self._heavy_places or (others_are_served and not due):
                waiting = [one for one in waiting if not self._ledger.heavy(one.source, now)]
                late = [one for one in late if not self._ledger.heavy(one.source, now)]
            elif due:
                waiting = [one for one in waiting if self._ledger.heavy(one.source, now)] or waiting
        if late and (not waiting or (self._running_late == 0 and not self._late_before)):
            waiting = late
        return min(waiting, key=lambda one: (*self._ledger.rank(one.source, now), one.order), default=None)

    def _able(self, places: Iterable[Place]) -> list[Place]:
        return [one for one in places if one.source.conversation not in self._running]
