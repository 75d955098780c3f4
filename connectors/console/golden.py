"""题库, the questions that releases are judged by, and what the gate found of a release."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from bot import database, golden, knowledge
from bot.accounts import people
from bot.golden import Content, Wanted
from bot.golden.questions import counts
from bot.knowledge import listing
from bot.models.golden import GoldenChange, GoldenQuestion
from bot.releases import evaluations
from bot.settings import get_settings
from connectors.web.access import TheCaller, signed
from connectors.web.context import MAX_INT, Body
from connectors.web.errors import answers

router = APIRouter(
    prefix="/api/console", tags=["knowledge"], dependencies=[Depends(signed)], responses=answers(400, 401, 403)
)

_Offset = Annotated[int, Query(ge=0, le=1_000_000)]
_Limit = Annotated[int, Query(ge=1, le=50)]
_Change = Annotated[int, Path(ge=0, le=MAX_INT)]
_Bundle = Annotated[str, Path(pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$")]
Stratum = Literal["questions", "spoken", "letters", "short", "act"]


class GoldenContent(Body):
    """What a question holds."""

    text: str = Field(min_length=1, max_length=500)
    right: list[Annotated[str, Field(max_length=64)]] = Field(default=[], max_length=20)
    """The items that answer it; none: nothing is to be answered"""
    act: str | None = Field(default=None, max_length=32)
    """The act that has to be heard; null: it is a question"""
    region: str | None = Field(default=None, pattern=r"^\d{6}$")
    must: bool = False
    """必对"""
    stratum: Stratum = "questions"
    note: str = Field(default="", max_length=300)
    why: str = Field(default="", max_length=300)
    """Of the proposal"""

    def content(self) -> Content:
        """As ``bot.golden`` takes it."""
        return Content(**{**self.model_dump(exclude={"why"}), "right": tuple(self.right)})


class GoldenRow(BaseModel):
    """A question of the golden set."""

    id: str
    text: str
    right: list[str]
    titles: list[str]
    """What these items are called; empty: not in the knowledge"""
    act: str | None
    region: str | None
    must: bool
    stratum: str
    note: str
    source: Literal["ours", "city"]
    added_by: str
    changed_at: datetime
    retired_at: datetime | None


class GoldenPage(BaseModel):
    """Some questions, how many there are, and how many count in all."""

    items: list[GoldenRow]
    total: int
    counts: dict[str, int]
    """By stratum"""
    waiting: int
    """Proposals that nobody has decided about"""


class GoldenChangeRow(BaseModel):
    """Something that one person proposed and another decides."""

    id: int
    question: str
    move: Literal["add", "change", "retire"]
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    why: str
    batch: str | None
    state: str
    state_name: str
    by: str
    by_name: str
    at: datetime
    decided_by: str | None
    decided_name: str | None
    decided_at: datetime | None
    decided_why: str | None
    mine: bool
    """Whoever asks proposed it: another one has to decide"""


class GoldenChangePage(BaseModel):
    """Some proposals, and how many there are."""

    items: list[GoldenChangeRow]
    total: int


def _rows(session: Session, found: Iterable[GoldenQuestion]) -> list[GoldenRow]:
    rows = list(found)
    items = knowledge.get_many(session, [id_ for row in rows for id_ in row.right])
    names = people.names(session, [row.added_by for row in rows])
    own = [name for name in GoldenRow.model_fields if name not in ("titles", "added_by")]
    return [
        GoldenRow(
            **{name: getattr(row, name) for name in own},
            titles=[items[id_].question if id_ in items else "" for id_ in row.right],
            added_by=names.get(row.added_by, row.added_by),
        )
        for row in rows
    ]


def _changes(session: Session, found: Iterable[GoldenChange], me: str) -> list[GoldenChangeRow]:
    rows = list(found)
    names = people.names(session, [one for row in rows for one in (row.by, row.decided_by) if one])
    told = ("state_name", "by_name", "decided_name", "mine")
    own = [name for name in GoldenChangeRow.model_fields if name not in told]
    return [
        GoldenChangeRow(
            **{name: getattr(row, name) for name in own},
            state_name=golden.DECIDED[row.state],
            by_name=names.get(row.by, row.by),
            decided_name=names.get(row.decided_by or "", row.decided_by),
            mine=row.by == me,
        )
        for row in rows
    ]


@router.get("/golden")
def list_golden(
    text: Annotated[str, Query(max_length=100)] = "",
    stratum: Stratum | None = None,
    source: Literal["ours", "city"] | None = None,
    must: Annotated[bool | None, Query()] = None,
    qa_id: Annotated[str | None, Query(max_length=64)] = None,
    retired: Annotated[bool, Query()] = False,
    offset: _Offset = 0,
    limit: _Limit = 30,
) -> GoldenPage:
    """The questions, those that must be right first; the first time, the starting set is loaded."""
    golden.ensure(get_settings())
    wanted = Wanted(text, stratum, source, must, qa_id, retired)
    with database.read() as session:
        found, total = golden.listed(session, wanted, offset, limit)
        _, waiting = golden.changes(session, state="waiting", limit=1)
        return GoldenPage(items=_rows(session, found), total=total, counts=counts(session), waiting=waiting)


@router.post("/golden", status_code=201)
def propose_golden(body: GoldenContent, me: TheCaller) -> GoldenChangeRow:
    """Propose a new question."""
    with database.write() as session:
        change = golden.propose_add(session, me.number, body.content(), get_settings(), why=body.why)
        return _changes(session, [change], me.number)[0]


@router.get("/golden/changes")
def list_golden_changes(
    me: TheCaller,
    state: Literal["waiting", "confirmed", "refused", "withdrawn"] | None = None,
    question: Annotated[str | None, Query(max_length=32)] = None,
    offset: _Offset = 0,
    limit: _Limit = 30,
) -> GoldenChangePage:
    """What was proposed: what waits, or the history of a question."""
    with database.read() as session:
        found, total = golden.changes(session, question=question, state=state, offset=offset, limit=limit)
        return GoldenChangePage(items=_changes(session, found, me.number), total=total)


class GoldenDecision(Body):
    """What another person says to a proposal."""

    confirm: bool
    why: str = Field(default="", max_length=300)
    """Needed where it is not adopted; not of one's own"""


