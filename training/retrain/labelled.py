"""What people decided about questions of the city, as labelled questions: those that train, and those that never do.

Only what a person decided counts: the wording that was adopted, the questions of a group that was put aside or got an item of its own,
the answers of the sample that somebody judged.  What was settled because it is near, what citizens clicked, what was tried out or
evaluated: none of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from bot import asked
from bot.models.asked import Asked
from bot.models.held_out import HeldOut
from bot.models.review import ReviewAudit, ReviewDecision, ReviewMember
from index.search.normalise import clean
from training.fit import Question

HELD_OUT_PERCENT = 20
MOST_OF_ONE = 5
"""Texts of one person that count, the first ones: nobody teaches by saying much"""
_LABELS = ("wording", "new", "out_of_scope", "not_ours")
"""Decisions that say which item answers, or that none does"""


@dataclass(frozen=True)
class Label:
    """A question of the city, masked, and what somebody said answers it."""

    text: str
    right: tuple[str, ...]
    """Ids of the items that do; none: no item does, unless ``wrong`` says otherwise"""
    wrong: tuple[str, ...]
    """Where all that is known is which items do not"""
    group: str
    """The review group's id, or the question's own where it is in none"""
    at: datetime
    """When that was decided"""
    held_out: bool


@dataclass(frozen=True)
class Labelled:
    """What there is."""

    trained: list[Label]
    held_out: list[Label]
    contested: int
    """Texts that were decided one way and another: nobody knows"""
    over: int
    """Questions beyond what one person may contribute"""
    held_out_ids: frozenset[str]
    """All questions that are held out, by id"""


def held_out(group_id: str, person: str | None) -> bool:
    """Whether a question is never trained on, for ever: a fifth of the groups and a fifth of the people, by hash."""
    return _falls("group", group_id) or (person is not None and _falls("person", person))


def _falls(kind: str, name: str) -> bool:
    digest = hashlib.sha256(f"held out {kind}\n{name}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % 100 < HELD_OUT_PERCENT


def digest(text: str) -> str:
    """Names a text that was trained on, the same for what retrieval can't tell apart."""
    return hashlib.sha256(clean(text).encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True)
class _Row:
    text: str
    right: tuple[str, ...]
    wrong: tuple[str, ...]
    group: str
    person: str | None
    at: datetime
    """When it was decided"""
    asked: str | None
    """The question's id; None: an adopted wording"""


def remember(session: Session, found: Labelled) -> None:
    """Write down what is held out: groups are merged, keys renewed, and it stays held out."""
    known = set(session.scalars(select(HeldOut.asked_id)))
    session.add_all(HeldOut(asked_id=one) for one in sorted(found.held_out_ids - known))


def gather(session: Session) -> Labelled:
    """All that people decided, each text once.  A text that equals a held-out one is held out too."""
    known = set(session.scalars(select(HeldOut.asked_id)))
    rows = sorted((*_decided(session), *_judged(session)), key=lambda row: (row.at, row.group, row.text))
    kept, over = _capped(rows)
    by_text: dict[str, list[_Row]] = {}
    for row in kept:
        if key := clean(row.text):
            by_text.setdefault(key, []).append(row)
    trained: list[Label] = []
    held: list[Label] = []
    contested, out_ids = 0, set()
    for same in by_text.values():
        out = any(row.asked in known or held_out(row.group, row.person) for row in same)
        if out:
            out_ids |= {row.asked for row in same if row.asked}
        answers = {frozenset(row.right) for row in same if row.right or not row.wrong}
        right = next(iter(answers), frozenset())
        wrong = frozenset(one for row in same for one in row.wrong)
        if len(answers) > 1 or right & wrong:
            contested += 1
            continue
        label = Label(
            same[-1].text,
            tuple(sorted(right)),
            () if answers else tuple(sorted(wrong)),
            same[-1].group,
            same[-1].at,
            out,
        )
        (held if out else trained).append(label)
    return Labelled(trained, held, contested, over, frozenset(out_ids))


def _decided(session: Session) -> Iterator[_Row]:
    """Of the review: adopted wordings, and the questions of groups that were decided as a whole."""
    query = select(ReviewDecision).where(
        ReviewDecision.action.in_(_LABELS),
        ReviewDecision.undone_at.is_(None),
        or_(ReviewDecision.agrees.is_(None), ReviewDecision.agrees.is_(True)),  # two who disagree decided nothing
    )
    decisions = {one.id: one for one in session.scalars(query)}
    for one in decisions.values():
        if one.wording and one.qa_id:
            yield _Row(one.wording, (one.qa_id,), (), one.group_id, None, one.at, None)
    members = (
        select(ReviewMember.group_id, ReviewMember.decision, Asked)
        .join(Asked, Asked.id == ReviewMember.asked_id)
        .where(ReviewMember.decision.in_(select(query.subquery().c.id)), _OF_PEOPLE)
        .order_by(Asked.id)
        .execution_options(yield_per=500)
    )
    for group_id, decision_id, question in session.execute(members):
        made = decisions.get(decision_id or "")
        if made is None or made.group_id != group_id or question.before:
            continue  # settled because it was near; or it says something only after what was said before
        text = question.said["text"]
        if made.action == "wording" and clean(text) != clean(made.wording or ""):
            continue
        right = (made.qa_id,) if made.qa_id else ()
        yield _Row(text, right, (), group_id, question.person, made.at, question.id)


def _judged(session: Session) -> Iterator[_Row]:
    """Of the sample: what was right, and what was wrong, since the sure ones alone would make everything look right."""
    query = (
        select(ReviewAudit, ReviewMember.group_id, Asked)
        .join(Asked, Asked.id == ReviewAudit.asked_id)
        .outerjoin(ReviewMember, ReviewMember.asked_id == Asked.id)
        .where(ReviewAudit.verdict.in_(("right", "wrong")), _OF_PEOPLE)
        .order_by(Asked.id)
    )
    for judged, group_id, question in session.execute(query):
        if question.qa_id is None or question.before or judged.at is None:
            continue
        item = (question.qa_id,)
        right, wrong = (item, ()) if judged.verdict == "right" else ((), item)
        text, group = question.said["text"], group_id or question.id
        yield _Row(text, right, wrong, group, question.person, judged.at, question.id)


_OF_PEOPLE = Asked.source.in_((asked.CITIZEN, asked.AGENT))


def _capped(rows: Iterable[_Row]) -> tuple[list[_Row], int]:
    kept, over = [], 0
    texts: dict[str, set[str]] = {}
    for row in rows:
        if row.person is not None:
            of_one = texts.setdefault(row.person, set())
            if len(of_one | {clean(row.text)}) > MOST_OF_ONE:
                over += 1
                continue
            of_one.add(clean(row.text))
        kept.append(row)
    return kept, over


def questions(labels: Sequence[Label], matters: Mapping[str, str], since: Mapping[str, datetime]) -> list[Question]:
    """Labels as far as they hold for some knowledge.

    Args:
        matters: of its items, by id.
        since: when each item was published first, where that is known.
    """
    found = []
    for one in labels:
        right = frozenset(id_ for id_ in one.right if id_ in matters)
        wrong = frozenset(id_ for id_ in one.wrong if id_ in matters)
        if (one.right and not right) or (one.wrong and not wrong):
            continue
        later = frozenset(id_ for id_, at in since.items() if at > one.at) if not wrong else frozenset()
        group = next((matters[id_] for id_ in sorted(right or wrong)), f"log-{one.group}")
        found.append(Question(one.text, right, group, True if right else None, wrong, later))
    return found
