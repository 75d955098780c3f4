"""What a changed document means for what rests on it: it is listed for review, in the transaction of the change and however that came.

The items themselves stay as they are.  With ``YIHAODA_STOP_REPEALED`` a Q&A whose document is repealed or replaced stops answering on the
day of effect, until its review is settled: `QA.stops_on`, which follows from the open reviews and from nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import events
from bot.clock import SHANGHAI, utcnow
from bot.models.knowledge import QA, Document, ServiceGuide
from bot.models.reviews import DocumentChange, Review
from bot.settings import get_settings

AMENDED, REPEALED, REPLACED = "amended", "repealed", "replaced"
SAID = {AMENDED: "已修改", REPEALED: "已废止", REPLACED: "已被新文件替代"}
"""What people read of a document"""
GONE = (REPEALED, REPLACED)
"""What an answer can't rest on any more"""
SYSTEM = "系统"


def stopped(qa: QA, today: date) -> bool:
    """Whether an item does not answer because what it rests on holds no more, and nobody has settled that yet."""
    return qa.stops_on is not None and qa.stops_on <= today


def resting(session: Session, document_id: str) -> tuple[list[QA], list[ServiceGuide]]:
    """The Q&As that rest on a document, retired ones left out, and the guides that they name; by id."""
    rows = session.execute(select(QA.id, QA.sources).where(QA.status != "retired").order_by(QA.id))
    ids = [row.id for row in rows if any(source["document"] == document_id for source in row.sources)]
    qas = [session.get_one(QA, id_) for id_ in ids]
    named = sorted({guide for qa in qas for guide in qa.guides})
    return qas, [guide for id_ in named if (guide := session.get(ServiceGuide, id_)) is not None]


def noticed(session: Session, document: Document, before: tuple[str, str | None]) -> None:
    """A document's row has changed: if its force has, what rests on it is listed; and if it holds again, that is taken back.

    Args:
        before: its status and what replaced it, as they were.
    """
    if (document.status, document.replaced_by) == before:
        return
    what = force(document)
    if what is None:
        take_back(session, document.id)
        return
    if _known(session, document.id, what, document.replaced_by) is None:
        replacement = session.get(Document, document.replaced_by) if document.replaced_by else None
        effective = (replacement.effective if replacement else None) or _today()
        add(session, document, what, effective, SYSTEM, "文件的状态有了变化。", replaced_by=document.replaced_by)


def text_changed(session: Session, document_id: str) -> None:
    """A document's own text was imported anew and reads otherwise: what rests on it is listed."""
    document = session.get_one(Document, document_id)
    add(session, document, AMENDED, _today(), SYSTEM, "重新导入的原文和以前的不同。")


def force(document: Document) -> str | None:
    """What has become of a document, by its row; None: it is in force, as it was issued or as amended long ago."""
    if document.replaced_by:
        return REPLACED
    return {"已废止": REPEALED, "已修改": AMENDED}.get(document.status)


def add(
    session: Session,
    document: Document,
    what: str,
    effective: date,
    by: str,
    note: str,
    *,
    replaced_by: str | None = None,
) -> DocumentChange:
    """Keep a change and list what rests on the document.  The document's own row takes it over on its day: see `apply_due`."""
    now = utcnow()
    change = DocumentChange(
        document_id=document.id,
        what=what,
        effective=effective,
        replaced_by=replaced_by,
        note=note,
        by=by,
        at=now,
        applied_at=now if force(document) == what else None,
    )
    session.add(change)
    session.flush()
    list_for_review(session, change, now)
    return change


def apply_due(session: Session, today: date) -> list[DocumentChange]:
    """Have the documents' rows say what holds from today on; the changes whose day has come."""
    due = select(DocumentChange).where(
        DocumentChange.applied_at.is_(None), DocumentChange.undone_at.is_(None), DocumentChange.effective <= today
    )
    found = list(session.scalars(due.order_by(DocumentChange.effective, DocumentChange.id)))
    for change in found:
        document = session.get(Document, change.document_id)
        if document is not None and change.what == AMENDED:
            document.status = "已修改" if document.status == "有效" else document.status
        elif document is not None:
            document.status = "已废止"
            document.replaced_by = change.replaced_by or document.replaced_by
        change.applied_at = utcnow()
    session.flush()
    return found


