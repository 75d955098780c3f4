"""Looking again: what a changed document, a day or a dead link puts on the list, what is answered meanwhile, and settling."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from processes import forget
from sqlalchemy import select

from bot import database, knowledge, policy_changes, reviews
from bot.clock import SHANGHAI, utcnow
from bot.errors import Forbidden, IllegalMove, InvalidInput, NotFound
from bot.knowledge import Standing
from bot.models.housekeeping import AuditEntry, Event
from bot.models.knowledge import QA, Document, ServiceGuide
from bot.models.reviews import DocumentChange, Review
from bot.settings import Settings

TODAY = utcnow().astimezone(SHANGHAI).date()
DAY = timedelta(days=1)


def qa(id_: str, **more: Any) -> QA:
    fields: dict[str, Any] = {
        "matter": "高龄津贴",
        "question": f"{id_}怎么办？",
        "answer": "这样办。",
        "similar": [],
        "sources": [{"document": "old", "clause": "第三条"}],
        "guides": [],
        "related": [],
        "themes": [],
        "report": [],
        "audience": "个人",
        "region": "100000",
        "department": "民政局",
        "status": "approved",
        "reviewed_by": "王审核",
        "reviewed_at": utcnow(),
        "revision": 0,
    }
    return QA(id=id_, **(fields | more))


def document(id_: str, **more: Any) -> Document:
    return Document(**({"id": id_, "title": f"{id_}办法", "region": "100000", "status": "有效"} | more))


def guide(id_: str) -> ServiceGuide:
    return ServiceGuide(
        id=id_, title=f"{id_}指南", department="街道", region="100000", materials=[], steps=[], channels=[]
    )


@pytest.fixture
def filled(db: Settings) -> Settings:
    """Two items that rest on one document, one that does not, a retired one, a guide; and a document to come in its place."""
    with database.write() as session:
        knowledge.upsert(session, [document("old"), document("other"), document("new", effective=TODAY + 10 * DAY)])
        knowledge.upsert(session, [guide("sl")])
        knowledge.upsert(
            session,
            [
                qa("a", guides=["sl"]),
                qa("b", department="人社局", sources=[{"document": "other"}, {"document": "old"}]),
                qa("c", sources=[{"document": "other", "clause": "第一条"}]),
                qa("gone", status="retired"),
            ],
        )
    return db


@pytest.fixture
def stopping(filled: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("YIHAODA_STOP_REPEALED", "true")
    forget()
    return filled


def listed(**given: Any) -> list[tuple[str, str, str]]:
    with database.read() as session:
        return [(one.review.kind, one.review.item, one.review.why) for one in reviews.waiting(session, **given)]


def standing(id_: str, day: date = TODAY) -> Standing:
    with database.read() as session:
        return knowledge.answerable(session.get_one(QA, id_), today=day, production=True)


def repeal(on: date = TODAY, by: str = "bj01") -> None:
    with database.write() as session:
        reviews.change(session, "old", "repealed", on, by, "市政府第5号公告废止")


def test_what_rests_on_a_repealed_document_is_listed_and_nothing_else(filled: Settings) -> None:
    before = {id_: standing(id_) for id_ in "abc"}
    repeal()
    assert sorted(listed()) == [("guide", "sl", "repealed"), ("qa", "a", "repealed"), ("qa", "b", "repealed")]
    assert {id_: standing(id_) for id_ in "abc"} == before, "without the setting everything goes on answering"
    with database.read() as session:
        old = session.get_one(Document, "old")
        assert old.status == "已废止"
        row = session.get_one(QA, "a")
        assert (row.status, row.reviewed_by) == ("approved", "王审核"), "the live item is untouched"
        assert policy_changes.under_review(session, row, TODAY) == ("old办法", "repealed", TODAY)
        assert all("注明依据已变" in one.meanwhile for one in reviews.waiting(session) if one.review.kind == "qa")
        (entry,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "document.repealed"))
        assert (entry.actor, entry.subject) == ("bj01", "old")
        told = session.scalars(select(Event).where(Event.kind == "review")).all()
        assert {one.about["department"] for one in told} == {"民政局", "人社局", "街道"}


def test_a_repealed_document_stops_its_answers_on_the_day_of_effect_and_not_before(stopping: Settings) -> None:
    on = TODAY + 5 * DAY
    repeal(on)
    assert standing("a") is Standing.CURRENT
    assert standing("a", on - DAY) is Standing.CURRENT
    assert standing("a", on) is Standing.BASIS_GONE
    assert standing("c", on) is Standing.CURRENT
    with database.read() as session:
        assert session.get_one(Document, "old").status == "有效", "until its day"
        (one,) = [one for one in reviews.waiting(session) if one.review.item == "a"]
        assert f"照常作答到 {on} 前一天" in one.meanwhile
        assert policy_changes.under_review(session, session.get_one(QA, "a"), TODAY) is None
    with database.write() as session:
        reviews.daily(session, on - DAY)
    with database.read() as session:
        assert session.get_one(Document, "old").status == "有效"
    with database.write() as session:
        assert reviews.daily(session, on).applied == 1
    with database.read() as session:
        assert session.get_one(Document, "old").status == "已废止"


def test_settling_has_it_answer_again_and_takes_an_approver(stopping: Settings) -> None:
    repeal()
    assert standing("a") is Standing.BASIS_GONE
    with database.read() as session:
        (id_,) = session.scalars(select(Review.id).where(Review.item == "a"))
    with database.write() as session:
        with pytest.raises(InvalidInput):
            reviews.settle(session, id_, "sh01", "好", roles=["approver"])
        with pytest.raises(Forbidden):
            reviews.settle(session, id_, "bj01", "内容仍然对", roles=["editor", "supervisor"])
        with pytest.raises(NotFound):
            reviews.settle(session, 999, "sh01", "内容仍然对", roles=["approver"])
    assert standing("a") is Standing.BASIS_GONE
    with database.write() as session:
        reviews.settle(session, id_, "sh01", "内容仍然对，新文件同样规定", roles=["approver"])
    assert standing("a") is Standing.CURRENT
    assert standing("b") is Standing.BASIS_GONE
    with database.write() as session:
        with pytest.raises(IllegalMove):
            reviews.settle(session, id_, "sh02", "再来一次", roles=["approver"])
        reviews.daily(session, TODAY)
        assert ("qa", "a", "repealed") not in listed(), "what a person settled does not come back"
    assert standing("a") is Standing.CURRENT


def test_an_item_that_is_moved_to_another_document_answers_and_is_settled(stopping: Settings) -> None:
    repeal()
    with database.write() as session:
        knowledge.upsert(session, [qa("b", department="人社局", sources=[{"document": "other"}])])
    with database.read() as session:
        assert session.get_one(QA, "b").stops_on is None
    with database.write() as session:
        reviews.daily(session, TODAY)
    assert ("qa", "b", "repealed") not in listed()
    assert ("qa", "b", "repealed") in listed(settled=True)


def test_switching_the_setting_off_and_on_is_followed_by_the_next_day(
    stopping: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    repeal()
    for value, expected in (("false", Standing.CURRENT), ("true", Standing.BASIS_GONE)):
        monkeypatch.setenv("YIHAODA_STOP_REPEALED", value)
        forget()
        with database.write() as session:
            reviews.daily(session, TODAY)
        assert standing("a") is expected


def test_a_document_that_an_import_repeals_or_replaces_is_noticed(stopping: Settings) -> None:
    with database.write() as session:
        knowledge.upsert(session, [document("old", replaced_by="new")])
    assert ("qa", "a", "replaced") in listed()
    assert standing("a") is Standing.CURRENT, "the one in its place is not in force yet"
    assert standing("a", TODAY + 10 * DAY) is Standing.BASIS_GONE
    with database.write() as session:
        knowledge.upsert(session, [document("old")])
    assert listed() == []
    assert standing("a", TODAY + 10 * DAY) is Standing.CURRENT


def test_an_import_that_is_rolled_back_lists_nothing(filled: Settings) -> None:
    with database.write() as session:
        savepoint = session.begin_nested()
        knowledge.upsert(session, [document("old", status="已废止")])
        savepoint.rollback()
    assert listed() == []


def test_a_text_that_reads_otherwise_is_an_amendment_and_one_cut_otherwise_is_none(filled: Settings) -> None:
    def text(*pieces: str) -> None:
        with database.write() as session:
            knowledge.set_passages(session, "old", [("第一条", piece) for piece in pieces])

    text("每月60元。", "每年一次。")
    assert listed() == [], "the first text changes nothing"
    text("每月60元。\n每年一次。")
    assert listed() == []
    text("每月80元。\n每年一次。")
    assert ("qa", "a", "amended") in listed()
    assert standing("a") is Standing.CURRENT


def test_a_mistake_is_taken_back(stopping: Settings) -> None:
    repeal()
    with database.write() as session:
        reviews.undo(session, "old", "bj01", "看错了公告")
    assert listed() == [] and standing("a") is Standing.CURRENT
    with database.read() as session:
        assert session.get_one(Document, "old").status == "有效"
        assert reviews.changes_of(session, "old") == []
    repeal()
    assert standing("a") is Standing.BASIS_GONE


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"document_id": "none"}, NotFound),
        ({"what": "burnt"}, InvalidInput),
        ({"note": "x"}, InvalidInput),
        ({"what": "replaced"}, InvalidInput),
        ({"replaced_by": "new"}, InvalidInput),
        ({"what": "replaced", "replaced_by": "none"}, InvalidInput),
        ({"what": "replaced", "replaced_by": "old"}, InvalidInput),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(filled: Settings, given: dict[str, Any], error: type) -> None:
    asked: dict[str, Any] = {"document_id": "old", "what": "repealed", "effective": TODAY, "by": "bj01"}
    with database.write() as session, pytest.raises(error):
        reviews.change(session, **(asked | {"note": "第5号公告"} | given))
    assert listed() == []


def test_the_same_change_twice_is_refused(filled: Settings) -> None:
    repeal()
    with pytest.raises(IllegalMove):
        repeal()
    with database.read() as session:
        assert len(session.scalars(select(DocumentChange)).all()) == 1


def test_what_expires_and_what_is_overdue_is_listed_and_goes_when_the_date_moves(filled: Settings) -> None:
    with database.write() as session:
        knowledge.upsert(
            session,
            [
                qa("soon", valid_to=TODAY + 30 * DAY),
                qa("later", valid_to=TODAY + 31 * DAY),
                qa("past", valid_to=TODAY - DAY),
                qa("due", review_by=TODAY - DAY),
                qa("today", review_by=TODAY, valid_to=TODAY),
                qa("paused", valid_to=TODAY - DAY, status="paused"),
            ],
        )
        day = reviews.daily(session, TODAY)
    assert (day.listed, day.settled) == (4, 0)
    assert sorted(listed()) == [
        ("qa", "due", "overdue"),
        ("qa", "past", "expired"),
        ("qa", "soon", "expiring"),
        ("qa", "today", "expiring"),
    ]
    assert listed(why="overdue") == [("qa", "due", "overdue")]
    with database.write() as session:
        assert reviews.daily(session, TODAY).listed == 0, "each once"
        (id_,) = session.scalars(select(Review.id).where(Review.item == "due"))
        reviews.settle(session, id_, "bj01", "核过了，数字没变", roles=["editor"])
        session.get_one(QA, "past").valid_to = TODAY + 400 * DAY
        assert reviews.daily(session, TODAY).settled == 1
    assert sorted(listed()) == [("qa", "soon", "expiring"), ("qa", "today", "expiring")]
    with database.write() as session:
        assert reviews.daily(session, TODAY + DAY).settled == 1, "expired replaces expiring"
    assert ("qa", "today", "expired") in listed() and ("qa", "today", "expiring") not in listed()


def test_the_list_by_department_pages_and_counts(filled: Settings) -> None:
    repeal()
    with database.read() as session:
        assert reviews.counts(session) == {"repealed": 3}
        assert reviews.counts(session, department="人社局") == {"repealed": 1}
        assert reviews.departments(session) == ["人社局", "民政局", "街道"]
        pages = [reviews.waiting(session, offset=n, limit=1)[0].review.id for n in range(3)]
        assert len(set(pages)) == 3
    assert listed(department="人社局") == [("qa", "b", "repealed")]


def test_a_document_that_came_repealed_is_found_by_the_daily_look(stopping: Settings) -> None:
    with database.write() as session:
        knowledge.upsert(session, [document("dead", status="已废止")])
        knowledge.upsert(session, [qa("late", sources=[{"document": "dead", "clause": None}])])
    assert standing("late") is Standing.CURRENT
    with database.write() as session:
        reviews.daily(session, TODAY)
    assert ("qa", "late", "repealed") in listed() and standing("late") is Standing.BASIS_GONE
    with database.write() as session:
        knowledge.upsert(session, [qa("later", sources=[{"document": "dead", "clause": None}])])
        reviews.daily(session, TODAY)
    assert ("qa", "later", "repealed") in listed(), "an item that came to rest on it since is found too"


def test_dead_links_are_listed_and_settled_when_they_work_again(filled: Settings) -> None:
    url = "https://example.gov.cn/gone"
    with database.write() as session:
        session.get_one(ServiceGuide, "sl").url = url
        session.get_one(Document, "old").url = url
        session.flush()
        assert reviews.list_dead(session, {url: "404"}, []) == 2
        assert reviews.list_dead(session, {url: "404"}, []) == 0
    assert sorted(listed()) == [("document", "old", "dead_link"), ("guide", "sl", "dead_link")]
    with database.write() as session:
        reviews.list_dead(session, {}, [url])
    assert listed() == []


def test_a_midnight_in_shanghai_is_the_day_of_effect(stopping: Settings) -> None:
    repeal(date(2099, 1, 1))
    last = datetime(2098, 12, 31, 23, 59, 59, tzinfo=SHANGHAI)
    assert standing("a", last.date()) is Standing.CURRENT
    assert standing("a", (last + timedelta(seconds=1)).date()) is Standing.BASIS_GONE
