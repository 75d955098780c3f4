"""The citizens' REST API: conversations, messages, ratings.  Tickets and what can be looked up lie beside it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.types import Receive, Scope, Send

from bot import conversations, database, told, turns
from bot.clock import utcnow
from bot.desk import lists, takeover
from bot.errors import InvalidInput, NotFound, StoreBusy, TooMany
from bot.masking import mask
from bot.models.conversations import Conversation, InboxMessage, State
from bot.models.tickets import Ticket
from bot.ratings import rate
from bot.replies import RegionView, Reply, TicketStatusReply
from bot.tickets import register
from bot.tickets.citizen import status_reply
from connectors import metrics
from connectors.citizens import catalogue
from connectors.citizens import tickets as ticket_routes
from connectors.turns.dispatcher import BUSY, Busy, TurnFailed
from connectors.turns.fair_queue import Source
from connectors.turns.notifier import Follower
from connectors.web.context import MAX_INT, Body, Gateway, TheGateway, bearer, client_address, source_of
from connectors.web.errors import answers

router = APIRouter(prefix="/api", tags=["citizen"])
router.include_router(catalogue.router)
router.include_router(ticket_routes.router)

_A_LOOK = 0.1
"""What fetching messages costs at the door, a message sent being 1: a client looks every two seconds for its reply"""
_STREAM_S = 600.0
"""How long a stream lives; the client opens the next one, and its token is looked at again"""
_NOT_STORED = "系统正忙，这条消息可能还没有收到。请稍后再发一次（用同一个 message_id，不会重复）。"


_ANONYMOUS = ("web", conversations.TRIAL)
"""Channels whose citizens are known by nothing but their address"""

_OPENED = answers(401, 403)
_Said = tuple[int, str]


class Opened(BaseModel):
    """A new conversation; the token is shown only here."""

    id: str
    token: str


class NewConversation(Body):
    """How it is meant."""

    trial: bool = False
    """Only to try the assistant: it answers as always, but makes no ticket, asks for no person and raises no alarm."""


class NewMessage(Body):
    """A citizen's message.  ``message_id`` is the client's own: sending the same one again is safe."""

    message_id: str = Field(min_length=1, max_length=64, pattern=r"^[\w.:\-]+$")
    text: str = Field(max_length=20_000)
    own_words: ClassVar[frozenset[str]] = frozenset({"text"})


class Turned(BaseModel):
    """The conversation's state and what was replied.  ``deferred``: the reply follows; fetch it with GET.

    ``notice`` is to be shown: many are waiting, it takes a while.
    """

    state: State
    replies: list[Reply]
    turn_id: str
    deferred: bool = False
    notice: str | None = None


class MessageView(BaseModel):
    """One message, in or out."""

    seq: int
    sender: Literal["citizen", "bot", "agent", "system"] = Field(
        description="system: a change of who answers (a person takes over, hands back)."
    )
    at: datetime
    message_id: str | None = None
    turn_id: str | None = None
    text: str | None = None
    replies: list[Reply] = []
    helpful: bool | None = Field(None, description="How the citizen rated this reply, if they did.")
    agent: str | None = Field(None, description="The number of the person who said it.")


class QueueView(BaseModel):
    """Where the citizen stands in the queue for a person."""

    position: int = Field(description="1: the next one.")
    minutes: int | None = Field(description="How long it will take, at least 1; null: it can't be told.")


class Attendance(BaseModel):
    """Who is there besides the assistant."""

    queue: QueueView | None = None
    agent: str | None = Field(None, description="The number of the person who has the conversation.")
    typing: bool = Field(False, description="That person is writing.")


class History(Attendance):
    """Messages after a point; ``state``, and who is there, as of now."""

    state: State
    messages: list[MessageView]


class ConversationView(BaseModel):
    """A conversation as its citizen may see it."""

    id: str
    state: State
    region: RegionView | None
    privacy_agreed: str | None = Field(description="Version of the privacy notice that the citizen agreed to.")


class OwnTicket(BaseModel):
    """One of the conversation's tickets."""

    number: str
    query_code: str
    kind: str
    subject: str = Field(description="The citizen's own words, personal data masked.")
    state: str
    created_at: datetime


class Copy(BaseModel):
    """All that is kept of a conversation, for its citizen (Personal Information Protection Law of the PRC, article 45)."""

    id: str
    channel: str
    created_at: datetime
    region: RegionView | None
    privacy: conversations.Agreement | None
    messages: list[MessageView]
    tickets: list[TicketStatusReply]
    kept_days: int
    """So many days after the last word the conversation is removed; tickets are records and stay"""


