"""What people do with an item of the knowledge: one table of moves, and each of them.

A published item goes on saying what it says while somebody changes it: the change is a working copy, which becomes a version once
another person has approved it.  An item that was never published is changed in place: it answers nobody yet.  What silences is
done by one person; what makes answer, or ends for good, takes two.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import audit, events
from bot.accounts.roles import AGENT, APPROVER, EDITOR, ROLES, SUPERVISOR
from bot.clock import SHANGHAI, utcnow
from bot.errors import Forbidden, IllegalMove, InvalidInput, NotFound, YihaodaError
from bot.knowledge.changing import EDITING, RETURNED, SUBMITTED
from bot.knowledge.content import checked, content, empty, fill, stored
from bot.knowledge.publishing import SYSTEM, bring_in_one, publish, record, waiting
from bot.knowledge.revision import bump, lock
from bot.knowledge.wrong import refuse, sense, withdrawn
from bot.models.knowledge import QA, Document, ServiceGuide
from bot.models.people import Person
from bot.models.versions import QARequest, QAVersion, WorkingCopy
from bot.settings import get_settings

STATUS_NAMES = {"draft": "草稿", "approved": "已审核", "paused": "停用", "retired": "已退役"}
"""The statuses of an item and their names for people."""
COPY_NAMES = {EDITING: "修改中", SUBMITTED: "待审核", RETURNED: "已退回"}
"""The states of a working copy and their names for people."""
VERSION_NAMES = {
    "in_force": "在用",
    "coming": "待生效",
    "called_off": "已取消",
    "earlier": "以前的",
    "withdrawn": "答错作废",
}
"""The states of a version and their names for people."""
RESUME, RETIRE = "resume", "retire"
_NONE = "none"


@dataclass(frozen=True)
class Move:
    """Something that a person may do with an item."""

    title: str
    roles: frozenset[str]
    statuses: frozenset[str] = frozenset(STATUS_NAMES)
    """The item's"""
    copies: frozenset[str] = frozenset({_NONE, *COPY_NAMES})
    """States of the working copy; none: there is none"""


_KNOWLEDGE = frozenset({SUPERVISOR, EDITOR, APPROVER})
_EDITOR, _APPROVER = frozenset({EDITOR}), frozenset({APPROVER})

MOVES: Mapping[str, Move] = MappingProxyType(
    {
        "edit": Move("修改", _EDITOR),
        "submit": Move("提交审核", _EDITOR, copies=frozenset({EDITING, RETURNED})),
        "return": Move("退回修改", _APPROVER, copies=frozenset({_NONE, SUBMITTED})),
        "approve": Move("审核通过", _APPROVER, copies=frozenset({_NONE, SUBMITTED})),
        "discard": Move("放弃修改", _EDITOR, copies=frozenset(COPY_NAMES)),
        "restore": Move("恢复旧版", _EDITOR, copies=frozenset({_NONE})),
        "call_off": Move("取消待生效的版本", _APPROVER),
        "confirm_sources": Move("去掉依据待核", _EDITOR | _APPROVER),
        "pause": Move("停用", _KNOWLEDGE, statuses=frozenset({"draft", "approved"})),
        "withdraw": Move("作废答错的版本", _KNOWLEDGE),
        RESUME: Move("申请恢复作答", _KNOWLEDGE, statuses=frozenset({"paused"})),
        RETIRE: Move("申请退役", _KNOWLEDGE, statuses=frozenset({"approved", "paused"})),
        "confirm": Move("同意申请", _APPROVER),
        "decline": Move("撤销申请", _KNOWLEDGE),
    }
)
"""What may be done, by whom, and when.  ``refusal`` adds what a table can't say: who may not approve what."""


IMPORTERS = _EDITOR | _APPROVER
"""The roles of whoever may bring files in"""


class Outdated(IllegalMove):
    """Somebody else has changed the item since it was looked at."""

    code = "outdated"


@dataclass(frozen=True)
class Held:
    """An item with all that is under way about it, as it rests."""

    qa: QA
    copy: WorkingCopy | None
    request: QARequest | None
    wrong: bool
    """What it says now was withdrawn as wrong"""


