"""What people do with a recall: one drafts it, another one approves it, and either may call it off before."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from bot import audit, events, jobs, knowledge
from bot.accounts.roles import APPROVER, SUPERVISOR
from bot.clock import utcnow
from bot.errors import Forbidden, IllegalMove, InvalidInput, NotFound
from bot.masking import mask
from bot.models.knowledge import QA
from bot.models.recalls import Recall, RecallTarget
from bot.recalls import finding, sending
from bot.recalls.finding import Person
from bot.told import APPROVED, CALLED_OFF, DONE, DRAFT, KIND, WAITING

LONGEST = 500
"""Characters of a correction: with what is put before it a short message holds it"""
EXAMPLES = 5
MAKERS, APPROVERS = frozenset({SUPERVISOR}), frozenset({SUPERVISOR, APPROVER})
STATE_NAMES = {DRAFT: "等另一位同意", APPROVED: "正在告知", DONE: "都已发出", CALLED_OFF: "已取消"}


@dataclass(frozen=True)
class Preview:
    """Whom a recall would reach, as of now."""

    people: int
    by_kind: dict[str, int]
    """Keys of ``finding.KINDS``"""
    by_channel: dict[str, int]
    examples: list[tuple[Person, str]]
    """The newest, each with what it would be told, masked"""


def preview(session: Session, qa_id: str, versions: Sequence[int], correction: str = "") -> Preview:
    """Raises: as ``draft``."""
    qa = _checked(session, qa_id, versions)
    found = finding.people(session, qa_id, set(versions))
    newest = sorted(found, key=lambda one: one.at, reverse=True)[:EXAMPLES]
    return Preview(
        len(found),
        dict(Counter(one.kind for one in found)),
        dict(Counter(one.channel for one in found)),
        [
            (one, mask(sending.words(session, qa_id, qa.question, (one.kind, one.key), one.at, correction or "……")))
            for one in newest
        ],
    )


def draft(
    session: Session, qa_id: str, versions: Sequence[int], correction: str, by: str, now: datetime | None = None
) -> Recall:
    """One correction for whoever got these versions, with the list of them as it is now.

    Raises:
        NotFound: no such item or version.
        IllegalMove: a version was not withdrawn as wrong, or is recalled already.
        InvalidInput: no version, no correction, or a long one.
        Forbidden.
    """
    now = now or utcnow()
    knowledge.permit(session, by, MAKERS)
    knowledge.lock(session)
    qa = _checked(session, qa_id, versions)
    correction = correction.strip()
    if not correction or len(correction) > LONGEST:
        raise InvalidInput(f"请写明正确的答案，不超过 {LONGEST} 字。")
    knowledge.refuse_words(session, qa_id, correction)
    recall = Recall(
        id=uuid.uuid4().hex,
        qa_id=qa_id,
        versions=sorted(set(versions)),
        question=qa.question,
        correction=correction,
        state=DRAFT,
        made_by=by,
        made_at=now,
    )
    session.add(recall)
    session.flush()
    count = _listed_anew(session, recall)
    return _done(session, recall, by, "draft", people=count, versions=recall.versions)


def approve(session: Session, recall_id: str, by: str, now: datetime | None = None) -> Recall:
    """They are told now: the list is worked out once more, and the job begins.

    Raises:
        NotFound.
        IllegalMove: it is no draft any more.
        Forbidden: they drafted it themselves, or may not.
    """
    knowledge.permit(session, by, APPROVERS)
    recall = _locked(session, recall_id)
    if recall.state != DRAFT:
        raise IllegalMove(f"这份召回现在是「{STATE_NAMES[recall.state]}」，不能再同意。")
    if recall.made_by == by:
        raise Forbidden("这份召回是您写的，要请另一位班长或知识审核同意。")
    count = _listed_anew(session, recall)
    recall.state, recall.approved_by, recall.approved_at = APPROVED, by, now or utcnow()
    jobs.request_once(session, KIND, by)
    return _done(session, recall, by, "approve", people=count, made_by=recall.made_by)


def call_off(session: Session, recall_id: str, by: str, now: datetime | None = None) -> Recall:
    """Nobody is told, and nobody is listed any more.  Raises: NotFound; IllegalMove: it was approved; Forbidden."""
    knowledge.permit(session, by, APPROVERS)
    recall = _locked(session, recall_id)
    if recall.state != DRAFT:
        raise IllegalMove(f"这份召回现在是「{STATE_NAMES[recall.state]}」，不能取消。")
    recall.state, recall.ended_by, recall.ended_at = CALLED_OFF, by, now or utcnow()
    session.execute(delete(RecallTarget).where(RecallTarget.recall_id == recall.id))
    return _done(session, recall, by, "call_off")


def get(session: Session, recall_id: str) -> Recall:
    """Raises: NotFound."""
    recall = session.get(Recall, recall_id)
    if recall is None:
        raise NotFound("没有这份召回。")
    return recall


def _locked(session: Session, recall_id: str) -> Recall:
    recall = session.get(Recall, recall_id, with_for_update=True, populate_existing=True)
    return recall if recall is not None else get(session, recall_id)


def _checked(session: Session, qa_id: str, versions: Sequence[int]) -> QA:
    qa = knowledge.held(session, qa_id).qa
    if not versions:
        raise InvalidInput("请选要召回的版本。")
    wrong, known = knowledge.withdrawn(session, qa_id), {one.number for one in knowledge.versions(session, qa_id)}
    for number in versions:
        if number not in known:
            raise NotFound(f"问答 {qa_id} 没有第 {number} 版。")
        if number not in wrong:
            raise IllegalMove(f"问答 {qa_id} 的第 {number} 版还没有作废。先把它作废，免得还有人得到。")
    for other in session.scalars(select(Recall).where(Recall.qa_id == qa_id, Recall.state != CALLED_OFF)):
        if again := sorted(set(other.versions) & set(versions)):
            raise IllegalMove(f"第 {'、'.join(map(str, again))} 版已经有一份召回了，同一个人只告知一次。")
    return qa


def _listed_anew(session: Session, recall: Recall) -> int:
    """Whoever got it, as of now; how many.  Nobody has been told yet."""
    session.execute(delete(RecallTarget).where(RecallTarget.recall_id == recall.id))
    found = finding.people(session, recall.qa_id, set(recall.versions))
    session.add_all(
        RecallTarget(
            recall_id=recall.id,
            kind=one.kind,
            key=one.key,
            channel=one.channel,
            version=one.version,
            asked_at=one.at,
            also=[list(key) for key in one.also],
            state=WAITING,
        )
        for one in found
    )
    session.flush()
    return len(found)


def _done(session: Session, recall: Recall, by: str, move: str, **detail: object) -> Recall:
    session.flush()
    audit.record(session, by, f"recall.{move}", recall.qa_id, recall=recall.id, **detail)
    events.publish(session, "recall", recall.id)
    return recall
