"""Local figures in answers, guides and calculations, for where the citizen is.  Real index, real database."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from bot import database, knowledge
from bot.clock import SHANGHAI, utcnow
from bot.local import figures
from bot.models.knowledge import QA, ServiceGuide
from bot.models.people import Person
from bot.replies import AnswerReply, CalculationReply
from bot.settings import Settings
from connectors.wechat.render import text_of
from index.assistant.respond import Assistant
from tests.index.test_assistant import Talk, make

CITY, DISTRICT = "430100", "430104"
DOC = "长人社发〔2026〕3号"
LONG_AGO = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
def assistant(sqlite_db: Settings, tmp_path: Path) -> Assistant:
    file = tmp_path / "own.yaml"
    file.write_text(
        "- {key: buban-fei, label: 借书证补办工本费, kind: amount, unit: 元, items: [plain]}\n"
        "- {key: dating, label: 借书证补办电话, kind: phone, guides: [card]}\n",
        encoding="utf-8",
    )
    made = make(sqlite_db, region=CITY, local_file=str(file))
    with database.write() as session:
        for name, roles in (("e", ["editor"]), ("a", ["approver"])):
            session.add(Person(number=name, name=name, roles=roles, created_at=LONG_AGO))
        card = ServiceGuide(id="card", title="借书证补办", region="100000", materials=["身份证"], steps=[], channels=[])
        knowledge.upsert(session, [card])
        session.get_one(QA, "plain").guides = ["card"]
    return made


def have(assistant: Assistant, key: str, value: str, region: str = CITY, valid_to: date | None = None) -> None:
    with database.write() as session:
        written = figures.Content(value, DOC, valid_to=valid_to)
        row = figures.propose(session, "e", key, region, written, settings=assistant._settings)
        row.proposed_at = LONG_AGO
        figures.approve(session, "a", key, region, row.revision)


ASKED = "图书馆借书证丢失如何补领"


def test_a_figure_of_the_city_stands_beside_the_reviewed_words(assistant: Assistant) -> None:
    before = Talk(assistant).say(ASKED)
    assert before.local == [] and before.guides[0].local == []
    have(assistant, "buban-fei", "10元")
    have(assistant, "dating", "0731-88665000")
    reply = Talk(assistant).say(ASKED)
    assert isinstance(reply, AnswerReply) and reply.text == before.text
    today = utcnow().astimezone(SHANGHAI).date()
    assert [(one.value, one.region, one.source, one.as_of) for one in reply.local] == [("10元", "长沙市", DOC, today)]
    assert [one.value for one in reply.guides[0].local] == ["0731-88665000"]
    told = text_of([reply])
    assert f"长沙市借书证补办工本费：10元，依据 {DOC}，截至 {today:%Y年%-m月%-d日}。" in told.split("\n")
    assert told.index(reply.text) < told.index("工本费：10元") < told.index("依据：") < told.index("0731-88665000")


def test_the_citizens_own_district_goes_first_and_another_city_gets_nothing(assistant: Assistant) -> None:
    have(assistant, "buban-fei", "10元")
    have(assistant, "buban-fei", "8元", DISTRICT)
    talk = Talk(assistant)
    talk.say("我在长沙市岳麓区", "provide_region")
    assert [(one.value, one.region) for one in talk.say(ASKED).local] == [("8元", "岳麓区")]
    assert [one.value for one in Talk(assistant).say(ASKED).local] == ["10元"]
    talk = Talk(assistant)
    talk.say("我在北京市海淀区", "provide_region")
    assert talk.say(ASKED).local == []


def test_what_is_a_draft_or_has_expired_is_not_shown(assistant: Assistant) -> None:
    today = utcnow().astimezone(SHANGHAI).date()
    with database.write() as session:
        written = figures.Content("10元", DOC)
        figures.propose(session, "e", "buban-fei", CITY, written, settings=assistant._settings)
    assert Talk(assistant).say(ASKED).local == []
    with database.write() as session:
        figures.approve(session, "a", "buban-fei", CITY, 1)
    assert [one.value for one in Talk(assistant).say(ASKED).local] == ["10元"]
    with database.write() as session:
        figures.history(session, "buban-fei", CITY)[0].valid_to = today - timedelta(days=1)
    assert Talk(assistant).say(ASKED).local == []


# --- calculators -----------------------------------------------------------------------------------------------------

DISMISSED = "我在公司干了15年,月工资4万元,被裁员能赔多少钱"


def test_a_calculator_takes_the_citys_figure_and_says_where_it_is_from(assistant: Assistant) -> None:
    plain = Talk(assistant).say(DISMISSED)
    assert isinstance(plain, CalculationReply) and plain.local == [] and plain.figures["capped"] is False
    have(assistant, "pingjun-gongzi", "9000元/月")
    talk = Talk(assistant)
    reply = talk.say(DISMISSED)
    assert (reply.figures["capped"], reply.figures["base"]) == (True, "27000.00")
    assert [(one.value, one.source) for one in reply.local] == [("9000元/月", DOC)]
    assert ("当地上年度职工月平均工资", "9,000元") in [(one.label, one.said) for one in reply.told]
    assert "用的本地标准：长沙市上年度职工月平均工资：9000元/月" in text_of([reply])
    # The citizen knows better: then it is theirs.
    asked = talk.say("改当地上年度职工月平均工资")
    assert asked.type == "ask" and "平均工资是多少" in asked.text
    changed = talk.say("1万元")
    assert (changed.figures["base"], changed.local) == ("30000.00", [])


def test_skipping_the_citys_figure_reckons_without_it(assistant: Assistant) -> None:
    have(assistant, "pingjun-gongzi", "9000元/月")
    talk = Talk(assistant)
    talk.say(DISMISSED)
    talk.say("改当地上年度职工月平均工资")
    reply = talk.say("跳过")
    assert (reply.figures["capped"], reply.local) == (False, [])


def test_a_range_is_shown_and_not_reckoned_with(assistant: Assistant) -> None:
    have(assistant, "shiyejin-biaozhun", "1500—1900元/月")
    asked = "交了7年失业保险能领几个月"
    reply = Talk(assistant).say(asked)
    assert reply.type == "calculation" and reply.local == [] and reply.figures["monthly"] is None
    have(assistant, "shiyejin-biaozhun", "1890元/月")
    reply = Talk(assistant).say(asked)
    assert reply.figures["monthly"] == "1890.00" and "每月1890元，实际发多少以核定为准" in reply.text
    assert [one.value for one in reply.local] == ["1890元/月"]


def test_a_wage_below_the_minimum_is_named(assistant: Assistant) -> None:
    have(assistant, "zuidi-gongzi", "2100元/月")
    asked = "月工资1800元,平时加班10小时,周末没加班,节假日没加班,加班费多少"
    talk = Talk(assistant)
    reply = talk.say(asked)
    for _ in range(3):
        if reply.type == "ask":
            reply = talk.say("没有")
    assert reply.type == "calculation" and any("低于当地最低工资2100元" in one for one in reply.caveats)
