"""Turns: one message in, one effect out.

A turn is received (stored, acknowledged), answered (by Rasa's action or, failing that, by the gateway itself) and settled.
Settling writes the reply, the ticket or rating, and the conversation's memory in one transaction under the turn's id: the
first to settle wins, and a late result is dropped.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import alarms, asked, conversations, database, releases
from bot.clock import utcnow
from bot.conversations import Context
from bot.errors import NotFound
from bot.masking import mask_record
from bot.models.conversations import Conversation, InboxMessage, State, TurnEffect
from bot.replies import REPLIES, EmergencyReply, Reply
from bot.settings import Settings

Engine = Literal["rasa", "fallback", "human"]

FORWARDED = "forwarded"
"""The decision of a turn that is a person's to answer"""


@dataclass(frozen=True)
class Turn:
    """One message to be answered, with all that its answer depends on."""

    turn_id: str
    conversation_id: str
    text: str
    state: State
    context: Context
    received_at: datetime
    act: str = "ask_policy"
    """The dialogue act that Rasa recognised"""
    engine: Engine = "rasa"
    source: str = ""
    """Whom it came from, as a pseudonym: never the conversation, of which one may open as many as one likes"""
    trial: bool = False
    """Somebody only tries the assistant: it makes no ticket, asks for no person, looks up no ticket"""
    bundle: str | None = None
    """The release that answers it; None: there is none"""
    index: str | None = None
    """Its index version; None: the one in use"""
    rasa_port: int | None = None
    """Where its Rasa listens, if one does"""


@dataclass
class Outcome:
    """What a turn comes to, before it is written."""

    replies: list[Reply]
    context: Context
    state: State | None = None
    """The conversation's new state; None leaves it"""
    decision: str = "text"
    qa_id: str | None = None
    qa_version: int | None = None
    confidence: float | None = None
    explain: dict[str, Any] = field(default_factory=dict)
    look: asked.Look | None = None
    """How it looked for an answer, if it did: kept to learn from"""
    effect: Callable[[Session], None] | None = None
    """Further writes (a ticket, a rating) that belong to the same transaction"""


@dataclass(frozen=True)
class Receipt:
    """A stored message: ``turn_id``, whether it was new, and the replies if the turn is settled already."""

    turn_id: str
    new: bool
    state: State
    replies: list[Reply] | None


def new_id() -> str:
    """An id for a turn to be."""
    return uuid.uuid4().hex


def receive(
    session: Session,
    conversation: Conversation,
    message_id: str,
    text: str,
    settings: Settings,
    *,
    source: str | None = None,
    turn_id: str | None = None,
    now: datetime | None = None,
    known: Callable[[Context], Outcome] | None = None,
    hears: Callable[[Turn], Outcome | None] | None = None,
) -> Receipt:
    """Store a message under its unique (channel, message id).  A repeat gives the first one's turn.

    In state ``human`` the turn is settled at once: the message is the agent's to answer.  So is one in which somebody is in
    danger, in every state: neither Rasa nor a queue may stand between a citizen and the number to call.

    Args:
        conversation: locked by the caller.
        source: the pseudonym of the sender's address, or of the openid in WeChat.
        turn_id: what to call a new turn; ``new_id()`` if not given.
        known: what a new turn comes to where the channel knows it already (the rest of a long reply, say); settled at once.
        hears: what a message in which somebody is in danger comes to; None for any other.
    """
    at = now or utcnow()
    key = f"{conversation.id}:{message_id}"
    stored = session.scalar(
        select(InboxMessage).where(InboxMessage.channel == conversation.channel, InboxMessage.channel_message_id == key)
    )
    if stored is not None:
        effect = session.get(TurnEffect, stored.turn_id)
        if effect is None:
            return Receipt(stored.turn_id, False, conversation.state, None)
        return Receipt(stored.turn_id, False, effect.state, replies_of(effect))
    conversations.renew_session(session, conversation, settings, at)
    conversation.session_turns += 1
    conversation.active_at = at
    message = InboxMessage(
        turn_id=turn_id or new_id(),
        conversation_id=conversation.id,
        seq=conversations.next_seq(conversation),
        channel=conversation.channel,
        channel_message_id=key,
        text=text,
        source=source,
        received_at=at,
        settled=False,
    )
    session.add(message)
    session.flush()
    conversations.heard(session, conversation)
    human = conversation.state == "human"
    context = conversations.context_of(conversation)
    if human:
        conversation.owed_since, conversation.quiet_since = conversation.owed_since or at, None
    if known:
        outcome = known(context)
        if human and outcome.decision != "more":  # the rest of a long message is what was said already
            outcome = _forwarded(context, outcome.effect)
    else:
        trial = conversation.channel == conversations.TRIAL
        turn = Turn(
            message.turn_id, conversation.id, text, conversation.state, context, at, source=source or "", trial=trial
        )
        heard = hears(turn) if hears else None
        if heard is None and not human:
            return Receipt(message.turn_id, True, conversation.state, None)
        outcome = heard or _forwarded(context)
    act = "ask_policy" if outcome.look else outcome.decision  # below a caring question stands what answers it
    _write(session, conversation, message, "human" if human else "fallback", act, outcome, at)
    return Receipt(message.turn_id, True, conversation.state, outcome.replies)


