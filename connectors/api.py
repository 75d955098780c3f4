"""The citizens' REST API: conversations, messages, ratings, tickets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sse_starlette import EventSourceResponse, ServerSentEvent

from bot import conversations, database, tickets, turns
from bot.errors import InvalidInput, NotFound, TooMany, YihaodaError
from bot.models import Conversation, InboxMessage, utcnow
from bot.replies import CalculationReply, Reply, TicketStatusReply
from connectors import metrics
from connectors.context import Gateway, gateway
from index.assistant import calculation_reply, rate
from index.calculators import CALCULATORS

router = APIRouter(prefix="/api", tags=["citizen"])

_POLL_S = 2.0
"""How often a follower looks by itself: another process (the command line, say) may have spoken."""


class Unauthorised(YihaodaError):
    """No token, or a malformed one."""

    code = "unauthorised"


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Opened(BaseModel):
    """A new conversation; the token is shown only here."""

    id: str
    token: str


class NewMessage(_Body):
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


class History(BaseModel):
    """Messages after a point; ``state`` as of now."""

    state: str
    messages: list[MessageView]


class FieldView(BaseModel):
    """One input of a calculator.  Values are sent as people write them: 76年3月, 八千五, 6年半."""

    name: str
    label: str
    question: str
    kind: str
    optional: bool
    unit: str
    choices: list[dict[str, str]]


class CalculatorView(BaseModel):
    """A calculator and what it wants to know."""

    id: str
    title: str
    matter: str
    fields: list[FieldView]


class Calculation(_Body):
    """The inputs, by field name."""

    inputs: dict[str, Annotated[str, Field(max_length=200)]] = Field(max_length=20)


class NewRating(_Body):
    """有用 or 没用 on the reply to one message (by ``turn_id``, or the ``message_id`` it replied to)."""

    helpful: bool
    turn_id: str | None = Field(None, max_length=64)
    message_id: str | None = Field(None, max_length=64)
    reason: str | None = Field(None, max_length=500)


class Supplement(_Body):
    """A citizen's addition to a ticket."""

    code: str = Field(max_length=16)
    text: str = Field(min_length=1, max_length=2000)


class Withdrawal(_Body):
    """A citizen takes a ticket back."""

    code: str = Field(max_length=16)


def _token(authorization: Annotated[str | None, Header()] = None) -> str:
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorised("缺少令牌：请在 Authorization 头里带上 Bearer 令牌。")
    return token.strip()


Token = Annotated[str, Depends(_token)]
ConversationId = Annotated[str, Path(max_length=64)]
TheGateway = Annotated[Gateway, Depends(gateway)]


def client_address(request: Request) -> str:
    """Where the request came from."""
    return request.client.host if request.client else "unknown"


@router.post("/conversations", status_code=201)
def open_conversation(request: Request, here: TheGateway) -> Opened:
    """Begin a conversation."""
    if not here.openings.allow(client_address(request)):
        raise TooMany("新建会话太频繁，请稍后再试。")
    with database.write() as session:
        conversation, token = conversations.create(session, "web")
        return Opened(id=conversation.id, token=token)


@router.post(
    "/conversations/{conversation_id}/messages",
    response_model=Turned,
    responses={202: {"model": Turned, "description": "Stored; the reply follows"}},
)
async def send_message(
    conversation_id: ConversationId, body: NewMessage, token: Token, here: TheGateway, response: Response
) -> Turned:
    """Say something.  The same ``message_id`` again gives the same replies and makes no second turn."""
    turn_id = turns.new_id()
    with here.dispatcher.expect(turn_id):
        return await _take_turn(conversation_id, body, token, here, response, turn_id)


