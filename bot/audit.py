"""The append-only audit log: who changed what, when.

The database itself refuses to change or delete an entry (triggers in the first migration).  What is committed also goes
into the security log.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import event, inspect
from sqlalchemy.orm import Session

from bot import security_log
from bot.clock import utcnow
from bot.masking import mask, mask_record
from bot.models.housekeeping import AuditEntry


def record(session: Session, actor: str, action: str, subject: str, **detail: Any) -> None:
    """Add an entry in the caller's transaction: it stands if, and only if, the change does.

    Args:
        actor: who: an agent's name, 市民 or 系统.
        action: what, as ``thing.verb``, e.g. ``ticket.claim``.
        subject: on what: a ticket number, a Q&A id.
        detail: JSON values; personal data in them is masked.
    """
    entry = AuditEntry(at=utcnow(), actor=actor, action=action, subject=mask(subject), detail=mask_record(detail))
    session.add(entry)
    session.info.setdefault(_ENTRIES, []).append(entry)


_ENTRIES = "audit entries of this transaction"


@event.listens_for(Session, "after_commit")
def _committed(session: Session) -> None:
    if session.in_nested_transaction():
        return  # a savepoint was released: nothing is certain yet
    for entry in session.info.pop(_ENTRIES, ()):
        if inspect(entry).persistent:  # else a savepoint took it back
            security_log.record(entry.action, entry.subject, counted=False, actor=entry.actor, detail=entry.detail)
