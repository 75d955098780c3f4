"""A published item says what it says until somebody else approves a change: moves in any order, days, two people, races."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import func, select

from bot import database, knowledge
from bot.accounts import people
from bot.clock import SHANGHAI
from bot.errors import Forbidden, IllegalMove, InvalidInput, NotFound, YihaodaError
from bot.knowledge import Outdated, Standing
from bot.models.housekeeping import AuditEntry, Event
from bot.models.knowledge import QA
from bot.models.versions import QARequest, QAVersion, WorkingCopy
from bot.settings import Settings
from index.knowledge_files.importing import import_bundle
from index.knowledge_files.reading import read
from tests.bot.test_knowledge import a_document, a_guide, a_qa

NOON = datetime(2026, 11, 30, 12, tzinfo=SHANGHAI)
TODAY = NOON.date()
_numbers = itertools.count()


def published(id_: str = "sfz-001", **fields: Any) -> None:
    with database.write() as session:
        knowledge.upsert(session, [a_qa(id_, **fields)])
        knowledge.approve(session, id_, "王审核", now=NOON)


def changed(id_: str = "sfz-001", by: str = "张编辑", now: datetime = NOON, **fields: Any) -> None:
    """An editor's change, submitted."""
    with database.write() as session:
        knowledge.edit(session, id_, fields, by, now=now)
        knowledge.submit(session, id_, by, now=now)


def approved(id_: str = "sfz-001", by: str = "王审核", now: datetime = NOON) -> None:
    with database.write() as session:
        knowledge.approve(session, id_, by, now=now)


def said(day: date = TODAY, id_: str = "sfz-001") -> str | None:
    """What citizens are answered with on a day; None: nothing."""
    with database.read() as session:
        qa = knowledge.get(session, id_, day)
        assert qa is not None
        return qa.answer if knowledge.answerable(qa, today=day, production=True).answers else None


# --- live version and working copy -----------------------------------------------------------------------------------


def test_an_edit_silences_nothing_and_answers_once_another_person_has_approved(db: Settings) -> None:
    published(answer="旧")
    with database.read() as session:
        revision = knowledge.revision(session)
    with database.write() as session:
        knowledge.edit(session, "sfz-001", {"answer": " 新 "}, "张编辑", why="数字变了", now=NOON)
    assert said() == "旧"
    with database.read() as session:
        assert knowledge.revision(session) == revision, "what is answered has not changed"
        one = knowledge.held(session, "sfz-001")
        assert one.copy is not None and one.copy.content is not None
        assert (one.copy.content["answer"], one.copy.base, one.copy.authors) == ("新", 1, ["张编辑"])
    with database.write() as session, pytest.raises(IllegalMove, match="修改中"):
        knowledge.approve(session, "sfz-001", "王审核", now=NOON)
    with database.write() as session:
        knowledge.submit(session, "sfz-001", "张编辑", now=NOON)
    with database.write() as session, pytest.raises(Forbidden, match="自己"):
        knowledge.approve(session, "sfz-001", "张编辑", now=NOON)
    approved()
    assert said() == "新"
    with database.read() as session:
        assert session.get(WorkingCopy, "sfz-001") is None
        new, old = knowledge.versions(session, "sfz-001")
        assert (new.number, new.authors, new.approved_by, new.why) == (2, ["张编辑"], "王审核", "数字变了")
        assert (old.number, old.content["answer"], old.authors) == (1, "旧", [])
        assert knowledge.revision(session) == revision + 1
        told = session.scalars(select(Event).where(Event.kind == "knowledge", Event.subject == "sfz-001")).all()
        assert len(told) == 4


def test_everybody_who_changed_it_is_its_author(db: Settings) -> None:
    published()
    with database.write() as session:
        knowledge.edit(session, "sfz-001", {"answer": "一"}, "张编辑", now=NOON)
        knowledge.edit(session, "sfz-001", {"condition": "二"}, "赵编辑", now=NOON)
        knowledge.submit(session, "sfz-001", "张编辑", now=NOON)
        for author in ("张编辑", "赵编辑"):
            with pytest.raises(Forbidden):
                knowledge.approve(session, "sfz-001", author, now=NOON)
        knowledge.approve(session, "sfz-001", "王审核", now=NOON)