def _forwarded(context: Context, effect: Callable[[Session], None] | None = None) -> Outcome:
    """A person answers: the assistant says nothing."""
    return Outcome(replies=[], context=context, decision=FORWARDED, effect=effect)


def forward_open(session: Session, conversation: Conversation, now: datetime) -> list[str]:
    """A person takes the conversation: what the assistant was still answering is theirs.  A reply that comes later is dropped.

    The caller holds the conversation's lock.

    Returns: the ids of those turns.
    """
    open_ = session.scalars(
        select(InboxMessage)
        .where(InboxMessage.conversation_id == conversation.id, InboxMessage.settled.is_(False))
        .order_by(InboxMessage.seq)
    ).all()
    for message in open_:
        outcome = _forwarded(conversations.context_of(conversation))
        _write(session, conversation, message, "human", outcome.decision, outcome, now)
    return [message.turn_id for message in open_]


def load(
    session: Session, turn_id: str, *, act: str = "ask_policy", engine: Engine = "rasa", bundle: str | None = None
) -> Turn:
    """The turn, ready to be answered.

    Args:
        bundle: Whose Rasa recognised the act; it goes on with the turn, as long as it answers anybody.

    Raises:
        NotFound: it is gone.
    """
    message = session.get(InboxMessage, turn_id)
    if message is None:
        raise NotFound("没有这一轮对话。")
    conversation = session.get_one(Conversation, message.conversation_id)
    answers = releases.of(session, conversation, begun_with=bundle)
    return Turn(
        turn_id=turn_id,
        conversation_id=conversation.id,
        text=message.text,
        state=conversation.state,
        context=conversations.context_of(conversation),
        received_at=message.received_at,
        act=act,
        engine=engine,
        source=message.source or "",
        trial=conversation.channel == conversations.TRIAL,
        bundle=answers.name if answers else None,
        index=answers.index_version if answers else None,
        rasa_port=answers.rasa_port if answers else None,
    )


@dataclass(frozen=True)
class Settled:
    """What a turn came to in the end."""

    state: State
    """The conversation's, after the turn"""
    replies: list[Reply]
    context: Context | None = None
    """What the conversation remembers now, to whoever settled it"""


