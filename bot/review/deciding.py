"""What people make of a group, and taking it back.

Each action is one function that returns what it did, in words; a dry run does the same and rolls back, so that what it says is what would
happen.  What changes the knowledge goes through ``bot.knowledge`` and waits there for another person.
"""

from __future__ import annotations

import hashlib
import unicodedata
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from bot import audit, database, events, knowledge, regions
from bot.accounts.roles import APPROVER, EDITOR, SUPERVISOR
from bot.clock import utcnow
from bot.errors import IllegalMove, InvalidInput, NotFound, YihaodaError
from bot.knowledge import SUBMITTED
from bot.models.asked import Asked
from bot.models.knowledge import QA
from bot.models.review import NluExample, ReviewDecision, ReviewGroup, ReviewMember
from bot.models.versions import WorkingCopy
from bot.review import groups, near
from bot.settings import Settings, get_settings

Action = Literal["wording", "new", "act", "out_of_scope", "not_ours", "ignore", "split", "merge"]
ACTIONS: Mapping[str, str] = {
    "wording": "加为问法",
    "new": "新建问答",
    "act": "改为别的意图",
    "out_of_scope": "不属于任何条目",
    "not_ours": "不归本市管",
    "ignore": "忽略",
    "split": "拆开",
    "merge": "合并",
}
"""What may be made of a group"""
ACTS = {
    "greet": "问候",
    "goodbye": "告别",
    "thanks": "感谢",
    "bot_identity": "问你是谁",
    "capabilities": "问会什么",
    "abuse": "辱骂",
    "chitchat": "闲聊",
    "check_ticket": "查工单",
    "report_problem": "要反映问题",
    "none_of_these": "以上都不是",
    "request_human": "转人工",
    "rate_good": "好评",
    "rate_bad": "差评",
    "repeat": "再说一遍",
}
"""Acts that a sentence may be taught to be: those that depend on nothing said before"""
SETTLING = frozenset({"wording", "new", "act", "out_of_scope", "not_ours", "ignore"})
UNDO = timedelta(days=7)
"""So long a decision may be taken back"""
MANY = 50
"""Groups of one step at most"""
_ONE_IN = 10
"""So many decisions are read by two"""
_LONGEST = 200
_ROLES = frozenset({SUPERVISOR, EDITOR, APPROVER})


@dataclass(frozen=True)
class Wanted:
    """What somebody wants to make of a group."""

    action: Action
    qa_id: str | None = None
    """wording: the item; None: the best candidate"""
    text: str | None = None
    """wording: None: as it was asked most; new: the question"""
    answer: str | None = None
    """new"""
    act: str | None = None
    """act: a key of ``ACTS``"""
    into: str | None = None
    """merge: the other group"""
    asked: Sequence[str] = ()
    """split: one question of each text that goes into a group of its own"""


@dataclass(frozen=True)
class Done:
    """What came of it for one group."""

    group_id: str
    decision_id: str | None
    said: str
    """What was done, or would be; or why not"""
    refused: bool = False
    settled: int = 0
    """Questions"""
    near: int = 0
    """Other groups that it touched"""


class _Tried(Exception):
    """Ends a dry run: nothing is committed."""


def attempt(
    group_ids: Sequence[str], wanted: Wanted, by: str, *, dry: bool = False, now: datetime | None = None
) -> list[Done]:
    """Do the same with several groups, one after the other; what is refused leaves the others as they are.

    Args:
        dry: say what it would do, and do nothing.

    Raises:
        InvalidInput: too many groups, or an action that is for one only.
    """
    if not group_ids or len(group_ids) > MANY:
        raise InvalidInput(f"请选 1 到 {MANY} 组。")
    if len(group_ids) > 1 and (wanted.action in ("new", "split") or (wanted.action == "wording" and wanted.text)):
        raise InvalidInput(f"“{ACTIONS[wanted.action]}”请一组一组地做。")
    done: list[Done] = []
    try:
        with database.write() as session:
            for group_id in dict.fromkeys(group_ids):
                try:
                    with session.begin_nested():
                        done.append(decide(session, group_id, wanted, by, now))
                except YihaodaError as error:
                    done.append(Done(group_id, None, str(error), refused=True))
            if dry:
                raise _Tried
    except _Tried:
        pass
    return done


