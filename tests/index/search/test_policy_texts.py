"""The second tier: passages that hold what was asked, marked, by place, and never where a reviewed answer fits."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from bot import database
from bot.models.knowledge import Document
from bot.settings import Settings
from index.assistant.respond import Assistant
from index.knowledge_files import documents
from index.search.policy_texts import PolicyPassage, PolicyTexts
from index.versions import build, store
from index.versions.store import IndexReader
from tests.index.knowledge_files.test_documents import NOTICE, write
from tests.index.test_assistant import Talk, make
from training.fit import calibration_for

HERE = frozenset({"430100", "430000", "100000"})
PASSAGES = [
    PolicyPassage("a", "图书馆管理办法", "430100", "第三条", "借书证丢失的，持身份证挂失。当日补发。补证工本费10元。"),
    PolicyPassage("a", "图书馆管理办法", "430100", "第四条", "馆内不得大声喧哗，不得饮食。"),
    PolicyPassage("b", "养犬管理办法", "110000", "第五条", "养犬登记证每年年审，工本费10元。"),
    PolicyPassage("c", "养犬管理条例", "430100", "第六条", "犬只伤人的，主人应当立即送医。"),
]


@pytest.fixture
def texts() -> PolicyTexts:
    built = PolicyTexts.build(PASSAGES, None)
    assert built is not None
    return built


def test_the_clause_and_its_sentence(texts: PolicyTexts) -> None:
    found = texts.search("借书证补证工本费", None, HERE)
    assert [(one.passage.document_id, one.passage.label) for one in found] == [("a", "第三条")]
    start, end = found[0].sentence
    assert found[0].passage.text[start:end] == "补证工本费10元。"


def test_of_two_like_passages_the_one_whose_document_is_about_it_comes_first() -> None:
    same = "申请人应当在三十日内提出申请，逾期不予受理。"
    built = PolicyTexts.build(
        [
            PolicyPassage("x", "办法", "100000", "第一条", "犬只登记由街道办理。"),
            PolicyPassage("x", "办法", "100000", "第二条", same),
            PolicyPassage("y", "办法", "100000", "第一条", "残疾人护理补贴由民政部门发放，护理补贴按月发。"),
            PolicyPassage("y", "办法", "100000", "第二条", same),
        ],
        None,
    )
    assert built is not None
    scores = built.scores("护理补贴应当多少日内提出申请", None)
    assert scores[3] > scores[1]


def test_an_index_of_before_has_no_whole_documents_and_is_searched_all_the_same(
    texts: PolicyTexts, tmp_path: Path
) -> None:
    texts.save(tmp_path / "x")
    for name in ("document_chars", "document_words"):
        shutil.rmtree(tmp_path / "x" / name)
    loaded = PolicyTexts.load(tmp_path / "x", None)
    assert loaded is not None
    assert [one.passage.label for one in loaded.search("借书证补证工本费", None, HERE)] == ["第三条"]


def test_another_places_rule_is_not_shown(texts: PolicyTexts) -> None:
    assert texts.search("养犬登记证年审", None, HERE) == []
    assert [one.passage.document_id for one in texts.search("养犬登记证年审", None, frozenset({"110000"}))] == ["b"]


@pytest.mark.parametrize("query", ["", "？", "明天股市会涨吗", "出国留学奖学金"])
def test_what_no_passage_speaks_of_shows_nothing(texts: PolicyTexts, query: str) -> None:
    assert texts.search(query, None, HERE) == []


def test_saved_and_loaded_it_finds_the_same(texts: PolicyTexts, tmp_path: Path) -> None:
    texts.save(tmp_path / "x")
    loaded = PolicyTexts.load(tmp_path / "x", None)
    assert loaded is not None
    assert loaded.search("借书证补证工本费", None, HERE) == texts.search("借书证补证工本费", None, HERE)
    assert PolicyTexts.load(tmp_path / "nothing", None) is None
    assert PolicyTexts.build([], None) is None


@pytest.fixture
def talk(sqlite_db: Settings, tmp_path: Path) -> Talk:
    make(sqlite_db, region="430100")
    path = write(tmp_path, "养犬.txt", NOTICE.replace("图书馆", "养犬").replace("借书证", "犬只狂犬疫苗免疫证明"))
    with database.write() as session:
        documents.import_texts(session, path.name, documents.read(path), region="430100", actor="小王")
    settings = sqlite_db.model_copy(
        update={"dense": False, "answer_at": 0.5, "likely_at": 0.5, "clarify_at": 0.4, "region": "430100"}
    )
    store.publish(settings, build.build(settings, calibration_for))
    return Talk(Assistant(settings, IndexReader(settings)))


@pytest.mark.parametrize("unsolved", ["以上都不是", "没有解决"])
def test_passages_where_no_reviewed_answer_fits_and_a_ticket_where_they_do_not_help(talk: Talk, unsolved: str) -> None:
    reply = talk.say("狂犬疫苗免疫证明丢失补证工本费")
    assert reply.type == "passages" and "原文" in reply.text
    (shown,) = [one for one in reply.passages if one.label == "第三条"]
    assert (shown.doc_no, shown.issued) == ("某政办发〔2025〕3号", date(2025, 3, 1))
    assert shown.text[slice(*shown.sentence)] == "犬只狂犬疫苗免疫证明丢失的，持身份证到总服务台挂失，当日补发。"
    assert talk.register(unsolved).type == "ticket"
    assert talk.say("以上都不是").type == "text"  # asked once more, nothing is offered


def test_a_reviewed_answer_comes_first(talk: Talk) -> None:
    assert talk.say("图书馆借书证丢失如何补领").type == "answer"


def test_a_complaint_is_registered_not_answered_with_a_law(talk: Talk) -> None:
    assert talk.register("狂犬疫苗免疫证明丢失补证工本费乱收", "report_problem").type == "ticket"


def test_what_became_internal_is_in_no_reply_before_and_after_the_next_build(
    talk: Talk, sqlite_db: Settings, tmp_path: Path
) -> None:
    question = "狂犬疫苗免疫证明丢失补证工本费"
    assert talk.say(question).type == "passages"
    path = write(
        tmp_path, "养犬.txt", "内部资料\n" + NOTICE.replace("图书馆", "养犬").replace("借书证", "犬只狂犬疫苗免疫证明")
    )
    with database.write() as session:
        documents.import_texts(
            session, path.name, documents.read(path), region="430100", actor="小王", internal_confirmed_by="李处长"
        )
    assert talk.register(question).type == "ticket"
    settings = sqlite_db.model_copy(
        update={"dense": False, "answer_at": 0.5, "likely_at": 0.5, "clarify_at": 0.4, "region": "430100"}
    )
    store.publish(settings, build.build(settings, calibration_for))
    assert Talk(Assistant(settings, IndexReader(settings))).register(question).type == "ticket"
    files = [file for file in (settings.index_dir / (store.pointer(settings)[0] or "")).rglob("*") if file.is_file()]
    assert files and not any("补证工本费10元".encode() in file.read_bytes() for file in files)


def test_what_was_repealed_since_the_build_is_not_shown(talk: Talk) -> None:
    with database.write() as session:
        document = session.get_one(Document, documents.PolicyText("", "某政办发〔2025〕3号").id)
        document.status = "已废止"
    assert talk.register("狂犬疫苗免疫证明丢失补证工本费").type == "ticket"
