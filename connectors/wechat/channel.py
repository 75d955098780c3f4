"""The official account: what citizens send becomes turns; replies go back at once, or are pushed, or wait to be offered.

WeChat waits five seconds for a reply to a push and then asks again, up to three times.  So: inside four seconds the reply goes back as
it came (passively); later it is pushed as a customer-service message, of which WeChat allows five in 48 hours after the citizen's last
word; what may not be pushed any more, or may have arrived already, is offered with the next reply.  A reply leaves the state
``pending`` by one conditional update, so that only one of these ways takes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy import CursorResult, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bot import conversations, crypto, database, turns
from bot.errors import NotFound
from bot.models import ChannelUser, Conversation, InboxMessage, OutboxMessage, utcnow
from bot.replies import REPLIES
from bot.settings import Settings
from connectors import metrics
from connectors.context import Gateway, gateway
from connectors.dispatcher import TurnFailed
from connectors.wechat import centres, render, words
from connectors.wechat.api import Sent, WeChatApi
from connectors.wechat.push import Push, PushRefused, Verifier

log = structlog.get_logger(__name__)
router = APIRouter(prefix="/wechat", tags=["wechat"])

CHANNEL = "wechat"
ANSWER_WITHIN_S = 4.0
"""WeChat gives five; one is for the way"""
GRACE = timedelta(seconds=6)
"""A turn's reply is left to the passive way for so long before it is pushed"""
RETRIED_AFTER = timedelta(seconds=4.8)
"""A push that comes again later than this comes because our reply did not arrive; earlier it is a duplicate"""
WINDOW = timedelta(hours=48)
QUOTA = 5
_POLL_S = 1.0
_TRIES = 5
_OFFERED = 3
"""Replies offered at once, at most; older ones are told of by number only"""


@dataclass(frozen=True)
class Received:
    """A stored message: its conversation and turn, and whether it is to be answered now."""

    conversation_id: str
    turn_id: str
    new: bool
    settled: bool
    late: bool
    """It was pushed again because our reply did not arrive"""


class WeChat:
    """The account's parts, made at start-up where an AppID is set."""

    def __init__(self, settings: Settings) -> None:
        """Raises: ValueError if the EncodingAESKey is none; InvalidInput for a bad table of centres."""
        self.settings = settings
        self.verifier = Verifier(
            settings.wechat_token.get_secret_value(), settings.wechat_app_id, settings.wechat_aes_key.get_secret_value()
        )
        self.api = WeChatApi(settings)
        self.centres = centres.read(Path(settings.centres_file)) if settings.centres_file else []

    async def deliver_forever(self) -> None:
        """Push what waits.  What a process that ended was pushing may have gone out: it is offered instead."""
        await asyncio.to_thread(_take_back)
        while True:
            try:
                while await self.deliver():
                    pass
            except Exception:
                log.exception("wechat.delivery_failed")
            await asyncio.sleep(_POLL_S)

    async def deliver(self, now: datetime | None = None) -> int:
        """Push what is due; how many messages were taken up."""
        due = await asyncio.to_thread(_due, now or utcnow())
        for message_id in due:
            await self._deliver_one(message_id, now or utcnow())
        return len(due)

    async def _deliver_one(self, message_id: str, now: datetime) -> None:
        claimed = await asyncio.to_thread(_claim, message_id, now)
        if claimed is None:
            return
        openid, text = claimed
        sent = await self.api.send_text(openid, text)
        metrics.WECHAT_PUSHES.labels(sent.value).inc()
        await asyncio.to_thread(_settle, message_id, sent, now)


def wechat(request: Request) -> WeChat:
    """The account, if one is set.  Raises: NotFound."""
    account: WeChat | None = getattr(request.app.state, "wechat", None)
    if account is None:
        raise NotFound("没有接公众号。")
    return account


TheAccount = Annotated[WeChat, Depends(wechat)]
TheGateway = Annotated[Gateway, Depends(gateway)]


@router.get("", response_class=Response)
async def check_address(request: Request, account: TheAccount) -> Response:
    """WeChat's check of the server's address."""
    try:
        return Response(account.verifier.echo(request.query_params), media_type="text/plain")
    except PushRefused as error:
        log.warning("wechat.refused", reason=str(error))
        return Response("refused", status_code=403, media_type="text/plain")


