"""What to look at in an item while somebody writes it, each note with the sentence that it concerns.

Notes point; they forbid nothing.  The same questions are asked of all of the knowledge by ``index.knowledge_files.check``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import knowledge, wordings
from bot.models.knowledge import QA, ServiceGuide
from index.figures import Figure, figures, without_figures
from index.search.normalise import normalise
from index.search.retriever import Item, Retriever
from index.versions.store import Loaded

LONGEST = 60
"""Characters that a sentence may have"""
ALIKE = 0.93
"""From this cosine of two questions on they are the same question to whoever asks"""
ALIKE_BY_WORDS = 0.85
"""Without an encoder: the share of neighbouring characters that two questions have in common"""
ABOUT = 0.86
"""From this cosine on an item is near enough for its figures to be compared"""
SAME_CLAUSE = 0.6
"""Two clauses say the same but for their figures, from this share of neighbouring characters on"""
SAID = 6
"""Letters of a clause without its figures, so that it says something"""
MOST = 40
FEW = 30
"""Wordings of an item that questions are compared with"""

_SENTENCES = re.compile(r"[^。！？!?\n]+[。！？!?]?")
_CLAUSE_ENDS = re.compile(r"[，。！？!?；;：\n]")
_NO_LETTERS = re.compile(r"[\W_]+")
_LOCALLY = re.compile(
    r"由当地[^。，；]{0,10}定|[以按看照]当地[^。，；]{0,12}(?:为准|规定|标准)|各地[^。，；]{0,8}(?:不同|不一)"
)
_PHONE = re.compile(r"(?<!\d)(?:12\d{3}|9\d{4}|0\d{2,3}-?\d{7,8}|400-?\d{3}-?\d{4})(?!\d)")


@dataclass(frozen=True)
class Other:
    """Another item that a note is about."""

    qa_id: str
    question: str
    sentence: str
    """The wording or clause of it that matters"""


@dataclass(frozen=True)
class Note:
    """Something to look at."""

    code: str
    field: str
    """The content's field that it concerns"""
    text: str
    """What to look at, for whoever writes"""
    sentence: str | None = None
    """As it is written there"""
    other: Other | None = None


def check(session: Session, loaded: Loaded | None, qa_id: str | None, content: Mapping[str, Any]) -> list[Note]:
    """Notes on an item's content, as ``bot.knowledge.stored`` gives it; fields may be missing.

    Args:
        loaded: the index in use; without one no other items are compared by what is asked.
        qa_id: the item itself, which is not its own double; None: a new one.
    """
    near = _near(loaded.retriever, qa_id, content) if loaded is not None else {}
    found = [
        *_wordings(content),
        *_sentences(content),
        *_without_source(content),
        *_not_in_clause(session, content),
        *_no_phone(session, content),
        *_doubles(near),
        *_at_odds(session, near, qa_id, content),
    ]
    return found[:MOST]


def near_questions(
    session: Session, loaded: Loaded | None, qa_id: str | None, content: Mapping[str, Any], now: datetime
) -> list[wordings.Near]:
    """Questions that got no answer and come near what somebody is writing: its wordings to be, perhaps.  None without an encoder.

    Args:
        content: as of ``check``; of its wordings the question and the first ``FEW`` are compared.
    """
    encoder = loaded.retriever.encoder if loaded is not None else None
    texts = [text for text in (content.get("question") or "", *(content.get("similar") or ())) if text.strip()]
    if encoder is None or not texts:
        return []
    own = encoder.encode([normalise(text).text for text in texts[: 1 + FEW]])

    def nearness(vectors: Sequence[bytes]) -> Iterator[float]:
        for raw in vectors:
            yield float(np.max(own @ np.frombuffer(raw, dtype="<f2").astype(np.float32)))

    return wordings.near(session, qa_id, texts, encoder.checksum, nearness, ABOUT, now)


# --- the words themselves --------------------------------------------------------------------------------------------


def _wordings(content: Mapping[str, Any]) -> Iterator[Note]:
    question, similar = content.get("question") or "", list(content.get("similar") or ())
    if question and not any(text.strip() for text in similar):
        yield Note("no_wordings", "similar", "还没有相似问：市民换一种说法，就可能找不到这一条。")
    seen = {_letters(question)}
    for text in similar:
        letters = _letters(text)
        if letters and letters in seen:
            yield Note("same_wording", "similar", "这个问法已经有了，可以去掉。", text)
        seen.add(letters)


def _sentences(content: Mapping[str, Any]) -> Iterator[Note]:
    for sentence in sentences(content.get("answer") or ""):
        if len(sentence) > LONGEST:
            yield Note(
                "long_sentence", "answer", f"这一句有 {len(sentence)} 个字，超过 {LONGEST} 个，请分成几句。", sentence
            )


def _without_source(content: Mapping[str, Any]) -> Iterator[Note]:
    if content.get("sources"):
        return
    for sentence in sentences(content.get("answer") or ""):
        if own := figures(sentence):
            yield Note("no_source", "sources", f"{_list(own)}：有数字，还没有写依据。", sentence)


