"""Calculators whose rule is taken from a document that has changed are put under review."""

from __future__ import annotations

import unicodedata

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import policy_changes
from bot.clock import utcnow
from bot.models.knowledge import Document
from bot.models.reviews import DocumentChange
from index.calculators import CALCULATORS


def put_under_review(session: Session) -> int:
    """List every calculator that rests on a changed document, once for each change; how many were listed now."""
    asked = select(DocumentChange, Document.title).join(Document, Document.id == DocumentChange.document_id)
    now, listed = utcnow(), 0
    for change, title in session.execute(asked.where(DocumentChange.undone_at.is_(None))).all():
        for calculator in CALCULATORS.values():
            if _bare(title) in map(_bare, calculator.rests_on):
                listed += policy_changes.put(session, "calculator", calculator.id, change, None, now)
    session.flush()
    return listed


def _bare(title: str) -> str:
    """A title however it is written: 国务院关于…的办法, 《…》."""
    return "".join(one for one in unicodedata.normalize("NFKC", title) if one.isalnum())
