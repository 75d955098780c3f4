"""Looking again (复核): what waits for it and why, changes of documents, settling, and what a day brings.

A review never changes the item: it says that somebody has to look, who owns it, and what citizens are answered meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from bot import audit, knowledge, policy_changes
from bot.accounts.roles import APPROVER
from bot.clock import SHANGHAI, utcnow
from bot.errors import Forbidden, IllegalMove, InvalidInput, NotFound
from bot.models.knowledge import QA, Document, ServiceGuide
from bot.models.reviews import DocumentChange, Review
from bot.policy_changes import AMENDED, GONE, REPEALED, REPLACED, SYSTEM

SOON = timedelta(days=30)
"""How long before its last day an item is listed"""
EXPIRING, EXPIRED, OVERDUE, DEAD_LINK = "expiring", "expired", "overdue", "dead_link"
WHY: Mapping[str, str] = MappingProxyType(
    {
        REPEALED: "依据已废止",
        REPLACED: "依据被替代",
        AMENDED: "依据已修改",
        EXPIRED: "已过有效期",
        EXPIRING: "30 天内到期",
        OVERDUE: "复核日期已过",
        DEAD_LINK: "网址打不开",
    }
)
"""Reason → in words; the first ones are looked at first"""
KINDS: Mapping[str, str] = MappingProxyType(
    {"qa": "问答", "guide": "办事指南", "calculator": "计算器", "document": "政策文件"}
)
_LEAST_WORDS = 4
_DATES = (EXPIRING, EXPIRED, OVERDUE)


# --- documents change ------------------------------------------------------------------------------------------------


def change(
    session: Session,
    document_id: str,
    what: str,
    effective: date,
    by: str,
    note: str,
    *,
    replaced_by: str | None = None,
) -> DocumentChange:
    """Enter that a document is amended, repealed or replaced from a day on, today's or one to come.

    What rests on it is listed at once.  Where the day is still to come the document says so from then on.

    Raises:
        NotFound: no such document.
        InvalidInput: an unknown sort of change, no note, a replacement that is none.
        IllegalMove: that is entered already.
    """
    if what not in policy_changes.SAID:
        raise InvalidInput(f"没有「{what}」这种变化，可用的有：{'、'.join(policy_changes.SAID)}。")
    if (what == REPLACED) != (replaced_by is not None):
        raise InvalidInput("被替代的文件要写明由哪份文件替代；修改和废止不用写。")
    if len(note.strip()) < _LEAST_WORDS:
        raise InvalidInput("请写明根据什么，例如哪份文件宣布的。")
    knowledge.lock(session)
    document = session.get(Document, document_id, with_for_update=True, populate_existing=True)
    if document is None:
        raise NotFound(f"没有编号为 {document_id} 的政策文件。")
    if replaced_by is not None and (replaced_by == document_id or session.get(Document, replaced_by) is None):
        raise InvalidInput(f"用来替代的文件 {replaced_by} 不存在，请先导入。")
    same = select(DocumentChange.id).where(
        DocumentChange.document_id == document_id,
        DocumentChange.what == what,
        DocumentChange.effective == effective,
        DocumentChange.undone_at.is_(None),
    )
    if session.scalar(same.limit(1)) is not None or (what in GONE and policy_changes.force(document) in GONE):
        raise IllegalMove(f"《{document.title}》的这个变化已经登记过了。")
    made = policy_changes.add(session, document, what, effective, by, note.strip(), replaced_by=replaced_by)
    if policy_changes.apply_due(session, _today()):
        knowledge.bump(session)
    told = {"effective": effective.isoformat(), "replaced_by": replaced_by, "reason": note.strip()}
    audit.record(session, by, f"document.{what}", document_id, **told)
    return made


def undo(session: Session, document_id: str, by: str, note: str) -> None:
    """A document holds as before: what was entered of it was a mistake.

    Raises:
        NotFound: no such document.
        InvalidInput: no reason.
        IllegalMove: nothing was entered.
    """
    if len(note.strip()) < _LEAST_WORDS:
        raise InvalidInput("请写明为什么。")
    knowledge.lock(session)
    document = session.get(Document, document_id, with_for_update=True, populate_existing=True)
    if document is None:
        raise NotFound(f"没有编号为 {document_id} 的政策文件。")
    if not changes_of(session, document_id) and policy_changes.force(document) is None:
        raise IllegalMove(f"《{document.title}》没有登记过变化。")
    document.status, document.replaced_by = "有效", None
    policy_changes.take_back(session, document_id)
    knowledge.bump(session)
    audit.record(session, by, "document.restore", document_id, reason=note.strip())


def changes_of(session: Session, document_id: str) -> list[DocumentChange]:
    """What has become of a document, the first change first; those taken back left out."""
    asked = select(DocumentChange).where(DocumentChange.document_id == document_id, DocumentChange.undone_at.is_(None))
    return list(session.scalars(asked.order_by(DocumentChange.effective, DocumentChange.id)))


# --- the list --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Waiting:
    """A review with what a person needs to see of it."""

    review: Review
    title: str
    """The item's question or title"""
    about: str
    """The document's title, the day, the address"""
    meanwhile: str
    """What citizens are answered until it is settled"""


