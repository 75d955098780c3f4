"""What is asked on both sides: the golden set, held-out logs, and what citizens asked in the last days."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from bot.models.asked import Asked as Asked_
from bot.models.golden import GoldenQuestion
from bot.models.review import ReviewAudit, ReviewMember
from bot.settings import Settings
from index import replay
from index.replay import Answers, Question
from index.search.normalise import normalise
from index.versions.store import Loaded
from training import fit
from training.gate.rows import Source
from training.gate.verdict import Finding
from training.retrain import labelled

REPLAYED = 1_000
"""Questions of the last days, those asked most"""


@dataclass(frozen=True)
class Asked:
    """A question with what is known of it."""

    question: Question
    source: Source
    stratum: str
    right: tuple[str, ...] | None
    act: str | None = None
    must: bool = False
    counted: bool = True
    named: bool = True
    """Whether its words may stand in the report; else they are a citizen's"""


def ours() -> frozenset[str]:
    """Digests of the labelled questions that come with the program: its own limits were fitted on them."""
    return frozenset(labelled.digest(one.text) for one in fit.our_questions())


def of_golden(
    rows: Iterable[GoldenQuestion], answers: Answers, taught: frozenset[str]
) -> tuple[list[Asked], list[Finding]]:
    """The golden set as far as it can be judged here.

    Args:
        answers: what answers today where an item is found.
        taught: digests of the items' wordings, and ``ours``.
    """
    found, foreign, silent, learned = [], 0, 0, 0
    for row in rows:
        counted = True
        right: tuple[str, ...] = tuple(row.right)
        if row.act is None:
            if right and not answers.keys() & set(right):
                foreign += 1
                continue
            right = tuple(dict.fromkeys((*right, *(then for id_ in right if (then := answers.get(id_))))))
            if row.right and not any(answers.get(id_) for id_ in right):
                silent += 1
                continue
            if labelled.digest(row.text) in taught:
                learned += 1
                counted = False
        question = Question(id=row.id, text=row.text, normalised=normalise(row.text).text, region=row.region)
        found.append(Asked(question, "golden", row.stratum, right, row.act, row.must, counted))
    notes = [
        (foreign, "foreign", "道题的正确条目本市没有，不计。"),
        (silent, "silent", "道题的正确条目现在停用、过期或没有审核，不计。"),
        (
            learned,
            "learned",
            "道题一字不差地写成了条目的问法，或者在随程序附带的标注问题里，不计入数字（必对的照样要对）。",
        ),
    ]
    return found, [Finding(key, "note", f"有 {count} {said}") for count, key, said in notes if count]


def held_out(session: Session, answers: Answers, taught: frozenset[str]) -> list[Asked]:
    """Questions of citizens that no training ever sees, with what people decided about them; of ``taught``, they are not counted."""
    labels = labelled.gather(session).held_out
    ids = _asked_ids(session, {label.text for label in labels}) if labels else {}
    found: dict[str, Asked] = {}
    for label in labels:
        right = tuple(dict.fromkeys((*label.right, *(then for id_ in label.right if (then := answers.get(id_))))))
        if label.wrong or (label.right and not any(answers.get(id_) for id_ in right)):
            continue
        own = ids.get(label.text)
        id_ = own or hashlib.sha256(label.text.encode()).hexdigest()[:32]
        question = Question(id=id_, text=label.text, normalised=normalise(label.text).text, own=True)
        counted = labelled.digest(label.text) not in taught
        # An adopted wording is nobody's.
        found[id_] = Asked(question, "held_out", "held_out", right, counted=counted, named=own is None)
    return list(found.values())


def _asked_ids(session: Session, texts: set[str]) -> dict[str, str]:
    """The questions that somebody decided about, by their words."""
    query = (
        select(Asked_.id, Asked_.said)
        .outerjoin(ReviewMember, ReviewMember.asked_id == Asked_.id)
        .outerjoin(ReviewAudit, ReviewAudit.asked_id == Asked_.id)
        .where(or_(ReviewMember.decision.is_not(None), ReviewAudit.verdict.is_not(None)))
    )
    return {said["text"]: id_ for id_, said in session.execute(query) if said["text"] in texts}


def replayed(session: Session, settings: Settings, loaded: Loaded, now: datetime) -> tuple[list[Asked], int]:
    """What citizens asked in the last days, what was asked most first, and how many different questions that are."""
    alone = settings.model_copy(update={"replay_questions": ""})
    every, own = replay.questions(session, alone, loaded, now)
    every = sorted(every, key=lambda one: (-one.times, one.id))[:REPLAYED]
    return [Asked(one, "replay", "replay", one.right or None, counted=False, named=False) for one in every], own


def for_acts(asked: Sequence[Asked]) -> list[Asked]:
    """Those whose act is judged."""
    return [one for one in asked if one.act is not None]


def for_retrieval(asked: Sequence[Asked]) -> list[Asked]:
    """Those that retrieval decides."""
    return [one for one in asked if one.act is None]
