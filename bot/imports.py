"""Imports in the console: a file is brought, read and compared in the background, decided item by item, and brought in.

A row of ``imports`` says how far it is.  What reads files (``index.knowledge_files``) runs in the job worker alone: here is what
everybody may know of an import, and every move of it.
"""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypedDict

from sqlalchemy import delete, event, func, select, update
from sqlalchemy.orm import Session, object_session

from bot import audit, database, events, jobs
from bot.clock import utcnow
from bot.errors import IllegalMove, InvalidInput, NotFound, TooMany
from bot.models.imports import Import, ImportItem, ImportLayout, ImportPiece
from bot.models.jobs import Job

READING, COLUMNS, CHECKED, WRITING = "读取中", "待对列", "待决定", "导入中"
DONE, REFUSED, DROPPED = "已导入", "不能导入", "已放弃"
MOVES: Mapping[str, frozenset[str]] = {
    READING: frozenset({COLUMNS, CHECKED, REFUSED, DROPPED}),
    COLUMNS: frozenset({READING, DROPPED}),
    CHECKED: frozenset({READING, WRITING, DROPPED}),
    WRITING: frozenset({READING, DONE}),
    DONE: frozenset(),
    REFUSED: frozenset(),
    DROPPED: frozenset(),
}
"""State → states it may go to."""
OPEN = (READING, COLUMNS, CHECKED, WRITING)
WHATS = ("conflict", "refused", "new", "changed", "same")
"""What an item is to the knowledge, what needs a person first"""
CHOICES = {"take": "用文件里的", "keep": "保留系统里的", "onto": "改到系统里那一条"}
MOST_OPEN = 100
"""So many imports may wait for a decision: each holds its file."""
SKIP = "skip"
"""The kind of a table that is not imported"""
_PIECE = 192 * 1024
_NAMELESS = "（没有留下名称）"


class Field(TypedDict):
    """A field of an item, in the words of tables: what the system has, and what the file says."""

    name: str
    before: str
    after: str


class Content(TypedDict, total=False):
    """What is kept of an item until it is decided."""

    title: str
    file: str
    line: int | None
    reason: str
    """Of a refused row: why, in a sentence"""
    fields: list[Field]
    """What differs; of a new item all that it says"""
    conflicts: list[str]
    """Why a person must choose, in sentences"""
    other: str
    """The id of a Q&A in the system that asks nearly the same"""
    other_seen: str
    other_fields: list[Field]
    """How it differs from this one"""
    seen: str
    """Digest of what the system had when it was compared; empty: nothing"""
    row: dict[str, Any]
    given: list[str] | None
    passages: list[list[str]] | None
    implied: bool
    internal: str
    """The mark that keeps a document within the office"""
    said: str
    """What came of it, where that needs words"""


def receive(session: Session, name: str, data: bytes, by: str) -> Import:
    """Take a file; a job reads it.

    Raises:
        InvalidInput: it is empty, or has no name.
        TooMany: so many wait for a decision that there is no room.
    """
    name = re.sub(r"[\x00-\x1f\x7f/\\]+", "", name).strip(" .")
    if not name:
        raise InvalidInput("文件没有名称。")
    stem, dot, suffix = name.rpartition(".")
    name = f"{stem[:60]}{dot}{suffix[:10]}" if dot else name[:60]
    if not data:
        raise InvalidInput(f"{name}：文件是空的。")
    waiting = select(func.count()).select_from(Import).where(Import.state.in_(OPEN))
    if (session.scalar(waiting) or 0) >= MOST_OPEN:
        raise TooMany(f"已经有 {MOST_OPEN} 次导入等着决定，请先导入或者放弃一些。")
    now = utcnow()
    row = Import(
        id=uuid.uuid4().hex, state=READING, name=name, size=len(data), by=by, at=now, changed_at=now, done=0, notes=[]
    )
    session.add(row)
    session.flush()
    session.add_all(
        ImportPiece(
            import_id=row.id, number=number, content=base64.b64encode(data[start : start + _PIECE]).decode("ascii")
        )
        for number, start in enumerate(range(0, len(data), _PIECE))
    )
    row.job = jobs.request(session, "import_check", by, {"import": row.id})
    audit.record(session, by, "import.receive", row.id, bytes=row.size)
    return row