class NewRegion(Body):
    """Where the citizen is; null forgets it."""

    region: str | None = Field(pattern=r"^\d{6}$")


class NewAgreement(Body):
    """Agreement to a version of the privacy notice."""

    version: str = Field(min_length=1, max_length=32, pattern=r"^[\w.\-]+$")


class NewRating(Body):
    """有用 or 没用 on the reply to one message (by ``turn_id``, or the ``message_id`` it replied to)."""

    helpful: bool
    turn_id: str | None = Field(None, max_length=64)
    message_id: str | None = Field(None, max_length=64)
    reason: str | None = Field(None, max_length=500)


Token = Annotated[str, Depends(bearer)]
ConversationId = Annotated[str, Path(max_length=64)]


@router.post("/conversations", status_code=201, responses=answers(400, 429))
def open_conversation(request: Request, here: TheGateway, body: NewConversation | None = None) -> Opened:
    """Begin a conversation."""
    if not here.openings.allow(client_address(request)):
        raise TooMany("新建对话太频繁，请稍后再试。")
    with database.write() as session:
        channel = conversations.TRIAL if body and body.trial else "web"
        conversation, token = conversations.create(session, channel)
        return Opened(id=conversation.id, token=token)


@router.get("/conversations/{conversation_id}", responses=_OPENED)
def read_conversation(conversation_id: ConversationId, token: Token) -> ConversationView:
    """How the conversation stands and what the citizen set in it."""
    return _view(conversation_id, token)


def _view(conversation_id: str, token: str) -> ConversationView:
    with database.read() as session:
        return _shown(conversations.authenticate(session, conversation_id, token))


def _shown(conversation: Conversation) -> ConversationView:
    context = conversations.context_of(conversation)
    return ConversationView(
        id=conversation.id,
        state=conversation.state,
        region=RegionView.of(context.region),
        privacy_agreed=context.privacy.version if context.privacy else None,
    )


@router.put("/conversations/{conversation_id}/region", responses=_OPENED | answers(400, 429))
def choose_region(conversation_id: ConversationId, body: NewRegion, token: Token, here: TheGateway) -> ConversationView:
    """Say where the citizen is, or forget it."""
    with database.write() as session:
        conversation = _mine(session, here, conversation_id, token)
        conversations.set_region(conversation, body.region, here.settings)
        return _shown(conversation)


@router.put("/conversations/{conversation_id}/privacy", responses=_OPENED | answers(400, 429))
def agree_to_privacy(
    conversation_id: ConversationId, body: NewAgreement, token: Token, here: TheGateway
) -> ConversationView:
    """The citizen agreed to a version of the privacy notice; kept with the time."""
    with database.write() as session:
        conversation = _mine(session, here, conversation_id, token)
        conversations.agree_to_privacy(session, conversation, body.version)
        return _shown(conversation)


@router.delete("/conversations/{conversation_id}", status_code=204, responses=_OPENED)
async def erase_conversation(conversation_id: ConversationId, token: Token, here: TheGateway) -> None:
    """Erase everything said in the conversation, at once and for good.  Its token opens nothing any more."""
    await asyncio.to_thread(_erase, conversation_id, token)
    here.notifier.wake(conversation_id)


def _erase(conversation_id: str, token: str) -> None:
    with database.write() as session:
        conversations.erase(session, conversations.authenticate(session, conversation_id, token, locked=True))
    database.forget_erased()


def _mine(session: Session, here: Gateway, conversation_id: str, token: str) -> Conversation:
    """The conversation, locked, if the token opens it and its citizen isn't too fast.  Raises: Forbidden, TooMany."""
    conversation = conversations.authenticate(session, conversation_id, token, locked=True)
    if not here.messages.allow(conversation_id):
        raise TooMany("操作得太快了，请稍等一会儿再试。")
    return conversation


@router.get("/conversations/{conversation_id}/tickets", responses=_OPENED)
def own_tickets(conversation_id: ConversationId, token: Token) -> list[OwnTicket]:
    """The tickets that the conversation made, the newest first, at most 50."""
    with database.read() as session:
        conversation = conversations.authenticate(session, conversation_id, token)
        return [
            OwnTicket(
                number=ticket.number,
                query_code=ticket.query_code,
                kind=ticket.kind,
                subject=mask(str(ticket.subject)),
                state=ticket.state,
                created_at=ticket.created_at,
            )
            for ticket in register.of_conversation(session, conversation.id)
        ]


