"""回拨: the calls that we owe.  Whoever waited for a person and got none is called back, where their phone is known; so is who was
answered wrongly and can't be told otherwise (``bot.recalls``)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import Session

from bot import audit, database, events, told
from bot.clock import utcnow
from bot.errors import IllegalMove, InvalidInput, NotFound
from bot.models.callbacks import Callback
from bot.models.conversations import Conversation, DeskNote
from bot.models.tickets import digits_of
from bot.tickets import register

Why = Literal["leave", "nobody", "hung_up", "recall"]
Result = Literal["reached", "not_reached", "wrong_number"]

TRIES = 3
"""So often somebody who does not answer is called"""
HELD = timedelta(minutes=30)
"""A claim with which nothing happens lapses after so long"""
SYSTEM = "系统"
_UNCALLED: Mapping[str, tuple[Why, str]] = {
    "leave": ("leave", "市民等人工没有等到，自己不等了；没有留电话，不能回拨。"),
    "nobody": ("nobody", "市民等人工时没有人在岗；没有留电话，不能回拨，可以等他再来。"),
}
"""The move by which a wait was given up → why a call is owed, and what the note says where it can't be made"""


# --- owing -----------------------------------------------------------------------------------------------------------


def wait_is_over(session: Session, conversation: Conversation, verb: str, since: datetime, now: datetime) -> None:
    """A citizen's wait ended without a person.  Where that was given up they are called back; without a phone a note says so.

    The caller holds the conversation's lock.

    Args:
        verb: the move that ended it.
    """
    if verb not in _UNCALLED:
        return
    why, words = _UNCALLED[verb]
    tickets = register.of_conversation(session, conversation.id)
    phone = next((ticket.phone for ticket in tickets if ticket.phone), None)
    if phone:
        owe(session, "conversation", conversation.id, phone, why, since, now)
    else:
        session.add(DeskNote(conversation_id=conversation.id, author=SYSTEM, kind="note", text=words, at=now))


def owe(
    session: Session,
    kind: str,
    subject: str,
    phone: str,
    why: Why,
    since: datetime,
    now: datetime,
    *,
    says: str | None = None,
) -> Callback:
    """Somebody is to be called back; one whom we owe a call for the same matter already is owed one.

    Args:
        says: what they are to be told: then it is a call of its own.
    """
    own = Callback.subject == subject, Callback.done_at.is_(None), Callback.why != "recall"
    if says is None and (standing := session.scalar(select(Callback).where(*own).limit(1))) is not None:
        return standing
    made = Callback(
        id=uuid.uuid4().hex,
        kind=kind,
        subject=subject,
        phone=phone,
        why=why,
        says=says,
        since=since,
        at=now,
        tries=0,
    )
    session.add(made)
    events.publish(session, "callback", made.id)
    return made


def served(session: Session, subject: str, person: str, now: datetime) -> None:
    """They have got a person after all: nothing is owed any more."""
    own = Callback.subject == subject, Callback.done_at.is_(None), Callback.why != "recall"
    for one in session.scalars(select(Callback).where(*own).with_for_update()):
        one.result, one.done_at, one.done_by = "served", now, person
        events.publish(session, "callback", one.id)


# --- calling ---------------------------------------------------------------------------------------------------------


def _free(now: datetime) -> ColumnElement[bool]:
    return or_(Callback.claimed_by.is_(None), Callback.claimed_at < now - HELD)


def claim(session: Session, callback_id: str, person: str, now: datetime | None = None) -> Callback:
    """Take one, to call; of two people one gets it, by one conditional update.  Whoever has it may see the phone.

    Raises:
        NotFound: no such one.
        IllegalMove: a colleague has it, or it is done.
    """
    now = now or utcnow()
    taken = (
        update(Callback)
        .where(Callback.id == callback_id, Callback.done_at.is_(None), or_(_free(now), Callback.claimed_by == person))
        .values(claimed_by=person, claimed_at=now)
    )
    changed = database.rows_changed(session, taken)
    row = session.get(Callback, callback_id, populate_existing=True)
    if row is None:
        raise NotFound("没有这条回拨。")
    if not changed:
        raise IllegalMove("这条回拨已经办完了。" if row.done_at else "这条回拨已经有同事在打了。")
    audit.record(session, person, "callback.claim", callback_id)
    events.publish(session, "callback", callback_id)
    return row


def close(session: Session, callback_id: str, person: str, result: Result, now: datetime | None = None) -> Callback:
    """What came of a call.  Who did not answer is called again later, ``TRIES`` times in all.

    Raises:
        NotFound.
        InvalidInput: no such result.
        IllegalMove: the person does not have it.
    """
    now = now or utcnow()
    if result not in ("reached", "not_reached", "wrong_number"):
        raise InvalidInput("结果只能是接通、没有接通或号码不对。")
    row = _own(session, callback_id, person)
    row.tries, row.tried_at, row.result = row.tries + 1, now, result
    row.claimed_by = row.claimed_at = None
    if result != "not_reached" or row.tries >= TRIES:
        row.done_at, row.done_by = now, person
    if result == "reached":
        told.arrived(session, callback_id, now)
    elif row.done_at is not None:
        told.lost(session, callback_id, "号码不对" if result == "wrong_number" else f"打了 {row.tries} 次没有接通", now)
    audit.record(session, person, "callback.call", callback_id, result=result, tries=row.tries)
    events.publish(session, "callback", callback_id)
    return row


def release(session: Session, callback_id: str, person: str) -> None:
    """Put one back that one has not called.  Raises: NotFound, IllegalMove."""
    row = _own(session, callback_id, person)
    row.claimed_by = row.claimed_at = None
    audit.record(session, person, "callback.release", callback_id)
    events.publish(session, "callback", callback_id)


def _own(session: Session, callback_id: str, person: str) -> Callback:
    row = session.get(Callback, callback_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound("没有这条回拨。")
    if row.done_at is not None or row.claimed_by != person:
        raise IllegalMove("这条回拨不在您手上。")
    return row


# --- reading ---------------------------------------------------------------------------------------------------------


def listed(session: Session, *, done: bool = False, offset: int = 0, limit: int = 20) -> tuple[Sequence[Callback], int]:
    """Those that are owed, the longest-waiting first and those called already behind; or those that are done, the newest first."""
    query = select(Callback).where(Callback.done_at.is_not(None) if done else Callback.done_at.is_(None))
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    order = (Callback.done_at.desc(),) if done else (Callback.tries, Callback.since)
    return session.scalars(query.order_by(*order, Callback.id).offset(offset).limit(limit)).all(), total


def count(session: Session) -> int:
    """How many are owed."""
    return session.scalar(select(func.count()).select_from(Callback).where(Callback.done_at.is_(None))) or 0


def forget_phone(session: Session, phone: str) -> int:
    """Remove what is owed to, or was done for, a phone, at its owner's wish; how many."""
    gone = [one for one in session.scalars(select(Callback)) if digits_of(one.phone) == digits_of(phone)]
    for one in gone:
        session.delete(one)
        told.lost(session, one.id, told.FORGOTTEN, utcnow())
        events.publish(session, "callback", one.id)
    return len(gone)
