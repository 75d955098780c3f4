"""Telephone calls: begun by the telephone system or by hand, heard line by line, with what may answer beside them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import structlog
from fastapi import APIRouter, Depends, Query, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, Field, ValidationError
from sqlalchemy.orm import Session

from bot import database, doubts, knowledge, regions
from bot.accounts import people
from bot.accounts.roles import SUPERVISOR
from bot.calls import calls, segments
from bot.calls.segments import Segment
from bot.clock import SHANGHAI, utcnow
from bot.errors import Forbidden, InvalidInput, NotFound, StoreBusy, Unauthorised, YihaodaError
from bot.masking import mask
from bot.models.calls import Call
from bot.replies import Guide, RegionView, Source
from bot.settings import get_settings
from connectors.desk.assisting import Assisting, TheAssisting
from connectors.web.access import ACCESS, Signed, TheCaller, program, signed
from connectors.web.context import MAX_INT, Body, TheGateway
from connectors.web.errors import answers
from index.assist.deciding import Deciding
from index.assist.listening import Listener, Suggestion
from index.assist.weights import NAMES, Band, weights

log = structlog.get_logger(__name__)

router = APIRouter(prefix="/api/desk", tags=["calls"], dependencies=[Depends(signed)], responses=answers(400, 401, 403))
stream_router = APIRouter()
_CHANGES = answers(404, 409)

_AT_ONCE = 200
"""Segments in one request or message"""
_BACKLOG = 5000
"""Segments that a socket may be ahead of what is stored; then it is closed, and what was not acknowledged is sent again"""
ENDED, NOT_ALLOWED, TOO_MUCH, MALFORMED = 4401, 4403, 4429, 4400


class CallRow(BaseModel):
    """A call in a list; the caller's number masked."""

    id: str
    state: str
    agent: str | None
    agent_name: str | None
    caller: str | None
    practice: bool
    started_at: datetime
    ended_at: datetime | None
    lines: int
    ticket: str | None


class LineView(BaseModel):
    """What was said in one breath; personal data masked unless the call is one's own."""

    seq: int
    speaker: str
    text: str
    start_ms: int
    version: int


class SuggestedItem(BaseModel):
    """An item that may answer, with all that one needs on the phone."""

    qa_id: str
    matter: str
    question: str
    probability: float
    band: Band
    band_name: str
    hit_rate: float | None
    """Which share of the first items of this band was right, when it was measured"""
    answer: str | None
    """None: it may not be answered with today"""
    under_review: bool
    doubted: bool
    """Somebody has reported it as wrong, and nobody has decided yet"""
    sources: list[Source]
    guides: list[Guide]
    valid_from: str | None
    valid_to: str | None
    as_of: str | None
    region: str
    audience: str
    condition: str | None
    department: str | None


class DecidingView(BaseModel):
    """The question that tells the first two apart."""

    key: str
    question: str
    answers: list[str]


class TopicView(BaseModel):
    """One question of a call."""

    question: str
    lines: list[int]
    suggestions: list[SuggestedItem]
    deciding: DecidingView | None


class CallRead(BaseModel):
    """A call, read."""

    id: str
    state: str
    agent: str | None
    agent_name: str | None
    mine: bool
    caller: str | None
    region: RegionView | None
    practice: bool
    told_at: datetime | None
    notice: str
    """What the caller is told of being written down"""
    kept: bool
    started_at: datetime
    ended_at: datetime | None
    revision: int
    lines: list[LineView]
    saying: dict[str, str]
    """Speaker → what they are saying in this moment"""
    topics: list[TopicView]
    """The one that was asked last first"""
    summary: dict[str, Any] | None
    ticket: str | None


class NewCall(Body):
    """A call that begins."""

    external_id: str | None = Field(default=None, min_length=1, max_length=128)
    """The telephone system's own id; the same again is the same call"""
    agent: str | None = Field(default=None, max_length=64)
    """The number of whoever answers; a person begins their own"""
    caller: str | None = Field(default=None, max_length=32)
    practice: bool = False


