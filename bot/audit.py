"""The append-only audit log: who changed what, when.

The database itself refuses to change or delete an entry (triggers in the first migration).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from bot.masking import mask, mask_record
from bot.models import AuditEntry, utcnow


def record(session: Session, actor: str, action: str, subject: str, **detail: Any) -> None:
    """Add an entry in the caller's transaction: it stands if, and only if, the change does.

    Args:
        actor: who: an agent's name, 市民 or 系统.
        action: what, as ``thing.verb``, e.g. ``ticket.claim``.
        subject: on what: a ticket number, a Q&A id.
        detail: JSON values; personal data in them is masked.
    """
    session.add(AuditEntry(at=utcnow(), actor=actor, action=action, subject=mask(subject), detail=mask_record(detail)))
