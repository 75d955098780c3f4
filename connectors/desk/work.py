"""Where an agent starts: what is due, who waits, what is dangerous, what went unanswered; and being on duty."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from bot import alarms, conversations, database
from bot.accounts import people
from bot.accounts.roles import SUPERVISOR
from bot.clock import utcnow
from bot.danger import NAMES
from bot.desk import callbacks, drafts, duty, lists, shield, states
from bot.masking import mask, mask_record
from bot.models.conversations import Conversation
from bot.settings import get_settings
from bot.tickets import board
from bot.unanswered import unanswered
from connectors.desk.states import StateView
from connectors.desk.tickets import TicketRow, rows_of
from connectors.web.access import TheCaller, signed
from connectors.web.context import Body
from connectors.web.errors import answers

router = APIRouter(prefix="/api/desk", tags=["desk"], dependencies=[Depends(signed)], responses=answers(400, 401, 403))


class Work(BaseModel):
    """What there is to do for whoever asks."""

    dangers: int
    waiting: int
    """Conversations that wait for a human"""
    mine: int
    """Conversations in hand"""
    tickets: dict[str, int]
    """today (due today), overdue, returned, mine, open"""
    first: list[TicketRow]
    """Where to start: overdue, due today, returned; the most overdue first"""
    on_duty: list[str]
    """The names of those on duty"""
    on_duty_until: datetime | None
    """One's own"""
    state: StateView | None
    callbacks: int
    """Calls that we owe"""
    shields: int
    """Of a supervisor: where an agent asked for civil words, and nobody has looked in yet"""


@router.get("/work")
def my_work(me: TheCaller) -> Work:
    """The first page of the day."""
    now = utcnow()
    with database.read() as session:
        sees_all = me.only_department is None
        counts = lists.counts(session, me.number) if sees_all else {"waiting": 0, "mine": 0}
        first = board.to_start_with(session, now, within=me.only_department)
        person = people.get(session, me.number)
        state = states.current(session, me.number)
        on_duty = duty.is_on(person, now)
        return Work(
            dangers=alarms.count_unseen(session) if sees_all else 0,
            waiting=counts["waiting"],
            mine=counts["mine"],
            tickets=board.counts(session, now, me.number, within=me.only_department),
            first=rows_of(session, first),
            on_duty=[one.name for one in duty.on_duty(session, now)],
            on_duty_until=person.on_duty_until if on_duty else None,
            state=StateView.of(state, get_settings()) if state and on_duty else None,
            callbacks=callbacks.count(session) if sees_all else 0,
            shields=shield.count_unseen(session, now) if SUPERVISOR in me.roles else 0,
        )


class Duty(Body):
    """Going on duty for some hours; 0 goes off duty."""

    hours: float = Field(ge=0, le=24, allow_inf_nan=False)


@router.put("/duty", status_code=204, responses=answers(409))
def set_duty(body: Duty, me: TheCaller) -> None:
    """Go on or off duty: with somebody on duty 转人工 waits for a human, else it makes a ticket.

    Whoever still has conversations does not go off duty: they pass them on, hand them back or end them first.
    """
    with database.write() as session:
        until = utcnow() + timedelta(hours=body.hours) if body.hours else None
        duty.set_duty(session, me.number, until)


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


@router.post("/dangers/{turn_id}/seen", status_code=204, responses=answers(404))
def saw_danger(turn_id: str, me: TheCaller) -> None:
    """Somebody has seen to it; it leaves the list and stands in the audit log."""
    with database.write() as session:
        alarms.seen(session, turn_id, me.number, utcnow())


@router.get("/departments")
def list_departments() -> list[str]:
    """Departments of the city's list, and those that tickets were dispatched to or that people belong to."""
    with database.read() as session:
        return board.departments(session)


# --- drafts ----------------------------------------------------------------------------------------------------------


class DraftView(BaseModel):
    """What somebody was writing."""

    text: str
    revision: int
    at: datetime | None


class DraftText(Body):
    """What somebody is writing now; empty removes the draft."""

    own_words = frozenset({"text"})
    text: str = Field(max_length=40_000)
    revision: int = Field(ge=0, le=2**31 - 1)
    """The last one that was seen: counts up with each save"""


@router.get("/drafts/{kind}/{subject}")
def read_draft(kind: str, subject: str, me: TheCaller) -> DraftView:
    """One's own draft on something; empty if there is none."""
    with database.read() as session:
        draft = drafts.read(session, me.number, kind, subject)
        if draft is None:
            return DraftView(text="", revision=0, at=None)
        return DraftView(text=draft.text, revision=draft.revision, at=draft.at)


@router.put("/drafts/{kind}/{subject}", responses=answers(409))
def save_draft(kind: str, subject: str, body: DraftText, me: TheCaller) -> DraftView:
    """Save it; refused where a newer one was saved since ``revision``."""
    with database.write() as session:
        draft = drafts.save(session, me.number, kind, subject, body.text, body.revision, utcnow())
        return DraftView(text=draft.text, revision=draft.revision, at=draft.at)
