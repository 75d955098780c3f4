"""Files into the knowledge on the console: brought, looked at item by item, decided.  What reads them runs in the job worker."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import unquote

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session
from starlette.requests import ClientDisconnect

from bot import database, imports, jobs
from bot.accounts import people
from bot.clock import utcnow
from bot.errors import InvalidInput
from bot.models.imports import Import, ImportItem
from bot.settings import get_settings
from connectors.web.access import Signed, TheCaller, signed
from connectors.web.context import MAX_INT, Body
from connectors.web.errors import answers, error_response

PATH = "/api/knowledge/imports"
router = APIRouter(prefix=PATH, tags=["knowledge"], dependencies=[Depends(signed)], responses=answers(400, 401, 403))


class ImportOffered(BaseModel):
    """What a column may be for."""

    field: str
    name: str
    required: bool


class ImportColumn(BaseModel):
    """A column of a table of the file."""

    header: str
    field: str
    """What it is for, as known or proposed; empty: nothing"""
    samples: list[str]


class ImportTable(BaseModel):
    """A table of the file."""

    headers: str
    """Digest of its headers"""
    file: str
    line: int
    known: bool
    remembered: bool
    """Whether a person has said what its columns mean"""
    kind: str
    columns: list[ImportColumn]
    offered: dict[str, list[ImportOffered]]
    """Kind of rows → what a column may be for"""


class ImportView(BaseModel):
    """An import."""

    id: str
    state: str
    name: str
    size: int
    by: str
    by_name: str
    at: datetime
    said: str | None
    """Why it can't be imported, or what came of it"""
    done: int
    doing: str
    """What the job does at this moment"""
    progress: int | None
    total: int | None
    problem: str | None
    """Why the job failed"""
    whole: bool | None
    can: list[str]
    """columns, choose, decide, drop, stop, resume"""


class ImportCounts(BaseModel):
    """How many items are what."""

    conflict: int
    refused: int
    new: int
    changed: int
    same: int


class ImportRead(ImportView):
    """An import with its tables and what stands in it."""

    tables: list[ImportTable]
    notes: list[str]
    what: ImportCounts
    undecided: int
    internal: int
    outcomes: dict[str, int]


class Imports(BaseModel):
    """The imports, the last first, and what may be brought."""

    items: list[ImportView]
    total: int
    max_bytes: int
    worker_alive: bool


class ImportField(BaseModel):
    """A field of an item: what the system has, what the file says."""

    name: str
    before: str
    after: str


class ImportItemView(BaseModel):
    """An item of a file, or a row that can't be taken."""

    position: int
    what: str
    kind: str | None
    item: str | None
    title: str
    file: str
    line: int | None
    reason: str
    fields: list[ImportField]
    conflicts: list[str]
    other: str | None
    other_fields: list[ImportField]
    internal: str | None
    choice: str | None
    outcome: str | None
    said: str


class ImportItems(BaseModel):
    """A page of an import's items."""

    items: list[ImportItemView]


def _can(row: Import, job: Any) -> list[str]:
    open_ = job is not None and job.state in jobs.OPEN
    can = {
        imports.COLUMNS: ["columns", "drop"],
        imports.CHECKED: ["choose", "decide", "columns", "drop"],
        imports.READING: ["drop"] if open_ else ["resume", "drop"],
        imports.WRITING: ["stop"] if open_ else ["resume", "drop"],
    }.get(row.state, [])
    return [one for one in can if one != "stop" or job.state in (jobs.WAITING, jobs.RUNNING)]


def _view(session: Session, row: Import, names: dict[str, str]) -> ImportView:
    job = imports.job_of(session, row) if row.state in (imports.READING, imports.WRITING) else None
    own = ("by_name", "doing", "progress", "total", "problem", "can")
    return ImportView(
        **{name: getattr(row, name) for name in ImportView.model_fields if name not in own},
        by_name=names.get(row.by, row.by),
        doing="" if job is None else job.doing or job.state,
        progress=job.done if job else None,
        total=job.total if job else None,
        problem=job.error if job else None,
        can=_can(row, job),
    )


def _read(session: Session, row: Import) -> ImportRead:
    found = imports.counts(session, row.id)
    return ImportRead(
        **_view(session, row, people.names(session, [row.by])).model_dump(),
        tables=[ImportTable.model_validate(table) for table in row.tables or []],
        notes=row.notes or [],
        what=ImportCounts(**found.what),
        undecided=found.undecided,
        internal=found.internal,
        outcomes=found.outcomes,
    )


def _item(row: ImportItem) -> ImportItemView:
    content = imports.Content(**row.content)  # type: ignore[typeddict-item]
    return ImportItemView(
        position=row.position,
        what=row.what,
        kind=row.kind,
        item=row.item,
        title=content.get("title", ""),
        file=content.get("file", ""),
        line=content.get("line"),
        reason=content.get("reason", ""),
        fields=[ImportField(**one) for one in content.get("fields", [])],
        conflicts=content.get("conflicts", []),
        other=content.get("other"),
        other_fields=[ImportField(**one) for one in content.get("other_fields", [])],
        internal=content.get("internal"),
        choice=row.choice,
        outcome=row.outcome,
        said=content.get("said", ""),
    )


