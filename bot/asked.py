"""What was asked (提问记录): each turn that looked for an answer, masked, with what came of it.

Written in the transaction of the turn's effect.  A row knows neither conversation nor turn nor ticket, only their blind indexes:
whoever has the row can't tell whose it is, and whoever erases a conversation still finds its rows.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import Row, Select, and_, bindparam, delete, insert, or_, select, update
from sqlalchemy.orm import Session, undefer

from bot import database
from bot.crypto import get_cipher
from bot.errors import InvalidInput, NotFound
from bot.masking import mask
from bot.models.asked import Asked
from bot.models.conversations import Conversation, InboxMessage
from bot.models.shadow import ShadowTurn
from bot.models.tickets import Ticket
from bot.replies import AnswerReply

if TYPE_CHECKING:
    from bot.turns import Outcome

CITIZEN, AGENT, TRIAL, EVALUATION = "市民", "坐席", "试一试", "评测"
SOURCES = (CITIZEN, AGENT, TRIAL, EVALUATION)
"""Who asked.  An agent's: what a person answered from an item, without the assistant.  Nothing learns from trials and evaluations."""
_TRIAL_CHANNEL = "trial"
"""``bot.conversations.TRIAL``, which lies above this module"""
AGAIN = timedelta(minutes=10)
"""Within so long the same thing in other words is the same question still"""
CAME = timedelta(hours=1)
"""Within so long a ticket, or an agent's answer, is about the last question"""
RESULTS = ("useful", "useless", "refused", "chosen", "rephrased", "agent", "ticket", "nothing")
"""What may have come of a question, as a filter"""
_BATCH = 500


@dataclass(frozen=True)
class Look:
    """How a turn looked for an answer, as far as its explanation does not say."""

    normalised: str
    """As retrieval read it"""
    region: str | None
    """Where the citizen is, if that is known"""
    before: Mapping[str, str | None] | None = None
    """What it followed on: matter, question, qa"""
    vector: bytes | None = None
    """Of ``normalised``: float16, little endian"""
    encoder: str | None = None
    """Checksum of the encoder"""


def note(
    session: Session,
    conversation: Conversation,
    message: InboxMessage,
    act: str,
    outcome: Outcome,
    now: datetime,
) -> None:
    """Keep what a turn looked for, and what it tells of the question before.  In the transaction of the turn's effect."""
    explain = outcome.explain
    chosen = outcome.qa_id if explain.get("step") == "option" and outcome.look is None else None
    refused = bool(explain.get("refused"))
    if outcome.look is None and chosen is None and not refused:
        return
    before = last(session, conversation.id)
    told: dict[str, Any] = {}
    if before is not None and now - before.at <= CAME:
        told = ({"chosen": chosen} if chosen else {}) | ({"refused": True} if refused else {})
    if outcome.look is not None:
        row = _row(conversation, message, act, outcome, outcome.look, now)
        session.execute(_INSERT, row)
        if before is not None and _in_other_words(before, row, refused):
            told["rephrased"] = row["id"]
    if before is not None and told:
        session.execute(update(Asked).where(Asked.id == before.id).values(told))


_INSERT = insert(Asked)


def _row(
    conversation: Conversation, message: InboxMessage, act: str, outcome: Outcome, look: Look, now: datetime
) -> dict[str, Any]:
    explain = outcome.explain
    candidates = explain.get("candidates", [])
    answered = next((reply for reply in outcome.replies if isinstance(reply, AnswerReply)), None)
    vector = base64.b64encode(look.vector).decode("ascii") if look.vector else None
    return {
        "id": uuid4().hex,
        "at": now,
        "turn": turn_link(message.turn_id)[0],
        "person": person_link(conversation.id)[0],
        "source": TRIAL if conversation.channel == _TRIAL_CHANNEL else CITIZEN,
        "channel": conversation.channel,
        "region": look.region,
        "said": {"text": mask(message.text), "normalised": mask(look.normalised)},
        "before": {name: value and mask(value) for name, value in look.before.items()} if look.before else None,
        "vector": vector,
        "encoder": look.encoder if vector else None,
        "act": act,
        "decision": outcome.decision,
        "certainty": answered.certainty if answered else None,
        "probability": explain.get("probability"),
        "qa_id": outcome.qa_id,
        "matter": answered.matter if answered else candidates[0]["matter"] if candidates else None,
        "version": explain.get("version"),
        "found": {name: explain[name] for name in ("answer_at", "likely_at", "clarify_at", "reason") if name in explain}
        | {"candidates": [_candidate(one) for one in candidates]},
        "refused": False,
    }


def _candidate(one: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one[name] for name in ("qa_id", "wording", "score", "features")}


