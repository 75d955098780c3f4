"""The citizens' REST API, tickets: the number and the query code open one, no token does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field
from sqlalchemy.orm import Session

from bot import database, tickets
from bot.errors import TooMany
from bot.models import Ticket, utcnow
from bot.replies import TicketStatusReply
from bot.tickets import Satisfaction
from connectors.context import Body, Gateway, TheGateway, answers, client_address

router = APIRouter(responses=answers(404, 429))
_CHANGES = answers(400, 409)

Number = Annotated[str, Path(max_length=32)]


class WithCode(Body):
    """The query code that opens the ticket."""

    code: str = Field(max_length=16)


class Supplement(WithCode):
    """A citizen's addition to a ticket."""

    text: str = Field(min_length=1, max_length=2000)


class Withdrawal(WithCode):
    """A citizen takes a ticket back."""


class Correction(WithCode):
    """What a citizen corrects: a field that is left out stays, null removes it.  A phone needs ``consent``."""

    phone: str | None = Field(None, max_length=32)
    region: str | None = Field(None, max_length=6)
    consent: bool = Field(False, description="The citizen agrees that the phone is kept to handle this ticket.")


class TicketRating(WithCode):
    """好差评.  不满意 and 非常不满意 need a note, and have the handling verified."""

    grade: Satisfaction
    note: str | None = Field(None, max_length=500)


@router.get("/tickets/{number}")
def read_ticket(request: Request, number: Number, code: Annotated[str, Query(max_length=16)]) -> TicketStatusReply:
    """Where a ticket stands.  A wrong number and a wrong code read the same, and guessing is limited."""
    with database.write() as session:
        return tickets.status_reply(tickets.find(session, number, code, source=client_address(request), now=utcnow()))


@router.post("/tickets/{number}/supplements", responses=_CHANGES)
def supplement_ticket(request: Request, here: TheGateway, number: Number, body: Supplement) -> TicketStatusReply:
    """Add to a ticket."""
    return _change(request, here, number, body.code, lambda session, own: tickets.add(session, own, body.text))


@router.post("/tickets/{number}/withdrawal", responses=_CHANGES)
def withdraw_ticket(request: Request, here: TheGateway, number: Number, body: Withdrawal) -> TicketStatusReply:
    """Take a ticket back, as long as it has not been answered."""
    return _change(request, here, number, body.code, tickets.withdraw)


@router.put("/tickets/{number}/contact", responses=_CHANGES)
def correct_ticket(request: Request, here: TheGateway, number: Number, body: Correction) -> TicketStatusReply:
    """Correct the phone or the region, as long as the ticket has not been answered."""
    changes = body.model_dump(include={"phone", "region"}, exclude_unset=True)
    return _change(
        request,
        here,
        number,
        body.code,
        lambda session, own: tickets.correct(session, own, changes, consent=body.consent),
    )


@router.post("/tickets/{number}/rating", responses=_CHANGES)
def rate_ticket(request: Request, here: TheGateway, number: Number, body: TicketRating) -> TicketStatusReply:
    """Rate how an answered ticket was handled; a bad grade has it verified and handled again, once."""
    return _change(
        request, here, number, body.code, lambda session, own: tickets.rate(session, own, body.grade, body.note or "")
    )


def _change(
    request: Request, here: Gateway, number: str, code: str, change: Callable[[Session, str], Ticket]
) -> TicketStatusReply:
    """Change the ticket that number and code open; how it stands then."""
    with database.write() as session:
        ticket = tickets.find(session, number, code, source=client_address(request), now=utcnow())
        if not here.messages.allow(f"ticket:{ticket.number}"):
            raise TooMany("操作得太快了，请稍等一会儿再试。")
        return tickets.status_reply(change(session, ticket.number))