def held(session: Session, qa_id: str) -> Held:
    """Raises: NotFound."""
    qa = session.get(QA, qa_id, populate_existing=True)
    if qa is None:
        raise NotFound(f"没有编号为 {qa_id} 的问答。")
    copy = session.get(WorkingCopy, qa_id, populate_existing=True)
    request = session.get(QARequest, qa_id, populate_existing=True)
    return Held(qa, copy, request, wrong=qa.version in withdrawn(session, qa_id))


def refusal(move: str, one: Held, by: str) -> YihaodaError | None:
    """Why a person may not make this move now; None: they may, if they have the role."""
    rule, qa, copy = MOVES[move], one.qa, one.copy
    published = qa.version is not None
    if qa.status not in rule.statuses:
        return IllegalMove(f"问答 {qa.id} 现在是「{STATUS_NAMES.get(qa.status, qa.status)}」，不能{rule.title}。")
    if (copy.state if copy else _NONE) not in rule.copies:
        if copy is None:
            return IllegalMove(f"问答 {qa.id} 没有改动，不用{rule.title}。")
        return IllegalMove(f"问答 {qa.id} 的修改现在是「{COPY_NAMES[copy.state]}」，不能{rule.title}。")
    if move in ("approve", "return") and copy is None and published:
        return IllegalMove(f"问答 {qa.id} 没有待审核的修改。")
    if move in ("discard", "restore", "withdraw") and not published:
        return IllegalMove(
            f"问答 {qa.id} 还没有发布过，没有{'可以作废' if move == 'withdraw' else '可以退回去'}的版本。"
        )
    resumes = move == RESUME or (move == "confirm" and one.request is not None and one.request.move == RESUME)
    if one.wrong and (resumes or move == "confirm_sources"):
        return IllegalMove(
            f"问答 {qa.id} 的第 {qa.version} 版已经因为答错作废，不能照旧恢复作答。请改写答案，另一位审核。"
        )
    if move == "approve" and copy is not None:
        if by in copy.authors:
            return Forbidden(f"问答 {qa.id} 的这次修改里有您自己写的内容，要请另一位审核。")
        if published and copy.base != qa.version:
            return IllegalMove(
                f"问答 {qa.id} 的修改是按第 {copy.base} 版改的，现在用的是第 {qa.version} 版。"
                "请按现在的内容再改一次、重新提交。"
            )
    if move in ("confirm", "decline"):
        if one.request is None:
            return IllegalMove(f"问答 {qa.id} 没有等着同意的申请。")
        if move == "confirm" and one.request.asked_by == by:
            return Forbidden(f"问答 {qa.id} 的申请是您提的，要请另一位同意。")
    if move in (RESUME, RETIRE) and one.request is not None:
        return IllegalMove(f"问答 {qa.id} 已经有一份申请在等着同意。")
    return None


def permit(session: Session, by: str, roles: frozenset[str]) -> None:
    """Whether a person may do what these roles may.  In development a name will do.

    Raises:
        InvalidInput: nobody is named.
        Forbidden: in production, no account in use has that number and one of the roles.
    """
    if not by.strip():
        raise InvalidInput("请写明是谁操作的。")
    if get_settings().env != "production":
        return
    person = session.get(Person, by)
    if person is None or not person.active or not roles & set(person.roles):
        needed = "、".join(ROLES[role] for role in ROLES if role in roles)
        raise Forbidden(f"「{by}」不是在用的工号，或者没有这项权限，需要的角色是：{needed}。")


# --- writing and reviewing -------------------------------------------------------------------------------------------


def create(session: Session, fields: Mapping[str, Any], by: str, *, now: datetime | None = None) -> QA:
    """A new item, being written; it answers nobody before it is approved.  Raises: InvalidInput, Forbidden."""
    permit(session, by, MOVES["edit"].roles)
    return _create(session, f"qa-{uuid.uuid4().hex[:12]}", fields, by, "qa.create", now or utcnow())


def propose(session: Session, question: str, answer: str, by: str, region: str, now: datetime) -> QA:
    """A draft from the desk: what somebody was asked and answered, for an editor to take up."""
    permit(session, by, _KNOWLEDGE | {AGENT})
    fields = {"question": question, "answer": answer, "region": region, "as_of": now.astimezone(SHANGHAI).date()}
    return _create(session, f"desk-{uuid.uuid4().hex[:12]}", fields, by, "qa.propose", now)


