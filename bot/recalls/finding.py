"""Who got certain versions of an item: in conversations, from agents, on the telephone, by short message, in tickets.

Whoever got it in several ways is one person, where the database knows that they are: by the conversation, the call or the
phone that a ticket came from.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from bot import knowledge
from bot.asked import CAME, CITIZEN, ticket_link
from bot.conversations import TRIAL
from bot.knowledge.reading import CHUNK
from bot.models.asked import Asked
from bot.models.calls import Call
from bot.models.conversations import Conversation, OutboxMessage, TurnEffect
from bot.models.desk import Choice
from bot.models.sms import ShortMessage
from bot.models.tickets import Ticket, TicketEvent, phone_index
from bot.models.versions import QAVersion

CONVERSATION, CALL, TICKET, SMS = "conversation", "call", "ticket", "sms"
ORDER = (CONVERSATION, CALL, TICKET, SMS)
"""By which of their ways a person is told, if there are several"""
KINDS = {CONVERSATION: "会话", CALL: "电话", TICKET: "工单", SMS: "短信"}
_LEAST = 8
"""Letters and figures that an answer has at least to be recognised within a ticket's"""
_TOLD = ("used", "edited")
"""What an agent does with an item on the telephone that passes it on"""

_MINUTE = timedelta(minutes=1)
Key = tuple[str, str]
"""Kind and id"""


@dataclass(frozen=True)
class Person:
    """Somebody who got the wrong answer."""

    kind: str
    key: str
    channel: str
    at: datetime
    """When they got it last"""
    version: int
    """Which they got then"""
    also: tuple[Key, ...]
    """Their other conversations, calls and tickets"""


@dataclass(frozen=True)
class _Hit:
    at: datetime
    version: int


def people(session: Session, qa_id: str, versions: Collection[int]) -> list[Person]:
    """Everybody who got one of these versions of an item, those who got it first, first."""
    history = knowledge.versions(session, qa_id)
    hits: dict[Key, _Hit] = {}
    for key, at, version in _given(session, qa_id, history):
        number = version or knowledge.in_force_at(history, at)
        if number is not None and number in versions and (key not in hits or at > hits[key].at):
            hits[key] = _Hit(at, number)
    for key, hit in _quoted(session, [one for one in history if one.number in versions]):
        hits.setdefault(key, hit)
    links = _Links(session, hits)
    found = []
    for same in links.groups():
        first, *others = sorted(same, key=lambda key: (ORDER.index(key[0]), key not in hits, -_when(hits, key), key))
        last = max((hits[key] for key in same if key in hits), key=lambda hit: hit.at)
        found.append(Person(*first, links.channels.get(first, first[0]), last.at, last.version, tuple(others)))
    return sorted(found, key=lambda one: (one.at, one.kind, one.key))


def _when(hits: dict[Key, _Hit], key: Key) -> float:
    return hits[key].at.timestamp() if key in hits else 0.0


def _given(session: Session, qa_id: str, history: Sequence[QAVersion]) -> Iterator[tuple[Key, datetime, int | None]]:
    """Whom the item's answer was given to, when, and which version where that was written down."""
    answered = select(TurnEffect.conversation_id, TurnEffect.settled_at, TurnEffect.qa_version)
    spoken = select(OutboxMessage.conversation_id, OutboxMessage.created_at, OutboxMessage.qa_version)
    for query in (answered.where(TurnEffect.qa_id == qa_id), spoken.where(OutboxMessage.qa_id == qa_id)):
        for conversation, at, version in session.execute(query):
            yield (CONVERSATION, conversation), at, version
    told = Choice.qa_id == qa_id, Choice.kind == CALL, Choice.what.in_(_TOLD)
    for call, at, version in session.execute(select(Choice.subject, Choice.at, Choice.qa_version).where(*told)):
        yield (CALL, call), at, version
    for message in session.scalars(select(ShortMessage).where(ShortMessage.qa_id == qa_id)):
        key = (message.kind, message.subject) if message.kind and message.subject else (SMS, message.id)
        yield key, message.created_at, message.qa_version
    yield from _by_their_questions(session, qa_id)


def _by_their_questions(session: Session, qa_id: str) -> Iterator[tuple[Key, datetime, int | None]]:
    """Tickets whose conversation may be forgotten already: what was asked remembers them, by a blind index."""
    asked = select(Asked.ticket_link, Asked.at).where(
        or_(Asked.qa_id == qa_id, Asked.agent_qa == qa_id), Asked.ticket_link.is_not(None), Asked.source == CITIZEN
    )
    when = {row[0]: row[1] for row in session.execute(asked)}
    if not when:
        return
    made = Ticket.created_at.between(min(when.values()) - _MINUTE, max(when.values()) + CAME + _MINUTE)
    for number in session.scalars(select(Ticket.number).where(made)):
        for link in ticket_link(number):
            if link in when:
                yield (TICKET, number), when[link], None


