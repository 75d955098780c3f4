"""Moves of a conversation between the assistant, the queue and people."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from pydantic import Field

from bot import conversations, database, knowledge
from bot.clock import utcnow
from bot.desk import takeover
from bot.errors import InvalidInput
from bot.replies import TicketReply
from bot.tickets import categories, numbers, register
from bot.tickets.particulars import Particulars
from connectors.web.access import TheCaller, signed
from connectors.web.context import Body, Gateway, TheGateway
from connectors.web.errors import answers
from index.assistant import phrases
from index.assistant.respond import ticket_reply

router = APIRouter(
    prefix="/api/desk/conversations/{conversation_id}",
    tags=["desk"],
    dependencies=[Depends(signed)],
    responses=answers(400, 401, 403, 404, 409),
)


def _taken(here: Gateway, conversation_id: str, forwarded: list[str]) -> None:
    here.dispatcher.forwarded(forwarded)
    here.notifier.wake(conversation_id)


@router.post("/claim", status_code=204)
def claim(conversation_id: str, me: TheCaller, here: TheGateway) -> None:
    """Take a waiting conversation: from now on the assistant is silent in it."""
    with database.write() as session:
        forwarded = takeover.claim(session, conversation_id, me.number, here.settings)
    _taken(here, conversation_id, forwarded)


@router.post("/takeover", status_code=204)
def take_over(conversation_id: str, me: TheCaller, here: TheGateway) -> None:
    """Take a conversation that the assistant has, unasked."""
    with database.write() as session:
        forwarded = takeover.take_over(session, conversation_id, me.number, here.settings)
    _taken(here, conversation_id, forwarded)


@router.post("/step-in", status_code=204)
def step_in(conversation_id: str, me: TheCaller, here: TheGateway) -> None:
    """强插: a supervisor takes it from a colleague."""
    with database.write() as session:
        takeover.step_in(session, conversation_id, me.number)
    here.notifier.wake(conversation_id)


class Transfer(Body):
    """Where it goes: to a colleague or to a group."""

    to: str | None = Field(default=None, max_length=64)
    skill: str | None = Field(default=None, max_length=32)


@router.post("/transfer", status_code=204)
def transfer(conversation_id: str, body: Transfer, me: TheCaller, here: TheGateway) -> None:
    """Pass it on."""
    with database.write() as session:
        takeover.transfer(session, conversation_id, me.number, here.settings, to=body.to, skill=body.skill)
    here.notifier.wake(conversation_id)


@router.post("/hand-back", status_code=204)
def hand_back(conversation_id: str, me: TheCaller, here: TheGateway) -> None:
    """Back to the assistant."""
    with database.write() as session:
        takeover.hand_back(session, conversation_id, me.number)
    here.notifier.wake(conversation_id)


@router.post("/close", status_code=204)
def close(conversation_id: str, me: TheCaller, here: TheGateway) -> None:
    """Finish; the citizen's next message opens a new session with the assistant."""
    with database.write() as session:
        takeover.end(session, conversation_id, me.number)
    here.notifier.wake(conversation_id)


class NewTicket(Body):
    """What is registered for the citizen."""

    kind: str = Field(max_length=8)
    subject: str = Field(min_length=1, max_length=2000)
    phone: str | None = Field(default=None, max_length=32)
    caller_name: str | None = Field(default=None, max_length=40)
    callback_phone: str | None = Field(default=None, max_length=32)
    address: str | None = Field(default=None, max_length=200)
    told_time: str | None = Field(default=None, max_length=60)
    category: str | None = Field(default=None, max_length=16)
    """Left out, the machine's is taken where it is sure"""
    urgency: str = Field(default="一般", max_length=8)


@router.post("/ticket", status_code=201)
def make_ticket(conversation_id: str, body: NewTicket, me: TheCaller, here: TheGateway) -> TicketReply:
    """Register what the citizen wants, and tell them its number."""
    now, days = utcnow(), here.settings.ticket_days
    with database.read() as session:
        tree = categories.current(session)
    given = body.model_dump(include=set(Particulars.__dataclass_fields__))
    category = body.category or here.assistant.category_of(body.subject, tree).code
    with database.write() as session:
        conversation = takeover.held_by(session, conversation_id, me.number)
        number, code = numbers.free_number(session, now), numbers.new_query_code()
        ticket = register.create(
            session,
            number=number,
            query_code=code,
            conversation_id=conversation.id,
            turn_id=None,
            kind=body.kind,
            subject=body.subject,
            transcript=conversations.transcript(session, conversation.id),
            region=conversations.context_of(conversation).region,
            phone=body.phone or None,
            department=None,
            days=days,
            now=now,
            more=Particulars(
                **given | {"category": category, "category_scheme": tree.id, "channel": conversation.channel}
            ),
            actor=me.number,
        )
        reply = ticket_reply(phrases.TICKET_BY_AGENT, number, code, ticket.due_at, ticket.due_estimated)
        takeover.speak(session, conversation_id, me.number, [reply])
    here.notifier.wake(conversation_id)
    return reply


class NewKnowledge(Body):
    """What an agent answered that the knowledge lacks."""

    question: str = Field(min_length=4, max_length=200)
    answer: str = Field(min_length=4, max_length=5000)


@router.post("/knowledge", status_code=201)
def propose_knowledge(conversation_id: str, body: NewKnowledge, me: TheCaller, here: TheGateway) -> dict[str, str]:
    """A draft for the knowledge, from what was asked and answered here.  It answers nobody until it is reviewed."""
    if not body.question.strip() or not body.answer.strip():
        raise InvalidInput("请写明问题和答案。")
    with database.write() as session:
        conversations.lock(session, conversation_id)
        draft = knowledge.propose(
            session, body.question.strip(), body.answer.strip(), me.number, here.settings.region, utcnow()
        )
        return {"qa_id": draft.id}
