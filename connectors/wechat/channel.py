"""The official account: what citizens send becomes turns; replies go back at once, or are pushed, or wait to be offered.

WeChat waits five seconds for a reply to a push and then asks again, up to three times.  So: inside four seconds the reply goes back as
it came (passively); later it is pushed as a customer-service message, of which WeChat allows few; what may not be pushed any more, or
may have arrived already, is offered with the next reply.
"""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Request, Response

from bot import security_log
from bot.errors import NotFound
from connectors import metrics
from connectors.turns.dispatcher import BUSY, Busy, TurnFailed
from connectors.web.context import Gateway, TheGateway
from connectors.web.errors import answers
from connectors.wechat import centres, inbox, outbox, render, words
from connectors.wechat.account import Account
from connectors.wechat.inbox import Received
from connectors.wechat.outbox import OFFICIAL
from connectors.wechat.push import Push, PushRefused

log = structlog.get_logger(__name__)
router = APIRouter(prefix="/wechat", tags=["wechat"])

REFUSED: dict[int | str, dict[str, Any]] = {
    403: {"description": "No push of WeChat's", "content": {"text/plain": {}}},
    503: {"description": "Not stored; WeChat pushes it again", "content": {"text/plain": {}, "application/json": {}}},
}
"""What the routes that WeChat calls may answer besides their result"""

ANSWER_WITHIN_S = 3.5
"""WeChat gives five; half of one is for taking the reply out of the outbox, one for the way"""


def wechat(request: Request) -> Account:
    """The official account, if one is set.  Raises: NotFound."""
    account: Account | None = request.app.state.wechat
    if account is None:
        raise NotFound("没有接公众号。")
    return account


TheAccount = Annotated[Account, Depends(wechat)]


@router.get("", response_class=Response, responses=answers(404) | REFUSED)
async def check_address(request: Request, account: TheAccount) -> Response:
    """WeChat's check of the server's address."""
    return echo(request, account)


def echo(request: Request, account: Account) -> Response:
    """The answer to the check of an app's server address."""
    try:
        return Response(account.verifier.echo(request.query_params), media_type="text/plain")
    except PushRefused as error:
        return refused(error)


async def opened(request: Request, account: Account) -> Push:
    """The push in a request, which is WeChat's.  Raises: PushRefused, StoreBusy."""
    body, query = await request.body(), request.query_params
    push = account.verifier.open(body, query)
    await asyncio.get_running_loop().run_in_executor(account.receivers, account.verifier.claim, body, query)
    return push


def refused(error: PushRefused) -> Response:
    """The answer to what is no push of WeChat's."""
    log.warning("wechat.refused", reason=str(error))
    security_log.record("push.refused", reason=str(error))
    return Response("refused", status_code=403, media_type="text/plain")


def acknowledged() -> Response:
    """The answer that WeChat takes for done."""
    return Response("success", media_type="text/plain")


def failed(push: Push) -> Response:
    """The answer that has WeChat push the message again: it may not be stored, and if it is, it makes no second turn."""
    log.exception("wechat.failed", kind=push.kind)
    return Response("busy", status_code=503, media_type="text/plain")


@router.post("", response_class=Response, responses=answers(404) | REFUSED)
async def receive_push(request: Request, account: TheAccount, here: TheGateway) -> Response:
    """A message or an event.  Always answered within WeChat's five seconds."""
    started = time.monotonic()
    try:
        push = await opened(request, account)
    except PushRefused as error:
        return refused(error)
    try:
        body = await _answer(push, account, here, started + ANSWER_WITHIN_S)
    except Exception:
        return failed(push)
    if not body:
        return acknowledged()
    xml = render.passive(body, push.sender, push.account, int(time.time()))
    query = request.query_params
    sealed = account.verifier.seal(xml, query.get("nonce", ""), query.get("timestamp", ""))
    return Response(sealed, media_type="application/xml")


async def _answer(push: Push, account: Account, here: Gateway, until: float) -> str:
    """The body of the passive reply; empty where nothing goes back now."""
    if near := _near(push, account):
        return render.text_body(near)
    if push.event == "kf_close_session":
        await asyncio.to_thread(inbox.leave_desk, OFFICIAL, push.sender)
    meaning = words.read(push)
    if meaning.says is None:
        return render.text_body(meaning.fixed)
    if words.wants_guide(meaning.says):
        guides = await asyncio.to_thread(inbox.last_guides, OFFICIAL, push.sender, here.settings)
        if card := render.card_of(guides):
            return render.news_body(card)
    loop = asyncio.get_running_loop()
    received = await loop.run_in_executor(account.receivers, inbox.receive, push, meaning, OFFICIAL, here)
    here.notifier.wake(received.conversation_id)
    try:
        state = received.state if received.settled else await _settled(received, here, until)
    except Busy:
        metrics.DEFERRED.inc()
        return render.text_body(BUSY)  # what it comes to will be pushed
    if state is None:
        metrics.DEFERRED.inc()
        return ""  # the same
    if here.settings.wechat_transfer and push.kind != "event" and state in ("waiting", "human") and not received.danger:
        return render.TRANSFER  # what the assistant says is pushed
    return render.text_body(await asyncio.to_thread(outbox.take, received.turn_id, again=received.late))


async def _settled(received: Received, here: Gateway, until: float) -> str | None:
    """The conversation's state after the turn; None if the turn takes longer than WeChat waits.  Raises: Busy if that is sure."""
    try:
        within_s = until - time.monotonic()
        return (await here.dispatcher.answer(received.conversation_id, received.turn_id, within_s)).state
    except Busy:
        raise
    except (TimeoutError, TurnFailed):
        return None


def _near(push: Push, account: Account) -> str:
    """The centres near a location that was sent; empty where it is none, or no centres are known."""
    if push.kind != "location" or not account.centres:
        return ""
    try:
        latitude, longitude = float(push.fields["Location_X"]), float(push.fields["Location_Y"])
    except (KeyError, TypeError, ValueError):
        return ""
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):  # NaN neither
        return ""
    return render.cut(centres.text(centres.nearest(account.centres, latitude, longitude)))[0]
