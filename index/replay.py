"""昨日重放: what a change of one item does to the questions of the last days, before it is approved.

A first estimate looks at the questions that the item comes near, with the index changed in place (``Retriever.changed``).  The whole replay
builds the index and asks everything.  Both read a question as a citizen's turn does (``Assistant.read``), from its kept vector.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from weakref import WeakKeyDictionary, ref

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from bot import asked, database, knowledge
from bot.clock import SHANGHAI
from bot.conversations import Context
from bot.errors import InvalidInput, NotFound
from bot.knowledge import Standing
from bot.masking import mask
from bot.models.knowledge import QA
from bot.settings import ROOT, Settings
from bot.turns import Turn
from index.assistant.respond import MAX_OPTIONS, Assistant, Level
from index.encoder import Encoder
from index.search import tokenize
from index.search.normalise import clean, normalise
from index.search.retriever import Item, Retriever, sentences_of
from index.versions.store import VECTORS, Loaded
from index.versions.vector_cache import CachedEncoder

DAYS = 7
MOST = 5_000
"""Questions that are replayed, the newest first"""
FEW = 200
"""With fewer than so many of a city's own, the project's are asked too"""
ROWS = 500
"""Changed questions that a result names"""
QUESTIONS = "questions.db"
"""Beside the index versions: vectors of the project's questions"""
_NEAR = 0.1
"""An item comes near a question whose nearest wording's cosine is less than so much above the item's;"""
_SHARED = 0.5
"""or one of whose words (by idf) its wordings, or its answer, hold so large a share in one place."""
_CHUNK = 256
_PAUSE_S = 0.002
"""Between two questions, so that whoever is answered meanwhile hardly waits"""

Move = Literal["content", "pause", "retire"]
Kind = Literal["gained", "lost", "moved", "reworded", "certainty", "offered"]
KINDS: tuple[Kind, ...] = ("gained", "lost", "moved", "reworded", "certainty", "offered")
"""Now answered, no longer answered, answered with another item, with other words, more or less surely, offered or no longer offered"""


@dataclass(frozen=True)
class Change:
    """What is proposed for one item."""

    qa_id: str
    move: Move
    content: Mapping[str, Any] = field(default_factory=dict)
    """The columns that get another value, as ``bot.knowledge.content`` gives them; all of a new item"""
    replaced_by: str | None = None

    @property
    def digest(self) -> str:
        """The same for the same change."""
        told = json.dumps(self.stored(), ensure_ascii=False, sort_keys=True, default=str)
        return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()

    def stored(self) -> dict[str, Any]:
        """A JSON value."""
        content = json.loads(json.dumps(dict(self.content), default=str))
        return {"qa_id": self.qa_id, "move": self.move, "content": content, "replaced_by": self.replaced_by}


Key = tuple[str | None, ...]


@dataclass(frozen=True)
class Question:
    """One question, masked, as it was asked."""

    id: str
    text: str
    normalised: str
    act: str = "ask_policy"
    region: str | None = None
    before: Mapping[str, str | None] | None = None
    vector: NDArray[np.float32] | None = None
    right: tuple[str, ...] = ()
    """The items known to answer it"""
    candidates: tuple[str, ...] = ()
    """The first ones when it was asked"""
    times: int = 1
    own: bool = False
    """A citizen's, of ``bot.asked``; else the project's"""

    @property
    def key(self) -> Key:
        """All that what it comes to depends on."""
        before = self.before or {}
        return self.text, self.act, self.region, before.get("matter"), before.get("question"), before.get("qa")


@dataclass(frozen=True)
class Verdict:
    """What a question comes to."""

    level: Level
    qa_id: str | None
    """What is answered"""
    offered: tuple[str, ...]
    """What is asked back"""
    probability: float

    @property
    def answered(self) -> bool:
        """Surely or likely."""
        return self.level in ("sure", "likely")


