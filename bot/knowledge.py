"""The knowledge in the database: questions and answers, policy documents, service guides, and their revision.

Every change takes the next knowledge revision in its own transaction, so an index version can say how far it lags
behind.  An item's status is looked at when it answers, not when the index is built: pausing works at once.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bot import audit, policy_changes, replies
from bot.clock import SHANGHAI, utcnow
from bot.errors import IllegalMove, InvalidInput, NotFound
from bot.models.housekeeping import Counter
from bot.models.knowledge import QA, Document, Passage, ServiceGuide
from bot.settings import get_settings

REVISION = "knowledge_revision"
OTHER = "其他"
"""The matter of what belongs to none yet"""
"""Name of the counter that holds the knowledge revision."""

STATUS_NAMES = {"draft": "草稿", "approved": "已审核", "paused": "停用", "retired": "已退役"}
"""The statuses of an item and their names for people."""

MOVES = {
    "draft": {"approved", "paused"},
    "approved": {"draft", "paused", "retired"},
    "paused": {"draft", "approved", "retired"},
    "retired": {"draft"},
}
"""From a status to those that may follow it."""

_REVIEW = {"status", "stops_on", "replaced_by", "reviewed_by", "reviewed_at", "revision"}
_CHUNK = 500  # ids a query; far below any database's bound on parameters

Knowledge = TypeVar("Knowledge", Document, ServiceGuide, QA)


class Standing(StrEnum):
    """Whether an item may answer today, and if not, why."""

    CURRENT = "current"
    """Reviewed and in force."""
    UNDER_REVIEW = "under_review"
    """A draft, in development: answers with a note."""
    NOT_APPROVED = "not_approved"
    """A draft, in production: never answers."""
    PAUSED = "paused"
    EXPIRED = "expired"
    """Its last day of validity has passed."""
    NOT_YET = "not_yet"
    """Its first day of validity is still to come."""
    RETIRED = "retired"
    BASIS_GONE = "basis_gone"
    """What it rests on is repealed or replaced, and by setting it waits for its review."""

    @property
    def answers(self) -> bool:
        """Whether an item of this standing may be given as an answer."""
        return self in (Standing.CURRENT, Standing.UNDER_REVIEW)


@dataclass
class Changes:
    """What an upsert did: ids of the items, in the order given."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    fields: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """For a changed item: the columns that differ"""


# --- revision --------------------------------------------------------------------------------------------------------


def revision(session: Session) -> int:
    """The knowledge revision: 0 for an empty database, and one more with every transaction that changed something."""
    return session.scalar(select(Counter.value).where(Counter.name == REVISION)) or 0


def bump(session: Session) -> int:
    """Take the next revision.  It holds the counter's row until the commit, so revisions follow the commits' order."""
    return _advance(session, 1)


def lock(session: Session) -> None:
    """Wait until no other transaction is changing knowledge, and keep the others out until this one ends."""
    _advance(session, 0)


def _advance(session: Session, by: int) -> int:
    advance = (
        update(Counter)
        .where(Counter.name == REVISION)
        .values(value=Counter.value + by)
        .returning(Counter.value)
        .execution_options(synchronize_session=False)
    )
    value = session.scalar(advance)
    if value is None:
        try:
            with session.begin_nested():
                session.add(Counter(name=REVISION, value=0))
        except IntegrityError:  # another transaction made the row in this moment
            pass
        value = session.scalar(advance)
    assert value is not None
    return value


# --- changing --------------------------------------------------------------------------------------------------------


def content(item: Document | ServiceGuide | QA) -> dict[str, Any]:
    """What an item says, by column: all but the state of its review and its revision.

    That a document is public is said by silence: so no file makes an internal one public again.
    """
    skip = _REVIEW if isinstance(item, QA) else set()
    if isinstance(item, Document) and item.internal_confirmed_by is None:
        skip = {"internal_confirmed_by"}
    return {name: getattr(item, name) for name in item.__table__.columns.keys() if name not in skip}  # noqa: SIM118


def upsert(session: Session, items: Sequence[Knowledge]) -> Changes:
    """Add or change many items of one kind, with one query a few hundred of them and at most one revision.

    A reviewed answer whose content changes is no longer what was reviewed: it becomes a draft again and its review is
    cleared (paused and retired items stay so); when it is to be looked at again is no content.  A review that comes with the item, and is newer than the one in the
    database, is taken over together with its status.

    Args:
        items: new objects that belong to no session, with distinct ids; a QA's ``revision`` is set here.
    """
    lock(session)
    changes = Changes()
    touched: list[QA] = []
    documents: list[tuple[Document, tuple[str, str | None]]] = []
    for start in range(0, len(items), _CHUNK):
        chunk = items[start : start + _CHUNK]
        model = type(chunk[0])
        rows = session.scalars(select(model).where(model.id.in_([item.id for item in chunk])))
        present = {row.id: row for row in rows}
        for item in chunk:
            row = present.get(item.id)
            force = (row.status, row.replaced_by) if isinstance(row, Document) else ("", None)
            if row is None:
                session.add(item)
                changes.added.append(item.id)
                if isinstance(item, QA):
                    touched.append(item)
            elif names := _overwrite(row, item):
                if isinstance(row, Document):
                    documents.append((row, force))
                changes.changed.append(item.id)
                changes.fields[item.id] = names
                if isinstance(row, QA):
                    touched.append(row)
            else:
                changes.unchanged.append(item.id)
    if changes.added or changes.changed:
        number = bump(session)
        for qa in touched:
            qa.revision = number
    session.flush()
    for document, before in documents:
        policy_changes.noticed(session, document, before)
    policy_changes.refresh_stops(session, [id_ for id_, names in changes.fields.items() if "sources" in names])
    return changes


def _overwrite(row: Knowledge, item: Knowledge) -> tuple[str, ...]:
    """Bring ``row`` to what ``item`` says.  The columns that changed."""
    new: dict[str, Any] = {name: value for name, value in content(item).items() if getattr(row, name) != value}
    for name, value in new.items():
        setattr(row, name, value)
    if not isinstance(row, QA) or not isinstance(item, QA):
        return tuple(new)
    if item.reviewed_at and (row.reviewed_at is None or item.reviewed_at > row.reviewed_at):
        row.status, row.replaced_by = item.status, item.replaced_by
        row.reviewed_by, row.reviewed_at = item.reviewed_by, item.reviewed_at
        return (*new, "status")
    if new.keys() - {"review_by"}:
        row.status = "draft" if row.status == "approved" else row.status
        row.reviewed_by = row.reviewed_at = None
    return tuple(new)


def set_passages(session: Session, document_id: str, passages: Sequence[tuple[str, str]]) -> bool:
    """Replace a document's own text by (label, text) pairs in their order.  Whether anything changed."""
    lock(session)
    rows = session.scalars(select(Passage).where(Passage.document_id == document_id).order_by(Passage.position)).all()
    if [(row.label, row.text) for row in rows] == list(passages):
        return False
    session.execute(delete(Passage).where(Passage.document_id == document_id))
    session.add_all(
        Passage(document_id=document_id, position=n, label=label, text=text) for n, (label, text) in enumerate(passages)
    )
    bump(session)
    session.flush()
    if rows and _words(row.text for row in rows) != _words(text for _, text in passages):
        policy_changes.text_changed(session, document_id)
    return True


