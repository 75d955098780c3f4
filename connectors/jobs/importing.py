"""The two jobs of an import: read the file and compare it with the knowledge; bring in what was decided.

What was read is stored item by item, so what somebody saw is what is brought in.  A job that is cut off begins its step again:
comparing writes everything anew, and an item is marked in the transaction that brings it in.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bot import audit, database, imports, knowledge
from bot.clock import utcnow
from bot.errors import InvalidInput
from bot.models.imports import Import, Imported, ImportItem
from bot.settings import ROOT
from connectors.jobs import file_reader
from index.knowledge_files import comparing, importing
from index.knowledge_files.comparing import Compared, Difference
from index.knowledge_files.importing import ImportReport, Item
from index.knowledge_files.rows import KIND_NAMES, Bundle, Kind, Problem

if TYPE_CHECKING:
    from connectors.jobs.steps import Work

_CHUNK = 200
"""Items that are stored, or brought in, in one transaction"""
_MOST = 20_000
"""Items and bad rows of one file"""
_WALL_S = 900.0
_SAID = 5
"""Problems that are told in one sentence"""


def _import(work: Work) -> Import:
    with database.read() as session:
        found = session.get(Import, str(work.job.arguments["import"]))
    if found is None:
        raise InvalidInput("没有这次导入，可能已经过了保留的天数。")
    return found


# --- reading and comparing -------------------------------------------------------------------------------------------


def check(work: Work) -> int:
    """Read the file, compare it with the knowledge, and store what it would change; how many items."""
    row = _import(work)
    if row.state != imports.READING:
        return 0  # done before we were cut off, or given up meanwhile
    said = _read(work, row)
    if refused := said.get("refused"):
        _refuse(row.id, refused, classified=said["classified"])
        work.progress("这个文件不能导入")
        return 0
    with database.write() as session:
        row = imports.get(session, row.id)
        if row.state != imports.READING:
            return 0
        unknown = [table for table in said["tables"] if not table["known"] and not table["remembered"]]
        if unknown:
            imports.checked(session, row, imports.COLUMNS, said["tables"], [])
            return 0
    if not said["items"] and not said["problems"]:
        _refuse(row.id, f"{row.name}：里面没有可以导入的内容（只有表头，或者只有模板里的示例）。")
        return 0
    for problem in said["problems"]:  # how to go on from the command line is of no use here
        problem[2] = problem[2].partition("列名不同的，请")[0]
    if not said["items"] and all(line is None or _NOTES.search(reason) for _, line, reason in said["problems"]):
        reasons = "；".join(str(reason).removesuffix("。") for _, _, reason in said["problems"][:_SAID])
        _refuse(row.id, f"{row.name}：{reasons}。")
        return 0
    if len(said["items"]) + len(said["problems"]) > _MOST:
        _refuse(row.id, f"{row.name}：内容超过 {_MOST} 条，请分成几个文件导入。")
        return 0
    return _compare(work, row, said)


def _refuse(import_id: str, sentence: str, *, classified: bool = False) -> None:
    with database.write() as session:
        row = imports.get(session, import_id)
        if row.state != imports.READING:
            return
        imports.settle(session, row, imports.REFUSED, sentence, keep_name=not classified)
        if classified:  # that it happened is kept, and nothing of the file
            row.said = (
                "这个文件标有国家秘密标志，没有导入，系统没有留下它的任何内容。"
                "请马上把它从这台电脑上移除，不要转发、复制或另存，并按本单位的保密规定报告。"
            )
            audit.record(session, row.by, "knowledge.classified", "-")
    if classified:
        database.forget_erased()


def _read(work: Work, row: Import) -> dict[str, Any]:
    """What `connectors.jobs.file_reader` says of the file."""
    base = work.settings.data_dir / "reading"
    for left in base.glob(f"{row.id}-*"):  # of this same step, killed before
        rmtree(left, ignore_errors=True)
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    with database.read() as session:
        content = imports.content_of(session, row.id)
        layouts = {one.headers: (one.kind, one.columns) for one in imports.layouts(session)}
    with tempfile.TemporaryDirectory(prefix=f"{row.id}-", dir=base) as folder:
        path, result = Path(folder) / row.name, Path(folder) / ".result"
        path.write_bytes(content)
        if not _run(work, path, result, json.dumps(layouts)):
            return {
                "refused": f"{row.name}：读不出来，内容太多或者文件已损坏。请拆成几个文件再导入。",
                "classified": False,
            }
        said: dict[str, Any] = json.loads(result.read_text("utf-8"))
        return said


def _run(work: Work, path: Path, result: Path, layouts: str) -> bool:
    """Have it read; whether that went well.  Stopped, it ends as well."""
    command = [sys.executable, "-m", file_reader.__name__, str(path), str(result)]
    began = time.monotonic()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True, cwd=ROOT
    ) as child:
        try:
            assert child.stdin
            with suppress(BrokenPipeError):
                child.stdin.write(layouts)
                child.stdin.close()
            while child.poll() is None and time.monotonic() < began + _WALL_S:
                work.progress("正在读文件")
                with suppress(subprocess.TimeoutExpired):
                    child.wait(0.2)
        finally:
            if child.poll() is None:
                child.send_signal(signal.SIGKILL)
    return child.returncode == 0 and result.exists()


def _compare(work: Work, row: Import, said: dict[str, Any]) -> int:
    work.progress("正在和系统里的知识比较")
    stored = {(one["kind"], one["id"]): one for one in said["items"]}
    reviewed = {id_: datetime.fromisoformat(at) for id_, at in said["reviewed"].items()}
    with database.read() as session:
        bundle = comparing.bundle_of(((one["kind"], one["id"], one) for one in said["items"]), row.name)
        compared, lost = comparing.compare(session, bundle, reviewed)
        chosen = select(ImportItem).where(ImportItem.import_id == row.id, ImportItem.choice.is_not(None))
        before = {(item.kind, item.item): (item.choice, item.content.get("seen")) for item in session.scalars(chosen)}
    problems = [Problem(*one) for one in said["problems"]] + lost
    notes = [str(one) for one in problems if _is_note(one)]
    if reviewed:
        notes.append(f"文件里有 {len(reviewed)} 条写着审核记录，没有采用：从这里导入的都要在系统里审核。")
    found = [_refused(one) for one in problems if not _is_note(one)]
    found += [_item(one, stored[one.kind, one.id]) for one in compared]
    with database.write() as session:
        imports.clear(session, row.id)
    for start in range(0, len(found), _CHUNK):
        with database.write() as session:
            for position, item in enumerate(found[start : start + _CHUNK], start):
                choice, seen = before.get((item.kind, item.item), (None, None))
                item.import_id, item.position = row.id, position
                item.choice = choice if seen == item.content.get("seen") and item.what != "refused" else None
                session.add(item)
        work.progress("正在写下比较的结果", min(start + _CHUNK, len(found)), len(found))
    with database.write() as session:
        row = imports.get(session, row.id)
        if row.state == imports.READING:  # else it was given up meanwhile
            imports.checked(session, row, imports.CHECKED, said["tables"], notes)
    work.progress(f"比较好了：{len(found)} 条")
    return len(found)


_NOTES = re.compile(r"已忽略$|以后各行不再提示|是隐藏的|没有找到表头")
"""What is said of a table as a whole, and is no reason against the others"""


def _is_note(problem: Problem) -> bool:
    return bool(_NOTES.search(problem.reason))


def _refused(problem: Problem) -> ImportItem:
    content = imports.Content(title="", file=problem.file, line=problem.line, reason=problem.reason)
    return ImportItem(what="refused", kind=None, item=None, internal=False, content=content)


def _fields(found: Sequence[Difference]) -> list[imports.Field]:
    return [imports.Field(name=one.name, before=one.before, after=one.after) for one in found]


def _item(one: Compared, stored: dict[str, Any]) -> ImportItem:
    content = imports.Content(
        title=one.title,
        file=one.file,
        line=one.line,
        fields=_fields(one.fields),
        conflicts=one.conflicts,
        seen=one.seen,
        row=stored["row"],
        given=stored["given"],
        passages=stored["passages"],
        implied=stored["implied"],
    )
    if one.other:
        content["other"] = one.other
        content["other_seen"] = one.other_seen
        content["other_fields"] = _fields(one.other_fields)
    if stored["internal"]:
        content["internal"] = stored["internal"]
    return ImportItem(what=one.what, kind=one.kind, item=one.id, internal=bool(stored["internal"]), content=content)


# --- bringing in -----------------------------------------------------------------------------------------------------


@dataclass
class _Lot:
    """Items that are brought in together, made ready before the transaction: a database with one writer is not held up by it."""

    taken: dict[Item, ImportItem]
    left: list[ImportItem]
    """Those that somebody decided to leave as the system has them, or that are in conflict and undecided"""
    doubled: list[ImportItem]
    """Those that are to go onto an item to which another one goes already"""
    bundle: Bundle
    digests: dict[Item, str]
    last: bool


def write(work: Work) -> int:
    """Bring in what was decided: all in one transaction, or what is good, some hundred items a transaction."""
    row = _import(work)
    while row.state == imports.WRITING:
        work.progress(f"已导入 {row.done} 条", row.done)
        with database.read() as session:
            lot = _lot(session, row, None if row.whole else _CHUNK)
        with database.write() as session:
            row = imports.get(session, row.id)
            failed = _bring_in(session, work.job.asked_by, row, lot)
            if failed and row.whole:
                said = f"一条也没有导入：{'；'.join(failed[:_SAID])}。已经和系统里的重新比较，请再看一遍。"
                imports.back(session, row, said, work.job.asked_by)
            elif lot.last:
                imports.settle(session, row, imports.DONE, _outcome(session, row))
    database.forget_erased()
    work.progress(f"已导入 {row.done} 条" if row.state == imports.DONE else "一条也没有导入，等着再看一遍")
    return row.done


def _lot(session: Session, row: Import, limit: int | None) -> _Lot:
    """The next items that are not brought in yet."""
    query = select(ImportItem).where(
        ImportItem.import_id == row.id, ImportItem.outcome.is_(None), ImportItem.what != "refused"
    )
    items = session.scalars(query.order_by(ImportItem.position).limit(limit)).all()
    taken: dict[Item, ImportItem] = {}
    left, doubled = [], []
    for item in items:
        one = Item(cast("Kind", item.kind), _id(item))
        if not _is_taken(item):
            left.append(item)
        elif one in taken:
            doubled.append(item)
        else:
            taken[one] = item
    contents = ((one.kind, one.id, _confirmed(item.content, row)) for one, item in taken.items())
    bundle = comparing.bundle_of(contents, row.name)
    objects, _ = importing.resolve(session, bundle)
    digests = {Item(kind, one.id): comparing.digest(one) for kind, several in objects.items() for one in several}
    return _Lot(taken, left, doubled, bundle, digests, limit is None or len(items) < limit)


def _bring_in(session: Session, actor: str, row: Import, lot: _Lot) -> list[str]:
    """Bring these in and mark what came of each.  Why some could not be; of an import that is all or nothing, none is then."""
    knowledge.lock(session)
    moved = _moved(session, lot.taken)
    failed = {item.position: "同一条已经由文件里的另一行改过了，没有导入。" for item in lot.doubled}
    failed |= {lot.taken[one].position: "比较以后，系统里的这一条又变了，没有导入。" for one in moved}
    said = [f"{one.id}：比较以后，系统里的这一条又变了" for one in moved]
    said += [f"{_id(item)}：文件里有两行改到这一条上" for item in lot.doubled]
    if said and row.whole:
        return said
    taken = {one: item for one, item in lot.taken.items() if one not in moved}
    bundle = lot.bundle
    if moved:
        bundle = comparing.bundle_of(
            ((one.kind, one.id, _confirmed(item.content, row)) for one, item in taken.items()), row.name
        )
    report = importing.import_bundle(session, bundle, actor=actor, all_or_nothing=bool(row.whole))
    if not report.written:
        return [problem.reason for problem in report.problems]
    outcomes = dict.fromkeys(report.unchanged, "same") | dict.fromkeys(report.added, "added")
    outcomes |= dict.fromkeys(report.changed, "changed")
    failed |= {item.position: _why(report, one) for one, item in taken.items() if one not in outcomes}
    marks = [(item, "kept") for item in lot.left]
    marks += [(item, outcomes[one]) for one, item in taken.items() if one in outcomes]
    if marks:
        said_of = [{"import_id": row.id, "position": item.position, "outcome": outcome} for item, outcome in marks]
        session.execute(update(ImportItem), said_of)
    for position, why in failed.items():
        item = session.get_one(ImportItem, (row.id, position))
        item.outcome, item.content = "failed", {**item.content, "said": why}
    _remember(session, actor, {one: lot.digests[one] for one in outcomes if one in lot.digests})
    row.done += len(outcomes)
    row.changed_at = utcnow()
    session.flush()
    return said


def _id(item: ImportItem) -> str:
    """The item that it is brought into."""
    return str(item.content["other"] if item.choice == "onto" else item.item)


def _is_taken(item: ImportItem) -> bool:
    return item.choice in ("take", "onto") or (item.choice is None and item.what != "conflict")


def _moved(session: Session, taken: Mapping[Item, ImportItem]) -> list[Item]:
    """Those that somebody has changed in the system since they were compared."""
    found = []
    for kind in KIND_NAMES:
        present = comparing.present(session, kind, [one.id for one in taken if one.kind == kind])
        for one, item in taken.items():
            if one.kind == kind:
                seen = item.content["other_seen" if item.choice == "onto" else "seen"]
                there = present.get(one.id)
                if (comparing.digest(there.said) if there else "") != seen:
                    found.append(one)
    return found


def _confirmed(content: dict[str, Any], row: Import) -> dict[str, Any]:
    if "internal" not in content:
        return content
    return content | {"row": content["row"] | {"internal_confirmed_by": row.internal_confirmed_by}}


def _why(report: ImportReport, item: Item) -> str:
    """Why one was not brought in."""
    reasons = [problem.reason for problem in report.problems if item.id in problem.reason]
    return f"{reasons[0] if reasons else '系统没有接受这一条'}。"


def _remember(session: Session, actor: str, digests: Mapping[Item, str]) -> None:
    """What the file said of each, to see later whether somebody has changed it since."""
    for kind in {item.kind for item in digests}:
        of_kind = {item.id: digest for item, digest in digests.items() if item.kind == kind}
        ids = list(of_kind)
        rows = session.scalars(select(Imported).where(Imported.kind == kind, Imported.item.in_(ids)))
        known = {row.item: row for row in rows}
        for id_ in ids:
            row = known.get(id_) or Imported(kind=kind, item=id_)
            row.digest, row.by, row.at = of_kind[id_], actor, utcnow()
            session.add(row)


def _outcome(session: Session, row: Import) -> str:
    """What came of it, in a sentence."""
    session.flush()
    found = imports.counts(session, row.id)
    parts = {"added": "新增", "changed": "更新", "same": "未变", "kept": "没有动", "failed": "没有成"}
    told = [f"{name} {found.outcomes[key]} 条" for key, name in parts.items() if found.outcomes.get(key)]
    told += [f"不能导入的 {found.what['refused']} 行"] if found.what["refused"] else []
    return f"{'，'.join(told) or '没有可以导入的'}。问答要审核以后才作答。"
