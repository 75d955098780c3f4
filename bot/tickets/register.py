"""Tickets as they are made: one for a question, bound a day; and the tickets of a conversation."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, time

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot import asked, working_days
from bot.clock import SHANGHAI
from bot.errors import InvalidInput
from bot.masking import mask
from bot.models.tickets import Ticket
from bot.tickets.moves import CITIZEN, KINDS, OPEN, note_event
from bot.tickets.numbers import valid_number
from bot.tickets.particulars import Particulars, checked


def create(
    session: Session,
    *,
    number: str,
    query_code: str,
    conversation_id: str | None,
    turn_id: str | None,
    kind: str,
    subject: str,
    transcript: Sequence[Mapping[str, str]],
    region: str | None,
    phone: str | None,
    department: str | None,
    days: int,
    now: datetime,
    more: Particulars = Particulars(),
    actor: str = CITIZEN,
) -> Ticket:
    """Register a ticket, state 待受理.

    Args:
        number: from ``free_number``.
        turn_id: the turn that it comes from; a second ticket of the same turn is refused by the database.
        subject: the citizen's own words, kept encrypted.
        transcript: lines {"sender", "text"} that led here; masked here.
        department: who it probably concerns; ``assign`` decides.
        days: working days until it is due.
        more: what else it says; a category without a scheme is one of the tree in force.
        actor: who registers it: the citizen, or an agent by number.

    Raises:
        InvalidInput: malformed number, unknown kind, empty subject, or something in ``more`` that can't be.
        sqlalchemy.exc.IntegrityError: the number or the turn already has a ticket.
    """
    if not valid_number(number):
        raise InvalidInput("工单编号不对。")
    if kind not in KINDS:
        raise InvalidInput(f"工单类型只能是{'、'.join(KINDS)}。")
    if not subject.strip():
        raise InvalidInput("请写明要反映的内容。")
    due = working_days.due(now, days, working_days.overrides_from(session))
    ticket = Ticket(
        number=number,
        query_code=query_code,
        conversation_id=conversation_id,
        turn_id=turn_id,
        kind=kind,
        subject=subject,
        transcript=[{"sender": line["sender"], "text": mask(line["text"])} for line in transcript],
        region=region,
        phone=phone,
        department=department,
        state="待受理",
        claimed_by=None,
        answer=None,
        working_days=days,
        due_at=due.at,
        due_estimated=due.estimated,
        created_at=now,
        **checked(session, asdict(more)),
    )
    session.add(ticket)
    session.flush()
    note_event(session, ticket, actor, "登记", "工单已登记，等待受理。", now=now)
    if conversation_id is not None:
        asked.ticket_made(session, conversation_id, ticket, now)
    return ticket


def own(session: Session, number: str, conversation_id: str) -> Ticket | None:
    """The ticket with this number, if this conversation made it: whoever holds the conversation needs no code."""
    ticket = session.get(Ticket, number) if valid_number(number) else None
    return ticket if ticket is not None and ticket.conversation_id == conversation_id else None


def same_question(session: Session, conversation_id: str, subject: str) -> Ticket | None:
    """This conversation's open ticket with the same question, but for width, case, spaces and punctuation."""
    wanted = letters_of(subject)
    tickets = session.scalars(
        select(Ticket)
        .where(Ticket.conversation_id == conversation_id, Ticket.state.in_(OPEN))
        .order_by(Ticket.created_at.desc(), Ticket.number)
    )
    return next((ticket for ticket in tickets if letters_of(ticket.subject) == wanted), None)


def letters_of(text: str) -> str:
    return "".join(character for character in unicodedata.normalize("NFKC", text).casefold() if character.isalnum())


def of_conversation(session: Session, conversation_id: str, limit: int = 50) -> list[Ticket]:
    """The tickets that a conversation made, the newest first."""
    return list(
        session.scalars(
            select(Ticket)
            .where(Ticket.conversation_id == conversation_id)
            .order_by(Ticket.created_at.desc(), Ticket.number.desc())
            .limit(limit)
        )
    )


def count_today(session: Session, conversation_id: str, now: datetime) -> int:
    """How many tickets this conversation has made since midnight in Shanghai."""
    midnight = datetime.combine(now.astimezone(SHANGHAI).date(), time(), SHANGHAI).astimezone(UTC)
    return (
        session.scalar(
            select(func.count())
            .select_from(Ticket)
            .where(Ticket.conversation_id == conversation_id, Ticket.created_at >= midnight)
        )
        or 0
    )