def _create(session: Session, qa_id: str, fields: Mapping[str, Any], by: str, action: str, now: datetime) -> QA:
    lock(session)
    qa = QA(id=qa_id, status="draft", edits=0, revision=0)
    fill(qa, _checked(session, fields, empty()))
    session.add(qa)
    _write(session, qa, None, by, now)
    return _done(session, qa, by, action, live=True)


def edit(
    session: Session,
    qa_id: str,
    fields: Mapping[str, Any],
    by: str,
    *,
    seen: int | None = None,
    why: str | None = None,
    now: datetime | None = None,
) -> QA:
    """Change some of what an item says: in its working copy, which is made if there is none; see the module for drafts.

    Args:
        fields: columns and their new values.
        seen: ``QA.edits`` as it was looked at.
        why: what for.

    Raises:
        NotFound, InvalidInput, Forbidden.
        Outdated: it was changed since.
    """
    now = now or utcnow()
    one = _open(session, "edit", qa_id, by, seen, now)
    qa, copy = one.qa, one.copy
    before = copy.content if copy is not None and copy.content is not None else stored(content(qa))
    new = _checked(session, fields, before)
    if new == before and copy is not None and copy.state == EDITING and why in (None, copy.why):
        return qa
    if qa.version is None:
        fill(qa, new)
    copy = _write(session, qa, copy, by, now)
    copy.content, copy.base = (new, qa.version) if qa.version is not None else (None, None)
    copy.why = why if why is not None else copy.why
    return _done(
        session, qa, by, "qa.edit", live=qa.version is None, fields=[k for k in new if new[k] != before.get(k)]
    )


def submit(
    session: Session,
    qa_id: str,
    by: str,
    *,
    seen: int | None = None,
    why: str | None = None,
    now: datetime | None = None,
) -> QA:
    """The working copy is ready: somebody else may approve it.  Raises: NotFound, IllegalMove, Outdated, Forbidden."""
    now = now or utcnow()
    one = _open(session, "submit", qa_id, by, seen, now)
    assert one.copy is not None
    one.copy.state, one.copy.submitted_at, one.copy.reason = SUBMITTED, now, None
    one.copy.why = why if why is not None else one.copy.why
    return _done(session, one.qa, by, "qa.submit")


def return_(
    session: Session, qa_id: str, by: str, reason: str, *, seen: int | None = None, now: datetime | None = None
) -> QA:
    """Give it back to its authors.  Raises: NotFound, IllegalMove, Outdated, Forbidden; InvalidInput: no reason."""
    if not reason.strip():
        raise InvalidInput("请写明为什么退回。")
    now = now or utcnow()
    one = _open(session, "return", qa_id, by, seen, now)
    copy = one.copy
    if copy is None:  # a draft that came with the program
        copy = WorkingCopy(qa_id=qa_id, content=None, base=None, authors=[], changed_by=SYSTEM, changed_at=now)
        session.add(copy)
    copy.state, copy.reason = RETURNED, reason.strip()
    return _done(session, one.qa, by, "qa.return", reason=reason.strip())


def approve(session: Session, qa_id: str, by: str, *, seen: int | None = None, now: datetime | None = None) -> QA:
    """Publish what was submitted: at once, or on its first day of validity.

    Raises:
        NotFound, Outdated.
        IllegalMove: nothing was submitted, or it was made from a version that is not in force any more.
        Forbidden: they wrote some of it themselves, or may not approve.
    """
    now = now or utcnow()
    one = _open(session, "approve", qa_id, by, seen, now)
    qa, copy = one.qa, one.copy
    before = qa.status
    kept = copy.content if copy is not None and copy.content is not None else stored(content(qa))
    authors, why = (copy.authors, copy.why) if copy is not None else ([], None)
    version = publish(session, qa, kept, authors=authors, by=by, at=now, why=why)
    for over in (copy, one.request if one.request is not None and one.request.move == RESUME else None):
        if over is not None:
            session.delete(over)
    return _done(
        session,
        qa,
        by,
        "qa.approved",
        live=True,
        before=before,
        version=version.number,
        authors=version.authors,
        starts=version.starts.isoformat(),
    )


