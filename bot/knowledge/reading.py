"""Reading the knowledge: whether an item may answer on a day, what it says then, and what that rests on.

What an item says is a function of the day: a version whose first day has come answers from that day on, whether anybody has
put it into the item's row yet or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from bot import policy_changes, replies
from bot.clock import SHANGHAI, utcnow
from bot.knowledge.content import fill
from bot.models.knowledge import QA, Document, ServiceGuide
from bot.models.versions import QAVersion
from bot.settings import get_settings

CHUNK = 500
"""Ids a query: far below any database's bound on parameters"""

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


def get(session: Session, qa_id: str | None, today: date | None = None) -> QA | None:
    """The Q&A as it is on a day (default: today in China); not to be changed."""
    return get_many(session, [qa_id], today).get(qa_id) if qa_id else None


def get_many(session: Session, ids: Iterable[str], today: date | None = None) -> dict[str, QA]:
    """The Q&As of these ids that exist, in the order asked, as they are on a day (default: today); not to be changed."""
    found: dict[str, QA] = {}
    wanted = list(dict.fromkeys(ids))
    for start in range(0, len(wanted), CHUNK):
        found |= _as_of(session, today, QA.id.in_(wanted[start : start + CHUNK]))
    return {id_: found[id_] for id_ in wanted if id_ in found}


def all_qas(session: Session, today: date | None = None) -> list[QA]:
    """Every question and answer, whatever its status, by id, as it is on a day (default: today); not to be changed."""
    found = _as_of(session, today)
    return [found[id_] for id_ in sorted(found)]


def _as_of(session: Session, today: date | None, *which: Any) -> dict[str, QA]:
    """Rows, or copies of them with the content of what has come into force since."""
    due = and_(QAVersion.qa_id == QA.id, QAVersion.due <= (today or today_in_china()))
    query = select(QA, QAVersion).outerjoin(QAVersion, due).where(*which).order_by(QAVersion.due, QAVersion.number)
    found: dict[str, QA] = {}
    for row, version in session.execute(query.execution_options(populate_existing=True)):
        found[row.id] = row if version is None else with_version(row, version)
    return found


def with_version(row: QA, version: QAVersion) -> QA:
    """An item as it is once a version is in force.  It belongs to no session."""
    qa = QA(**{name: getattr(row, name) for name in row.__table__.columns.keys()})  # noqa: SIM118
    put(qa, version)
    return qa


def put(qa: QA, version: QAVersion) -> None:
    """Let a row say what a version says."""
    fill(qa, version.content)
    qa.version, qa.reviewed_by, qa.reviewed_at = version.number, version.approved_by, version.published_at


def coming(session: Session, ids: Iterable[str] | None = None) -> dict[str, list[QAVersion]]:
    """The versions that no row holds yet, by item, in the order in which they come into force; of some items, or all."""
    query = select(QAVersion).where(QAVersion.due.is_not(None))
    if ids is not None:
        query = query.where(QAVersion.qa_id.in_(list(ids)))
    found: dict[str, list[QAVersion]] = {}
    for version in session.scalars(query.order_by(QAVersion.due, QAVersion.number)):
        found.setdefault(version.qa_id, []).append(version)
    return found


def find(session: Session, model: type[Knowledge], ids: Iterable[str]) -> dict[str, Knowledge]:
    """The items of one kind and these ids that exist, by id in the order asked, as their rows are now."""
    found: dict[str, Knowledge] = {}
    wanted = list(dict.fromkeys(ids))
    for start in range(0, len(wanted), CHUNK):
        query = select(model).where(model.id.in_(wanted[start : start + CHUNK]))
        found |= {row.id: row for row in session.scalars(query.execution_options(populate_existing=True))}
    return {id_: found[id_] for id_ in wanted if id_ in found}


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
    today = today or today_in_china()
    production = get_settings().env == "production" if production is None else production
    documents = find(session, Document, [source["document"] for source in qa.sources])
    guides = find(session, ServiceGuide, qa.guides)
    related = get_many(session, qa.related, today)
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


def today_in_china() -> date:
    """The day in China."""
    return utcnow().astimezone(SHANGHAI).date()
