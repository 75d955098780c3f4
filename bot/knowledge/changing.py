"""Bringing items in, many at a time: what nobody knew is added, what was never published is changed in place, and of what is
published a working copy is made, which somebody else has to approve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import events, policy_changes
from bot.accounts.roles import APPROVER
from bot.clock import SHANGHAI, utcnow
from bot.knowledge.content import content, stored
from bot.knowledge.publishing import SYSTEM, bring_in, first, publish
from bot.knowledge.reading import CHUNK, Knowledge
from bot.knowledge.revision import bump, lock
from bot.knowledge.wrong import sense, wrong_answers
from bot.models.knowledge import QA, Document, ServiceGuide
from bot.models.people import Person
from bot.models.versions import WorkingCopy
from bot.settings import get_settings

EDITING, SUBMITTED, RETURNED = "editing", "submitted", "returned"
"""States of a working copy"""


@dataclass
class Changes:
    """What an upsert did: ids of the items, in the order given."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    """In their row, or in their working copy"""
    unchanged: list[str] = field(default_factory=list)
    working: list[str] = field(default_factory=list)
    """Of the changed: those that are published, and go on saying what they said until the change is approved"""
    unreviewed: list[str] = field(default_factory=list)
    """Those whose review could not be taken over"""
    held: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Left as they are, since these people's changes have not been approved yet"""
    fields: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """For a changed item: the columns that differ"""


def upsert(session: Session, items: Sequence[Knowledge], by: str = SYSTEM) -> Changes:
    """Add or change many items of one kind, with a few queries for some hundred of them and at most one revision.

    When an item is to be looked at again is no content: it changes at once.  A review that comes with an item, and is newer than
    the one in the database, is taken over together with its status: in production only if the reviewer is another person than
    whoever brings it, with an account that may approve.

    Args:
        items: new objects that belong to no session, with distinct ids; a QA's ``revision`` is set here.
        by: who brings them, the author of what changes.
    """
    lock(session)
    changes, now = Changes(), utcnow()
    bring_in(session, now.astimezone(SHANGHAI).date())  # what is compared is what is in force
    touched: list[QA] = []
    documents: list[tuple[Document, tuple[str, str | None]]] = []
    for start in range(0, len(items), CHUNK):
        chunk = items[start : start + CHUNK]
        model = type(chunk[0])
        ids = [item.id for item in chunk]
        present = {row.id: row for row in session.scalars(select(model).where(model.id.in_(ids)))}
        copies: dict[str, WorkingCopy] = {}
        wrong: dict[str, dict[str, int]] = {}
        if model is QA:
            wrong = wrong_answers(session, ids)
            copies = {row.qa_id: row for row in session.scalars(select(WorkingCopy).where(WorkingCopy.qa_id.in_(ids)))}
        for item in chunk:
            row = present.get(item.id)
            force = (row.status, row.replaced_by) if isinstance(row, Document) else ("", None)
            if isinstance(item, QA):
                assert row is None or isinstance(row, QA)
                says_wrong = sense(item.answer) in wrong.get(item.id, ())
                live = _bring_qa(session, row, item, copies.get(item.id), by, changes, now, says_wrong=says_wrong)
                if live is not None:
                    touched.append(live)
            elif row is None:
                session.add(item)
                changes.added.append(item.id)
            elif names := _overwrite(row, item):
                if isinstance(row, Document):
                    documents.append((row, force))
                changes.changed.append(item.id)
                changes.fields[item.id] = names
            else:
                changes.unchanged.append(item.id)
    if set(changes.added + changes.changed) - set(changes.working):
        number = bump(session)
        for qa in touched:
            qa.revision = number
    session.flush()
    for document, before in documents:
        policy_changes.noticed(session, document, before)
    policy_changes.refresh_stops(session, [id_ for id_, names in changes.fields.items() if "sources" in names])
    return changes