def test_what_was_returned_says_why_and_is_submitted_again(sqlite_db: Settings) -> None:
    published()
    changed(answer="新")
    with database.write() as session:
        with pytest.raises(InvalidInput):
            knowledge.return_(session, "sfz-001", "王审核", " ", now=NOON)
        knowledge.return_(session, "sfz-001", "王审核", "缺依据", now=NOON)
        with pytest.raises(IllegalMove, match="已退回"):
            knowledge.approve(session, "sfz-001", "王审核", now=NOON)
        copy = session.get_one(WorkingCopy, "sfz-001")
        assert (copy.state, copy.reason) == ("returned", "缺依据")
        knowledge.edit(session, "sfz-001", {"answer": "更新"}, "张编辑", now=NOON)
        assert (copy.state, copy.reason) == ("editing", "缺依据"), "while it is written, the reason stays in sight"
        knowledge.submit(session, "sfz-001", "张编辑", now=NOON)
        assert (copy.state, copy.reason) == ("submitted", None)
    approved()
    assert said() == "更新"


def test_a_change_is_discarded_and_an_earlier_version_restored(db: Settings) -> None:
    published(answer="一")
    changed(answer="二")
    approved()
    changed(answer="三")
    with database.write() as session:
        with pytest.raises(IllegalMove, match="待审核"):
            knowledge.restore(session, "sfz-001", 1, "张编辑", now=NOON)
        knowledge.discard(session, "sfz-001", "张编辑", now=NOON)
        with pytest.raises(IllegalMove, match="没有改动"):
            knowledge.discard(session, "sfz-001", "张编辑", now=NOON)
        with pytest.raises(NotFound, match="第 9 版"):
            knowledge.restore(session, "sfz-001", 9, "张编辑", now=NOON)
        knowledge.restore(session, "sfz-001", 1, "张编辑", now=NOON)
    assert said() == "二"
    with database.write() as session, pytest.raises(Forbidden):
        knowledge.approve(session, "sfz-001", "张编辑", now=NOON)
    approved()
    assert said() == "一"
    with database.read() as session:
        assert [(one.number, one.why) for one in knowledge.versions(session, "sfz-001")] == [
            (3, "恢复第 1 版"),
            (2, None),
            (1, None),
        ]


def test_what_was_never_published_is_changed_in_place_and_still_has_authors(db: Settings) -> None:
    with database.write() as session:
        qa = knowledge.create(session, {"question": "问？", "answer": "答。", "region": "100000"}, "张编辑", now=NOON)
        id_ = qa.id
        assert (qa.status, qa.matter, qa.audience, qa.similar) == ("draft", knowledge.OTHER, "个人和企业", [])
        knowledge.edit(session, id_, {"answer": "改。"}, "赵编辑", now=NOON)
        assert qa.answer == "改。" and session.get_one(WorkingCopy, id_).content is None
        with pytest.raises(IllegalMove, match="还没有发布过"):
            knowledge.discard(session, id_, "张编辑", now=NOON)
        knowledge.submit(session, id_, "赵编辑", now=NOON)
        with pytest.raises(Forbidden):
            knowledge.approve(session, id_, "张编辑", now=NOON)
    approved(id_)
    assert said(id_=id_) == "改。"


def test_contents_are_checked(sqlite_db: Settings) -> None:
    published()
    with database.write() as session:
        knowledge.upsert_document(session, a_document())
        knowledge.upsert_guide(session, a_guide())
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"answer": "  "}, "答案不能为空"),
            ({"status": "approved"}, "没有这样的内容"),
            ({"audience": "大家"}, "适用对象"),
            ({"region": "999999"}, "999999"),
            ({"valid_from": date(2026, 2, 1), "valid_to": date(2026, 1, 1)}, "早于生效日期"),
            ({"stakes": "high"}, "先看什么情况"),
            ({"sources": [{"document": "lost"}]}, "依据的文件不存在：lost"),
            ({"guides": ["lost"]}, "办事指南不存在：lost"),
        ]
        for fields, match in wrong:
            with pytest.raises(InvalidInput, match=match):
                knowledge.edit(session, "sfz-001", fields, "张编辑", now=NOON)
        assert session.get(WorkingCopy, "sfz-001") is None
        right = {
            "sources": [{"document": "fa", "clause": "第三条"}],
            "guides": ["buling"],
            "valid_to": date(2027, 1, 1),
        }
        knowledge.edit(session, "sfz-001", right, "张编辑", now=NOON)
    with database.write() as session:
        knowledge.submit(session, "sfz-001", "张编辑", now=NOON)
    approved()
    with database.read() as session:
        qa = session.get_one(QA, "sfz-001")
        assert (qa.guides, qa.valid_to) == (["buling"], date(2027, 1, 1))


