"""Which way a stored reply goes: back at once, pushed, or kept until the citizen's next word.

A reply leaves the status ``pending`` by one conditional update, so that only one of these ways takes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bot import database, reminders, told
from bot.clock import utcnow
from bot.conversations import MINIPROGRAM
from bot.models.conversations import ChannelUser, OutboxMessage
from bot.replies import REPLIES, Reply
from connectors.wechat import notice, render, words
from connectors.wechat.api import Sent
from connectors.wechat.notice import Template

OFFICIAL = "wechat"
"""Channel of the official account"""
DESK = "mpservice"
"""Channel of the mini-program's customer-service window, which knows no menu messages; the mini-program's client has a channel
and conversations of its own, and fetches what is said: nothing but notices is pushed to it"""
_TRIES = 5
_BATCH = 500
_REST = 50_000
"""Characters that are kept for 更多: some seventy pages, more than anybody reads on"""


# --- passive replies -------------------------------------------------------------------------------------------------


def take(turn_id: str, *, again: bool) -> str:
    """The turn's reply, with those that wait to be offered, as far as it fits; empty if it went another way.

    ``again``: what went back before did not arrive; the same goes back once more.
    """
    with database.write() as session:
        row = session.scalar(select(OutboxMessage).where(OutboxMessage.turn_id == turn_id))
        if row is None:
            return ""  # an agent has the conversation: nothing to say
        if row.given_with == turn_id:
            text = _composed(row, _of(session, row, OutboxMessage.given_with == turn_id))
            return render.cut(text)[0] if again else ""
        user = _user(session, row.conversation_id)
        if not _give(session, row, "pending", turn_id):
            return ""
        waiting = _of(session, row, OutboxMessage.status == "offered")
        text = _composed(row, [one for one in waiting if _give(session, one, "offered", turn_id)])
        return _shortened(user, text) if user else render.cut(text)[0]


def _of(session: Session, row: OutboxMessage, condition: Any) -> list[OutboxMessage]:
    """The conversation's other messages of a kind, in their order."""
    others = select(OutboxMessage).where(OutboxMessage.conversation_id == row.conversation_id, condition)
    return list(session.scalars(others.where(OutboxMessage.id != row.id).order_by(OutboxMessage.seq)))


def _composed(row: OutboxMessage, offered: Sequence[OutboxMessage]) -> str:
    if not offered:
        return render.text_of(_replies(row))
    before = "\n\n".join(render.text_of(_replies(one)) for one in offered)
    return f"{words.OFFERED}\n{before}\n\n{words.NOW}\n{render.text_of(_replies(row))}"


def _shortened(user: ChannelUser, text: str) -> str:
    """What fits; the rest is kept."""
    shown, rest = render.cut(text)
    _keep(user, rest)
    return shown


def _keep(user: ChannelUser, rest: str) -> None:
    """For 更多, before what is left of earlier replies."""
    if rest:
        user.rest = (f"{rest}{words.EARLIER}{user.rest}" if user.rest else rest)[:_REST]


# --- pushed replies --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Claimed:
    """A message to push now."""

    openid: str
    forms: list[dict[str, Any]]
    """What it may look like, the best first; one body where it is a notice"""
    until: datetime
    """The end of the time in which we may push, as it was then"""
    rest: str = ""
    """What does not fit"""
    notice: bool = False
    """Only the notice that there is an answer; the answer itself waits"""


def due(channels: Sequence[str], now: datetime, grace: timedelta) -> list[str]:
    """Ids of what is to be pushed now, the oldest first; a conversation's next only after the one before it.

    ``grace``: for how long a turn's reply is left to the passive way.
    """
    with database.read() as session:
        rows = session.execute(
            select(OutboxMessage.id, OutboxMessage.conversation_id, OutboxMessage.next_attempt_at, OutboxMessage.sender)
            .where(OutboxMessage.channel.in_(channels), OutboxMessage.status.in_(("pending", "sending")))
            .order_by(OutboxMessage.created_at, OutboxMessage.seq)
            .limit(_BATCH)
        ).all()
    found, seen = [], set()
    for id_, conversation_id, next_at, sender in rows:
        if conversation_id in seen:
            continue
        seen.add(conversation_id)
        if next_at is not None and next_at + (grace if sender == "bot" else timedelta()) <= now:
            found.append(id_)
    return found


