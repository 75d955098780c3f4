"""Short messages to citizens' phones: stored first, then given to the city's SMS platform by ``connectors.desk.sms``.

Each is given once: again only where it certainly did not get there.  Where nobody can tell it stays ``unknown``, and a person decides.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from bot import audit, counters, database, events, knowledge, told
from bot.clock import utcnow
from bot.crypto import get_cipher
from bot.errors import IllegalMove, InvalidInput, NotFound, TooMany
from bot.masking import mask, mask_phone
from bot.models.desk import Kind
from bot.models.sms import ShortMessage
from bot.models.tickets import digits_of
from bot.settings import Settings, get_settings

LONGEST = 1000
"""Characters; the platform cuts it into as many messages as it needs"""
_MOBILE = re.compile(r"1[3-9]\d{9}")
_TRIES = 8
_FIRST_WAIT_S = 5
"""Doubled with each try: eight tries take about ten minutes"""
_BATCH = 50


class Sent(StrEnum):
    """What came of giving it to the platform."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    """For good"""
    AGAIN = "again"
    """It certainly did not get there; it may later"""
    UNKNOWN = "unknown"
    """It may have got there"""


# --- writing ---------------------------------------------------------------------------------------------------------


def put(
    session: Session,
    phone: str,
    text: str,
    person: str,
    settings: Settings,
    *,
    id: str,
    qa_id: str | None = None,
    kind: Kind | None = None,
    subject: str | None = None,
    now: datetime | None = None,
) -> ShortMessage:
    """Store one, to be sent at once.  The same ``id`` again is the same message.

    Args:
        id: 32 hex digits, the page's own.
        subject: the conversation or call that it belongs to, and goes with.

    Raises:
        IllegalMove: no SMS platform is set up, or the answer was withdrawn as wrong.
        InvalidInput: no mobile phone, no text, too long, or the id is another's.
        TooMany: this phone has got enough today.
    """
    now = now or utcnow()
    if not settings.sms_url:
        raise IllegalMove("没有开通短信。要用短信，请管理员接上本市的短信平台。")
    number = digits_of(phone).removeprefix("86") if len(digits_of(phone)) == 13 else digits_of(phone)
    if not _MOBILE.fullmatch(number):
        raise InvalidInput("短信只能发到 11 位的手机号。")
    if not text.strip() or len(text) > LONGEST:
        raise InvalidInput(f"短信内容要有，并且不超过 {LONGEST} 字。")
    if not re.fullmatch(r"[0-9a-f]{32}", id):
        raise InvalidInput("短信的编号不对。")
    if (same := session.get(ShortMessage, id)) is not None:
        if same.person != person:
            raise InvalidInput("短信的编号不对。")
        return same
    if qa_id is not None:
        knowledge.refuse_words(session, qa_id, text)
    bound = f"sms:{get_cipher().pseudonym(f'phone {number}')}"
    if not counters.hit(session, bound, settings.sms_per_day, timedelta(days=1), now):
        raise TooMany(f"这个号码一天最多发 {settings.sms_per_day} 条短信，已经到了。")
    message = ShortMessage(
        id=id,
        phone=number,
        text=text.strip(),
        person=person,
        qa_id=qa_id,
        qa_version=knowledge.given(session, qa_id, text) if qa_id else None,
        kind=kind,
        subject=subject,
        status="pending",
        attempts=0,
        next_attempt_at=now,
        created_at=now,
    )
    session.add(message)
    audit.record(session, person, "sms.send", id, to=mask_phone(number), qa_id=qa_id, conversation=subject)
    events.publish(session, "sms", id, person=person)
    return message


def again(session: Session, message_id: str, person: str, *, any_person: bool, now: datetime | None = None) -> None:
    """Somebody has what failed, or may have gone out, given to the platform once more, under the same id.

    Raises:
        NotFound: no such message, or a colleague's.
        IllegalMove: there is nothing to try again.
    """
    row = session.get(ShortMessage, message_id)
    if row is None or not (any_person or row.person == person):
        raise NotFound("没有这条短信。")
    values = {"next_attempt_at": now or utcnow(), "attempts": 0, "error": None, "settled_at": None}
    if not any(_move(session, message_id, before, "pending", **values) for before in ("failed", "unknown")):
        raise IllegalMove("这条短信不用再发。")
    audit.record(session, person, "sms.again", message_id)
    events.publish(session, "sms", message_id, person=row.person)


# --- sending ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Claimed:
    """What goes to the platform."""

    id: str
    phone: str
    text: str


def due(session: Session, now: datetime) -> Sequence[str]:
    """Ids of what is to be sent now, the oldest first."""
    waits = ShortMessage.status == "pending", ShortMessage.next_attempt_at <= now
    return session.scalars(
        select(ShortMessage.id).where(*waits).order_by(ShortMessage.next_attempt_at, ShortMessage.id).limit(_BATCH)
    ).all()


def claim(session: Session, message_id: str) -> Claimed | None:
    """Take it up to send; None: somebody else did, or it is gone."""
    if not _move(session, message_id, "pending", "sending"):
        return None
    row = session.get_one(ShortMessage, message_id, populate_existing=True)
    return Claimed(row.id, str(row.phone), str(row.text))


def settle(session: Session, message_id: str, sent: Sent, reason: str, now: datetime) -> str | None:
    """Write down what came of it; the new status, None where it was erased meanwhile."""
    row = session.get(ShortMessage, message_id, with_for_update=True, populate_existing=True)
    if row is None or row.status != "sending":
        return None
    row.attempts += 1
    row.error = None if sent is Sent.ACCEPTED else mask(reason)[:200]
    if sent is Sent.AGAIN and row.attempts < _TRIES:
        row.status = "pending"
        row.next_attempt_at = now + timedelta(seconds=_FIRST_WAIT_S * 2 ** (row.attempts - 1))
    else:
        row.status, row.settled_at = ("failed" if sent is Sent.AGAIN else sent.value), now
        if sent is Sent.ACCEPTED:
            told.arrived(session, message_id, now)
        elif sent is not Sent.UNKNOWN:
            told.failed(session, message_id, f"短信没有发成：{row.error}", now)
    events.publish(session, "sms", message_id, person=row.person)
    return row.status


def any_sending(session: Session) -> bool:
    """Whether one is being sent."""
    return session.scalar(select(ShortMessage.id).where(ShortMessage.status == "sending").limit(1)) is not None


def take_back(session: Session, now: datetime) -> int:
    """What was being sent when its process ended, or lost its database, may have gone out; how many."""
    sending = update(ShortMessage).where(ShortMessage.status == "sending")
    return database.rows_changed(
        session, sending.values(status="unknown", error="发送时程序中断了，不知道发出没有", settled_at=now)
    )


def _move(session: Session, message_id: str, before: str, after: str, **values: object) -> bool:
    standing = update(ShortMessage).where(ShortMessage.id == message_id, ShortMessage.status == before)
    return database.rows_changed(session, standing.values(status=after, **values)) == 1


# --- reading ---------------------------------------------------------------------------------------------------------


def listed(
    session: Session, person: str | None, *, offset: int = 0, limit: int = 20
) -> tuple[Sequence[ShortMessage], int]:
    """A person's, or with None everybody's, the newest first; and how many there are."""
    query = select(ShortMessage)
    if person is not None:
        query = query.where(ShortMessage.person == person)
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    newest = query.order_by(ShortMessage.created_at.desc(), ShortMessage.id)
    return session.scalars(newest.offset(offset).limit(limit)).all(), total


def forget_phone(session: Session, phone: str) -> int:
    """Remove what was sent to a phone, at its owner's wish; how many."""
    gone = [one for one in session.scalars(select(ShortMessage)) if digits_of(one.phone) == digits_of(phone)]
    for one in gone:
        session.delete(one)
        told.lost(session, one.id, told.FORGOTTEN, utcnow())
    return len(gone)


def forget_old(session: Session, now: datetime) -> int:
    """Remove what was written longer ago than conversations are kept; how many."""
    old = ShortMessage.created_at < now - timedelta(days=get_settings().retention_days)
    return database.rows_changed(session, delete(ShortMessage).where(old))