@router.post(
    "/conversations/{conversation_id}/messages",
    response_model=Turned,
    responses={202: {"model": Turned, "description": "Stored; the reply follows"}} | _OPENED | answers(400, 429),
)
async def send_message(
    request: Request,
    conversation_id: ConversationId,
    body: NewMessage,
    token: Token,
    here: TheGateway,
    response: Response,
) -> Turned:
    """Say something.  The same ``message_id`` again gives the same replies and makes no second turn."""
    turn_id = turns.new_id()
    with here.dispatcher.expect(turn_id):
        return await _take_turn(request, conversation_id, body, token, here, response, turn_id)


async def _take_turn(
    request: Request,
    conversation_id: str,
    body: NewMessage,
    token: str,
    here: Gateway,
    response: Response,
    turn_id: str,
) -> Turned:
    source = Source(conversation_id, client_address(request))
    ledger, door = here.dispatcher.ledger, here.dispatcher.door
    ledger.ask(source)
    channel = None
    try:
        async with door.place(source, cost=0):
            receipt, channel = await asyncio.to_thread(
                _receive, here, conversation_id, token, body, turn_id, source_of(request)
            )
    except StoreBusy as error:
        raise StoreBusy(_NOT_STORED) from error
    finally:
        if channel not in _ANONYMOUS or receipt.replies is not None:
            ledger.drop(source, 1.0)  # no turn comes of it, or it counts elsewhere
    here.notifier.wake(conversation_id)
    if receipt.replies is not None:
        return Turned(state=receipt.state, replies=receipt.replies, turn_id=receipt.turn_id)
    # The mini-program's citizen is known by their openid: whoever shares their address does not matter.
    address = source.address if channel in _ANONYMOUS else None
    try:
        settled = await here.dispatcher.answer(
            conversation_id, receipt.turn_id, here.reply_wait_s, address, asked=address is not None
        )
    except TurnFailed:
        await asyncio.to_thread(_view, conversation_id, token)  # erased meanwhile: then nothing follows
        raise
    except TimeoutError as error:
        metrics.DEFERRED.inc()
        response.status_code = 202
        return Turned(
            state=receipt.state,
            replies=[],
            turn_id=receipt.turn_id,
            deferred=True,
            notice=BUSY if isinstance(error, Busy) else None,
        )
    return Turned(state=settled.state, replies=settled.replies, turn_id=receipt.turn_id)


def _receive(
    here: Gateway, conversation_id: str, token: str, body: NewMessage, turn_id: str, source: str
) -> tuple[turns.Receipt, str]:
    with database.write() as session:
        conversation = conversations.authenticate(session, conversation_id, token, locked=True)
        if not here.messages.allow(conversation_id):
            raise TooMany("消息发得太快了，请稍等一会儿再发。")
        receipt = turns.receive(
            session,
            conversation,
            body.message_id,
            body.text,
            here.settings,
            source=source,
            turn_id=turn_id,
            hears=here.assistant.hears,
        )
        metrics.count_dangers(receipt)
        return receipt, conversation.channel


@router.get("/conversations/{conversation_id}/messages", response_model=History, responses=_OPENED | answers(429))
async def read_messages(
    request: Request,
    conversation_id: ConversationId,
    token: Token,
    here: TheGateway,
    after: Annotated[int, Query(ge=0, le=MAX_INT)] = 0,
    accept: Annotated[str, Header()] = "application/json",
    last_event_id: Annotated[int | None, Header(ge=0, le=MAX_INT)] = None,
) -> Any:
    """What was said after ``after``: JSON, or a stream of server-sent events with ``Accept: text/event-stream``."""
    address = client_address(request)
    stream = "text/event-stream" in accept
    if stream:
        here.notifier.room(conversation_id, address)  # before anything is read
    source = Source(conversation_id, address)
    here.dispatcher.ledger.ask(source, _A_LOOK)
    async with here.dispatcher.door.place(source, cost=_A_LOOK):
        history = await asyncio.to_thread(_history, here, conversation_id, token, after, max(after, last_event_id or 0))
    if not stream:
        return history
    follower = here.notifier.follow(conversation_id, address, lambda seq: _news(conversation_id, seq))
    return _Stream(follower, max(after, last_event_id or 0))


class _Stream(EventSourceResponse):
    """A conversation's messages as server-sent events, for some minutes."""

    def __init__(self, follower: Follower[_Said], after: int) -> None:
        super().__init__(self._events(after), ping=15)
        self._follower = follower

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI.  However it ends, nobody follows any more."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._follower.leave()

    async def _events(self, after: int) -> AsyncIterator[ServerSentEvent]:
        ends = time.monotonic() + _STREAM_S
        while True:
            try:
                found = await asyncio.wait_for(self._follower.news(after), ends - time.monotonic())
            except (NotFound, TimeoutError):  # erased, or its time is over
                return
            for number, data in found:
                after = number
                yield ServerSentEvent(data=data, event="message", id=str(number))


