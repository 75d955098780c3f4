"""A city's own figures on the console: what is missing, written by one, approved by another."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from bot import database, knowledge, regions
from bot.accounts import people
from bot.clock import SHANGHAI, utcnow
from bot.errors import InvalidInput
from bot.local import figures, tables
from bot.local.figures import Line
from bot.local.slots import KINDS, slots
from bot.models.local import LocalFigure
from bot.settings import get_settings
from connectors.web.access import TheCaller, signed
from connectors.web.context import MAX_INT, Body
from connectors.web.errors import answers

router = APIRouter(
    prefix="/api/admin/local", tags=["admin"], dependencies=[Depends(signed)], responses=answers(400, 401, 403)
)
_CHANGES = answers(404, 409)
_TABLE_CHARS = 50_000
_SHOWN = 200
"""So many problems of a table are named"""

Shown = Literal["all", "missing", "waiting", "soon", "live"]


class LocalRow(BaseModel):
    """A figure of the city or of one of its parts, and how it stands today."""

    key: str
    label: str
    kind: str
    region: str
    region_name: str
    standing: str
    """In words: 还没填, 待审核, 在用 …"""
    state: Literal["missing", "soon", "live"]
    waiting: bool
    """There is a working copy"""
    value: str | None
    """What citizens see today"""
    value_from: str | None
    """The region that it comes from, where that is another one"""
    valid_to: date | None
    proposed: str | None
    """What the working copy says"""
    department: str | None
    asked: int
    """Answers of the last 30 days that it goes with"""


class LocalPage(BaseModel):
    """A page of them."""

    items: list[LocalRow]
    total: int
    counts: dict[str, int]
    """missing, waiting, soon, live, all"""


class Version(BaseModel):
    """A version of a figure."""

    id: int
    value: str
    source: str
    valid_from: date | None
    valid_to: date | None
    department: str | None
    status: str
    status_name: str
    authors: list[str]
    """The names of whoever wrote something of it"""
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None
    revision: int
    mine: bool
    """Whoever asks has written something of it, and can't approve it"""


class LocalOne(BaseModel):
    """A figure with all its versions."""

    key: str
    label: str
    kind: str
    kind_name: str
    form: str
    """How a value is to be written, in words"""
    region: str
    region_name: str
    department: str | None
    questions: list[str]
    """Whose answers it is shown with"""
    live: Version | None
    copy_: Version | None = Field(serialization_alias="copy")
    """Being written, or waiting for approval"""
    history: list[Version]
    """The newest first"""


def _row(line: Line) -> LocalRow:
    elsewhere = line.live is not None and line.live.region != line.region
    return LocalRow(
        key=line.slot.key,
        label=line.slot.label,
        kind=line.slot.kind,
        region=line.region,
        region_name=regions.get(line.region).name,
        standing=tables.standing(line),
        state=line.state,
        waiting=line.copy is not None,
        value=line.live.value if line.live else None,
        value_from=regions.get(line.live.region).name if line.live and elsewhere else None,
        valid_to=line.live.valid_to if line.live else None,
        proposed=line.copy.value if line.copy else None,
        department=(line.live.department if line.live else None) or line.slot.department,
        asked=line.asked,
    )