class Begun(BaseModel):
    """A call that has begun, or had."""

    id: str
    notice: str
    """What the caller is to be told"""


class NewSegment(Body):
    """What was recognised."""

    seq: int = Field(ge=1, le=segments.MOST)
    speaker: Literal["caller", "agent"]
    text: str = Field(max_length=segments.LONGEST)
    final: bool = True
    start_ms: int = Field(default=0, ge=0, le=MAX_INT)
    version: int = Field(default=0, ge=0, le=MAX_INT)
    """A higher one corrects what came under this number before"""


class StoredLines(BaseModel):
    """What was stored."""

    stored: list[int]
    """The numbers of the lines that are new or changed"""
    seq: int
    """The highest number that is stored"""


@router.post("/calls", status_code=201, responses=answers(404, 409))
def begin_call(body: NewCall, me: TheCaller) -> Begun:
    """A call begins: told by the telephone system, or by hand."""
    if me.sign_in is not None and body.agent not in (None, me.number):
        raise InvalidInput("自己开始的通话只能是自己接的。")
    agent = me.number if me.sign_in is not None else body.agent
    with database.write() as session:
        if agent is not None:
            people.get(session, agent)
        call = calls.begin(
            session, utcnow(), agent=agent, external_id=body.external_id, caller=body.caller, practice=body.practice
        )
        return Begun(id=call.id, notice=get_settings().call_notice)


@router.get("/calls")
def list_calls(me: TheCaller, everybody: bool = False) -> list[CallRow]:
    """One's own open calls, the last one first; a supervisor's ``everybody``: all that are under way."""
    with database.read() as session:
        all_of_them = everybody and SUPERVISOR in me.roles
        found = calls.under_way(session) if all_of_them else calls.open_of(session, me.number)
        names = people.names(session, [one.agent for one in found])
        return [
            CallRow(
                id=one.id,
                state=one.state,
                agent=one.agent,
                agent_name=names.get(one.agent or ""),
                caller=mask(one.caller) if one.caller else None,
                practice=one.practice,
                started_at=one.started_at,
                ended_at=one.ended_at,
                lines=one.seq,
                ticket=one.ticket,
            )
            for one in found
        ]


@router.get("/calls/{call_id}", responses=answers(404))
def read_call(
    call_id: str,
    me: TheCaller,
    here: TheGateway,
    assist: TheAssisting,
    after: Annotated[int, Query(ge=0, le=MAX_INT)] = 0,
) -> CallRead:
    """The call, its lines after ``after``, and what may answer it.  Whoever takes it, and supervisors."""
    assist.look(call_id)
    with database.read() as session:
        call = _visible(session, call_id, me)
        mine = call.agent == me.number
        names = people.names(session, [call.agent])
        return CallRead(
            id=call.id,
            state=call.state,
            agent=call.agent,
            agent_name=names.get(call.agent or ""),
            mine=mine,
            caller=(call.caller if mine else mask(call.caller)) if call.caller else None,
            region=RegionView.of(call.region),
            practice=call.practice,
            told_at=call.told_at,
            notice=here.settings.call_notice,
            kept=call.kept,
            started_at=call.started_at,
            ended_at=call.ended_at,
            revision=call.revision,
            lines=_lines(session, call, assist, after, plain=mine),
            saying={who: text if mine else mask(text) for who, text in assist.saying_now(call.id, utcnow()).items()},
            topics=[
                TopicView(
                    question=topic.question if mine else mask(topic.question),
                    lines=list(topic.lines),
                    suggestions=suggested(session, panel.items, production=here.settings.env == "production"),
                    deciding=_deciding(question),
                )
                for topic, panel, question in assist.panels(call.id)
            ],
            summary=call.summary,
            ticket=call.ticket,
        )


def _visible(session: Session, call_id: str, me: Signed) -> Call:
    call = session.get(Call, call_id)
    if call is None or (call.agent not in (None, me.number) and SUPERVISOR not in me.roles):
        raise NotFound("没有这通电话。")
    return call


