"""Free search at the desk: questions and answers, guides and documents in one list, filtered, with the words that were found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import knowledge, regions
from bot.desk import showing
from bot.desk.showing import Wanted
from bot.models.knowledge import Document, ServiceGuide
from index.search import tokenize
from index.search.find import Place, find
from index.search.normalise import clean, normalise
from index.versions.store import Loaded

Kind = Literal["qa", "guide", "document"]
MOST = 50
"""Hits of a kind"""
_HELD = 0.5
"""A guide or a document's title is a hit if it holds such a share of the words that were looked for"""


@dataclass(frozen=True)
class Hit:
    """Something that was found."""

    kind: Kind
    id: str
    title: str
    text: str
    region: str
    note: str
    """Whose, or which clause"""


@dataclass(frozen=True)
class Found:
    """What was found, the best of each kind first."""

    hits: list[Hit]
    counts: dict[str, int]
    """By kind, of what the asker may see"""
    words: list[str]
    """To be marked in what is shown"""


def search(
    session: Session,
    loaded: Loaded,
    text: str,
    wanted: Wanted,
    *,
    served: str,
    today: date,
    production: bool,
    kinds: Sequence[Kind] = ("qa", "guide", "document"),
) -> Found:
    """Everything of ``kinds`` that holds what was looked for."""
    query = normalise(text)
    words = [word for word in dict.fromkeys(tokenize.words(query.text)) if len(word) > 1 or len(query.text) < 3]
    ways: dict[Kind, Callable[[], list[Hit]]] = {
        "qa": lambda: _qas(session, loaded, text, wanted, served, today, production),
        "guide": lambda: _guides(session, words, wanted),
        "document": lambda: _documents(session, loaded, query.text, words, wanted, served, today),
    }
    found = {kind: ways[kind]() for kind in kinds} if not query.empty else {}
    hits = [hit for some in found.values() for hit in some]
    return Found(hits, {kind: len(some) for kind, some in found.items()}, words)


def _qas(
    session: Session, loaded: Loaded, text: str, wanted: Wanted, served: str, today: date, production: bool
) -> list[Hit]:
    place = Place(served, wanted.region, anywhere=wanted.region is None)
    ranked = find(loaded.retriever, loaded.calibration, normalise(text), place).ranked
    ids = [one.candidate.item.id for one in ranked]
    shown = showing.items(session, ids, wanted, today=today, production=production)
    return [
        Hit("qa", qa.id, qa.question, qa.answer, qa.region, qa.matter)
        for id_ in ids
        if (qa := shown.get(id_)) is not None
    ][:MOST]


def _guides(session: Session, words: Sequence[str], wanted: Wanted) -> list[Hit]:
    above = set(regions.ancestors(wanted.region)) if wanted.region else None
    scored = []
    for guide in session.scalars(select(ServiceGuide).order_by(ServiceGuide.id)):
        if above is not None and guide.region not in above:
            continue
        if wanted.department not in (guide.department or ""):
            continue
        share = _share(words, f"{guide.title} {guide.who or ''} {guide.department or ''}")
        if share >= _HELD:
            scored.append((share, guide))
    scored.sort(key=lambda pair: (-pair[0], pair[1].id))
    return [
        Hit("guide", one.id, one.title, "、".join(one.materials), one.region, one.department or "")
        for _, one in scored[:MOST]
    ]


def _documents(
    session: Session, loaded: Loaded, query: str, words: Sequence[str], wanted: Wanted, served: str, today: date
) -> list[Hit]:
    """Public ones in force (or, for those who look after the knowledge, all public ones), by passage, then by title."""
    place = frozenset(regions.ancestors(wanted.region or served))
    hits: dict[str, Hit] = {}
    if loaded.policy_texts is not None:
        for one in loaded.policy_texts.search(query, loaded.retriever.encoder, place):
            passage = one.passage
            hits.setdefault(
                passage.document_id,
                Hit("document", passage.document_id, passage.title, passage.text, passage.region, passage.label),
            )
    titled = [
        (share, document)
        for document in session.scalars(select(Document).order_by(Document.id))
        if (share := _share(words, f"{document.title} {document.doc_no or ''}")) >= _HELD
    ]
    for _, document in sorted(titled, key=lambda pair: (-pair[0], pair[1].id)):
        hits.setdefault(
            document.id,
            Hit("document", document.id, document.title, "", document.region, document.doc_no or document.issuer or ""),
        )
    present = knowledge.find(session, Document, list(hits))
    above = set(regions.ancestors(wanted.region)) if wanted.region else None
    return [
        hit
        for id_, hit in hits.items()
        if (one_of := present.get(id_)) is not None
        and one_of.internal_confirmed_by is None
        and (wanted.everything or knowledge.in_force(one_of, today))
        and (above is None or one_of.region in above)
    ][:MOST]


def _share(words: Sequence[str], text: str) -> float:
    """How large a share of the words' characters a text holds."""
    held = clean(text)
    total = sum(map(len, words))
    return sum(len(word) for word in words if word in held) / total if total else 0.0