# --- looking ---------------------------------------------------------------------------------------------------------


def get(session: Session, import_id: str) -> Import:
    """An import, locked until the transaction ends where the database can.  Raises: NotFound."""
    row = session.get(Import, import_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound("没有这次导入，可能已经过了保留的天数。")
    return row


def latest(session: Session, *, limit: int, offset: int = 0) -> list[Import]:
    """The imports, the last first."""
    return list(session.scalars(select(Import).order_by(Import.at.desc(), Import.id).limit(limit).offset(offset)))


def how_many(session: Session) -> int:
    """How many there are."""
    return session.scalar(select(func.count()).select_from(Import)) or 0


@dataclass(frozen=True)
class Counts:
    """Of an import's items."""

    what: dict[str, int]
    """new, changed, … → how many"""
    undecided: int
    """Conflicts without a choice"""
    internal: int
    """Documents marked as internal"""
    outcomes: dict[str, int]
    """added, changed, … → how many, once it is being brought in"""


def counts(session: Session, import_id: str) -> Counts:
    """How many items are what."""
    rows = session.execute(
        select(ImportItem.what, ImportItem.choice, ImportItem.outcome, func.count())
        .where(ImportItem.import_id == import_id)
        .group_by(ImportItem.what, ImportItem.choice, ImportItem.outcome)
    ).all()
    what = dict.fromkeys(WHATS, 0)
    outcomes: dict[str, int] = {}
    for name, _, outcome, number in rows:
        what[name] += number
        if outcome:
            outcomes[outcome] = outcomes.get(outcome, 0) + number
    undecided = sum(number for name, choice, _, number in rows if name == "conflict" and choice is None)
    marked = select(func.count()).select_from(ImportItem).where(ImportItem.import_id == import_id, ImportItem.internal)
    return Counts(what, undecided, session.scalar(marked) or 0, outcomes)


def items(
    session: Session, import_id: str, *, what: str | None = None, limit: int | None = None, offset: int = 0
) -> list[ImportItem]:
    """Items of an import in their order; of one sort, if given."""
    query = select(ImportItem).where(ImportItem.import_id == import_id).order_by(ImportItem.position)
    if what is not None:
        query = query.where(ImportItem.what == what)
    return list(session.scalars(query.limit(limit).offset(offset)))


def job_of(session: Session, row: Import) -> Job | None:
    """The job that works on it."""
    return session.get(Job, row.job, populate_existing=True) if row.job else None


# --- deciding --------------------------------------------------------------------------------------------------------


def map_columns(session: Session, import_id: str, tables: Sequence[Mapping[str, Any]], by: str) -> Import:
    """Say what the columns of its tables mean, remember it for the next table with these headers, and have it read anew.

    Args:
        tables: of each table ``headers`` (see ``ImportLayout``), ``kind``, and ``fields``: a field or "" for each of its columns.

    Raises:
        NotFound, IllegalMove: it waits for no such thing.
        InvalidInput: there is no such table or field, two columns mean the same, or a required one is missing.
    """
    row = get(session, import_id)
    known = {table["headers"]: table for table in row.tables or []}
    for said in tables:
        table = known.get(said["headers"])
        if table is None or len(said["fields"]) != len(table["columns"]):
            raise InvalidInput("文件里没有这张表，请刷新页面再对一次。")
        columns = _checked(table, said["kind"], list(said["fields"]))
        layout = session.get(ImportLayout, said["headers"]) or ImportLayout(headers=said["headers"])
        layout.kind, layout.columns, layout.by, layout.at = said["kind"], columns, by, utcnow()
        session.add(layout)
    _move(row, READING)
    row.job = jobs.request(session, "import_check", by, {"import": row.id})
    audit.record(session, by, "import.columns", row.id, tables=len(tables))
    return row


def _checked(table: Mapping[str, Any], kind: str, fields: list[str]) -> dict[str, str]:
    """Header, as compared → field.  Raises: InvalidInput."""
    if kind == SKIP:
        return {}
    offered = {one["field"]: one for one in table["offered"].get(kind, [])}
    if not offered:
        raise InvalidInput("请选这张表里是什么：问答、办事指南或者政策文件。")
    chosen: dict[str, str] = {}
    for column, field in zip(table["columns"], fields, strict=True):
        if not field:
            continue
        if field not in offered:
            raise InvalidInput(f"没有「{field}」这一项，请重新选。")
        if field in chosen:
            raise InvalidInput(
                f"「{chosen[field]}」和「{column['header']}」都对到了「{offered[field]['name']}」，一项只能对一列。"
            )
        chosen[field] = column["header"]
    missing = [one["name"] for one in offered.values() if one["required"] and one["field"] not in chosen]
    if missing:
        raise InvalidInput(f"还没有指明哪一列是{'、'.join(f'「{name}」' for name in missing)}。")
    return {column["plain"]: field for column, field in zip(table["columns"], fields, strict=True) if column["plain"]}


def choose(
    session: Session, import_id: str, choice: str | None, *, position: int | None = None, what: str | None = None
) -> int:
    """Decide about one item, or about all of one sort that are undecided; how many.

    Raises:
        NotFound: no such import or item.
        IllegalMove: it is not the time to choose.
        InvalidInput: no such choice for this item.
    """
    row = get(session, import_id)
    if row.state != CHECKED:
        raise IllegalMove(f"这次导入现在是「{row.state}」，不能再选。")
    if choice is not None and choice not in CHOICES:
        raise InvalidInput(f"没有这种选择，可用的有：{'、'.join(CHOICES)}。")
    row.changed_at = utcnow()
    if position is None:
        of_sort = update(ImportItem).where(
            ImportItem.import_id == import_id, ImportItem.what == what, ImportItem.choice.is_(None)
        )
        if what not in ("conflict", "new", "changed") or choice == "onto":
            raise InvalidInput("这一类不能一起选。")
        return database.rows_changed(session, of_sort.values(choice=choice))
    item = session.get(ImportItem, (import_id, position), populate_existing=True)
    if item is None:
        raise NotFound("文件里没有这一条。")
    if item.what in ("refused", "same"):
        raise InvalidInput("这一条没有什么可选的。")
    if choice == "onto" and not item.content.get("other"):
        raise InvalidInput("系统里没有相近的另一条，不能改到那一条上。")
    item.choice = choice
    return 1


def decide(session: Session, import_id: str, by: str, *, whole: bool, internal_confirmed_by: str = "") -> Import:
    """Have it brought in.

    Args:
        whole: all or nothing, in one go; else what is good, and conflicts without a choice are left as the system has them.
        internal_confirmed_by: the person who confirms that documents marked as internal may be kept for staff.

    Raises:
        NotFound, IllegalMove: it waits for no decision.
        InvalidInput: something stands against it; says what.
    """
    row = get(session, import_id)
    _may(row, WRITING)
    found = counts(session, import_id)
    named = internal_confirmed_by.strip()
    if whole and found.undecided:
        raise InvalidInput(f"还有 {found.undecided} 条冲突没有选。请先选好，或者只导入没有问题的。")
    if whole and found.what["refused"]:
        raise InvalidInput(f"有 {found.what['refused']} 行不能导入。请改好文件重新拖进来，或者只导入没有问题的。")
    if found.internal and not named:
        raise InvalidInput(
            f"里面有 {found.internal} 份文件标着内部标志。经本单位有权的人确认可以留给工作人员查阅的，请写明确认人的姓名。"
        )
    _move(row, WRITING)
    row.said = None
    row.whole, row.internal_confirmed_by = whole, (named or None) if found.internal else None
    row.job = jobs.request(session, "import", by, {"import": row.id})
    audit.record(session, by, "import.decide", row.id, whole=whole, **found.what)
    return row


def drop(session: Session, import_id: str, by: str) -> Import:
    """Give it up: nothing of it is brought in, and the file is removed.  Stopped half-way it is over with what is in.

    Raises:
        NotFound: no such import.
        IllegalMove: it is over, or under way.
    """
    row = get(session, import_id)
    job = job_of(session, row)
    if row.state == WRITING:
        if job is not None and job.state in jobs.OPEN:
            raise IllegalMove("正在导入，请先停下。")
        settle(session, row, DONE, f"停在中间：已经导入 {row.done} 条，其余的没有导入。")
    else:
        _may(row, DROPPED)
        if job is not None and job.state in (jobs.WAITING, jobs.RUNNING):
            jobs.stop(session, job.id, by)
        settle(session, row, DROPPED, "没有导入，文件已经移除。")
        session.execute(delete(ImportItem).where(ImportItem.import_id == row.id))
        row.tables = None
    audit.record(session, by, "import.drop", row.id)
    return row


def stop(session: Session, import_id: str, by: str) -> Import:
    """Have what works on it stop between two items.  Raises: NotFound, IllegalMove."""
    row = get(session, import_id)
    jobs.stop(session, row.job or "", by)
    row.changed_at = utcnow()
    return row


def resume(session: Session, import_id: str, by: str) -> Import:
    """Have it go on.  Raises: NotFound, IllegalMove."""
    row = get(session, import_id)
    if row.state not in (READING, WRITING):
        raise IllegalMove(f"这次导入现在是「{row.state}」，没有停在中间。")
    jobs.resume(session, row.job or "", by)
    row.changed_at = utcnow()
    return row


# --- for the worker --------------------------------------------------------------------------------------------------


def content_of(session: Session, import_id: str) -> bytes:
    """The file.  Raises: NotFound: it was removed."""
    query = select(ImportPiece.content).where(ImportPiece.import_id == import_id).order_by(ImportPiece.number)
    pieces = [base64.b64decode(piece) for piece in session.scalars(query)]
    if not pieces:
        raise NotFound("文件已经不在了，请重新拖进来。")
    return b"".join(pieces)


def layouts(session: Session) -> list[ImportLayout]:
    """What is remembered of columns."""
    return list(session.scalars(select(ImportLayout)))


def clear(session: Session, import_id: str) -> None:
    """Before it is compared, anew perhaps: nothing is known of its items."""
    session.execute(delete(ImportItem).where(ImportItem.import_id == import_id))


def checked(session: Session, row: Import, state: str, tables: list[Any], notes: Iterable[str]) -> None:
    """It was read: it waits for its columns, or for the decision."""
    _move(row, state)
    row.tables, row.notes = tables, list(notes)


def settle(session: Session, row: Import, state: str, said: str, *, keep_name: bool = True) -> None:
    """It is over; the file goes.

    Args:
        keep_name: False where not even the file's name may be kept: it bears a state-secret mark.
    """
    _move(row, state)
    row.said = said
    session.execute(delete(ImportPiece).where(ImportPiece.import_id == row.id))
    if not keep_name:
        row.name, row.tables, row.notes = _NAMELESS, None, []
        clear(session, row.id)


def back(session: Session, row: Import, said: str, by: str) -> None:
    """It could not be brought in as it was decided: it is compared anew, and waits for another decision."""
    _move(row, READING)
    row.whole, row.said = None, said
    row.job = jobs.request(session, "import_check", by, {"import": row.id})


def forget_old(session: Session, now: datetime, days: int) -> int:
    """Remove what nobody decided for so many days, and what was decided so many days ago; how many."""
    old = select(Import.id).where(Import.changed_at < now - timedelta(days=days), Import.state != WRITING).limit(50)
    ids = list(session.scalars(old))
    for table in (ImportPiece, ImportItem):
        session.execute(delete(table).where(table.import_id.in_(ids)))
    session.execute(delete(Import).where(Import.id.in_(ids)))
    return len(ids)


def _may(row: Import, state: str) -> None:
    if state not in MOVES[row.state]:
        raise IllegalMove(f"这次导入现在是「{row.state}」，不能这样做。")


def _move(row: Import, state: str) -> None:
    _may(row, state)
    row.state, row.changed_at = state, utcnow()


@event.listens_for(Import, "after_insert")
@event.listens_for(Import, "after_update")
def _changed(_mapper: Any, _connection: Any, row: Import) -> None:
    """Whoever changes an import, open pages hear of it."""
    if (session := object_session(row)) is not None:
        events.publish(session, "import", row.id)