def _bring_qa(
    session: Session,
    row: QA | None,
    item: QA,
    copy: WorkingCopy | None,
    by: str,
    changes: Changes,
    now: datetime,
    *,
    says_wrong: bool,
) -> QA | None:
    """Bring one Q&A in; its row, if that changed.  ``says_wrong``: its answer was withdrawn as wrong, which no review heals."""
    reviewed = item.status == "approved" or (item.status != "draft" and item.reviewed_at is not None)
    if reviewed and (says_wrong or not _credible(session, item, by, copy)):
        reviewed = False
        if row is None or row.status != item.status:
            changes.unreviewed.append(item.id)
        item.status = "draft" if item.status == "approved" else item.status
        item.reviewed_by = item.reviewed_at = None
    if row is None:
        return _added(session, item, by, changes, now, reviewed=reviewed)
    new = tuple(name for name, value in content(item).items() if getattr(row, name) != value)
    newer = reviewed and item.reviewed_at and (row.reviewed_at is None or item.reviewed_at > row.reviewed_at)
    if not newer and (not new or (copy is not None and copy.content == stored(content(item)))):
        changes.unchanged.append(item.id)
        return None
    only_when = not newer and set(new) == {"review_by"}
    others = set(copy.authors) - {by} if copy is not None else set()
    if others and not only_when:
        changes.held[item.id] = tuple(sorted(others))
        return None
    row.edits += 1
    events.publish(session, "knowledge", row.id)
    changes.changed.append(row.id)
    changes.fields[row.id] = (*new, "status") if newer else new
    if newer:
        _take_over(session, row, item, copy, by, now, new=bool(new))
    elif only_when:
        row.review_by = item.review_by
        if copy is not None and copy.content is not None:
            copy.content = {**copy.content, **stored({"review_by": item.review_by})}
    elif row.version is None:
        _overwrite(row, item)
        if copy is not None or by != SYSTEM:
            session.add(_submitted(item, copy, by, now))
    else:
        copy = _submitted(item, copy, by, now)
        copy.content, copy.base = stored(content(item)), row.version
        session.add(copy)
        changes.working.append(row.id)
        return None
    return row


def _added(session: Session, item: QA, by: str, changes: Changes, now: datetime, *, reviewed: bool) -> QA:
    item.edits, item.version = 0, None
    session.add(item)
    if reviewed:
        first(session, item, [by])
    elif by != SYSTEM:
        session.add(_submitted(item, None, by, now))
    events.publish(session, "knowledge", item.id)
    changes.added.append(item.id)
    return item


def _take_over(
    session: Session, row: QA, item: QA, copy: WorkingCopy | None, by: str, now: datetime, *, new: bool
) -> None:
    """An item together with its newer review."""
    at = item.reviewed_at or now
    published = None
    if new or row.version is None:
        today = now.astimezone(SHANGHAI).date()
        said = stored(content(item))
        published = publish(session, row, said, authors=[by], by=item.reviewed_by, at=at, today=today)
    if published is None or published.due is None:
        row.reviewed_by, row.reviewed_at = item.reviewed_by, at
    row.status, row.replaced_by = item.status, item.replaced_by
    if copy is not None:
        session.delete(copy)


def _credible(session: Session, item: QA, by: str, copy: WorkingCopy | None) -> bool:
    """Whether a review that comes in a file counts."""
    if get_settings().env != "production":
        return True
    if not item.reviewed_by or item.reviewed_by == by or (copy is not None and item.reviewed_by in copy.authors):
        return False
    person = session.get(Person, item.reviewed_by)
    return person is not None and person.active and APPROVER in person.roles


def _submitted(item: QA, copy: WorkingCopy | None, by: str, now: datetime) -> WorkingCopy:
    """The working copy as whoever imports leaves it: ready for review."""
    copy = copy or WorkingCopy(qa_id=item.id, content=None, base=None, authors=[])
    if by != SYSTEM:
        copy.authors = sorted({*copy.authors, by})
    copy.state, copy.changed_by, copy.changed_at, copy.submitted_at = SUBMITTED, by, now, now
    copy.reason = None
    return copy


def _overwrite(row: Knowledge, item: Knowledge) -> tuple[str, ...]:
    """Let a row say what the item says; the columns that changed."""
    new: dict[str, Any] = {name: value for name, value in content(item).items() if getattr(row, name) != value}
    for name, value in new.items():
        setattr(row, name, value)
    return tuple(new)


def upsert_document(session: Session, document: Document) -> bool:
    """Add or change one document.  Whether anything changed."""
    return not upsert(session, [document]).unchanged


def upsert_guide(session: Session, guide: ServiceGuide) -> bool:
    """Add or change one service guide.  Whether anything changed."""
    return not upsert(session, [guide]).unchanged


def upsert_qa(session: Session, qa: QA) -> bool:
    """Add or change one question and answer, as ``upsert`` does.  Whether it, or its working copy, changed."""
    changes = upsert(session, [qa])
    return bool(changes.added or changes.changed)
