"""One person proposes, another decides: whatever judges releases is no one person's."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bot import audit, events, regions
from bot.accounts.roles import APPROVER, EDITOR
from bot.clock import utcnow
from bot.errors import Forbidden, IllegalMove, InvalidInput, NotFound
from bot.golden.questions import CITY, STRATA, Content, get
from bot.golden.reading import content_of
from bot.golden.taught import Taught, digest_of, taught
from bot.masking import mask
from bot.models.golden import GoldenChange, GoldenQuestion
from bot.models.knowledge import QA
from bot.models.people import Person
from bot.settings import Settings

MOVES = {"add": "新增", "change": "改", "retire": "停用"}
WAITING, CONFIRMED, REFUSED, WITHDRAWN = "waiting", "confirmed", "refused", "withdrawn"
DECIDED = {WAITING: "等另一位确认", CONFIRMED: "已确认", REFUSED: "没有采用", WITHDRAWN: "自己撤回"}
_TEXT, _NOTE, _WHY = 500, 300, 300
_SHOWN = 50


def propose_add(
    session: Session, by: str, content: Content, settings: Settings, *, why: str = "", batch: str | None = None
) -> GoldenChange:
    """Propose a new question.

    Raises:
        Forbidden: who is no editor or approver.
        InvalidInput: what ``Content`` can't be, or the question is taught word for word, or is there already.
    """
    _must_write(session, by)
    change = _add(session, by, content, why, batch, taught(session, settings))
    return _told(session, change)


def _add(session: Session, by: str, content: Content, why: str, batch: str | None, known: Taught) -> GoldenChange:
    content = _checked(session, content)
    _refuse_taught(content, known)
    _refuse_double(session, content.text)
    return _propose(session, by, uuid.uuid4().hex, "add", None, content, why, batch)


def propose_change(
    session: Session, by: str, id_: str, content: Content, settings: Settings, *, why: str
) -> GoldenChange:
    """Propose that a question holds something else.  Raises: as ``propose_add``; NotFound, IllegalMove: it waits or is retired."""
    _must_write(session, by)
    row = _open(session, id_)
    content = _checked(session, content)
    before = Content.of(row)
    if content == before:
        raise InvalidInput("和现在的一样，没有可改的。")
    if digest_of(content.text) != row.letters:
        _refuse_taught(content, taught(session, settings))
        _refuse_double(session, content.text)
    return _told(session, _propose(session, by, id_, "change", before, content, _reason(why)))


def propose_retire(session: Session, by: str, id_: str, *, why: str) -> GoldenChange:
    """Propose that a question counts no more.  Raises: Forbidden, NotFound, IllegalMove, InvalidInput: no reason."""
    _must_write(session, by)
    row = _open(session, id_)
    return _told(session, _propose(session, by, id_, "retire", Content.of(row), None, _reason(why)))


def _propose(
    session: Session,
    by: str,
    id_: str,
    move: str,
    before: Content | None,
    after: Content | None,
    why: str,
    batch: str | None = None,
) -> GoldenChange:
    change = GoldenChange(
        question=id_,
        move=move,
        before=before.stored() if before else None,
        after=after.stored() if after else None,
        why=why.strip()[:_WHY],
        batch=batch,
        state=WAITING,
        by=by,
        at=utcnow(),
    )
    session.add(change)
    session.flush()
    _note(session, by, "golden.propose", change)
    return change


def confirm(session: Session, by: str, change_id: int, settings: Settings, now: datetime | None = None) -> GoldenChange:
    """Let a proposal count.

    Raises:
        Forbidden: who is no editor or approver, or proposed it.
        NotFound: there is no such proposal.
        IllegalMove: it is decided, or the question changed meanwhile.
        InvalidInput: it is taught word for word, or is there, meanwhile.
    """
    _must_write(session, by)
    return _told(session, _confirm(session, by, change_id, taught(session, settings), now or utcnow()))


def _confirm(session: Session, by: str, change_id: int, known: Taught, now: datetime) -> GoldenChange:
    change = _waiting(session, change_id)
    if change.by == by:
        raise Forbidden("自己提的要由另一位来确认。")
    content = Content(**change.after | {"right": tuple(change.after["right"])}) if change.after else None
    if content is not None and (change.before is None or change.before["text"] != content.text):
        _refuse_taught(content, known)
        _refuse_double(session, content.text, but=change.question)
    if change.move == "add":
        assert content is not None
        session.add(made(change.question, content, CITY, change.by, now))
    else:
        row = session.get_one(GoldenQuestion, change.question, with_for_update=True)
        if row.retired_at is not None or Content.of(row).stored() != change.before:
            raise IllegalMove("这一题后来改过了，请重新提。")
        if content is None:
            row.retired_at, row.letters = now, None
        else:
            _write(row, content)
        row.changed_at = now
    change.state, change.decided_by, change.decided_at = CONFIRMED, by, now
    try:
        session.flush()
    except IntegrityError as error:
        raise InvalidInput("题库里已经有同样的问题了。") from error
    _note(session, by, "golden.confirm", change)
    return change


def made(id_: str, content: Content, source: str, by: str, now: datetime) -> GoldenQuestion:
    """A row of its own."""
    row = GoldenQuestion(id=id_, source=source, added_by=by, added_at=now, changed_at=now)
    _write(row, content)
    return row


def _write(row: GoldenQuestion, content: Content) -> None:
    for name, said in content.stored().items():
        setattr(row, name, said)
    row.letters = digest_of(content.text)


def confirm_all(
    session: Session, by: str, batch: str, settings: Settings, now: datetime | None = None
) -> tuple[int, list[str]]:
    """Confirm what waits of an import: how many, and of those that can't be, why.  Raises: Forbidden, NotFound."""
    _must_write(session, by)
    query = select(GoldenChange.id).where(GoldenChange.batch == batch, GoldenChange.state == WAITING)
    ids = session.scalars(query.order_by(GoldenChange.id)).all()
    if not ids:
        raise NotFound("这一批没有要确认的了。")
    known, refused, now = taught(session, settings), [], now or utcnow()
    for id_ in ids:
        try:
            with session.begin_nested():
                _confirm(session, by, id_, known, now)
        except (InvalidInput, IllegalMove) as error:
            refused.append(str(error))
    events.publish(session, "golden", batch)
    return len(ids) - len(refused), refused


