"""One socket a page: what changed, as it changes.  A page that was away says which event it saw last, and goes on from there.

What is sent names things and never says them: the page asks for what it shows, by routes that decide who may see it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import psycopg
import structlog
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from sqlalchemy import make_url

from bot import database, events
from bot.accounts.roles import AGENT, APPROVER, EDITOR, OFFICER, SUPERVISOR
from bot.errors import Forbidden, StoreBusy, Unauthorised
from bot.models.housekeeping import Event
from connectors.web.access import ACCESS, Signed, permitted, person_of

log = structlog.get_logger(__name__)

router = APIRouter()

_POLL_S = 0.2
"""How often SQLite is asked for the newest id, while a page is open"""
_SAFETY_S = 2.0
"""PostgreSQL: how often it is asked though nobody told of anything: a lost connection must not silence us"""
_CHECK_S = 10.0
"""How often a page that hears nothing has its sign-in looked at, and shows that it is there"""
_BEHIND = 1000
"""So many events may wait for a page that reads slowly; then it is cut off and resumes"""
_SEND_S = 10.0
_PAGES_A_PERSON = 12
_RESET_AFTER = 2000
"""Whoever missed more loads everything anew: that is less than telling"""

ENDED, BUSY, TOO_MANY, NOT_ALLOWED = 4401, 4408, 4429, 4403
"""Why a socket was closed: signed out, too slow, too many pages, not allowed"""

_DESK = frozenset({AGENT, SUPERVISOR})
_AUDIENCE: dict[str, frozenset[str] | None] = {
    "conversation": _DESK,
    "danger": _DESK,
    "duty": _DESK,
    "call": _DESK,
    "doubt": _DESK | {EDITOR, APPROVER},
    "callback": _DESK,
    "shield": frozenset({SUPERVISOR}),
    "sms": _DESK,
    "ticket": _DESK | {OFFICER},
    "unanswered": _DESK | {EDITOR, APPROVER},
    "person": None,
    "review": frozenset({SUPERVISOR, EDITOR, APPROVER, OFFICER}),
    "golden": frozenset({SUPERVISOR, EDITOR, APPROVER}),
    "local": frozenset({EDITOR, APPROVER, SUPERVISOR}),
    "learning": frozenset({EDITOR, APPROVER, SUPERVISOR}),
    "release": frozenset({"admin", SUPERVISOR, EDITOR, APPROVER}),
    "surge": _DESK | {EDITOR, APPROVER},
    "recall": frozenset({SUPERVISOR, APPROVER}),
    "job": frozenset({"admin", SUPERVISOR, EDITOR, APPROVER}),
    "import": frozenset({EDITOR, APPROVER}),
    "knowledge": frozenset({SUPERVISOR, EDITOR, APPROVER}),
}
"""Kind of event → the roles that may hear of it; None: only the person that it is about"""


def may_hear(who: Signed, event: Event) -> bool:
    """Whether an event is for somebody.  What is not in the table is for nobody."""
    if event.kind not in _AUDIENCE:
        return False
    roles = _AUDIENCE[event.kind]
    if roles is None:
        return event.subject == who.number
    if event.kind == "call" and SUPERVISOR not in who.roles:
        return event.about.get("agent") in (None, who.number)
    if event.kind in ("ticket", "review") and who.only_department is not None:
        return event.about.get("department") == who.only_department
    return bool(roles & who.roles)


@dataclass(frozen=True)
class Looking:
    """Who else looks at what a page shows."""

    subject: str
    names: tuple[str, ...]


Told = Event | Looking | None
"""What waits for a page; None: it reads too slowly"""


class Feed:
    """Reads new events for all pages of this process, whichever process wrote them; and knows who looks at what.

    There is one gateway process, so who looks at what needs no table.
    """

    def __init__(self) -> None:
        self._pages: dict[asyncio.Queue[Told], str] = {}
        self._looking: dict[asyncio.Queue[Told], tuple[str, Signed]] = {}
        self._last = 0
        self._task: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def listening(self, number: str) -> AsyncIterator[asyncio.Queue[Told]]:
        """A queue of what comes from now on; None in it: too slow.  Raises: TooManyPages."""
        if sum(one == number for one in self._pages.values()) >= _PAGES_A_PERSON:
            raise TooManyPages
        if self._task is None or self._task.done():
            self._last = await asyncio.to_thread(_newest)
            self._task = asyncio.create_task(self._read_forever())
        queue: asyncio.Queue[Told] = asyncio.Queue(_BEHIND)
        self._pages[queue] = number
        try:
            yield queue
        finally:
            del self._pages[queue]
            self.look(queue, None, "")

    def look(self, queue: asyncio.Queue[Told], who: Signed | None, subject: str) -> None:
        """A page shows this now; nothing: empty.  All pages that show the same, or did, hear who else is there."""
        before, _ = self._looking.pop(queue, ("", None))
        if who is not None and subject:
            self._looking[queue] = subject, who
        for touched in {before, subject} - {""}:
            here = [(page, one) for page, (seen, one) in self._looking.items() if seen == touched]
            for page, one in here:
                others = {other.name for _, other in here if other.number != one.number}
                self._put(page, Looking(touched, tuple(sorted(others))))

    async def close(self) -> None:
        """At the end of the process."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _read_forever(self) -> None:
        """Until nobody listens any more."""
        async with _wake_ups() as woken:
            while self._pages:
                await woken()
                try:
                    while found := await asyncio.to_thread(_since, self._last):
                        self._last = found[-1].id
                        for event in found:
                            self._tell(event)
                except StoreBusy:
                    await asyncio.sleep(_SAFETY_S)
                except Exception:
                    log.exception("events.unread")
                    await asyncio.sleep(_SAFETY_S)

    def _tell(self, event: Event) -> None:
        for queue in self._pages:
            self._put(queue, event)

    def _put(self, queue: asyncio.Queue[Told], said: Told) -> None:
        if queue.qsize() < _BEHIND - 1:
            queue.put_nowait(said)
        elif not queue.full():
            queue.put_nowait(None)