# --- days ------------------------------------------------------------------------------------------------------------

EVE, NEW_YEAR = date(2026, 12, 31), date(2027, 1, 1)


def test_two_versions_with_adjoining_dates_answer_each_on_their_day(db: Settings) -> None:
    published(answer="旧标准", valid_to=EVE)
    changed(answer="新标准", valid_from=NEW_YEAR, valid_to=None)
    approved()
    assert [said(day) for day in (TODAY, EVE, NEW_YEAR)] == ["旧标准", "旧标准", "新标准"]
    with database.read() as session:
        assert [one.number for one in knowledge.coming(session)["sfz-001"]] == [2]
        assert {qa.answer for qa in knowledge.all_qas(session, NEW_YEAR)} == {"新标准"}
        related = knowledge.expand(session, a_qa("other", related=["sfz-001"]), today=EVE, production=True)[2]
        assert [one.qa_id for one in related] == ["sfz-001"]
    with database.write() as session:
        assert knowledge.bring_in(session, EVE) == []
        assert knowledge.bring_in(session, NEW_YEAR) == ["sfz-001"]
        assert knowledge.bring_in(session, NEW_YEAR) == []
    assert said(NEW_YEAR) == "新标准"
    with database.read() as session:
        qa = session.get_one(QA, "sfz-001")
        assert (qa.version, qa.answer, qa.status, qa.revision) == (2, "新标准", "approved", knowledge.revision(session))
        assert knowledge.coming(session) == {}
        (entry,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "qa.in_force")).all()
        assert (entry.actor, entry.detail["version"]) == ("系统", 2)


def test_a_correction_meanwhile_is_followed_by_what_is_to_come(db: Settings) -> None:
    published(answer="一")
    changed(answer="明年", valid_from=NEW_YEAR)
    approved()
    changed(answer="更正")
    approved()
    assert (said(TODAY), said(NEW_YEAR)) == ("更正", "明年")
    changed(answer="明年更正", valid_from=NEW_YEAR)
    approved()
    assert (said(TODAY), said(NEW_YEAR)) == ("更正", "明年更正")
    with database.read() as session:
        states = [
            knowledge.version_state(one, session.get_one(QA, "sfz-001"), TODAY)
            for one in knowledge.versions(session, "sfz-001")
        ]
        assert states == ["coming", "in_force", "called_off", "earlier"]
    with database.write() as session:
        with pytest.raises(IllegalMove, match="不能取消"):
            knowledge.call_off(session, "sfz-001", 3, "王审核", now=NOON)
        knowledge.call_off(session, "sfz-001", 4, "王审核", now=NOON)
    assert (said(TODAY), said(NEW_YEAR)) == ("更正", "更正")


def test_a_change_of_what_is_over_by_now_is_not_approved_unseen(db: Settings) -> None:
    published(answer="一")
    changed(answer="明年", valid_from=NEW_YEAR)
    approved()
    changed(answer="今年的更正")
    later = datetime(2027, 1, 1, 0, 5, tzinfo=SHANGHAI)
    with database.write() as session, pytest.raises(IllegalMove, match="第 1 版改的，现在用的是第 2 版"):
        knowledge.approve(session, "sfz-001", "王审核", now=later)
    assert said(NEW_YEAR) == "明年"
    changed(answer="明年的更正", now=later)
    approved(now=later)
    assert said(NEW_YEAR) == "明年的更正"


def test_the_day_is_china_s(db: Settings) -> None:
    published(answer="一")
    changed(answer="二", valid_from=NEW_YEAR)
    approved(now=datetime(2026, 12, 31, 15, 59, tzinfo=UTC))  # a minute before midnight in Shanghai
    with database.read() as session:
        assert [one.due for one in knowledge.coming(session)["sfz-001"]] == [NEW_YEAR]
    published("sfz-002", answer="一")
    changed("sfz-002", answer="二", valid_from=NEW_YEAR)
    approved("sfz-002", now=datetime(2026, 12, 31, 16, 0, tzinfo=UTC))
    with database.read() as session:
        assert list(knowledge.coming(session)) == ["sfz-001"]
        assert session.get_one(QA, "sfz-002").answer == "二"