@router.get("")
def list_imports(
    offset: Annotated[int, Query(ge=0, le=MAX_INT)] = 0, limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> Imports:
    """The imports, the last first."""
    with database.read() as session:
        rows = imports.latest(session, limit=limit, offset=offset)
        names = people.names(session, [row.by for row in rows])
        return Imports(
            items=[_view(session, row, names) for row in rows],
            total=imports.how_many(session),
            max_bytes=_most(),
            worker_alive=jobs.worker(session, utcnow()).alive,
        )


def _most() -> int:
    return get_settings().import_mb * 1_000_000


@router.post(
    "",
    status_code=201,
    response_model=ImportRead,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def receive(
    request: Request,
    me: TheCaller,
    name: Annotated[str, Header(alias="X-File-Name", max_length=2000, description="Percent-encoded UTF-8")] = "",
) -> ImportRead | Response:
    """Take a file, as it is; a job reads it within about two seconds, or once the worker is back."""
    most = _most()
    too_large = error_response(413, "too_large", f"文件超过 {most // 1_000_000} MB，请拆分后再导入。")
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > most:
        return too_large
    data = bytearray()
    try:
        async for chunk in request.stream():
            data += chunk
            if len(data) > most:
                return too_large
    except ClientDisconnect:
        return Response(status_code=400)
    return await asyncio.to_thread(_receive, unquote(name, errors="replace"), bytes(data), me)


def _receive(name: str, data: bytes, me: Signed) -> ImportRead:
    with database.write() as session:
        return _read(session, imports.receive(session, name, data, me.number))


@router.get("/{import_id}", responses=answers(404))
def read_import(import_id: str) -> ImportRead:
    """One import: its tables, and how many items are what."""
    with database.read() as session:
        return _read(session, imports.get(session, import_id))


@router.get("/{import_id}/items", responses=answers(404))
def list_items(
    import_id: str,
    what: Annotated[Literal["conflict", "refused", "new", "changed", "same"] | None, Query()] = None,
    offset: Annotated[int, Query(ge=0, le=MAX_INT)] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> ImportItems:
    """Items of an import, each beside what the system has."""
    with database.read() as session:
        imports.get(session, import_id)
        rows = imports.items(session, import_id, what=what, limit=limit, offset=offset)
        return ImportItems(items=[_item(row) for row in rows])


class ImportTableSaid(Body):
    """What the columns of a table mean."""

    headers: str = Field(max_length=64)
    kind: Literal["qa", "guide", "document", "skip"]
    """What its rows are; skip: it is not imported"""
    fields: list[Annotated[str, Field(max_length=32)]] = Field(max_length=500)
    """A field, or nothing, for each of its columns"""


class ImportColumnsSaid(Body):
    """What the columns mean."""

    tables: list[ImportTableSaid] = Field(min_length=1, max_length=50)


@router.put("/{import_id}/columns", responses=answers(404, 409))
def map_columns(import_id: str, body: ImportColumnsSaid, me: TheCaller) -> ImportRead:
    """Say what the columns of its tables mean: remembered for the next table with these headers; the file is read anew."""
    with database.write() as session:
        tables = [table.model_dump() for table in body.tables]
        return _read(session, imports.map_columns(session, import_id, tables, me.number))


class ImportChoice(Body):
    """What is to be done about one item, or about all of one sort that are undecided."""

    choice: Literal["take", "keep", "onto"] | None
    position: int | None = Field(default=None, ge=0, le=MAX_INT)
    what: Literal["conflict", "new", "changed"] | None = None


@router.put("/{import_id}/choices", status_code=204, responses=answers(404, 409))
def choose(import_id: str, body: ImportChoice) -> None:
    """Choose: the file's, the system's, or the file's words for the other item of the system."""
    if (body.position is None) == (body.what is None):
        raise InvalidInput("请指明一条，或者一类。")
    with database.write() as session:
        imports.choose(session, import_id, body.choice, position=body.position, what=body.what)


class ImportDecision(Body):
    """How it is brought in."""

    whole: bool
    """All or nothing, in one go; else what is good"""
    internal_confirmed_by: str = Field(default="", max_length=64)
    """Who confirms that documents marked as internal may be kept for staff"""


@router.post("/{import_id}/decide", responses=answers(404, 409))
def decide(import_id: str, body: ImportDecision, me: TheCaller) -> ImportRead:
    """Have it brought in: a job does it."""
    with database.write() as session:
        named = body.internal_confirmed_by
        return _read(
            session, imports.decide(session, import_id, me.number, whole=body.whole, internal_confirmed_by=named)
        )


@router.post("/{import_id}/drop", responses=answers(404, 409))
def drop(import_id: str, me: TheCaller) -> ImportRead:
    """Give it up; the file is removed.  Stopped half-way it is over with what is in."""
    with database.write() as session:
        read = _read(session, imports.drop(session, import_id, me.number))
    database.forget_erased()
    return read


@router.post("/{import_id}/stop", responses=answers(404, 409))
def stop(import_id: str, me: TheCaller) -> ImportRead:
    """Have it stop; what is in stays in."""
    with database.write() as session:
        return _read(session, imports.stop(session, import_id, me.number))


@router.post("/{import_id}/resume", responses=answers(404, 409))
def resume(import_id: str, me: TheCaller) -> ImportRead:
    """Have it go on where it was."""
    with database.write() as session:
        return _read(session, imports.resume(session, import_id, me.number))