def claim(message_id: str, now: datetime, template: Template | None) -> Claimed | None:
    """A message to push now, or a notice where it may not be pushed; None where there is nothing to send."""
    with database.write() as session:
        row = session.get(OutboxMessage, message_id)
        user = _user(session, row.conversation_id) if row else None
        if row is None or user is None:
            return None  # erased
        if reminders.is_reminder(row) and not reminders.still_fits(session, row, user, now):
            _move(session, row.id, "pending", _kept(row))
            return None
        refused = row.channel == MINIPROGRAM or row.error == Sent.REFUSED.value
        if not refused and now < user.push_until and user.pushes_left > 0:
            if not _move(session, row.id, "pending", "sending"):
                return None
            user.pushes_left -= 1  # counted before it goes out: WeChat counts what it may have got
            return _whole(row, user)
        ticket = notice.news_in(_replies(row)) if template and row.sender == "agent" else None
        if template is None or ticket is None:
            _move(session, row.id, "pending", _kept(row))
            return None
        if not _move(session, row.id, "pending", "sending"):
            return None
        openid = str(user.address)
        body = template.message(openid, ticket, row.created_at)
        return Claimed(openid, [body], user.push_until, notice=True)


def _whole(row: OutboxMessage, user: ChannelUser) -> Claimed:
    replies = _replies(row)
    shown, rest = render.cut(render.text_of(replies))
    menu = render.menu_of(replies, row.turn_id) if not rest and row.channel != DESK else None
    forms = [menu, render.text_message(shown)] if menu else [render.text_message(shown)]
    return Claimed(str(user.address), forms, user.push_until, rest)


def settle(message_id: str, claimed: Claimed, sent: Sent, now: datetime) -> None:
    """Write down what came of a push."""
    with database.write() as session:
        row = session.get(OutboxMessage, message_id)
        user = _user(session, row.conversation_id) if row else None
        if row is None or user is None:
            return  # erased
        attempts = row.attempts + 1
        if sent is Sent.DELIVERED and not claimed.notice:
            _move(session, row.id, "sending", "delivered", delivered_at=now, error=None)
            told.arrived(session, row.id, now)
            _keep(user, claimed.rest)
        elif sent is Sent.AGAIN and attempts < _TRIES:
            later = now + timedelta(seconds=2**attempts)
            _move(session, row.id, "sending", "pending", attempts=attempts, next_attempt_at=later)
        elif sent is Sent.REFUSED and not claimed.notice:
            _move(session, row.id, "sending", "pending", error=sent.value)  # a notice may do
        else:
            error = "noticed" if sent is Sent.DELIVERED else sent.value
            _move(session, row.id, "sending", _kept(row), attempts=attempts, error=error)
        if not claimed.notice and user.push_until == claimed.until:  # the citizen has not written meanwhile
            if sent is Sent.AGAIN:
                user.pushes_left += 1
            elif sent is Sent.REFUSED:
                user.pushes_left = 0


def take_back(channels: Sequence[str]) -> None:
    """What a process that ended was pushing may have gone out: it is kept instead."""
    sending = select(OutboxMessage).where(OutboxMessage.channel.in_(channels), OutboxMessage.status == "sending")
    with database.write() as session:
        for row in session.scalars(sending):
            _move(session, row.id, "sending", _kept(row), error=Sent.UNKNOWN.value)


# --- one message -----------------------------------------------------------------------------------------------------


def _kept(row: OutboxMessage) -> str:
    """The status of what is not pushed any more: fetched by its citizen, or offered at their next word; a reminder is let go."""
    if reminders.is_reminder(row):
        return "dropped"
    return "available" if row.channel == MINIPROGRAM else "offered"


def _user(session: Session, conversation_id: str) -> ChannelUser | None:
    """The conversation's citizen, locked until the transaction ends."""
    query = select(ChannelUser).where(ChannelUser.conversation_id == conversation_id)
    return session.scalar(query.with_for_update().execution_options(populate_existing=True))


def _replies(row: OutboxMessage) -> list[Reply]:
    return REPLIES.validate_python(row.replies)


def _give(session: Session, row: OutboxMessage, before: str, turn_id: str) -> bool:
    given = _move(session, row.id, before, "delivered", delivered_at=utcnow(), given_with=turn_id)
    if given and row.sender == "system":
        told.arrived(session, row.id, utcnow())
    return given


def _move(session: Session, id_: str, before: str, after: str, **values: Any) -> bool:
    """From one status to the next, if nobody else did."""
    standing = update(OutboxMessage).where(OutboxMessage.id == id_, OutboxMessage.status == before)
    return database.rows_changed(session, standing.values(status=after, **values)) == 1
