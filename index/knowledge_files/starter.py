"""The starter knowledge: loaded at the first start, and again where it changed and nobody touched it."""

from __future__ import annotations

import json
from hashlib import blake2b
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import knowledge
from bot.models.housekeeping import Counter
from bot.models.knowledge import QA, Document, ServiceGuide
from index.knowledge_files.importing import ImportReport, Item, record_import, resolve, tally
from index.knowledge_files.office_files import shown_name
from index.knowledge_files.reading import read_folder
from index.knowledge_files.rows import MODELS, Kind

STARTER = Path(__file__).parents[1] / "knowledge"
"""The starter knowledge: national rules, 示范知识，待本市部门审核."""
_LOADED = "starter:"  # counters that hold digests of what was loaded: of all files, and of each item


def load_starter(session: Session, folder: Path = STARTER) -> ImportReport:
    """Load the starter knowledge as drafts, on the first run and again whenever its files have changed.

    What operations have changed, reviewed, paused or removed since is never overwritten (``kept`` in the report), nor
    are the documents and guides that an item beyond draft refers to.
    """
    files = sorted(folder.glob("*.y*ml"))
    whole = _digest([(shown_name(path), path.read_bytes().hex()) for path in files])
    if session.scalar(select(Counter.value).where(Counter.name == f"{_LOADED}files")) == whole:
        return ImportReport()
    knowledge.lock(session)
    bundle = read_folder(folder)
    objects, problems = resolve(session, bundle)
    report = ImportReport(problems=bundle.problems + problems, written=True)
    loaded = {row.name: row for row in session.scalars(select(Counter).where(Counter.name.startswith(_LOADED)))}
    relied = _relied_on(session)
    for kind, items in objects.items():
        model = MODELS[kind]
        present: dict[str, Any] = {row.id: row for row in session.scalars(select(model)).all()}
        ours = []
        for item in items:
            name, row = f"{_LOADED}{kind}:{item.id}", present.get(item.id)
            mark = loaded.get(name)
            if row is not None and knowledge.content(row) != knowledge.content(item):
                touched = mark is None or mark.value != _loaded_digest(row)
                if touched or item.id in relied[kind] or (isinstance(row, QA) and row.status != "draft"):
                    report.kept.append(Item(kind, item.id))
                    continue
            elif row is None and mark is not None:
                report.kept.append(Item(kind, item.id))
                continue
            ours.append(item)
            if mark is None:
                session.add(Counter(name=name, value=_loaded_digest(item)))
            else:
                mark.value = _loaded_digest(item)
        changes = knowledge.upsert(session, ours)
        tally(report, kind, changes)
        report.kept += [Item(kind, id_) for id_ in changes.held]
    session.merge(Counter(name=f"{_LOADED}files", value=whole))
    if report.added or report.changed:
        record_import(session, "系统", ["示范知识"], report)
    session.flush()
    return report


def _relied_on(session: Session) -> dict[Kind, set[str]]:
    """Documents and guides of items that are beyond draft: a change of them would change what was reviewed."""
    rows = session.execute(select(QA.sources, QA.guides).where(QA.status != "draft")).all()
    return {
        "document": {source["document"] for row in rows for source in row.sources},
        "guide": {id_ for row in rows for id_ in row.guides},
        "qa": set(),
    }


def _loaded_digest(item: Document | ServiceGuide | QA) -> int:
    """Of an item's content.  A column that came later counts only where it is filled: older digests still hold."""
    content = knowledge.content(item)
    later = {"review_by", "stakes", "condition", "report"}
    return _digest({name: value for name, value in content.items() if name not in later or value})


def _digest(value: Any) -> int:
    """63 bits of a JSON value, as a counter holds them."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) >> 1