def _in_other_words(before: Row[*tuple[Any, ...]], row: dict[str, Any], refused: bool) -> bool:
    """Whether a question puts the one before once more: nothing good had come of that, and it is of the same matter."""
    unwanted = refused or before.refused or before.helpful is False
    settled = before.helpful or before.chosen or before.ticket or (before.certainty == "sure" and not unwanted)
    follows = row["before"] is not None
    return row["at"] - before.at <= AGAIN and not settled and not follows and row["matter"] == before.matter


# --- what comes of it ------------------------------------------------------------------------------------------------


def rated(session: Session, turn_id: str, helpful: bool) -> None:
    """有用 or 没用 on a turn's reply."""
    session.execute(update(Asked).where(Asked.turn.in_(turn_link(turn_id))).values(helpful=helpful))


def answered_by_agent(
    session: Session, conversation: Conversation, qa_id: str, edited: bool | None, now: datetime
) -> None:
    """An agent answered the citizen's last word from an item: a row of its own where the assistant had not looked for it."""
    message = session.scalar(
        select(InboxMessage)
        .where(InboxMessage.conversation_id == conversation.id)
        .order_by(InboxMessage.seq.desc())
        .limit(1)
    )
    if message is None or now - message.received_at > CAME:
        return
    row = session.scalar(select(Asked).where(Asked.turn.in_(turn_link(message.turn_id))))
    if row is None:
        row = Asked(
            id=uuid4().hex,
            at=message.received_at,
            turn=turn_link(message.turn_id)[0],
            person=person_link(conversation.id)[0],
            source=TRIAL if conversation.channel == _TRIAL_CHANNEL else AGENT,
            channel=conversation.channel,
            region=conversation.region,
            said={"text": mask(message.text), "normalised": ""},
            act="ask_policy",
            decision="forwarded",
            found={"candidates": []},
            refused=False,
        )
        session.add(row)
    row.agent_qa, row.agent_edited = qa_id, edited


def ticket_made(session: Session, conversation_id: str, ticket: Ticket, now: datetime) -> None:
    """A ticket came of the conversation's last question."""
    row = last(session, conversation_id)
    if row is not None and now - row.at <= CAME:
        came = {"ticket": ticket.state, "ticket_link": ticket_link(ticket.number)[0]}
        session.execute(update(Asked).where(Asked.id == row.id).values(came))


def ticket_moved(session: Session, ticket: Ticket) -> None:
    """The ticket has another state."""
    session.execute(update(Asked).where(Asked.ticket_link.in_(ticket_link(ticket.number))).values(ticket=ticket.state))


# --- looking ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wanted:
    """Which rows; None or empty: any.  See ``Asked`` for the fields."""

    since: datetime | None = None
    until: datetime | None = None
    decision: str | None = None
    certainty: str | None = None
    matter: str | None = None
    act: str | None = None
    channel: str | None = None
    source: str | None = None
    region: str | None = None
    """This region and its parts"""
    qa_id: str | None = None
    """Answered, chosen, or used by an agent"""
    result: str | None = None
    """One of ``RESULTS``"""
    text: str = ""
    """Stands in the text"""


def rows(session: Session, wanted: Wanted, *, before: str | None = None, vectors: bool = False) -> Iterator[Asked]:
    """What was asked, the newest first; read as it is taken.

    Args:
        before: only what comes after the row of this id.
        vectors: each with its vector.

    Raises:
        NotFound: there is no row ``before``.
        InvalidInput: no such result.
    """
    query = _matching(wanted).order_by(Asked.at.desc(), Asked.id.desc()).limit(_BATCH)
    if vectors:
        query = query.options(undefer(Asked.vector))
    at, id_ = None, before
    if before is not None:
        at = get(session, before).at
    needle = wanted.text.strip().casefold()
    while True:
        on = query if at is None else query.where(or_(Asked.at < at, and_(Asked.at == at, Asked.id < id_)))
        batch = session.scalars(on).all()
        for row in batch:
            if not needle or needle in row.said["text"].casefold():
                yield row
        if len(batch) < _BATCH:
            return
        at, id_ = batch[-1].at, batch[-1].id
        if not session.dirty:
            session.expunge_all()  # a long export holds one batch at a time


def _matching(wanted: Wanted) -> Select[Asked]:
    query = select(Asked)
    for name in ("decision", "certainty", "matter", "act", "channel", "source"):
        if value := getattr(wanted, name):
            query = query.where(getattr(Asked, name) == value)
    if wanted.since:
        query = query.where(Asked.at >= wanted.since)
    if wanted.until:
        query = query.where(Asked.at < wanted.until)
    if wanted.region:
        query = query.where(Asked.region.startswith(_prefix(wanted.region)))
    if wanted.qa_id:
        query = query.where(
            or_(Asked.qa_id == wanted.qa_id, Asked.chosen == wanted.qa_id, Asked.agent_qa == wanted.qa_id)
        )
    if wanted.result:
        if wanted.result not in _CAME:
            raise InvalidInput(f"没有“{wanted.result}”这种结果。")
        query = query.where(_CAME[wanted.result])
    return query


