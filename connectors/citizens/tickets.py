"""The citizens' REST API, tickets: number and query code open one, or, without a code, the conversation that made it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Request
from pydantic import Field
from sqlalchemy.orm import Session

from bot import conversations, database
from bot.clock import utcnow
from bot.errors import InvalidInput, NotFound, TooMany
from bot.models.tickets import Ticket
from bot.replies import TicketStatusReply
from bot.tickets import citizen, lookup, moves, register
from bot.tickets.citizen import Satisfaction
from connectors.web.context import Body, Gateway, TheGateway, bearer, client_address, source_of
from connectors.web.errors import answers

router = APIRouter(responses=answers(401, 403, 404, 429))
_CHANGES = answers(400, 409)

Number = Annotated[str, Path(max_length=32)]


class Opener(Body):
    """What opens the ticket: its query code, or the conversation that made it, whose token ``Authorization`` carries."""

    code: str | None = Field(None, max_length=16, description="The query code.")
    phone_tail: str | None = Field(
        None,
        pattern=r"^(\d{4})?$",
        description="The last four digits of the phone on the ticket, where they are asked for; empty: it has none.",
    )
    conversation: str | None = Field(
        None, pattern="^[0-9a-f]{32}$", description="Instead of a code: the id of the conversation."
    )


class Supplement(Opener):
    """A citizen's addition to a ticket."""

    text: str = Field(min_length=1, max_length=2000)


class Withdrawal(Opener):
    """A citizen takes a ticket back."""


class Correction(Opener):
    """What a citizen corrects: a field that is left out stays, null removes it.  A phone needs ``consent``."""

    phone: str | None = Field(None, max_length=32)
    region: str | None = Field(None, max_length=6)
    address: str | None = Field(None, max_length=200)
    category: str | None = Field(
        None, max_length=16, description="A code of the city's tree of categories; it is found by itself."
    )
    consent: bool = Field(False, description="The citizen agrees that the phone is kept to handle this ticket.")


class TicketRating(Opener):
    """好差评.  不满意 and 非常不满意 need a note, and have the handling verified."""

    grade: Satisfaction
    note: str | None = Field(None, max_length=500)


@dataclass(frozen=True)
class _Asker:
    here: Gateway
    address: str
    source: str
    authorization: str | None


def _asker(request: Request, here: TheGateway, authorization: Annotated[str | None, Header()] = None) -> _Asker:
    return _Asker(here, client_address(request), source_of(request), authorization)


Asker = Annotated[_Asker, Depends(_asker)]


@router.post("/tickets/{number}", responses=answers(400))
def read_ticket(asker: Asker, number: Number, body: Opener) -> TicketStatusReply:
    """Where a ticket stands.  A wrong number and a wrong code read the same, and who guesses waits ever longer."""
    with database.write() as session:
        return citizen.status_reply(_open(session, asker, number, body))


@router.post("/tickets/{number}/supplements", responses=_CHANGES)
def supplement_ticket(asker: Asker, number: Number, body: Supplement) -> TicketStatusReply:
    """Add to a ticket."""
    return _change(asker, number, body, lambda session, own: citizen.add(session, own, body.text))


@router.post("/tickets/{number}/withdrawal", responses=_CHANGES)
def withdraw_ticket(asker: Asker, number: Number, body: Withdrawal) -> TicketStatusReply:
    """Take a ticket back, as long as it has not been answered."""
    return _change(asker, number, body, citizen.withdraw)


@router.put("/tickets/{number}/contact", responses=_CHANGES)
def correct_ticket(asker: Asker, number: Number, body: Correction) -> TicketStatusReply:
    """Correct the phone, the region, the address or the category, as long as the ticket has not been answered."""
    changes = body.model_dump(include={"phone", "region", "address", "category"}, exclude_unset=True)
    return _change(
        asker, number, body, lambda session, own: citizen.correct(session, own, changes, consent=body.consent)
    )


@router.post("/tickets/{number}/rating", responses=_CHANGES)
def rate_ticket(asker: Asker, number: Number, body: TicketRating) -> TicketStatusReply:
    """Rate how an answered ticket was handled; a bad grade has it verified and handled again, once."""
    return _change(asker, number, body, lambda session, own: citizen.rate(session, own, body.grade, body.note or ""))


def _change(asker: _Asker, number: str, opener: Opener, change: Callable[[Session, str], Ticket]) -> TicketStatusReply:
    """Change the ticket that is opened; how it stands then."""
    with database.write() as session:
        ticket = _open(session, asker, number, opener)
        if not asker.here.messages.allow(f"ticket:{ticket.number}"):
            raise TooMany("操作得太快了，请稍等一会儿再试。")
        return citizen.status_reply(change(session, ticket.number))


def _open(session: Session, asker: _Asker, number: str, opener: Opener) -> Ticket:
    """The ticket, if the asker may see it.  Raises as ``tickets.find`` and ``conversations.authenticate`` do."""
    if (opener.code is None) == (opener.conversation is None):
        raise InvalidInput("请给出查询码（code）；在登记它的对话里，也可以改给对话编号（conversation）和令牌。")
    if opener.conversation is not None:
        mine = conversations.authenticate(session, opener.conversation, bearer(asker.authorization))
        ticket = register.own(session, number, mine.id)
        if ticket is None:
            raise NotFound(moves.NOT_FOUND)
        return ticket
    if not asker.here.lookups.allow(asker.address):
        raise TooMany("查得太快了，请稍后再试。")
    return lookup.find(
        session, number, opener.code or "", phone_tail=opener.phone_tail, source=asker.source, now=utcnow()
    )
