"""Lists of items for whoever works on the knowledge: by what is under way about them, a page at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from sqlalchemy import Select, exists, func, or_, select
from sqlalchemy.orm import Session

from bot.knowledge import comments
from bot.knowledge.changing import EDITING, RETURNED, SUBMITTED
from bot.models.knowledge import QA, Document, ServiceGuide
from bot.models.versions import QAComment, QARequest, QAVersion, WorkingCopy

Which = Literal[
    "all",
    "review",
    "submitted",
    "editing",
    "returned",
    "asked",
    "coming",
    "commented",
    "draft",
    "approved",
    "paused",
    "retired",
]
"""review: whatever waits for an approver, a draft that nobody took up too; asked: a move that waits for another person;
coming: a version that is approved and not in force yet; commented: comments that nobody has seen to; else a state of the working copy or a status"""


@dataclass(frozen=True)
class Wanted:
    """What is looked for."""

    which: Which = "all"
    text: str = ""
    """A part of the id, the question or the answer"""
    matter: str | None = None
    department: str | None = None
    changed_by: str | None = None
    """Who changed the working copy last"""


@dataclass(frozen=True)
class Row:
    """An item in a list."""

    qa: QA
    copy: WorkingCopy | None
    request: QARequest | None
    coming: date | None
    """The day on which its next version comes into force"""
    comments: int
    """Those that nobody has seen to"""


def listed(session: Session, wanted: Wanted, *, offset: int = 0, limit: int = 20) -> tuple[list[Row], int]:
    """Some of the items, and how many there are; what was submitted first waits longest and comes first, the rest by id."""
    query = _filtered(wanted)
    total = _count(session, query)
    order = (WorkingCopy.submitted_at.is_(None), WorkingCopy.submitted_at, QA.id)
    found = session.execute(query.order_by(*order).offset(offset).limit(limit)).all()
    due = (
        select(QAVersion.qa_id, func.min(QAVersion.due))
        .where(QAVersion.due.is_not(None), QAVersion.qa_id.in_([row[0].id for row in found]))
        .group_by(QAVersion.qa_id)
    )
    days = dict(iter(session.execute(due)))
    said = comments.unsettled(session, [row[0].id for row in found])
    return [Row(qa, copy, request, days.get(qa.id), said.get(qa.id, 0)) for qa, copy, request in found], total


def counts(session: Session) -> dict[str, int]:
    """How many items each list has that somebody has to do something about."""
    names: tuple[Which, ...] = ("review", "submitted", "editing", "returned", "asked", "coming", "commented", "paused")
    return {name: _count(session, _filtered(Wanted(name))) for name in names}


def documents(session: Session, text: str, *, limit: int = 20) -> list[Document]:
    """Policy documents with this in their title, number or id; those in force first."""
    found = or_(*(column.contains(text, autoescape=True) for column in (Document.title, Document.doc_no, Document.id)))
    query = select(Document).where(found) if text else select(Document)
    return list(session.scalars(query.order_by(Document.status != "有效", Document.title, Document.id).limit(limit)))


def guides(session: Session, text: str, *, limit: int = 20) -> list[ServiceGuide]:
    """Service guides with this in their title or id."""
    found = or_(ServiceGuide.title.contains(text, autoescape=True), ServiceGuide.id.contains(text, autoescape=True))
    query = select(ServiceGuide).where(found) if text else select(ServiceGuide)
    return list(session.scalars(query.order_by(ServiceGuide.title, ServiceGuide.id).limit(limit)))


def titles(session: Session, contents: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """What the documents, guides and items that stored contents name are called, by id."""
    all_ = list(contents)
    documents = {source["document"] for one in all_ for source in one.get("sources") or ()}
    named: tuple[tuple[type[Document | ServiceGuide | QA], set[str]], ...] = (
        (Document, documents),
        (ServiceGuide, {id_ for one in all_ for id_ in one.get("guides") or ()}),
        (QA, {id_ for one in all_ for id_ in one.get("related") or ()}),
    )
    found: dict[str, str] = {}
    for model, ids in named:
        title = QA.question if model is QA else model.title  # type: ignore[union-attr]
        found |= {row[0]: row[1] for row in session.execute(select(model.id, title).where(model.id.in_(ids)))}
    return found


def kinds(session: Session) -> tuple[dict[str, int], dict[str, int]]:
    """How many items each matter, and each department, has."""
    matters = session.execute(select(QA.matter, func.count()).group_by(QA.matter).order_by(QA.matter))
    owners = session.execute(
        select(QA.department, func.count())
        .where(QA.department.is_not(None))
        .group_by(QA.department)
        .order_by(QA.department)
    )
    return {row[0]: row[1] for row in matters}, {str(row[0]): row[1] for row in owners}


def _count(session: Session, query: Select[QA, WorkingCopy, QARequest]) -> int:
    return session.scalar(query.with_only_columns(func.count(), maintain_column_froms=True)) or 0


def _filtered(wanted: Wanted) -> Select[QA, WorkingCopy, QARequest]:
    query = (
        select(QA, WorkingCopy, QARequest)
        .outerjoin(WorkingCopy, WorkingCopy.qa_id == QA.id)
        .outerjoin(QARequest, QARequest.qa_id == QA.id)
    )
    which = wanted.which
    if which == "review":
        untouched = (QA.status == "draft") & WorkingCopy.qa_id.is_(None)
        query = query.where(or_(WorkingCopy.state == SUBMITTED, untouched, QARequest.qa_id.is_not(None)))
    elif which in (SUBMITTED, EDITING, RETURNED):
        query = query.where(WorkingCopy.state == which)
    elif which == "asked":
        query = query.where(QARequest.qa_id.is_not(None))
    elif which == "coming":
        query = query.where(exists().where(QAVersion.qa_id == QA.id, QAVersion.due.is_not(None)))
    elif which == "commented":
        query = query.where(exists().where(QAComment.qa_id == QA.id, QAComment.settled_at.is_(None)))
    elif which != "all":
        query = query.where(QA.status == which)
    if wanted.text:
        columns = (QA.id, QA.question, QA.answer)
        query = query.where(or_(*(column.contains(wanted.text, autoescape=True) for column in columns)))
    if wanted.matter is not None:
        query = query.where(QA.matter == wanted.matter)
    if wanted.department is not None:
        query = query.where(QA.department == wanted.department)
    if wanted.changed_by is not None:
        query = query.where(WorkingCopy.changed_by == wanted.changed_by)
    return query
