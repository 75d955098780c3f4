"""Policy documents and their own texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from bot import policy_changes
from bot.knowledge.revision import bump, lock
from bot.models.knowledge import Document, Passage


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