@router.post("", response_class=Response)
async def receive_push(request: Request, account: TheAccount, here: TheGateway) -> Response:
    """A message or an event.  Always answered within WeChat's five seconds, never with an error it would show."""
    started = time.monotonic()
    try:
        push = account.verifier.open(await request.body(), request.query_params)
    except PushRefused as error:
        log.warning("wechat.refused", reason=str(error))
        return Response("refused", status_code=403, media_type="text/plain")
    try:
        text = _near(push, account) or await _answer(push, here, started + ANSWER_WITHIN_S)
    except Exception:
        log.exception("wechat.failed", kind=push.kind)  # the message is stored or will be pushed again
        text = ""
    if not text:
        return Response("success", media_type="text/plain")
    xml = render.passive(text, push.sender, push.account, int(time.time()))
    query = request.query_params
    sealed = account.verifier.seal(xml, query.get("nonce", ""), query.get("timestamp", ""))
    return Response(sealed, media_type="application/xml")


def _near(push: Push, account: WeChat) -> str:
    """The centres near a location that was sent; empty where it is none, or no centres are known."""
    if push.kind != "location" or not account.centres:
        return ""
    try:
        latitude, longitude = float(push.fields["Location_X"]), float(push.fields["Location_Y"])
    except (KeyError, TypeError, ValueError):
        return ""
    return render.cut(centres.text(centres.nearest(account.centres, latitude, longitude)))[0]


async def _answer(push: Push, here: Gateway, until: float) -> str:
    """What goes back passively; empty where nothing does now."""
    said, fixed = words.read(push)
    if said is None:
        return fixed
    if words.wants_more(said) and (rest := await asyncio.to_thread(_take_rest, push.sender)):
        return rest
    received = await asyncio.to_thread(_receive, push, said, here.settings)
    here.notifier.wake(received.conversation_id)
    if not received.settled:
        try:
            async with asyncio.timeout(max(0.1, until - time.monotonic())):
                await here.dispatcher.answer(received.conversation_id, received.turn_id)
        except (TimeoutError, TurnFailed):
            metrics.DEFERRED.inc()
            return ""  # it will be pushed
    return await asyncio.to_thread(_take_reply, received)


# --- database --------------------------------------------------------------------------------------------------------


def _user(session: Session, openid: str) -> ChannelUser | None:
    return session.get(ChannelUser, (CHANNEL, crypto.digest(openid)))


def _receive(push: Push, said: str, settings: Settings) -> Received:
    for _ in range(2):
        with contextlib.suppress(IntegrityError), database.write() as session:  # two first messages at once
            return _store(session, push, said, settings)
    with database.write() as session:
        return _store(session, push, said, settings)


def _store(session: Session, push: Push, said: str, settings: Settings) -> Received:
    now = utcnow()
    user = _user(session, push.sender)
    if user is None:
        made, _ = conversations.create(session, CHANNEL)
        session.flush()
        user = ChannelUser(
            channel=CHANNEL,
            user_digest=crypto.digest(push.sender),
            conversation_id=made.id,
            address=push.sender,
            spoke_at=now,
            pushed=0,
        )
        session.add(user)
        session.flush()
    conversation = conversations.lock(session, user.conversation_id)
    receipt = turns.receive(session, conversation, push.message_id, said, settings, now=now)
    if receipt.new:
        user.spoke_at, user.pushed, user.rest = now, 0, None
    message = session.get_one(InboxMessage, receipt.turn_id)
    late = not receipt.new and now - message.received_at >= RETRIED_AFTER
    return Received(conversation.id, receipt.turn_id, receipt.new, receipt.replies is not None, late)


def _take_reply(received: Received) -> str:
    """The turn's reply with what waits to be offered, taken for the passive way; empty if it went another way."""
    now = utcnow()
    with database.write() as session:
        row = session.scalar(select(OutboxMessage).where(OutboxMessage.turn_id == received.turn_id))
        if row is None:
            return ""  # an agent has the conversation: nothing to say
        again = received.late and row.status == "delivered" and row.error == "passive"
        if not again and not _move(session, row.id, "pending", "delivered", delivered_at=now, error="passive"):
            return ""
        text = _text(row)
        waiting = session.scalars(
            select(OutboxMessage)
            .where(OutboxMessage.conversation_id == received.conversation_id, OutboxMessage.status == "offered")
            .order_by(OutboxMessage.seq)
        ).all()
        taken = [one for one in waiting if _move(session, one.id, "offered", "delivered", delivered_at=now)]
        if taken:
            offered = "\n\n".join(map(_text, taken[-_OFFERED:]))
            text = f"{words.OFFERED}\n{offered}\n\n{words.NOW}\n{text}"
        return _cut(session, received.conversation_id, text)