def discard(session: Session, qa_id: str, by: str, *, seen: int | None = None, now: datetime | None = None) -> QA:
    """Give the working copy up.  Raises: NotFound, IllegalMove, Outdated, Forbidden."""
    one = _open(session, "discard", qa_id, by, seen, now or utcnow())
    session.delete(one.copy)
    return _done(session, one.qa, by, "qa.discard")


def restore(
    session: Session, qa_id: str, number: int, by: str, *, seen: int | None = None, now: datetime | None = None
) -> QA:
    """Make what an earlier version said the working copy, submitted: it is in force again once somebody else approves.

    Raises: NotFound: no such item or version; IllegalMove: there is a working copy, or it was withdrawn; Outdated, Forbidden.
    """
    now = now or utcnow()
    one = _open(session, "restore", qa_id, by, seen, now)
    version = session.get(QAVersion, (qa_id, number))
    if version is None:
        raise NotFound(f"问答 {qa_id} 没有第 {number} 版。")
    refuse(session, qa_id, version.content["answer"])
    copy = _write(session, one.qa, None, by, now)
    copy.content, copy.base, copy.why = dict(version.content), one.qa.version, f"恢复第 {number} 版"
    copy.state, copy.submitted_at = SUBMITTED, now
    return _done(session, one.qa, by, "qa.restore", version=number)


def call_off(
    session: Session, qa_id: str, number: int, by: str, *, seen: int | None = None, now: datetime | None = None
) -> QA:
    """A version that is not in force yet shall not come.  Raises: NotFound, IllegalMove, Outdated, Forbidden."""
    one = _open(session, "call_off", qa_id, by, seen, now or utcnow())
    version = session.get(QAVersion, (qa_id, number))
    if version is None:
        raise NotFound(f"问答 {qa_id} 没有第 {number} 版。")
    if version.due is None:
        raise IllegalMove(f"问答 {qa_id} 的第 {number} 版不是还没生效的版本，不能取消。")
    version.due, version.called_off = None, True
    return _done(session, one.qa, by, "qa.call_off", live=True, version=number)


def confirm_sources(
    session: Session, qa_id: str, by: str, *, seen: int | None = None, now: datetime | None = None
) -> bool:
    """Take the marks 依据待核 off an item: somebody has compared it with the official texts.  Whether it had any.

    Of a published item that is a version of its own; the answer itself is not touched.

    Raises: NotFound, Outdated, Forbidden.
    """
    now = now or utcnow()
    one = _open(session, "confirm_sources", qa_id, by, seen, now)
    qa, copy = one.qa, one.copy
    marked = [(source["document"], source.get("clause")) for source in qa.sources if source.get("unverified")]
    if not marked:
        return False
    qa.sources = _unmarked(qa.sources, marked)
    base = qa.version
    if base is not None:
        version = record(session, qa, stored(content(qa)), authors=[], by=by, at=now, why="依据已核对")
        qa.version = version.number
        if copy is not None and copy.content is not None:
            copy.content = {**copy.content, "sources": _unmarked(copy.content["sources"], marked)}
            copy.base = qa.version if copy.base == base else copy.base
    _done(session, qa, by, "qa.sources_confirmed", live=True, documents=[document for document, _ in marked])
    return True


def _unmarked(sources: Sequence[dict[str, Any]], which: Sequence[tuple[str, str | None]]) -> list[dict[str, Any]]:
    return [
        {name: source[name] for name in source if name != "unverified"}
        if (source["document"], source.get("clause")) in which
        else source
        for source in sources
    ]


# --- silencing, and having it answer again ---------------------------------------------------------------------------


def pause(
    session: Session,
    qa_id: str,
    by: str,
    *,
    why: str | None = None,
    seen: int | None = None,
    now: datetime | None = None,
) -> QA:
    """It answers nobody any more, at once.  One person is enough.  Raises: NotFound, IllegalMove, Outdated, Forbidden."""
    one = _open(session, "pause", qa_id, by, seen, now or utcnow())
    before, one.qa.status = one.qa.status, "paused"
    return _done(session, one.qa, by, "qa.paused", live=True, before=before, why=why)