def settle(turn: Turn, outcome: Outcome) -> Settled:
    """Write the outcome, once.

    Returns:
        The outcome's replies and memory, or those of whoever settled the turn before.
    """
    with database.write() as session:
        conversation = conversations.lock(session, turn.conversation_id)
        message = session.get_one(InboxMessage, turn.turn_id, populate_existing=True)
        if message.settled:
            effect = session.get_one(TurnEffect, turn.turn_id)
            if effect.decision == FORWARDED:
                _warn(session, conversation, effect, outcome)
            return Settled(effect.state, replies_of(effect), conversations.context_of(conversation))
        outcome.context.keep_settings(turn.context, conversations.context_of(conversation))
        if outcome.state and conversation.state == turn.state:
            action = "conversation.ask_for_human" if outcome.state == "waiting" else "conversation.leave"
            conversations.move(session, conversation, outcome.state, "市民", action)
        _write(session, conversation, message, turn.engine, turn.act, outcome, utcnow(), turn.bundle)
        return Settled(conversation.state, outcome.replies, outcome.context)


def _warn(session: Session, conversation: Conversation, effect: TurnEffect, outcome: Outcome) -> None:
    """Danger that was heard only while a person took the conversation: said all the same, once."""
    warnings: list[Reply] = [reply for reply in outcome.replies if isinstance(reply, EmergencyReply)]
    if not warnings:
        return
    effect.decision, effect.replies = outcome.decision, REPLIES.dump_python(warnings, mode="json")
    for reply in warnings:
        assert isinstance(reply, EmergencyReply)
        alarms.raise_(session, conversation.id, effect.turn_id, reply, utcnow())
    conversations.say(session, conversation, warnings, sender="bot", turn_id=effect.turn_id)


def _write(
    session: Session,
    conversation: Conversation,
    message: InboxMessage,
    engine: Engine,
    act: str,
    outcome: Outcome,
    now: datetime,
    bundle: str | None = None,
) -> None:
    session.add(
        TurnEffect(
            turn_id=message.turn_id,
            conversation_id=conversation.id,
            engine=engine,
            act=act,
            decision=outcome.decision,
            qa_id=outcome.qa_id,
            qa_version=outcome.qa_version,
            confidence=outcome.confidence,
            state=conversation.state,
            replies=REPLIES.dump_python(outcome.replies, mode="json"),
            explain=outcome.explain,
            bundle=bundle,
            settled_at=now,
        )
    )
    message.settled, message.source = True, None
    conversations.remember(conversation, outcome.context)
    asked.note(session, conversation, message, act, outcome, now)
    if outcome.effect is not None:
        outcome.effect(session)
    for reply in outcome.replies:
        if isinstance(reply, EmergencyReply) and conversation.channel != conversations.TRIAL:
            alarms.raise_(session, conversation.id, message.turn_id, reply, now)
    if outcome.replies:
        conversations.say(session, conversation, outcome.replies, sender="bot", turn_id=message.turn_id, now=now)


def replies_of(effect: TurnEffect) -> list[Reply]:
    """The replies of a settled turn."""
    return REPLIES.validate_python(effect.replies)


def last_of(session: Session, conversation_id: str) -> str | None:
    """The id of the conversation's last turn."""
    last = select(InboxMessage.turn_id).where(InboxMessage.conversation_id == conversation_id)
    return session.scalar(last.order_by(InboxMessage.seq.desc()).limit(1))


def unsettled(session: Session) -> list[tuple[str, str]]:
    """(conversation id, turn id) of every message without its effect, in the order in which they came."""
    rows = session.execute(
        select(InboxMessage.conversation_id, InboxMessage.turn_id)
        .where(InboxMessage.settled.is_(False))
        .order_by(InboxMessage.received_at, InboxMessage.seq)
    )
    return [(row[0], row[1]) for row in rows]


def explained(effect: TurnEffect) -> dict[str, Any]:
    """How a turn was decided: act, limits, candidates with their features; what the citizen said is masked."""
    return {
        "turn_id": effect.turn_id,
        "engine": effect.engine,
        "act": effect.act,
        "decision": effect.decision,
        "qa_id": effect.qa_id,
        "confidence": effect.confidence,
        "explain": mask_record(effect.explain or {}),
    }