@dataclass(frozen=True)
class Changed:
    """A question that comes to something else."""

    id: str
    text: str | None
    """None: a citizen's, whose words stay in ``bot.asked`` alone, to be erased there"""
    times: int
    kind: Kind
    before: Verdict
    after: Verdict
    right: tuple[str, ...]
    right_before: bool
    taken: bool
    """It was answered rightly, and now another item answers"""


@dataclass(frozen=True)
class Result:
    """What a change does."""

    estimated: bool
    version: str
    asked: int
    """Questions in all"""
    looked: int
    """Questions that were asked anew; the others are far from the item"""
    own: int
    """Those of the city's own"""
    changes: list[Changed]
    seconds: float

    def stored(self) -> dict[str, Any]:
        """A JSON value: counts by kind and certainty, and the changes, the worst first."""
        counts = {kind: {"sure": 0, "likely": 0, "doubtful": 0, "none": 0} for kind in KINDS}
        for one in self.changes:
            counts[one.kind][one.before.level if one.kind == "lost" else one.after.level] += one.times
        order = sorted(
            self.changes, key=lambda one: (not one.taken, not one.right_before, KINDS.index(one.kind), -one.times)
        )
        return {
            **{name: getattr(self, name) for name in ("estimated", "version", "asked", "looked", "own")},
            "seconds": round(self.seconds, 2),
            "counts": counts,
            "taken": sum(one.times for one in self.changes if one.taken),
            "lost_right": sum(one.times for one in self.changes if one.right_before and not one.after.answered),
            "changes": [asdict(one) for one in order[:ROWS]],
        }


# --- the questions ---------------------------------------------------------------------------------------------------


def questions(session: Session, settings: Settings, loaded: Loaded, now: datetime) -> tuple[list[Question], int]:
    """What citizens asked in the last days, each wording once, and how many that are; the project's too where they are few."""
    wanted = asked.Wanted(since=now - timedelta(days=DAYS))
    found: dict[tuple[Any, ...], Question] = {}
    encoder = loaded.retriever.encoder
    for row in asked.rows(session, wanted, vectors=True):
        if row.source not in (asked.CITIZEN, asked.AGENT) or len(found) >= MOST:
            continue
        normalised = row.said["normalised"] or normalise(row.said["text"]).text
        key = (normalised, row.region, json.dumps(row.before, sort_keys=True))
        right = asked.right_item(row)
        if (same := found.get(key)) is not None:
            both = tuple(dict.fromkeys((*same.right, *((right,) if right else ()))))
            found[key] = replace(same, times=same.times + 1, right=both)
            continue
        raw = asked.vector_of(row) if encoder is not None and row.encoder == encoder.checksum else None
        found[key] = Question(
            id=row.id,
            text=row.said["text"],
            normalised=normalised,
            act=row.act,
            region=row.region,
            before=row.before,
            vector=None if raw is None else np.frombuffer(raw, dtype="<f2").astype(np.float32),
            right=(right,) if right else (),
            candidates=tuple(one["qa_id"] for one in row.found["candidates"]),
            own=True,
        )
    own = len(found)
    others = list(projects(settings, encoder)) if own < FEW else []
    return [*found.values(), *others][:MOST], own


def projects(settings: Settings, encoder: Encoder | None) -> tuple[Question, ...]:
    """The project's own labelled questions (``settings.replay_questions``); their vectors are made once and kept."""
    patterns = [one.strip() for one in settings.replay_questions.split(",") if one.strip()]
    files = [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]
    stamps = tuple((path, path.stat().st_mtime_ns) for path in files)
    return _projects(stamps, settings.index_dir / QUESTIONS, _Same(encoder))


class _Same:
    """An encoder that equals any other of the same checksum."""

    def __init__(self, encoder: Encoder | None) -> None:
        self.encoder = encoder
        self._key = encoder.checksum if encoder else ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@lru_cache(maxsize=1)
