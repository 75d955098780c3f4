"""What the gate found of a bundle, as its files hold it: ``evaluations/<bundle>/`` in the data folder.

``report.json`` has the verdict, ``rows.jsonl`` one row a question, the worst first.  What citizens said is in neither: their questions
are named by the id that they have in ``asked``, and their words are read there as long as they are kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.errors import NotFound
from bot.models.asked import Asked
from bot.settings import Settings

REPORT, ROWS = "report.json", "rows.jsonl"
KINDS = ("gained", "lost", "wrong", "mended", "moved", "must")
"""What may have become of a question; see ``training.gate.rows.Row.kinds``"""
GONE = "（已清除）"


@dataclass(frozen=True)
class Page:
    """Some rows, and how many there are."""

    items: list[dict[str, Any]]
    total: int


def folder(settings: Settings, bundle: str) -> Path:
    """Where what was found of a bundle lies."""
    return settings.data_dir / "evaluations" / bundle


def report(settings: Settings, bundle: str) -> dict[str, Any]:
    """Raises: NotFound: it was never evaluated, or its files are gone."""
    path = folder(settings, bundle) / REPORT
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NotFound("这个发布包还没有评测报告。") from error
    return found


def rows(
    session: Session,
    settings: Settings,
    bundle: str,
    *,
    kind: str | None = None,
    source: str | None = None,
    offset: int = 0,
    limit: int = 30,
) -> Page:
    """Rows of a report, with the words that are still kept.  Raises: NotFound."""
    report(settings, bundle)
    found, total = [], 0
    with (folder(settings, bundle) / ROWS).open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if (kind and kind not in row["kinds"]) or (source and row["source"] != source):
                continue
            if offset <= total < offset + limit:
                found.append(row)
            total += 1
    said = _words(session, [row["id"] for row in found if row["text"] is None])
    return Page([{**row, "text": row["text"] or said.get(row["id"], GONE)} for row in found], total)


def _words(session: Session, ids: list[str]) -> Mapping[str, str]:
    rows_ = session.execute(select(Asked.id, Asked.said).where(Asked.id.in_(ids))) if ids else ()
    return {id_: said["text"] for id_, said in rows_}