def _news(conversation_id: str, after: int) -> list[_Said]:
    """What a stream sends of what was said.  Raises: NotFound where the conversation was erased."""
    with database.read() as session:
        conversation = session.get(Conversation, conversation_id)
        if conversation is None:
            raise NotFound("没有这个对话。")
        state, rows = conversation.state, conversations.history(session, conversation_id, after)
    messages = [MessageView.model_validate(row) for row in rows]
    return [
        (one.seq, json.dumps(one.model_dump(mode="json") | {"state": state}, ensure_ascii=False)) for one in messages
    ]


def _history(here: Gateway, conversation_id: str, token: str, after: int, seen: int) -> History:
    """``seen``: up to where whoever asks has read: what stands before was shown."""
    with database.read() as session:
        one = conversations.authenticate(session, conversation_id, token)
        messages = [MessageView.model_validate(row) for row in conversations.history(session, conversation_id, after)]
        place = lists.place(session, one.id) if one.state == "waiting" else None
        unread = seen > 0 and told.unread(session, one.id, seen)
        history = History(
            state=one.state,
            messages=messages,
            queue=QueueView(position=place.position, minutes=place.minutes) if place else None,
            agent=one.agent,
            typing=one.state == "human" and here.typing.writes(one.id, one.agent),
        )
    if unread:
        with contextlib.suppress(StoreBusy), database.write() as session:  # they will ask again
            told.read(session, conversation_id, seen, utcnow())
    return history


@router.delete("/conversations/{conversation_id}/queue", status_code=204, responses=_OPENED | answers(409))
def leave_queue(conversation_id: ConversationId, token: Token, here: TheGateway) -> None:
    """Wait for a person no longer."""
    with database.write() as session:
        takeover.leave(session, conversations.authenticate(session, conversation_id, token, locked=True))
    here.notifier.wake(conversation_id)


class ServiceRating(Body):
    """How a person served: 3 满意, 2 一般, 1 不满意."""

    rating: int = Field(ge=1, le=3)


@router.post(
    "/conversations/{conversation_id}/services/{service_id}/rating",
    status_code=204,
    responses=_OPENED | answers(400, 404),
)
def rate_service(
    conversation_id: ConversationId, service_id: Annotated[str, Path(max_length=32)], body: ServiceRating, token: Token
) -> None:
    """Say how the person served.  A later word replaces an earlier one."""
    with database.write() as session:
        conversation = conversations.authenticate(session, conversation_id, token, locked=True)
        takeover.rate(session, conversation.id, service_id, body.rating)


@router.get("/conversations/{conversation_id}/copy", responses=_OPENED)
def copy_conversation(conversation_id: ConversationId, token: Token, here: TheGateway) -> Copy:
    """A copy of what is kept: everything said, the tickets, where the citizen is, what they agreed to."""
    with database.read() as session:
        one = conversations.authenticate(session, conversation_id, token)
        said: list[dict[str, Any]] = []
        while page := conversations.history(session, one.id, said[-1]["seq"] if said else 0):
            said += page
        made = session.scalars(select(Ticket).where(Ticket.conversation_id == one.id).order_by(Ticket.created_at))
        context = conversations.context_of(one)
        return Copy(
            id=one.id,
            channel=one.channel,
            created_at=one.created_at,
            region=RegionView.of(context.region),
            privacy=context.privacy,
            messages=[MessageView.model_validate(row) for row in said],
            tickets=[status_reply(ticket) for ticket in made],
            kept_days=here.settings.retention_days,
        )


@router.post("/conversations/{conversation_id}/ratings", status_code=204, responses=_OPENED | answers(400, 404))
def rate_reply(conversation_id: ConversationId, body: NewRating, token: Token) -> None:
    """Say whether a reply helped.  A later word replaces an earlier one."""
    with database.write() as session:
        conversation = conversations.authenticate(session, conversation_id, token, locked=True)
        rate(session, _rated_turn(session, conversation, body), body.helpful, body.reason)


def _rated_turn(session: Session, conversation: Conversation, body: NewRating) -> str:
    if not body.turn_id and not body.message_id:
        raise InvalidInput("请说明评价的是哪一条：turn_id 或 message_id。")
    query = select(InboxMessage.turn_id).where(InboxMessage.conversation_id == conversation.id)
    if body.turn_id:
        query = query.where(InboxMessage.turn_id == body.turn_id)
    else:
        query = query.where(InboxMessage.channel_message_id == f"{conversation.id}:{body.message_id}")
    turn_id: str | None = session.scalar(query)
    if turn_id is None:
        raise NotFound("没有可以评价的回复。")
    return turn_id
