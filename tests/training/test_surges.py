"""What rises is raised within minutes, once; what is usual, or comes of one source, is not."""

from __future__ import annotations

import base64
import json
import uuid
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select

from bot import asked, database, surges
from bot.asked import CITIZEN, TRIAL
from bot.clock import utcnow
from bot.errors import IllegalMove, InvalidInput, NotFound
from bot.models.asked import Asked
from bot.models.housekeeping import AuditEntry, Event
from bot.models.knowledge import QA
from bot.models.people import Person
from bot.models.surges import Surge, SurgeMember
from bot.settings import Settings
from index.encoder import load_encoder
from training.review import surges as rising
from training.review.surges import Asking, Vectors
from training.review.watch import Watch

EVENTS = Path(__file__).parent.parent / "data" / "surges"
MINUTE = timedelta(minutes=1)


@cache
def encoded(*texts: str) -> Vectors:
    """By the encoder of the project."""
    return load_encoder(None).encode(list(texts))


@cache
def wordings(event: str, count: int) -> tuple[str, ...]:
    """Every second one of an event, of all registers."""
    lines = (json.loads(line) for line in (EVENTS / "tune.jsonl").read_text("utf-8").splitlines())
    return tuple(line["q"] for line in lines if line["event"] == event)[::2][:count]


WATER = wordings("water", 26)


def others(count: int, seed: int) -> Vectors:
    """As many questions about as many things."""
    made = np.random.default_rng(seed).standard_normal((count, encoded(*WATER).shape[1]))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def ask(
    text: str,
    vector: Vectors,
    at: datetime,
    *,
    person: str | None = None,
    source: str = CITIZEN,
    qa_id: str | None = None,
) -> Asked:
    """A question, answered surely with ``qa_id``."""
    return Asked(
        id=uuid.uuid4().hex,
        at=at,
        source=source,
        channel="web",
        person=person or uuid.uuid4().hex,
        said={"text": text, "normalised": text},
        vector=base64.b64encode(vector.astype("<f2").tobytes()).decode(),
        encoder="e" * 64,
        act="ask_policy",
        decision="answer" if qa_id else "offer",
        certainty="sure" if qa_id else None,
        qa_id=qa_id,
        found={"candidates": []},
        refused=False,
    )


def put(rows: list[Asked]) -> None:
    with database.write() as session:
        session.add_all(rows)


def a_week() -> datetime:
    """A city that has asked for a week; now."""
    at = utcnow()
    past = [at - timedelta(days=1 + row % 7, minutes=row % 50 - 20) for row in range(230)]
    put([ask(f"别的{row}", vector, past[row]) for row, vector in enumerate(others(230, 1))])
    return at


@pytest.fixture
def now(sqlite_db: Settings) -> datetime:
    return a_week()


def voices(
    now: datetime, watch: Watch, *, minutes: int, each: int = 2, texts: tuple[str, ...] = WATER, **more: str
) -> dict[int, list[str]]:
    """So many a minute, and a question about something else; what was raised in which minute."""
    raised = {}
    beside = others(minutes, 2)
    for minute in range(minutes):
        at = now + minute * MINUTE
        rows = [texts[(minute * each + one) % len(texts)] for one in range(each)]
        vectors = encoded(*texts)
        put(
            [ask(text, vectors[texts.index(text)], at, **more) for text in rows]
            + [ask(f"另外{minute}", beside[minute], at)]
        )
        if found := watch.look(at + MINUTE):
            raised[minute + 1] = found
    return raised


def listed(state: surges.State = "open") -> list[surges.Shown]:
    with database.read() as session:
        return surges.listed(session, state)[0]


