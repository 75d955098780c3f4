"""Which questions are looked at, and their vectors: those of another encoder are made anew."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from bot import asked, database
from bot.crypto import get_cipher
from bot.models.asked import Asked
from bot.models.review import ReviewMember
from bot.review.groups import PLAIN
from bot.review.reasons import reasons
from index.danger import hearing
from index.danger.classifier import bundled
from index.encoder import Encoder
from index.search.normalise import normalise

DAYS = 90
"""What was asked longer ago is looked at no more, unless it is in a group"""
_BATCH = 500
_HEARD, _MOST_HEARD = timedelta(days=2), 2_000
_UNHEARD = 0.5
"""A text that the classifier holds for a danger with this share of what it takes to ask about it was perhaps not heard"""


def wanted(session: Session, now: datetime) -> dict[str, Any]:
    """The questions that went wrong, by id, without what is encrypted.  What was tried out or evaluated teaches nothing."""
    member = select(ReviewMember.asked_id)
    of_people = Asked.source.in_((asked.CITIZEN, asked.AGENT))
    query = select(*PLAIN).where(of_people, or_(Asked.at >= now - timedelta(days=DAYS), Asked.id.in_(member)))
    dangers = set(session.scalars(select(ReviewMember.asked_id).where(ReviewMember.danger)))
    known = set(session.scalars(member))
    rows = session.execute(query.order_by(Asked.id).execution_options(yield_per=_BATCH))
    return {row.id: row for row in rows if row.id in known or reasons(row, danger=row.id in dangers)}


def stale(session: Session, ids: Sequence[str] | dict[str, Any], encoder: Encoder) -> list[str]:
    """Those without a vector of this encoder."""
    found: list[str] = []
    for some in _batches(sorted(ids)):
        no = or_(Asked.encoder.is_(None), Asked.encoder != encoder.checksum)
        found += session.scalars(select(Asked.id).where(Asked.id.in_(some), no).order_by(Asked.id))
    return found


def renew(ids: Sequence[str], encoder: Encoder) -> Iterator[int]:
    """Make the vectors of these questions with this encoder; how many are done so far.  From the masked text: there is no other."""
    done = 0
    for some in _batches(ids):
        with database.read() as session:
            said = session.execute(select(Asked.id, Asked.said).where(Asked.id.in_(some)).order_by(Asked.id)).all()
        texts = [one["normalised"] or normalise(one["text"]).text for _, one in said]
        vectors = encoder.encode(texts).astype("<f2")
        with database.write() as session:
            for (id_, one), text, vector in zip(said, texts, vectors, strict=True):
                kept = base64.b64encode(vector.tobytes()).decode("ascii")
                values = {"vector": kept, "encoder": encoder.checksum, "said": {**one, "normalised": text}}
                session.execute(update(Asked).where(Asked.id == id_).values(values))
        done += len(some)
        yield done


@dataclass(frozen=True)
class Texts:
    """Different normalised texts, their vectors, and the questions that asked them."""

    keys: list[str]
    """Pseudonyms"""
    vectors: NDArray[np.float32]
    """Of unit length, shape (texts, dim)"""
    asked: dict[str, list[str]]
    """Key → ids of questions"""
    dangers: set[str]
    """Questions that perhaps tell of a danger that nobody heard"""


def to_hear(rows: dict[str, Any], known: Collection[str], now: datetime) -> set[str]:
    """The questions that are listened to for dangers: new ones of the last days, the newest first, since each takes some milliseconds."""
    new = [row for id_, row in rows.items() if id_ not in known and now - row.at <= _HEARD]
    return {row.id for row in sorted(new, key=lambda row: row.at, reverse=True)[:_MOST_HEARD]}


def texts(session: Session, ids: Sequence[str], checksum: str, hear: set[str]) -> Iterator[int | Texts]:
    """Read them: how many are read so far, and at the end the whole.

    Args:
        hear: questions that are listened to for dangers.
    """
    cipher, classifier = get_cipher(), bundled()
    found: dict[str, list[str]] = {}
    vectors: list[NDArray[np.float16]] = []
    dangers: set[str] = set()
    heard: dict[str, float] = {}
    done = 0
    for some in _batches(sorted(ids)):
        query = select(Asked.id, Asked.said, Asked.vector).where(Asked.id.in_(some), Asked.encoder == checksum)
        for id_, said, vector in session.execute(query.order_by(Asked.id)):
            key = cipher.pseudonym(said["normalised"])
            if key not in found:
                found[key] = []
                vectors.append(np.frombuffer(base64.b64decode(vector), dtype="<f2"))
            found[key].append(id_)
            if classifier is not None and id_ in hear:
                if key not in heard:  # what was heard was answered below the numbers to call
                    heard[key] = 0.0 if hearing.hear(said["text"]) else classifier.probability(said["text"])[0]
                if heard[key] >= classifier.limits.ask_at * _UNHEARD:
                    dangers.add(id_)
        done += len(some)
        yield done
    matrix = np.stack(vectors).astype(np.float32) if vectors else np.zeros((0, 1), np.float32)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    matrix /= np.where(lengths > 0, lengths, 1.0)
    yield Texts(list(found), matrix, found, dangers)


def _batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH))