def waiting(
    session: Session,
    *,
    department: str | None = None,
    why: str | None = None,
    offset: int = 0,
    limit: int = 50,
    settled: bool = False,
) -> list[Waiting]:
    """Reviews that are open (or settled), the most pressing first (or the last settled)."""
    rank = case({name: rank for rank, name in enumerate(WHY)}, value=Review.why, else_=len(WHY))
    order = [Review.settled_at.desc()] if settled else [Review.due.is_(None), Review.due, rank]
    asked = select(Review).where(*_filter(department, why, settled)).order_by(*order, Review.id)
    found = list(session.scalars(asked.offset(offset).limit(limit)))
    return list(_shown(session, found))


def total(session: Session, *, department: str | None = None, why: str | None = None, settled: bool = False) -> int:
    """How many `waiting` would give in all."""
    asked = select(func.count()).select_from(Review).where(*_filter(department, why, settled))
    return session.scalar(asked) or 0


def counts(session: Session, *, department: str | None = None) -> dict[str, int]:
    """How many are open, by reason."""
    asked = select(Review.why, func.count()).where(*_filter(department, None, False)).group_by(Review.why)
    found = {row[0]: row[1] for row in session.execute(asked)}
    return {why: found[why] for why in WHY if why in found}


def departments(session: Session) -> list[str]:
    """Those that own something that waits."""
    asked = select(Review.department).where(Review.settled_at.is_(None), Review.department.is_not(None)).distinct()
    return sorted(name for name in session.scalars(asked) if name)


def _filter(department: str | None, why: str | None, settled: bool) -> list[ColumnElement[bool]]:
    kept: list[ColumnElement[bool]] = [Review.settled_at.is_not(None) if settled else Review.settled_at.is_(None)]
    if department is not None:
        kept.append(Review.department == department)
    if why is not None:
        kept.append(Review.why == why)
    return kept


def _shown(session: Session, found: Sequence[Review]) -> Iterator[Waiting]:
    by_kind: dict[str, list[str]] = {}
    for one in found:
        by_kind.setdefault(one.kind, []).append(one.item)
    qas = knowledge.find(session, QA, by_kind.get("qa", []))
    guides = knowledge.find(session, ServiceGuide, by_kind.get("guide", []))
    about = [one.about for one in found if one.change is not None]
    documents = knowledge.find(session, Document, [*about, *by_kind.get("document", [])])
    for one in found:
        if one.kind == "qa":
            title = qas[one.item].question if one.item in qas else one.item
        elif one.kind == "guide":
            title = guides[one.item].title if one.item in guides else one.item
        else:
            title = documents[one.item].title if one.item in documents else one.item
        document = documents.get(one.about) if one.change is not None else None
        yield Waiting(
            one, title, f"《{document.title}》" if document else one.about, _meanwhile(one, qas.get(one.item))
        )


