"""The citizens' REST API: conversations, messages, ratings.  Tickets and what can be looked up lie beside it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session
from sse_starlette import EventSourceResponse, ServerSentEvent

from bot import conversations, database, tickets, turns
from bot.errors import Forbidden, InvalidInput, NotFound, TooMany, Unauthorised
from bot.masking import mask
from bot.models import Conversation, InboxMessage
from bot.replies import RegionView, Reply
from connectors import catalogue, citizen_tickets, metrics
from connectors.context import Body, Gateway, TheGateway, bearer, client_address, source_of
from connectors.dispatcher import TurnFailed
from index.assistant import rate

router = APIRouter(prefix="/api", tags=["citizen"])
router.include_router(catalogue.router)
router.include_router(citizen_tickets.router)

_POLL_S = 2.0
"""How often a follower looks by itself: another process (the command line, say) may have spoken."""


class Opened(BaseModel):
    """A new conversation; the token is shown only here."""

    id: str
    token: str


class NewMessage(Body):
    """A citizen's message.  ``message_id`` is the client's own: sending the same one again is safe."""

    message_id: str = Field(min_length=1, max_length=64, pattern=r"^[\w.:\-]+$")
    text: str = Field(max_length=20_000)


class Turned(BaseModel):
    """The conversation's state and what was replied.  ``deferred``: the reply follows; fetch it with GET."""

    state: Literal["bot", "waiting", "human", "closed"]
    replies: list[Reply]
    turn_id: str
    deferred: bool = False


class MessageView(BaseModel):
    """One message, in or out."""

    seq: int
    sender: Literal["citizen", "bot", "agent"]
    at: datetime
    message_id: str | None = None
    turn_id: str | None = None
    text: str | None = None
    replies: list[Reply] = []
    helpful: bool | None = Field(None, description="How the citizen rated this reply, if they did.")


class History(BaseModel):
    """Messages after a point; ``state`` as of now."""

    state: str
    messages: list[MessageView]


class ConversationView(BaseModel):
    """A conversation as its citizen may see it."""

    id: str
    state: Literal["bot", "waiting", "human", "closed"]
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


@router.post("/conversations", status_code=201)
def open_conversation(request: Request, here: TheGateway) -> Opened:
    """Begin a conversation."""
    if not here.openings.allow(client_address(request)):
        raise TooMany("新建会话太频繁，请稍后再试。")
    with database.write() as session:
        conversation, token = conversations.create(session, "web")
        return Opened(id=conversation.id, token=token)


@router.get("/conversations/{conversation_id}")
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
        state=conversation.state,  # type: ignore[arg-type]
        region=RegionView.of(context.region),
        privacy_agreed=context.privacy.version if context.privacy else None,
    )


@router.put("/conversations/{conversation_id}/region")
def choose_region(conversation_id: ConversationId, body: NewRegion, token: Token, here: TheGateway) -> ConversationView:
    """Say where the citizen is, or forget it."""
    with database.write() as session:
        conversation = _mine(session, here, conversation_id, token)
        conversations.set_region(conversation, body.region, here.settings)
        return _shown(conversation)


@router.put("/conversations/{conversation_id}/privacy")
def agree_to_privacy(
    conversation_id: ConversationId, body: NewAgreement, token: Token, here: TheGateway
) -> ConversationView:
    """The citizen agreed to a version of the privacy notice; kept with the time."""
    with database.write() as session:
        conversation = _mine(session, here, conversation_id, token)
        conversations.agree_to_privacy(session, conversation, body.version)
        return _shown(conversation)


@router.delete("/conversations/{conversation_id}", status_code=204)
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


@router.get("/conversations/{conversation_id}/tickets")
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
            for ticket in tickets.of_conversation(session, conversation.id)
        ]


