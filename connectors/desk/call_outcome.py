"""What comes of a call: the ticket from what was said, the summary, what the agent did with what was shown, a short message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from bot import database, regions, sms
from bot.calls import calls
from bot.clock import SHANGHAI, utcnow
from bot.desk import choices, shield
from bot.errors import IllegalMove, InvalidInput
from bot.masking import mask
from bot.models.calls import Call
from bot.tickets import board, categories, duplicates, numbers, register
from bot.tickets.duplicates import Report
from bot.tickets.particulars import Particulars
from connectors.desk.assisting import Assisting, TheAssisting
from connectors.desk.choices import ShownItem
from connectors.web.access import TheCaller, signed
from connectors.web.context import Body, Gateway, TheGateway
from connectors.web.errors import answers
from index.assist.fields import Field as Told
from index.assist.fields import Fields, fields
from index.assist.lines import Line
from index.assist.summary import summary_of

router = APIRouter(
    prefix="/api/desk/calls/{call_id}",
    tags=["calls"],
    dependencies=[Depends(signed)],
    responses=answers(400, 401, 403, 404, 409),
)


class ToldView(BaseModel):
    """A field of the ticket, and where it was said."""

    value: str
    lines: list[int]
    """The numbers of the lines that it comes from; none: nobody said it"""
    code: str | None
    sure: bool
    """No: 待核"""
    reason: str | None
    """Of a suggested category or department, why"""


class DraftOfCall(BaseModel):
    """The ticket and the summary, as far as they were said."""

    fields: dict[str, ToldView]
    summary: str
    departments: list[str]
    """Those that may be named, the suggested ones first"""


@router.get("/draft")
def draft_of_call(call_id: str, me: TheCaller, here: TheGateway, assist: TheAssisting) -> DraftOfCall:
    """What the lines tell of a ticket, each field with the lines that it comes from; nothing is made up."""
    with database.read() as session:
        call = calls.of_agent(session, call_id, me.number)
        lines = _lines(session, call, assist)
        found, reason, offered = _fields(session, here, lines, call)
        known = board.departments(session)
    views = {name: _view(value) for name, value in found.items()}
    if call.caller and not views["callback_phone"].value:
        views["callback_phone"] = ToldView(value=call.caller, lines=[], code=None, sure=True, reason="来电号码")
    for name in ("category", "department"):
        views[name].reason = reason
    topics = [topic.question for topic, _, _ in assist.panels(call_id)]
    return DraftOfCall(
        fields=views,
        summary=summary_of(found, topics),
        departments=list(dict.fromkeys([*offered, *known])),
    )


def _lines(session: Session, call: Call, assist: Assisting) -> list[Line]:
    if not call.kept:
        return assist.lines(call.id)
    return [
        Line(one.seq, "caller" if one.speaker == "caller" else "agent", one.text, one.at)
        for one in calls.lines_of(session, call.id)
    ]


def _fields(
    session: Session, here: Gateway, lines: Sequence[Line], call: Call
) -> tuple[dict[str, Told], str | None, list[str]]:
    """Field by its name, why category and department are suggested, and which departments are offered."""
    tree = categories.current(session)
    seen = []

    def suggest(text: str):  # type: ignore[no-untyped-def]
        seen.append(here.assistant.category_of(text, tree))
        return seen[-1]

    found: Fields = fields(
        lines, today=utcnow().astimezone(SHANGHAI).date(), served=here.settings.region, suggest=suggest
    )
    best = seen[-1].best if seen else None
    reason = None
    if best is not None:
        said = f"因为说到{'、'.join(best.reason.words)}；" if best.reason.words else ""
        reason = f"{round(best.probability * 100)}%，{said}{best.reason.entry}"
    offered = [one.department for one in seen[-1].candidates] if seen else []
    return (
        {
            "matter": found.matter,
            "wanted": found.wanted,
            "caller_name": found.caller_name,
            "callback_phone": found.phone,
            "region": found.region,
            "address": found.address,
            "told_time": found.told_time,
            "kind": found.kind,
            "category": found.category,
            "department": found.department,
        },
        reason,
        offered,
    )


def _view(one: Told) -> ToldView:
    return ToldView(
        value=one.value or "",
        lines=sorted({span.seq for span in one.spans}),
        code=one.code,
        sure=one.sure,
        reason=None,
    )


class WhatItIs(Body):
    """What is about to be registered."""

    matter: str = Field(max_length=2000)
    phone: str | None = Field(default=None, max_length=32)
    address: str | None = Field(default=None, max_length=200)
    category: str | None = Field(default=None, max_length=16)


class SameTicket(BaseModel):
    """A ticket that may be on the same."""

    number: str
    state: str
    subject: str
    why: str


@router.post("/same")
def same_matter(call_id: str, body: WhatItIs, me: TheCaller) -> list[SameTicket]:
    """Open tickets that may be on the same matter, the likest first."""
    with database.read() as session:
        call = calls.of_agent(session, call_id, me.number)
        report = Report(body.matter, body.phone or call.caller, body.category, call.region, body.address)
        return [
            SameTicket(
                number=one.ticket.number,
                state=one.ticket.state,
                subject=mask(str(one.ticket.subject)),
                why="，".join(one.reasons),
            )
            for one in duplicates.similar(session, report, utcnow())
        ]


class CallTicket(Body):
    """The ticket of a call, as the agent left it."""

    kind: str = Field(max_length=16)
    matter: str = Field(min_length=1, max_length=2000)
    wanted: str | None = Field(default=None, max_length=500)
    caller_name: str | None = Field(default=None, max_length=40)
    callback_phone: str | None = Field(default=None, max_length=32)
    region: str | None = Field(default=None, max_length=32)
    """A code, or a name that only one region has"""
    address: str | None = Field(default=None, max_length=200)
    told_time: str | None = Field(default=None, max_length=60)
    category: str | None = Field(default=None, max_length=16)
    department: str | None = Field(default=None, max_length=100)


class MadeTicket(BaseModel):
    """A ticket's number and code, to be told to the caller."""

    number: str
    query_code: str


