"""The operators' routes: enough to close the loop until the desk exists.  All need the operators' token."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import alarms, conversations, database, desk, security_log
from bot.clock import utcnow
from bot.crypto import same
from bot.danger import NAMES
from bot.errors import NotFound, Unauthorised
from bot.masking import mask, mask_phone, mask_record
from bot.models.conversations import Conversation, TurnEffect
from bot.models.tickets import Ticket
from bot.replies import TextReply
from bot.tickets import board, citizen, moves
from bot.unanswered import unanswered
from connectors.web.context import Body, TheGateway
from connectors.web.errors import answers


def _operator(here: TheGateway, authorization: Annotated[str | None, Header()] = None) -> None:
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not same(token.strip(), here.operator_token):
        raise Unauthorised("坐席令牌不对。")
    security_log.signed_in("坐席令牌")


router = APIRouter(prefix="/api/operator", tags=["operator"], dependencies=[Depends(_operator)], responses=answers(401))
_CHANGES = answers(400, 403, 404, 409)


class ByAgent(Body):
    """Who does it."""

    agent: str = Field(min_length=1, max_length=64)


class AgentText(ByAgent):
    """Who says what."""

    text: str = Field(min_length=1, max_length=5000)


class Duty(ByAgent):
    """Going on duty for some hours; 0 goes off duty."""

    hours: float = Field(ge=0, le=24, allow_inf_nan=False)


class EventView(BaseModel):
    """One step of a ticket, with who took it: what the citizen added, why they were not satisfied."""

    at: datetime
    actor: str
    action: str
    state: str
    note: str


class TicketView(BaseModel):
    """A ticket as an agent sees it."""

    number: str
    kind: str
    state: str
    subject: str
    transcript: list[dict[str, str]]
    region: str | None
    phone: str | None
    department: str | None
    claimed_by: str | None
    answer: str | None
    due_at: datetime
    due_estimated: bool
    card: str | None
    created_at: datetime
    conversation_id: str | None
    events: list[EventView]


def _view(ticket: Ticket, *, whole: bool = True, revealed: bool = False) -> TicketView:
    """``whole``: with transcript and events.  Masked unless ``revealed``; a transcript is masked already where it rests."""
    view = TicketView(
        **{
            name: getattr(ticket, name)
            for name in TicketView.model_fields
            if name not in ("card", "transcript", "events")
        },
        transcript=ticket.transcript if whole else [],
        events=[EventView.model_validate(event, from_attributes=True) for event in ticket.events] if whole else [],
        card=board.card(ticket, utcnow()),
    )
    if not revealed:
        view.subject, view.answer = mask(view.subject), mask(view.answer) if view.answer else None
        view.phone = mask_phone(view.phone) if view.phone else None
        for event in view.events:
            event.note = mask(event.note)
    return view


@router.get("/tickets")
def list_tickets(limit: Annotated[int, Query(ge=1, le=500)] = 100) -> list[TicketView]:
    """Open tickets, the most urgent first; personal data masked, as in every view but the revealed one."""
    with database.read() as session:
        return [_view(ticket, whole=False) for ticket in board.list_open(session, limit=limit)]


@router.post("/tickets/{number}/claim", responses=_CHANGES)
def claim_ticket(number: str, body: ByAgent) -> TicketView:
    """Take a ticket; of two agents one gets it."""
    with database.write() as session:
        return _view(moves.claim(session, number, body.agent))


@router.post("/tickets/{number}/reveal", responses=answers(400, 404))
def reveal_ticket(number: str, body: ByAgent) -> TicketView:
    """The ticket with the personal data in it, for the agent who has claimed it.  It stands in the audit log."""
    with database.write() as session:
        return _view(moves.reveal(session, number, body.agent), revealed=True)


@router.post("/tickets/{number}/reply", responses=_CHANGES)
def reply_ticket(number: str, body: AgentText, here: TheGateway) -> TicketView:
    """Answer the citizen; the answer also reaches the conversation the ticket came from."""
    with database.write() as session:
        conversation = _conversation(session, number)
        ticket = moves.reply(session, number, body.agent, body.text)
        _tell(session, conversation, ticket)
        view = _view(ticket)
    if conversation:
        here.notifier.wake(conversation.id)
    return view


@router.post("/tickets/{number}/close", responses=_CHANGES)
def close_ticket(number: str, body: ByAgent, here: TheGateway) -> TicketView:
    """Finish an answered ticket."""
    with database.write() as session:
        conversation = _conversation(session, number)
        ticket = moves.close(session, number, body.agent)
        _tell(session, conversation, ticket)
        view = _view(ticket)
    if conversation:
        here.notifier.wake(conversation.id)
    return view


def _conversation(session: Session, number: str) -> Conversation | None:
    """The conversation that a ticket came from, locked; None if there is none any more.

    Locked before the ticket, as a turn and erasing do: in two orders they could wait for each other.
    """
    id_ = session.scalar(select(Ticket.conversation_id).where(Ticket.number == number))
    return session.get(Conversation, id_, with_for_update=True) if id_ else None


def _tell(session: Session, conversation: Conversation | None, ticket: Ticket) -> None:
    if conversation is not None:
        conversations.say(session, conversation, [citizen.status_reply(ticket)], sender="agent")


# --- live conversations ----------------------------------------------------------------------------------------------


@router.put("/duty", status_code=204, responses=answers(400))
def set_duty(body: Duty) -> None:
    """Go on or off duty: with somebody on duty 转人工 waits for a human, else it makes a ticket."""
    with database.write() as session:
        until = utcnow() + timedelta(hours=body.hours) if body.hours else None
        desk.set_duty(session, body.agent, until)


class UnansweredView(BaseModel):
    """A question that nothing came of; personal data masked."""

    turn_id: str
    conversation_id: str
    at: datetime
    question: str
    came_of: str


@router.get("/unanswered")
def list_unanswered(
    days: Annotated[int, Query(ge=1, le=366)] = 7, limit: Annotated[int, Query(ge=1, le=500)] = 100
) -> list[UnansweredView]:
    """Questions that ended neither in an answer nor in a ticket, the newest first."""
    with database.read() as session:
        found = unanswered(session, utcnow(), days=days, limit=limit)
    return [UnansweredView(**(one.__dict__ | {"question": mask(one.question)})) for one in found]


class AlarmView(BaseModel):
    """A danger that was heard and that nobody has seen to yet."""

    turn_id: str
    conversation_id: str
    kind: str
    name: str
    possible: bool
    at: datetime
    state: str
    """The conversation's"""
    lines: list[dict[str, str]]


