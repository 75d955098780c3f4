"""Bring a bundle into the database: all of it or nothing, told row by row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import audit, knowledge
from bot.accounts import people
from bot.models.knowledge import QA, Document, ServiceGuide
from index.knowledge_files.rows import MODELS, Bundle, DocumentRow, GuideRow, Kind, Problem, QARow
from index.knowledge_files.tables import COLUMNS, PASSAGES, bare_title


class Item(NamedTuple):
    """One document, guide or Q&A of a report."""

    kind: Kind
    id: str


@dataclass
class ImportReport:
    """What an import did, or, as a dry run, would do."""

    added: list[Item] = field(default_factory=list)
    changed: list[Item] = field(default_factory=list)
    unchanged: list[Item] = field(default_factory=list)
    kept: list[Item] = field(default_factory=list)
    """Items of the starter knowledge that operations have changed, approved or removed: left as they are."""
    fields: dict[Item, tuple[str, ...]] = field(default_factory=dict)
    """Of a changed item: the names of the columns that differ, as tables head them."""
    working: list[Item] = field(default_factory=list)
    """Of the changed: those that are published.  What they say stays in force until the change is approved."""
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What a person should know and need not correct."""
    written: bool = False
    """Whether anything was written: not in a dry run, nor if all_or_nothing met a problem."""

    def count(self, kind: Kind) -> int:
        """How many good items of a kind the files had."""
        return sum(item.kind == kind for item in (*self.added, *self.changed, *self.unchanged, *self.kept))


def import_bundle(
    session: Session, bundle: Bundle, *, actor: str, dry_run: bool = False, all_or_nothing: bool = False
) -> ImportReport:
    """Bring a bundle into the database, in the caller's transaction; see ``bot.knowledge.upsert`` for reviews.

    Args:
        actor: who imports: the author of what changes.
        dry_run: only say what would happen.
        all_or_nothing: write nothing if there is any problem.

    Raises:
        Forbidden: in production, the actor has no account that may import.
    """
    if not dry_run:
        knowledge.permit(session, actor, knowledge.IMPORTERS)
    knowledge.lock(session)
    objects, problems = resolve(session, bundle)
    report = ImportReport(problems=bundle.problems + problems)
    report.notes = _status_notes(session, bundle.qas)
    savepoint = session.begin_nested()
    for kind, items in objects.items():
        changes = knowledge.upsert(session, items, actor)
        tally(report, kind, changes)
        _tell_of_reviews(session, bundle, report, changes)
    _import_passages(session, bundle, report)
    report.written = not (dry_run or (all_or_nothing and report.problems))
    if not report.written:
        savepoint.rollback()
        return report
    savepoint.commit()
    if report.added or report.changed:
        record_import(session, actor, bundle.files, report)
    touched = {item.id for item in (*report.added, *report.changed) if item.kind == "document"}
    for row in bundle.documents:
        if row.internal_confirmed_by and row.id in touched:
            named = row.internal_confirmed_by
            audit.record(session, actor, "knowledge.internal", row.id, internal_confirmed_by=named)
    return report


def _import_passages(session: Session, bundle: Bundle, report: ImportReport) -> None:
    """Replace the text of every document that the bundle has pieces of."""
    texts: dict[str, list[tuple[str, str]]] = {}
    for row in bundle.passages:
        texts.setdefault(row.document, []).append((row.label, row.text))
    known = knowledge.find(session, Document, texts)
    for id_, pieces in texts.items():
        item = Item("document", id_)
        if id_ not in known:
            report.problems.append(Problem("、".join(bundle.files), None, f"{PASSAGES}的文件「{id_}」不存在，请先导入"))
        elif knowledge.set_passages(session, id_, pieces) and item not in report.added:
            report.changed += [item] if item not in report.changed else []
            report.unchanged = [one for one in report.unchanged if one != item]
            report.fields[item] = (*report.fields.get(item, ()), PASSAGES)


def record_import(session: Session, actor: str, files: list[str], report: ImportReport) -> None:
    figures = {"added": len(report.added), "changed": len(report.changed), "problems": len(report.problems)}
    changed = [f"{item.kind} {item.id}" for item in report.changed[:200]]
    audit.record(session, actor, "knowledge.import", "、".join(files) or "-", **figures, changed_items=changed)


def tally(report: ImportReport, kind: Kind, changes: knowledge.Changes) -> None:
    report.added += [Item(kind, id_) for id_ in changes.added]
    report.changed += [Item(kind, id_) for id_ in changes.changed]
    report.unchanged += [Item(kind, id_) for id_ in changes.unchanged]
    report.working += [Item(kind, id_) for id_ in changes.working]
    headers = {name: header.partition("（")[0] for header, name in COLUMNS[kind].items()}
    for id_, names in changes.fields.items():
        report.fields[Item(kind, id_)] = tuple(headers.get(name, name) for name in names)


