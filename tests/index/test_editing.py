"""What an editor is told while they write."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from bot import database, knowledge
from bot.clock import utcnow
from bot.models.asked import Asked
from bot.models.knowledge import Document, ServiceGuide
from bot.settings import Settings
from index import editing
from index.assistant.respond import Assistant
from tests.index.test_assistant import Talk, make, qa


def content(**changed: Any) -> dict[str, Any]:
    return {
        "matter": "测试事项",
        "question": "老年卡几岁能办",
        "answer": "满65周岁可以办。",
        "similar": ["多大年纪可以领老年优待证"],
        "sources": [{"document": "law", "clause": "第三条"}],
        "guides": [],
        "region": "100000",
        "audience": "个人",
    } | changed


def codes(settings: Settings, written: dict[str, Any], qa_id: str | None = "own") -> list[str]:
    loaded = make(settings).reader.get()
    with database.read() as session:
        return [note.code for note in editing.check(session, loaded, qa_id, written)]


@pytest.fixture(autouse=True)
def filled(sqlite_db: Settings) -> None:
    with database.write() as session:
        knowledge.upsert(
            session,
            [
                Document(id="law", title="示例市老年人优待办法", region="100000", status="有效"),
                ServiceGuide(
                    id="card", title="办理老年卡", region="100000", materials=[], steps=[], channels=[], phone="12345"
                ),
                qa("other", "坐公交要不要买票", "满70周岁的老人坐公交免票，别的线路另外算。"),
                qa("own", "老年卡几岁能办", "满65周岁可以办。"),
            ],
        )
        knowledge.set_passages(
            session, "law", [("第三条", "满65周岁的老年人可以办卡。"), ("第四条", "满80周岁有津贴。")]
        )


def test_what_is_sound_gets_no_note(sqlite_db: Settings) -> None:
    assert codes(sqlite_db, content()) == []


@pytest.mark.parametrize(
    ("changed", "code", "field", "sentence"),
    [
        ({"similar": []}, "no_wordings", "similar", None),
        ({"similar": ["老年卡，几岁能办？"]}, "same_wording", "similar", "老年卡，几岁能办？"),
        ({"sources": []}, "no_source", "sources", "满65周岁可以办。"),
        ({"answer": "可以办。满80周岁的不要钱。"}, "not_in_source", "sources", "满80周岁的不要钱。"),
        ({"answer": "补贴标准由当地定。"}, "no_phone", "answer", "补贴标准由当地定。"),
        ({"answer": f"可以。{'带身份证' * 16}。"}, "long_sentence", "answer", f"{'带身份证' * 16}。"),
    ],
)
def test_each_note_names_its_sentence(
    sqlite_db: Settings, changed: dict[str, Any], code: str, field: str, sentence: str | None
) -> None:
    with database.read() as session:
        notes = editing.check(session, None, "own", content(**changed))
    assert [(note.code, note.field, note.sentence) for note in notes] == [(code, field, sentence)]


def test_a_phone_or_a_guide_settles_what_is_left_to_the_place(sqlite_db: Settings) -> None:
    assert codes(sqlite_db, content(answer="补贴标准由当地定，拨12345问。")) == []
    assert codes(sqlite_db, content(answer="补贴标准由当地定。", guides=["card"])) == []


def test_a_double_and_a_figure_at_odds_name_the_other_item(sqlite_db: Settings) -> None:
    loaded = make(sqlite_db).reader.get()
    written = content(question="坐公交要不要买票", answer="满65周岁的老人坐公交免票。")
    with database.read() as session:
        notes = editing.check(session, loaded, "own", written)
    told = [(note.code, note.sentence, note.other.qa_id, note.other.sentence) for note in notes if note.other]
    assert told == [
        ("double", "坐公交要不要买票", "other", "坐公交要不要买票"),
        ("at_odds", "满65周岁的老人坐公交免票", "other", "满70周岁的老人坐公交免票"),
    ]


def test_an_item_is_not_its_own_double_and_other_places_do_not_meet(sqlite_db: Settings) -> None:
    assert "double" not in codes(sqlite_db, content(question="坐公交要不要买票"), "other")
    assert "double" in codes(sqlite_db, content(question="坐公交要不要买票"), None)
    assert "double" not in codes(sqlite_db, content(question="坐公交要不要买票", region="430100"), None)
    assert "double" not in codes(sqlite_db, content(question="坐公交要不要买票", audience="企业"), None)


@pytest.fixture
def assistant(sqlite_db: Settings) -> Assistant:
    """With the encoder."""
    return make(sqlite_db, region="430000", dense=True)


def near(assistant: Assistant, question: str, *similar: str, qa_id: str | None = None) -> list[tuple[str, int]]:
    loaded = assistant.reader.get()
    with database.read() as session:
        found = editing.near_questions(session, loaded, qa_id, {"question": question, "similar": similar}, utcnow())
    return [(one.text, one.times) for one in found]


def test_what_nothing_answered_is_suggested_to_whoever_writes_about_it(assistant: Assistant) -> None:
    for text in (
        "宠物狗上户口在哪里办",
        "宠物狗上户口，在哪里办？",
        "门口的树枝挡路了谁来剪",
        "图书馆借书证丢失如何补领",
    ):
        Talk(assistant).say(text)
    ((text, times),) = near(assistant, "给宠物狗上户口在哪里办理")
    assert (text.strip("？").replace("，", ""), times) == ("宠物狗上户口在哪里办", 2)
    assert near(assistant, "宠物狗上户口在哪里办") == []  # it is a wording already
    assert near(assistant, "燃气管道漏了找谁") == []
    assert near(assistant, "  ") == []
    with database.write() as session:
        row = session.scalars(select(Asked).order_by(Asked.at)).first()
        assert row is not None and row.qa_id is None
        row.agent_qa = "other"  # a person has answered it
    assert [times for _, times in near(assistant, "给宠物狗上户口在哪里办理")] == [1]


def test_what_is_nearer_to_another_item_is_left_to_that(assistant: Assistant) -> None:
    Talk(assistant).say("宠物狗上户口在哪里办")
    with database.write() as session:
        row = session.scalars(select(Asked)).one()
        row.found = {"candidates": [{"qa_id": "dog", "features": {"dense": 0.999}}]}
    assert near(assistant, "给宠物狗上户口在哪里办理") == []
    assert near(assistant, "给宠物狗上户口在哪里办理", qa_id="dog") == [("宠物狗上户口在哪里办", 1)]
