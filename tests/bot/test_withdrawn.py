"""A version withdrawn as wrong never answers again: not by itself, not restored, not published anew in other punctuation."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from bot import database, knowledge, sms
from bot.clock import utcnow
from bot.desk import takeover
from bot.errors import IllegalMove, InvalidInput, NotFound
from bot.models.housekeeping import AuditEntry
from bot.models.knowledge import QA
from bot.models.versions import QARequest, QAVersion
from bot.replies import TextReply
from bot.settings import Settings
from tests.bot.test_desk import do, opened, staff
from tests.bot.test_knowledge import a_qa
from tests.bot.test_versions_of_knowledge import NOON, TODAY, approved, changed, published, said


def withdraw(number: int | None = None, why: str = "年限写错了", by: str = "班长") -> None:
    with database.write() as session:
        knowledge.withdraw(session, "sfz-001", by, why, number=number, now=NOON)


def test_one_person_withdraws_and_it_is_silent_at_once(db: Settings) -> None:
    published(answer="旧的答案是十年")
    changed(answer="新的答案是二十年")
    approved()
    with database.write() as session, pytest.raises(InvalidInput, match="为什么作废"):
        knowledge.withdraw(session, "sfz-001", "班长", "  ", now=NOON)
    with database.write() as session, pytest.raises(NotFound, match="第 9 版"):
        knowledge.withdraw(session, "sfz-001", "班长", "错", number=9, now=NOON)
    withdraw()
    assert said() is None
    with database.read() as session:
        assert knowledge.withdrawn(session, "sfz-001") == {2}
        new, old = knowledge.versions(session, "sfz-001")
        assert (new.withdrawn_by, new.withdrawn_why, new.withdrawn_at) == ("班长", "年限写错了", NOON)
        assert old.withdrawn_at is None and session.get_one(QA, "sfz-001").status == "paused"
        qa = session.get_one(QA, "sfz-001")
        assert [knowledge.version_state(one, qa, TODAY) for one in (new, old)] == ["withdrawn", "earlier"]
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "qa.withdrawn")).one()
        assert (entry.actor, entry.detail["version"]) == ("班长", [2])
    with database.write() as session, pytest.raises(IllegalMove, match="已经作废"):
        knowledge.withdraw(session, "sfz-001", "班长", "错", now=NOON)


def test_there_is_no_way_back_but_a_new_answer(sqlite_db: Settings) -> None:
    published(answer="旧的答案，十年")
    changed(answer="新的答案，二十年")
    approved()
    with database.write() as session:
        knowledge.pause(session, "sfz-001", "班长", now=NOON)
        knowledge.ask(session, knowledge.RESUME, "sfz-001", "班长", now=NOON)
    withdraw()
    with database.write() as session:
        assert session.get(QARequest, "sfz-001") is None, "what would have had it answer again is moot"
        with pytest.raises(IllegalMove, match="作废"):
            knowledge.ask(session, knowledge.RESUME, "sfz-001", "班长", now=NOON)
        with pytest.raises(IllegalMove, match="作废"):
            knowledge.confirm_sources(session, "sfz-001", "王审核", now=NOON)
        with pytest.raises(IllegalMove, match="作废"):
            knowledge.restore(session, "sfz-001", 2, "张编辑", now=NOON)
    changed(answer=" 新的 答案：二十年。")
    with database.write() as session, pytest.raises(IllegalMove, match="第 2 版就是这个答案"):
        knowledge.approve(session, "sfz-001", "王审核", now=NOON)
    with database.write() as session:
        knowledge.discard(session, "sfz-001", "张编辑", now=NOON)
        knowledge.restore(session, "sfz-001", 1, "张编辑", now=NOON)
    approved()
    assert said() == "旧的答案，十年"
    changed(answer="新的答案，二十五年")
    approved()
    assert said() == "新的答案，二十五年"


def test_a_file_with_a_review_brings_nothing_withdrawn_back(sqlite_db: Settings) -> None:
    published(answer="错的答案")
    withdraw()
    later = utcnow() + timedelta(days=1)
    for answer in ("错的答案", "错的答案。"):
        with database.write() as session:
            item = a_qa(answer=answer, status="approved", reviewed_by="李", reviewed_at=later)
            knowledge.upsert(session, [item])
        assert said() is None
    with database.write() as session:
        right = a_qa(answer="对的答案", status="approved", reviewed_by="李", reviewed_at=later)
        knowledge.upsert(session, [right])
    assert said(later.date()) == "对的答案"


def test_what_is_to_come_and_says_the_same_does_not_come(db: Settings) -> None:
    published(answer="一")
    for days, answer in ((3, "二"), (5, "三")):
        changed(answer=answer, valid_from=TODAY + timedelta(days))
        approved()
    withdraw(2)
    assert (said(), said(TODAY + timedelta(3)), said(TODAY + timedelta(5))) == ("一", "一", "三")
    with database.read() as session:
        assert [one.called_off for one in knowledge.versions(session, "sfz-001")] == [False, True, False]
    changed(answer="一", condition="换一个说法")  # the same answer under another number
    approved()
    withdraw(1)
    assert said() is None
    with database.read() as session:
        assert knowledge.withdrawn(session, "sfz-001") == {1, 2, 4}


def test_an_earlier_version_is_withdrawn_and_the_present_one_answers_on(sqlite_db: Settings) -> None:
    published(answer="一")
    changed(answer="二")
    approved()
    withdraw(1)
    assert said() == "二"
    with database.write() as session:
        assert not knowledge.held(session, "sfz-001").wrong
        knowledge.pause(session, "sfz-001", "班长", now=NOON)
        knowledge.ask(session, knowledge.RESUME, "sfz-001", "班长", now=NOON)
        knowledge.confirm(session, "sfz-001", "王审核", now=NOON)
    assert said() == "二"


def test_a_draft_has_no_version_to_withdraw(sqlite_db: Settings) -> None:
    with database.write() as session:
        knowledge.upsert(session, [a_qa()])
        with pytest.raises(IllegalMove, match="还没有发布过"):
            knowledge.withdraw(session, "sfz-001", "班长", "错", now=NOON)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("每月 200 元。", "每月200元", True),
        ("（一）先登记；（二）再领取", "一、先登记 二、再领取", True),
        ("每月 3.5 元", "每月 35 元", False),
        ("办 3-5 天", "办 35 天", False),
        ("１,０００ 元", "1000元", True),
        ("缴 50%", "缴 50", False),
        ("满 2 年", "满 3 年", False),
        ("可以", "不可以", False),
    ],
)
def test_when_two_answers_say_the_same(one: str, other: str, same: bool) -> None:
    assert (knowledge.sense(one) == knowledge.sense(other)) == same


def test_nobody_passes_it_on_from_a_page_that_still_shows_it(sqlite_db: Settings) -> None:
    staff("wang")
    published(answer="错的答案是整整十年")
    one = opened()
    do(takeover.take_over, one, "wang", sqlite_db)
    with database.write() as session:
        said = takeover.speak(session, one, "wang", [TextReply(text="您好，错的答案，是整整十年。")], qa_id="sfz-001")
        assert said.qa_version == 1
    withdraw()
    with database.write() as session:
        for reply in ("错的答案是整整十年。", "您好：错的答案是整整十年！"):
            with pytest.raises(IllegalMove, match="作废"):
                takeover.speak(session, one, "wang", [TextReply(text=reply)], qa_id="sfz-001")
        takeover.speak(session, one, "wang", [TextReply(text="刚才说错了，是二十年。")], qa_id="sfz-001")
    by_sms = sqlite_db.model_copy(update={"sms_url": "http://127.0.0.1:1/"})
    with database.write() as session, pytest.raises(IllegalMove, match="作废"):
        sms.put(session, "13800138000", "错的答案是整整十年", "wang", by_sms, id="a" * 32, qa_id="sfz-001")


def test_which_version_was_given_is_told_by_the_words_and_by_the_time(sqlite_db: Settings) -> None:
    published(answer="旧的答案")
    changed(answer="新的答案")
    approved()
    with database.read() as session:
        for words, number in (("旧的答案。", 1), ("新的答案", 2), ("我自己说", 2), (None, 2)):
            assert knowledge.given(session, "sfz-001", words) == number
        assert knowledge.given(session, "nothing") is None
        history = knowledge.versions(session, "sfz-001")
    first, second = NOON - timedelta(days=20), NOON - timedelta(days=10)
    with database.write() as session:
        for number, at in ((1, first), (2, second)):
            version = session.get_one(QAVersion, ("sfz-001", number))
            version.published_at, version.starts = at, at.date()
        history = knowledge.versions(session, "sfz-001")
        session.expunge_all()
    for at, number in ((first - timedelta(1), None), (first, 1), (second - timedelta(seconds=1), 1), (second, 2)):
        assert knowledge.in_force_at(history, at) == number
    coming = history[0]
    coming.starts = (second + timedelta(days=5)).date()
    assert knowledge.in_force_at(history, second + timedelta(days=4)) == 1
    coming.called_off = True
    assert knowledge.in_force_at(history, NOON) == 1