def _no_phone(session: Session, content: Mapping[str, Any]) -> Iterator[Note]:
    answer = content.get("answer") or ""
    if _PHONE.search(answer) or session.scalar(
        select(ServiceGuide.id).where(ServiceGuide.id.in_(list(content.get("guides") or ()))).limit(1)
    ):
        return
    for sentence in sentences(answer):
        if _LOCALLY.search(sentence):
            yield Note("no_phone", "answer", "说了由当地定，没有写打哪个电话问，也没有办事指南。", sentence)


# --- what it rests on ------------------------------------------------------------------------------------------------


def _not_in_clause(session: Session, content: Mapping[str, Any]) -> Iterator[Note]:
    """Figures that the cited clauses do not have, where the texts of all that is cited are there."""
    sources = list(content.get("sources") or ())
    cited = [text for source in sources if (text := _cited(session, source)) is not None]
    if not sources or len(cited) < len(sources):
        return
    known = figures("\n".join(cited))
    units = {figure.unit for figure in known}
    for sentence in sentences(content.get("answer") or ""):
        if odd := {figure for figure in figures(sentence) - known if figure.unit in units}:
            yield Note("not_in_source", "sources", f"{_list(odd)}：所引的条文里没有这个数字，请核对。", sentence)


def _cited(session: Session, source: Mapping[str, Any]) -> str | None:
    """The text of a cited clause, or of the whole document; None where it is not there."""
    passages = knowledge.passages_of(session, source["document"])
    clause = source.get("clause") or ""
    own = [one.text for one in passages if one.label and (clause.startswith(one.label) or one.label == clause)]
    return "\n".join(own or [one.text for one in passages]) or None


# --- other items -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Near:
    item: Item
    score: float
    same: bool
    """It is asked for in the same words"""
    own: str
    theirs: str


def _near(retriever: Retriever, qa_id: str | None, content: Mapping[str, Any]) -> dict[str, _Near]:
    """The items whose wordings come near this one's and that may meet it, the nearest first."""
    found: dict[str, _Near] = {}
    for text in [content.get("question") or "", *(content.get("similar") or ())]:
        if len(_letters(text)) < 4:
            continue
        for item, wording, score, by_words in retriever.alike(text):
            same = score >= (ALIKE_BY_WORDS if by_words else ALIKE)
            if item.id == qa_id or not _meets(item, content) or not (same or (not by_words and score >= ABOUT)):
                continue
            if item.id not in found or score > found[item.id].score:
                found[item.id] = _Near(item, score, same, text, wording)
    return dict(sorted(found.items(), key=lambda one: -one[1].score))


def _meets(item: Item, content: Mapping[str, Any]) -> bool:
    """Whether both can be the answer to one citizen's question in one place."""
    region, audience = content.get("region"), content.get("audience")
    if region and item.region != region:
        return False
    return not audience or audience == item.audience or "个人和企业" in (audience, item.audience)


def _doubles(near: Mapping[str, _Near]) -> Iterator[Note]:
    for one in near.values():
        if one.same:
            other = Other(one.item.id, one.item.texts[0], one.theirs)
            yield Note("double", "question", "另一条问答也答这个问题，请看看是不是重复。", one.own, other)


def _at_odds(
    session: Session, near: Mapping[str, _Near], qa_id: str | None, content: Mapping[str, Any]
) -> Iterator[Note]:
    """Clauses that read the same but for a figure which the other's answer nowhere has; of the same question any figure counts."""
    answer = content.get("answer") or ""
    known = figures(answer)
    if not known:
        return
    matter = select(QA.id).where(QA.matter == content.get("matter"), QA.region == content.get("region"))
    ids = [*near, *session.scalars(matter.limit(500))]
    own = _clauses(answer)
    for qa in knowledge.get_many(session, ids).values():
        if qa.id == qa_id or qa.status == "retired":
            continue
        theirs = figures(qa.answer)
        for clause, said in own:
            for other, told in _clauses(qa.answer):
                units = {figure.unit for figure in said} & {figure.unit for figure in told}
                mine = {figure for figure in said - theirs if figure.unit in units}
                yours = {figure for figure in told - known if figure.unit in units}
                if mine and yours and _alike(clause, other) >= SAME_CLAUSE:
                    text = f"这里写 {_list(mine)}，另一条问答写 {_list(yours)}，请核对哪一个对。"
                    yield Note("at_odds", "answer", text, clause, Other(qa.id, qa.question, other))
                    break
            else:
                continue
            break


def _clauses(text: str) -> list[tuple[str, set[Figure]]]:
    return [
        (clause.strip(), own)
        for clause in _CLAUSE_ENDS.split(text)
        if (own := figures(clause)) and len(_letters(without_figures(clause))) >= SAID
    ]


def _alike(one: str, other: str) -> float:
    mine, theirs = (_pairs(_letters(without_figures(text))) for text in (one, other))
    return len(mine & theirs) / len(mine | theirs) if mine and theirs else 0.0


def _pairs(letters: str) -> set[str]:
    return {letters[place : place + 2] for place in range(len(letters) - 1)}


def sentences(text: str) -> list[str]:
    """Sentences as they are written, with their ends."""
    return [stripped for one in _SENTENCES.findall(text) if (stripped := one.strip())]


def _list(found: Sequence[Figure] | set[Figure]) -> str:
    return "、".join(sorted(map(str, found)))


def _letters(text: str) -> str:
    return _NO_LETTERS.sub("", text).lower()