def _lines(session: Session, call: Call, assist: Assisting, after: int, *, plain: bool) -> list[LineView]:
    if call.kept:
        found = calls.lines_of(session, call.id, after)
        return [
            LineView(
                seq=one.seq,
                speaker=one.speaker,
                text=one.text if plain else mask(one.text),
                start_ms=one.start_ms,
                version=one.version,
            )
            for one in found
        ]
    return [
        LineView(seq=one.seq, speaker=one.speaker, text=one.text if plain else mask(one.text), start_ms=0, version=0)
        for one in assist.lines(call.id)
        if one.seq > after
    ]


def _deciding(question: Deciding | None) -> DecidingView | None:
    if question is None:
        return None
    return DecidingView(key=question.key, question=question.question, answers=list(question.answers))


def suggested(session: Session, found: Sequence[Suggestion], *, production: bool) -> list[SuggestedItem]:
    """Suggestions with what the knowledge says of them today; what may not be answered with says so."""
    today = utcnow().astimezone(SHANGHAI).date()
    ids = [one.qa_id for one in found]
    items, reported = knowledge.get_many(session, ids, today), doubts.doubted(session, ids)
    shown = []
    for one in found:
        qa = items.get(one.qa_id)
        if qa is None:
            continue
        standing = knowledge.answerable(qa, today=today, production=production)
        sources, guides, _ = knowledge.expand(session, qa, today=today, production=production)
        shown.append(
            SuggestedItem(
                qa_id=qa.id,
                matter=qa.matter,
                question=qa.question,
                probability=one.probability,
                band=one.band,
                band_name=NAMES[one.band],
                hit_rate=weights().rates.get(one.band),
                answer=qa.answer if standing.answers else None,
                doubted=qa.id in reported,
                under_review=standing is knowledge.Standing.UNDER_REVIEW,
                sources=sources,
                guides=guides,
                valid_from=qa.valid_from.isoformat() if qa.valid_from else None,
                valid_to=qa.valid_to.isoformat() if qa.valid_to else None,
                as_of=qa.as_of.isoformat() if qa.as_of else None,
                region=regions.full_name(qa.region),
                audience=qa.audience,
                condition=qa.condition,
                department=qa.department,
            )
        )
    return shown


class Segments(Body):
    """Some of what was recognised, in any order."""

    segments: list[NewSegment] = Field(min_length=1, max_length=_AT_ONCE)


@router.post("/calls/{call_id}/segments", responses=_CHANGES)
def add_segments(call_id: str, body: Segments, me: TheCaller, assist: TheAssisting) -> StoredLines:
    """Store final segments, and show partial ones.  What is acknowledged is stored; the same again changes nothing."""
    now = utcnow()
    with database.write() as session:
        call = calls.locked(session, call_id) if me.sign_in is None else calls.of_agent(session, call_id, me.number)
        stored = _store(session, call, body.segments, assist, now)
        taken = StoredLines(stored=stored, seq=call.seq)
        final = [_segment(one) for one in body.segments if one.final and one.text.strip()]
    if final:
        assist.heard(call, final, now)
    return taken


def _segment(one: NewSegment) -> Segment:
    return Segment(one.seq, one.speaker, one.text, one.start_ms, one.version)


def _store(session: Session, call: Call, some: Sequence[NewSegment], assist: Assisting, now: datetime) -> list[int]:
    stored = segments.take(session, call, [_segment(one) for one in some if one.final], now)
    for one in some:
        if not one.final and one.seq > call.seq:  # else it is late: we have the final one
            assist.saying(call.id, one.speaker, one.text, now)
    return stored


@router.post("/calls/{call_id}/hang-up", status_code=204, responses=_CHANGES)
def hang_up(call_id: str, me: TheCaller) -> None:
    """They have hung up."""
    with database.write() as session:
        call = calls.locked(session, call_id) if me.sign_in is None else calls.of_agent(session, call_id, me.number)
        calls.hang_up(session, call, utcnow())