def decide(session: Session, group_id: str, wanted: Wanted, by: str, now: datetime | None = None) -> Done:
    """Make something of a group.

    Raises:
        NotFound: no such group or item.
        InvalidInput: something is missing, or a wording is another item's; says which.
        IllegalMove: there is nothing open in it any more.
        Forbidden: by the knowledge's own rules.
    """
    now = now or utcnow()
    knowledge.permit(session, by, _ROLES)
    if wanted.action not in ACTIONS:
        raise InvalidInput(f"没有“{wanted.action}”这种处理。现有：{'、'.join(ACTIONS)}。")
    group = session.get(ReviewGroup, group_id, with_for_update=True, populate_existing=True)
    if group is None:
        raise NotFound("没有这一组，可能已经并到别的组，或者提问已经到期清除。")
    if not group.open:
        raise IllegalMove("这一组已经处理过了，看看是谁处理的再说。")
    made = ReviewDecision(
        id=uuid.uuid4().hex,
        group_id=group_id,
        action=wanted.action,
        qa_id=None,
        act=None,
        wording=None,
        detail={},
        by=by,
        at=now,
        settled=0,
        twice=False,
    )
    one = _Step(session, group, wanted, by, now, made)
    said = _DO[wanted.action](one)
    session.add(made)
    session.flush()
    if wanted.action in SETTLING:
        made.settled = session.scalar(_count(ReviewMember.decision == made.id)) or 0
        made.twice = int(hashlib.sha256(made.id.encode()).hexdigest()[:8], 16) % _ONE_IN == 0
    groups.recount(session, {group_id, *one.touched}, now)
    audit.record(
        session, by, f"review.{wanted.action}", group_id, decision=made.id, qa=made.qa_id, settled=made.settled
    )
    events.publish(session, "learning", group_id)
    others = len(one.touched - {group_id}) if wanted.action == "wording" else 0
    more = f"另有 {others} 组里相近的问法一并算作解决。" if others else ""
    return Done(group_id, made.id, said + more, settled=made.settled, near=others)


@dataclass
class _Step:
    session: Session
    group: ReviewGroup
    wanted: Wanted
    by: str
    now: datetime
    made: ReviewDecision
    touched: set[str] = field(default_factory=set)
    """Groups whose figures change"""

    def settle_all(self) -> int:
        """Whatever is open in the group."""
        open_ = ReviewMember.group_id == self.group.id, ReviewMember.decision.is_(None)
        return database.rows_changed(self.session, update(ReviewMember).where(*open_).values(decision=self.made.id))


# --- a wording, a new item, another act ------------------------------------------------------------------------------


def _wording(one: _Step) -> str:
    qa_id = one.wanted.qa_id or one.group.candidate
    if not qa_id:
        raise InvalidInput("请选一条问答：这一组没有相近的。")
    qa = one.session.get(QA, qa_id)
    if qa is None or qa.status == "retired":
        raise NotFound(f"没有编号为 {qa_id} 的问答，或者它已经退役。")
    text = _clean(one.wanted.text or groups.get(one.session, one.group.id).text)
    for other, own in _wordings(one.session):
        if _folded(own) == _folded(text) and other.id != qa_id:
            raise InvalidInput(f"“{text}”已经是“{other.question}”（{other.id}）的问法，不能再加到“{qa.question}”。")
    there = knowledge.under_way(one.session, qa)
    known = {_folded(each) for each in (there.question, *there.similar)}
    one.made.qa_id, one.made.wording = qa_id, text
    added = _folded(text) not in known
    if added:
        _change_similar(one.session, qa_id, [*there.similar, text], one.by, "待学习：加问法", one.now)
    one.made.detail = {"added": added}
    like = [one.group.example] if one.group.example else []
    one.session.flush()
    texts = select(ReviewMember.text).where(ReviewMember.asked_id.in_(like))
    one.touched |= near.settle_texts(one.session, one.made.id, one.session.scalars(texts).all())
    one.touched |= near.settle_alike(one.session, one.made.id, like, one.group, qa_id)
    left = one.session.scalar(_count(ReviewMember.group_id == one.group.id, ReviewMember.decision.is_(None))) or 0
    rest = f"组里还有 {left} 次提问离这个问法较远，留着。" if left else ""
    what = f"把“{text}”加为“{qa.question}”的问法，等另一位审核。" if added else f"“{qa.question}”已经有这个问法。"
    return what + rest


