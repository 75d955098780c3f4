"""The starting set (起始题库): labelled questions that come with the program and that nothing of it was fitted on."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bot import audit, database
from bot.clock import utcnow
from bot.golden.proposals import made
from bot.golden.questions import OURS, STRATA, Content
from bot.golden.taught import letters, taught
from bot.masking import mask
from bot.models.golden import GoldenQuestion
from bot.settings import ROOT, Settings

SYSTEM = "系统"
MUST = Path(__file__).with_name("must.txt")
"""Questions of the starting set that are 必对, one a line"""


def ensure(settings: Settings) -> None:
    """``start``, for whoever looks, in a transaction of its own."""
    with database.read() as session:
        if session.scalar(select(GoldenQuestion.id).limit(1)) is not None:
            return
    with contextlib.suppress(IntegrityError), database.write() as session:  # another process was first
        start(session, settings)


def start(session: Session, settings: Settings) -> int:
    """Load the starting set where there is no golden set yet; how many questions were loaded."""
    if session.scalar(select(GoldenQuestion.id).limit(1)) is not None:
        return 0
    known, now = taught(session, settings), utcnow()
    must = frozenset(filter(None, MUST.read_text(encoding="utf-8").split("\n")))
    found: dict[str, Content] = {}
    for content in _contents(settings):
        if known.where(content.text, content.act) is None and mask(content.text) == content.text:
            found.setdefault(letters(content.text), content)
    rows = [
        made(_id(content), Content(**vars(content) | {"must": content.text in must}), OURS, SYSTEM, now)
        for content in found.values()
    ]
    session.add_all(rows)
    if rows:
        session.flush()
        audit.record(session, SYSTEM, "golden.start", "起始题库", questions=len(rows))
    return len(rows)


def _id(content: Content) -> str:
    """The same in every city."""
    return hashlib.sha256(f"{content.act or ''}\n{content.text}".encode()).hexdigest()[:32]


def _contents(settings: Settings) -> Iterator[Content]:
    for pattern in filter(None, (one.strip() for one in settings.golden_questions.split(","))):
        for path in sorted(ROOT.glob(pattern)):
            for line in path.read_text(encoding="utf-8").split("\n"):
                if line.strip() and (content := _content(json.loads(line), path)) is not None:
                    yield content


def _content(row: dict[str, Any], path: Path) -> Content | None:
    """None: what follows on another message, or was never labelled."""
    if "act" in row:
        return Content(row["text"], act=row["act"], stratum="act")
    if "prev" in row or row.get("qa") is None:
        return None
    named = str(row.get("register") or path.stem.partition("_")[0])
    return Content(row["q"], tuple(row["qa"]), stratum=named if named in STRATA else "questions")