def test_a_water_cut_is_raised_within_ten_minutes_once_grows_and_ends(db: Settings) -> None:
    now = a_week()
    watch = Watch()
    raised = voices(now, watch, minutes=16)
    assert len(raised) == 1 and min(raised) <= 10
    (one,) = listed("going")
    assert one.row.id in raised[min(raised)] and one.row.qa_id is None and one.row.expected < 1
    assert one.row.persons > rising.PERSONS and one.questions >= one.row.persons >= 16
    assert one.places[0][0] == "金桂园" and "水" in one.text and len(one.examples) == surges.EXAMPLES
    assert sum(one.trend) == one.questions and len(one.trend) <= 16
    with database.read() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "surge.raised")).one()
        heard = session.scalars(select(Event.subject).where(Event.kind == "surge")).all()
        said = json.dumps(
            [
                list(row)
                for row in session.execute(
                    select(Surge.__table__, Event.about).join_from(Surge, Event, Event.subject == Surge.id)
                )
            ],
            default=str,
            ensure_ascii=False,
        )
    assert entry.subject == one.row.id and set(heard) == {one.row.id} and "水" not in said
    # A worker that begins anew knows it.
    assert Watch().look(now + 16 * MINUTE) == []
    again = Watch()
    put([ask(WATER[3], encoded(*WATER)[3], now + 16 * MINUTE)])
    assert again.look(now + 17 * MINUTE) == [] and listed()[0].questions == one.questions + 1
    # Nobody asks any more: it is over, and not gone.  Later the same day it is the same alarm.
    assert again.look(now + 70 * MINUTE) == []
    (over,) = listed("open")
    assert over.row.ended_at is not None and not listed("going")
    assert voices(now + 200 * MINUTE, again, minutes=8) == {} and listed("going")[0].row.id == one.row.id


def test_one_source_raises_nothing(now: datetime) -> None:
    watch = Watch()
    assert voices(now, watch, minutes=15, person="one") == {}
    assert voices(now + 100 * MINUTE, watch, minutes=15, texts=(WATER[0],)) == {}  # from thirty conversations
    assert voices(now + 200 * MINUTE, watch, minutes=15, texts=WATER[:3]) == {}
    assert voices(now + 300 * MINUTE, watch, minutes=15, source=TRIAL) == {}
    assert listed() == []


def test_what_is_asked_every_day_is_usual(now: datetime) -> None:
    vectors = encoded(*WATER)
    usual = [now - timedelta(days=1 + row % 7, minutes=row % 50 - 20) for row in range(230)]
    put([ask(WATER[row % len(WATER)], vectors[row % len(WATER)], at) for row, at in enumerate(usual)])
    put([ask(f"早些{row}", vector, now - 5 * MINUTE) for row, vector in enumerate(others(15, 3))])
    assert voices(now, Watch(), minutes=12, each=1) == {}


def test_a_false_alarm_is_not_raised_again_and_is_counted(now: datetime) -> None:
    watch = Watch()
    ((minute, (id_,)),) = voices(now, watch, minutes=8).items()
    with database.write() as session:
        surges.seen(session, id_, "1")
        surges.judge(session, id_, "1", real=False, why="演习")
    later = now + timedelta(hours=3)
    assert voices(later, watch, minutes=10) == {} and listed() == []
    (one,) = listed("judged")
    assert one.row.why == "演习" and one.row.seen_by == "1" and one.questions <= 2 * minute + 2 * (8 - minute)
    with database.write() as session:
        assert vars(surges.figures(session, later)) == {"raised": 1, "real": 0, "false": 1, "waiting": 0}
        with pytest.raises(IllegalMove):
            surges.judge(session, id_, "1", real=True)
        with pytest.raises(NotFound):
            surges.seen(session, "nothing", "1")
    # What was judged false is usual from then on.
    tomorrow = now + timedelta(hours=28)
    assert voices(tomorrow, watch, minutes=10) == {}


def test_a_draft_comes_of_it_and_its_questions_go_when_they_are_erased(now: datetime) -> None:
    ((_, (id_,)),) = voices(now, Watch(), minutes=8).items()
    with database.write() as session:
        session.add(Person(number="1", name="王芳", roles=["editor"], created_at=now))
        session.flush()
        with pytest.raises(InvalidInput):
            surges.judge(session, id_, "1", real=True, question="停水了怎么办", answer=" ")
    with database.write() as session:
        made = surges.judge(
            session, id_, "1", real=True, question="金桂园停水什么时候恢复", answer="正在抢修，预计 18 点恢复。"
        )
        assert made.draft is not None
        draft = session.get(QA, made.draft)
        assert draft is not None and draft.status == "draft" and draft.question == "金桂园停水什么时候恢复"
    with database.write() as session:
        for row in session.scalars(select(Asked).where(Asked.id.in_(select(SurgeMember.asked_id)))).all():
            session.delete(row)
    with database.read() as session:
        assert not session.scalar(select(func.count()).select_from(SurgeMember))
    (one,) = listed("judged")
    assert (one.text, one.questions, list(one.examples), list(one.places)) == ("", 0, [], [])
    with database.write() as session:
        assert surges.purge(session, now + timedelta(days=400), 365) == 1