@router.get("/dangers")
def list_dangers() -> list[AlarmView]:
    """Dangers that nobody has seen to yet, in every state of a conversation: the certain ones first, the newest first."""
    with database.read() as session:
        return [
            AlarmView(
                turn_id=one.turn_id,
                conversation_id=one.conversation_id,
                kind=one.kind,
                name=NAMES.get(one.kind, one.kind),
                possible=one.possible,
                at=one.at,
                state=session.get_one(Conversation, one.conversation_id).state,
                lines=[mask_record(line) for line in conversations.transcript(session, one.conversation_id, last=6)],
            )
            for one in alarms.unseen(session)
        ]


@router.post("/dangers/{turn_id}/seen", status_code=204, responses=_CHANGES)
def saw_danger(turn_id: str, body: ByAgent) -> None:
    """Somebody has seen to it; it leaves the list and stands in the audit log."""
    with database.write() as session:
        alarms.seen(session, turn_id, body.agent, utcnow())


@router.get("/conversations")
def waiting_conversations() -> list[dict[str, Any]]:
    """Conversations that wait for a human, with their last lines: those in danger first, then the longest-waiting.

    ``danger``: the kind of danger that was heard in it and that nobody has seen to yet, or null.
    """
    with database.read() as session:
        alarmed = {one.conversation_id: one.kind for one in reversed(alarms.unseen(session))}
        rows = session.scalars(
            select(Conversation)
            .where(Conversation.state == "waiting")
            .order_by(Conversation.id.not_in(alarmed), Conversation.active_at)
            .limit(100)
        )
        return [
            {
                "id": row.id,
                "active_at": row.active_at,
                "danger": alarmed.get(row.id),
                "lines": [mask_record(line) for line in conversations.transcript(session, row.id, last=10)],
            }
            for row in rows
        ]


@router.post("/conversations/{conversation_id}/claim", status_code=204, responses=_CHANGES)
def claim_conversation(conversation_id: str, body: ByAgent) -> None:
    """Take a waiting conversation: from now on the assistant is silent in it."""
    with database.write() as session:
        desk.claim(session, conversation_id, body.agent)


@router.post("/conversations/{conversation_id}/messages", status_code=204, responses=_CHANGES)
def speak(conversation_id: str, body: AgentText, here: TheGateway) -> None:
    """Say something to the citizen."""
    with database.write() as session:
        desk.speak(session, conversation_id, body.agent, [TextReply(text=body.text)])
    here.notifier.wake(conversation_id)


@router.post("/conversations/{conversation_id}/close", status_code=204, responses=_CHANGES)
def close_conversation(conversation_id: str, body: ByAgent) -> None:
    """Finish; the citizen's next message opens a new session with the assistant."""
    with database.write() as session:
        desk.release(session, conversation_id, body.agent)


@router.get("/turns/{turn_id}", responses=answers(404))
def explain_turn(turn_id: str) -> dict[str, Any]:
    """How a turn was decided: act, limits, candidates with their features; what the citizen said is masked."""
    with database.read() as session:
        effect = session.get(TurnEffect, turn_id)
        if effect is None:
            raise NotFound("没有这一轮对话。")
        return {
            "turn_id": turn_id,
            "engine": effect.engine,
            "act": effect.act,
            "decision": effect.decision,
            "qa_id": effect.qa_id,
            "confidence": effect.confidence,
            "explain": mask_record(effect.explain or {}),
        }
