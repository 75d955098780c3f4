"""Turns to their answers: one at a time in a conversation and in order, through Rasa, and round it where it fails.

What is waiting lies in the database, not here: after a restart ``recover`` goes on where the process ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import structlog
from sqlalchemy import func, select

from bot import database, turns
from bot.errors import NotFound, StoreBusy
from bot.models.conversations import Conversation, InboxMessage, OutboxMessage, TurnEffect
from bot.settings import Settings
from bot.turns import Settled, Turn
from connectors import metrics
from connectors.turns.fair_queue import FairQueue, Ledger, Place, Source
from connectors.turns.notifier import Notifier
from connectors.turns.rasa_client import RasaClient, RasaFailed
from index.assistant.acts import literal_act
from index.assistant.respond import Assistant

log = structlog.get_logger(__name__)

T = TypeVar("T")

_RETRY_S = 5.0
"""How long a conversation rests whose turn could not be settled at all (the database does not answer)."""


_AT_THE_DOOR = 4
"""Messages and histories written and read at a time: fewer than the threads that there are for everything else"""
_CHARS_A_TURN = 400
"""A text of so many characters takes as much of everybody's time as one more ordinary turn, at least"""


BUSY = "现在咨询的人比较多，您的消息已经收到，会按顺序回复，请稍等。"
"""What is said to whom ``Busy`` is raised for"""


class Busy(TimeoutError):
    """So many turns are ahead that nobody should wait for this one.  Its message is kept and will be answered."""


class TurnFailed(Exception):
    """The turn could not be settled now.  Its message is kept and will be answered later."""


