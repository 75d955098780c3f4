"""The fair queue by itself, on a clock of its own: who goes first, and how many at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.turns.fair_queue import HALF_LIFE_S, HEAVY, FairQueue, Ledger, Source


class Bench:
    """A queue, its clock, and a record of who was served."""

    def __init__(self, places: int = 1) -> None:
        self.now = 1000.0
        self.ledger = Ledger(clock=lambda: self.now)
        self.queue = FairQueue(places, self.ledger)
        self.served: list[str] = []
        self.late: set[str] = set()
        self.places: dict[str, Any] = {}
        self.running: list[str] = []
        self.most: dict[str, int] = {}
        self.tasks: list[asyncio.Task[None]] = []

    def ask(self, name: str, address: str | None = None, times: int = 1) -> None:
        source = Source(name, address)
        for _ in range(times):
            self.ledger.ask(source)
            place = self.queue.place(source, late=name in self.late)
            self.places[name] = place
            self.tasks.append(asyncio.create_task(self._serve(name, place)))

    async def _serve(self, name: str, place: Any) -> None:
        async with place:
            self.running.append(name)
            kind = name[0]
            self.most[kind] = max(self.most.get(kind, 0), sum(one[0] == kind for one in self.running))
            try:
                await asyncio.sleep(0)
                self.served.append(name)
            finally:
                self.running.remove(name)

    async def done(self) -> list[str]:
        await asyncio.gather(*self.tasks)
        return self.served


def played(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


def test_one_who_asks_much_does_not_hold_up_one_who_asks_little() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.ask("attacker", "address", times=50)
        bench.ask("citizen", "address")
        bench.ask("elsewhere", "home")
        bench.ask("openid")
        served = await bench.done()
        assert max(served.index(name) for name in ("citizen", "elsewhere", "openid")) <= 3

    played(scenario)


def test_many_conversations_of_one_address_do_not_hold_up_the_others_in_it_nor_elsewhere() -> None:
    async def scenario() -> None:
        bench = Bench()
        for number in range(60):
            bench.ask(f"attacker {number}", "hall", times=8)
        for number in range(30):
            bench.ask(f"citizen {number}", "hall")
            bench.ask(f"openid {number}")
        served = await bench.done()
        last = max(place for place, name in enumerate(served) if not name.startswith("attacker"))
        assert last <= 60 + 1  # one attacker had his place before anybody came

    played(scenario)


def test_an_address_gets_more_the_more_conversations_it_has() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.ask("first", "other")  # has the place
        for number in range(100):
            bench.ask(f"hall {number}", "hall")
        for number in range(4):
            bench.ask(f"family {number}", "home", times=25)
        served = (await bench.done())[1:]
        # Shares as the square roots: ten to two.
        assert 75 <= sum(name.startswith("hall") for name in served[:100]) <= 90

    played(scenario)


def test_nobody_waits_for_ever() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.ask("heavy", "address", times=20)
        for number in range(400):
            bench.ask(f"light {number}", "address")
            await asyncio.sleep(0)
            bench.now += 1.0
        served = await bench.done()
        assert served.count("heavy") == 20
        assert max(place for place, name in enumerate(served) if name == "heavy") < 300

    played(scenario)


def test_heavy_ones_get_one_place_of_eight_while_others_are_around_and_all_else() -> None:
    async def scenario() -> None:
        bench = Bench(places=8)
        for number in range(6):
            bench.ask(f"heavy {number}", "address", times=int(HEAVY) + 4)
        bench.ask("citizen", "address")
        await bench.done()  # some had their places before they were heavy
        bench.most.clear()
        bench.ask("citizen", "address")
        for number in range(6):
            bench.ask(f"heavy {number}", "address", times=4)
        await bench.done()
        assert bench.most["h"] == 1
        bench.now += 11.0  # nobody else any more
        bench.most.clear()
        for number in range(6):
            bench.ask(f"heavy {number}", "address", times=8)
        await bench.done()
        assert bench.most["h"] == 6  # one each

    played(scenario)


def test_who_types_fast_is_not_heavy_and_who_sends_eight_at_once_is() -> None:
    async def scenario() -> None:
        bench = Bench()
        for _ in range(100):
            bench.ask("fast", "address")
            await bench.done()
            assert bench.ledger._usage(Source("fast", "address")).total(bench.now) <= HEAVY
            bench.now += 4.0
        bench.ask("much", "address", times=8)
        assert bench.ledger._usage(Source("much", "address")).total(bench.now) > HEAVY
        await bench.done()
        assert bench.ledger._usage(Source("much", "address")).total(bench.now) > HEAVY
        bench.now += HALF_LIFE_S
        assert bench.ledger._usage(Source("much", "address")).total(bench.now) <= HEAVY

    played(scenario)


def test_late_ones_get_half_the_places_where_nobody_waits_and_one_where_somebody_does() -> None:
    async def scenario() -> None:
        bench = Bench(places=8)
        bench.late = {f"late {number}" for number in range(20)}
        for name in sorted(bench.late):
            bench.ask(name)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert bench.most["l"] == 4
        bench.most.clear()
        for number in range(40):
            bench.ask(f"waits {number}")
        served = await bench.done()
        assert "late" in "".join(served[10:30]), "late ones get no place at all"
        assert max(place for place, name in enumerate(served) if name.startswith("waits")) < 56

    played(scenario)


def test_who_becomes_late_in_the_queue_stands_back() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.ask("first")
        bench.ask("gives up")
        bench.ask("second")
        bench.ask("third")
        bench.places["gives up"].stand_back(True)
        assert bench.queue.ahead(Source("new")) >= 1
        served = await bench.done()
        assert served.index("gives up") >= 1
        assert set(served) == {"first", "gives up", "second", "third"}

    played(scenario)


def test_who_stops_waiting_gives_the_place_to_the_next() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.ask("first")
        bench.ask("second")
        bench.ask("third")
        await asyncio.sleep(0)
        bench.tasks[0].cancel()
        bench.tasks[1].cancel()
        await asyncio.gather(*bench.tasks, return_exceptions=True)
        assert bench.served == ["third"]
        bench.ask("fourth")
        await asyncio.gather(bench.tasks[-1])

    played(scenario)


def test_what_is_long_ago_is_forgotten() -> None:
    async def scenario() -> None:
        bench = Bench()
        for number in range(1000):
            bench.ask(f"conversation {number}", f"address {number % 7}")
        await bench.done()
        bench.now += 20 * HALF_LIFE_S
        bench.ask("one", "address")
        await bench.done()
        assert list(bench.ledger._addresses) == ["address"]
        assert list(bench.ledger._others) == ["one"]

    played(scenario)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 5),
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(["a", "b", None]), st.floats(0, 40), st.booleans(), st.booleans()),
        max_size=60,
    ),
)
def test_everybody_is_served_once_and_never_more_than_there_are_places(places: int, asked: list[Any]) -> None:
    async def scenario() -> None:
        bench = Bench(places)
        for number, address, later_s, late, gives_up in asked:
            name = f"x{number}"
            if late:
                bench.late.add(name)
            bench.ask(name, address)
            bench.now += later_s
            if gives_up:
                await asyncio.sleep(0)
                bench.tasks[-1].cancel()
        await asyncio.gather(*bench.tasks, return_exceptions=True)
        assert all(task.done() for task in bench.tasks)
        assert len(bench.served) == sum(not task.cancelled() for task in bench.tasks)
        assert bench.most.get("x", 0) <= places
        assert (bench.queue._running, bench.queue._running_late, bench.queue._running_heavy) == (set(), 0, 0)
        assert not bench.queue._waiting and not bench.queue._late

    played(scenario)