def _prefix(region: str) -> str:
    """What the codes of a region and its parts begin with."""
    while region.endswith("00"):
        region = region[:-2]
    return "" if region == "10" else region  # 100000: the whole country


_CAME = {
    "useful": Asked.helpful.is_(True),
    "useless": Asked.helpful.is_(False),
    "refused": Asked.refused.is_(True),
    "chosen": Asked.chosen.is_not(None),
    "rephrased": Asked.rephrased.is_not(None),
    "agent": Asked.agent_qa.is_not(None),
    "ticket": Asked.ticket.is_not(None),
    "nothing": and_(
        Asked.helpful.is_(None),
        Asked.refused.is_(False),
        Asked.chosen.is_(None),
        Asked.rephrased.is_(None),
        Asked.agent_qa.is_(None),
        Asked.ticket.is_(None),
    ),
}


def get(session: Session, id_: str) -> Asked:
    """One row.  Raises: NotFound."""
    row = session.get(Asked, id_)
    if row is None:
        raise NotFound("没有这条提问记录，可能已经到期清除。")
    return row


_LAST = (
    select(Asked.id, Asked.at, Asked.matter, Asked.certainty, Asked.helpful, Asked.refused, Asked.chosen, Asked.ticket)
    .where(Asked.person.in_(bindparam("links", expanding=True)))
    .order_by(Asked.at.desc(), Asked.id.desc())
    .limit(1)
)
"""Made once: it is run in every turn"""


def last(session: Session, conversation_id: str) -> Row[*tuple[Any, ...]] | None:
    """The conversation's last question, as far as it matters to what comes after."""
    return session.execute(_LAST, {"links": person_link(conversation_id)}).first()


def right_item(row: Asked) -> str | None:
    """The item that is known to answer it: the citizen chose it or found it useful, or an agent gave it."""
    if row.agent_qa and not row.agent_edited:
        return row.agent_qa
    return row.chosen or (row.qa_id if row.helpful and not row.refused else None)


def vector_of(row: Asked) -> bytes | None:
    """float16, little endian; None where there is none."""
    return base64.b64decode(row.vector) if row.vector else None


# --- keeping ---------------------------------------------------------------------------------------------------------


def erase(session: Session, conversation_ids: Sequence[str]) -> None:
    """Remove what was asked in these conversations: their citizens want it."""
    links = [link for one in conversation_ids for link in person_link(one)]
    session.execute(delete(Asked).where(Asked.person.in_(links)).execution_options(synchronize_session=False))


def purge(session: Session, now: datetime, days: int) -> int:
    """Remove at most a batch of what is older; how many rows."""
    old = select(Asked.id).where(Asked.at < now - timedelta(days=days)).order_by(Asked.at).limit(_BATCH)
    return database.rows_changed(session, delete(Asked).where(Asked.id.in_(old.scalar_subquery())))


def renew_links() -> int:
    """After a change of keys, before the old ones go: all links are the newest key's; how many were not.

    A blind index can't be computed from another: it is made of the conversation, the turn, the ticket itself, as long as there is one.
    """
    renewed = 0
    for column, link, key in (
        (Asked.person, person_link, Conversation.id),
        (Asked.turn, turn_link, InboxMessage.turn_id),
        (Asked.ticket_link, ticket_link, Ticket.number),
        (ShadowTurn.person, person_link, Conversation.id),
        (ShadowTurn.turn, turn_link, InboxMessage.turn_id),
    ):
        after = ""
        while True:
            with database.write() as session:
                keys = session.scalars(select(key).where(key > after).order_by(key).limit(_BATCH)).all()
                newest = {old: new for one in keys for new, *others in [link(one)] for old in others}
                for old in session.scalars(select(column).where(column.in_(list(newest))).distinct()).all():
                    change = update(Asked).where(column == old).values({column: newest[str(old)]})
                    renewed += database.rows_changed(session, change)
            if len(keys) < _BATCH:
                break
            after = keys[-1]
    return renewed


def person_link(conversation_id: str) -> tuple[str, ...]:
    """Under each key, the newest first."""
    return get_cipher().blind(f"asked by {conversation_id}")


def turn_link(turn_id: str) -> tuple[str, ...]:
    """Under each key, the newest first."""
    return get_cipher().blind(f"asked in {turn_id}")


def ticket_link(number: str) -> tuple[str, ...]:
    """Under each key, the newest first."""
    return get_cipher().blind(f"ticket of {number}")