def _cut(session: Session, conversation_id: str, text: str) -> str:
    """What fits; the rest is kept for 更多."""
    shown, rest = render.cut(text)
    session.execute(update(ChannelUser).where(ChannelUser.conversation_id == conversation_id).values(rest=rest or None))
    return shown


def _take_rest(openid: str) -> str:
    with database.write() as session:
        user = _user(session, openid)
        if user is None or not user.rest:
            return ""
        return _cut(session, user.conversation_id, str(user.rest))


def _text(row: OutboxMessage) -> str:
    return render.text_of(REPLIES.validate_python(row.replies))


def _move(session: Session, id_: str, before: str, after: str, **values: Any) -> bool:
    """From one status to the next, if nobody else did."""
    moved: CursorResult[Any] = session.execute(  # type: ignore[assignment]
        update(OutboxMessage)
        .where(OutboxMessage.id == id_, OutboxMessage.status == before)
        .values(status=after, **values)
        .execution_options(synchronize_session=False)
    )
    return moved.rowcount == 1


def _due(now: datetime) -> list[str]:
    """Ids of what is to be pushed now, the oldest first; a conversation's next only after the one before it."""
    with database.read() as session:
        rows = session.execute(
            select(OutboxMessage.id, OutboxMessage.conversation_id, OutboxMessage.next_attempt_at, OutboxMessage.sender)
            .where(OutboxMessage.channel == CHANNEL, OutboxMessage.status.in_(("pending", "sending")))
            .order_by(OutboxMessage.created_at, OutboxMessage.seq)
            .limit(500)
        ).all()
    due, seen = [], set()
    for id_, conversation_id, next_at, sender in rows:
        if conversation_id in seen:
            continue
        seen.add(conversation_id)
        if next_at is not None and next_at + (GRACE if sender == "bot" else timedelta()) <= now:
            due.append(id_)
    return due


def _claim(message_id: str, now: datetime) -> tuple[str, str] | None:
    """(openid, text) of a message to push now; None if it may not be, and then it is offered."""
    with database.write() as session:
        row = session.get_one(OutboxMessage, message_id)
        user = session.scalar(select(ChannelUser).where(ChannelUser.conversation_id == row.conversation_id))
        if user is None or now - user.spoke_at >= WINDOW or user.pushed >= QUOTA:
            _move(session, message_id, "pending", "offered", error="quota")
            return None
        if not _move(session, message_id, "pending", "sending"):
            return None
        shown, rest = render.cut(_text(row))
        user.pushed += 1  # counted before it goes out: WeChat counts what it may have got
        user.rest = rest or None
        return str(user.address), shown


def _settle(message_id: str, sent: Sent, now: datetime) -> None:
    with database.write() as session:
        row = session.get_one(OutboxMessage, message_id)
        if sent is Sent.DELIVERED:
            _move(session, message_id, "sending", "delivered", delivered_at=now, error=None)
            return
        attempts = row.attempts + 1
        if sent is Sent.AGAIN and attempts < _TRIES:
            later = now + timedelta(seconds=2**attempts)
            _move(session, message_id, "sending", "pending", attempts=attempts, next_attempt_at=later, error=sent.value)
        else:
            _move(session, message_id, "sending", "offered", attempts=attempts, error=sent.value)
        if sent is Sent.AGAIN:
            session.execute(
                update(ChannelUser)
                .where(ChannelUser.conversation_id == row.conversation_id, ChannelUser.pushed > 0)
                .values(pushed=ChannelUser.pushed - 1)
            )


def _take_back() -> None:
    with database.write() as session:
        rows = session.scalars(
            select(OutboxMessage.id)
            .join(Conversation, Conversation.id == OutboxMessage.conversation_id)
            .where(OutboxMessage.channel == CHANNEL, OutboxMessage.status == "sending")
        ).all()
        for id_ in rows:
            _move(session, id_, "sending", "offered", error=Sent.UNKNOWN.value)
