"""The knowledge in the database: revision, review, standing, and what an answer rests on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, select

from bot import database, knowledge
from bot.errors import NotFound
from bot.knowledge import Standing
from bot.models.housekeeping import AuditEntry
from bot.models.knowledge import QA, Document, ServiceGuide
from bot.settings import Settings

TODAY = date(2026, 11, 20)


def a_qa(id_: str = "sfz-001", **fields: Any) -> QA:
    given = {
        "matter": "身份证换领补领",
        "question": "身份证丢了怎么补办？",
        "answer": "带户口簿到派出所申请补领。",
        "similar": ["身份证不见了咋办"],
        "sources": [],
        "guides": [],
        "related": [],
        "report": [],
        "themes": [],
        "audience": "个人",
        "region": "100000",
        "status": "draft",
        "revision": 0,
    }
    return QA(id=id_, **(given | fields))


def a_document(id_: str = "fa", **fields: Any) -> Document:
    return Document(id=id_, **({"title": "居民身份证法", "region": "100000", "status": "有效"} | fields))


def a_guide(id_: str = "buling", **fields: Any) -> ServiceGuide:
    given = {"title": "补领", "region": "100000", "materials": ["户口簿"], "steps": [], "channels": []}
    return ServiceGuide(id=id_, **(given | fields))


def test_every_real_change_takes_one_revision_and_an_unchanged_item_none(db: Settings) -> None:
    with database.write() as session:
        assert knowledge.revision(session) == 0
        assert knowledge.upsert_document(session, a_document())
        assert knowledge.upsert_guide(session, a_guide())
        assert knowledge.upsert_qa(session, a_qa())
        assert knowledge.revision(session) == 3
    with database.write() as session:
        assert not knowledge.upsert_document(session, a_document())
        assert not knowledge.upsert_guide(session, a_guide())
        assert not knowledge.upsert_qa(session, a_qa())
        assert knowledge.revision(session) == 3
        assert knowledge.upsert_guide(session, a_guide(materials=["户口簿", "照片"]))
        assert knowledge.upsert_qa(session, a_qa(answer="改了。"))
    with database.read() as session:
        assert knowledge.revision(session) == 5
        assert session.get_one(QA, "sfz-001").revision == 5
        assert session.get_one(ServiceGuide, "buling").materials == ["户口簿", "照片"]


def test_another_day_of_review_does_not_undo_the_review_a_mark_does(db: Settings) -> None:
    with database.write() as session:
        knowledge.upsert_document(session, a_document())
        knowledge.upsert_qa(session, a_qa(sources=[{"document": "fa", "clause": None}]))
        knowledge.approve(session, "sfz-001", "王科长")
    later = {"review_by": date(2027, 12, 31)}
    with database.write() as session:
        assert knowledge.upsert_qa(session, a_qa(sources=[{"document": "fa", "clause": None}], **later))
        qa = session.get_one(QA, "sfz-001")
        assert (qa.status, qa.reviewed_by, qa.review_by) == ("approved", "王科长", date(2027, 12, 31))
        marked = [{"document": "fa", "clause": None, "unverified": True}]
        changes = knowledge.upsert(session, [a_qa(sources=marked, **later)], "张编辑")
        assert changes.working == ["sfz-001"]
        assert (qa.status, qa.sources) == ("approved", [{"document": "fa", "clause": None}])


def test_a_confirmed_basis_loses_its_mark_and_nothing_else(db: Settings) -> None:
    sources = [{"document": "fa", "clause": "第三条", "unverified": True}, {"document": "fa", "clause": "第四条"}]
    with database.write() as session:
        knowledge.upsert_document(session, a_document())
        knowledge.upsert_qa(session, a_qa(sources=sources))
        qa = knowledge.approve(session, "sfz-001", "王科长")
        assert [source.unverified for source in knowledge.expand(session, qa)[0]] == [True, False]
    with database.write() as session:
        assert knowledge.confirm_sources(session, "sfz-001", "李核对")
        assert not knowledge.confirm_sources(session, "sfz-001", "李核对")
        with pytest.raises(NotFound):
            knowledge.confirm_sources(session, "nothing", "李核对")
    with database.read() as session:
        qa = session.get_one(QA, "sfz-001")
        assert (qa.status, qa.reviewed_by, qa.revision) == ("approved", "王科长", knowledge.revision(session))
        assert qa.sources == [{"document": "fa", "clause": "第三条"}, {"document": "fa", "clause": "第四条"}]
        assert not any(source.unverified for source in knowledge.expand(session, qa)[0])
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "qa.sources_confirmed")).one()
        assert (entry.actor, entry.subject) == ("李核对", "sfz-001")


def test_a_change_that_is_rolled_back_takes_its_revision_with_it(db: Settings) -> None:
    with pytest.raises(RuntimeError), database.write() as session:
        knowledge.upsert_qa(session, a_qa())
        raise RuntimeError
    with database.read() as session:
        assert knowledge.revision(session) == 0
        assert knowledge.all_qas(session) == []


def test_many_items_are_told_apart_and_share_one_revision(db: Settings) -> None:
    many = [f"q-{number:04}" for number in range(1200)]
    with database.write() as session:
        knowledge.upsert(session, [a_qa(id_) for id_ in many[:1100]])
    with database.write() as session:
        changes = knowledge.upsert(session, [a_qa(id_, answer="新" if id_ < "q-0003" else "旧") for id_ in many[:3]])
        assert changes.changed == many[:3]
        changes = knowledge.upsert(session, [a_qa(id_) for id_ in many[3:]])
        assert changes.added == many[1100:]
        assert changes.unchanged == many[3:1100]
        assert knowledge.revision(session) == 3
    with database.read() as session:
        revisions = {qa.id: qa.revision for qa in knowledge.all_qas(session)}
    assert (revisions["q-0002"], revisions["q-0003"], revisions["q-1199"]) == (2, 1, 3)


def test_two_imports_at_once_wait_for_each_other(db: Settings) -> None:
    def load(_: int) -> knowledge.Changes:
        with database.write() as session:
            return knowledge.upsert(session, [a_qa(f"q-{number}") for number in range(50)])

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(load, range(4)))
    assert sorted(len(changes.added) for changes in results) == [0, 0, 0, 50]
    with database.read() as session:
        assert knowledge.revision(session) == 1


def test_approving_pausing_retiring_and_back(db: Settings) -> None:
    with database.write() as session:
        knowledge.upsert(session, [a_qa(), a_qa("sfz-002")])
        qa = knowledge.approve(session, "sfz-001", "王科长")
        assert (qa.status, qa.reviewed_by, qa.version) == ("approved", "王科长", 1)
        assert qa.reviewed_at is not None
        assert knowledge.pause(session, "sfz-001", "王科长").reviewed_by == "王科长"
        knowledge.ask(session, knowledge.RESUME, "sfz-001", "王科长")
        assert knowledge.confirm(session, "sfz-001", "李科长").status == "approved"
        knowledge.ask(session, knowledge.RETIRE, "sfz-001", "王科长", replaced_by="sfz-002")
        qa = knowledge.confirm(session, "sfz-001", "李科长")
        assert (qa.status, qa.replaced_by) == ("retired", "sfz-002")
        knowledge.restore(session, "sfz-001", 1, "王科长")
        qa = knowledge.approve(session, "sfz-001", "李科长")
        assert (qa.status, qa.replaced_by, qa.reviewed_by, qa.version) == ("approved", None, "李科长", 2)
        assert qa.revision == knowledge.revision(session) == 6
    with database.read() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
        assert [(entry.actor, entry.action) for entry in entries] == [
            ("王科长", "qa.approved"),
            ("王科长", "qa.paused"),
            ("王科长", "qa.ask_resume"),
            ("李科长", "qa.resumed"),
            ("王科长", "qa.ask_retire"),
            ("李科长", "qa.retired"),
            ("王科长", "qa.restore"),
            ("李科长", "qa.approved"),
        ]
        assert entries[5].detail["asked_by"] == "王科长"


def test_a_newer_review_comes_with_its_text_and_an_older_one_does_not(sqlite_db: Settings) -> None:
    then = datetime(2026, 1, 2, tzinfo=UTC)
    with database.write() as session:
        knowledge.upsert_qa(session, a_qa(status="approved", reviewed_by="甲", reviewed_at=then))
        older = {"status": "retired", "reviewed_by": "乙", "reviewed_at": then - timedelta(days=1)}
        assert not knowledge.upsert_qa(session, a_qa(**older))
        assert session.get_one(QA, "sfz-001").status == "approved"
        newer = {"status": "approved", "reviewed_by": "乙", "reviewed_at": then + timedelta(days=1)}
        assert knowledge.upsert_qa(session, a_qa(answer="新答案", **newer))
        qa = session.get_one(QA, "sfz-001")
        assert (qa.status, qa.answer, qa.reviewed_by) == ("approved", "新答案", "乙")


@pytest.mark.parametrize(
    ("fields", "development", "production"),
    [
        ({"status": "approved"}, Standing.CURRENT, Standing.CURRENT),
        ({"status": "draft"}, Standing.UNDER_REVIEW, Standing.NOT_APPROVED),
        ({"status": "paused"}, Standing.PAUSED, Standing.PAUSED),
        ({"status": "retired"}, Standing.RETIRED, Standing.RETIRED),
        ({"status": "something"}, Standing.UNDER_REVIEW, Standing.NOT_APPROVED),
        ({"status": "approved", "valid_to": TODAY}, Standing.CURRENT, Standing.CURRENT),
        ({"status": "approved", "valid_to": TODAY - timedelta(1)}, Standing.EXPIRED, Standing.EXPIRED),
        ({"status": "approved", "valid_from": TODAY}, Standing.CURRENT, Standing.CURRENT),
        ({"status": "approved", "valid_from": TODAY + timedelta(1)}, Standing.NOT_YET, Standing.NOT_YET),
        ({"status": "draft", "valid_to": TODAY - timedelta(1)}, Standing.EXPIRED, Standing.NOT_APPROVED),
        ({"status": "paused", "valid_to": TODAY - timedelta(1)}, Standing.PAUSED, Standing.PAUSED),
        ({"status": "retired", "valid_to": TODAY - timedelta(1)}, Standing.RETIRED, Standing.RETIRED),
    ],
)
def test_standing(fields: dict[str, Any], development: Standing, production: Standing) -> None:
    qa = a_qa(**fields)
    assert knowledge.answerable(qa, today=TODAY, production=False) is development
    assert knowledge.answerable(qa, today=TODAY, production=True) is production
    assert production.answers == (production is Standing.CURRENT)


def test_pausing_works_at_once_even_in_a_session_that_knew_the_item(db: Settings) -> None:
    with database.write() as session:
        knowledge.upsert_qa(session, a_qa(status="approved"))
    with database.read() as reader:
        first = knowledge.get_many(reader, ["sfz-001"])["sfz-001"]
        assert knowledge.answerable(first, today=TODAY, production=True) is Standing.CURRENT
        reader.rollback()
        with database.write() as session:
            knowledge.pause(session, "sfz-001", "甲")
        again = knowledge.get_many(reader, ["sfz-001"])["sfz-001"]
        assert knowledge.answerable(again, today=TODAY, production=True) is Standing.PAUSED


def test_get_many_gives_what_exists_in_the_order_asked(sqlite_db: Settings) -> None:
    with database.write() as session:
        knowledge.upsert(session, [a_qa("a"), a_qa("b"), a_qa("c")])
    with database.read() as session:
        assert list(knowledge.get_many(session, ["c", "x", "a", "c"])) == ["c", "a"]
        assert knowledge.get_many(session, []) == {}


def test_an_answer_is_expanded_in_three_queries(db: Settings) -> None:
    sources = [
        {"document": "fa", "clause": "第十二条"},
        {"document": "lost", "clause": None},
        {"document": "fa", "clause": "第二条"},
    ]
    with database.write() as session:
        knowledge.upsert(
            session, [a_document(doc_no="主席令第四号", issuer="全国人大常委会", url="https://flk.npc.gov.cn")]
        )
        knowledge.upsert(session, [a_guide(fee="40元", phone="12345")])
        others = [
            a_qa("next", question="多久能拿到？", status="approved"),
            a_qa("paused", status="paused"),
            a_qa("old", status="approved", valid_to=TODAY - timedelta(1)),
            a_qa("raw"),
        ]
        main = a_qa(sources=sources, guides=["buling", "lost"], related=["raw", "old", "next", "paused", "lost"])
        knowledge.upsert(session, [main, *others])
    statements: list[str] = []
    with database.read() as session:
        qa = session.get_one(QA, "sfz-001")
        listen = (database.get_engine(), "before_cursor_execute", lambda *args: statements.append(args[2]))
        event.listen(*listen)
        found = knowledge.expand(session, qa, today=TODAY, production=True)
        event.remove(*listen)
        drafts_too = knowledge.expand(session, qa, today=TODAY, production=False)[2]
    assert len(statements) == 3
    assert [(source.title, source.doc_no, source.clause) for source in found[0]] == [
        ("居民身份证法", "主席令第四号", "第十二条"),
        ("居民身份证法", "主席令第四号", "第二条"),
    ]
    assert [(guide.title, guide.materials, guide.fee, guide.phone) for guide in found[1]] == [
        ("补领", ["户口簿"], "40元", "12345")
    ]
    assert [(related.qa_id, related.question) for related in found[2]] == [("next", "多久能拿到？")]
    assert [related.qa_id for related in drafts_too] == ["raw", "next"]


def test_an_item_without_references_needs_no_query(sqlite_db: Settings) -> None:
    with database.write() as session:
        knowledge.upsert_qa(session, a_qa())
    with database.read() as session:
        assert knowledge.expand(session, session.get_one(QA, "sfz-001")) == ([], [], [])