def _change_similar(session: Session, qa_id: str, similar: list[str], by: str, why: str, now: datetime) -> None:
    """In the working copy; submitted, unless somebody is still writing it."""
    copy = session.get(WorkingCopy, qa_id)
    ready = copy is None or copy.state == SUBMITTED
    knowledge.edit(session, qa_id, {"similar": similar}, by, why=why, now=now)
    if ready:
        knowledge.submit(session, qa_id, by, now=now)


def _new(one: _Step) -> str:
    text, answer = _clean(one.wanted.text or groups.get(one.session, one.group.id).text), one.wanted.answer or ""
    if not answer.strip():
        raise InvalidInput("请写答案，哪怕只有一句；依据可以在知识里补。")
    for other, own in _wordings(one.session):
        if _folded(own) == _folded(text):
            raise InvalidInput(f"“{text}”已经是“{other.question}”（{other.id}）的问法，请改那一条。")
    region = one.session.scalar(select(Asked.region).where(Asked.id == one.group.example)) or _home()
    made = knowledge.propose(one.session, text, answer, one.by, region, one.now)
    one.made.qa_id, one.made.wording = made.id, text
    one.settle_all()
    return f"新建了问答草稿“{text}”（{made.id}），补上依据、提交并由另一位审核以后才会作答。"


def _act(one: _Step) -> str:
    act = one.wanted.act or ""
    if act not in ACTS:
        raise InvalidInput(f"请选一种意图：{'、'.join(f'{name} {title}' for name, title in ACTS.items())}。")
    text = _clean(one.wanted.text or groups.get(one.session, one.group.id).text)
    one.made.act, one.made.wording = act, text
    one.session.add(NluExample(id=uuid.uuid4().hex, act=act, text=text, decision=one.made.id, by=one.by, at=one.now))
    one.settle_all()
    return f"把“{text}”记作“{ACTS[act]}”的例句，下次训练时用上。"


def _clean(text: str) -> str:
    """Raises: InvalidInput: it can't be adopted."""
    text = " ".join(text.split())
    if not text or len(text) > _LONGEST:
        raise InvalidInput(f"说法要有 1 到 {_LONGEST} 字，请改写。")
    if "**" in text:
        raise InvalidInput("这句里有打了码的个人信息，请改写成不带它的说法。")
    if text.startswith("/"):
        raise InvalidInput("说法不能以“/”开头，请改写。")
    return text


def _folded(text: str) -> str:
    """Without what makes no difference to a reader."""
    return "".join(one for one in unicodedata.normalize("NFKC", text).casefold() if one.isalnum())


def _wordings(session: Session) -> Iterator[tuple[QA, str]]:
    """Every wording of every item that may answer, as it is and as it is to be."""
    for qa in session.scalars(select(QA).where(QA.status != "retired").order_by(QA.id)):
        yield from ((qa, text) for text in (qa.question, *qa.similar))
    copies = select(QA, WorkingCopy.content).join(WorkingCopy, WorkingCopy.qa_id == QA.id).order_by(QA.id)
    for qa, content in session.execute(copies):
        if content is not None:
            yield from ((qa, text) for text in (content["question"], *(content.get("similar") or ())))


def _home() -> str:
    return get_settings().region or regions.NATION


# --- what is no question of ours, and grouping by hand ---------------------------------------------------------------


def _set_aside(one: _Step) -> str:
    count = one.settle_all()
    return f"{count} 次提问记作“{ACTIONS[one.wanted.action]}”，以后同样的不再列出。"