def refuse(session: Session, by: str, change_id: int, *, why: str = "") -> GoldenChange:
    """Say no to a proposal; who made it takes it back so.  Raises: Forbidden, NotFound, IllegalMove, InvalidInput: no reason."""
    _must_write(session, by)
    change = _waiting(session, change_id)
    change.decided_why = why.strip()[:_WHY] if change.by == by else _reason(why)
    change.state = WITHDRAWN if change.by == by else REFUSED
    change.decided_by, change.decided_at = by, utcnow()
    session.flush()
    _note(session, by, "golden.refuse", change)
    return _told(session, change)


@dataclass
class Imported:
    """What came of bringing a file."""

    batch: str
    proposed: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)
    """(Line, why not)"""


def bring(
    session: Session,
    by: str,
    rows: Iterable[tuple[int, Mapping[str, Any] | str]],
    settings: Settings,
    *,
    why: str,
    batch: str | None = None,
) -> Imported:
    """Propose many at once; what can't be is named with its line, and the others are proposed all the same.

    Raises:
        Forbidden: who is no editor or approver.
        InvalidInput: see ``bot.golden.rows_of``.
    """
    _must_write(session, by)
    known, came = taught(session, settings), Imported(batch or uuid.uuid4().hex)
    seen: set[str] = set()
    for line, row in rows:
        try:
            if isinstance(row, str):
                raise InvalidInput(row)
            content = content_of(row)
            if (digest := digest_of(content.text)) in seen:
                raise InvalidInput(f"“{_short(content.text)}”在文件里写了两次。")
            with session.begin_nested():
                _add(session, by, content, why, came.batch, known)
            seen.add(digest)
            came.proposed += 1
        except InvalidInput as refused:
            came.refused.append((line, str(refused)))
    if came.proposed:
        events.publish(session, "golden", came.batch)
    return came


