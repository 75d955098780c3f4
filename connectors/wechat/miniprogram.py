"""The mini-program's server side: log-in of its client, and its customer-service window (客服消息).

The client fetches what is said in its conversation; the window is pushed to, and so is a conversation of its own.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy.exc import IntegrityError

from bot import conversations, database
from bot.clock import utcnow
from bot.conversations import MINIPROGRAM
from bot.errors import NotFound, TooMany
from connectors.web.context import Body, Gateway, TheGateway, client_address, gateway
from connectors.web.errors import answers
from connectors.wechat import inbox, words
from connectors.wechat.account import Account
from connectors.wechat.channel import REFUSED, acknowledged, echo, failed, opened, refused
from connectors.wechat.outbox import DESK
from connectors.wechat.push import Push, PushRefused
from connectors.wechat.words import Meaning

router = APIRouter(tags=["wechat"])

UNREADABLE = "【图片或其他内容】"
"""What the transcript says for a message without words"""


class Login(Body):
    """What ``wx.login`` gave the client."""

    code: str = Field(min_length=1, max_length=128)


class LoggedIn(BaseModel):
    """The citizen's conversation and the token that opens it."""

    id: str
    token: str
    expires_in: int = Field(description="Seconds; then log in again.")


def miniprogram(request: Request) -> Account:
    """The mini-program, if one is set.  Raises: NotFound."""
    account: Account | None = request.app.state.miniprogram
    if account is None:
        raise NotFound("没有接小程序。")
    return account


def window(request: Request) -> Account:
    """The mini-program, if its customer-service window is set up: without a token anybody could push.  Raises: NotFound."""
    account = miniprogram(request)
    if not gateway(request).settings.miniprogram_token.get_secret_value():
        raise NotFound("没有接小程序的客服消息。")
    return account


TheAccount = Annotated[Account, Depends(miniprogram)]
TheWindow = Annotated[Account, Depends(window)]


@router.post("/api/login/miniprogram", responses=answers(400, 403, 404, 429))
async def log_in(body: Login, request: Request, account: TheAccount, here: TheGateway) -> LoggedIn:
    """Log a citizen of the mini-program in.  Whoever logs in again, from any device, comes back to their conversation."""
    if not here.openings.allow(client_address(request)):
        raise TooMany("登录太频繁了，请稍后再试。")
    openid = await account.api.login(body.code)
    seconds = int(here.settings.miniprogram_token_hours * 3600)
    try:
        conversation_id = await asyncio.to_thread(_conversation, openid)
    except IntegrityError:  # two log-ins at once: the other one has made it
        conversation_id = await asyncio.to_thread(_conversation, openid)
    return LoggedIn(id=conversation_id, token=conversations.login_token(conversation_id), expires_in=seconds)


def _conversation(openid: str) -> str:
    with database.write() as session:
        return inbox.citizen(session, MINIPROGRAM, openid, utcnow()).conversation_id


# --- the customer-service window -------------------------------------------------------------------------------------


@router.get("/wechat/miniprogram", response_class=Response, responses=answers(404) | REFUSED)
async def check_address(request: Request, account: TheWindow) -> Response:
    """WeChat's check of the server's address."""
    return echo(request, account)


@router.post("/wechat/miniprogram", response_class=Response, responses=answers(404) | REFUSED)
async def receive_push(request: Request, account: TheWindow, here: TheGateway, background: BackgroundTasks) -> Response:
    """A message or an event of the window: acknowledged at once, answered by a customer-service message."""
    try:
        push = await opened(request, account)
    except PushRefused as error:
        return refused(error)
    try:
        if push.event == "user_enter_tempsession":
            background.add_task(account.greet, push.message_id, push.sender, words.WELCOME)
        elif push.kind != "event":
            await _take_in(push, here)
    except Exception:
        return failed(push)
    return acknowledged()


async def _take_in(push: Push, here: Gateway) -> None:
    """Store a message; what it comes to is pushed."""
    meaning = words.read(push)
    if meaning.says is None:
        meaning = Meaning(says=UNREADABLE, reply=meaning.fixed, written=True)
    received = await asyncio.to_thread(inbox.receive, push, meaning, DESK, here)
    here.notifier.wake(received.conversation_id)
    if not received.settled:
        here.dispatcher.enqueue(received.conversation_id)
