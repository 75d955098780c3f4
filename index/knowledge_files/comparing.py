"""What a file would change, item by item: new, changed field by field, the same, refused; and where a person must choose."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import blake2b
from typing import Any, Literal, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import knowledge
from bot.models.imports import Imported
from bot.models.knowledge import QA, Document, ServiceGuide
from bot.models.versions import WorkingCopy
from index.knowledge_files import check
from index.knowledge_files.importing import resolve
from index.knowledge_files.rows import KIND_NAMES, MODELS, ROWS, Bundle, Kind, PassageRow, Problem
from index.knowledge_files.tables import COLUMNS, PASSAGES

What = Literal["new", "changed", "same", "conflict", "refused"]
_UNSAID = {"id", "revision", "status", "reviewed_by", "reviewed_at", "replaced_by", "internal_confirmed_by"}
"""Fields of a new item that say nothing about it"""
_LONGEST = 4000
"""Characters of a text that are shown"""
_CHUNK = 500
_PIECES = 20
"""Pieces of a document that are shown"""


@dataclass(frozen=True)
class Difference:
    """A field, as tables call it: what the system has, and what the file says."""

    name: str
    before: str
    after: str


@dataclass
class Compared:
    """An item of a file beside what the system has."""

    what: What
    kind: Kind
    id: str
    title: str
    file: str
    line: int | None
    fields: list[Difference] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    other: str | None = None
    """The Q&A of the system that asks nearly the same, under another id"""
    other_fields: list[Difference] = field(default_factory=list)
    seen: str = ""
    """Digest of what the system has of it; empty: nothing"""
    other_seen: str = ""


def drafts_only(bundle: Bundle) -> dict[str, datetime]:
    """Take no review from the file: what comes through the console is reviewed there.  When the rows that had one were reviewed."""
    found = {row.id: row.reviewed_at for row in bundle.qas if row.reviewed_at}
    for row in bundle.qas:
        row.status = row.reviewed_by = row.reviewed_at = row.replaced_by = None
    return found


def compare(
    session: Session, bundle: Bundle, reviewed: Mapping[str, datetime] | None = None
) -> tuple[list[Compared], list[Problem]]:
    """Each item beside what the system has, in the order in which they are brought in; and what can't be.

    Args:
        reviewed: when the file says that its Q&As were reviewed, by id.
    """
    reviewed = reviewed or {}
    objects, problems = resolve(session, bundle)
    titles = _titles(session, bundle)
    texts: dict[str, list[tuple[str, str]]] = {}
    for piece in bundle.passages:
        texts.setdefault(piece.document, []).append((piece.label, piece.text))
    found: list[Compared] = []
    for kind, items in objects.items():
        known = present(session, kind, [item.id for item in items])
        imported = _imported(session, kind, [item.id for item in items])
        for item in items:
            file, line = bundle.places.get((kind, item.id), ("", 0))
            one = Compared("new", kind, item.id, _title(item), file, line or None)
            there = known.get(item.id)
            one.fields = list(_differences(kind, there.said if there else None, item, titles))
            if kind == "document" and item.id in texts:
                one.fields += _passages(session, item.id, texts.pop(item.id))
            if there is not None:
                one.seen = digest(there.said)
                one.what = "changed" if one.fields else "same"
                if one.fields:
                    one.conflicts = _conflicts(there, imported.get(item.id), reviewed.get(item.id))
            found.append(one)
    for id_, pieces in texts.items():
        document = knowledge.find(session, Document, [id_]).get(id_)
        if document is None:
            problems.append(Problem("、".join(bundle.files), None, f"{PASSAGES}的文件「{id_}」不存在，请先导入"))
            continue
        changes = _passages(session, id_, pieces)
        one = Compared("changed" if changes else "same", "document", id_, document.title, "、".join(bundle.files), None)
        one.fields, one.seen = changes, digest(document)
        found.append(one)
    _near(session, bundle, {item.id: item for item in objects["qa"]}, found, titles)
    for one in found:
        if one.conflicts:
            one.what = "conflict"
    return found, problems


def digest(item: Document | ServiceGuide | QA) -> str:
    """Of what an item says."""
    said = json.dumps(knowledge.content(item), ensure_ascii=False, sort_keys=True, default=str)
    return blake2b(said.encode(), digest_size=16).hexdigest()


# --- items that are kept until they are decided ----------------------------------------------------------------------


def kept(bundle: Bundle) -> Iterator[tuple[Kind, str, dict[str, Any]]]:
    """Each item of a bundle, so that it can be stored and brought in later: ``row``, ``given``, ``passages``, ``implied``."""
    texts: dict[str, list[list[str]]] = {}
    for piece in bundle.passages:
        texts.setdefault(piece.document, []).append([piece.label, piece.text])
    for kind in KIND_NAMES:
        for row in bundle.rows(kind):
            given = bundle.given.get((kind, row.id))
            yield (
                kind,
                row.id,
                {
                    "row": row.model_dump(mode="json"),
                    "given": sorted(given) if given is not None else None,
                    "passages": texts.pop(row.id, None) if kind == "document" else None,
                    "implied": row.id in bundle.implied,
                },
            )
    for id_, pieces in texts.items():  # of documents that the file itself doesn't have
        yield "document", id_, {"row": None, "given": None, "passages": pieces, "implied": False}


def bundle_of(items: Iterable[tuple[Kind, str, Mapping[str, Any]]], file: str) -> Bundle:
    """Back from what ``kept`` gave; the id may be another one by now."""
    bundle = Bundle(files=[file])
    for kind, id_, content in items:
        if content["row"] is not None:
            row = ROWS[kind].model_validate(content["row"] | {"id": id_})
            given = content["given"]
            bundle.add(kind, row, content.get("file") or file, content.get("line") or 0, set(given) if given else None)
            if content["implied"]:
                bundle.implied.add(id_)
        bundle.passages += [
            PassageRow(document=id_, label=label, text=text) for label, text in content["passages"] or []
        ]
    return bundle


# --- beside one another ----------------------------------------------------------------------------------------------


class Present(NamedTuple):
    """What the system has of an item."""

    live: Any
    """What is in force, and how it stands"""
    said: Any
    """What a change of it is a change of: the working copy, where there is one"""


def present(session: Session, kind: Kind, ids: Sequence[str]) -> dict[str, Present]:
    """What the system has of these."""
    live = knowledge.find(session, MODELS[kind], ids)
    copied: set[str] = set()
    if kind == "qa":
        for start in range(0, len(ids), _CHUNK):
            query = select(WorkingCopy.qa_id).where(WorkingCopy.qa_id.in_(ids[start : start + _CHUNK]))
            copied |= set(session.scalars(query))
    return {id_: Present(row, knowledge.under_way(session, row) if id_ in copied else row) for id_, row in live.items()}


def _imported(session: Session, kind: Kind, ids: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for start in range(0, len(ids), _CHUNK):
        rows = select(Imported).where(Imported.kind == kind, Imported.item.in_(ids[start : start + _CHUNK]))
        found |= {row.item: row.digest for row in session.scalars(rows)}
    return found


def _titles(session: Session, bundle: Bundle) -> dict[tuple[str, str], str]:
    titles = {("document", row.id): row.title for row in session.execute(select(Document.id, Document.title))}
    titles |= {("guide", row.id): row.title for row in session.execute(select(ServiceGuide.id, ServiceGuide.title))}
    return titles | {(kind, row.id): row.title for kind in ("document", "guide") for row in bundle.rows(kind)}


def _title(item: Document | ServiceGuide | QA) -> str:
    return item.question if isinstance(item, QA) else item.title


def _differences(
    kind: Kind, row: Any, item: Any, titles: Mapping[tuple[str, str], str], columns: set[str] | None = None
) -> Iterator[Difference]:
    """What ``item`` says other than ``row``; all that it says where there is none.

    Args:
        columns: what the table has a column for, if it is one: the rest stays as it is.
    """
    names = {name: header.partition("（")[0] for header, name in COLUMNS[kind].items()}
    said = knowledge.content(item)
    for name in sorted(said, key=lambda one: list(names).index(one) if one in names else len(names)):
        value = said[name]
        if name in _UNSAID or (columns is not None and name not in columns):
            continue
        before = getattr(row, name) if row is not None else None
        if value != before and (row is not None or value not in (None, "", [])):
            yield Difference(names.get(name, name), _shown(name, before, titles), _shown(name, value, titles))


def _shown(name: str, value: Any, titles: Mapping[tuple[str, str], str]) -> str:
    """A value as a person reads it."""
    if value is None:
        return ""
    if name == "sources":
        return "\n".join(
            f"《{titles.get(('document', one['document']), one['document'])}》{one.get('clause') or ''}"
            f"{'（待核）' if one.get('unverified') else ''}"
            for one in value
        )
    if name == "guides":
        return "\n".join(titles.get(("guide", one), one) for one in value)
    if name == "stakes":
        return "重"
    if isinstance(value, list):
        return "\n".join(map(str, value))
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}……（共 {len(text)} 个字）"


def _passages(session: Session, document_id: str, pieces: list[tuple[str, str]]) -> list[Difference]:
    before = [(row.label, row.text) for row in knowledge.passages_of(session, document_id)]
    if before == pieces:
        return []
    old, new = [one for one in before if one not in pieces], [one for one in pieces if one not in before]

    def told(all_: list[tuple[str, str]], other: list[tuple[str, str]]) -> str:
        if not all_:
            return ""
        lines = [f"共 {len(all_)} 段", *(f"{label} {text}".strip() for label, text in other[:_PIECES])]
        return "\n".join([*lines, *(["……"] if len(other) > _PIECES else [])])

    return [Difference(PASSAGES, told(before, old), told(pieces, new))]


def _conflicts(there: Present, imported: str | None, reviewed_at: datetime | None) -> list[str]:
    """Why a change is not to be made unseen."""
    found, row = [], there.live
    if isinstance(row, QA) and row.status == "approved":
        found.append("系统里的这一条已经审核，正在作答；用文件里的，改动要由另一位审核以后才生效，在那以前照原来的答。")
    if isinstance(row, QA) and reviewed_at and row.reviewed_at and row.reviewed_at > reviewed_at:
        found.append("系统里的这一条在这份文件导出以后又审核过。")
    if imported is not None and imported != digest(there.said):
        found.append("上次从文件导入以后，有人在系统里改过这一条。")
    return found


def _near(
    session: Session,
    bundle: Bundle,
    items: Mapping[str, QA],
    found: list[Compared],
    titles: Mapping[tuple[str, str], str],
) -> None:
    """New questions that the system knows nearly so under another id."""
    new = [items[one.id] for one in found if one.kind == "qa" and one.what == "new"]
    if not new:
        return
    known = {qa.id: qa for qa in knowledge.all_qas(session) if qa.id not in items and qa.status != "retired"}
    best: dict[str, check.Near] = {}
    for pair in check.near([*known.values(), *new], start=len(known)):
        other, one = (pair.one, pair.other) if pair.one.id in known else (pair.other, pair.one)
        if other.id in known and one.id not in known and pair.share > getattr(best.get(one.id), "share", 0.0):
            best[one.id] = check.Near(one, other, pair.share, pair.text, pair.twin)
    others = present(session, "qa", [pair.other.id for pair in best.values()])
    for compared in found:
        near = best.get(compared.id) if compared.kind == "qa" and compared.what == "new" else None
        if near is not None:
            known_as = f"系统里有几乎一样的问题「{near.other.question}」（编号 {near.other.id}）。"
            compared.conflicts.append(known_as)
            other = others[near.other.id].said
            compared.other, compared.other_seen = near.other.id, digest(other)
            said = bundle.given.get(("qa", compared.id))
            compared.other_fields = list(_differences("qa", other, items[compared.id], titles, said))
