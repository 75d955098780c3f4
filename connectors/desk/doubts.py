"""报错 and 存疑: items that somebody reports as wrong, and what a supervisor or an editor makes of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from bot import conversations, database, doubts, knowledge
from bot.accounts import people
from bot.calls import calls
from bot.clock import utcnow
from bot.desk import choices
from bot.masking import mask
from bot.settings import get_settings
from connectors.desk.choices import ShownItem
from connectors.web.access import TheCaller, signed
from connectors.web.context import Body
from connectors.web.errors import answers

router = APIRouter(
    prefix="/api/desk/doubts", tags=["desk"], dependencies=[Depends(signed)], responses=answers(400, 401, 403)
)


class Report(Body):
    """An item that is wrong, and why."""

    qa_id: str = Field(min_length=1, max_length=64)
    reason: str = Field(min_length=1, max_length=500)
    conversation_id: str | None = Field(default=None, max_length=32)
    """Where it was seen"""
    call_id: str | None = Field(default=None, max_length=32)
    """Or in which call"""
    shown: list[ShownItem] = Field(default=[], max_length=choices.MOST)
    """What stood on the screen then"""


class Reported(BaseModel):
    """A report that is kept."""

    id: str
    marks: bool
    """Whether the item is 存疑 by it; false: too many in this shift, it only stands in the list"""
    undo_s: int
    """So many seconds it can be taken back"""


class ReportView(BaseModel):
    """One person's report."""

    id: str
    person: str
    name: str
    reason: str
    marks: bool
    at: datetime


class DoubtedItem(BaseModel):
    """An item with open reports."""

    qa_id: str
    matter: str
    question: str
    answer: str
    status: str
    marked: bool
    since: datetime
    late: bool
    """Nobody has decided for ten minutes"""
    reports: list[ReportView]


class ReporterView(BaseModel):
    """What one person has reported in the last shift (12 hours)."""

    person: str
    name: str
    reports: int
    unmarked: int
    paused: int
    cleared: int


class DoubtPage(BaseModel):
    """Some of the items, how many there are, and who reported how much."""

    items: list[DoubtedItem]
    total: int
    late: bool
    """Whether one of them all has waited too long"""
    people: list[ReporterView]


@router.post("", status_code=201, responses=answers(404))
def report_item(body: Report, me: TheCaller) -> Reported:
    """Say that an item is wrong: it is marked on every desk, and citizens get it as likely at most, until somebody decides."""
    now, settings = utcnow(), get_settings()
    with database.write() as session:
        subject: str | None = None
        if body.conversation_id:
            subject = conversations.lock(session, body.conversation_id).id
        elif body.call_id:
            subject = calls.of_agent(session, body.call_id, me.number).id
        if subject is not None:
            made = choices.wrong(
                session,
                kind="conversation" if body.conversation_id else "call",
                subject=subject,
                person=me.number,
                qa_id=body.qa_id,
                shown=[one.kept() for one in body.shown],
                reason=body.reason,
                settings=settings,
                now=now,
            )
        else:
            made = doubts.report(session, body.qa_id, body.reason, me.number, settings, now)
        return Reported(id=made.id, marks=made.marks, undo_s=int(doubts.UNDO.total_seconds()))


@router.delete("/{doubt_id}", status_code=204, responses=answers(404, 409))
def undo_report(doubt_id: str, me: TheCaller) -> None:
    """Take one's own report back, within ten seconds."""
    with database.write() as session:
        choices.take_back(session, doubt_id, me.number, utcnow())


class Decided(Body):
    """What becomes of it, and why."""

    decision: Literal["pause", "clear"]
    reason: str = Field(min_length=1, max_length=500)


@router.post("/{qa_id}/decision", status_code=204, responses=answers(404, 409))
def decide_doubt(qa_id: str, body: Decided, me: TheCaller) -> None:
    """Pause the item, or clear the doubt; all reports on it are done with."""
    with database.write() as session:
        doubts.decide(session, qa_id, me.number, body.decision, body.reason)


@router.get("")
def list_doubts(
    offset: Annotated[int, Query(ge=0, le=100_000)] = 0, limit: Annotated[int, Query(ge=1, le=50)] = 20
) -> DoubtPage:
    """Items with open reports: those that are marked first, then the longest-waiting."""
    now = utcnow()
    with database.read() as session:
        found, total = doubts.waiting(session, offset, limit)
        reporters = doubts.by_person(session, now)
        names = people.names(
            session, [*(one.person for one in reporters), *(row.person for one in found for row in one.reports)]
        )
        return DoubtPage(
            items=[
                DoubtedItem(
                    qa_id=one.qa.id,
                    matter=one.qa.matter,
                    question=one.qa.question,
                    answer=one.qa.answer,
                    status=knowledge.STATUS_NAMES[one.qa.status],
                    marked=one.marked,
                    since=one.reports[0].at,
                    late=one.late(now),
                    reports=[
                        ReportView(
                            id=row.id,
                            person=row.person,
                            name=names[row.person],
                            reason=mask(row.reason),
                            marks=row.marks,
                            at=row.at,
                        )
                        for row in one.reports
                    ],
                )
                for one in found
            ],
            total=total,
            late=doubts.standing(session, now).late,
            people=[ReporterView(name=names[one.person], **one.__dict__) for one in reporters],
        )