def _words(texts: Iterable[str]) -> str:
    """A text however it is cut into pieces."""
    return "".join("".join(texts).split())


def passages_in_force(session: Session, today: date) -> list[tuple[Passage, Document]]:
    """The passages of every public document that is in force on a day, by document and position."""
    rows = session.execute(
        select(Passage, Document)
        .join(Document, Document.id == Passage.document_id)
        .order_by(Passage.document_id, Passage.position)
    )
    return [(row[0], row[1]) for row in rows if in_force(row[1], today)]


def internal_documents(session: Session) -> list[Document]:
    """The documents that are for staff alone, by id."""
    return list(
        session.scalars(select(Document).where(Document.internal_confirmed_by.is_not(None)).order_by(Document.id))
    )


def passages_of(session: Session, document_id: str) -> list[Passage]:
    """A document's own text, for whoever may see it, in its order."""
    return list(session.scalars(select(Passage).where(Passage.document_id == document_id).order_by(Passage.position)))


def in_force(document: Document, today: date) -> bool:
    """Whether a document's text may be shown to citizens as what holds on a day: never that of an internal one."""
    public = document.internal_confirmed_by is None
    effective = document.effective is None or document.effective <= today
    return public and document.status == "有效" and document.replaced_by is None and effective


def upsert_document(session: Session, document: Document) -> bool:
    """Add or change one document.  Whether anything changed."""
    return not upsert(session, [document]).unchanged