def take_back(session: Session, document_id: str) -> None:
    """A change was none: it counts no more, and what was listed for it is settled."""
    now = utcnow()
    for change in session.scalars(
        select(DocumentChange).where(DocumentChange.document_id == document_id, DocumentChange.undone_at.is_(None))
    ):
        change.undone_at = now
        for review in session.scalars(select(Review).where(Review.change == change.id, Review.settled_at.is_(None))):
            close(session, review, SYSTEM, "文件恢复有效。", now)
    session.flush()
    refresh_stops(session, [qa.id for qa in resting(session, document_id)[0]])


def list_for_review(session: Session, change: DocumentChange, now: datetime) -> None:
    """Put everything that rests on a changed document under review, each item once for each change."""
    qas, guides = resting(session, change.document_id)
    for kind, items in (("qa", qas), ("guide", guides)):
        for item in items:
            put(session, kind, item.id, change, item.department, now)
    session.flush()
    refresh_stops(session, [qa.id for qa in qas])


def put(session: Session, kind: str, item: str, change: DocumentChange, department: str | None, now: datetime) -> bool:
    """Put one item under review for a change; False: that was done before, settled or not."""
    known = select(Review.id).where(Review.kind == kind, Review.item == item, Review.change == change.id).limit(1)
    if session.scalar(known) is not None:
        return False
    review = Review(
        kind=kind,
        item=item,
        why=change.what,
        about=change.document_id,
        change=change.id,
        effective=change.effective,
        department=department,
        since=now,
        due=max(change.effective, now.astimezone(SHANGHAI).date()),
    )
    session.add(review)
    tell(session, department)
    return True


def close(session: Session, review: Review, by: str, said: str, now: datetime) -> None:
    """Settle a review that is open."""
    review.settled_at, review.settled_by, review.settled = now, by, said
    tell(session, review.department)


def tell(session: Session, department: str | None) -> None:
    """Open pages hear that there is something else to look at; those of the owning department too."""
    events.publish(session, "review", department or "-", department=department)


def refresh_stops(session: Session, ids: Iterable[str]) -> None:
    """Work out anew from which day on these items don't answer."""
    on = get_settings().stop_repealed
    for qa in (qa for id_ in ids if (qa := session.get(QA, id_)) is not None):
        days = [one.effective for one in _open(session, qa) if one.effective] if on else []
        qa.stops_on = min(days, default=None)
    session.flush()


def _open(session: Session, qa: QA) -> Sequence[Review]:
    """Its open reviews for documents that hold no more and that it still rests on."""
    rests_on = [source["document"] for source in qa.sources]
    asked = select(Review).where(
        Review.kind == "qa",
        Review.item == qa.id,
        Review.why.in_(GONE),
        Review.settled_at.is_(None),
        Review.about.in_(rests_on),
    )
    return session.scalars(asked.order_by(Review.effective)).all()


def under_review(session: Session, qa: QA, today: date) -> tuple[str, str, date] | None:
    """For the answer's note: the title of a document below the item that has changed by today, how, and since when; None: none has."""
    rests_on = [source["document"] for source in qa.sources]
    asked = (
        select(Document.title, Review.why, Review.effective)
        .join(Document, Document.id == Review.about)
        .where(
            Review.kind == "qa",
            Review.item == qa.id,
            Review.change.is_not(None),
            Review.settled_at.is_(None),
            Review.effective <= today,
            Review.about.in_(rests_on),
        )
        .order_by(Review.effective.desc(), Review.id.desc())
        .limit(1)
    )
    found = session.execute(asked).first()
    return (found[0], found[1], found[2]) if found and found[2] else None


def _known(session: Session, document_id: str, what: str, replaced_by: str | None) -> DocumentChange | None:
    asked = select(DocumentChange).where(
        DocumentChange.document_id == document_id,
        DocumentChange.what == what,
        DocumentChange.replaced_by.is_(replaced_by)
        if replaced_by is None
        else DocumentChange.replaced_by == replaced_by,
        DocumentChange.undone_at.is_(None),
    )
    return session.scalar(asked.limit(1))


def _today() -> date:
    return utcnow().astimezone(SHANGHAI).date()
