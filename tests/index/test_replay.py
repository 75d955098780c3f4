"""昨日重放 on a small knowledge: what changes is named, the estimate says what the whole one says, and nothing is written by either."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select

from bot import asked, database
from bot.clock import utcnow
from bot.errors import InvalidInput, NotFound
from bot.models.asked import Asked
from bot.models.conversations import Conversation, TurnEffect
from bot.models.housekeeping import Counter
from bot.models.tickets import Ticket
from bot.settings import Settings
from index import replay
from index.assistant import phrases, trying
from index.assistant.respond import Assistant
from index.replay import Change, Result
from index.search import tokenize
from index.search.lexical import BM25Index
from index.search.normalise import clean
from index.search.retriever import Item
from tests.index.test_assistant import NOWHERE, Talk, make

ASKED = (
    "图书馆借书证丢失如何补领",
    "借书证丢了怎么补",
    "高龄津贴每月领多少钱",
    "农机补贴申请时间",
    "粮油购买凭证现在还需要吗",
    "宠物狗上户口在哪里办",
)
NEW = {
    "matter": "养犬",
    "region": "100000",
    "question": "宠物狗上户口在哪里办",
    "answer": "到派出所办。",
    "similar": [],
}


@pytest.fixture
def assistant(sqlite_db: Settings) -> Assistant:
    assistant = make(sqlite_db.model_copy(update={"replay_questions": ""}), region="430000")
    for text in ASKED:
        Talk(assistant).say(text)
    return assistant


def run(assistant: Assistant, change: Change) -> tuple[Result, Result]:
    """The estimate and the whole one."""
    settings, now = assistant._settings, utcnow()
    return replay.estimate(settings, assistant, change, now), replay.whole(settings, assistant, change, now)


def said(result: Result) -> list[tuple[str, str, str | None, str | None, str]]:
    with database.read() as session:
        words = {row.id: row.said["text"] for row in session.scalars(select(Asked))}
    return sorted(
        (words[one.id], one.kind, one.before.qa_id, one.after.qa_id, one.after.level) for one in result.changes
    )


def test_every_question_of_the_days_is_there_once_without_its_words(assistant: Assistant) -> None:
    Talk(assistant).say(ASKED[0])
    estimate, whole = run(assistant, Change("plain", "pause"))
    assert (whole.asked, whole.own, whole.looked) == (len(ASKED), len(ASKED), len(ASKED))
    assert estimate.estimated and not whole.estimated and estimate.looked <= whole.looked
    stored = whole.stored()
    assert ASKED[0] not in str(stored) and stored["counts"]["lost"]["sure"] >= 2  # asked twice
    later = replay.estimate(assistant._settings, assistant, Change("plain", "pause"), utcnow() + timedelta(days=8))
    assert later.asked == 0


@pytest.mark.parametrize("move", ["pause", "retire"])
def test_a_paused_or_retired_item_loses_its_questions(assistant: Assistant, move: Any) -> None:
    estimate, whole = run(assistant, Change("plain", move))
    assert said(estimate) == said(whole)
    assert (ASKED[0], "lost", "plain", None, "none") in said(whole)


def test_what_takes_a_retired_one_s_place_answers(assistant: Assistant) -> None:
    for one in run(assistant, Change("plain", "retire", replaced_by="new-2")):
        assert (ASKED[0], "moved", "plain", "new-2") in [row[:4] for row in said(one)]


def test_other_words_of_the_same_answer_are_named(assistant: Assistant) -> None:
    estimate, whole = run(assistant, Change("plain", "content", {"answer": "到总服务台补领，不收费。"}))
    assert said(estimate) == said(whole)
    assert (ASKED[0], "reworded", "plain", "plain", "sure") in said(whole)


def test_a_new_item_answers_what_nothing_answered(assistant: Assistant) -> None:
    for one in run(assistant, Change("dog", "content", NEW)):
        assert (ASKED[-1], "gained", None, "dog", "sure") in said(one)


def test_a_neighbour_s_question_taken_over_is_the_worst_of_it(assistant: Assistant) -> None:
    with database.write() as session:
        for row in session.scalars(select(Asked).where(Asked.qa_id == "plain")):
            row.helpful = True
    greedy = Change("draft", "content", {"question": ASKED[0], "similar": [ASKED[1]], "answer": "不知道。"})
    estimate, whole = run(assistant, greedy)
    taken = {one.id for one in whole.changes if one.taken}
    assert taken <= {one.id for one in estimate.changes if one.taken}
    assert all(one.right == ("plain",) and one.right_before for one in whole.changes if one.taken)
    lost = Change("plain", "pause")
    assert run(assistant, lost)[0].stored()["lost_right"] >= 1


def test_neither_changes_anything(assistant: Assistant) -> None:
    before = _counts()
    version = assistant.reader.get().version
    run(assistant, Change("plain", "content", {"similar": ["补借书证"]}))
    assert _counts() == before and assistant.reader.get().version == version


def test_what_can_t_be_replayed_is_refused(assistant: Assistant) -> None:
    with pytest.raises(NotFound):
        run(assistant, Change("nothing", "pause"))
    for content in ({}, NEW | {"answer": " "}, NEW | {"similar": [1]}):
        with pytest.raises(InvalidInput):
            run(assistant, Change("nothing", "content", content))


def test_one_change_has_one_digest() -> None:
    one = Change("a", "content", {"x": 1, "y": [2]})
    assert one.digest == Change(**one.stored()).digest == Change("a", "content", {"y": [2], "x": 1}).digest
    assert one.digest != Change("a", "content", {"x": 2, "y": [2]}).digest


def test_a_project_s_questions_fill_up_where_a_city_has_few(assistant: Assistant) -> None:
    settings = assistant._settings.model_copy(update={"replay_questions": "tests/data/lived/short_fresh.jsonl"})
    result = replay.estimate(settings, assistant, Change("plain", "pause"), utcnow())
    assert result.own == len(ASKED) and result.asked == len(ASKED) + 31


def test_a_stop_ends_the_whole_one(assistant: Assistant) -> None:
    class Stop(Exception):
        pass

    def say(_doing: str, done: int, _total: int) -> None:
        if done == 3:
            raise Stop

    with pytest.raises(Stop):
        replay.whole(assistant._settings, assistant, Change("plain", "pause"), utcnow(), say)


def test_the_changed_index_scores_as_one_built_anew(assistant: Assistant) -> None:
    live = assistant.reader.get().retriever
    item = next(one for one in live.items if one.id == "plain")
    changed = Item(item.id, item.matter, item.region, item.audience, (*item.texts, "借书证补办补办"), "到总台补。")
    new = Item("new", "养犬", "100000", "个人", ("宠物狗上户口在哪里办",), "到派出所办。")
    for one in (changed, new):
        found = live.changed(one)
        rows = [clean(text) for each in found.items for text in each.texts]
        built = BM25Index.build([tokenize.ngrams(row) for row in rows])
        for query in ("借书证补办", "宠物狗补办借书证", "完全无关"):
            grams = tokenize.ngrams(query)
            # But for the number of documents and their average length, which count for much where there are twelve.
            np.testing.assert_allclose(found._chars.scores(grams), built.scores(grams), rtol=0.15, atol=0.05)
            assert [found._chars.frequency(gram) for gram in grams] == [built.frequency(gram) for gram in grams]
            assert 0.0 <= found.unseen(query) <= 1.0
        assert [each.id for each in found.items][-1] == ("new" if one is new else live.items[-1].id)


def test_trying_is_what_a_citizen_would_be_told_and_writes_nothing(assistant: Assistant) -> None:
    before = _counts()
    for text in (*ASKED, "转人工", "我要投诉楼下烧烤店半夜油烟太大"):
        trying.attempt(assistant, [text])
    assert trying.attempt(assistant, [f"查一下{NOWHERE}，查询码12345678"]).replies[0].text == phrases.TRIAL_LOOKUP  # type: ignore[union-attr]
    assert _counts() == before
    for text in ASKED:
        told = Talk(assistant).say(text)
        tried = trying.attempt(assistant, [text])
        assert (told.type, getattr(told, "qa_id", None)) == (tried.replies[0].type, tried.qa_id)
    followed = trying.attempt(assistant, ["高龄津贴每月领多少钱", "长沙"])
    assert followed.context.last_matter == "高龄津贴"


def _counts() -> list[int]:
    with database.read() as session:
        tables = (Asked, TurnEffect, Conversation, Ticket, Counter)
        return [session.scalar(select(func.count()).select_from(table)) or 0 for table in tables] + [
            session.scalar(select(func.sum(Counter.value))) or 0
        ]


def test_a_turn_keeps_the_vector_that_it_was_found_by(assistant: Assistant) -> None:
    with database.read() as session:
        rows = list(asked.rows(session, asked.Wanted(), vectors=True))
    assert {row.said["text"] for row in rows} == set(ASKED)
    assert all(row.vector is None and row.found["candidates"] for row in rows)  # this index has no encoder
    assert [row.certainty for row in rows if row.said["text"] == ASKED[0]] == ["sure"]