def upsert_guide(session: Session, guide: ServiceGuide) -> bool:
    """Add or change one service guide.  Whether anything changed."""
    return not upsert(session, [guide]).unchanged


def upsert_qa(session: Session, qa: QA) -> bool:
    """Add or change one question and answer; see ``upsert`` for what that does to its review.  Whether it changed."""
    return not upsert(session, [qa]).unchanged


def propose(session: Session, question: str, answer: str, by: str, region: str, now: datetime) -> QA:
    """A draft from the desk: what somebody was asked and answered, for an editor to take up.  It answers nobody before it is reviewed."""
    draft = QA(
        id=f"desk-{uuid.uuid4().hex[:12]}",
        matter=OTHER,
        question=question,
        answer=answer,
        similar=[],
        sources=[],
        guides=[],
        related=[],
        themes=[],
        report=[],
        audience="个人和企业",
        region=region,
        as_of=now.astimezone(SHANGHAI).date(),
        status="draft",
        revision=0,
    )
    upsert_qa(session, draft)
    audit.record(session, by, "qa.propose", draft.id)
    return draft


def set_status(session: Session, qa_id: str, status: str, actor: str, *, replaced_by: str | None = None) -> QA:
    """Approve (``approved``), pause, retire or take back to draft.  The audit log keeps who did it.

    Args:
        replaced_by: the item that takes a retired one's place.

    Raises:
        NotFound: no such item.
        IllegalMove: the status can't follow the present one; see ``MOVES``.
        InvalidInput: an unknown status, or a replacement that does not exist or isn't one.
    """
    if status not in MOVES:
        raise InvalidInput(f"没有「{status}」这种状态，可用的有：{'、'.join(MOVES)}。")
    qa = session.get(QA, qa_id, with_for_update=True, populate_existing=True)
    if qa is None:
        raise NotFound(f"没有编号为 {qa_id} 的问答。")
    if status not in MOVES[qa.status]:
        raise IllegalMove(f"问答 {qa_id} 现在是「{STATUS_NAMES[qa.status]}」，不能改为「{STATUS_NAMES[status]}」。")
    if replaced_by is not None:
        if status != "retired" or replaced_by == qa_id:
            raise InvalidInput("只有退役的问答可以指定替代它的另一条问答。")
        if session.get(QA, replaced_by) is None:
            raise InvalidInput(f"用来替代的问答 {replaced_by} 不存在。")
    before, qa.status, qa.replaced_by = qa.status, status, replaced_by
    if status == "approved":
        qa.reviewed_by, qa.reviewed_at = actor, utcnow()
    elif status == "draft":
        qa.reviewed_by = qa.reviewed_at = None
    qa.revision = bump(session)
    audit.record(session, actor, f"qa.{status}", qa_id, before=before, replaced_by=replaced_by)
    session.flush()
    return qa


