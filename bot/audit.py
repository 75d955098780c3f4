"""The append-only audit log: who changed what, when, and who looked at what is personal.

The database itself refuses to change or delete an entry (triggers in the migrations).  Each transaction's entries are chained as it
commits: ``link = SHA-256(the link before, the entry)``, so that whoever changes the database's file by other means breaks the
chain (``verify``).  What is committed also goes into the security log, with its link: the end of the chain is known outside of
the database.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import event, func, inspect, select
from sqlalchemy.orm import Session

from bot import database, security_log
from bot.clock import utcnow
from bot.masking import mask, mask_record
from bot.models.housekeeping import AuditEntry, AuditLink
from bot.models.people import Person

START = "0" * 64
"""What the first link depends on"""
_BATCH = 1000
_NUMBER = re.compile(r"[\x21-\x7e]+")
"""Who may be a person with an account; 市民 and 系统 are none"""
_ID = re.compile(r"[0-9a-f]{32}")
"""A conversation's, a turn's or a job's"""


def record(session: Session, actor: str, action: str, subject: str, **detail: Any) -> None:
    """Add an entry in the caller's transaction: it stands if, and only if, the change does.

    Args:
        actor: who: a person's number, a program's name, 市民 or 系统.
        action: what, as ``thing.verb``, e.g. ``ticket.claim``.
        subject: on what: a ticket number, a Q&A id.
        detail: JSON values; personal data in them is masked.
    """
    person = session.get(Person, actor) if _NUMBER.fullmatch(actor) else None
    entry = AuditEntry(
        at=utcnow(),
        actor=actor,
        name=person.name if person else None,
        action=action,
        subject=_shown(subject),
        detail=mask_record(detail),
    )
    session.add(entry)
    session.info.setdefault(_ENTRIES, []).append(entry)


def _shown(subject: str) -> str:
    """Without personal data.  An id of ours stays whole, though some of its digits may look like a phone number."""
    return subject if _ID.fullmatch(subject) else mask(subject)


def entries(
    session: Session,
    *,
    actor: str = "",
    action: str = "",
    subject: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int = 50,
) -> Sequence[AuditEntry]:
    """The newest first; of this actor (number or name), this kind of action (its beginning), on this subject.

    Args:
        before: only those with a lower id: the next page.
    """
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    if actor:
        query = query.where((AuditEntry.actor == actor) | (AuditEntry.name == actor))
    if action:
        query = query.where(AuditEntry.action.startswith(action, autoescape=True))
    if subject:
        query = query.where(AuditEntry.subject == _shown(subject))
    if since is not None:
        query = query.where(AuditEntry.at >= since)
    if until is not None:
        query = query.where(AuditEntry.at < until)
    if before is not None:
        query = query.where(AuditEntry.id < before)
    return session.scalars(query).all()


@dataclass(frozen=True)
class Verified:
    """What was found along the chain."""

    checked: int
    """Entries that are what they were"""
    broken: int | None
    """The id of the first entry that is not, that is missing, or that was put in; None: all is well"""
    end: str
    """The last link: compare it with the one that the security log names"""


def verify(session: Session) -> Verified:
    """Go along the whole chain."""
    link, checked, place = START, 0, 0
    while True:
        rows = session.execute(
            select(AuditLink, AuditEntry)
            .outerjoin(AuditEntry, AuditEntry.id == AuditLink.entry)
            .where(AuditLink.id > place)
            .order_by(AuditLink.id)
            .limit(_BATCH)
        ).all()
        for chained, entry in rows:
            if entry is None or linked(link, entry) != chained.link:
                return Verified(checked, chained.entry, link)
            link, checked, place = chained.link, checked + 1, chained.id
        session.expunge_all()
        if len(rows) < _BATCH:
            break
    if session.scalar(select(func.count()).select_from(AuditEntry)) != checked:
        chained_ones = select(AuditLink.entry)
        return Verified(
            checked, session.scalar(select(func.min(AuditEntry.id)).where(AuditEntry.id.not_in(chained_ones))), link
        )
    return Verified(checked, None, link)


def linked(before: str, entry: AuditEntry) -> str:
    """The link of an entry after the one before: SHA-256 over both as JSON.  Never change it: the chains that there are were made so."""
    at = entry.at.astimezone(UTC).isoformat(timespec="microseconds")
    said = [entry.actor, entry.name, entry.action, entry.subject, entry.detail]
    whole = json.dumps([before, entry.id, at, *said], sort_keys=True)
    return hashlib.sha256(whole.encode("ascii")).hexdigest()


_ENTRIES = "audit entries of this transaction"


def _standing(session: Session) -> Iterator[AuditEntry]:
    """Those that no savepoint took back."""
    return (entry for entry in session.info.get(_ENTRIES, ()) if inspect(entry).persistent)


@event.listens_for(Session, "before_commit")
def _chain(session: Session) -> None:
    if session.in_nested_transaction() or not session.info.get(_ENTRIES):
        return  # a savepoint is released: nothing is certain yet
    session.flush()
    database.one_at_a_time(session)
    link = session.scalar(select(AuditLink.link).order_by(AuditLink.id.desc()).limit(1)) or START
    for entry in _standing(session):
        link = linked(link, entry)
        session.add(AuditLink(entry=entry.id, link=link))
        session.flush()  # one by one: their places are their order
        session.info[_LINK] = link


_LINK = "last link of this transaction"


@event.listens_for(Session, "after_commit")
def _committed(session: Session) -> None:
    if session.in_nested_transaction():
        return
    link = session.info.pop(_LINK, "")[:16]
    for entry in _standing(session):
        security_log.record(
            entry.action, entry.subject, counted=False, actor=entry.actor, detail=entry.detail, chain=link
        )
    session.info.pop(_ENTRIES, None)