def _projects(files: tuple[tuple[Path, int], ...], vectors: Path, encoder: _Same) -> tuple[Question, ...]:
    rows: dict[str, dict[str, Any]] = {}
    for path, _ in files:
        for line in path.read_text(encoding="utf-8").split("\n"):
            if line.strip() and "prev" not in (row := json.loads(line)):
                rows.setdefault(row["q"], row)
    texts = [normalise(text).text for text in rows]
    known: NDArray[np.float32] | None = None
    if encoder.encoder is not None and texts:
        cached = CachedEncoder(encoder.encoder, vectors)
        try:
            known = cached.encode(texts)
        finally:
            cached.close()
    return tuple(
        Question(
            id=hashlib.blake2b(row["q"].encode(), digest_size=8).hexdigest(),
            text=mask(row["q"]),
            normalised=text,
            vector=None if known is None else known[number],
            right=tuple(row.get("qa") or ()),
        )
        for number, (row, text) in enumerate(zip(rows.values(), texts, strict=True))
    )


class KeptVectors:
    """An ``Encoder`` that knows the questions' vectors."""

    def __init__(self, encoder: Encoder, questions: Iterable[Question]) -> None:
        self._encoder = encoder
        self.name, self.checksum, self.dim = encoder.name, encoder.checksum, encoder.dim
        self._known = {one.normalised: one.vector for one in questions if one.vector is not None}

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """As ``Encoder.encode``."""
        if len(texts) != 1:
            return self._encoder.encode(texts)
        if (known := self._known.get(texts[0])) is None:
            known = self._known[texts[0]] = self._encoder.encode(texts)[0]
        return known[None]


# --- before and after ------------------------------------------------------------------------------------------------

Answers = Mapping[str, str | None]
"""Item → what answers where it is found: itself, what took its place, or nothing"""


def answers_today(session: Session, settings: Settings, today: date) -> dict[str, str | None]:
    """What answers on a day where an item is found; see ``Answers``."""
    items = {one.id: one for one in knowledge.all_qas(session)}
    production = settings.env == "production"

    def answers(item: QA | None) -> bool:
        return item is not None and knowledge.answerable(item, today=today, production=production).answers

    found: dict[str, str | None] = {}
    for id_, item in items.items():
        standing = knowledge.answerable(item, today=today, production=production)
        other = item.replaced_by if standing in (Standing.EXPIRED, Standing.RETIRED) else None
        found[id_] = id_ if standing.answers else other if other and answers(items.get(other)) else None
    return found


def _answers_after(change: Change, before: Answers, today: date) -> dict[str, str | None]:
    own: str | None = change.qa_id
    if change.move == "pause":
        own = None
    elif change.move == "retire":
        own = before.get(change.replaced_by) if change.replaced_by else None
    elif not _holds(change.content, today):
        own = None
    return {**before, change.qa_id: own}


def _holds(content: Mapping[str, Any], today: date) -> bool:
    first, last = (_day(content.get(name)) for name in ("valid_from", "valid_to"))
    return (first is None or first <= today) and (last is None or last >= today)


def _day(value: Any) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) and value else value or None


def item_after(qa: QA | None, change: Change) -> Item:
    """The item as retrieval would see it.  Raises: InvalidInput: a new one lacks what it needs."""
    now = {**(knowledge.content(qa) if qa is not None else {}), **change.content}
    try:
        texts = (now["question"], *now.get("similar", ()))
        item = Item(change.qa_id, now["matter"], now["region"], now.get("audience", ""), texts, now["answer"])
    except KeyError as error:
        raise InvalidInput(f"新问答还缺 {error.args[0]}，不能重放。") from error
    if not all(isinstance(one, str) for one in (item.matter, item.region, item.audience, item.answer, *texts)):
        raise InvalidInput("问答的内容格式不对，不能重放。")
    if not item.texts[0].strip() or not item.answer.strip():
        raise InvalidInput("问题和答案都写了，才能重放。")
    return item