class TooManyPages(Exception):
    """Somebody has too many pages open."""


@contextlib.asynccontextmanager
async def _wake_ups() -> AsyncIterator[Any]:
    """A function that returns when it is time to look."""
    url = make_url(database.get_engine().url)
    if url.get_backend_name() != "postgresql":

        async def poll() -> None:
            await asyncio.sleep(_POLL_S)

        yield poll
        return
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection: psycopg.AsyncConnection[Any] | None = None

    async def listen() -> None:
        nonlocal connection
        try:
            if connection is None or connection.closed:
                connection = await psycopg.AsyncConnection.connect(address, autocommit=True)
                await connection.execute(f"LISTEN {events.CHANNEL}")
            async for _ in connection.notifies(timeout=_SAFETY_S, stop_after=1):
                return
        except psycopg.Error:
            connection = None
            await asyncio.sleep(_SAFETY_S)

    try:
        yield listen
    finally:
        if connection is not None:
            await connection.close()


def _newest() -> int:
    with database.read() as session:
        return events.newest(session)


def _since(after: int) -> list[Event]:
    with database.read() as session:
        return list(events.since(session, after))


@router.websocket("/api/desk/events")
async def follow(socket: WebSocket) -> None:
    """Send ``{"id", "kind", "subject", "about"}`` for each event that the person may hear of.

    ``after``: the last id that the page saw.  The first message is ``{"kind": "hello", "id"}`` (go on from here), or
    ``{"kind": "reset", "id"}``: too much was missed, load everything anew.  ``{"kind": "here", "id"}`` comes when nothing else does.

    What comes in a burst comes together: ``{"kind": "several", "id", "events"}``.

    The page may say ``{"looking": "ticket/<number>"}`` (empty: at nothing); then ``{"kind": "looking", "subject", "names"}`` says who
    else does.  ``{"typing": "<conversation>"}``: a key was pressed; the citizen sees it where the person has the conversation.
    """
    try:
        who = await asyncio.to_thread(_signed, socket)
        after = min(max(0, int(socket.query_params.get("after", "0"))), 2**62)
    except (Unauthorised, Forbidden, StoreBusy, ValueError) as refused:
        # Closed before it was accepted a browser learns nothing of why.
        await socket.accept()
        await socket.close(ENDED if isinstance(refused, Unauthorised) else NOT_ALLOWED)
        return
    await socket.accept()
    page: asyncio.Task[None] | None = None
    try:
        feed: Feed = socket.app.state.feed
        async with feed.listening(who.number) as queue:
            typing = socket.app.state.gateway.typing
            page = asyncio.create_task(
                _until_gone(
                    socket,
                    lambda subject: feed.look(queue, who, subject),
                    lambda conversation_id: typing.note(conversation_id, who.number),
                )
            )
            talk = asyncio.create_task(_tell(socket, who, after, queue))
            await asyncio.wait({page, talk}, return_when=asyncio.FIRST_COMPLETED)
            talk.cancel()
            code = (await asyncio.gather(talk, return_exceptions=True))[0]
            if not page.done():
                await socket.close(code if isinstance(code, int) else 1011)
    except TooManyPages:
        await socket.close(TOO_MANY)
    except (WebSocketDisconnect, RuntimeError):
        pass  # gone meanwhile
    finally:
        if page is not None:
            page.cancel()
            await asyncio.gather(page, return_exceptions=True)