# --- what can't be ---------------------------------------------------------------------------------------------------


def _checked(session: Session, content: Content) -> Content:
    text = " ".join(content.text.split())
    if not text or len(text) > _TEXT:
        raise InvalidInput(f"问题要有文字，最多 {_TEXT} 个字。")
    if mask(text) != text:
        raise InvalidInput(f"“{_short(mask(text))}”里有电话、证件号一类的个人信息，请改写以后再加。")
    if content.stratum not in STRATA:
        raise InvalidInput(f"类别可以写：{'、'.join(STRATA.values())}。")
    if (content.act is None) == (content.stratum == "act"):
        raise InvalidInput("类别是“意图”的要写意图，写了意图的类别是“意图”。")
    if content.act and content.right:
        raise InvalidInput("写了意图的，不写哪条问答算答对：它不是提问。")
    if content.act and not _ACT.issuperset(content.act):
        raise InvalidInput(f"没有“{_short(content.act)}”这种意图。")
    if content.region is not None:
        try:
            regions.ancestors(content.region)
        except NotFound as error:
            raise InvalidInput(f"没有这个地区：{_short(content.region)}") from error
    known = set(session.scalars(select(QA.id).where(QA.id.in_(content.right))))
    if missing := [_short(one) for one in content.right if one not in known]:
        raise InvalidInput(f"知识库里没有这些编号：{'、'.join(missing[:10])}")
    return Content(**vars(content) | {"text": text, "note": content.note.strip()[:_NOTE]})


_ACT = frozenset("abcdefghijklmnopqrstuvwxyz_")


def _refuse_taught(content: Content, known: Taught) -> None:
    if where := known.where(content.text, content.act):
        raise InvalidInput(f"“{_short(content.text)}”一字不差地在{where}里：学过的题考不出好坏，不能进题库。")


def _refuse_double(session: Session, text: str, but: str | None = None) -> None:
    standing = session.scalar(select(GoldenQuestion.id).where(GoldenQuestion.letters == digest_of(text)))
    if standing is not None and standing != but:
        raise InvalidInput(f"题库里已经有“{_short(text)}”了。")


def _open(session: Session, id_: str) -> GoldenQuestion:
    row = get(session, id_)
    if row.retired_at is not None:
        raise IllegalMove("这一题已经停用了。")
    waiting = GoldenChange.question == id_, GoldenChange.state == WAITING
    if session.scalar(select(GoldenChange.id).where(*waiting).limit(1)) is not None:
        raise IllegalMove("这一题已经有人提了改动，等另一位确认以后再改。")
    return row


def _waiting(session: Session, change_id: int) -> GoldenChange:
    change = session.get(GoldenChange, change_id, with_for_update=True)
    if change is None:
        raise NotFound("没有这个提议。")
    if change.state != WAITING:
        raise IllegalMove(f"这个提议已经有结果了：{DECIDED[change.state]}。")
    return change


def _must_write(session: Session, by: str) -> None:
    person = session.get(Person, by)
    if person is None or not person.active or not {EDITOR, APPROVER} & set(person.roles):
        raise Forbidden(f"题库由知识编辑或知识审核来管，「{by}」不是在用的这种账号。")


def _reason(why: str) -> str:
    if not why.strip():
        raise InvalidInput("请写明原因。")
    return why.strip()[:_WHY]


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _told(session: Session, change: GoldenChange) -> GoldenChange:
    """Open pages hear of it."""
    events.publish(session, "golden", change.question)
    return change


def _note(session: Session, by: str, action: str, change: GoldenChange) -> None:
    said = (change.after or change.before or {}).get("text", "")
    audit.record(
        session, by, action, change.question, move=change.move, change=change.id, state=change.state, text=said
    )
