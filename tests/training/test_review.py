"""Grouping by meaning, on its own: the same in any order, steady, nothing dropped; and the interval of the sample."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import select, update

from bot import asked, database, jobs, review
from bot.clock import utcnow
from bot.models.asked import Asked
from bot.models.jobs import Job
from bot.models.review import ReviewAudit, ReviewFigures, ReviewMember
from bot.settings import Settings
from connectors.jobs.steps import STEPS
from index.encoder import load_encoder
from tests.bot.test_review import SUM, ask, row
from training.review import estimate, grouping, placing


def near(centres: int, each: int, noise: float, seed: int = 1) -> tuple[list[str], NDArray[np.float32], list[int]]:
    """Texts around centres: keys, unit vectors, and the centre of each."""
    rng = np.random.default_rng(seed)
    base = rng.standard_normal((centres, 64))
    base /= np.linalg.norm(base, axis=1, keepdims=True)
    vectors = np.repeat(base, each, axis=0) + noise * rng.standard_normal((centres * each, 64)) / 8
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    own = np.repeat(np.arange(centres), each).tolist()
    return [f"{number:05d}" for number in rng.permutation(len(own))], vectors.astype(np.float32), own


def same(left: NDArray[np.int64], right: NDArray[np.int64]) -> bool:
    return bool(((left[:, None] == left[None]) == (right[:, None] == right[None])).all())


def test_texts_around_one_centre_are_one_group_in_whatever_order_they_come() -> None:
    keys, vectors, own = near(40, 5, 0.3)
    labels = grouping.group(keys, vectors)
    assert same(labels, np.array(own)) and set(labels) == set(range(40))
    order = np.random.default_rng(3).permutation(len(keys))
    assert (grouping.group([keys[n] for n in order], vectors[order]) == labels[order]).all()


def test_what_has_no_neighbour_is_a_group_of_its_own() -> None:
    keys, vectors, _ = near(30, 1, 0.0)
    vectors[7] = 0  # a text without any known word
    assert sorted(grouping.group(keys, vectors)) == list(range(30))
    assert grouping.group([], np.zeros((0, 64), np.float32)).shape == (0,)


def test_a_big_group_is_split_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    keys, vectors, _ = near(1, 450, 0.2)
    parts = Counter(grouping.group(keys, vectors).tolist())
    assert max(parts.values()) <= grouping.MOST and sum(parts.values()) == 450
    monkeypatch.setattr(grouping, "_DENSE", 250)  # parted by raising the link first
    assert max(Counter(grouping.group(keys, vectors).tolist()).values()) <= grouping.MOST


def test_the_graph_finds_what_comparing_all_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    keys, vectors, own = near(400, 4, 0.3)
    monkeypatch.setattr(grouping, "_EXACT", 100)
    labels = grouping.group(keys, vectors)
    assert (grouping.group(keys[::-1], vectors[::-1])[::-1] == labels).all()
    both = Counter(zip(own, labels.tolist(), strict=True))
    assert sum(count == 4 for count in both.values()) >= 390


def test_a_group_keeps_the_id_that_most_of_its_members_had() -> None:
    before = {"a": "x", "b": "x", "c": "x", "d": "y", "e": "y"}
    assert grouping.keep_ids([["a", "d"], ["b", "c"], ["e", "n"], ["m"]], before) == ["y", "x", "e", "m"]
    assert grouping.keep_ids([["b", "c", "a"], ["e", "d"]], before) == ["x", "y"]


def test_most_pairs_keep_together_when_more_comes() -> None:
    keys, vectors, _ = near(300, 6, 0.35)
    old = np.sort(np.random.default_rng(5).permutation(len(keys))[: len(keys) * 20 // 21])
    before = grouping.group([keys[n] for n in old], vectors[old])
    was = {keys[n]: str(label) for n, label in zip(old, before, strict=True)}
    after = grouping.group(keys, vectors, before=was)[old]
    pairs = before[:, None] == before[None]
    assert (pairs & (after[:, None] == after[None])).sum() / pairs.sum() >= 0.95


@pytest.mark.parametrize(("wrong", "judged"), [(0, 10), (3, 100), (10, 10), (1, 1)])
def test_the_interval_holds_what_it_says(wrong: int, judged: int) -> None:
    from scipy.stats import binom

    low, high = estimate.interval(wrong, judged)
    assert low <= wrong / judged <= high
    if wrong:
        assert binom.sf(wrong - 1, judged, low) == pytest.approx(0.025)
    if wrong < judged:
        assert binom.cdf(wrong, judged, high) == pytest.approx(0.025)
    with pytest.raises(ValueError):
        estimate.interval(1, 0)


class _Work:
    """A job's work outside of the worker."""

    def __init__(self, job: Job, settings: Settings) -> None:
        self.job, self.settings, self.results, self.lines = job, settings, {}, []  # type: ignore[var-annotated]

    def progress(self, doing: str, done: int | None = None, total: int | None = None) -> None:
        self.doing = doing

    def log(self, line: str) -> None:
        self.lines.append(line)