@router.post("/calls/{call_id}/take", status_code=204, responses=_CHANGES)
def take_call(call_id: str, me: TheCaller) -> None:
    """Answer a call that nobody has."""
    with database.write() as session:
        calls.take(session, calls.locked(session, call_id), me.number, utcnow())


@router.post("/calls/{call_id}/told", status_code=204, responses=_CHANGES)
def told_caller(call_id: str, me: TheCaller) -> None:
    """The caller was told that what is said is written down."""
    with database.write() as session:
        call = calls.locked(session, call_id) if me.sign_in is None else calls.of_agent(session, call_id, me.number)
        calls.told_caller(session, call, utcnow())


@router.post("/calls/{call_id}/keep-nothing", status_code=204, responses=_CHANGES)
def keep_nothing(call_id: str, me: TheCaller) -> None:
    """The caller does not want it kept: what was stored goes at once, nothing more is stored.  It can't be undone."""
    with database.write() as session:
        call = calls.locked(session, call_id) if me.sign_in is None else calls.of_agent(session, call_id, me.number)
        calls.keep_nothing(session, call, me.number)
    database.forget_erased()


class CallRegion(Body):
    """Where the caller is; null: not known."""

    region: str | None = Field(max_length=6)


@router.put("/calls/{call_id}/region", status_code=204, responses=_CHANGES)
def set_region(call_id: str, body: CallRegion, me: TheCaller, assist: TheAssisting) -> None:
    """Where the caller is: only what holds there is shown."""
    if body.region is not None:
        regions.get(body.region)
    with database.write() as session:
        call = calls.of_agent(session, call_id, me.number)
        call.region = body.region
        calls.told_of(session, call)
    assist.place(call_id, body.region)


class NotThis(Body):
    """An item that does not fit."""

    qa_id: str = Field(max_length=64)
    undo: bool = False


@router.post("/calls/{call_id}/not-this", status_code=204, responses=_CHANGES)
def not_this(call_id: str, body: NotThis, me: TheCaller, assist: TheAssisting) -> None:
    """Show this item no more in this call; ``undo``: after all."""
    with database.write() as session:
        calls.of_agent(session, call_id, me.number)
    change = assist.take_back if body.undo else assist.refuse
    change(call_id, body.qa_id)


class DecidedCall(Body):
    """What the caller answered to the decisive question."""

    key: str = Field(max_length=140)
    answer: str = Field(max_length=200)


@router.post("/calls/{call_id}/decide", status_code=204, responses=_CHANGES)
def decide(call_id: str, body: DecidedCall, me: TheCaller, assist: TheAssisting) -> None:
    """The decisive question has been answered."""
    with database.write() as session:
        calls.of_agent(session, call_id, me.number)
    assist.decide(call_id, body.key, body.answer)


class Finished(Body):
    """What came of it."""

    summary: dict[str, str] | None = Field(default=None, max_length=20)


@router.post("/calls/{call_id}/finish", status_code=204, responses=_CHANGES)
def finish_call(call_id: str, body: Finished, me: TheCaller, assist: TheAssisting) -> None:
    """It is written up: the next one may come."""
    with database.write() as session:
        call = calls.of_agent(session, call_id, me.number)
        calls.finish(session, call, utcnow(), body.summary if call.kept else None)
    assist.forget(call_id)


class ShownView(BaseModel):
    """What the desk showed from a line on."""

    at: datetime
    seq: int
    topic: int
    question: str
    items: list[dict[str, Any]]


@router.get("/calls/{call_id}/shown", responses=answers(404))
def list_shown(call_id: str, me: TheCaller) -> list[ShownView]:
    """What was shown when."""
    with database.read() as session:
        _visible(session, call_id, me)
        return [ShownView.model_validate(one, from_attributes=True) for one in calls.shown_in(session, call_id)]


class Typed(Body):
    """What the agent types instead of speech."""

    text: str = Field(min_length=1, max_length=200)
    region: str | None = Field(default=None, max_length=6)