async def _take_turn(
    conversation_id: str, body: NewMessage, token: str, here: Gateway, response: Response, turn_id: str
) -> Turned:
    receipt = await asyncio.to_thread(_receive, here, conversation_id, token, body, turn_id)
    here.notifier.wake(conversation_id)
    if receipt.replies is not None:
        return Turned(state=receipt.state, replies=receipt.replies, turn_id=receipt.turn_id)  # type: ignore[arg-type]
    try:
        async with asyncio.timeout(here.settings.reply_wait_s):
            settled = await here.dispatcher.answer(conversation_id, receipt.turn_id)
    except TimeoutError:
        metrics.DEFERRED.inc()
        response.status_code = 202
        return Turned(state=receipt.state, replies=[], turn_id=receipt.turn_id, deferred=True)  # type: ignore[arg-type]
    return Turned(state=settled.state, replies=settled.replies, turn_id=receipt.turn_id)  # type: ignore[arg-type]


def _receive(here: Gateway, conversation_id: str, token: str, body: NewMessage, turn_id: str) -> turns.Receipt:
    with database.write() as session:
        conversation = conversations.authenticate(session, conversation_id, token, locked=True)
        if not here.messages.allow(conversation_id):
            raise TooMany("消息发得太快了，请稍等一会儿再发。")
        return turns.receive(session, conversation, body.message_id, body.text, here.settings, turn_id=turn_id)


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
            state, messages = await asyncio.to_thread(_history, conversation_id, token, after)
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
        conversation = conversations.authenticate(session, conversation_id, token)
        rate(session, _rated_turn(session, conversation, body), body.helpful, body.reason)


def _rated_turn(session: Any, conversation: Conversation, body: NewRating) -> str:
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


# --- tickets ---------------------------------------------------------------------------------------------------------


@router.get("/calculators")
def list_calculators() -> list[CalculatorView]:
    """The calculators: retirement, unemployment benefit, leave, severance, income tax, overtime."""
    return [
        CalculatorView(
            id=one.id,
            title=one.title,
            matter=one.matter,
            fields=[
                FieldView(
                    name=each.name,
                    label=each.label,
                    question=each.question,
                    kind=each.kind,
                    optional=each.optional,
                    unit=each.unit,
                    choices=[{"value": choice.value, "label": choice.label} for choice in each.choices],
                )
                for each in one.fields
            ],
        )
        for one in CALCULATORS.values()
    ]


@router.post("/calculators/{calculator}")
def calculate(
    request: Request, here: TheGateway, calculator: Annotated[str, Path(max_length=32)], body: Calculation
) -> CalculationReply:
    """Work a rule out.  Nothing is stored.  422 says in Chinese which input is missing or makes no sense."""
    if calculator not in CALCULATORS:
        raise NotFound(f"没有「{calculator}」这个计算器。")
    if not here.calculations.allow(client_address(request)):
        raise TooMany("算得太频繁了，请稍后再试。")
    one = CALCULATORS[calculator]
    return calculation_reply(one, one.compute(body.inputs))


@router.get("/tickets/{number}")
def read_ticket(
    request: Request, number: Annotated[str, Path(max_length=32)], code: Annotated[str, Query(max_length=16)]
) -> TicketStatusReply:
    """Where a ticket stands.  A wrong number and a wrong code read the same, and guessing is limited."""
    with database.write() as session:
        return tickets.status_reply(tickets.find(session, number, code, source=client_address(request), now=utcnow()))


@router.post("/tickets/{number}/supplements")
def supplement_ticket(
    request: Request, number: Annotated[str, Path(max_length=32)], body: Supplement
) -> TicketStatusReply:
    """Add to a ticket."""
    with database.write() as session:
        tickets.find(session, number, body.code, source=client_address(request), now=utcnow())
        return tickets.status_reply(tickets.add(session, number, body.text))


@router.post("/tickets/{number}/withdrawal")
def withdraw_ticket(
    request: Request, number: Annotated[str, Path(max_length=32)], body: Withdrawal
) -> TicketStatusReply:
    """Take a ticket back, as long as it has not been answered."""
    with database.write() as session:
        tickets.find(session, number, body.code, source=client_address(request), now=utcnow())
        return tickets.status_reply(tickets.withdraw(session, number))


def error_response(status: int, code: str, message: str) -> JSONResponse:
    """The one shape of every error."""
    return JSONResponse({"error": {"code": code, "message": message}}, status_code=status)