def _signed(socket: WebSocket) -> Signed:
    rule = ACCESS["WS /api/desk/events"]
    assert rule is not None
    return permitted(person_of(socket, active=False), rule)


_CONVERSATION = re.compile(r"[0-9a-f]{32}")
_SUBJECT = re.compile(r"((ticket|conversation|call)/[\w-]{1,64})?")


async def _until_gone(socket: WebSocket, look: Callable[[str], None], typing: Callable[[str], None]) -> None:
    """What the page says it shows, or that somebody writes, until it is gone.  Anything else that it says is passed over."""
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while True:
            said = await socket.receive()
            if said["type"] == "websocket.disconnect":
                return
            with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
                message = json.loads(said["text"])
                if "typing" in message:
                    if _CONVERSATION.fullmatch(message["typing"]):
                        typing(message["typing"])
                elif _SUBJECT.fullmatch(message["looking"]):
                    look(message["looking"])


async def _tell(socket: WebSocket, who: Signed, after: int, queue: asyncio.Queue[Told]) -> int:
    """Tell a page of everything; the code to close it with."""
    last = await _catch_up(socket, who, after)
    while True:
        try:
            event = await asyncio.wait_for(queue.get(), _CHECK_S)
        except TimeoutError:
            if not await _still(socket, who):
                return ENDED
            await _send(socket, {"kind": "here", "id": last})
            continue
        if event is None:
            return BUSY
        if isinstance(event, Looking):
            await _send(socket, {"kind": "looking", "id": last, "subject": event.subject, "names": event.names})
            continue
        told = []
        for one in [event, *_waiting(queue)]:
            if not isinstance(one, Event):
                queue.put_nowait(one)  # comes next
                break
            if one.id <= last:
                continue  # told while catching up
            last = one.id
            if one.kind == "person" and one.subject == who.number and not await _still(socket, who):
                return ENDED
            if may_hear(who, one):
                told.append(one)
        if len(told) == 1:
            await _send(socket, _shown(told[0]))
        elif told:
            await _send(socket, {"kind": "several", "id": last, "events": [_shown(one) for one in told]})


def _waiting(queue: asyncio.Queue[Told]) -> list[Told]:
    """What has come meanwhile, up to the first that is no event: a hundred pages are told of a burst with one message each."""
    found: list[Told] = []
    while not queue.empty() and (not found or isinstance(found[-1], Event)):
        found.append(queue.get_nowait())
    return found


async def _catch_up(socket: WebSocket, who: Signed, after: int) -> int:
    """What the page missed; the last id it knows of then."""
    newest, oldest = await asyncio.to_thread(_bounds)
    if after > newest or (after and after < oldest - 1) or newest - after > _RESET_AFTER or not after:
        await _send(socket, {"kind": "reset" if after else "hello", "id": newest})
        return newest
    await _send(socket, {"kind": "hello", "id": after})
    while found := await asyncio.to_thread(_since, after):
        for event in found:
            if may_hear(who, event):
                await _send(socket, _shown(event))
        after = found[-1].id
    return after


def _bounds() -> tuple[int, int]:
    with database.read() as session:
        return events.newest(session), events.oldest(session)


async def _still(socket: WebSocket, who: Signed) -> bool:
    """Whether the person is signed in as they were."""
    try:
        now = await asyncio.to_thread(_signed, socket)
    except (Unauthorised, Forbidden):
        return False
    except StoreBusy:
        return True
    return (now.roles, now.department) == (who.roles, who.department)


async def _send(socket: WebSocket, message: dict[str, Any]) -> None:
    async with asyncio.timeout(_SEND_S):
        await socket.send_json(message)


def _shown(event: Event) -> dict[str, Any]:
    return {"id": event.id, "kind": event.kind, "subject": event.subject, "about": event.about}
