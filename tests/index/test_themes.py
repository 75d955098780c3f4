"""Life events: the file covers the starter knowledge, and a theme shows what may be answered, the most asked first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args

import pytest

from bot import conversations, database, knowledge, turns
from bot.clock import utcnow
from bot.models.conversations import TurnEffect
from bot.models.knowledge import QA
from bot.settings import Settings
from bot.turns import Outcome
from index import themes
from index.knowledge_files import starter
from index.themes import TOP, Audience, Theme
from tests.index.test_assistant import qa

NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    themes._current.cache_clear()
    yield
    themes._current.cache_clear()


def put(*items: QA) -> None:
    with database.write() as session:
        knowledge.upsert(session, list(items))


def shown(settings: Settings, now: datetime = NOW, **changes: Any) -> dict[str, Theme]:
    return {theme.id: theme for theme in themes.current(settings.model_copy(update=changes), now)}


def ids(theme: Theme) -> list[str]:
    return [question.qa_id for matter in theme.matters for question in matter.questions]


def answered(settings: Settings, qa_id: str, times: int, ago: timedelta = timedelta()) -> None:
    """Turns that this item answered, so long ago."""
    with database.write() as session:
        conversation, _ = conversations.create(session, "web")
        session.flush()
        received = [turns.receive(session, conversation, f"m{n}", "问", settings).turn_id for n in range(times)]
    for turn_id in received:
        with database.read() as session:
            turn = turns.load(session, turn_id)
        turns.settle(turn, Outcome(replies=[], context=turn.context, decision="answer", qa_id=qa_id))
        with database.write() as session:
            session.get_one(TurnEffect, turn_id).settled_at = NOW - ago


# --- the file --------------------------------------------------------------------------------------------------------


def test_the_file_is_sound() -> None:
    lives = themes.lives()
    assert len({life.id for life in lives}) == len(lives) > 15
    assert len({(life.audience, life.title) for life in lives}) == len(lives)
    for life in lives:
        assert life.audience in get_args(Audience)
        assert life.id.replace("-", "").isascii() and life.id.replace("-", "").isalpha()
        assert life.title and 4 <= len(life.hint) <= 30 and life.matters
        assert len(set(life.matters)) == len(life.matters)
    assert not {"other", "other-business"} & {life.id for life in lives}


def test_every_matter_and_question_of_the_starter_knowledge_has_its_theme(sqlite_db: Settings) -> None:
    with database.write() as session:
        starter.load_starter(session)
        qas = knowledge.all_qas(session)
    matters = {one.matter for one in qas}
    named = {matter for life in themes.lives() for matter in life.matters}
    assert len(matters) == 121
    assert named == matters
    found = shown(sqlite_db, utcnow())
    assert set(found) == {life.id for life in themes.lives()}  # every theme has questions, and nothing is left over
    reached = {qa_id for theme in found.values() for qa_id in ids(theme)}
    today = utcnow().date()
    assert reached == {one.id for one in qas if knowledge.answerable(one, today=today, production=False).answers}
    assert all(1 <= len(theme.top) <= TOP for theme in found.values())
    assert shown(sqlite_db, utcnow(), env="production") == {}  # nobody has reviewed it yet


# --- what is shown ---------------------------------------------------------------------------------------------------


def test_only_what_may_answer_now_and_here_is_shown(sqlite_db: Settings) -> None:
    put(
        qa("here", "甲", matter="护照办理", region="430100"),
        qa("nation", "乙", matter="护照办理"),
        qa("district", "丙", matter="护照办理", region="430104"),
        qa("elsewhere", "丁", matter="护照办理", region="440100"),
        qa("draft", "戊", matter="护照办理", status="draft", reviewed_by=None),
        qa("paused", "己", matter="护照办理", status="paused"),
        qa("retired", "庚", matter="护照办理", status="retired"),
        qa("last-day", "辛", matter="护照办理", valid_to=date(2026, 11, 20)),
        qa("first-day", "壬", matter="护照办理", valid_from=date(2026, 11, 21)),
    )
    assert set(ids(shown(sqlite_db, region="430100")["papers"])) == {"here", "nation", "district", "draft", "last-day"}
    production = shown(sqlite_db, region="430100", env="production")["papers"]
    assert set(ids(production)) == {"here", "nation", "district", "last-day"}
    # The day ends at midnight in Shanghai.
    tomorrow = shown(sqlite_db, datetime(2026, 11, 20, 16, tzinfo=UTC), region="430100")["papers"]
    assert "first-day" in ids(tomorrow) and "last-day" not in ids(tomorrow)
    assert "elsewhere" in ids(shown(sqlite_db, region="100000")["papers"])


def test_a_question_belongs_to_those_it_is_for(sqlite_db: Settings) -> None:
    put(
        qa("both", "试用期最长多久", matter="试用期", audience="个人和企业"),
        qa("mine", "试用期被辞退怎么办", matter="试用期"),
        qa("theirs", "试用期怎么约定", matter="试用期", audience="企业"),
    )
    found = shown(sqlite_db)
    assert ids(found["work"]) == ["both", "mine"]
    assert ids(found["employer"]) == ["both", "theirs"]
    assert set(found) == {"work", "job", "employer"}


def test_a_citys_own_matters_go_by_their_themes_and_else_to_the_rest(sqlite_db: Settings) -> None:
    put(
        qa("own", "人才公寓怎么申请", matter="人才公寓", themes=["住房"]),
        qa("file", "公积金怎么提取", matter="公积金提取"),
        qa("rest", "垃圾怎么分类", matter="垃圾分类", themes=["城管"]),
        qa("firm", "门头招牌怎么备案", matter="招牌设置", audience="企业"),
    )
    found = shown(sqlite_db)
    assert [(matter.title, len(matter.questions)) for matter in found["housing"].matters] == [
        ("公积金提取", 1),
        ("人才公寓", 1),
    ]
    assert (found["other"].title, found["other"].audience, ids(found["other"])) == ("其他", "个人", ["rest"])
    assert (found["other-business"].audience, ids(found["other-business"])) == ("企业", ["firm"])


def test_the_most_asked_come_first_then_one_of_each_matter(sqlite_db: Settings) -> None:
    put(
        *(qa(f"hz-{n}", f"护照问题{n}", matter="护照办理") for n in range(6)),
        *(qa(f"sfz-{n}", f"身份证问题{n}", matter="身份证换领补领") for n in range(6)),
        qa("xm-0", "改名问题", matter="姓名变更"),
    )

    def top(now: datetime = NOW) -> list[str]:
        themes._current.cache_clear()
        return [question.qa_id for question in shown(sqlite_db, now)["papers"].top]

    # The file's order of matters; one of each before the second of any.
    assert top() == ["sfz-0", "xm-0", "hz-0", "sfz-1", "hz-1", "sfz-2", "hz-2", "sfz-3"]
    answered(sqlite_db, "hz-5", 2)
    answered(sqlite_db, "sfz-4", 3)
    answered(sqlite_db, "sfz-5", 9, ago=timedelta(days=92))
    assert top()[:4] == ["sfz-4", "hz-5", "sfz-0", "xm-0"]
    assert len(top()) == TOP and "sfz-5" not in top()
    assert top(NOW + timedelta(days=100))[0] == "sfz-0"


def test_a_change_of_knowledge_shows_at_once_and_nothing_is_worked_out_twice(sqlite_db: Settings) -> None:
    put(qa("a", "护照多少钱", matter="护照办理"))
    first, again = themes.current(sqlite_db, NOW), themes.current(sqlite_db, NOW + timedelta(hours=3))
    assert first is again
    put(qa("b", "护照多久能拿", matter="护照办理"))
    assert ids(shown(sqlite_db)["papers"]) == ["a", "b"]
    with database.write() as session:
        knowledge.pause(session, "a", "王审核")
    assert ids(shown(sqlite_db)["papers"]) == ["b"]
