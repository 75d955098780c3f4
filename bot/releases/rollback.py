"""Going back to a bundle, with the knowledge: what items said when it was made, they say again.

An item's version that the bundle names becomes its next version, by the system of versions: nothing of the history goes, and what
was approved is approved.  What somebody has silenced since, withdrawn as wrong or corrected after silencing it stays as it is, and
so does what would have run out by now.  Items that the bundle does not know stay too: its index does not find them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import audit, events, policy_changes
from bot.clock import SHANGHAI, utcnow
from bot.knowledge.content import content, stored
from bot.knowledge.publishing import bring_in_one, record
from bot.knowledge.reading import all_qas, put
from bot.knowledge.revision import bump, lock
from bot.knowledge.wrong import sense, wrong_answers
from bot.masking import mask
from bot.models.housekeeping import AuditEntry
from bot.models.knowledge import QA
from bot.models.releases import Bundle
from bot.models.versions import QAVersion
from bot.releases import files
from bot.settings import Settings

WHY = {
    "withdrawn": "那一版答错了，已经作废",
    "paused": "已经停用",
    "retired": "已经退役",
    "silenced": "做了这个发布包以后停用或作废过，现在的是更正过的",
    "ended": "那一版的有效期已经过了",
    "lost": "那一版已经不在",
}
"""Why an item stays as it is"""
_CHUNK = 500


@dataclass(frozen=True)
class Change:
    """An item that goes back to what an earlier version says."""

    qa_id: str
    question: str
    now: int
    then: int


@dataclass(frozen=True)
class Stays:
    """An item that the bundle knows in an earlier version, and that stays as it is."""

    qa_id: str
    question: str
    now: int | None
    then: int
    why: str
    """A key of ``WHY``"""


@dataclass
class Plan:
    """What going back would do to the knowledge."""

    changes: list[Change] = field(default_factory=list)
    stays: list[Stays] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """Published items that the bundle does not know: they are not found until the index is built anew"""

    def stored(self) -> dict[str, Any]:
        """As JSON, for the history."""
        return {
            "changes": [[one.qa_id, one.now, one.then] for one in self.changes],
            "stays": [[one.qa_id, one.why] for one in self.stays],
            "unknown": self.unknown,
        }


def plan(session: Session, settings: Settings, bundle: Bundle, today: date | None = None) -> Plan:
    """What going back to a bundle would do to the knowledge today.  Changes nothing."""
    today = today or utcnow().astimezone(SHANGHAI).date()
    known = files.read(settings, bundle.name).knowledge
    present = {qa.id: qa for qa in all_qas(session, today)}
    found = Plan(unknown=sorted(id_ for id_, qa in present.items() if qa.version is not None and id_ not in known))
    behind = {id_: then for id_, then in known.items() if id_ in present and (present[id_].version or then) > then}
    versions = _versions(session, behind)
    wrong, silenced = _wrong(session, behind), _silenced_since(session, bundle.made_at)
    for id_, then in sorted(behind.items()):
        qa, version = present[id_], versions.get((id_, then))
        assert qa.version is not None
        if (why := _stays(qa, version, today, wrong.get(id_, {}), mask(id_) in silenced)) is not None:
            found.stays.append(Stays(id_, qa.question, qa.version, then, why))
        elif version is not None and version.content != stored(content(qa)):
            found.changes.append(Change(id_, qa.question, qa.version, then))
    return found


def behind(session: Session, settings: Settings, bundle: Bundle) -> int:
    """How many published items say something else than when the bundle was made, or are new since."""
    known = files.read(settings, bundle.name).knowledge
    published = {qa.id: qa.version for qa in all_qas(session) if qa.version is not None and qa.status == "approved"}
    return sum(known.get(id_) != version for id_, version in published.items())


def carry_out(session: Session, settings: Settings, bundle: Bundle, by: str) -> dict[str, Any]:
    """Do what ``plan`` says, in the caller's transaction; what was done, as JSON.

    No index is built for it: the bundle's own was made from just these versions.
    """
    now = utcnow()
    today = now.astimezone(SHANGHAI).date()
    lock(session)
    found = plan(session, settings, bundle, today)
    versions = _versions(session, {one.qa_id: one.then for one in found.changes})
    for one in found.changes:
        qa = session.get_one(QA, one.qa_id, with_for_update=True, populate_existing=True)
        bring_in_one(session, qa, today)
        version = versions[one.qa_id, one.then]
        fresh = record(
            session,
            qa,
            version.content,
            authors=version.authors,
            by=version.approved_by,
            at=now,
            why=f"退回发布包 {bundle.name}，恢复第 {one.then} 版",
        )
        put(qa, fresh)
        qa.edits += 1
        about = {"version": fresh.number, "restores": one.then, "bundle": bundle.name}
        audit.record(session, by, "qa.rolled_back", qa.id, **about)
        events.publish(session, "knowledge", qa.id)
    if found.changes:
        session.flush()
        revision = bump(session)
        for one in found.changes:
            session.get_one(QA, one.qa_id).revision = revision
        policy_changes.refresh_stops(session, [one.qa_id for one in found.changes])
    return found.stored()


def _stays(qa: QA, version: QAVersion | None, today: date, wrong: Mapping[str, int], silenced: bool) -> str | None:
    """Why an item is not brought back to a version; None: it is."""
    if qa.status in ("paused", "retired"):
        return qa.status
    if version is None:
        return "lost"
    if sense(version.content["answer"]) in wrong:
        return "withdrawn"
    if silenced:
        return "silenced"
    ends = version.content.get("valid_to")
    return "ended" if ends and date.fromisoformat(ends) < today else None


def _wrong(session: Session, ids: Iterable[str]) -> dict[str, dict[str, int]]:
    """By item, the answers that were withdrawn as wrong."""
    found: dict[str, dict[str, int]] = {}
    for some in _chunks(sorted(ids)):
        found |= wrong_answers(session, some)
    return found


def _versions(session: Session, wanted: dict[str, int]) -> dict[tuple[str, int], QAVersion]:
    """Item and number → the version."""
    found: dict[tuple[str, int], QAVersion] = {}
    for ids in _chunks(sorted(wanted)):
        for version in session.scalars(select(QAVersion).where(QAVersion.qa_id.in_(ids))):
            if version.number == wanted[version.qa_id]:
                found[version.qa_id, version.number] = version
    return found


def _silenced_since(session: Session, since: datetime) -> set[str]:
    """The items that somebody silenced since then, as the audit log names them."""
    paused = select(AuditEntry.subject).where(AuditEntry.action.in_(_SILENCES), AuditEntry.at >= since)
    return set(session.scalars(paused.distinct()))


_SILENCES = ("qa.paused", "qa.withdrawn")


def _chunks(ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]