def withdraw(
    session: Session,
    qa_id: str,
    by: str,
    why: str,
    *,
    number: int | None = None,
    seen: int | None = None,
    now: datetime | None = None,
) -> QA:
    """A version was wrong (作废): it never answers again, nor does what is in force or to come and says the same.  One person is enough.

    Where that is what the item says now, it is paused at once: an editor has to write a new version.

    Args:
        number: the version; None: the one in force.

    Raises:
        NotFound: no such item or version.
        IllegalMove: it was never published, or was withdrawn already.
        InvalidInput: no reason.
        Outdated, Forbidden.
    """
    if not why.strip():
        raise InvalidInput("请写明为什么作废：错在哪里，依据什么。")
    now = now or utcnow()
    one = _open(session, "withdraw", qa_id, by, seen, now)
    qa, before = one.qa, one.qa.status
    wrong = session.get(QAVersion, (qa_id, number or qa.version))
    if wrong is None:
        raise NotFound(f"问答 {qa_id} 没有第 {number} 版。")
    if wrong.withdrawn_at is not None:
        raise IllegalMove(f"问答 {qa_id} 的第 {wrong.number} 版已经作废了。")
    said = sense(wrong.content["answer"])
    gone = [
        version
        for version in versions(session, qa_id)
        if version is wrong
        or (sense(version.content["answer"]) == said and (version.number == qa.version or version.due is not None))
    ]
    for version in gone:
        version.withdrawn_at, version.withdrawn_by, version.withdrawn_why = now, by, why.strip()
        if version.due is not None:
            version.due, version.called_off = None, True
    if any(version.number == qa.version for version in gone):
        qa.status = "paused" if qa.status == "approved" else qa.status
        if one.request is not None and one.request.move == RESUME:
            session.delete(one.request)
    numbers = sorted(version.number for version in gone)
    about = {"version": numbers, "why": why.strip(), "before": before, "status": qa.status}
    return _done(session, qa, by, "qa.withdrawn", live=True, **about)


def ask(
    session: Session,
    move: str,
    qa_id: str,
    by: str,
    *,
    replaced_by: str | None = None,
    why: str | None = None,
    seen: int | None = None,
    now: datetime | None = None,
) -> QA:
    """Want a paused item to answer again (``resume``), or one to be over for good (``retire``); another person confirms.

    Args:
        replaced_by: the item that takes a retired one's place.

    Raises:
        NotFound, IllegalMove, Outdated, Forbidden.
        InvalidInput: a replacement that does not exist or isn't one.
    """
    if move not in (RESUME, RETIRE):
        raise InvalidInput("只能申请恢复作答或退役。")
    now = now or utcnow()
    one = _open(session, move, qa_id, by, seen, now)
    if replaced_by is not None:
        if move != RETIRE or replaced_by == qa_id:
            raise InvalidInput("只有退役的问答可以指定替代它的另一条问答。")
        if session.get(QA, replaced_by) is None:
            raise InvalidInput(f"用来替代的问答 {replaced_by} 不存在。")
    session.add(QARequest(qa_id=qa_id, move=move, replaced_by=replaced_by, asked_by=by, asked_at=now, why=why))
    return _done(session, one.qa, by, f"qa.ask_{move}", replaced_by=replaced_by, why=why)


def confirm(session: Session, qa_id: str, by: str, *, seen: int | None = None, now: datetime | None = None) -> QA:
    """Do what another person asked for.  What is retired has nothing to come any more.

    Raises: NotFound; IllegalMove: nothing was asked for, or it can't be any more; Outdated; Forbidden: they asked for it.
    """
    one = _open(session, "confirm", qa_id, by, seen, now or utcnow())
    qa, request = one.qa, one.request
    assert request is not None
    if qa.status not in MOVES[request.move].statuses:
        raise IllegalMove(
            f"问答 {qa_id} 现在是「{STATUS_NAMES.get(qa.status, qa.status)}」，这份申请已经不合适了，请撤销。"
        )
    before = qa.status
    if request.move == RESUME:
        qa.status = "draft" if qa.version is None else "approved"
    else:
        qa.status, qa.replaced_by = "retired", request.replaced_by
        for version in waiting(session, qa_id):
            version.due, version.called_off = None, True
    session.delete(request)
    about = {"before": before, "asked_by": request.asked_by, "replaced_by": qa.replaced_by}
    return _done(session, qa, by, "qa.resumed" if request.move == RESUME else "qa.retired", live=True, **about)