def _split(one: _Step) -> str:
    chosen = ReviewMember.asked_id.in_(one.wanted.asked), ReviewMember.group_id == one.group.id
    texts = one.session.scalars(select(ReviewMember.text).where(*chosen).distinct()).all()
    open_ = ReviewMember.group_id == one.group.id, ReviewMember.decision.is_(None)
    all_ = one.session.scalar(select(func.count(ReviewMember.text.distinct())).where(*open_)) or 0
    if not texts:
        raise InvalidInput("请选出要拆出去的问法。")
    if len(texts) >= all_:
        raise InvalidInput("组里至少要留下一种问法。")
    moved = one.session.scalars(select(ReviewMember.asked_id).where(*open_, ReviewMember.text.in_(texts))).all()
    new = _blank(uuid.uuid4().hex)
    one.session.add(new)
    one.session.flush()
    _move(one.session, moved, new.id)
    one.made.detail = {"moved": list(moved), "into": new.id, "pinned": one.group.pinned}
    one.group.pinned = True
    one.session.flush()
    one.touched |= {new.id}
    return f"拆出 {len(texts)} 种问法、{len(moved)} 次提问，成为新的一组。"


def _merge(one: _Step) -> str:
    into = one.session.get(ReviewGroup, one.wanted.into, with_for_update=True) if one.wanted.into else None
    if into is None or into.id == one.group.id:
        raise InvalidInput("请选要并到的另一组。")
    members = ReviewMember.group_id == one.group.id, ReviewMember.decision.is_(None)
    moved = one.session.scalars(select(ReviewMember.asked_id).where(*members)).all()
    _move(one.session, moved, into.id)
    one.made.detail = {"moved": list(moved), "into": into.id, "pinned": into.pinned}
    into.pinned = True
    one.session.flush()
    one.touched |= {into.id}
    return f"把 {len(moved)} 次提问并到“{groups.get(one.session, into.id).text}”那一组。"


def _blank(group_id: str) -> ReviewGroup:
    return ReviewGroup(
        id=group_id,
        example=None,
        pinned=True,
        open=True,
        texts=0,
        asked=0,
        days=[],
        week=0,
        over=0,
        why={},
        candidate=None,
        matter=None,
        could=0.0,
        missing=0.0,
        help=0.0,
        last_at=None,
    )


def _move(session: Session, asked_ids: Sequence[str], group_id: str) -> None:
    for start in range(0, len(asked_ids), 500):
        some = ReviewMember.asked_id.in_(asked_ids[start : start + 500])
        database.rows_changed(session, update(ReviewMember).where(some).values(group_id=group_id))


_DO: dict[Action, Callable[[_Step], str]] = {
    "wording": _wording,
    "new": _new,
    "act": _act,
    "out_of_scope": _set_aside,
    "not_ours": _set_aside,
    "ignore": _set_aside,
    "split": _split,
    "merge": _merge,
}


# --- taking it back --------------------------------------------------------------------------------------------------


