"""Groups as rows: who is in which, under an id that stays; what people decided stays decided."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from bot import database, events
from bot.models.asked import Asked
from bot.models.review import ReviewDecision, ReviewGroup, ReviewMember
from bot.review.reasons import Asking, figures
from training.review import gathering, grouping

_ASIDE = frozenset({"out_of_scope", "not_ours", "ignore"})
"""What was decided so once holds for those who ask the same later"""
_SETTLES = timedelta(days=7)
"""Until a wording or an item that was just made is approved and built, the same question is not listed anew"""
_BATCH = 500


@dataclass(frozen=True)
class Found:
    """What there is."""

    questions: int
    groups: int
    alone: int
    """In groups of a single text"""


@dataclass
class _Member:
    group: str
    text: str
    danger: bool
    decision: str | None


def arrange(now: datetime, progress: Callable[..., None], checksum: str) -> Found:
    """Group whatever went wrong and write it down.  Cut off, it can run again: the groups come out the same."""
    with database.read() as session:
        rows = gathering.wanted(session, now)
        before = {
            row.asked_id: _Member(row.group_id, row.text, row.danger, row.decision)
            for row in session.execute(select(*ReviewMember.__table__.columns))
        }
        pinned = set(session.scalars(select(ReviewGroup.id).where(ReviewGroup.pinned)))
        texts: gathering.Texts | None = None
        for read in gathering.texts(session, list(rows), checksum, gathering.to_hear(rows, before, now)):
            if isinstance(read, gathering.Texts):
                texts = read
            else:
                progress("正在读提问", read, len(rows))
        assert texts is not None
        decisions = _decisions(session)
    was = {key: before[ids[0]].group for key, ids in texts.asked.items() if ids[0] in before}
    labels = grouping.group(texts.keys, texts.vectors, progress, before=was)
    members = grouping.together(texts.asked, dict(zip(texts.keys, labels.tolist(), strict=True)))
    # Questions without a vector that fits stay where they are; equal texts are one text, so nobody's are parted.
    after = _placed(members, {id_: one.group for id_, one in before.items() if id_ in rows}, pinned)
    text_of = {id_: key for key, ids in texts.asked.items() for id_ in ids}
    new = {
        id_: _Member(
            group,
            text_of[id_],
            before[id_].danger if id_ in before else id_ in texts.dangers,
            before[id_].decision if id_ in before else None,
        )
        for id_, group in after.items()
    }
    _settle_latecomers(new, rows, before, decisions)
    progress("正在写下分组", 0, len(new))
    _write_members(before, new, progress)
    return _write_groups(rows, {**before, **new}, now)


def _placed(members: Sequence[Sequence[str]], before: dict[str, str], pinned: set[str]) -> dict[str, str]:
    """Question → group.  A group that a person made keeps its questions, and takes in what goes with most of them."""
    after: dict[str, str] = {}
    loose: list[list[str]] = []
    for some in members:
        held = Counter(before[one] for one in some if before.get(one) in pinned)
        free = [one for one in some if before.get(one) not in pinned]
        after |= {one: before[one] for one in some if before.get(one) in pinned}
        if held and free:
            home = max(held, key=lambda id_: (held[id_], id_))
            after |= dict.fromkeys(free, home)
        elif free:
            loose.append(free)
    own = {id_: group for id_, group in before.items() if group not in pinned}
    for id_, some in zip(grouping.keep_ids(loose, own), loose, strict=True):
        after |= dict.fromkeys(some, id_)
    return after


@dataclass(frozen=True)
class _Decided:
    group: str
    aside: bool
    at: datetime


def _decisions(session: Session) -> dict[str, _Decided]:
    query = select(ReviewDecision.id, ReviewDecision.group_id, ReviewDecision.action, ReviewDecision.at)
    rows = session.execute(query.where(ReviewDecision.undone_at.is_(None)).order_by(ReviewDecision.at))
    return {row.id: _Decided(row.group_id, row.action in _ASIDE, row.at) for row in rows}


def _settle_latecomers(
    new: dict[str, _Member], rows: dict[str, Any], before: dict[str, _Member], decisions: dict[str, _Decided]
) -> None:
    """A question that was not there when its group was decided about."""
    last_of: dict[str, str] = {}
    text_of: dict[tuple[str, str], str] = {}
    for id_ in sorted(before):
        known = before[id_]
        if known.decision in decisions:
            text_of[new[id_].group if id_ in new else known.group, known.text] = known.decision or ""
    for decision_id, made in decisions.items():
        if made.aside:
            last_of[made.group] = decision_id
    for id_, one in new.items():
        if id_ in before or one.danger:
            continue
        same = text_of.get((one.group, one.text))
        if same and rows[id_].at <= decisions[same].at + _SETTLES:
            one.decision = same
        elif one.group in last_of:
            one.decision = last_of[one.group]


def _write_members(before: dict[str, _Member], new: dict[str, _Member], progress: Callable[..., None]) -> None:
    """What is different.  Left alone is what was erased meanwhile, and what a person has split or merged."""
    added = [id_ for id_ in new if id_ not in before]
    moved = [id_ for id_ in new if id_ in before and before[id_] != new[id_]]
    for done, some in enumerate(_batches(added)):
        with database.write() as session:
            there = session.scalars(select(Asked.id).where(Asked.id.in_(some)).with_for_update(read=True))
            session.add_all(ReviewMember(asked_id=id_, **_values(new[id_])) for id_ in sorted(there))
        progress("正在写下分组", done * _BATCH, len(added) + len(moved))
    for done, some in enumerate(_batches(moved)):
        with database.write() as session:
            for id_ in some:
                as_it_was = ReviewMember.asked_id == id_, ReviewMember.group_id == before[id_].group
                values = {"group_id": new[id_].group, "text": new[id_].text}
                session.execute(update(ReviewMember).where(*as_it_was).values(values))
        progress("正在写下分组", len(added) + done * _BATCH, len(added) + len(moved))


def _values(one: _Member) -> dict[str, Any]:
    return {"group_id": one.group, "text": one.text, "danger": one.danger, "decision": one.decision}


def _write_groups(rows: dict[str, Any], members: dict[str, _Member], now: datetime) -> Found:
    """Figures of every group, since a week passes for all of them; groups without any question go."""
    with database.read() as session:
        current = session.execute(
            select(ReviewMember.asked_id, ReviewMember.group_id, ReviewMember.text, ReviewMember.decision)
        ).all()
        known = set(session.scalars(select(ReviewGroup.id)))
    open_: dict[str, list[Asking]] = defaultdict(list)
    of_texts: dict[str, set[str]] = defaultdict(set)
    asked_in: Counter[str] = Counter()
    for id_, group, text, decision in current:
        of_texts[group].add(text)
        asked_in[group] += 1
        if decision is None and id_ in rows:
            open_[group].append(Asking(rows[id_], text, members[id_].danger if id_ in members else False))
    for some in _batches(sorted(of_texts)):
        with database.write() as session:
            for group in some:
                one = figures(open_[group], now)
                values = asdict(one) | {"open": one.asked > 0}
                if group not in known:
                    session.add(ReviewGroup(id=group, pinned=False, **values))
                elif one.asked:
                    session.execute(update(ReviewGroup).where(ReviewGroup.id == group).values(values))
                else:
                    closed = {"open": False, "asked": 0, "texts": 0, "help": 0.0, "week": 0, "over": 0}
                    session.execute(update(ReviewGroup).where(ReviewGroup.id == group).values(closed))
    with database.write() as session:
        for some in _batches(sorted(known - set(of_texts))):
            session.execute(delete(ReviewGroup).where(ReviewGroup.id.in_(some)))
        events.publish(session, "learning", "groups")
    alone = sum(asked_in[group] for group, some in of_texts.items() if len(some) == 1 and asked_in[group] == 1)
    return Found(sum(asked_in.values()), len(of_texts), alone)


_T = TypeVar("_T")


def _batches(values: Sequence[_T]) -> list[Sequence[_T]]:
    return [values[start : start + _BATCH] for start in range(0, len(values), _BATCH)]