@dataclass(frozen=True)
class Reading:
    """What an index makes of a question, whatever may answer today."""

    level: Level
    first: str | None
    near: tuple[str, ...]
    probability: float


class Known:
    """What an index makes of the questions that were replayed with it, so that the next replay need not find it again."""

    def __init__(self, side: Side) -> None:
        self._assistant, self._calibration = ref(side.assistant), side.loaded.calibration
        self.readings: dict[Key, Reading] = {}
        self.nearest: dict[str, tuple[int, float, float]] = {}
        """By the normalised question: the place of the item whose wording is nearest, its cosine, and that of the nearest of another item"""

    @classmethod
    def of(cls, side: Side) -> Known:
        """That of a side's index, with its limits."""
        index = side.loaded.retriever.identity
        known = _KNOWN.get(index)
        if known is None or not known._is_of(side):
            known = _KNOWN[index] = cls(side)
        return known

    def _is_of(self, side: Side) -> bool:
        return self._assistant() is side.assistant and self._calibration is side.loaded.calibration

    def tidy(self, every: Sequence[Question]) -> None:
        """Forget questions that are not asked any more, once there are many."""
        if len(self.readings) > 4 * MOST:
            self.readings = {one.key: kept for one in every if (kept := self.readings.get(one.key)) is not None}
        if len(self.nearest) > 4 * MOST:
            texts = {one.normalised for one in every}
            self.nearest = {text: kept for text, kept in self.nearest.items() if text in texts}


_KNOWN: WeakKeyDictionary[object, Known] = WeakKeyDictionary()


@dataclass(frozen=True)
class Side:
    """The world before, or after."""

    assistant: Assistant
    loaded: Loaded
    answers: Answers

    def verdict(self, question: Question, now: datetime) -> Verdict:
        reading = self._read(question, now)
        level, probability = reading.level, reading.probability
        if level in ("sure", "likely") and reading.first is not None:
            answered = self.answers.get(reading.first)
            return Verdict(level if answered else "none", answered, (), probability)
        if level == "doubtful":
            offered = tuple(id_ for id_ in reading.near if self.answers.get(id_) == id_)[:MAX_OPTIONS]
            return Verdict("doubtful" if offered else "none", None, offered, probability)
        return Verdict("none", None, (), probability)

    def _read(self, question: Question, now: datetime) -> Reading:
        readings = Known.of(self).readings
        if (kept := readings.get(question.key)) is not None:
            return kept
        memory = Context(region=question.region)
        if question.before:
            memory.last_matter, memory.last_question = question.before["matter"], question.before["question"]
            memory.last_qa = question.before["qa"]
        turn = Turn("", "", question.text, "bot", memory, now, act=question.act, engine="fallback")
        understood = self.assistant.read(turn, self.loaded)
        finding = understood.finding
        first = finding.first.item.id if finding.first is not None else None
        near = tuple(item.id for item in understood.near) if understood.level == "doubtful" else ()
        reading = readings[question.key] = Reading(understood.level, first, near, round(finding.probability, 4))
        return reading


def changed(question: Question, change: Change, before: Verdict, after: Verdict, reworded: bool) -> Changed | None:
    kind: Kind | None = None
    if before.answered and after.answered:
        if before.qa_id != after.qa_id:
            kind = "moved"
        elif before.level != after.level:
            kind = "certainty"
        elif reworded and after.qa_id == change.qa_id:
            kind = "reworded"
    elif before.answered != after.answered:
        kind = "gained" if after.answered else "lost"
    elif (change.qa_id in before.offered) != (change.qa_id in after.offered) or before.level != after.level:
        kind = "offered"
    if kind is None:
        return None
    right_before = before.qa_id in question.right
    taken = (
        after.answered
        and after.qa_id not in question.right
        and (right_before or (bool(question.right) and after.qa_id == change.qa_id))
    )
    return Changed(
        question.id,
        None if question.own else question.text,
        question.times,
        kind,
        before,
        after,
        question.right,
        right_before,
        taken,
    )