def run(settings: Settings) -> _Work:
    """The job's steps, one after the other."""
    with database.write() as session:
        work = _Work(jobs.get(session, jobs.request(session, "review", "zhao")), settings)
    for step in STEPS["review"]:
        work.results[step.name] = step.call(work)  # type: ignore[arg-type]
    return work


def test_the_job_encodes_anew_groups_draws_and_counts(db: Settings) -> None:
    text = "借书证丢了怎么补办"
    old = ask(text)  # of an encoder that is no more
    agent = ask(text, vector=None, encoder=None, source=asked.AGENT, agent_qa="b", decision="forwarded")
    ask("谢谢你帮我", decision="answer", certainty="sure", probability=0.99, qa_id="a")
    work = run(db)
    assert work.results == {"renew": 2, "group": {"questions": 2, "groups": 1, "alone": 0}, "sample": 1}
    encoder = load_encoder(db.encoder or None)
    with database.read() as session:
        kept = session.scalars(select(Asked.encoder).where(Asked.id.in_((old, agent)))).all()
        assert kept == [encoder.checksum, encoder.checksum]
        (found,) = session.scalars(select(ReviewFigures))
        assert (found.renewed, found.answered, found.drawn, found.judged, found.high) == (2, 1, 1, 0, None)
        (group,) = session.scalars(select(ReviewMember.group_id).distinct())
        (drawn,) = session.scalars(select(ReviewAudit.asked_id))
    assert row(group).candidate == "b" and (db.data_dir / "nlu_overlay.yml").exists()
    with database.write() as session:
        review.judge(session, drawn, "wrong", "zhao")
    again = run(db)
    assert again.results["renew"] == 0
    with database.read() as session:
        newest = review.newest_figures(session)
        assert newest is not None and (newest.judged, newest.wrong, newest.high) == (1, 1, 1.0)
        assert newest.low == pytest.approx(0.025)


def test_a_grouping_that_was_cut_off_runs_again(sqlite_db: Settings) -> None:
    ids = [ask("借书证不见了"), ask("几点开门")]

    def cut(doing: str, *_: Any) -> None:
        if "写下" in doing:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        placing.arrange(utcnow(), cut, SUM)
    placing.arrange(utcnow(), lambda *_: None, SUM)
    with database.read() as session:
        assert sorted(session.scalars(select(ReviewMember.asked_id))) == sorted(ids)
        assert [one.text for one in review.listed(session, "open")[0]] in (
            ["借书证不见了", "几点开门"],
            ["几点开门", "借书证不见了"],
        )


def test_what_went_out_of_sight_long_ago_is_looked_at_only_in_its_group(sqlite_db: Settings) -> None:
    one = ask("借书证不见了")
    placing.arrange(utcnow(), lambda *_: None, SUM)
    ask("几点开门", at=utcnow() - timedelta(days=200))
    with database.write() as session:
        session.execute(update(Asked).where(Asked.id == one).values(at=utcnow() - timedelta(days=200)))
    found = placing.arrange(utcnow(), lambda *_: None, SUM)
    assert (found.questions, found.groups) == (1, 1)
