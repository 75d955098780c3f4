"""The desk: who is on duty, who has which conversation, what they say in it and what they are about to say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.orm import Session

from bot import audit, conversations, database, events
from bot.accounts import people
from bot.clock import utcnow
from bot.errors import IllegalMove, InvalidInput
from bot.models.conversations import Alarm, Conversation, OutboxMessage, TurnEffect
from bot.models.people import Draft, Person
from bot.replies import Reply


def set_duty(session: Session, agent: str, until: datetime | None) -> None:
    """An agent is on duty until a time; ``None`` takes them off.  Raises: NotFound."""
    people.get(session, agent, locked=True).on_duty_until = until
    audit.record(session, agent, "duty", agent, until=until.isoformat() if until else None)
    events.publish(session, "duty", agent)


def on_duty(session: Session, now: datetime | None = None) -> bool:
    """Whether any agent is on duty."""
    return session.scalar(select(Person.number).where(Person.on_duty_until > (now or utcnow())).limit(1)) is not None


def claim(session: Session, conversation_id: str, agent: str) -> None:
    """An agent takes a waiting conversation: one atomic update, so two cannot both get it.

    Raises:
        IllegalMove: it isn't waiting (any more).
    """
    got = session.execute(
        update(Conversation)
        .where(Conversation.id == conversation_id, Conversation.state == "waiting")
        .values(state="human", agent=agent)
        .returning(Conversation.id)
        .execution_options(synchronize_session=False)
    ).first()
    if got is None:
        raise IllegalMove("这个会话已经有人接了，或者市民没有在等人工。")
    conversations.moved(session, conversations.lock(session, conversation_id), "waiting", agent, "conversation.claim")


def speak(session: Session, conversation_id: str, agent: str, replies: list[Reply]) -> OutboxMessage:
    """An agent's words to the citizen.  Raises: IllegalMove if the agent does not have the conversation."""
    conversation = conversations.lock(session, conversation_id)
    if conversation.state != "human" or conversation.agent != agent:
        raise IllegalMove("请先接入这个会话，再回复市民。")
    return conversations.say(session, conversation, replies, sender="agent")


def release(session: Session, conversation_id: str, agent: str) -> None:
    """The agent closes the conversation; the citizen's next message opens a new session.  Raises: IllegalMove."""
    conversation = conversations.lock(session, conversation_id)
    if conversation.state != "human" or conversation.agent != agent:
        raise IllegalMove("这个会话不在您手上。")
    conversations.move(session, conversation, "closed", agent, "conversation.close")


# --- lists -----------------------------------------------------------------------------------------------------------


LISTS = ("waiting", "mine", "others", "bot", "closed")
"""Every conversation is in exactly one of them, for each agent"""


def _in_list(name: str, agent: str) -> ColumnElement[bool]:
    if name == "mine":
        return and_(Conversation.state == "human", Conversation.agent == agent)
    if name == "others":
        return and_(Conversation.state == "human", func.coalesce(Conversation.agent, "") != agent)
    return Conversation.state == name


def counts(session: Session, agent: str) -> dict[str, int]:
    """How many conversations each list has for this agent."""
    numbers = [func.count().filter(_in_list(name, agent)).label(name) for name in LISTS]
    return dict(session.execute(select(*numbers).select_from(Conversation)).mappings().one())


def listed(
    session: Session, name: str, agent: str, *, offset: int = 0, limit: int = 20
) -> tuple[Sequence[Conversation], dict[str, int]]:
    """A page of one list, and how many each list has.

    Those who wait: in danger first, then the longest-waiting; of the others the last active first.
    """
    query = select(Conversation).where(_in_list(name, agent))
    if name == "waiting":
        alarmed = select(Alarm.conversation_id).where(Alarm.seen_at.is_(None))
        query = query.order_by(Conversation.id.not_in(alarmed), Conversation.active_at, Conversation.id)
    else:
        query = query.order_by(Conversation.active_at.desc(), Conversation.id)
    return session.scalars(query.offset(offset).limit(limit)).all(), counts(session, agent)


def dangers(session: Session, conversation_ids: Sequence[str]) -> dict[str, str]:
    """Conversation → the kind of danger heard in it that nobody has seen to yet; of several the certain, newest one."""
    found = session.scalars(
        select(Alarm)
        .where(Alarm.conversation_id.in_(conversation_ids), Alarm.seen_at.is_(None))
        .order_by(Alarm.possible.desc(), Alarm.at)
    )
    return {one.conversation_id: one.kind for one in found}


def last_effect(session: Session, conversation_id: str) -> TurnEffect | None:
    """How the last turn that looked for an answer was decided."""
    return session.scalar(
        select(TurnEffect)
        .where(TurnEffect.conversation_id == conversation_id, TurnEffect.decision != "forwarded")
        .order_by(TurnEffect.settled_at.desc())
        .limit(1)
    )


def names_on_duty(session: Session, now: datetime) -> list[str]:
    """Of those on duty, by number."""
    return list(session.scalars(select(Person.name).where(Person.on_duty_until > now).order_by(Person.number)))


# --- drafts ----------------------------------------------------------------------------------------------------------


def draft(session: Session, person: str, kind: str, subject: str) -> Draft | None:
    """What a person is writing about something."""
    return session.get(Draft, (person, kind, subject))


def save_draft(
    session: Session, person: str, kind: str, subject: str, text: str, revision: int, now: datetime
) -> Draft:
    """Keep it over reloads and crashes.

    Raises:
        InvalidInput: kind or subject is malformed.
        IllegalMove: a newer one was saved since ``revision``, on another page.
    """
    if not (re.fullmatch(r"[a-z-]{1,16}", kind) and re.fullmatch(r"[\w.:-]{1,64}", subject)):
        raise InvalidInput("草稿的名称不对。")
    row = session.get(Draft, (person, kind, subject), with_for_update=True)
    if row is None:
        row = Draft(person=person, kind=kind, subject=subject, text="", revision=0, at=now)
        session.add(row)
    if row.revision > revision:
        raise IllegalMove("这份草稿在别的页面上又改过了，请刷新后再写。")
    row.text, row.revision, row.at = text, revision + 1, now
    return row


DRAFTS_KEPT = timedelta(days=30)


def forget_old_drafts(session: Session, now: datetime) -> int:
    """Remove drafts that nobody touched for long; how many."""
    return database.rows_changed(session, delete(Draft).where(Draft.at < now - DRAFTS_KEPT))