def _tell_of_reviews(session: Session, bundle: Bundle, report: ImportReport, changes: knowledge.Changes) -> None:
    """What was left to somebody else: a colleague's unfinished change, a review that does not count."""
    names = people.names(session, [one for authors in changes.held.values() for one in authors])
    for id_, authors in changes.held.items():
        file, line = bundle.places.get(("qa", id_), ("", 0))
        who = "、".join(names[one] for one in authors)
        said = f"问答 {id_}：{who}的修改还没有审完，这次没有覆盖；请先审核或放弃那一份"
        report.problems.append(Problem(file, line or None, said))
    if changes.unreviewed:
        report.notes.append(
            f"{len(changes.unreviewed)} 条问答带着审核记录，审核人不是另一位有审核权限的在用账号，没有采用，要在系统里审核"
            f"（{_some(changes.unreviewed)}）。"
        )


def _some(ids: Sequence[str]) -> str:
    return "、".join(ids[:5]) + ("等" if len(ids) > 5 else "")


def _status_notes(session: Session, rows: list[QARow]) -> list[str]:
    """A file's status does not undo what was decided in the database since; say so, rather than do it silently."""
    said = [row for row in rows if row.status]
    present = knowledge.get_many(session, [row.id for row in said])
    older = [
        row.id
        for row in said
        if (qa := present.get(row.id))
        and qa.status != row.status
        and not (row.reviewed_at and (qa.reviewed_at is None or row.reviewed_at > qa.reviewed_at))
    ]
    if not older:
        return []
    return [
        f"{len(older)} 条问答在文件里的状态与系统中不同，以系统中的为准（{_some(older)}）。要改状态，请在系统里审核或停用。"
    ]


class _Names:
    """What ids and titles stand for: in the database, and in the bundle, whose word goes first."""

    def __init__(self, present: Mapping[str, str], rows: Iterable[DocumentRow | GuideRow]) -> None:
        rows = list(rows)
        self.ids = set(present) | {row.id for row in rows}
        self.titles = {bare_title(title): id_ for id_, title in present.items()}
        self.titles |= {bare_title(row.title): row.id for row in rows}

    def find(self, name: str) -> str | None:
        """The id meant by an id or a title."""
        return name if name in self.ids else self.titles.get(bare_title(name))


def resolve(session: Session, bundle: Bundle) -> tuple[dict[Kind, list[Any]], list[Problem]]:
    """The bundle's rows as database objects, references resolved; a Q&A whose reference leads nowhere is a problem."""
    documents = {row.id: row.title for row in session.execute(select(Document.id, Document.title))}
    guides = {row.id: row.title for row in session.execute(select(ServiceGuide.id, ServiceGuide.title))}
    known = {bare_title(title) for title in documents.values()}
    taken = [
        row
        for row in bundle.documents
        if not (row.id in bundle.implied and (bare_title(row.title) in known or row.title in documents))
    ]
    document_names, guide_names = _Names(documents, taken), _Names(guides, bundle.guides)
    problems: list[Problem] = []
    qas: list[QA] = []
    for row in bundle.qas:
        sources = [(document_names.find(source.document), source) for source in row.sources]
        found = [(guide_names.find(name), name) for name in row.guides]
        lost = [f"依据的文件「{source.document}」" for id_, source in sources if id_ is None]
        lost += [f"办事指南「{name}」" for id_, name in found if id_ is None]
        if lost:
            file, line = bundle.places.get(("qa", row.id), ("", 0))
            problems.append(Problem(file, line or None, f"问答 {row.id}：{'、'.join(lost)}不存在，请先导入"))
            continue
        fields = row.model_dump() | {
            "sources": [
                {"document": id_, "clause": source.clause} | ({"unverified": True} if source.unverified else {})
                for id_, source in sources
            ],
            "guides": [id_ for id_, _ in found],
            "status": row.status or "draft",
            "revision": 0,
        }
        qas.append(QA(**fields))
    objects: dict[Kind, list[Any]] = {
        "document": [Document(**row.model_dump()) for row in taken],
        "guide": [ServiceGuide(**row.model_dump()) for row in bundle.guides],
        "qa": qas,
    }
    for kind, items in objects.items():
        _complete(session, bundle, kind, items)
    return objects, problems


def _complete(session: Session, bundle: Bundle, kind: Kind, items: list[Any]) -> None:
    """Fields that a table has no column for are not empty, but as the database has them."""
    partial = {item.id: item for item in items if (kind, item.id) in bundle.given}
    for row in knowledge.find(session, MODELS[kind], partial).values():
        given = bundle.given[kind, row.id]
        item = partial[row.id]
        present = knowledge.under_way(session, row) if isinstance(row, QA) else row
        for name, value in knowledge.content(present).items():
            if name not in given:
                setattr(item, name, value)
        if kind == "qa" and "unverified" not in given:
            marked = {
                (source["document"], source.get("clause")) for source in present.sources if source.get("unverified")
            }
            marked |= {(document, None) for document, _ in marked}
            item.sources = [
                source | ({"unverified": True} if (source["document"], source.get("clause")) in marked else {})
                for source in item.sources
            ]