def test_where_nothing_is_in_force_a_later_day_is_just_not_yet(sqlite_db: Settings) -> None:
    published(answer="一", valid_from=NEW_YEAR)
    with database.read() as session:
        qa = knowledge.get(session, "sfz-001", TODAY)
        assert qa is not None and knowledge.answerable(qa, today=TODAY, production=True) is Standing.NOT_YET
    changed(answer="推迟了", valid_from=date(2027, 2, 1))
    approved()
    assert (said(NEW_YEAR), said(date(2027, 2, 1))) == (None, "推迟了")


# --- silencing, and two people ---------------------------------------------------------------------------------------


def test_one_person_pauses_and_two_resume(db: Settings) -> None:
    published(answer="一")
    with database.write() as session:
        knowledge.pause(session, "sfz-001", "班长", why="数字不对", now=NOON)
    assert said() is None
    with database.write() as session:
        with pytest.raises(IllegalMove, match="没有等着同意"):
            knowledge.confirm(session, "sfz-001", "王审核", now=NOON)
        knowledge.ask(session, knowledge.RESUME, "sfz-001", "班长", now=NOON)
        with pytest.raises(Forbidden, match="另一位"):
            knowledge.confirm(session, "sfz-001", "班长", now=NOON)
        with pytest.raises(IllegalMove, match="已经有一份申请"):
            knowledge.ask(session, knowledge.RETIRE, "sfz-001", "王审核", now=NOON)
        knowledge.confirm(session, "sfz-001", "王审核", now=NOON)
    assert said() == "一"


def test_pausing_holds_when_the_next_version_comes_and_ends_with_an_approved_change(db: Settings) -> None:
    published(answer="一")
    changed(answer="明年", valid_from=NEW_YEAR)
    approved()
    with database.write() as session:
        knowledge.pause(session, "sfz-001", "班长", now=NOON)
    assert (said(TODAY), said(NEW_YEAR)) == (None, None)
    changed(answer="改好了")
    assert said() is None
    approved()
    assert (said(TODAY), said(NEW_YEAR)) == ("改好了", "明年")


def test_retiring_takes_two_and_nothing_comes_any_more(db: Settings) -> None:
    published(answer="一")
    published("sfz-002")
    changed(answer="明年", valid_from=NEW_YEAR)
    approved()
    with database.write() as session:
        for wrong in ("nothing", "sfz-001"):
            with pytest.raises(InvalidInput):
                knowledge.ask(session, knowledge.RETIRE, "sfz-001", "张编辑", replaced_by=wrong, now=NOON)
        knowledge.ask(session, knowledge.RETIRE, "sfz-001", "张编辑", replaced_by="sfz-002", now=NOON)
    assert said() == "一"
    with database.write() as session:
        knowledge.confirm(session, "sfz-001", "王审核", now=NOON)
        qa = session.get_one(QA, "sfz-001")
        assert (qa.status, qa.replaced_by) == ("retired", "sfz-002")
        assert knowledge.coming(session) == {}
    assert said(NEW_YEAR) is None


def test_what_was_asked_for_is_declined_or_no_longer_fits(sqlite_db: Settings) -> None:
    published(answer="一")
    with database.write() as session:
        with pytest.raises(IllegalMove, match="已审核"):
            knowledge.ask(session, knowledge.RESUME, "sfz-001", "张编辑", now=NOON)
        knowledge.pause(session, "sfz-001", "张编辑", now=NOON)
        knowledge.ask(session, knowledge.RETIRE, "sfz-001", "张编辑", now=NOON)
        knowledge.decline(session, "sfz-001", "王审核", now=NOON)
        assert session.get(QARequest, "sfz-001") is None
        knowledge.ask(session, knowledge.RESUME, "sfz-001", "张编辑", now=NOON)
    changed(answer="二")
    approved()  # which has it answer again: the request is over
    with database.read() as session:
        assert session.get(QARequest, "sfz-001") is None