def _meanwhile(review: Review, qa: QA | None) -> str:
    """What is answered until somebody has looked, in a sentence."""
    if review.kind != "qa" or qa is None:
        return "照常显示。"
    if qa.status in ("paused", "retired"):
        return "已经停用，不作答。"
    if review.why == EXPIRED:
        return "不再作答，说明已过有效期，转登记。"
    if review.why == EXPIRING:
        return f"照常作答到 {review.about}，此后说明已过有效期。"
    if review.why == OVERDUE:
        return "照常作答，注明过了复核日期。"
    if review.why in GONE and qa.stops_on is not None:
        if qa.stops_on <= _today():
            return "停止作答，说明依据已变，转登记。"
        return f"照常作答到 {qa.stops_on} 前一天，此后转登记。"
    if review.effective is not None and review.effective > _today():
        return f"照常作答，从 {review.effective} 起注明依据已变、正在核对。"
    return "照常作答，注明依据已变、正在核对。"


# --- settling --------------------------------------------------------------------------------------------------------


def settle(session: Session, review_id: int, by: str, said: str, *, roles: Collection[str] = (APPROVER,)) -> Review:
    """Somebody has looked: what came of it.

    Where an item has stopped answering because what it rests on is gone, settling has it answer again: that takes an approver.

    Args:
        roles: the person's.

    Raises:
        NotFound: no such review.
        InvalidInput: nothing is said.
        IllegalMove: it is settled already.
        Forbidden: it takes an approver.
    """
    said = said.strip()
    if len(said) < _LEAST_WORDS:
        raise InvalidInput("请写明复核的结果，例如“已按新文件改写”或“内容仍然对，条款没变”。")
    review = session.get(Review, review_id, with_for_update=True, populate_existing=True)
    if review is None:
        raise NotFound("没有这一条待复核。")
    if review.settled_at is not None:
        raise IllegalMove("这一条已经有人处理了。")
    qa = session.get(QA, review.item) if review.kind == "qa" else None
    if qa is not None and review.why in GONE and qa.stops_on is not None and APPROVER not in roles:
        raise Forbidden("这条问答因为依据没有了要停止作答，处理以后会恢复，需要知识审核来做。")
    policy_changes.close(session, review, by, said, utcnow())
    session.flush()
    if qa is not None:
        policy_changes.refresh_stops(session, [qa.id])
    audit.record(
        session, by, "review.settle", f"{review.kind} {review.item}", why=review.why, about=review.about, reason=said
    )
    return review


# --- what a day brings -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Day:
    """What the daily look found."""

    applied: int
    """Changes of documents whose day has come"""
    listed: int
    settled: int
    """Reviews whose reason is gone"""


def daily(session: Session, today: date) -> Day:
    """Bring the list up to date: documents whose change holds from today on, what expires, expired, is overdue, or rests on what is gone."""
    knowledge.lock(session)
    before = _open_count(session)
    applied = policy_changes.apply_due(session, today)
    if applied:
        knowledge.bump(session)
    _list_gone(session)
    settled = _list_dates(session, today) + _settle_moot(session)
    session.flush()
    policy_changes.refresh_stops(session, session.scalars(select(QA.id).where(_may_stop())).all())
    return Day(len(applied), _open_count(session) - before + settled, settled)


def _open_count(session: Session) -> int:
    session.flush()
    return session.scalar(select(func.count()).select_from(Review).where(Review.settled_at.is_(None))) or 0


def _may_stop() -> ColumnElement[bool]:
    listed = select(Review.item).where(Review.kind == "qa", Review.why.in_(GONE), Review.settled_at.is_(None))
    return QA.stops_on.is_not(None) | QA.id.in_(listed)


def _list_gone(session: Session) -> None:
    """Repealed and replaced documents: also those that came so, and items that came to rest on one since."""
    gone = select(Document).where((Document.status == "已废止") | Document.replaced_by.is_not(None))
    now = utcnow()
    for document in session.scalars(gone.order_by(Document.id)).all():
        changes = [one for one in changes_of(session, document.id) if one.what in GONE]
        if changes:
            policy_changes.list_for_review(session, changes[-1], now)
        elif policy_changes.resting(session, document.id)[0]:
            policy_changes.noticed(session, document, ("有效", None))