def _quoted(session: Session, versions: Sequence[QAVersion]) -> Iterator[tuple[Key, _Hit]]:
    """Tickets whose reply holds one of these answers word for word."""
    answers = {one.number: said for one in versions if len(said := knowledge.sense(one.content["answer"])) >= _LEAST}
    if not answers:
        return
    since = min(one.published_at for one in versions)
    replied = select(TicketEvent.number, TicketEvent.at).where(TicketEvent.action == "答复", TicketEvent.at >= since)
    when: dict[str, datetime] = {}
    for number, at in session.execute(replied.order_by(TicketEvent.at)):
        when[number] = at
    for chunk in _chunks(when):
        for ticket in session.scalars(select(Ticket).where(Ticket.number.in_(chunk), Ticket.answer.is_not(None))):
            said = knowledge.sense(str(ticket.answer))
            for version, answer in answers.items():
                if answer in said:
                    yield (TICKET, ticket.number), _Hit(when[ticket.number], version)


class _Links:
    """Which conversations, calls and tickets are one person's; what is gone, or was only tried, drops out."""

    def __init__(self, session: Session, hits: Iterable[Key]) -> None:
        self.channels: dict[Key, str] = {}
        self._of: dict[Key, Key] = {}
        self._hits = set(hits)
        self._phones: dict[str, Key] = {}
        tickets: dict[str, Ticket] = {}
        conversations = [key for kind, key in self._hits if kind == CONVERSATION]
        for chunk in _chunks(conversations):
            there = select(Conversation.id, Conversation.channel).where(
                Conversation.id.in_(chunk), Conversation.channel != TRIAL
            )
            for id_, channel in session.execute(there):
                self._add((CONVERSATION, id_), channel)
            made = session.scalars(select(Ticket).where(Ticket.conversation_id.in_(chunk)))
            tickets |= {ticket.number: ticket for ticket in made}
        for chunk in _chunks(key for kind, key in self._hits if kind == CALL):
            for call in session.scalars(select(Call).where(Call.id.in_(chunk), Call.practice.is_(False))):
                self._add((CALL, call.id), "phone")
                self._phone((CALL, call.id), call.caller_index)
                if call.ticket and (ticket := session.get(Ticket, call.ticket)) is not None:
                    tickets[ticket.number] = ticket
                    self._same((CALL, call.id), (TICKET, ticket.number))
        for chunk in _chunks(key for kind, key in self._hits if kind == TICKET):
            found = session.scalars(select(Ticket).where(Ticket.number.in_(chunk)))
            tickets |= {ticket.number: ticket for ticket in found}
        for ticket in tickets.values():
            key = (TICKET, ticket.number)
            self._add(key, TICKET)
            self._phone(key, ticket.phone_index)
            self._phone(key, ticket.callback_index)
            if ticket.conversation_id and (CONVERSATION, ticket.conversation_id) in self._of:
                self._same((CONVERSATION, ticket.conversation_id), key)
        for chunk in _chunks(key for kind, key in self._hits if kind == SMS):
            for message in session.scalars(select(ShortMessage).where(ShortMessage.id.in_(chunk))):
                self._add((SMS, message.id), SMS)
                self._phone((SMS, message.id), phone_index(message.phone))

    def groups(self) -> list[list[Key]]:
        """Those of one person together; whoever did not get the answer is in none."""
        found: dict[Key, list[Key]] = {}
        for key in self._of:
            found.setdefault(self._root(key), []).append(key)
        return [same for same in found.values() if not self._hits.isdisjoint(same)]

    def _add(self, key: Key, channel: str) -> None:
        self.channels[key] = channel
        self._of.setdefault(key, key)

    def _phone(self, key: Key, index: str | None) -> None:
        if index:
            self._same(self._phones.setdefault(index, key), key)

    def _same(self, one: Key, other: Key) -> None:
        self._of.setdefault(one, one)
        self._of.setdefault(other, other)
        self._of[self._root(other)] = self._root(one)

    def _root(self, key: Key) -> Key:
        while self._of[key] != key:
            key = self._of[key]
        return key


def _chunks(keys: Iterable[str]) -> Iterator[list[str]]:
    all_ = list(keys)
    for start in range(0, len(all_), CHUNK):
        yield all_[start : start + CHUNK]