# --- estimate and whole ----------------------------------------------------------------------------------------------


def estimate(settings: Settings, assistant: Assistant, change: Change, now: datetime) -> Result:
    """The first estimate: seconds.  Raises: NotFound, InvalidInput, IndexUnavailable."""
    began = time.monotonic()
    before, item, every, own = prepared(settings, assistant, change, now)
    near = [every[number] for number in _near(before, item, every)]
    changes_index = change.move == "content"
    retriever = before.loaded.retriever.changed(item) if changes_index else before.loaded.retriever
    after = after_change(before, change, retriever, now)
    reworded = changes_index and is_reworded(before.loaded, item)
    changes = list(compared(near, change, before, after, reworded, now, lambda _: time.sleep(_PAUSE_S)))
    return Result(True, before.loaded.version, len(every), len(near), own, changes, time.monotonic() - began)


def expecting(side: Side, questions: Sequence[Question]) -> Side:
    """The same, which will be asked these questions, at most some hundreds."""
    retriever = side.loaded.retriever
    if retriever.encoder is None or not questions:
        return side
    vectors = np.concatenate([retriever.encoder.encode([one.normalised]) for one in questions])
    return replace(side, loaded=replace(side.loaded, retriever=retriever.expecting(vectors)))


def whole(
    settings: Settings,
    assistant: Assistant,
    change: Change,
    now: datetime,
    say: Callable[[str, int, int], None] = lambda *_: None,
) -> Result:
    """Everything, with the index built as it would be.  Minutes.

    Args:
        say: told what is being done, how much of it, of how much; whatever it raises ends the replay.

    Raises: NotFound, InvalidInput, IndexUnavailable.
    """
    began = time.monotonic()
    before, item, every, own = prepared(settings, assistant, change, now)
    retriever = before.loaded.retriever
    if change.move == "content":
        say("建一个试用的索引", 0, len(every))
        retriever = built(settings, before.loaded, item)
    after = after_change(before, change, retriever, now)
    reworded = change.move == "content" and is_reworded(before.loaded, item)
    changes = list(
        compared(every, change, before, after, reworded, now, lambda done: say("逐条重放", done, len(every)))
    )
    return Result(False, before.loaded.version, len(every), len(every), own, changes, time.monotonic() - began)


def prepared(
    settings: Settings, assistant: Assistant, change: Change, now: datetime
) -> tuple[Side, Item, list[Question], int]:
    loaded = assistant.reader.get()
    today = now.astimezone(SHANGHAI).date()
    with database.read() as session:
        qa = session.get(QA, change.qa_id)
        if qa is None and change.move != "content":
            raise NotFound(f"没有编号为 {change.qa_id} 的问答。")
        item = item_after(qa, change)
        every, own = questions(session, settings, loaded, now)
        answers = answers_today(session, settings, today)
    encoder = loaded.retriever.encoder
    kept = KeptVectors(encoder, every) if encoder is not None else None
    loaded = replace(loaded, retriever=loaded.retriever.reading_with(kept))
    side = Side(assistant, loaded, answers)
    Known.of(side).tidy(every)
    return side, item, every, own


def after_change(before: Side, change: Change, retriever: Retriever, now: datetime) -> Side:
    today = now.astimezone(SHANGHAI).date()
    loaded = replace(before.loaded, retriever=retriever)
    return Side(before.assistant, loaded, _answers_after(change, before.answers, today))


def is_reworded(loaded: Loaded, item: Item) -> bool:
    """Whether the item says another thing than before."""
    return any(one.id == item.id and one.answer != item.answer for one in loaded.retriever.items)