def _list_dates(session: Session, today: date) -> int:
    """What has a day that came near or went by is listed, and what has it no more is settled; how many were."""
    now, wanted = utcnow(), dict[tuple[str, str, str], tuple[QA, date]]()
    for qa in session.scalars(select(QA).where(QA.status.in_(("draft", "approved"))).order_by(QA.id)):
        if qa.valid_to is not None and qa.valid_to < today:
            wanted[qa.id, EXPIRED, qa.valid_to.isoformat()] = qa, qa.valid_to
        elif qa.valid_to is not None and qa.valid_to <= today + SOON:
            wanted[qa.id, EXPIRING, qa.valid_to.isoformat()] = qa, qa.valid_to
        if qa.review_by is not None and qa.review_by < today:
            wanted[qa.id, OVERDUE, qa.review_by.isoformat()] = qa, qa.review_by
    settled = 0
    known = set()
    for review in session.scalars(select(Review).where(Review.kind == "qa", Review.why.in_(_DATES))):
        key = (review.item, review.why, review.about)
        known.add(key)
        if review.settled_at is None and key not in wanted:
            policy_changes.close(session, review, SYSTEM, "日期已经改过，或者条目已停用。", now)
            settled += 1
    for (item, why, about), (qa, due) in wanted.items():
        if (item, why, about) not in known:
            session.add(
                Review(kind="qa", item=item, why=why, about=about, department=qa.department, since=now, due=due)
            )
            policy_changes.tell(session, qa.department)
    return settled


def _settle_moot(session: Session) -> int:
    """Reviews of Q&As for a document that they rest on no more, and of items that are gone."""
    now, settled = utcnow(), 0
    asked = select(Review).where(Review.kind == "qa", Review.change.is_not(None), Review.settled_at.is_(None))
    found = session.scalars(asked).all()
    qas = knowledge.get_many(session, [one.item for one in found])
    for review in found:
        qa = qas.get(review.item)
        if qa is None or qa.status == "retired" or all(one["document"] != review.about for one in qa.sources):
            policy_changes.close(session, review, SYSTEM, "已经不以这份文件为依据。", now)
            settled += 1
    return settled


# --- dead links ------------------------------------------------------------------------------------------------------


def list_dead(session: Session, dead: Mapping[str, str], alive: Iterable[str]) -> int:
    """Put what names a dead address under review, and settle what names one that leads somewhere again; how many were listed.

    Args:
        dead: address → what it said.
    """
    knowledge.lock(session)
    now, listed = utcnow(), 0
    good = set(alive)
    for kind, item, url, department in addresses(session):
        asked = select(Review).where(
            Review.kind == kind, Review.item == item, Review.why == DEAD_LINK, Review.settled_at.is_(None)
        )
        review = session.scalar(asked.limit(1))
        if url in dead and review is None:
            session.add(
                Review(
                    kind=kind,
                    item=item,
                    why=DEAD_LINK,
                    about=f"{url}（{dead[url]}）",
                    department=department,
                    since=now,
                    due=now.astimezone(SHANGHAI).date(),
                )
            )
            policy_changes.tell(session, department)
            listed += 1
        elif url in good and review is not None:
            policy_changes.close(session, review, SYSTEM, "网址又能打开了。", now)
    return listed


def addresses(session: Session) -> list[tuple[str, str, str, str | None]]:
    """Every address that the public knowledge names: kind, item, address, owner."""
    documents = session.execute(
        select(Document.id, Document.url, Document.issuer).where(
            Document.url.is_not(None), Document.internal_confirmed_by.is_(None)
        )
    )
    guides = session.execute(
        select(ServiceGuide.id, ServiceGuide.url, ServiceGuide.department).where(ServiceGuide.url.is_not(None))
    )
    named = [("document", row) for row in documents] + [("guide", row) for row in guides]
    return [(kind, row[0], row[1], row[2]) for kind, row in named if row[1]]


def _today() -> date:
    return utcnow().astimezone(SHANGHAI).date()
