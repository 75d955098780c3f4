"""Looks every minute at what was asked in the last ones, and keeps the alarms (``bot.surges``) up to date.

What it has read it keeps in memory, so that a look reads the new questions alone: their vectors have to be decrypted.  Ended and started
again, it reads the last minutes anew and comes to the same.  Only questions with a vector of the present encoder are compared.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from bot import asked, database, surges
from bot.models.asked import Asked
from bot.models.surges import Surge, SurgeMember
from training.review import surges as rising
from training.review.surges import Asking, Risen, Vectors

_SPAN = timedelta(minutes=rising.SPAN_MIN)
_AGAIN = timedelta(minutes=rising.AGAIN_MIN)
_USUAL = timedelta(days=14)
_HOUR = timedelta(hours=1)
_BATCH = 500
_ENDS_PERSONS = 3
"""With fewer in the last 40 minutes it is over"""
_ENDS_AT = 2.0
"""-log10 of the chance: as usual again"""


@dataclass
class _Standing:
    """An alarm of the last day."""

    id: str
    real: bool | None
    ended: bool
    place: str | None
    members: dict[str, Asking] = field(default_factory=dict)

    @property
    def middle(self) -> Vectors:
        """Of its members, of unit length."""
        mean = np.mean([one.vector for one in self.members.values()], axis=0)
        return np.asarray(mean / (float(np.linalg.norm(mean)) or 1.0), dtype=np.float32)

    def persons(self) -> int:
        """As they count."""
        return len(rising.counting(sorted(self.members.values(), key=lambda one: one.minute)))


class Watch:
    """What was asked in the last minutes, and what is usual at this hour.  One at a time."""

    def __init__(self) -> None:
        self._askings: dict[str, Asking] = {}
        self._standing: dict[str, _Standing] = {}
        self._usual: Vectors = np.zeros((0, 1), dtype=np.float32)
        self._usual_of: datetime | None = None
        self._encoder: str | None = None

    def look(self, now: datetime) -> list[str]:
        """Look once; the ids of the alarms that were raised.  Raises: StoreBusy."""
        with database.read() as session:
            self._follow_encoder(session, now)
            new = self._read(session, now)
            self._know_usual(session, now)
            self._follow(session, now)
        window = list(self._askings.values())
        at = {one.id: row for row, one in enumerate(window)}
        found = rising.risen(window, [at[id_] for id_ in new], self._usual, _minute(now))
        if not found and all(one.ended for one in self._standing.values()):
            return []  # as in most minutes: nothing to write
        raised = []
        with database.write() as session:
            for one in found:
                if (id_ := self._take(session, one, now)) is not None:
                    raised.append(id_)
            self._grow(session, [self._askings[id_] for id_ in new])
            self._end(session, window, now)
        return raised

    # --- reading ---

    def _follow_encoder(self, session: Session, now: datetime) -> None:
        """The one that most of what is asked now was read with: while a new index is tried, two are at work."""
        used = select(Asked.encoder).where(Asked.encoder.is_not(None), Asked.at > now - _SPAN).group_by(Asked.encoder)
        encoder = session.scalar(used.order_by(func.count().desc(), Asked.encoder).limit(1))
        if encoder is not None and encoder != self._encoder:
            self._askings, self._standing, self._usual_of = {}, {}, None
            self._encoder = encoder

    def _read(self, session: Session, now: datetime) -> list[str]:
        """Take in what came since, leave out what is too old or was erased; the ids of what came."""
        query = select(Asked.id).where(Asked.at > now - _SPAN, *self._ours())
        there = set(session.scalars(query))
        self._askings = {id_: one for id_, one in self._askings.items() if id_ in there}
        new = sorted(there - set(self._askings))
        self._askings |= {one.id: one for one in _askings(session, new, self._encoder)}
        return [id_ for id_ in new if id_ in self._askings]

    def _ours(self) -> tuple[ColumnElement[bool], ...]:
        return Asked.source == asked.CITIZEN, Asked.encoder == self._encoder

    def _know_usual(self, session: Session, now: datetime) -> None:
        """Once an hour: what was asked at this hour, an hour before and after, in the last 14 days; of much, a sample.

        Not what belongs to an alarm of the last day: it is not usual yet, and where it comes back it shall be told.
        """
        hour = now.replace(minute=0, second=0, microsecond=0)
        if self._usual_of == hour:
            return
        until = now - _SPAN
        hours = [
            and_(
                Asked.at >= hour - timedelta(days=day) - _HOUR,
                Asked.at < min(hour - timedelta(days=day) + 2 * _HOUR, until),
            )
            for day in range(_USUAL.days + 1)
        ]
        found = self._vectors(session, or_(*hours), now)
        if len(found) < rising.FEW_USUAL:
            found = self._vectors(session, and_(Asked.at >= now - _USUAL, Asked.at < until), now)
        self._usual, self._usual_of = found, hour

    def _vectors(self, session: Session, wanted: ColumnElement[bool], now: datetime) -> Vectors:
        risen = select(SurgeMember.asked_id).join(Surge, Surge.id == SurgeMember.surge_id)
        of_alarms = risen.where(Surge.last_at > now - _AGAIN, Surge.real.is_not(False))
        # Ids are random: the first of them are a sample.
        query = (
            select(Asked.vector)
            .where(wanted, *self._ours(), Asked.id.not_in(of_alarms))
            .order_by(Asked.id)
            .limit(rising.MOST_USUAL)
        )
        found = [_unit(vector) for vector in session.scalars(query)]
        return np.stack(found) if found else np.zeros((0, 1), dtype=np.float32)

    def _follow(self, session: Session, now: datetime) -> None:
        """The alarms as they are: people judge them, questions are erased, another process may have begun them."""
        rows = surges.standing(session, now - _AGAIN)
        for row in rows:
            one = self._standing.get(row.id)
            if one is None:
                ids = session.scalars(select(SurgeMember.asked_id).where(SurgeMember.surge_id == row.id)).all()
                members = {each.id: each for each in _askings(session, sorted(ids), self._encoder)}
                one = _Standing(row.id, row.real, row.ended_at is not None, _place(members.values()), members)
                self._standing[row.id] = one
            one.real, one.ended = row.real, row.ended_at is not None
        known = {row.id for row in rows}
        self._standing = {id_: one for id_, one in self._standing.items() if id_ in known and one.members}

    # --- the alarms ---

    def _take(self, session: Session, one: Risen, now: datetime) -> str | None:
        """What rises is one of the alarms, or a new one; the id of a new one."""
        known = self._known(one)
        if known is None:
            kept = surges.raise_(session, _found(one), now)
            self._standing[kept.id] = _Standing(
                kept.id, None, False, one.place, {each.id: each for each in one.members}
            )
            for other in self._standing.values():
                if other.id != kept.id:
                    for each in one.members:
                        other.members.pop(each.id, None)
            return kept.id
        if known.real is not False:
            taken = {id_ for other in self._standing.values() for id_ in other.members}
            self._join(session, known, [each for each in one.members if each.id not in taken])
        return None

    def _known(self, one: Risen) -> _Standing | None:
        near = [each for each in self._standing.values() if each.members and rising.same(one, each.middle, each.place)]
        return max(near, key=lambda each: float(each.middle @ one.middle), default=None)

    def _grow(self, session: Session, new: Sequence[Asking]) -> None:
        """What came goes to the nearest alarm that goes on, if it is near enough."""
        taken = {id_ for one in self._standing.values() for id_ in one.members}
        going = [one for one in self._standing.values() if not one.ended and one.real is not False and one.members]
        joins: dict[str, list[Asking]] = {}
        for asking in new:
            if asking.id not in taken:
                near = [(one, float(one.middle @ asking.vector)) for one in going]
                fit = [
                    (one.place is not None and one.place in asking.text, by, one.id)
                    for one, by in near
                    if by >= rising.RADIUS
                ]
                if fit:
                    joins.setdefault(max(fit)[2], []).append(asking)
        for id_, some in joins.items():
            self._join(session, self._standing[id_], some)

    def _join(self, session: Session, one: _Standing, some: Sequence[Asking]) -> None:
        if some:
            one.members |= {each.id: each for each in some}
            one.ended = False
            last = max(each.minute for each in one.members.values())
            surges.grow(session, one.id, [each.id for each in some], one.persons(), _moment(last))

    def _end(self, session: Session, window: Sequence[Asking], now: datetime) -> None:
        """Those about which no more is asked than usual are over."""
        since = _minute(now - _SPAN)
        for one in self._standing.values():
            if one.ended or not one.members:
                continue
            count = len(rising.counting([each for each in one.members.values() if each.minute > since]))
            before = int(np.count_nonzero(self._usual @ one.middle >= rising.RADIUS)) if len(self._usual) else 0
            beside = max(1, len(window) - count)
            if count < _ENDS_PERSONS or rising.surprise_of(count, before, len(self._usual), beside) < _ENDS_AT:
                one.ended = True
                surges.end(session, one.id, now)


def _askings(session: Session, ids: Sequence[str], encoder: str | None) -> Iterable[Asking]:
    """Those that there are with a vector of this encoder, in the order of their ids."""
    columns = Asked.id, Asked.at, Asked.person, Asked.said, Asked.vector, Asked.certainty, Asked.qa_id
    for start in range(0, len(ids), _BATCH):
        rows = session.execute(
            select(*columns)
            .where(Asked.id.in_(ids[start : start + _BATCH]), Asked.encoder == encoder)
            .order_by(Asked.id)
        )
        for row in rows:
            if row.vector:
                item = row.qa_id if row.certainty == "sure" else None
                text = str(row.said["normalised"])
                yield Asking(row.id, _minute(row.at), row.person or row.id, text, _unit(row.vector), item)


def _unit(vector: str) -> Vectors:
    found = np.frombuffer(base64.b64decode(vector), dtype="<f2").astype(np.float32)
    return np.asarray(found / (float(np.linalg.norm(found)) or 1.0), dtype=np.float32)


def _place(members: Iterable[Asking]) -> str | None:
    """The place that enough of them name."""
    return rising.place_of(rising.counting(sorted(members, key=lambda one: one.minute)))


def _found(one: Risen) -> surges.Found:
    example = max(one.members, key=lambda each: float(each.vector @ one.middle))
    return surges.Found(
        qa_id=one.item,
        began_at=_moment(one.members[0].minute),
        last_at=_moment(one.members[-1].minute),
        persons=one.persons,
        minutes=one.minutes,
        expected=one.expected,
        surprise=one.surprise,
        example=example.id,
        asked=[each.id for each in one.members],
    )


def _minute(at: datetime) -> float:
    return at.timestamp() / 60


def _moment(minute: float) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC)