@router.post("/ticket", status_code=201)
def register_ticket(
    call_id: str, body: CallTicket, me: TheCaller, here: TheGateway, assist: TheAssisting
) -> MadeTicket:
    """Register it; the masked transcript goes along.  One ticket a call: asked for again it is the same."""
    now = utcnow()
    with database.write() as session:
        call = calls.of_agent(session, call_id, me.number)
        if call.practice:
            raise IllegalMove("练习不登记工单。")
        if call.ticket:
            raise IllegalMove(f"这通电话已经登记了工单 {call.ticket}。")
        tree = categories.current(session)
        number, code = numbers.free_number(session, now), numbers.new_query_code()
        subject = body.matter if not body.wanted else f"{body.matter}\n要求：{body.wanted}"
        register.create(
            session,
            number=number,
            query_code=code,
            conversation_id=None,
            turn_id=None,
            kind=body.kind,
            subject=subject,
            transcript=_transcript(_lines(session, call, assist)) if call.kept else [],
            region=_region(body.region) or call.region,
            phone=body.callback_phone or call.caller,
            department=body.department,
            days=here.settings.ticket_days,
            now=now,
            more=Particulars(
                caller_name=body.caller_name,
                address=body.address,
                told_time=body.told_time,
                category=body.category,
                category_scheme=tree.id if body.category else None,
                channel="phone",
            ),
            actor=me.number,
        )
        call.ticket = number
        calls.told_of(session, call)
    return MadeTicket(number=number, query_code=code)


def _transcript(lines: Sequence[Line]) -> list[dict[str, str]]:
    return [{"sender": "citizen" if one.speaker == "caller" else "agent", "text": one.text} for one in lines]


def _region(named: str | None) -> str | None:
    """The code of what was named.  Raises: InvalidInput: no region, or several have this name."""
    if not named:
        return None
    if named.isdigit():
        return regions.get(named).code
    found = regions.find(named, within=None)
    if len(found) != 1:
        raise InvalidInput(f"“{named}”对不上一个地区，请写全，或者留空。")
    return found[0].code


class Added(Body):
    """To which ticket, and what is added."""

    number: str = Field(max_length=16)
    matter: str = Field(min_length=1, max_length=2000)


@router.post("/added", status_code=204)
def add_to_ticket(call_id: str, body: Added, me: TheCaller) -> None:
    """What the caller says is added to the ticket that is there already."""
    with database.write() as session:
        call = calls.of_agent(session, call_id, me.number)
        if call.practice:
            raise IllegalMove("练习不改工单。")
        duplicates.join(session, body.number, body.matter, me.number, phone=call.caller)
        call.ticket = body.number
        calls.told_of(session, call)


class CallChoice(Body):
    """What was done with an item."""

    id: str = Field(pattern=r"^[0-9a-f]{32}$")
    """The page's own: sent twice it is one choice"""
    what: Literal["used", "edited", "unsuitable", "sent"]
    qa_id: str = Field(min_length=1, max_length=64)
    reason: str | None = Field(default=None, max_length=2000)
    """Why it does not fit; of an edited answer, how it was said"""
    shown: list[ShownItem] = Field(default=[], max_length=choices.MOST)


@router.post("/choices", status_code=204)
def choose(call_id: str, body: CallChoice, me: TheCaller) -> None:
    """采纳, 改写, 不适用, sent: kept with what was on the screen.  Practice is not learned from."""
    with database.write() as session:
        call = calls.of_agent(session, call_id, me.number)
        if call.practice:
            return
        choices.record(
            session,
            kind="call",
            subject=call.id,
            person=me.number,
            what=body.what,
            qa_id=body.qa_id,
            shown=[one.kept() for one in body.shown],
            id=body.id,
            now=utcnow(),
            reason=mask(body.reason) if body.reason else None,
        )


class ToCaller(Body):
    """What is sent to the caller."""

    id: str = Field(pattern=r"^[0-9a-f]{32}$")
    phone: str | None = Field(default=None, max_length=32)
    """None: the number that called"""
    text: str = Field(min_length=1, max_length=sms.LONGEST)
    qa_id: str | None = Field(default=None, max_length=64)


@router.post("/short-message", status_code=204, responses=answers(429))
def send_to_caller(call_id: str, body: ToCaller, me: TheCaller, here: TheGateway) -> None:
    """An answer to the caller's phone, by the city's SMS platform."""
    with database.write() as session:
        call = calls.of_agent(session, call_id, me.number)
        phone = body.phone or call.caller
        if not phone:
            raise InvalidInput("不知道来电号码，请填写手机号。")
        sms.put(
            session,
            phone,
            body.text,
            me.number,
            here.settings,
            id=body.id,
            qa_id=body.qa_id,
            kind="call",
            subject=call.id,
        )


@router.post("/shield", status_code=204)
def ask_for_civil_words(call_id: str, me: TheCaller) -> None:
    """请文明用语: the call is marked and a supervisor told."""
    with database.write() as session:
        call = calls.of_agent(session, call_id, me.number)
        shield.mark(session, "call", call.id, me.number, utcnow())
        calls.told_of(session, call)