@router.post("/suggest", responses=answers(404))
def suggest(body: Typed, me: TheCaller, here: TheGateway) -> list[SuggestedItem]:
    """What may answer a question that was typed, best first."""
    if body.region is not None:
        regions.get(body.region)
    listener = Listener(here.assistant.reader.get(), here.settings.region)
    topic = listener.ask(body.text, body.region)
    with database.read() as session:
        return suggested(session, topic.suggestions if topic else (), production=here.settings.env == "production")


# --- the telephone system's socket --------------------------------------------------------------------------------------


class StreamedSegment(NewSegment):
    """A segment of one of many calls."""

    call: str = Field(min_length=1, max_length=32)
    """Our id, as ``POST /api/desk/calls`` gave it"""


@stream_router.websocket("/api/desk/calls/stream")
async def stream(socket: WebSocket) -> None:
    """Segments of many calls on one socket, for programs with a key.

    Each message is a segment with its ``call``.  A final one is answered with ``{"stored": {"call", "seq"}}`` once it is stored; what was not
    answered is to be sent again after a break.  One that can't be used is answered with ``{"refused": {"call", "seq", "message"}}``.
    """
    rule = ACCESS["WS /api/desk/calls/stream"]
    assert rule is not None
    try:
        await asyncio.to_thread(program, socket, rule)
    except (Unauthorised, Forbidden, StoreBusy) as refused:
        await socket.accept()
        await socket.close(ENDED if isinstance(refused, Unauthorised) else NOT_ALLOWED)
        return
    await socket.accept()
    queue: asyncio.Queue[StreamedSegment] = asyncio.Queue(_BACKLOG)
    writing = asyncio.create_task(_write(socket, queue))
    try:
        code = await _read(socket, queue, writing)
        if code is not None:
            await socket.close(code)
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)


async def _read(socket: WebSocket, queue: asyncio.Queue[StreamedSegment], writing: asyncio.Task[None]) -> int | None:
    """Take segments until the socket is gone (None), or has to be closed: with which code."""
    while not writing.done():
        try:
            one = StreamedSegment.model_validate(json.loads(await socket.receive_text()))
        except (WebSocketDisconnect, RuntimeError, KeyError):
            return None
        except (ValueError, ValidationError):
            return MALFORMED
        try:
            queue.put_nowait(one)
        except asyncio.QueueFull:
            return TOO_MUCH
    return 1011


async def _write(socket: WebSocket, queue: asyncio.Queue[StreamedSegment]) -> None:
    """Store what has come, all calls in one transaction, and say so."""
    assist: Assisting = socket.app.state.assisting
    while True:
        some = [await queue.get()]
        while not queue.empty() and len(some) < _AT_ONCE:
            some.append(queue.get_nowait())
        for told in await asyncio.to_thread(_keep, assist, some):
            await socket.send_json(told)


def _keep(assist: Assisting, some: Sequence[StreamedSegment]) -> list[dict[str, Any]]:
    """Store them; what to say of each final one.  What waited for a busy database is tried again until it is stored."""
    now = utcnow()
    by_call: dict[str, list[StreamedSegment]] = {}
    for one in some:
        by_call.setdefault(one.call, []).append(one)
    told: list[dict[str, Any]] = []
    heard: list[tuple[Call, list[Segment]]] = []
    with database.write() as session:
        for call_id, own in sorted(by_call.items()):  # in one order, so that two sockets can't wait for each other
            try:
                with session.begin_nested():
                    call = calls.locked(session, call_id)
                    _store(session, call, own, assist, now)
            except YihaodaError as refused:
                told += [{"refused": {"call": call_id, "seq": one.seq, "message": str(refused)}} for one in own]
                continue
            final = [one for one in own if one.final]
            told += [{"stored": {"call": call_id, "seq": one.seq}} for one in final]
            heard.append((call, [_segment(one) for one in final if one.text.strip()]))
        for call, _ in heard:
            session.expunge(call)
    for call, final_ones in heard:
        if final_ones:
            assist.heard(call, final_ones, now)
    return told