@router.post("/golden/changes/{change_id}", responses=answers(404, 409))
def decide_golden(change_id: _Change, body: GoldenDecision, me: TheCaller) -> GoldenChangeRow:
    """Confirm a proposal of somebody else, or not; one's own is taken back so."""
    with database.write() as session:
        change = (
            golden.confirm(session, me.number, change_id, get_settings())
            if body.confirm
            else golden.refuse(session, me.number, change_id, why=body.why)
        )
        return _changes(session, [change], me.number)[0]


class GoldenConfirmed(BaseModel):
    """What came of confirming an import."""

    confirmed: int
    refused: list[str]
    """Of each that could not be, why"""


@router.post("/golden/batches/{batch}", responses=answers(404))
def confirm_golden_batch(batch: str, me: TheCaller) -> GoldenConfirmed:
    """Confirm all that waits of an import of somebody else."""
    with database.write() as session:
        done, refused = golden.confirm_all(session, me.number, batch, get_settings())
    return GoldenConfirmed(confirmed=done, refused=refused)


class GoldenFile(Body):
    """A piece of a file: lines of JSON, or CSV with its header."""

    text: str = Field(min_length=1, max_length=60_000)
    why: str = Field(default="", max_length=300)
    batch: str | None = Field(default=None, pattern=r"^[0-9a-f]{32}$")
    """Of the piece before"""
    first_line: int = Field(default=1, ge=1, le=1_000_000)
    """Where in the file the piece begins"""


class GoldenRefused(BaseModel):
    """A line that can't be taken."""

    line: int
    why: str


class GoldenBrought(BaseModel):
    """What came of a piece of a file."""

    batch: str
    proposed: int
    refused: list[GoldenRefused]


@router.post("/golden/import")
def import_golden(body: GoldenFile, me: TheCaller) -> GoldenBrought:
    """Propose what a file says, line by line."""
    rows = ((line + body.first_line - 1, row) for line, row in golden.rows_of(body.text))
    with database.write() as session:
        came = golden.bring(session, me.number, rows, get_settings(), why=body.why, batch=body.batch)
    refused = [GoldenRefused(line=line, why=why) for line, why in came.refused]
    return GoldenBrought(batch=came.batch, proposed=came.proposed, refused=refused)