@router.post(
    "/conversations/{conversation_id}/messages",
    response_model=Turned,
    responses={202: {"model": Turned, "description": "Stored; the reply follows"}},
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
        receipt = await asyncio.to_thread(_receive, here, conversation_id, token, body, turn_id, source_of(request))
        return await _take_turn(conversation_id, token, here, response, receipt)


async def _take_turn(
    conversation_id: str, token: str, here: Gateway, response: Response, receipt: turns.Receipt
) -> Turned:
    here.notifier.wake(conversation_id)
    if receipt.replies is not None:
        return Turned(state=receipt.state, replies=receipt.replies, turn_id=receipt.turn_id)  # type: ignore[arg-type]
    try:
        async with asyncio.timeout(here.reply_wait_s):
            settled = await here.dispatcher.answer(conversation_id, receipt.turn_id)
    except TurnFailed:
        await asyncio.to_thread(_view, conversation_id, token)  # erased meanwhile: then nothing follows
        raise
    except TimeoutError:
        metrics.DEFERRED.inc()
        response.status_code = 202
        return Turned(state=receipt.state, replies=[], turn_id=receipt.turn_id, deferred=True)  # type: ignore[arg-type]
    return Turned(state=settled.state, replies=settled.replies, turn_id=receipt.turn_id)  # type: ignore[arg-type]


def _receive(
    here: Gateway, conversation_id: str, token: str, body: NewMessage, turn_id: str, source: str
) -> turns.Receipt:
    with database.write() as session:
        conversation = conversations.authenticate(session, conversation_id, token, locked=True)
        if not here.messages.allow(conversation_id):
            raise TooMany("消息发得太快了，请稍等一会儿再发。")
        return turns.receive(
            session, conversation, body.message_id, body.text, here.settings, source=source, turn_id=turn_id
        )


@router.get("/conversations/{conversation_id}/messages", response_model=History)
async def read_messages(
    request: Request,
    conversation_id: ConversationId,
    token: Token,
    here: TheGateway,
    after: Annotated[int, Query(ge=0)] = 0,
    accept: Annotated[str, Header()] = "application/json",
    last_event_id: Annotated[str | None, Header()] = None,
) -> Any:
    """What was said after ``after``: JSON, or a stream of server-sent events with ``Accept: text/event-stream``."""
    state, messages = await asyncio.to_thread(_history, conversation_id, token, after)
    if "text/event-stream" not in accept:
        return History(state=state, messages=messages)
    if last_event_id and last_event_id.isdecimal():
        after = max(after, int(last_event_id))
    return EventSourceResponse(_follow(request, here, conversation_id, token, after), ping=15)


async def _follow(
    request: Request, here: Gateway, conversation_id: str, token: str, after: int
) -> AsyncIterator[ServerSentEvent]:
    event = here.notifier.follow(conversation_id)
    try:
        while not await request.is_disconnected():
            event.clear()
            try:
                state, messages = await asyncio.to_thread(_history, conversation_id, token, after)
            except (Forbidden, Unauthorised):
                return  # erased, or the token's time is over
            for message in messages:
                after = message.seq
                data = message.model_dump(mode="json") | {"state": state}
                yield ServerSentEvent(data=json.dumps(data, ensure_ascii=False), event="message", id=str(after))
            try:
                async with asyncio.timeout(_POLL_S):
                    await event.wait()
            except TimeoutError:
                continue
    finally:
        here.notifier.leave(conversation_id, event)


def _history(conversation_id: str, token: str, after: int) -> tuple[str, list[MessageView]]:
    with database.read() as session:
        conversation = conversations.authenticate(session, conversation_id, token)
        rows = conversations.history(session, conversation_id, after)
        return conversation.state, [MessageView.model_validate(row) for row in rows]


@router.post("/conversations/{conversation_id}/ratings", status_code=204)
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


def error_response(status: int, code: str, message: str) -> JSONResponse:
    """The one shape of every error."""
    return JSONResponse({"error": {"code": code, "message": message}}, status_code=status)