def test_many_are_done_with_a_result_each(db: Settings) -> None:
    published("a")
    published("b")
    changed("a", answer="新")
    with database.write() as session:
        ids = ["a", "b", "nothing", "a"]
        results = knowledge.each(session, ids, lambda id_: knowledge.approve(session, id_, "王审核", now=NOON))
        assert [one.qa_id for one in results] == ["a", "b", "nothing"]
        assert [type(one.refused) for one in results] == [type(None), IllegalMove, NotFound]
    assert said(id_="a") == "新"
    with database.read() as session:
        entries = session.scalars(select(AuditEntry).where(AuditEntry.action == "qa.approved")).all()
        assert [entry.subject for entry in entries] == ["a", "b", "a"], "a refused one leaves nothing"


# --- races -----------------------------------------------------------------------------------------------------------


def test_of_two_who_change_what_they_saw_one_is_told_that_it_is_outdated(db: Settings) -> None:
    published()

    def change(by: str) -> bool:
        try:
            with database.write() as session:
                knowledge.edit(session, "sfz-001", {"answer": by}, by, seen=1, now=NOON)
        except Outdated:
            return False
        return True

    with database.read() as session:
        assert session.get_one(QA, "sfz-001").edits == 1
    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(change, ["甲", "乙", "丙", "丁"])) == [False, False, False, True]
    with database.read() as session:
        assert session.get_one(QA, "sfz-001").edits == 2


def test_a_number_seen_never_comes_again(sqlite_db: Settings) -> None:
    """A page that was open all the while must not take the next working copy for the one it knows."""
    published()
    seen = []
    for n in range(3):
        changed(answer=f"第{n}次")
        with database.read() as session:
            seen.append(session.get_one(QA, "sfz-001").edits)
        with database.write() as session:
            knowledge.discard(session, "sfz-001", "张编辑", now=NOON)
    assert len(set(seen)) == 3


# --- files -----------------------------------------------------------------------------------------------------------


def test_an_import_of_what_is_published_is_a_change_to_be_approved(db: Settings) -> None:
    published(answer="旧")
    with database.write() as session:
        changes = knowledge.upsert(session, [a_qa(answer="新"), a_qa("sfz-002")], "张编辑")
        assert (changes.added, changes.changed, changes.working) == (["sfz-002"], ["sfz-001"], ["sfz-001"])
        assert knowledge.upsert(session, [a_qa(answer="新")], "张编辑").unchanged == ["sfz-001"], "the same file again"
        assert knowledge.upsert(session, [a_qa(answer="旧")], "张编辑").unchanged == ["sfz-001"]
        for id_ in ("sfz-001", "sfz-002"):
            with pytest.raises(Forbidden):
                knowledge.approve(session, id_, "张编辑", now=NOON)
    assert said() == "旧"
    approved()
    assert said() == "新"


def test_a_colleague_s_change_is_never_overwritten(db: Settings) -> None:
    published(answer="旧")
    changed(answer="编辑写的")
    with database.write() as session:
        changes = knowledge.upsert(session, [a_qa(answer="表里的")], "李导入")
        assert (changes.held, changes.changed) == ({"sfz-001": ("张编辑",)}, [])
        copy = session.get_one(WorkingCopy, "sfz-001")
        assert copy.content is not None and copy.content["answer"] == "编辑写的"
        when = {"answer": "旧", "review_by": date(2027, 12, 31)}  # only when it is to be looked at again
        assert knowledge.upsert(session, [a_qa(**when)], "李导入").changed == ["sfz-001"]
        assert session.get_one(QA, "sfz-001").review_by == date(2027, 12, 31)
        assert copy.content["review_by"] == "2027-12-31"
    approved()
    with database.read() as session:
        assert session.get_one(QA, "sfz-001").review_by == date(2027, 12, 31)


def test_an_import_is_compared_with_what_is_in_force(sqlite_db: Settings) -> None:
    """Though nobody has put it into the item's row yet."""
    published(answer="旧")
    tomorrow = datetime.now(SHANGHAI).date() + timedelta(days=1)
    changed(answer="新", valid_from=tomorrow, now=datetime.now(SHANGHAI))
    approved(now=datetime.now(SHANGHAI))
    with database.write() as session:
        session.get_one(QAVersion, ("sfz-001", 2)).due = tomorrow - timedelta(days=1)  # the day has come
    with database.write() as session:
        assert knowledge.upsert(session, [a_qa(answer="新", valid_from=tomorrow)], "李导入").unchanged == ["sfz-001"]
        assert knowledge.upsert(session, [a_qa(answer="旧")], "李导入").working == ["sfz-001"]
        assert session.get_one(WorkingCopy, "sfz-001").base == 2