def decline(session: Session, qa_id: str, by: str, *, seen: int | None = None, now: datetime | None = None) -> QA:
    """Nothing comes of what was asked for; whoever asked may take it back so.  Raises: as ``confirm``."""
    one = _open(session, "decline", qa_id, by, seen, now or utcnow())
    assert one.request is not None
    session.delete(one.request)
    return _done(session, one.qa, by, "qa.decline", move=one.request.move, asked_by=one.request.asked_by)


# --- many ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Result:
    """What became of one of many."""

    qa_id: str
    refused: YihaodaError | None
    """None: it is done"""


def each(session: Session, ids: Sequence[str], step: Callable[[str], object]) -> list[Result]:
    """Take a step with each of these items; one that is refused stays as it is, and the others go on."""
    results = []
    for qa_id in dict.fromkeys(ids):
        try:
            with session.begin_nested():
                step(qa_id)
        except YihaodaError as refused:
            results.append(Result(qa_id, refused))
        else:
            results.append(Result(qa_id, None))
    return results


# --- all of them -----------------------------------------------------------------------------------------------------


def _open(session: Session, move: str, qa_id: str, by: str, seen: int | None, now: datetime) -> Held:
    """The item for a move that may be made, locked until the transaction ends; what has come into force by now is in its row."""
    lock(session)  # before the row, as everybody does: in two orders they could wait for each other
    session.flush()
    if session.get(QA, qa_id, with_for_update=True, populate_existing=True) is None:
        raise NotFound(f"没有编号为 {qa_id} 的问答。")
    one = held(session, qa_id)
    if seen is not None and one.qa.edits != seen:
        raise Outdated(f"问答 {qa_id} 刚刚被别人改过，请看一眼最新的内容再操作。")
    permit(session, by, MOVES[move].roles)
    bring_in_one(session, one.qa, now.astimezone(SHANGHAI).date())
    if (refused := refusal(move, one, by)) is not None:
        raise refused
    return one


def _write(session: Session, qa: QA, copy: WorkingCopy | None, by: str, now: datetime) -> WorkingCopy:
    """The working copy, being written by one more author."""
    if copy is None:
        copy = WorkingCopy(qa_id=qa.id, content=None, base=None, authors=[])
        session.add(copy)
    copy.authors = sorted({*copy.authors, by} - {SYSTEM})
    copy.state, copy.changed_by, copy.changed_at, copy.submitted_at = EDITING, by, now, None
    return copy


def _done(session: Session, qa: QA, by: str, action: str, *, live: bool = False, **detail: Any) -> QA:
    """Every move ends so.  ``live``: the index and whatever is worked out from the knowledge is behind now."""
    qa.edits += 1
    if live:
        qa.revision = bump(session)
    session.flush()
    audit.record(session, by, action, qa.id, **detail)
    events.publish(session, "knowledge", qa.id)
    return qa


def _checked(session: Session, fields: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """``content.checked``, and what is named there must exist."""
    new = checked(fields, before)
    for name, model, title in (("sources", Document, "依据的文件"), ("guides", ServiceGuide, "办事指南")):
        named = [one["document"] if isinstance(one, dict) else one for one in new[name] or ()]
        known = set(session.scalars(select(model.id).where(model.id.in_(named)))) if named else set()
        if lost := [one for one in named if one not in known]:
            raise InvalidInput(f"{title}不存在：{'、'.join(lost)}。")
    return new


# --- looking ---------------------------------------------------------------------------------------------------------


def versions(session: Session, qa_id: str) -> list[QAVersion]:
    """The published versions of an item, the newest first."""
    return list(session.scalars(select(QAVersion).where(QAVersion.qa_id == qa_id).order_by(QAVersion.number.desc())))


def version_state(version: QAVersion, qa: QA, today: date) -> str:
    """``withdrawn``, ``in_force``, ``coming``, ``called_off`` or ``earlier``, for an item as it is that day."""
    if version.withdrawn_at is not None:
        return "withdrawn"
    if version.number == qa.version:
        return "in_force"
    if version.called_off:
        return "called_off"
    return "coming" if version.due is not None and version.due > today else "earlier"


def under_way(session: Session, qa: QA) -> QA:
    """The item as it is to be: with its working copy's content, where there is one.  Not to be changed."""
    copy = session.get(WorkingCopy, qa.id)
    if copy is None or copy.content is None:
        return qa
    there = QA(id=qa.id)
    fill(there, copy.content)
    return there