@router.get("")
def list_local(
    state: Shown = "all",
    text: Annotated[str, Query(max_length=64)] = "",
    offset: Annotated[int, Query(ge=0, le=100_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> LocalPage:
    """The city's figures, the missing first and of them those most asked for; ``text``: a part of name, department or region."""
    with database.read() as session:
        lines = figures.overview(session, get_settings())
    named = [_row(line) for line in lines]
    named = [row for row in named if text in f"{row.label} {row.department or ''} {row.region_name} {row.key}"]
    chosen = [row for row in named if _is(row, state)]
    counts = {each: sum(_is(row, each) for row in named) for each in ("all", "missing", "waiting", "soon", "live")}
    return LocalPage(items=chosen[offset : offset + limit], total=len(chosen), counts=counts)


def _is(row: LocalRow, state: str) -> bool:
    return state == "all" or (row.waiting if state == "waiting" else row.state == state)


@router.get("/export", response_class=Response)
def export_local() -> Response:
    """All of them as a table for departments to fill in (CSV, UTF-8 with a mark for Excel)."""
    with database.read() as session:
        table = tables.rows(figures.overview(session, get_settings()))
    out = io.StringIO()
    # A spreadsheet would compute what begins like a formula (CWE-1236).
    csv.writer(out).writerows([[f"'{cell}" if cell[:1] in "=+-@" and cell else cell for cell in row] for row in table])
    name = f"local-{datetime.now(SHANGHAI):%Y%m%d-%H%M}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(f"\ufeff{out.getvalue()}", media_type="text/csv; charset=utf-8", headers=headers)


class FilledTable(Body):
    """A filled-in table."""

    table: str = Field(max_length=_TABLE_CHARS)
    """CSV"""
    dry_run: bool = False


class TableProblem(BaseModel):
    """A row that was not taken, and why."""

    line: int
    reason: str


class Taken(BaseModel):
    """What came of a table."""

    proposed: list[str]
    unchanged: list[str]
    empty: int
    """Rows without a value"""
    problems: list[TableProblem]


@router.post("/import")
def import_local(body: FilledTable, me: TheCaller) -> Taken:
    """Propose what the table says, or with ``dry_run`` only say what that would do.  Nothing of it is approved."""
    try:
        table = list(enumerate(csv.reader(io.StringIO(body.table.removeprefix("\ufeff"))), 1))
    except csv.Error as error:
        raise InvalidInput("这不是 CSV 表格。") from error
    with database.write() as session:
        report = tables.take(session, me.number, table, get_settings(), dry_run=body.dry_run)
    return Taken(
        proposed=report.proposed,
        unchanged=report.unchanged,
        empty=report.empty,
        problems=[TableProblem(line=line, reason=reason) for line, reason in report.problems[:_SHOWN]],
    )


@router.get("/{key}/{region}", responses=answers(404))
def read_local(key: str, region: str, me: TheCaller) -> LocalOne:
    """One figure with all its versions."""
    with database.read() as session:
        return _one(session, key, region, me.number)


def _one(session: Session, key: str, region: str, me: str) -> LocalOne:
    slot = slots(get_settings()).get(key)
    place = regions.get(region)
    versions = figures.history(session, key, region)
    live = figures.in_force(session, [key], region, utcnow().astimezone(SHANGHAI).date()).get(key)
    names = people.names(session, [number for row in versions for number in (*row.authors, row.decided_by)])
    asked = knowledge.get_many(session, slot.items)
    shown = {row.id: _version(row, names, me) for row in versions}
    return LocalOne(
        key=key,
        label=slot.label,
        kind=slot.kind,
        kind_name=KINDS[slot.kind],
        form=slot.form,
        region=region,
        region_name=place.name,
        department=slot.department,
        questions=[qa.question for qa in asked.values()],
        live=shown.get(live.id) if live else None,
        copy_=next((shown[row.id] for row in versions if row.open), None),
        history=list(shown.values()),
    )


def _version(row: LocalFigure, names: dict[str, str], me: str) -> Version:
    return Version(
        **{
            name: getattr(row, name)
            for name in Version.model_fields
            if name not in ("status_name", "authors", "decided_by", "mine")
        },
        status_name=figures.STATUS_NAMES[row.status],
        authors=[names.get(number, number) for number in row.authors],
        decided_by=names.get(row.decided_by, row.decided_by) if row.decided_by else None,
        mine=me in row.authors,
    )


class LocalDraft(Body):
    """A version as it is to be."""

    revision: int | None = Field(default=None, ge=0, le=MAX_INT)
    """Of the working copy that was seen; null: none was"""
    value: str = Field(max_length=500)
    source: str = Field(max_length=500)
    valid_from: str = Field(default="", max_length=20)
    """As people write a day; empty: at once"""
    valid_to: str = Field(default="", max_length=20)
    """The last day; empty: until it is replaced"""
    department: str | None = Field(default=None, max_length=200)


@router.put("/{key}/{region}/draft", responses=_CHANGES)
def write_local(key: str, region: str, body: LocalDraft, me: TheCaller) -> LocalOne:
    """Write the working copy; what is live stays live."""
    written = figures.Content(
        body.value,
        body.source,
        tables.day(body.valid_from, "起始日期"),
        tables.day(body.valid_to, "截止日期"),
        body.department,
    )
    with database.write() as session:
        figures.propose(session, me.number, key, region, written, revision=body.revision)
        return _one(session, key, region, me.number)


@router.delete("/{key}/{region}/draft", status_code=204, responses=_CHANGES)
def discard_local(key: str, region: str, revision: Annotated[int, Query(ge=0, le=MAX_INT)], me: TheCaller) -> None:
    """Give the working copy up."""
    with database.write() as session:
        figures.discard(session, me.number, key, region, revision)


class Decision(Body):
    """On the working copy that was seen."""

    revision: int = Field(ge=0, le=MAX_INT)


class Reasoned(Decision):
    """With the reason."""

    reason: str = Field(max_length=500)


class FigureReason(Body):
    """Why."""

    reason: str = Field(max_length=500)


@router.post("/{key}/{region}/approval", responses=_CHANGES)
def approve_local(key: str, region: str, body: Decision, me: TheCaller) -> LocalOne:
    """Let the working copy count; never one's own."""
    with database.write() as session:
        figures.approve(session, me.number, key, region, body.revision)
        return _one(session, key, region, me.number)


@router.post("/{key}/{region}/return", responses=_CHANGES)
def return_local(key: str, region: str, body: Reasoned, me: TheCaller) -> LocalOne:
    """Send the working copy back, with the reason."""
    with database.write() as session:
        figures.send_back(session, me.number, key, region, body.revision, body.reason)
        return _one(session, key, region, me.number)


@router.post("/{key}/{region}/withdrawal", responses=_CHANGES)
def withdraw_local(key: str, region: str, body: FigureReason, me: TheCaller) -> LocalOne:
    """Show what stands no longer, at once."""
    with database.write() as session:
        figures.withdraw(session, me.number, key, region, body.reason)
        return _one(session, key, region, me.number)