@pytest.fixture
def production(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """In production, with an editor, an approver, a supervisor and an agent."""
    with database.write() as session:
        for number, role in (("e1", "editor"), ("a1", "approver"), ("s1", "supervisor"), ("g1", "agent")):
            people.create(session, "测试", number, number, [role])
    settings_ = sqlite_db.model_copy(update={"env": "production"})
    for module in ("moves", "changing"):
        monkeypatch.setattr(f"bot.knowledge.{module}.get_settings", lambda: settings_)
    return settings_


@pytest.mark.parametrize(
    ("reviewer", "importer", "counts"),
    [("a1", "e1", True), ("a1", "a1", False), ("e1", "g1", False), ("nobody", "e1", False), (None, "e1", False)],
)
def test_in_production_a_review_in_a_file_counts_only_if_it_could_have_been_given(
    production: Settings, reviewer: str | None, importer: str, counts: bool
) -> None:
    item = a_qa(status="approved", reviewed_by=reviewer, reviewed_at=NOON)
    with database.write() as session:
        changes = knowledge.upsert(session, [item], importer)
        assert changes.unreviewed == ([] if counts else ["sfz-001"])
    assert (said() is not None) == counts
    with database.read() as session:
        assert len(knowledge.versions(session, "sfz-001")) == counts
    newer = a_qa(answer="新", status="approved", reviewed_by=reviewer, reviewed_at=NOON + timedelta(1))
    with database.write() as session:
        knowledge.upsert(session, [newer], importer)
    assert said() == ("新" if counts else None)


def test_in_production_whoever_imports_has_an_account(production: Settings, tmp_path: Path) -> None:
    """Else the author of a file would be nobody, and whoever brought it could approve it."""
    table = tmp_path / "a.csv"
    table.write_text("编号,问题,答案\nx-1,鱼证怎么办,到窗口办。\n", encoding="utf-8")
    with database.write() as session:
        assert import_bundle(session, read(table), actor="运营人员", dry_run=True).added
        for nobody in ("运营人员", "s1", "g1"):
            with pytest.raises(Forbidden, match="知识编辑、知识审核"):
                import_bundle(session, read(table), actor=nobody)
        assert import_bundle(session, read(table), actor="a1").written
        with pytest.raises(Forbidden, match="自己"):
            knowledge.approve(session, "x-1", "a1", now=NOON)


def test_in_production_people_need_the_role(production: Settings) -> None:
    with database.write() as session:
        knowledge.upsert(session, [a_qa()])
        for nobody in ("王审核", "e1", "s1", "g1"):
            with pytest.raises(Forbidden, match="知识审核"):
                knowledge.approve(session, "sfz-001", nobody, now=NOON)
        with pytest.raises(InvalidInput):
            knowledge.approve(session, "sfz-001", "", now=NOON)
        knowledge.approve(session, "sfz-001", "a1", now=NOON)
        for nobody in ("张编辑", "a1", "g1"):
            with pytest.raises(Forbidden):
                knowledge.edit(session, "sfz-001", {"answer": "新"}, nobody, now=NOON)
        knowledge.edit(session, "sfz-001", {"answer": "新"}, "e1", now=NOON)
        with pytest.raises(Forbidden):
            knowledge.pause(session, "sfz-001", "g1", now=NOON)
        knowledge.pause(session, "sfz-001", "s1", now=NOON)


# --- whatever happens ------------------------------------------------------------------------------------------------

PEOPLE = ("甲", "乙", "丙")


class Rooms(RuleBasedStateMachine):
    """Three items and three people, over days; beside it a plain account of what is in force."""

    @initialize()
    def start(self) -> None:
        self.now = NOON
        run = next(_numbers)
        self.ids = [f"m{run}-{n}" for n in range(3)]
        with database.write() as session:
            knowledge.upsert(session, [a_qa(id_, answer="0") for id_ in self.ids])
        self.status = dict.fromkeys(self.ids, "draft")
        self.live: dict[str, tuple[str, date | None]] = dict.fromkeys(self.ids, ("0", None))
        self.next: dict[str, dict[date, tuple[str, date | None]]] = {id_: {} for id_ in self.ids}
        self.published = dict.fromkeys(self.ids, 0)
        self.edits = dict.fromkeys(self.ids, 0)
        self.wrong: dict[str, set[str]] = {id_: set() for id_ in self.ids}

    @property
    def today(self) -> date:
        return self.now.date()

    item = st.integers(0, 2)
    who = st.sampled_from(PEOPLE)

    def _try(self, step: Any) -> bool:
        """Whether the move was made; if not, nothing has changed."""
        try:
            with database.write() as session:
                step(session)
        except YihaodaError:
            return False
        return True

    @rule(item=item, who=who, text=st.integers(1, 99), days=st.sampled_from([None, 0, 1, 2]))
    def edit(self, item: int, who: str, text: int, days: int | None) -> None:
        id_ = self.ids[item]
        day = None if days is None else self.today + timedelta(days)
        fields = {"answer": str(text), "valid_from": day}
        made = self._try(lambda session: knowledge.edit(session, id_, fields, who, now=self.now))
        assert made
        if not self.published[id_]:
            self.live[id_] = (str(text), day)

    @rule(item=item, who=who, text=st.integers(1, 99))
    def bring(self, item: int, who: str, text: int) -> None:
        id_ = self.ids[item]
        with database.write() as session:
            changes = knowledge.upsert(session, [a_qa(id_, answer=str(text))], who)
        if changes.changed and not self.published[id_]:
            self.live[id_] = (str(text), None)

    @rule(item=item, who=who)
    def submit(self, item: int, who: str) -> None:
        self._try(lambda session: knowledge.submit(session, self.ids[item], who, now=self.now))

    @rule(item=item, who=who)
    def return_(self, item: int, who: str) -> None:
        self._try(lambda session: knowledge.return_(session, self.ids[item], who, "不行", now=self.now))

    @rule(item=item, who=who)
    def approve(self, item: int, who: str) -> None:
        id_ = self.ids[item]
        with database.read() as session:
            copy = session.get(WorkingCopy, id_)
        if not self._try(lambda session: knowledge.approve(session, id_, who, now=self.now)):
            return
        assert copy is None or who not in copy.authors
        new = self.live[id_]
        if copy is not None and copy.content is not None:
            day = copy.content["valid_from"]
            new = (copy.content["answer"], date.fromisoformat(day) if day else None)
        in_force = self.status[id_] == "approved" and (self.live[id_][1] or self.today) <= self.today
        if in_force and new[1] is not None and new[1] > self.today:
            self.next[id_][new[1]] = new
        else:
            self.live[id_], self.status[id_] = new, "approved"
        self.published[id_] += 1

    @rule(item=item, who=who)
    def discard(self, item: int, who: str) -> None:
        self._try(lambda session: knowledge.discard(session, self.ids[item], who, now=self.now))

    @rule(item=item, who=who, number=st.integers(1, 3))
    def restore(self, item: int, who: str, number: int) -> None:
        self._try(lambda session: knowledge.restore(session, self.ids[item], number, who, now=self.now))

    @rule(item=item, who=who)
    def call_off(self, item: int, who: str) -> None:
        id_ = self.ids[item]
        with database.read() as session:
            coming = knowledge.coming(session, [id_]).get(id_, [])
        if coming:
            last = coming[-1]
            if self._try(lambda session: knowledge.call_off(session, id_, last.number, who, now=self.now)):
                del self.next[id_][last.starts]

    @rule(item=item, who=who)
    def pause(self, item: int, who: str) -> None:
        if self._try(lambda session: knowledge.pause(session, self.ids[item], who, now=self.now)):
            self.status[self.ids[item]] = "paused"

    @rule(item=item, who=who, number=st.integers(1, 4))
    def withdraw(self, item: int, who: str, number: int) -> None:
        id_ = self.ids[item]
        if not self._try(lambda session: knowledge.withdraw(session, id_, who, "错了", number=number, now=self.now)):
            return
        with database.read() as session:
            answer = session.get_one(QAVersion, (id_, number)).content["answer"]
        self.wrong[id_].add(answer)
        self.next[id_] = {day: one for day, one in self.next[id_].items() if one[0] != answer}
        if self.live[id_][0] == answer and self.status[id_] == "approved":
            self.status[id_] = "paused"

    @rule(item=item, who=who, move=st.sampled_from([knowledge.RESUME, knowledge.RETIRE]))
    def ask(self, item: int, who: str, move: str) -> None:
        self._try(lambda session: knowledge.ask(session, move, self.ids[item], who, now=self.now))

    @rule(item=item, who=who)
    def confirm(self, item: int, who: str) -> None:
        id_ = self.ids[item]
        with database.read() as session:
            request = session.get(QARequest, id_)
        if self._try(lambda session: knowledge.confirm(session, id_, who, now=self.now)):
            assert request is not None and request.asked_by != who
            if request.move == knowledge.RETIRE:
                self.status[id_], self.next[id_] = "retired", {}
            else:
                self.status[id_] = "approved" if self.published[id_] else "draft"

    @rule(item=item, who=who)
    def decline(self, item: int, who: str) -> None:
        self._try(lambda session: knowledge.decline(session, self.ids[item], who, now=self.now))

    @rule()
    def midnight(self) -> None:
        self.now += timedelta(days=1)
        for id_ in self.ids:
            if (came := self.next[id_].pop(self.today, None)) is not None:
                self.live[id_] = came

    @rule()
    def bring_in(self) -> None:
        with database.write() as session:
            knowledge.bring_in(session, self.today)

    @invariant()
    def what_is_in_force_is_answered(self) -> None:
        with database.read() as session:
            for id_ in self.ids:
                answer, day = self.live[id_]
                qa = knowledge.get(session, id_, self.today)
                assert qa is not None
                assert (qa.status, qa.answer) == (self.status[id_], answer)
                answers = self.status[id_] == "approved" and (day or self.today) <= self.today
                assert not (answers and answer in self.wrong[id_]), "what was withdrawn as wrong never answers again"
                assert knowledge.answerable(qa, today=self.today, production=True).answers == answers

    @invariant()
    def nothing_is_approved_by_its_author_and_numbers_only_grow(self) -> None:
        with database.read() as session:
            for id_ in self.ids:
                qa = session.get_one(QA, id_)
                assert qa.edits >= self.edits[id_]
                self.edits[id_] = qa.edits
                found = knowledge.versions(session, id_)
                assert [one.number for one in found] == list(range(len(found), 0, -1))
                assert len(found) == self.published[id_]
                assert all(one.approved_by not in one.authors for one in found)
                copies = session.scalars(select(WorkingCopy).where(WorkingCopy.qa_id == id_)).all()
                assert len(copies) <= 1
                assert all((one.content is None) == (qa.version is None) for one in copies)
                if qa.version is not None:
                    (held,) = (one for one in found if one.number == qa.version)
                    assert held.content == knowledge.stored(knowledge.content(qa))


@pytest.mark.parametrize("db", ["sqlite", pytest.param("postgresql", marks=pytest.mark.full)], indirect=True)
def test_whatever_moves_happen_what_is_in_force_answers(db: Settings) -> None:
    run_state_machine_as_test(
        Rooms,
        settings=settings(
            max_examples=12, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_a_long_list_is_quick_and_counted(sqlite_db: Settings) -> None:
    with database.write() as session:
        knowledge.upsert(session, [a_qa(f"q-{n:04}") for n in range(300)])
        knowledge.approve(session, "q-0000", "王审核", now=NOON)
        knowledge.pause(session, "q-0000", "王审核", now=NOON)
        knowledge.ask(session, knowledge.RESUME, "q-0000", "王审核", now=NOON)
        knowledge.edit(session, "q-0001", {"answer": "新"}, "张编辑", now=NOON)
        knowledge.edit(session, "q-0299", {"answer": "新"}, "张编辑", now=NOON)
        knowledge.submit(session, "q-0299", "张编辑", now=NOON)
    with database.read() as session:
        rows, total = knowledge.listed(session, knowledge.Wanted("review"), limit=5)
        assert total == 299 and [row.qa.id for row in rows] == ["q-0299", "q-0000", "q-0002", "q-0003", "q-0004"]
        rows, total = knowledge.listed(session, knowledge.Wanted(text="q-001"), offset=5, limit=50)
        assert total == 10 and len(rows) == 5
        assert knowledge.listed(session, knowledge.Wanted(changed_by="张编辑"))[1] == 2
        assert knowledge.listed(session, knowledge.Wanted(matter="别的"))[1] == 0
        counts = knowledge.counts(session)
        assert (counts["review"], counts["editing"], counts["submitted"], counts["asked"]) == (299, 1, 1, 1)
        assert session.scalar(select(func.count()).select_from(QAVersion)) == 1
