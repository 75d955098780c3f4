"""Telling those whom a recall is for, each once: what is sent and that it was sent are one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import conversations, events, sms
from bot.clock import SHANGHAI, utcnow
from bot.desk import callbacks, notes
from bot.errors import NotFound, YihaodaError
from bot.models.calls import Call, CallShown
from bot.models.conversations import Conversation, InboxMessage, OutboxMessage, TurnEffect
from bot.models.recalls import Recall, RecallTarget
from bot.models.sms import ShortMessage
from bot.models.tickets import Ticket
from bot.recalls.finding import CALL, CONVERSATION, SMS, TICKET, Key
from bot.replies import TextReply
from bot.settings import Settings
from bot.tickets import moves
from bot.tickets.register import letters_of
from bot.told import APPROVED, CALLBACK, DONE, SENT, UNREACHABLE, WAITING

_QUESTION = 60
"""Characters of their own question that are repeated"""
_SAYS_SOMETHING = 4
"""Letters and figures that a question has at least: 2 or 好 chose what had been asked before"""
_BACK = 10
"""So many messages before are looked at for it"""
NO_PHONE = "没有留电话"
WITH_A_PERSON = "人工正在接待，已写备注告诉坐席；坐席接待完再发给市民"


def waiting(session: Session, after: int, limit: int) -> Sequence[int]:
    """Ids of those who are to be told and were not yet, of approved recalls, in their order."""
    query = (
        select(RecallTarget.id)
        .join(Recall, Recall.id == RecallTarget.recall_id)
        .where(Recall.state == APPROVED, RecallTarget.state == WAITING, RecallTarget.id > after)
    )
    return session.scalars(query.order_by(RecallTarget.id).limit(limit)).all()


def tell(session: Session, target_id: int, settings: Settings, now: datetime | None = None) -> str | None:
    """Tell one of them, if nobody has; what became of it, None where there is nothing to do.

    A conversation that a person has is not spoken into: that person gets a note, once, and the citizen the correction
    when the conversation is let go.
    """
    now = now or utcnow()
    target = session.get(RecallTarget, target_id)
    if target is None:
        return None
    conversation = None
    if target.kind == CONVERSATION:  # its lock first, as everybody does
        try:
            conversation = conversations.lock(session, target.key)
        except NotFound:
            _drop(session, target)
            return None
    target = session.get(RecallTarget, target_id, with_for_update=True, populate_existing=True)
    if target is None or target.state != WAITING:
        return None
    recall = session.get_one(Recall, target.recall_id)
    if recall.state != APPROVED:
        return None
    said = words(session, recall.qa_id, recall.question, (target.kind, target.key), target.asked_at, recall.correction)
    if conversation is not None:
        _say(session, target, conversation, said, now)
    else:
        _reach(session, recall, target, said, settings, now)
    for kind, key in target.also:
        if kind == TICKET:
            told = "市民以前得到的答案有误，已另行更正。"
            moves.note_event(
                session, moves.locked(session, key), moves.SYSTEM, "更正", f"{told}{said}", public=False, now=now
            )
    events.publish(session, "recall", recall.id)
    return target.state


def finish(session: Session, now: datetime | None = None) -> list[str]:
    """Recalls of which nothing is left to be sent are done; their ids."""
    done = []
    for recall in session.scalars(select(Recall).where(Recall.state == APPROVED).with_for_update()):
        left = select(RecallTarget.id).where(RecallTarget.recall_id == recall.id, RecallTarget.state == WAITING)
        if session.scalar(left.limit(1)) is None:
            recall.state, recall.ended_at = DONE, now or utcnow()
            events.publish(session, "recall", recall.id)
            done.append(recall.id)
    return done


def _drop(session: Session, target: RecallTarget) -> None:
    """Their conversation was erased: they are listed no more."""
    events.publish(session, "recall", target.recall_id)
    session.delete(target)


def _say(session: Session, target: RecallTarget, conversation: Conversation, said: str, now: datetime) -> None:
    if conversation.state == "human":
        if target.how != "note":
            notes.add(session, conversation.id, moves.SYSTEM, "note", f"请告诉市民。{said}", now)
            target.how, target.reason = "note", WITH_A_PERSON
        return
    # From the system: what the assistant says of itself may be left unsaid where the citizen has gone on.
    message = conversations.say(session, conversation, [TextReply(text=said)], sender="system", now=now)
    _sent(target, SENT, "message", message.id, now)


def _reach(
    session: Session, recall: Recall, target: RecallTarget, said: str, settings: Settings, now: datetime
) -> None:
    ticket = moves.locked(session, target.key) if target.kind == TICKET else None
    if ticket is not None and target.how is None:
        moves.note_event(session, ticket, moves.SYSTEM, "更正", said, now=now)
    phone = _phone(session, target)
    if phone is None:
        if ticket is not None:
            _sent(target, SENT, "progress", None, now)
        else:
            target.state, target.reason = UNREACHABLE, NO_PHONE
        return
    if settings.sms_url and target.how is None:
        id_ = hashlib.sha256(f"{recall.id} {target.kind} {target.key}".encode()).hexdigest()[:32]
        about: dict[str, Any] = {"kind": CALL, "subject": target.key} if target.kind == CALL else {}
        by = recall.approved_by or recall.made_by
        try:
            with session.begin_nested():
                sms.put(session, phone, said, by, settings, id=id_, now=now, **about)
        except YihaodaError as refused:  # no mobile phone, or enough for today
            target.reason = str(refused)
        else:
            _sent(target, SENT, "sms", id_, now)
            return
    owed = callbacks.owe(session, target.kind, target.key, phone, "recall", target.asked_at, now, says=said)
    _sent(target, CALLBACK, "callback", owed.id, now)


def _sent(target: RecallTarget, state: str, how: str, message: str | None, now: datetime) -> None:
    target.state, target.how, target.message, target.sent_at = state, how, message, now
    if how == "message":
        target.reason = None


def _phone(session: Session, target: RecallTarget) -> str | None:
    """The first phone that they left, in any of their calls and tickets."""
    for kind, key in [(target.kind, target.key), *target.also]:
        phone: str | None = None
        if kind == CALL and (call := session.get(Call, key)) is not None:
            phone = call.caller
        elif kind == TICKET and (ticket := session.get(Ticket, key)) is not None:
            phone = ticket.callback_phone or ticket.phone
        elif kind == SMS and (message := session.get(ShortMessage, key)) is not None:
            phone = message.phone
        if phone:
            return phone
    return None


# --- what they are told ----------------------------------------------------------------------------------------------


def words(session: Session, qa_id: str, title: str, to: Key, at: datetime, correction: str) -> str:
    """The correction for one person: the day and their own question first, as they put it.

    Args:
        title: the item's question, where theirs is not known.
        at: when they got the answer.
    """
    day, today = at.astimezone(SHANGHAI), utcnow().astimezone(SHANGHAI)
    when = f"{day.month} 月 {day.day} 日" if day.year == today.year else f"{day.year} 年 {day.month} 月 {day.day} 日"
    asked = " ".join((_asked(session, qa_id, to, at) or title).split())
    asked = asked if len(asked) <= _QUESTION else f"{asked[: _QUESTION - 1]}…"
    return f"更正：您 {when}问过“{asked}”，当时的回答有误。正确的是：{correction}"


def _asked(session: Session, qa_id: str, to: Key, at: datetime) -> str | None:
    """Their own words: read where they are theirs, and kept nowhere else."""
    kind, key = to
    if kind == CONVERSATION:
        return _said_before(session, key, _place(session, qa_id, key))
    if kind == TICKET:
        ticket = session.get(Ticket, key)
        return str(ticket.subject) if ticket is not None else None
    if kind == CALL:
        shown = select(CallShown).where(CallShown.call_id == key, CallShown.at <= at).order_by(CallShown.id.desc())
        for row in session.scalars(shown.limit(_BACK)):
            if any(one["qa_id"] == qa_id for one in row.items):
                return str(row.question)
    return None


def _place(session: Session, qa_id: str, conversation: str) -> int:
    """The number of the citizen's, or the agent's, message with which they got the answer last."""
    turn = (
        select(InboxMessage.seq)
        .join(TurnEffect, TurnEffect.turn_id == InboxMessage.turn_id)
        .where(TurnEffect.conversation_id == conversation, TurnEffect.qa_id == qa_id)
        .order_by(InboxMessage.seq.desc())
    )
    spoken = (
        select(OutboxMessage.seq)
        .where(OutboxMessage.conversation_id == conversation, OutboxMessage.qa_id == qa_id)
        .order_by(OutboxMessage.seq.desc())
    )
    return max(session.scalar(turn.limit(1)) or 0, session.scalar(spoken.limit(1)) or 0)


def _said_before(session: Session, conversation: str, place: int) -> str | None:
    """The citizen's last message up to there that says something; a number or 好 only chose."""
    said = (
        select(InboxMessage.text)
        .where(InboxMessage.conversation_id == conversation, InboxMessage.seq <= place)
        .order_by(InboxMessage.seq.desc())
        .limit(_BACK)
    )
    return next((str(text) for text in session.scalars(said) if len(letters_of(text)) >= _SAYS_SOMETHING), None)
