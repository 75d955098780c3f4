"""Tickets at the desk: found, taken, dispatched, answered, closed.  Personal data is masked but where somebody asks for it, on record."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Query
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import audit, conversations, database, working_days
from bot.accounts import people
from bot.clock import utcnow
from bot.errors import IllegalMove
from bot.masking import mask, mask_phone
from bot.models.conversations import Conversation
from bot.models.tickets import Ticket
from bot.tickets import board, categories, citizen, moves, particulars
from connectors.web.access import Signed, TheCaller, signed
from connectors.web.context import Body, Gateway, TheGateway
from connectors.web.errors import answers

router = APIRouter(
    prefix="/api/desk/tickets", tags=["desk"], dependencies=[Depends(signed)], responses=answers(400, 401, 403)
)
_CHANGES = answers(404, 409)


class EventView(BaseModel):
    """One step of a ticket, with who took it: what the citizen added, why they were not satisfied."""

    at: datetime
    actor: str
    """A person's number, 市民 or 系统"""
    name: str
    action: str
    state: str
    note: str


class TicketRow(BaseModel):
    """A ticket in a list; personal data masked."""

    number: str
    kind: str
    state: str
    subject: str
    region: str | None
    phone: str | None
    department: str | None
    claimed_by: str | None
    claimed_by_name: str | None
    due_at: datetime
    due_estimated: bool
    card: Literal["黄牌", "红牌"] | None
    created_at: datetime
    conversation_id: str | None
    revision: int
    category: str | None
    """A code of the second level, in ``category_scheme``"""
    category_scheme: str | None
    category_name: str
    """First and second level; 待分类 where there is none"""
    channel: str | None
    """Where it came in: a key of ``CHANNELS``; null: before this was kept"""
    urgency: str


class TicketView(TicketRow):
    """A ticket with all that belongs to it."""

    caller_name: str | None
    callback_phone: str | None
    address: str | None
    told_time: str | None
    """When it happened, as it was told"""
    happened_on: date | None
    """The day that this means, where that is sure"""
    transcript: list[dict[str, str]]
    answer: str | None
    events: list[EventView]
    same_caller: int
    """How many other tickets have the same phone"""
    can: list[str]
    """The moves that whoever asks may make now: claim, assign, return, reply, close, reopen, reveal, correct"""


class TicketPage(BaseModel):
    """Some of the tickets that were looked for."""

    items: list[TicketRow]
    total: int


_ROW = [
    name
    for name in TicketRow.model_fields
    if name not in ("claimed_by_name", "card", "subject", "phone", "category_name")
]


def rows_of(session: Session, tickets: Iterable[Ticket]) -> list[TicketRow]:
    """As a list shows them."""
    found = list(tickets)
    names = people.names(session, [one.claimed_by for one in found])
    now, overrides = utcnow(), working_days.overrides_from(session)
    return [
        TicketRow(
            **{name: getattr(one, name) for name in _ROW},
            subject=mask(one.subject),
            phone=mask_phone(one.phone) if one.phone else None,
            claimed_by_name=names.get(one.claimed_by or ""),
            card=board.card(one, now, overrides),
            category_name=categories.shown(session, one.category, one.category_scheme),
        )
        for one in found
    ]


def _view(session: Session, ticket: Ticket, me: Signed, *, revealed: bool = False) -> TicketView:
    """Masked unless ``revealed``; a transcript is masked already where it rests."""
    names = people.names(session, [event.actor for event in ticket.events])
    (row,) = rows_of(session, [ticket])
    hidden = particulars.masked(ticket)
    view = TicketView(
        **row.model_dump(),
        caller_name=hidden["caller_name"],
        callback_phone=hidden["callback_phone"],
        address=hidden["address"],
        told_time=ticket.told_time,
        happened_on=ticket.happened_on,
        transcript=ticket.transcript,
        answer=ticket.answer if revealed or not ticket.answer else mask(ticket.answer),
        events=[
            EventView(
                at=event.at,
                actor=event.actor,
                name=names[event.actor],
                action=event.action,
                state=event.state,
                note=event.note if revealed else mask(event.note),
            )
            for event in ticket.events
        ],
        same_caller=board.same_caller(session, ticket) if me.only_department is None else 0,
        can=_can(ticket, me),
    )
    if revealed:
        for name in ("subject", "phone", *particulars.PERSONAL):
            setattr(view, name, getattr(ticket, name))
    return view