def decision(session: Session, decision_id: str) -> ReviewDecision:
    """Raises: NotFound."""
    row = session.get(ReviewDecision, decision_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound("没有这次处理。")
    return row


def undo(session: Session, decision_id: str, by: str, now: datetime | None = None) -> ReviewDecision:
    """Take a decision back: what it settled is open again, what it put into the knowledge is taken out there.

    Raises:
        NotFound: no such decision.
        IllegalMove: it is too late, or it was taken back already, or what it made is published.
        Forbidden: by the knowledge's own rules.
    """
    now = now or utcnow()
    knowledge.permit(session, by, _ROLES)
    made = decision(session, decision_id)
    if made.undone_at is not None:
        raise IllegalMove("这次处理已经撤销过了。")
    if now - made.at > UNDO:
        raise IllegalMove(f"过了 {UNDO.days} 天，不能撤销了。请直接改知识。")
    touched = {made.group_id}
    if made.action == "wording" and made.detail["added"]:
        _take_out(session, made, by, now)
    elif made.action == "new" and made.qa_id:
        _give_up(session, made.qa_id, by, now)
    elif made.action == "act":
        session.execute(delete(NluExample).where(NluExample.decision == made.id))
    elif made.action in ("split", "merge"):
        into = session.get(ReviewGroup, made.detail["into"])
        _move(session, made.detail["moved"], made.group_id)
        own = session.get(ReviewGroup, made.group_id)
        back = own if made.action == "split" else into
        if back is not None:
            back.pinned = made.detail["pinned"]
        touched.add(made.detail["into"])
    settled = ReviewMember.decision == made.id
    touched |= set(session.scalars(select(ReviewMember.group_id).where(settled).distinct()))
    database.rows_changed(session, update(ReviewMember).where(settled).values(decision=None))
    made.undone_at, made.undone_by = now, by
    session.flush()
    groups.recount(session, touched, now)
    audit.record(session, by, "review.undo", made.group_id, decision=made.id, what=made.action)
    events.publish(session, "learning", made.group_id)
    return made


def _take_out(session: Session, made: ReviewDecision, by: str, now: datetime) -> None:
    qa = session.get(QA, made.qa_id)
    if qa is None or qa.status == "retired":
        return
    there = knowledge.under_way(session, qa)
    left = [text for text in there.similar if text != made.wording]
    if len(left) == len(there.similar):
        return  # somebody has taken it out already
    copy = session.get(WorkingCopy, qa.id)
    if copy is not None and copy.content is not None and left == list(qa.similar) and copy.authors == [made.by]:
        plain = copy.content | {"similar": left} == knowledge.stored(knowledge.content(qa)) | {"similar": left}
        if plain:
            knowledge.discard(session, qa.id, by, now=now)
            return
    _change_similar(session, qa.id, left, by, "待学习：撤销加问法", now)


def _give_up(session: Session, qa_id: str, by: str, now: datetime) -> None:
    qa = session.get(QA, qa_id)
    if qa is None or qa.status in ("paused", "retired"):
        return
    if qa.version is not None:
        raise IllegalMove(f"问答 {qa_id} 已经发布，不能随撤销拿掉；要停用请到知识里停用。")
    knowledge.pause(session, qa_id, by, why="待学习：撤销新建", now=now)


# --- looking ---------------------------------------------------------------------------------------------------------


def decisions(
    session: Session, *, group_id: str | None = None, offset: int = 0, limit: int = 30
) -> tuple[list[ReviewDecision], int]:
    """What was decided, the newest first; about one group, if given.  And how many there are."""
    query = select(ReviewDecision)
    if group_id is not None:
        query = query.where(ReviewDecision.group_id == group_id)
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    page = query.order_by(ReviewDecision.at.desc(), ReviewDecision.id).offset(offset).limit(limit)
    return list(session.scalars(page)), total


def _count(*where: Any) -> Any:
    return select(func.count()).select_from(ReviewMember).where(*where)


EXAMPLES = "nlu_overlay.yml"
"""In the data folder: what reviewers added to the acts' sentences"""


def examples(session: Session) -> str:
    """The sentences for other acts as training data of Rasa."""
    by_act: dict[str, list[str]] = {}
    for row in session.scalars(select(NluExample).order_by(NluExample.act, NluExample.at, NluExample.id)):
        # Brackets would mark an entity, and a line break another sentence.
        sentence = "".join(" " if one in "[](){}<>\n\r" else one for one in row.text).strip()
        if sentence and sentence not in by_act.setdefault(row.act, []):
            by_act[row.act].append(sentence)
    written = ['version: "3.1"', "nlu:"] if by_act else ['version: "3.1"', "nlu: []"]
    for act, sentences in by_act.items():
        written += [f"  - intent: {act}", "    examples: |", *(f"      - {one}" for one in sentences)]
    return "\n".join(written) + "\n"


def export_examples(session: Session, settings: Settings) -> Path:
    """Write them for whoever wants to see what the next training adds; written aside and renamed."""
    target = settings.data_dir / EXAMPLES
    aside = target.with_suffix(".new")
    aside.write_text(examples(session), encoding="utf-8")
    aside.chmod(0o600)
    aside.replace(target)
    return target
