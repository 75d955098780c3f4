"""Local figures: two people, one working copy beside what is live, the day decides, the nearest region counts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from bot import conversations, database, turns
from bot.errors import Forbidden, IllegalMove, InvalidInput, NotFound
from bot.local import figures, tables
from bot.local.slots import checked, number, slots
from bot.models.housekeeping import AuditEntry
from bot.models.knowledge import QA, ServiceGuide
from bot.models.local import LocalFigure
from bot.models.people import Person
from bot.replies import TextReply
from bot.settings import Settings, get_settings
from bot.turns import Outcome
from index.knowledge_files.starter import load_starter

CITY, DISTRICT, PROVINCE = "430100", "430104", "430000"
WAGE, DOC = "zuidi-gongzi", "湘人社规〔2024〕9号"
NOON = datetime(2026, 11, 20, 4, tzinfo=UTC)
TODAY = date(2026, 11, 20)


@pytest.fixture
def here(db: Settings) -> Settings:
    return serve(db)


@pytest.fixture
def here_on_sqlite(sqlite_db: Settings) -> Settings:
    return serve(sqlite_db)


def serve(settings: Settings) -> Settings:
    served = settings.model_copy(update={"region": CITY})
    with database.write() as session:
        for name, roles in (
            ("e1", ["editor"]),
            ("e2", ["editor", "approver"]),
            ("a1", ["approver"]),
            ("s1", ["agent"]),
        ):
            session.add(Person(number=name, name="王芳", roles=roles, created_at=NOON))
    return served


def propose(
    here: Settings, value: str = "2100元/月", by: str = "e1", region: str = CITY, key: str = WAGE, **more: Any
) -> int:
    with database.write() as session:
        copy = figures.working_copy(session, key, region)
        revision = more.pop("revision", copy.revision if copy else None)
        written = figures.Content(value, **({"source": DOC} | more))
        return figures.propose(session, by, key, region, written, revision=revision, settings=here, now=NOON).revision


def approve(by: str = "a1", region: str = CITY, key: str = WAGE, now: datetime = NOON) -> None:
    with database.write() as session:
        copy = figures.working_copy(session, key, region)
        figures.approve(session, by, key, region, copy.revision if copy else 0, now)


def shown(region: str = CITY, day: date = TODAY, key: str = WAGE) -> str | None:
    with database.read() as session:
        found = figures.in_force(session, [key], region, day).get(key)
        return found.value if found else None


# --- what there is to fill in ----------------------------------------------------------------------------------------


def test_what_there_is_to_fill_in_belongs_to_items_and_guides_that_there_are(sqlite_db: Settings) -> None:
    known = slots(sqlite_db)
    assert len(known.by_key) >= 40
    with database.write() as session:
        load_starter(session)
        items = set(session.scalars(select(QA.id)))
        guides = set(session.scalars(select(ServiceGuide.id)))
    named = [item for slot in known.by_key.values() for item in slot.items]
    assert set(named) <= items and len(set(named)) >= 80
    assert {guide for slot in known.by_key.values() for guide in slot.guides} <= guides


def test_a_city_adds_figures_of_its_own(settings: Settings, tmp_path: Any) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(
        "- {key: shiminka, label: 市民卡工本费, kind: amount, unit: 元, items: [own-1]}\n"
        "- {key: gjj-shangxian, label: 公积金月缴存额上限, kind: amount, unit: 元/月, items: [own-2]}\n",
        encoding="utf-8",
    )
    own = slots(settings.model_copy(update={"local_file": str(file)}))
    assert own.get("shiminka").items == ("own-1",) and own.get("gjj-shangxian").items == ("own-2",)
    assert own.get(WAGE).items == slots(settings).get(WAGE).items
    file.write_text("- {key: x, label: 没有单位, kind: amount}", encoding="utf-8")
    assert slots(settings.model_copy(update={"local_file": str(file)})) == slots(settings)


@pytest.mark.parametrize(
    ("key", "written", "read"),
    [
        (WAGE, "2100元/月", "2100元/月"),
        (WAGE, "每月 2,100 元", "2100元/月"),
        (WAGE, "２１００元每月", "2100元/月"),
        ("dibao-chengshi", "每人每月820元", "820元/月"),
        ("gaowen-jintie", "150-300元/月", "150—300元/月"),
        ("gjj-daikuan-dan", "70万元", "70万元"),
        ("gzf-mianji", "15㎡", "15平方米"),
        ("chanjia-tianshu", "158日", "158天"),
        ("gongre-dianhua", "0731-88665000、96777", "0731-88665000、96777"),
        ("gongre-dianhua", "400 886 5000", "4008865000"),
        ("gongdian-dianhua", "95598", "95598"),
        ("gongshui-dianhua", "0731-96533", "0731-96533"),
        ("luohu-zhengce", "https://gaj.changsha.gov.cn/a?b=1", "https://gaj.changsha.gov.cn/a?b=1"),
        ("gaowen-yuefen", " 6月至9月 ", "6月至9月"),
    ],
)
def test_a_value_is_read_as_people_write_it(settings: Settings, key: str, written: str, read: str) -> None:
    slot = slots(settings).get(key)
    assert checked(slot, written) == read
    assert checked(slot, read) == read


@pytest.mark.parametrize(
    ("key", "written"),
    [
        (WAGE, "2100"),
        (WAGE, "2100元"),
        (WAGE, "2100元/年"),
        (WAGE, "0元/月"),
        (WAGE, "-5元/月"),
        (WAGE, "300-150元/月"),
        (WAGE, "约2100元/月"),
        (WAGE, ""),
        ("chanjia-tianshu", "158"),
        ("chanjia-tianshu", "0天"),
        ("gongre-dianhua", "问物业"),
        ("gongre-dianhua", "123"),
        ("luohu-zhengce", "http://gaj.changsha.gov.cn"),
        ("luohu-zhengce", "javascript:alert(1)"),
        ("luohu-zhengce", "https://"),
        ("gaowen-yuefen", "x" * 301),
        ("gaowen-yuefen", "6月\u202e至9月"),
    ],
)
def test_what_is_no_value_is_refused(settings: Settings, key: str, written: str) -> None:
    with pytest.raises(InvalidInput, match=r"[\u4e00-\u9fff]"):
        checked(slots(settings).get(key), written)


def test_only_one_number_can_be_reckoned_with() -> None:
    assert number("2100.5元/月") == Decimal("2100.5") and number("70万元") == 700_000
    assert number("150—300元/月") is None and number("6月至9月") is None


# --- two people ------------------------------------------------------------------------------------------------------


def test_nothing_is_shown_before_another_person_approves_it(here: Settings) -> None:
    propose(here, by="e2")
    assert shown() is None
    with pytest.raises(Forbidden, match="另一个人"):
        approve("e2")
    for nobody in ("e1", "s1", "x"):
        with pytest.raises(Forbidden, match="知识审核"):
            approve(nobody)
    approve("a1")
    assert shown() == "2100元/月"
    with database.read() as session:
        actions = session.scalars(select(AuditEntry.action).where(AuditEntry.subject == WAGE)).all()
    assert list(actions) == ["local.propose", "local.approve"]


def test_whoever_wrote_a_part_of_it_does_not_approve_it(here: Settings) -> None:
    propose(here, by="e2")
    propose(here, "2110元/月", by="e1")
    with pytest.raises(Forbidden, match="另一个人"):
        approve("e2")
    with pytest.raises(Forbidden):
        propose(here, by="s1")


def test_what_is_live_stays_live_until_the_next_is_approved(here: Settings) -> None:
    propose(here)
    approve()
    propose(here, "2200元/月")
    assert shown() == "2100元/月"
    with database.write() as session:
        copy = figures.working_copy(session, WAGE, CITY)
        assert copy is not None
        figures.send_back(session, "a1", WAGE, CITY, copy.revision, "文号写错了")
    assert shown() == "2100元/月"
    with pytest.raises(IllegalMove, match="退回"):
        approve()
    propose(here, "2200元/月", source="湘人社规〔2026〕1号")
    approve()
    assert shown() == "2200元/月"
    with database.read() as session:
        assert [row.status for row in figures.history(session, WAGE, CITY)] == ["approved", "replaced"]


def test_a_copy_that_changed_since_it_was_seen_is_not_overwritten_and_not_approved(here: Settings) -> None:
    seen = propose(here)
    propose(here, "2110元/月")
    with pytest.raises(IllegalMove, match="别人改过"):
        propose(here, "2120元/月", revision=seen)
    with pytest.raises(IllegalMove, match="别人改过"):
        propose(here, "2120元/月", revision=None)
    with pytest.raises(IllegalMove, match="别人改过"), database.write() as session:
        figures.approve(session, "a1", WAGE, CITY, seen, NOON)
    assert shown() is None


def test_what_is_withdrawn_or_discarded_is_shown_no_more_and_brings_nothing_older_back(here: Settings) -> None:
    propose(here, valid_from=date(2025, 1, 1))
    approve()
    propose(here, "2200元/月", valid_from=date(2026, 12, 1))
    approve()
    later = NOON + timedelta(days=30)
    assert shown(day=later.date()) == "2200元/月"
    with database.write() as session:
        figures.withdraw(session, "e1", WAGE, CITY, "数字不对", later)
    assert shown(day=later.date()) is None
    with pytest.raises(NotFound), database.write() as session:
        figures.withdraw(session, "e1", WAGE, CITY, "再停一次", later)
    revision = propose(here, "2300元/月")
    with database.write() as session:
        figures.discard(session, "e1", WAGE, CITY, revision)
    with pytest.raises(NotFound), database.write() as session:
        figures.approve(session, "a1", WAGE, CITY, revision, later)
    propose(here, "2400元/月")
    approve(now=later)
    assert shown(day=later.date()) == "2400元/月"


# --- days and places -------------------------------------------------------------------------------------------------


def test_two_versions_with_adjoining_dates_answer_each_on_their_day(here: Settings) -> None:
    propose(here, "2100元/月", valid_from=date(2026, 1, 1), valid_to=date(2026, 12, 31))
    approve()
    propose(here, "2300元/月", valid_from=date(2027, 1, 1), valid_to=date(2027, 12, 31))
    approve()
    days = {
        date(2025, 12, 31): None,
        date(2026, 12, 31): "2100元/月",
        date(2027, 1, 1): "2300元/月",
        date(2028, 1, 1): None,
    }
    assert {day: shown(day=day) for day in days} == days


def test_what_has_ended_does_not_bring_the_one_before_it_back(here: Settings) -> None:
    propose(here, "2100元/月")
    approve()
    propose(here, "2300元/月", valid_from=date(2026, 12, 1), valid_to=date(2026, 12, 31))
    approve()
    assert [shown(day=day) for day in (TODAY, date(2026, 12, 5), date(2027, 1, 5))] == ["2100元/月", "2300元/月", None]


def test_an_expired_one_is_neither_approved_nor_shown(here: Settings) -> None:
    propose(here, valid_to=date(2026, 11, 19))
    with pytest.raises(IllegalMove, match="已经过了"):
        approve()
    with pytest.raises(InvalidInput, match="早于"):
        propose(here, valid_from=date(2026, 2, 1), valid_to=date(2026, 1, 1))


def test_the_nearest_region_counts_and_a_sister_never(here: Settings) -> None:
    propose(here, "1900元/月", region=PROVINCE)
    approve(region=PROVINCE)
    assert shown(DISTRICT) == shown(CITY) == "1900元/月"
    propose(here, "2100元/月")
    approve()
    propose(here, "2000元/月", region=DISTRICT, valid_to=date(2026, 11, 30))
    approve(region=DISTRICT)
    assert (shown(DISTRICT), shown("430105"), shown("430200"), shown("110000")) == (
        "2000元/月",
        "2100元/月",
        "1900元/月",
        None,
    )
    # What ended for the district may not be as in the rest of the city.
    assert shown(DISTRICT, date(2026, 12, 1)) is None


@pytest.mark.parametrize("region", ["100000", "110000", "430200", "999999"])
def test_a_region_that_is_not_served_is_refused(here: Settings, region: str) -> None:
    with pytest.raises(InvalidInput):
        propose(here, region=region)


@pytest.mark.parametrize("source", ["", "无", "http://a.cn/b", "https://", "x" * 301])
def test_a_figure_without_a_source_is_refused(here: Settings, source: str) -> None:
    with pytest.raises(InvalidInput):
        propose(here, source=source)


MOVES: dict[str, Callable[[Settings], object]] = {
    "propose": lambda here: propose(here, "2200元/月"),
    "future": lambda here: propose(here, "2300元/月", valid_from=TODAY + timedelta(days=40)),
    "approve": lambda here: approve(),
    "return": lambda here: _send_back(),
    "discard": lambda here: _discard(),
}


def _send_back() -> None:
    with database.write() as session:
        copy = figures.working_copy(session, WAGE, CITY)
        figures.send_back(session, "a1", WAGE, CITY, copy.revision if copy else 0, "再看看")


def _discard() -> None:
    with database.write() as session:
        copy = figures.working_copy(session, WAGE, CITY)
        figures.discard(session, "e1", WAGE, CITY, copy.revision if copy else 0)


@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(sorted(MOVES)), max_size=8))
def test_no_edit_silences_what_is_live(here_on_sqlite: Settings, moves: list[str]) -> None:
    with database.write() as session:
        session.query(LocalFigure).delete()
    propose(here_on_sqlite)
    approve()
    for move in moves:
        with contextlib.suppress(IllegalMove, NotFound):
            MOVES[move](here_on_sqlite)
        assert shown() in ("2100元/月", "2200元/月")
    with database.read() as session:
        assert session.scalar(select(func.count()).where(LocalFigure.open.is_(True))) <= 1  # type: ignore[operator]


# --- what is missing, and tables -------------------------------------------------------------------------------------


def ask(qa_id: str, channel: str = "web") -> None:
    with database.write() as session:
        made, _ = conversations.create(session, channel)
        receipt = turns.receive(session, conversations.lock(session, made.id), "m1", "问", get_settings())
    with database.read() as session:
        turn = turns.load(session, receipt.turn_id)
    turns.settle(turn, Outcome([TextReply(text="答")], turn.context, decision="answer", qa_id=qa_id))


def test_the_missing_come_first_those_most_asked_for_before_the_others(here: Settings) -> None:
    for qa_id in ("syj-003", "syj-003", "dib-002"):
        ask(qa_id)
    ask("gn-002", "trial")
    propose(here, key="dibao-chengshi", value="820元/月")
    approve(key="dibao-chengshi")
    propose(here, valid_to=date.today() + timedelta(days=3))
    approve()
    with database.read() as session:
        lines = figures.overview(session, here)
    assert [(one.slot.key, one.asked) for one in lines[:3]] == [
        ("shiyejin-biaozhun", 2),
        ("dibao-nongcun", 1),
        ("xiaoshi-gongzi", 0),
    ]
    assert [(one.slot.key, one.state) for one in lines[-2:]] == [(WAGE, "soon"), ("dibao-chengshi", "live")]
    assert len(lines) == len(slots(here).by_key)


def table(here: Settings) -> list[list[str]]:
    with database.read() as session:
        return tables.rows(figures.overview(session, here))


def take(here: Settings, rows: list[list[str]], by: str = "e1", *, dry_run: bool = False) -> tables.Report:
    with database.write() as session:
        return tables.take(session, by, enumerate(rows, 1), here, dry_run=dry_run)


def test_a_table_is_filled_in_and_taken_and_nothing_of_it_is_approved(here: Settings) -> None:
    rows = table(here)
    value, source, ends = (rows[0].index(name) for name in ("值", "依据", "截止日期"))
    filled = {"zuidi-gongzi": "每月2100元", "gongre-dianhua": "问物业", "hunjia-tianshu": "18天"}
    for row in rows[1:]:
        if row[0] in filled:
            row[value], row[source], row[ends] = filled[row[0]], DOC, "2099/12/31"
    tried = take(here, rows, dry_run=True)
    assert table(here)[1][value] == ""
    done = take(here, rows)
    assert tried.proposed == done.proposed == ["月最低工资标准（430100）", "婚假天数（430100）"]
    assert done.empty == len(rows) - 4
    ((line, reason),) = done.problems
    assert rows[line - 1][0] == "gongre-dianhua" and "供热报修电话" in reason
    assert shown() is None
    approve()
    again = take(here, table(here))
    assert (again.proposed, again.problems) == ([], []) and len(again.unchanged) == 2
    with database.read() as session:
        row = figures.in_force(session, [WAGE], CITY, TODAY)[WAGE]
        assert (row.value, row.valid_to) == ("2100元/月", date(2099, 12, 31))


def test_a_table_does_not_overwrite_what_somebody_else_is_writing(here: Settings) -> None:
    rows = [["编号", "值", "依据"], [WAGE, "2100元/月", DOC]]
    propose(here, "2222元/月", by="e2")
    done = take(here, rows)
    assert done.proposed == [] and "别人写的" in done.problems[0][1]
    with pytest.raises(InvalidInput, match="表头"):
        take(here, [["甲", "乙"], ["1", "2"]])
    with pytest.raises(Forbidden):
        take(here, rows, by="s1")