def test_an_item_that_everybody_asks_for_is_raised_with_it(now: datetime) -> None:
    assert voices(now, Watch(), minutes=5, qa_id="ts-001") == {}  # less urgent: it takes more people
    raised = voices(now + 100 * MINUTE, Watch(), minutes=14, qa_id="ts-001")
    assert len(raised) == 1 and listed()[0].row.qa_id == "ts-001"


def test_another_encoder_begins_anew_once_most_is_read_with_it(now: datetime) -> None:
    watch = Watch()
    assert voices(now, watch, minutes=8)
    rows = [ask(f"新的{row}", vector[:64], now + 9 * MINUTE) for row, vector in enumerate(others(40, 5))]
    for row in rows:
        row.encoder = "f" * 64
    put(rows[:1])
    assert watch.look(now + 10 * MINUTE) == [] and watch._encoder == "e" * 64
    put(rows[1:])
    assert watch.look(now + 11 * MINUTE) == [] and watch._encoder == "f" * 64


# --- without a database ----------------------------------------------------------------------------------------------


def askings(texts: tuple[str, ...]) -> list[Asking]:
    vectors = encoded(*texts)
    return [Asking(f"{row}", row * 0.3, f"p{row}", text, vectors[row]) for row, text in enumerate(texts)]


def test_two_places_are_two_matters() -> None:
    here = [text for text in WATER if "金桂园" in text][:8]
    there = [text.replace("金桂园", "翠湖苑") for text in here]
    rows = askings((*here, *there, "没水了", "停水多久"))
    usual = others(400, 1)
    found = rising.risen(rows, range(len(rows)), usual, 6.0)
    assert sorted(str(one.place) for one in found) == ["翠湖苑", "金桂园"]
    assert sum(len(one.members) for one in found) == len(rows)
    assert all(
        one.place in each.text
        for one in found
        for each in one.members
        if each.text != "没水了" and each.text != "停水多久"
    )
    assert not rising.same(found[0], found[1].middle, found[1].place)
    assert rising.same(found[0], found[1].middle, None)


def test_the_chance_falls_with_the_count_and_rises_with_what_is_usual() -> None:
    counts = [rising.surprise_of(count, 10, 5_000, 300) for count in range(1, 60)]
    assert counts == sorted(counts)
    usual = [rising.surprise_of(12, before, 5_000, 300) for before in (0, 5, 20, 100, 400)]
    assert usual == sorted(usual, reverse=True) and usual[-1] < 1
    busy = [rising.surprise_of(12, 10, 5_000, beside) for beside in (20, 100, 1_000)]
    assert busy == sorted(busy, reverse=True)


def test_nothing_is_said_before_it_is_known_what_is_usual() -> None:
    rows = askings(WATER)
    assert rising.risen(rows, range(len(rows)), others(rising.LEAST_USUAL - 1, 1), 8.0) == []
    assert rising.risen(rows, range(len(rows)), others(rising.LEAST_USUAL, 1), 8.0)


def test_the_wordings_are_different_and_many() -> None:
    for half in ("tune", "measure"):
        lines = [json.loads(line) for line in (EVENTS / f"{half}.jsonl").read_text("utf-8").splitlines()]
        events = {line["event"] for line in lines}
        assert len(events) == 4 and len({line["q"] for line in lines}) == len(lines)
        for event in events:
            own = [line for line in lines if line["event"] == event]
            assert len(own) >= 60 and {line["register"] for line in own} >= {
                "plain",
                "colloquial",
                "typo",
                "short",
                "elderly",
            }
    assert asked.CITIZEN