@router.get("/golden/export", response_class=Response)
def export_golden() -> Response:
    """What counts today, as lines of JSON that can be brought again."""
    with database.read() as session:
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in golden.exported(session)]
    headers = {"Content-Disposition": 'attachment; filename="tiku.jsonl"'}
    return Response("".join(lines), media_type="application/x-ndjson", headers=headers)


@router.put("/golden/{question_id}", responses=answers(404, 409))
def change_golden(question_id: str, body: GoldenContent, me: TheCaller) -> GoldenChangeRow:
    """Propose that a question holds something else."""
    with database.write() as session:
        change = golden.propose_change(session, me.number, question_id, body.content(), get_settings(), why=body.why)
        return _changes(session, [change], me.number)[0]


class GoldenRetire(Body):
    """Why a question shall count no more."""

    why: str = Field(min_length=1, max_length=300)


@router.post("/golden/{question_id}/retire", responses=answers(404, 409))
def retire_golden(question_id: str, body: GoldenRetire, me: TheCaller) -> GoldenChangeRow:
    """Propose that a question counts no more."""
    with database.write() as session:
        change = golden.propose_retire(session, me.number, question_id, why=body.why)
        return _changes(session, [change], me.number)[0]


# --- the gate --------------------------------------------------------------------------------------------------------


class GateDifference(BaseModel):
    """A share before and after, in percentage points, with one-sided 95 % bounds of the difference."""

    questions: int
    before: float
    after: float
    more: int
    less: int
    low: float
    high: float
    p: float
    delta: float


class GateStratum(BaseModel):
    """One kind of questions."""

    right: GateDifference
    wrong: GateDifference


class GateFigures(BaseModel):
    """The figures of an evaluation, each a count of its rows."""

    totals: dict[str, int]
    right: GateDifference
    wrong: GateDifference
    surely_wrong: GateDifference
    strata: dict[str, GateStratum]
    acts: GateDifference
    replayed: dict[str, int]
    power: float
    """The smallest worsening, in points, that so many questions show"""


class GateReportView(BaseModel):
    """What the gate found of a bundle."""

    bundle: str
    kind: str
    verdict: Literal["passed", "short", "refused"]
    may: Literal["one", "two", "never"]
    """How many people it takes"""
    reasons: list[str]
    notes: list[str]
    against: str | None
    """The bundle that it was compared with; null: the index that was in use"""
    at: datetime
    figures: GateFigures


@router.get("/gate/{bundle}", responses=answers(404))
def read_gate(bundle: _Bundle) -> GateReportView:
    """The verdict on a bundle, with its figures."""
    return GateReportView.model_validate(evaluations.report(get_settings(), bundle))


class GateHeard(BaseModel):
    """What one side made of a question."""

    level: str
    answer: str | None
    probability: float


class GateRow(BaseModel):
    """One question on both sides."""

    id: str
    source: Literal["golden", "held_out", "replay"]
    stratum: str
    text: str
    right: list[str] | None
    """null: nobody knows"""
    act: str | None
    must: bool
    times: int
    before: GateHeard
    after: GateHeard
    was: str
    now: str
    kinds: list[str]


class GateRowPage(BaseModel):
    """Some rows, and how many there are."""

    items: list[GateRow]
    titles: dict[str, str]
    """The questions of the items that the rows name, by id"""
    total: int


@router.get("/gate/{bundle}/rows", responses=answers(404))
def list_gate_rows(
    bundle: _Bundle,
    kind: Literal["gained", "lost", "wrong", "mended", "moved", "must"] | None = None,
    source: Literal["golden", "held_out", "replay"] | None = None,
    offset: _Offset = 0,
    limit: _Limit = 30,
) -> GateRowPage:
    """The questions of a report, the worst first; ``kind``: what became of them (must: must be right and is not)."""
    with database.read() as session:
        page = evaluations.rows(session, get_settings(), bundle, kind=kind, source=source, offset=offset, limit=limit)
        rows = [GateRow.model_validate(row) for row in page.items]
        named = [{"related": [*(row.right or ()), row.before.answer or "", row.after.answer or ""]} for row in rows]
        titles = listing.titles(session, named)
    return GateRowPage(items=rows, titles=titles, total=page.total)