def _can(ticket: Ticket, me: Signed) -> list[str]:
    goes_to = moves.MOVES[ticket.state]
    mine, desk = ticket.claimed_by == me.number, me.only_department is None
    possible = {
        "claim": "办理中" in goes_to and ticket.claimed_by is None,
        "assign": "已派单" in goes_to and desk,
        "return": "退回" in goes_to and (mine or not desk),
        "reply": "已答复" in goes_to and mine,
        "close": ticket.state == "已答复" and desk,
        "reopen": "重办" in goes_to and desk,
        "reveal": mine,
        "correct": ticket.state in moves.OPEN and (mine or desk),
    }
    return [name for name, so in possible.items() if so]


@router.get("")
def list_tickets(
    me: TheCaller,
    state: Annotated[str, Query(max_length=8)] = "open",
    card: Literal["黄牌", "红牌"] | None = None,
    due: Literal["today", "overdue"] | None = None,
    kind: Annotated[str | None, Query(max_length=16)] = None,
    department: Annotated[str | None, Query(max_length=100)] = None,
    category: Annotated[str | None, Query(max_length=16)] = None,
    channel: Annotated[str | None, Query(max_length=16)] = None,
    urgency: Annotated[str | None, Query(max_length=8)] = None,
    mine: bool = False,
    unclaimed: bool = False,
    number: Annotated[str, Query(max_length=16)] = "",
    offset: Annotated[int, Query(ge=0, le=100_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=50)] = 20,
) -> TicketPage:
    """Tickets; open ones (``state=open``) the most urgent first, all others the newest first.

    ``state``: open, done, all, or one state by its name.  ``category``: a code, the beginning of one for the first level, or none for 待分类.
    An officer sees those of their department.
    """
    wanted = board.Wanted(
        state=state,
        card=card,
        due=due,
        kind=kind,
        department=department,
        category=category,
        channel=channel,
        urgency=urgency,
        claimed_by=me.number if mine else None,
        unclaimed=unclaimed,
        number=number,
    )
    with database.read() as session:
        found, total = board.find(session, wanted, utcnow(), within=me.only_department, offset=offset, limit=limit)
        return TicketPage(items=rows_of(session, found), total=total)


class Search(Body):
    """What to look for: a caller's phone, words of the subject, or both.  In a body, since addresses are written down everywhere."""

    phone: str = Field(default="", max_length=32)
    text: str = Field(default="", max_length=100)
    state: str = Field(default="all", max_length=8)
    offset: int = Field(default=0, ge=0, le=100_000)
    limit: int = Field(default=20, ge=1, le=50)


@router.post("/search")
def search_tickets(body: Search, me: TheCaller) -> TicketPage:
    """Tickets by phone or by words of their subject; the newest first.  That somebody looked for a phone stands in the audit log."""
    wanted = board.Wanted(state=body.state, phone=body.phone, text=body.text)
    if body.phone:
        with database.write() as session:
            audit.record(session, me.number, "ticket.search", "按电话查", phone=body.phone)
    with database.read() as session:
        found, total = board.find(
            session, wanted, utcnow(), within=me.only_department, offset=body.offset, limit=body.limit
        )
        return TicketPage(items=rows_of(session, found), total=total)


@router.get("/{number}", responses=answers(404))
def read_ticket(number: str, me: TheCaller) -> TicketView:
    """One ticket with its history."""
    with database.read() as session:
        return _view(session, board.visible(session, number, me.only_department), me)


IfMatch = Annotated[int | None, Header(alias="If-Match", ge=0, le=2**31 - 1)]
"""The revision that was seen: a change is refused where somebody else made one since"""