def confirm_sources(session: Session, qa_id: str, actor: str) -> bool:
    """Take the marks 依据待核 off an item: somebody has compared it with the official texts.  Whether it had any.

    Raises:
        NotFound: no such item.
    """
    qa = session.get(QA, qa_id, with_for_update=True, populate_existing=True)
    if qa is None:
        raise NotFound(f"没有编号为 {qa_id} 的问答。")
    marked = [source["document"] for source in qa.sources if source.get("unverified")]
    if not marked:
        return False
    qa.sources = [{name: source[name] for name in source if name != "unverified"} for source in qa.sources]
    qa.revision = bump(session)
    audit.record(session, actor, "qa.sources_confirmed", qa_id, documents=marked)
    session.flush()
    return True


# --- reading ---------------------------------------------------------------------------------------------------------


def answerable(qa: QA, *, today: date, production: bool) -> Standing:
    """Whether an item may answer on a day.  Both ends of its validity are inclusive.

    In production a draft says nothing at all, not even that it has expired: nobody has vouched for it.
    """
    if qa.status == "retired":
        return Standing.RETIRED
    if qa.status == "paused":
        return Standing.PAUSED
    if qa.status != "approved" and production:
        return Standing.NOT_APPROVED
    if qa.valid_to is not None and qa.valid_to < today:
        return Standing.EXPIRED
    if qa.valid_from is not None and qa.valid_from > today:
        return Standing.NOT_YET
    if policy_changes.stopped(qa, today):
        return Standing.BASIS_GONE
    return Standing.CURRENT if qa.status == "approved" else Standing.UNDER_REVIEW


def get_many(session: Session, ids: Iterable[str]) -> dict[str, QA]:
    """The Q&As of these ids that exist, by id, as the database has them now."""
    return find(session, QA, ids)


def find(session: Session, model: type[Knowledge], ids: Iterable[str]) -> dict[str, Knowledge]:
    """The items of one kind and these ids that exist, by id in the order asked, as the database has them now."""
    found: dict[str, Knowledge] = {}
    wanted = list(dict.fromkeys(ids))
    for start in range(0, len(wanted), _CHUNK):
        query = select(model).where(model.id.in_(wanted[start : start + _CHUNK]))
        found |= {row.id: row for row in session.scalars(query.execution_options(populate_existing=True))}
    return {id_: found[id_] for id_ in wanted if id_ in found}


def all_qas(session: Session) -> list[QA]:
    """Every question and answer, whatever its status, by id."""
    return list(session.scalars(select(QA).order_by(QA.id)))


def expand(
    session: Session,
    qa: QA,
    *,
    today: date | None = None,
    production: bool | None = None,
    local: Mapping[str, list[replies.Local]] = {},
) -> tuple[list[replies.Source], list[replies.Guide], list[replies.Related]]:
    """What an answer rests on, how to act on it, and what people ask next; at most three queries.

    References to something that isn't there, or to an internal document, are left out.  A related item is offered only
    if it may answer itself: ``today`` (default: today in China) and ``production`` (default: the settings) decide, as in
    ``answerable``.

    Args:
        local: the region's own figures that go with a guide, by its id.
    """
    today = today or datetime.now(ZoneInfo("Asia/Shanghai")).date()
    production = get_settings().env == "production" if production is None else production
    documents = find(session, Document, [source["document"] for source in qa.sources])
    guides = find(session, ServiceGuide, qa.guides)
    related = find(session, QA, qa.related)
    return (
        [
            replies.Source(
                title=document.title,
                doc_no=document.doc_no,
                issuer=document.issuer,
                clause=source.get("clause"),
                url=document.url,
                unverified=source.get("unverified", False),
            )
            for source in qa.sources
            if (document := documents.get(source["document"])) and document.internal_confirmed_by is None
        ],
        [
            replies.Guide(
                **{name: getattr(guide, name) for name in replies.Guide.model_fields if name != "local"},
                local=local.get(id_, []),
            )
            for id_ in qa.guides
            if (guide := guides.get(id_))
        ],
        [
            replies.Related(qa_id=other.id, question=other.question)
            for id_ in qa.related
            if (other := related.get(id_)) and answerable(other, today=today, production=production).answers
        ],
    )