def built(settings: Settings, loaded: Loaded, *changed: Item) -> Retriever:
    """The index with some items changed, built as a version is, but nowhere written."""
    items = {one.id: one for one in loaded.retriever.items} | {one.id: one for one in changed}
    encoder = loaded.retriever.encoder
    cached = CachedEncoder(encoder, settings.index_dir / VECTORS) if encoder is not None else None
    try:
        return Retriever.build([items[id_] for id_ in sorted(items)], cached, loaded.retriever.unanswered).reading_with(
            encoder
        )
    finally:
        if cached is not None:
            cached.close()


def compared(
    every: Sequence[Question],
    change: Change,
    before: Side,
    after: Side,
    reworded: bool,
    now: datetime,
    say: Callable[[int], None],
) -> Iterable[Changed]:
    for number, question in enumerate(every):
        say(number)
        if number % _CHUNK == 0:
            before, after = (expecting(side, every[number : number + _CHUNK]) for side in (before, after))
        first, then = before.verdict(question, now), after.verdict(question, now)
        if found := changed(question, change, first, then, reworded):
            yield found


def _near(before: Side, item: Item, every: Sequence[Question]) -> list[int]:
    """Which questions the item, as it was or is to be, may play a part in: by meaning, by words, or by what was found before."""
    retriever = before.loaded.retriever
    live = next((one for one in retriever.items if one.id == item.id), None)
    versions = [one for one in (live, item) if one is not None]
    near = {number for number, one in enumerate(every) if item.id in one.candidates}
    near |= _near_by_words(retriever, versions, every)
    if retriever.encoder is not None:
        near |= _near_by_meaning(before, versions, every)
    return sorted(near)


def _near_by_meaning(before: Side, versions: Sequence[Item], every: Sequence[Question]) -> set[int]:
    retriever, nearest = before.loaded.retriever, Known.of(before).nearest
    encoder = retriever.encoder
    assert encoder is not None
    texts = [clean(text) for one in versions for text in (*one.texts, *sentences_of(one.answer))]
    own = encoder.encode(list(dict.fromkeys(texts)))
    place = retriever.place(versions[0].id) if len(versions) > 1 else None
    new = list(dict.fromkeys(one.normalised for one in every if one.normalised not in nearest))
    for start in range(0, len(new), _CHUNK):
        texts = new[start : start + _CHUNK]
        found = retriever.two_nearest(np.concatenate([encoder.encode([text]) for text in texts]))
        nearest.update(zip(texts, found, strict=True))
    close_ones: set[int] = set()
    for start in range(0, len(every), _CHUNK):
        chunk = every[start : start + _CHUNK]
        asked_ = np.concatenate([encoder.encode([one.normalised]) for one in chunk])
        there = [nearest[one.normalised] for one in chunk]
        others = np.array([second if first == place else best for first, best, second in there])
        close = (asked_ @ own.T).max(axis=1) > others - _NEAR
        close_ones.update(start + int(number) for number in np.flatnonzero(close))
    return close_ones


def _near_by_words(retriever: Retriever, versions: Sequence[Item], every: Sequence[Question]) -> set[int]:
    places = [
        frozenset(tokenize.ngrams(clean(text)))
        for one in versions
        for text in dict.fromkeys((*one.texts, *sentences_of(one.answer)))
    ]
    vocabulary = frozenset().union(*places)
    found = set()
    for number, question in enumerate(every):
        grams = set(tokenize.ngrams(question.normalised))
        if len(grams & vocabulary) < _SHARED / 2 * len(grams):
            continue  # the rarer ones weigh more, but not twice as much
        weights = {gram: retriever.weight(gram) for gram in grams}
        wanted = _SHARED * sum(weights.values())
        shared = {gram: weights[gram] for gram in weights.keys() & vocabulary}
        if sum(shared.values()) >= wanted and any(
            sum(weight for gram, weight in shared.items() if gram in place) >= wanted for place in places
        ):
            found.add(number)
    return found