class Dispatcher:
    """Works off the inbox.  Turns that somebody waits for go first: in a rush, those that come too late for that stand back."""

    def __init__(self, settings: Settings, rasa: RasaClient, assistant: Assistant, notifier: Notifier) -> None:
        self._rasa, self._assistant, self._notifier = rasa, assistant, notifier
        self._backlog, self._chars = settings.backlog, settings.message_chars
        self.ledger = Ledger()
        self.door = FairQueue(_AT_THE_DOOR, self.ledger)
        """To the database, for what citizens send and fetch"""
        self._queue = FairQueue(settings.rasa_concurrency, self.ledger)
        # Threads of their own: a turn does not queue behind the messages that come in meanwhile.
        self.answered: Callable[[Turn, TurnEffect], None] = lambda turn, effect: None
        """Told of each turn that was answered, with what it was before"""
        self._threads = ThreadPoolExecutor(settings.rasa_concurrency, thread_name_prefix="turn")
        self._loop = asyncio.get_running_loop()
        self._turn_s = 0.0  # how long a turn has taken lately
        self._waiters: dict[str, asyncio.Future[Settled]] = {}
        self._pending: set[str] = set()
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._places: dict[str, Place] = {}
        self._late: set[str] = set()  # conversations at work whose citizens do not wait any more

    @contextlib.contextmanager
    def expect(self, turn_id: str) -> Iterator[None]:
        """Be ready to tell of a turn that is about to be stored: it may be settled before anybody asks."""
        self._waiter(turn_id)
        try:
            yield
        finally:
            self._waiters.pop(turn_id, None)

    async def answer(
        self,
        conversation_id: str,
        turn_id: str,
        within_s: float | None = None,
        address: str | None = None,
        *,
        asked: bool = False,
    ) -> Settled:
        """Wait until the turn is settled.  The end of the wait is not the end of the turn.

        Args:
            within_s: How long the caller waits; None is for ever.
            address: Where the message came from; None where the channel knows the person.
            asked: The ledger knows of it already.

        Raises:
            TimeoutError: it takes longer.
            Busy: it would: said at once, where the turns ahead of it make that certain, or are more than the backlog may be.
            TurnFailed: it can't be settled now.
        """
        expected = turn_id in self._waiters
        waiter = self._waiter(turn_id)
        source = Source(conversation_id, address)
        if not asked:
            self.ledger.ask(source)
        ahead = self._queue.ahead(source)
        hopeless = within_s is not None and (ahead > self._backlog or self._takes_s(ahead) > within_s)
        self._start(source, late=hopeless)
        if hopeless:
            raise Busy
        self._stand_back(conversation_id, False)
        try:
            async with asyncio.timeout(within_s):
                return await self._answer(turn_id, waiter, expected)
        except TimeoutError:
            if conversation_id in self._workers:
                self._stand_back(conversation_id, True)
            raise

    async def _answer(self, turn_id: str, waiter: asyncio.Future[Settled], expected: bool) -> Settled:
        if not expected:
            # A repeated message: its turn may have been settled before there was anybody to tell.
            effect = await self._in_thread(_effect, turn_id)
            if effect is not None:
                settled = Settled(effect.state, turns.replies_of(effect))
                self._tell(turn_id, settled)  # others who came with the same message may wait as well
                return settled
        return await asyncio.shield(waiter)

    def _waiter(self, turn_id: str) -> asyncio.Future[Settled]:
        waiter = self._waiters.get(turn_id)
        if waiter is None:
            waiter = self._waiters[turn_id] = asyncio.get_running_loop().create_future()
            # Nobody may be waiting any more when it fails: that is no error of the loop's.
            waiter.add_done_callback(lambda done: done.cancelled() or done.exception())
        return waiter

    def _takes_s(self, ahead: int) -> float:
        """How long a turn will take, going by the last ones; 0 where it has a place at once."""
        at_once = self._queue.places
        return (ahead / at_once + 1) * self._turn_s if ahead >= at_once else 0.0

    @property
    def busy(self) -> bool:
        """Whether any turn is waiting or being answered."""
        return bool(self._workers)

    def forwarded(self, turn_ids: Iterable[str]) -> None:
        """A person took the conversation: whoever waits for these turns waits for nothing more.  May be called from any thread."""
        for turn_id in turn_ids:
            self._loop.call_soon_threadsafe(self._tell, turn_id, Settled("human", []))

    def enqueue(self, conversation_id: str) -> None:
        """A message came from somebody whom the channel knows: see to it that the conversation's open turns are worked off."""
        source = Source(conversation_id)
        self.ledger.ask(source)
        self._start(source)

    def _start(self, source: Source, *, late: bool = False) -> None:
        conversation_id = source.conversation
        self._pending.add(conversation_id)
        if conversation_id not in self._workers:
            if late:
                self._late.add(conversation_id)
            self._workers[conversation_id] = asyncio.create_task(self._drain(source, self._place(source)))

    def _place(self, source: Source) -> Place:
        place = self._queue.place(source, late=source.conversation in self._late)
        self._places[source.conversation] = place
        return place

    def _stand_back(self, conversation_id: str, late: bool) -> None:
        """Nobody waits for the conversation's turns any more, or somebody does again."""
        if late:
            self._late.add(conversation_id)
        else:
            self._late.discard(conversation_id)
        if place := self._places.get(conversation_id):
            place.stand_back(late)

    async def recover(self) -> int:
        """Take up every message that has no effect yet; how many there are."""
        waiting = await asyncio.to_thread(_unsettled)
        for conversation_id, _ in waiting:
            self._start(Source(conversation_id), late=True)
        return len(waiting)

    async def close(self) -> None:
        """Stop; what is open stays in the inbox."""
        for worker in list(self._workers.values()):
            worker.cancel()
        await asyncio.gather(*self._workers.values(), return_exceptions=True)
        self._threads.shutdown(wait=False)

    async def _drain(self, source: Source, place: Place | None) -> None:
        conversation_id = source.conversation
        try:
            while conversation_id in self._pending:
                self._pending.discard(conversation_id)
                more = True
                while more:
                    async with place or self._place(source):
                        more = await self._next(source)
                    place = None
        except (TurnFailed, StoreBusy):
            asyncio.get_running_loop().call_later(_RETRY_S, self._start, source)
        except Exception:
            log.exception("turn.lost_worker", conversation=conversation_id)
            asyncio.get_running_loop().call_later(_RETRY_S, self._start, source)
        finally:
            self._workers.pop(conversation_id, None)
            self._places.pop(conversation_id, None)
            self._late.discard(conversation_id)
            self.ledger.drop(source)
            self._notifier.wake(conversation_id)  # also where the turn was settled and that was not heard

    async def _next(self, source: Source) -> bool:
        """Settle the conversation's first open turn; whether another waits behind it."""
        found = await self._in_thread(_earliest, source.conversation)
        if found is None:
            return False
        turn, sender, more = found
        self.ledger.charge(source, min(len(turn.text), self._chars) / _CHARS_A_TURN)
        await self._work(turn, sender)
        self._notifier.wake(source.conversation)
        return more

    async def _work(self, turn: Turn, sender: str) -> None:
        turn_id = turn.turn_id
        try:
            settled = await self._settle(turn, sender)
        except Exception as error:
            if isinstance(error, NotFound):
                log.info("turn.erased", turn=turn_id)  # the citizen erased the conversation meanwhile
            elif isinstance(error, StoreBusy):
                log.warning("turn.store_busy", turn=turn_id)
            else:
                log.exception("turn.failed", turn=turn_id)
            failure = TurnFailed(str(error))
            self._tell(turn_id, failure)
            raise failure from error
        self._tell(turn_id, settled)

    def _tell(self, turn_id: str, result: Settled | TurnFailed) -> None:
        """Wake whoever waits for a turn, however late they came."""
        waiter = self._waiters.pop(turn_id, None)
        if waiter is None or waiter.done():
            return
        if isinstance(result, TurnFailed):
            waiter.set_exception(result)
        else:
            waiter.set_result(result)

    async def _settle(self, turn: Turn, sender: str) -> Settled:
        """Rasa, then ourselves, then an apology with a ticket: one of them settles the turn."""
        started = time.monotonic()
        turn_id = turn.turn_id
        reason = None
        try:
            if turn.bundle is not None and turn.rasa_port is None:
                raise RasaFailed("no_port")
            await self._rasa.send(sender, turn.text, turn_id, port=turn.rasa_port, bundle=turn.bundle)
        except RasaFailed as error:
            reason = error.reason
        effect = await self._in_thread(_effect, turn_id)
        if effect is None:
            metrics.FALLBACKS.labels(reason or "empty").inc()
            log.warning("turn.fallback", turn=turn_id, reason=reason or "empty")
            effect = await self._in_thread(self._fall_back, turn)
        self.answered(turn, effect)
        took_s = time.monotonic() - started
        self._turn_s += (took_s - self._turn_s) / 10
        metrics.TURNS.labels(effect.engine).inc()
        metrics.DECISIONS.labels(effect.decision).inc()
        metrics.TURN_SECONDS.observe(took_s)
        log.info(
            "turn",
            turn=turn_id,
            engine=effect.engine,
            act=effect.act,
            decision=effect.decision,
            qa=effect.qa_id,
            confidence=effect.confidence,
            ms=round(took_s * 1000, 1),
        )
        return Settled(effect.state, turns.replies_of(effect))

    async def _in_thread(self, function: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    def _fall_back(self, turn: Turn) -> TurnEffect:
        try:
            self._assistant.respond(turn)
        except StoreBusy:
            raise  # the turn can be answered once the database is back: no reason to apologise
        except Exception:
            log.exception("turn.apologised", turn=turn.turn_id)
            turns.settle(turn, self._assistant.apologise(turn))
        effect = _effect(turn.turn_id)
        assert effect is not None
        return effect


def depths() -> tuple[int, int]:
    """(replies waiting to be pushed, messages without their reply)."""
    with database.read() as session:
        outbox = session.scalar(select(func.count()).where(OutboxMessage.status == "pending")) or 0
        inbox = session.scalar(select(func.count()).where(InboxMessage.settled.is_(False))) or 0
    return outbox, inbox


def _earliest(conversation_id: str) -> tuple[Turn, str, bool] | None:
    """The conversation's first open turn, ready for our own answer if need be; the sender's name in Rasa; whether another
    turn waits behind it.  A message that comes later is announced by ``enqueue``."""
    with database.read() as session:
        open_ = session.scalars(
            select(InboxMessage)
            .where(InboxMessage.conversation_id == conversation_id, InboxMessage.settled.is_(False))
            .order_by(InboxMessage.seq)
            .limit(2)
        ).all()
        if not open_:
            return None
        act = literal_act(open_[0].text) or "ask_policy"
        turn = turns.load(session, open_[0].turn_id, act=act, engine="fallback")
        return turn, session.get_one(Conversation, conversation_id).sender, len(open_) > 1


def _unsettled() -> list[tuple[str, str]]:
    with database.read() as session:
        return turns.unsettled(session)


def _effect(turn_id: str) -> TurnEffect | None:
    with database.read() as session:
        return session.get(TurnEffect, turn_id)
