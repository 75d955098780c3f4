"""A shared bundle beside the live one: what is counted, and when it is stopped."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sqlalchemy import insert, select, update

from bot import asked, conversations, database, jobs, notices, ratings, releases, turns
from bot.clock import utcnow
from bot.models.conversations import Conversation, InboxMessage, TurnEffect
from bot.models.jobs import Job
from bot.models.release_watch import ReleaseWatch
from bot.models.releases import Bundle, ReleaseStep
from bot.releases import moves, watching
from bot.releases.serving import place
from bot.releases.states import KEPT, LIVE, STOPPED
from bot.replies import TextReply
from bot.settings import Settings
from tests.bot.test_release_moves import made, states


@settings(max_examples=30, deadline=None)
@given(share=st.sampled_from([0.1, 0.5]), events=st.integers(0, 60))
def test_the_evidence_of_a_bundle_that_is_no_worse_is_one_on_average(share: float, events: int) -> None:
    """Which makes it a martingale: however often one looks, it gets to 1 ÷ α with a probability of at most α."""
    mean = sum(
        stats.binom.pmf(shared, events, share) * watching.evidence([(share, shared, events - shared)])
        for shared in range(events + 1)
    )
    assert mean == pytest.approx(1)
    better = sum(
        stats.binom.pmf(shared, events, share * 0.7) * watching.evidence([(share, shared, events - shared)])
        for shared in range(events + 1)
    )
    assert better <= 1 + 1e-9


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.5]), st.integers(0, 40), st.integers(0, 400)), max_size=3))
def test_the_evidence_is_the_product_over_what_happened(counts: list[tuple[float, int, int]]) -> None:
    product = np.ones(len(watching.RATIOS))
    for share, shared, live in counts:
        for of_shared in [True] * shared + [False] * live:
            for place_, ratio in enumerate(watching.RATIOS):
                product[place_] *= (ratio if of_shared else 1) / (share * ratio + 1 - share)
    assert watching.evidence(counts) == pytest.approx(product.mean(), rel=1e-6)


def stops_after(rng: np.random.Generator, share: float, events: int, ratio: float) -> int | None:
    """The number of conversations gone wrong at which it stops, looked at after each of them; None: it does not."""
    shared = np.cumsum(rng.random(events) < share * ratio / (share * ratio + 1 - share))
    number = np.arange(1, events + 1)
    grown = np.mean(
        [np.exp(shared * np.log(r) - number * np.log(share * r + 1 - share)) for r in watching.RATIOS], axis=0
    )
    over = np.flatnonzero(grown >= len(watching.SIGNS) / 0.05)
    return int(over[0]) + 1 if over.size else None


def test_a_good_one_is_hardly_ever_stopped_and_a_bad_one_soon() -> None:
    rng = np.random.default_rng(7)
    of_five = 0
    for _ in range(400):
        of_five += any(stops_after(rng, 0.1, 2000, 1) for _ in watching.SIGNS)
    assert of_five / 400 <= 0.05
    bad = [stops_after(rng, 0.1, 2000, 2) for _ in range(200)]
    assert all(bad) and np.median([one for one in bad if one]) < 200


# --- from the rows ---------------------------------------------------------------------------------------------------


def share_out(where: Settings) -> Settings:
    """Bundle b is given to one session in ten."""
    made(where, "a", kind="start", gate="none", state=LIVE)
    made(where, "b")
    moves.take(where, "shadow", "b", "2002")
    moves.take(where, "share", "b", "2002", share=10)
    return where


@pytest.fixture
def shared(sqlite_db: Settings) -> Settings:
    return share_out(sqlite_db)


@pytest.fixture
def shared_on_both(db: Settings) -> Settings:
    return share_out(db)


Wrong = Callable[[str, bool], dict[str, object]]


def talk(count: int, wrong: Wrong, *, start: datetime | None = None, seed: int = 1) -> tuple[int, int]:
    """So many conversations of one turn, given away by hash; how many of them are b's and a's.

    ``wrong``: of a conversation's id and whether it is b's: what is other than good about its turn.
    """
    rng = random.Random(seed)
    with database.read() as session:
        share = session.get_one(Bundle, "b").share
    at = start or utcnow()
    said: list[list[dict[str, object]]] = [[], [], []]
    sides = [0, 0]
    for _ in range(count):
        id_, turn, at = f"{rng.getrandbits(128):032x}", uuid.uuid4().hex, at + timedelta(seconds=0.01)
        mine = place(id_, "b") < share
        sides[not mine] += 1
        other = wrong(id_, mine)
        took = timedelta(milliseconds=float(str(other.pop("ms", 80))))
        base = {"state": "bot", "bundle": "b" if mine else "a"}
        said[0].append(
            {**base, "id": id_, "channel": "web", "session": 1, "session_turns": 1, "seq": 1, "context": {},
             "created_at": at, "active_at": at}
        )  # fmt: skip
        said[1].append(
            {"turn_id": turn, "conversation_id": id_, "seq": 1, "channel": "web", "channel_message_id": turn,
             "text": "居住证怎么办", "received_at": at, "settled": True}
        )  # fmt: skip
        said[2].append(
            {**base, "turn_id": turn, "conversation_id": id_, "engine": "rasa", "act": "ask_policy", "decision": "answer",
             "replies": [], "explain": {}, "settled_at": at + took, **other}
        )  # fmt: skip
    with database.write() as session:
        for table, rows in zip((Conversation, InboxMessage, TurnEffect), said, strict=True):
            session.execute(insert(table), rows)
    return sides[0], sides[1]


def later() -> datetime:
    return utcnow() + timedelta(hours=1)


def test_one_that_does_as_the_live_one_goes_on(shared: Settings) -> None:
    rng = random.Random(3)
    mine, others = talk(1000, lambda _id, _mine: {"decision": "clarify"} if rng.random() < 0.2 else {})
    found = watching.look(shared, later())
    assert found is not None and not found.worse and states()["b"] == "share"
    assert (found.coming.conversations, found.live.conversations) == (mine, others)
    assert found.coming.signs["unanswered"] + found.live.signs["unanswered"] == pytest.approx(200, abs=60)
    assert found.evidence["fallback"] == 1 and found.evidence["unanswered"] < found.stop_at
    with database.read() as session:
        watch = session.get_one(ReleaseWatch, "b")
        assert watch.figures == found.stored()


@pytest.mark.parametrize(
    ("sign", "happens"),
    [("unanswered", {"decision": "clarify"})],
)
def test_one_that_is_worse_is_stopped_and_its_sessions_go_back(
    shared_on_both: Settings, sign: str, happens: dict[str, object]
) -> None:
    shared = shared_on_both
    rng = random.Random(4)
    talk(1000, lambda _id, mine: dict(happens) if rng.random() < (0.3 if mine else 0.05) else {})
    with database.write() as session:
        conversation, _ = conversations.create(session, "web")
        conversation.bundle = "b"
        session.flush()
        assert getattr(releases.of(session, conversation), "name", None) == "b"
    found = watching.look(shared, later())
    assert found is not None and watching.SIGNS[sign] in "".join(found.worse)
    assert states() == {"a": LIVE, "b": STOPPED}
    with database.read() as session:
        assert getattr(releases.of(session, conversation), "name", None) == "a"
        step = session.scalars(select(ReleaseStep).where(ReleaseStep.move == "stop")).one()
        assert step.by == moves.SYSTEM and step.why and step.figures["watch"]["worse"] == found.worse
        assert any("已自动停下" in text for text in notices.texts(session))
    assert watching.look(shared, later()) is None
    moves.take(shared, "ask", "b", "2002", why="再试一次")
    moves.take(shared, "confirm", "b", "2003")
    with database.read() as session:
        assert not notices.texts(session), "somebody has seen it"


def test_what_is_slower_than_before_counts_and_the_hard_limits_act_at_once(shared: Settings) -> None:
    talk(400, lambda _id, mine: {"ms": 2600 if mine else 90})
    found = watching.look(shared, later())
    assert found is not None and not found.worse, "forty turns are too few, and nobody knows what was usual before"
    talk(1050, lambda _id, mine: {"ms": 2600 if mine else 90}, seed=2)
    found = watching.look(shared, later())
    assert found is not None and "2.6 秒" in "".join(found.worse)


def test_where_everything_falls_back_the_shared_one_is_not_to_blame(shared: Settings) -> None:
    talk(1050, lambda _id, _mine: {"engine": "fallback"})
    found = watching.look(shared, later())
    assert found is not None and not found.worse


def test_a_growing_share_starts_anew_and_whoever_was_under_way_is_left_out(shared: Settings) -> None:
    rng = random.Random(5)

    def half(_id: str, _mine: bool) -> dict[str, object]:
        return {"decision": "clarify"} if rng.random() < 0.4 else {}

    talk(300, half)
    moves.take(shared, "share", "b", "2002", share=50)
    with database.write() as session:
        step = session.scalars(select(ReleaseStep).order_by(ReleaseStep.id.desc())).first()
        assert step is not None
        step.at = utcnow() + timedelta(hours=2)
    talk(300, half, start=utcnow() + timedelta(hours=3), seed=6)
    found = watching.look(shared, utcnow() + timedelta(hours=4))
    assert found is not None and [one.share for one in found.stages] == [10, 50] and not found.worse
    grew = found.stages[1].start
    talk(1, lambda _id, _mine: {}, start=grew - timedelta(seconds=60), seed=8)
    talk(1, lambda _id, _mine: {}, start=grew + timedelta(seconds=60), seed=9)
    before, after = (f"{random.Random(seed).getrandbits(128):032x}" for seed in (8, 9))
    with database.write() as session:  # the second turn is of the same conversation: given away by the old share
        for table in (TurnEffect, InboxMessage):
            session.execute(update(table).where(table.conversation_id == after).values(conversation_id=before))
        session.get_one(Conversation, before).active_at = grew + timedelta(seconds=60)
    again = watching.look(shared, utcnow() + timedelta(hours=4))
    assert again is not None
    assert again.coming.turns + again.live.turns == found.coming.turns + found.live.turns + 1


def test_what_citizens_say_of_it_counts_once_a_conversation(shared_on_both: Settings) -> None:
    shared = shared_on_both

    def turn(id_: str, text: str) -> str:
        with database.write() as session:
            conversation = conversations.lock(session, id_)
            turn_id = turns.receive(session, conversation, uuid.uuid4().hex, text, shared).turn_id
        with database.read() as session:
            loaded = turns.load(session, turn_id)
        turns.settle(
            loaded,
            turns.Outcome([TextReply(text="好的")], loaded.context, decision="answer", look=asked.Look(text, None)),
        )
        return turn_id

    with database.write() as session:
        ids = [conversations.create(session, "web")[0].id for _ in range(100)]
        trial = conversations.create(session, conversations.TRIAL)[0].id
    mine = next(id_ for id_ in ids if place(id_, "b") < 10)
    other = next(id_ for id_ in ids if place(id_, "b") >= 10)
    for id_ in (mine, other, trial):
        for _ in range(2):
            turn_id = turn(id_, "居住证怎么办")
            with database.write() as session:
                ratings.rate(session, turn_id, False, None)
    found = watching.look(shared, later())
    assert found is not None
    assert (found.coming.signs["unhappy"], found.coming.conversations, found.coming.turns) == (1, 1, 2)
    assert (found.live.signs["unhappy"], found.live.conversations) == (1, 1), "trials don't count"


def test_the_watch_is_planned_while_there_is_something_to_watch(sqlite_db: Settings) -> None:
    def planned() -> list[str]:
        with database.write() as session:
            now = utcnow() + timedelta(minutes=planned.calls)  # type: ignore[attr-defined]
            planned.calls += 2  # type: ignore[attr-defined]
            found = [job.kind for job in jobs.plan(session, now, sqlite_db) if job.kind == "watch"]
            session.query(Job).delete()
        return found

    planned.calls = 1  # type: ignore[attr-defined]
    db = sqlite_db
    made(db, "a", kind="start", gate="none", state=LIVE)
    made(db, "b")
    assert planned() == []
    moves.take(db, "shadow", "b", "2002")
    moves.take(db, "share", "b", "2002", share=50)
    assert planned() == ["watch"]
    moves.take(db, "all", "b", "2002")
    assert planned() == []
    with database.write() as session:
        session.get_one(Bundle, "a").warm_until = utcnow()
    assert planned() == ["watch"]
    watching.let_go(db, later())
    assert states() == {"a": KEPT, "b": LIVE}