def change(
    number: str, me: Signed, seen: int | None, step: Callable[[Session], Ticket], here: Gateway | None = None
) -> TicketView:
    """Take a step with a ticket that may be seen and is as it was seen; with ``here`` the citizen is told of it.

    Raises:
        NotFound; IllegalMove: somebody else changed it since; and whatever ``step`` raises.
    """
    with database.write() as session:
        # Before the ticket, as a turn and erasing do: in two orders they could wait for each other.
        conversation = _conversation(session, number) if here else None
        revision = moves.locked(session, number).revision
        board.visible(session, number, me.only_department)  # once it is locked: it may just have gone elsewhere
        if seen is not None and revision != seen:
            raise IllegalMove("这张工单刚刚被别人改过，请看一眼最新的内容再操作。")
        ticket = step(session)
        if conversation is not None:
            conversations.say(session, conversation, [citizen.status_reply(ticket)], sender="agent", agent=me.number)
        view = _view(session, ticket, me)
    if here is not None and conversation is not None:
        here.notifier.wake(conversation.id)
    return view


@router.post("/{number}/claim", responses=_CHANGES)
def claim_ticket(number: str, me: TheCaller) -> TicketView:
    """Take a ticket; of two people one gets it."""
    with database.write() as session:
        board.visible(session, number, me.only_department)
        return _view(session, moves.claim(session, number, me.number), me)


class Reason(Body):
    """Why."""

    reason: str = Field(min_length=1, max_length=500)


@router.post("/{number}/reveal", responses=answers(404))
def reveal_ticket(number: str, body: Reason, me: TheCaller) -> TicketView:
    """The ticket with the personal data in it, for whoever has claimed it.  It stands in the audit log, with the reason."""
    with database.write() as session:
        board.visible(session, number, me.only_department)
        return _view(session, moves.reveal(session, number, me.number, body.reason), me, revealed=True)


class Assignment(Body):
    """To which department."""

    department: str = Field(min_length=1, max_length=100)
    note: str = Field(default="", max_length=500)
    """What the citizen reads of it; empty: the usual sentence"""


@router.post("/{number}/assign", responses=_CHANGES)
def assign_ticket(number: str, body: Assignment, me: TheCaller, if_match: IfMatch = None) -> TicketView:
    """Dispatch to a department."""
    department, note = body.department.strip(), body.note
    return change(number, me, if_match, lambda session: moves.assign(session, number, department, me.number, note))


@router.post("/{number}/return", responses=_CHANGES)
def return_ticket(number: str, body: Reason, me: TheCaller, if_match: IfMatch = None) -> TicketView:
    """Give it back to the hotline: not this department's matter."""
    return change(number, me, if_match, lambda session: moves.send_back(session, number, me.number, body.reason))


class TicketWords(Body):
    """What is said to the citizen."""

    text: str = Field(min_length=1, max_length=5000)


@router.post("/{number}/reply", responses=_CHANGES)
def reply_ticket(
    number: str, body: TicketWords, me: TheCaller, here: TheGateway, if_match: IfMatch = None
) -> TicketView:
    """Answer the citizen; the answer also reaches the conversation the ticket came from."""
    return change(number, me, if_match, lambda session: moves.reply(session, number, me.number, body.text), here)


@router.post("/{number}/close", responses=_CHANGES)
def close_ticket(number: str, me: TheCaller, here: TheGateway, if_match: IfMatch = None) -> TicketView:
    """Finish an answered ticket."""
    return change(number, me, if_match, lambda session: moves.close(session, number, me.number), here)


@router.post("/{number}/reopen", responses=_CHANGES)
def reopen_ticket(number: str, body: Reason, me: TheCaller, if_match: IfMatch = None) -> TicketView:
    """Have it handled again, with a new deadline."""
    return change(number, me, if_match, lambda session: moves.reopen(session, number, me.number, body.reason))


def _conversation(session: Session, number: str) -> Conversation | None:
    """The conversation that a ticket came from, locked; None if there is none any more."""
    id_ = session.scalar(select(Ticket.conversation_id).where(Ticket.number == number))
    return session.get(Conversation, id_, with_for_update=True) if id_ else None
