"""The decision on top of retrieval: regions, validity, production, bounds, forms.  Real index, real database."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from processes import forget
from sqlalchemy import func, select

from bot import conversations, database, knowledge, reviews, ticket_form, turns
from bot.clock import SHANGHAI, utcnow
from bot.expects import NOTHING, Calculation, Contact, Expects, Form, Offer, Options, Passages, Region, TicketNumber
from bot.models.asked import Asked
from bot.models.conversations import Alarm, Conversation, InboxMessage, Rating, TurnEffect
from bot.models.knowledge import QA, Document
from bot.models.tickets import Ticket
from bot.replies import Reply
from bot.settings import ROOT, Settings
from bot.tickets import lookup, moves, numbers, register
from bot.turns import Turn
from index.assistant import phrases
from index.assistant.respond import STEPS, Assistant
from index.versions import build, store
from index.versions.store import IndexReader
from training.fit import calibration_for


def qa(id_: str, question: str, answer: str = "", **more: Any) -> QA:
    fields: dict[str, Any] = {
        "matter": "测试事项",
        "similar": [],
        "sources": [],
        "guides": [],
        "related": [],
        "themes": [],
        "report": [],
        "audience": "个人",
        "region": "100000",
        "status": "approved",
        "reviewed_by": "王审核",
        "revision": 0,
    }
    return QA(id=id_, question=question, answer=answer or f"{question}的答案。", **(fields | more))


TODAY = date(2026, 11, 20)
NOWHERE = "2026030200001" + numbers.check_digit("2026030200001")
LOCAL = "高龄津贴每月领多少钱"
KNOWLEDGE = [
    qa("gl-000", LOCAL, "国家没有统一标准，各地自定。", matter="高龄津贴"),
    qa("gl-cs", LOCAL, "长沙：每月 200 元。", matter="高龄津贴", region="430100"),
    qa("gl-cs-yl", LOCAL, "岳麓区：每月 260 元。", matter="高龄津贴", region="430104"),
    qa("gl-bj", LOCAL, "北京：每月 300 元。", matter="高龄津贴", region="110000"),
    qa("old-1", "自行车上牌照要多少钱", valid_to=date(2020, 12, 31)),
    qa("old-2", "粮油供应证怎么补办", valid_to=date(2019, 6, 30), replaced_by="new-2"),
    qa("new-2", "粮油购买凭证现在还需要吗", "不再需要。"),
    qa("retired", "暂住证到哪里办理", status="retired"),
    qa("paused", "养犬登记证年审流程", status="paused"),
    qa("draft", "农机补贴申请时间", status="draft", reviewed_by=None),
    qa("future", "电动轮椅上路要登记吗", valid_from=date(2099, 1, 1)),
    qa("plain", "图书馆借书证丢失如何补领", sources=[{"document": "doc", "clause": "第三条"}]),
]


def make(settings: Settings, **changes: Any) -> Assistant:
    with database.write() as session:
        document = Document(id="doc", title="图书馆条例", region="100000", status="有效", issuer="市人大")
        knowledge.upsert(session, [document])
        knowledge.upsert(session, [_copy(item) for item in KNOWLEDGE])
    settings = settings.model_copy(update={"dense": False, "answer_at": 0.5, "clarify_at": 0.4} | changes)
    settings.likely_at = settings.likely_at or settings.answer_at
    store.publish(settings, build.build(settings, calibration_for))
    return Assistant(settings, IndexReader(settings))


def _copy(item: QA) -> QA:
    return QA(**{name: getattr(item, name) for name in item.__table__.columns.keys()})  # noqa: SIM118


@pytest.fixture
def assistant(sqlite_db: Settings) -> Assistant:
    return make(sqlite_db, region="430000")


class Talk:
    """One conversation with an assistant, without the processes around it."""

    def __init__(self, assistant: Assistant, channel: str = "web") -> None:
        self.assistant = assistant
        with database.write() as session:
            made, _ = conversations.create(session, channel)
        self.id = made.id

    def say(self, text: str, act: str = "ask_policy", source: str = "here") -> Any:
        return self.turn(text, act, source)[1]

    def turn(self, text: str, act: str = "ask_policy", source: str = "here") -> tuple[str, Any]:
        """The turn's id, and the reply."""
        with database.write() as session:
            conversation = conversations.lock(session, self.id)
            receipt = turns.receive(
                session, conversation, uuid.uuid4().hex, text, self.assistant._settings, source=source
            )
        with database.read() as session:
            turn = turns.load(session, receipt.turn_id, act=act)
        replies: list[Reply] = self.assistant.respond(turn)
        assert len(replies) == 1
        return receipt.turn_id, replies[0]

    def register(self, text: str, act: str = "ask_policy") -> Any:
        """A ticket for what nothing answers: offered, and taken."""
        offer = self.say(text, act)
        assert offer.type == "text" and offer.can_report, offer
        return self.say("好")

    @property
    def memory(self) -> conversations.Context:
        with database.read() as session:
            return conversations.context_of(session.get_one(Conversation, self.id))


@pytest.fixture
def talk(assistant: Assistant) -> Talk:
    return Talk(assistant)


def test_an_answer_carries_its_source(talk: Talk) -> None:
    reply = talk.say("图书馆借书证丢失如何补领")
    assert (reply.type, reply.qa_id) == ("answer", "plain")
    assert [(s.title, s.clause, s.issuer) for s in reply.sources] == [("图书馆条例", "第三条", "市人大")]
    assert reply.note is None


def test_a_basis_to_be_checked_and_a_day_of_review_that_passed_travel_with_the_answer(talk: Talk) -> None:
    asked = "图书馆借书证丢失如何补领"
    assert [source.unverified for source in talk.say(asked).sources] == [False]
    with database.write() as session:
        qa = session.get_one(QA, "plain")
        qa.sources = [{"document": "doc", "clause": "第三条", "unverified": True}]
        qa.review_by = date(2099, 1, 1)
    reply = talk.say(asked)
    assert [source.unverified for source in reply.sources] == [True] and reply.note is None
    with database.write() as session:
        session.get_one(QA, "plain").review_by = date(2020, 1, 1)
    assert "过了复核日期" in talk.say(asked).note


def test_a_figure_without_a_date_says_so(talk: Talk) -> None:
    talk.say("我在长沙市天心区", "provide_region")
    dated = talk.say(LOCAL)
    assert dated.qa_id == "gl-cs" and "没有注明截至日期" in dated.note
    with database.write() as session:
        session.get_one(QA, "gl-cs").as_of = TODAY
    assert talk.say(LOCAL).note is None


# --- regions ---------------------------------------------------------------------------------------------------------


def test_the_region_is_asked_once_then_remembered(talk: Talk) -> None:
    asked = talk.say(LOCAL)
    assert asked.type == "text" and "哪个市" in asked.text
    assert talk.say("长沙市岳麓区").qa_id == "gl-cs-yl"
    assert talk.say(LOCAL).qa_id == "gl-cs-yl"


def test_the_own_region_first_then_its_parents_never_a_sisters(talk: Talk) -> None:
    assert talk.say("我在长沙市天心区", "provide_region").type == "text"
    assert talk.say(LOCAL).qa_id == "gl-cs"
    talk.say("我搬到株洲市了", "provide_region")
    assert talk.say(LOCAL).qa_id == "gl-000"


def test_a_region_in_the_question_counts(talk: Talk) -> None:
    assert talk.say(f"长沙市{LOCAL}").qa_id == "gl-cs"


def test_whoever_does_not_say_where_gets_the_answer_that_holds_everywhere(talk: Talk) -> None:
    talk.say(LOCAL)
    reply = talk.say(LOCAL)
    assert reply.qa_id == "gl-000"


def test_another_provinces_rule_is_never_given(talk: Talk) -> None:
    for text in (LOCAL, "海南省三亚市", LOCAL, f"北京{LOCAL}"):
        reply = talk.say(text)
        assert getattr(reply, "qa_id", "") in ("", "gl-000", "gl-bj")
        if getattr(reply, "qa_id", "") == "gl-bj":
            assert "北京" in text


def test_an_unknown_place_is_said_to_be_unknown_and_does_not_trap(talk: Talk) -> None:
    talk.say(LOCAL)
    assert "没有查到" in talk.say("桃花岛").text
    assert talk.say("图书馆借书证丢失如何补领").qa_id == "plain"


def test_an_ambiguous_place_is_asked_more_exactly(talk: Talk) -> None:
    talk.say(LOCAL)
    assert "不止一个" in talk.say("鼓楼区").text


# --- what was asked ------------------------------------------------------------------------------------------------


def test_a_reviewed_wording_is_answered_whatever_the_calibration_makes_of_it(sqlite_db: Settings) -> None:
    talk = Talk(make(sqlite_db, region="430000", answer_at=0.985, clarify_at=0.4))
    reply = talk.say("图书馆借书证丢失咋补领呀")
    assert (reply.qa_id, reply.confidence) == ("plain", 0.99)
    assert getattr(talk.say("图书馆的借书证补领要多久"), "qa_id", None) is None


STORY = (
    "上个月搬家，纸箱子堆了一屋，蓝皮的借阅本夹在旧书里一起卖给了收废品的，等想起来去追，三轮车早没影了，孩子哭着要看连环画，"
    "馆里的人说没本子不借，我跑了三趟都白跑。"
)


def test_a_long_story_that_asks_in_no_sentence_is_likely_only_where_it_leaves_hardly_a_doubt(
    sqlite_db: Settings,
) -> None:
    assistant = make(sqlite_db, region="430000", answer_at=0.985, likely_at=0.3, clarify_at=0.2)
    with database.write() as session:
        knowledge.upsert(session, [qa("story", "图书馆借阅本卖掉了还能不能补", similar=[STORY])])
    store.publish(assistant._settings, build.build(assistant._settings, calibration_for))
    reply = Talk(assistant).say(STORY)
    assert (reply.qa_id, reply.certainty) == ("story", "likely"), "never sure, whatever it says"
    other = "我又想起来别的，楼道里堆满了杂物，猫天天在上面睡，烦得很。"
    short, long = (Talk(assistant).say(STORY[:24] + more) for more in (other, f"我真是没有办法了。{other}"))
    assert (short.qa_id, short.certainty) == ("story", "likely")
    assert getattr(long, "qa_id", None) is None, "it says the same, but it is long"


def test_two_items_of_one_wording_are_no_certainty(sqlite_db: Settings) -> None:
    talk = Talk(make(sqlite_db, region="110000", answer_at=0.985, clarify_at=0.4))
    with database.write() as session:
        knowledge.upsert(session, [qa("twin", "图书馆借书证丢失如何补领", "另一个答案。")])
    store.publish(talk.assistant._settings, build.build(talk.assistant._settings, calibration_for))
    assert getattr(talk.say("图书馆借书证丢失如何补领"), "qa_id", None) is None


def test_of_several_questions_the_first_is_answered_and_the_others_wait(talk: Talk) -> None:
    reply = talk.say("图书馆借书证丢失如何补领？另外粮油购买凭证现在还需要吗？还有电动轮椅上路要登记吗")
    assert reply.qa_id == "plain"
    assert reply.more == ["粮油购买凭证现在还需要吗", "电动轮椅上路要登记吗"]
    assert "1 到 2" in talk.say("7").text
    reply = talk.say("1")
    assert (reply.qa_id, reply.more) == ("new-2", ["电动轮椅上路要登记吗"])
    assert talk.say("图书馆借书证丢失如何补领").more == []
    assert talk.say("1").type == "text"


def test_an_unclear_first_question_does_not_hide_a_clear_second(talk: Talk) -> None:
    reply = talk.say("我家那个事到底怎么弄？粮油购买凭证现在还需要吗？")
    assert (reply.qa_id, reply.more) == ("new-2", ["我家那个事到底怎么弄"])


def of_matters_apart(talk: Talk) -> None:
    """Make every item one of a matter of its own, and the index anew: what follows on an answer stays in its matter."""
    with database.write() as session:
        for one in session.scalars(select(QA)):
            one.matter = f"事项{one.id}"
    store.publish(talk.assistant._settings, build.build(talk.assistant._settings, calibration_for))


@pytest.mark.parametrize("rest", ["要带啥", "那多久能好", "网上行不"])
def test_the_rest_of_a_question_is_read_with_what_was_asked_before(talk: Talk, rest: str) -> None:
    of_matters_apart(talk)
    talk.say("图书馆借书证丢失如何补领")
    reply = talk.say(rest)
    offered = [option.qa_id for option in reply.options] if reply.type == "clarify" else [reply.qa_id]
    assert offered[0] == "plain"


def test_a_new_subject_is_not_read_with_the_old_one(talk: Talk) -> None:
    talk.say("图书馆借书证丢失如何补领")
    assert talk.say("粮油购买凭证现在还需要吗").qa_id == "new-2"


def test_the_same_question_again_keeps_its_ticket(talk: Talk) -> None:
    first = talk.register("养宠物乌龟的市民补贴怎么领")
    again = talk.register("养宠物乌龟的市民补贴怎么领？")
    assert first.type == "ticket" and again.number == first.number


def test_whoever_asks_after_their_ticket_sees_it_even_where_a_qa_tells_how(sqlite_db: Settings) -> None:
    talk = Talk(make(sqlite_db, region="430000"))
    with database.write() as session:
        knowledge.upsert(session, [qa("how", "怎么查工单进度", "打12345。", similar=["查一下我的工单进度"])])
    of_matters_apart(talk)
    assert talk.say("查一下我的工单进度", "check_ticket").qa_id == "how"
    assert talk.register("我家宠物乌龟怎么领养老金").type == "ticket"
    assert talk.say("查一下我的工单进度", "check_ticket").type == "ticket_status"


# --- validity and review ---------------------------------------------------------------------------------------------


def test_what_is_out_of_force_never_answers_as_current(talk: Talk) -> None:
    reply = talk.say("自行车上牌照要多少钱")
    assert reply.can_report and "2021年1月1日" in reply.text and "不再有效" in reply.text


def test_what_was_replaced_gives_way_to_its_replacement_and_says_so(talk: Talk) -> None:
    reply = talk.say("粮油供应证怎么补办")
    assert reply.qa_id == "new-2" and "2019年7月1日" in reply.note


@pytest.mark.parametrize("question", ["暂住证到哪里办理", "养犬登记证年审流程", "电动轮椅上路要登记吗"])
def test_retired_paused_and_future_items_become_tickets(talk: Talk, question: str) -> None:
    assert talk.register(question).type == "ticket"


def test_pausing_works_without_a_new_index(talk: Talk) -> None:
    assert talk.say("图书馆借书证丢失如何补领").type == "answer"
    with database.write() as session:
        knowledge.pause(session, "plain", "王审核")
    assert talk.register("图书馆借书证丢失如何补领").type == "ticket"


def test_two_versions_answer_each_on_their_day_across_midnight_in_china(
    sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assistant = make(sqlite_db)
    last = utcnow().astimezone(SHANGHAI).date() + timedelta(days=30)
    with database.write() as session:  # the one in force ends that day
        knowledge.edit(session, "plain", {"answer": "旧办法。", "valid_to": last}, "张编辑")
        knowledge.submit(session, "plain", "张编辑")
        knowledge.approve(session, "plain", "王审核")
        later = {
            "answer": "新办法。",
            "valid_from": last + timedelta(days=1),
            "valid_to": None,
            "similar": ["借阅凭证挂失"],
        }
        knowledge.edit(session, "plain", later, "张编辑")
        knowledge.submit(session, "plain", "张编辑")
        knowledge.approve(session, "plain", "王审核")
    store.publish(assistant._settings, build.build(assistant._settings, calibration_for))
    midnight = datetime.combine(last + timedelta(days=1), datetime.min.time(), SHANGHAI).astimezone(UTC)
    for at, text in ((midnight - timedelta(seconds=1), "旧办法。"), (midnight, "新办法。")):
        monkeypatch.setattr("index.assistant.respond.utcnow", lambda at=at: at)
        for asked in ("图书馆借书证丢失如何补领", "借阅凭证挂失"):
            reply = Talk(assistant).say(asked)
            assert (reply.type, reply.qa_id, reply.text) == ("answer", "plain", text), (at, asked)


def test_a_draft_answers_in_development_with_a_note_and_never_in_production(sqlite_db: Settings) -> None:
    assistant = make(sqlite_db)
    reply = Talk(assistant).say("农机补贴申请时间")
    assert reply.qa_id == "draft" and "待本市部门审核" in reply.note
    production = Assistant(assistant._settings.model_copy(update={"env": "production"}), assistant.reader)
    assert Talk(production).register("农机补贴申请时间").type == "ticket"
    assert Talk(production).say("图书馆借书证丢失如何补领").type == "answer"


# --- escalation ------------------------------------------------------------------------------------------------------


def test_a_daily_bound_ends_tickets_but_not_the_conversation(sqlite_db: Settings) -> None:
    talk = Talk(make(sqlite_db, tickets_per_day=2))
    kinds = [
        talk.register(f"{what}坏了谁来修").type for what in ("小区的路灯", "小区的围墙", "派出所门口的路", "医院的电梯")
    ]
    assert kinds == ["ticket", "ticket", "text", "text"]
    assert talk.say("图书馆借书证丢失如何补领").type == "answer"


def coded(code: str, phone: str | None = None) -> str:
    """The number of somebody's ticket with this query code."""
    with database.write() as session:
        number = numbers.free_number(session, utcnow())
        register.create(
            session, number=number, query_code=code, conversation_id=None, turn_id=None, kind="咨询", subject="路灯坏了",
            transcript=[], region=None, phone=phone, department=None, days=15, now=utcnow(),
        )  # fmt: skip
    return number


def test_a_ticket_opens_by_number_and_code_at_once_or_one_after_the_other(assistant: Assistant) -> None:
    number = coded("00421170")
    assert Talk(assistant).say(f"{number} 00421170").number == number
    talk = Talk(assistant)
    assert "8 位" in talk.say("查工单", "check_ticket").text
    assert "查询码" in talk.say(number).text
    assert talk.say("0042 1170").number == number
    assert talk.memory.expects == NOTHING


def test_in_dialogue_an_address_guesses_as_slowly_as_elsewhere_however_many_conversations_it_opens(
    assistant: Assistant,
) -> None:
    number, mine = coded("00421170"), coded("00421171")
    said = [Talk(assistant).say(f"{number} {n:08d}", source="attacker").text for n in range(50)]
    assert said[0] == moves.NOT_FOUND and sum(text == moves.NOT_FOUND for text in said) < 8
    assert all("后再试" in text for text in said if text != moves.NOT_FOUND)
    assert Talk(assistant).say(f"{mine} 00421171", source="attacker").number == mine  # a neighbour's own
    talk = Talk(assistant)
    assert talk.say(f"{number} 00421179", source="owner").text == moves.NOT_FOUND
    with database.read() as session:
        assert session.scalars(select(InboxMessage.source).distinct()).all() == [None]  # kept for no longer than needed


def test_an_old_ticket_that_many_guessed_at_asks_for_the_end_of_the_phone(assistant: Assistant) -> None:
    number, none = coded("004211", "13812345678"), coded("004211")
    for n in range(lookup.WATCHED_AFTER):
        for one in (number, none, NOWHERE):
            Talk(assistant).say(f"{one} 999999", source=f"attacker {n}")
    talk = Talk(assistant)
    assert talk.say(f"{number} 004211").text == phrases.ASK_PHONE_TAIL
    assert talk.say("5678").number == number
    talk = Talk(assistant)
    assert talk.say(f"{none} 004211").text == phrases.ASK_PHONE_TAIL
    assert talk.say("没有留").number == none
    assert Talk(assistant).say(f"{number} 004211 尾号5678").number == number
    talk = Talk(assistant)
    assert talk.say(f"{NOWHERE} 004211").text == phrases.ASK_PHONE_TAIL
    assert talk.say("图书馆借书证丢失如何补领").type == "answer"  # another matter
    talk = Talk(assistant)
    talk.say(f"{NOWHERE} 004211")
    assert talk.say("5678").text == moves.NOT_FOUND
    talk = Talk(assistant)
    talk.say(f"{number} 004211")
    talk.say("查工单", "check_ticket")
    said = talk.say("没有留")
    assert said.type == "text" and talk.memory.expects == NOTHING  # of no ticket that was spoken of before


def test_the_same_question_keeps_its_ticket(talk: Talk) -> None:
    first = talk.register("小区的路灯坏了谁来修")
    assert talk.register("小区的路灯坏了,谁来修?").number == first.number
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Ticket)) == 1


def test_the_transcript_is_masked_the_question_is_kept(talk: Talk) -> None:
    talk.say("我电话13912345678")
    number = talk.register("小区的路灯坏了谁来修，打我13912345678").number
    with database.read() as session:
        ticket = session.get_one(Ticket, number)
    assert "13912345678" in ticket.subject
    assert all("13912345678" not in line["text"] for line in ticket.transcript)


def test_a_complaint_retrieves_first_and_offers_to_report(talk: Talk) -> None:
    reply = talk.say("图书馆借书证丢失如何补领", "report_problem")
    assert reply.type == "answer" and reply.can_report
    ticket = talk.register("楼下广场舞半夜还在放音乐没人管", "report_problem")
    assert ticket.type == "ticket"
    with database.read() as session:
        assert session.get_one(Ticket, ticket.number).kind == "投诉"


@pytest.mark.parametrize("likely", [False, True])
def test_below_an_answer_that_can_be_registered_the_form_asks_for_what_a_ticket_must_say(
    talk: Talk, likely: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.write() as session:
        session.get_one(QA, "plain").report = ["哪个馆", "哪天丢的"]
    if likely:
        monkeypatch.setattr(talk.assistant._settings, "answer_at", 0.9999999)
    asked = "图书馆借书证丢失如何补领呢"
    reply = talk.say(asked)
    assert (reply.type, reply.certainty) == ("answer", "likely" if likely else "sure")
    assert reply.report == ["哪个馆", "哪天丢的"]
    step = talk.say("登记")
    assert "哪个馆、哪天丢的" in step.text and isinstance(talk.memory.expects, Form)
    step = talk.say("岳麓区图书馆，上周三丢的，电话13812345678")
    assert "请核对" in step.text and asked in step.text and "上周三丢的" in step.text and "138****5678" in step.text
    ticket = talk.say("是")
    assert ticket.type == "ticket"
    with database.read() as session:
        stored = session.get_one(Ticket, ticket.number)
    assert "上周三丢的" in stored.subject and (stored.region, stored.phone) == ("430104", "13812345678")


def test_where_there_is_nothing_to_register_the_same_word_opens_no_such_form(talk: Talk) -> None:
    assert talk.say("图书馆借书证丢失如何补领").report == []
    talk.say("登记")
    assert not (isinstance(talk.memory.expects, Form) and talk.memory.expects.draft["needs"])


def test_a_question_in_the_middle_of_the_form_is_answered_and_the_form_stays_open(talk: Talk) -> None:
    talk.say("我要投诉楼下烧烤店半夜油烟太大", "report_problem")
    aside = talk.say("图书馆借书证丢失如何补领？")
    assert aside.type == "answer" and "还没提交" in aside.note
    assert isinstance(talk.memory.expects, Form)
    for text in ("长沙市岳麓区", "跳过"):
        talk.say(text)
    assert talk.say("是的").type == "ticket"
    assert talk.memory.expects == NOTHING


def test_an_emergency_is_seen_in_the_middle_of_the_form(talk: Talk) -> None:
    talk.say("我要投诉", "report_problem")
    assert talk.say("着火了快来人").type == "emergency"


def test_an_explicit_order_about_how_to_complain_is_a_question(talk: Talk) -> None:
    assert talk.say("我想投诉物业找哪个部门").can_report
    assert not isinstance(talk.memory.expects, Form)


def test_ratings_are_kept_once_a_turn(talk: Talk) -> None:
    talk.say("图书馆借书证丢失如何补领")
    talk.say("有用", "rate_good")
    talk.say("没用", "rate_bad")
    with database.read() as session:
        rows = list(session.scalars(select(Rating)))
    assert [(row.helpful, row.qa_id) for row in rows] == [(False, "plain")]


def test_without_any_index_there_is_an_apology_and_a_ticket(sqlite_db: Settings) -> None:
    assistant = Assistant(sqlite_db, IndexReader(sqlite_db))
    reply = Talk(assistant).say("图书馆借书证丢失如何补领")
    assert reply.type == "ticket" and "对不起" in reply.text


def test_an_empty_message_before_does_not_hinder_a_ticket(talk: Talk) -> None:
    assert talk.say("").type == "text"
    assert talk.register("小区的路灯坏了谁来修").type == "ticket"


@pytest.mark.parametrize("text", ["图书馆借书证丢失如何补领", "", "😀"])
def test_an_apology_needs_no_index_and_no_words(assistant: Assistant, text: str) -> None:
    talk = Talk(assistant)
    with database.write() as session:
        locked = conversations.lock(session, talk.id)
        receipt = turns.receive(session, locked, "m", text, assistant._settings)
    with database.read() as session:
        turn = turns.load(session, receipt.turn_id, engine="fallback")
    (reply,) = turns.settle(turn, assistant.apologise(turn)).replies
    assert reply.type == "ticket" and "对不起" in reply.text


def test_options_out_of_range_are_refused_and_the_offer_stands(sqlite_db: Settings) -> None:
    talk = Talk(make(sqlite_db, answer_at=0.999, clarify_at=0.001))
    asked = talk.say("图书馆借书证丢失如何补领")
    assert asked.type == "clarify"
    assert "没有这个选项" in talk.say("9").text
    chosen = next(option for option in asked.options if option.qa_id == "plain")
    assert talk.say(str(chosen.number)).qa_id == "plain"


def test_a_few_words_to_a_question_back_are_read_with_it(sqlite_db: Settings) -> None:
    talk = Talk(make(sqlite_db, region="430000", answer_at=0.999, clarify_at=0.001))
    talk.say("我在长沙市天心区", "provide_region")
    for asked, told, meant in (("图书馆的证件丢失", "借书证要补领", "plain"), ("高龄津贴领多少", "每个月的", "gl-cs")):
        assert talk.say(asked).type == "clarify"
        reply = talk.say(told)
        assert (reply.type, reply.certainty, reply.qa_id) == ("answer", "likely", meant)


def test_instead_of_a_third_question_back_the_best_is_shown_as_likely(sqlite_db: Settings) -> None:
    talk = Talk(make(sqlite_db, region="430000", answer_at=0.999, clarify_at=0.001))
    talk.say("我在长沙市天心区", "provide_region")
    said = [
        talk.say(f"请问一下各位工作人员老人家的高龄津贴{what}呀")
        for what in ("到底能领多少钱", "每个月大概领多少", "究竟领得到多少钱")
    ]
    assert [reply.type for reply in said] == ["clarify", "clarify", "answer"]
    assert said[-1].certainty == "likely"


def test_a_likely_answer_is_taken_refused_or_exchanged(sqlite_db: Settings) -> None:
    assistant = make(sqlite_db, answer_at=0.999, likely_at=0.02, clarify_at=0.001)
    with database.write() as session:
        near = ["图书馆借书证丢失要不要赔钱", "图书馆借书证丢失可以挂失吗"]
        knowledge.upsert(session, [qa(f"near-{n}", text, matter="借书证") for n, text in enumerate(near)])
    store.publish(assistant._settings, build.build(assistant._settings, calibration_for))

    def shown() -> tuple[Talk, Any]:
        talk = Talk(assistant)
        reply = talk.say("我的图书馆借书证丢失了该怎么弄呢")
        assert (reply.type, reply.certainty) == ("answer", "likely") and len(reply.others) == 2
        return talk, reply

    talk, reply = shown()
    assert talk.say("对，就是这个").text == phrases.RIGHT_ONE and talk.memory.expects == NOTHING
    talk, reply = shown()
    assert talk.say("2").qa_id == reply.others[1].qa_id
    talk, reply = shown()
    assert talk.say(reply.others[0].question).qa_id == reply.others[0].qa_id
    talk, reply = shown()
    asked = talk.say("不是这个")
    assert asked.type == "clarify" and [one.qa_id for one in asked.options] == [one.qa_id for one in reply.others]
    with database.read() as session:
        assert [(row.helpful, row.qa_id) for row in session.scalars(select(Rating))] == [(False, reply.qa_id)]
    talk, reply = shown()
    assert talk.say("以上都不是").can_report and talk.say("好").type == "ticket"
    talk, reply = shown()
    assert talk.say("都不对，我是问粮油购买凭证现在还需要吗").qa_id == "new-2"


def test_whoever_refuses_what_was_offered_and_says_what_it_is_is_not_asked_back_again(sqlite_db: Settings) -> None:
    talk = Talk(make(sqlite_db, answer_at=0.999, likely_at=0.998, clarify_at=0.001))
    meant = "粮油购买凭证现在还需要吗"
    assert talk.say(meant).type == "clarify"  # by itself it would be asked back
    offered = talk.say("我的图书馆借书证丢失了该怎么弄呢")
    assert offered.type == "clarify" and "new-2" not in [one.qa_id for one in offered.options]
    told = talk.say(f"都不对，我是问{meant}")
    assert (told.type, told.qa_id, told.certainty) == ("answer", "new-2", "likely")


def test_a_likely_answer_where_a_wrong_one_costs_says_first_what_decides_and_a_sure_one_does_not(
    sqlite_db: Settings,
) -> None:
    talk = Talk(make(sqlite_db, answer_at=0.999, likely_at=0.02, clarify_at=0.001))
    asked = "我的图书馆借书证丢失了该怎么弄呢"
    assert (talk.say(asked).qa_id, talk.say(asked).condition) == ("plain", None)
    with database.write() as session:
        qa = session.get_one(QA, "plain")
        qa.stakes, qa.condition = "high", "证是丢了，不是坏了"
    reply = talk.say(asked)
    assert (reply.certainty, reply.condition) == ("likely", "证是丢了，不是坏了")
    sure = Talk(make(sqlite_db, answer_at=0.1)).say(qa.question)
    assert (sure.qa_id, sure.certainty, sure.condition) == ("plain", "sure", None)


@pytest.mark.parametrize("text", ["算了", "不用了", "先不办"])
def test_an_open_choice_can_be_left(sqlite_db: Settings, text: str) -> None:
    talk = Talk(make(sqlite_db, answer_at=0.999, clarify_at=0.001))
    assert talk.say("图书馆借书证丢失").type == "clarify"
    assert talk.say(text).text == phrases.DENY and talk.memory.expects == NOTHING


@pytest.mark.parametrize("replies", [["登记"], ["以上都不是", "好"], ["不是", "13800138000"]])
def test_a_complaint_that_was_asked_back_becomes_a_complaints_ticket(sqlite_db: Settings, replies: list[str]) -> None:
    talk = Talk(make(sqlite_db, answer_at=0.999, clarify_at=0.001))
    assert talk.say("图书馆借书证丢失没人管", "report_problem").type == "clarify"
    ticket = [talk.say(text) for text in replies][-1]
    with database.read() as session:
        assert session.get_one(Ticket, ticket.number).kind == "投诉"


def test_options_that_may_not_answer_any_more_are_not_offered_again(sqlite_db: Settings) -> None:
    talk = Talk(make(sqlite_db))
    with database.write() as session:
        memory = Options(question="图书馆借书证丢失", offered=("paused", "retired"), shown="plain")
        conversation = conversations.lock(session, talk.id)
        conversations.remember(conversation, conversations.Context(expects=memory))
    assert talk.say("不是这个").can_report


def _matter(qa_id: str) -> str:
    return next(item.matter for item in KNOWLEDGE if item.id == qa_id)


_WORDS = ["图书馆借书证", "补领", "多少钱", LOCAL, "1", "2", "最后一个", "以上都不是", "算了", "我要投诉", "是的", "不", "转人工", "跳过",
          "长沙市", "13800138000", "没用", "再说一遍", "查工单", "😀", "小区的路灯坏了谁来修", "谢谢",
          "我1976年3月出生的，什么时候退休", "着火了快来人"]  # fmt: skip
_ACTS = [
    "ask_policy",
    "follow_up",
    "choose_option",
    "affirm",
    "deny",
    "none_of_these",
    "report_problem",
    "chitchat",
    "rate_bad",
]


@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages=st.lists(st.tuples(st.sampled_from(_WORDS), st.sampled_from(_ACTS)), max_size=12))
def test_no_sequence_of_messages_traps_anyone(assistant: Assistant, messages: list[tuple[str, str]]) -> None:
    """Each message gets exactly one reply; at most two questions back about one matter; a plain question always gets through."""
    talk = Talk(assistant)
    about: list[str] = []
    for text, act in messages:
        reply = talk.say(text, act)
        about = [*about, _matter(reply.options[0].qa_id)] if reply.type == "clarify" else []
        assert len(about) <= 2 or len(set(about[-3:])) > 1
    for _ in range(2):  # an open form may ask once whether it is meant for it
        reply = talk.say("图书馆借书证丢失如何补领？")
        if reply.type == "answer":
            break
    assert reply.type == "answer" and reply.qa_id == "plain"
    assert talk.memory.expects == NOTHING or isinstance(talk.memory.expects, Form)


@pytest.mark.parametrize(
    "expected",
    [
        Options(question=LOCAL, offered=("gl-000", "plain")),
        Passages(question=LOCAL),
        Region(question=LOCAL),
        Form(draft={"step": "region", "content": "路灯坏了"}),
        Contact(ticket=NOWHERE),
        TicketNumber(),
        TicketNumber(number=NOWHERE, code="004211"),
        Options(question=LOCAL, offered=("gl-000",), shown="new-2"),
        Options(question=LOCAL, shown="new-2"),
        Offer(question="小区的路灯坏了谁来修"),
        Calculation(state={"calculator": "retirement", "inputs": {}, "hints": {}, "refused": 0}),
        Calculation(state={"calculator": "gone", "inputs": {}}),
    ],
    ids=lambda one: one.kind,
)
def test_whatever_is_expected_a_plain_question_and_a_danger_get_through(talk: Talk, expected: Expects) -> None:
    def expecting() -> None:
        with database.write() as session:
            conversation = conversations.lock(session, talk.id)
            conversations.remember(
                conversation, conversations.context_of(conversation).model_copy(update={"expects": expected})
            )

    expecting()
    assert talk.say("着火了快来人").type == "emergency" and talk.memory.expects == expected
    if expected.kind == "calculation":
        talk.say("图书馆借书证丢失如何补领")  # a calculator may ask once whether that was meant for it
    assert talk.say("图书馆借书证丢失如何补领").qa_id == "plain"
    assert talk.memory.expects == (expected if isinstance(expected, Form) else NOTHING)
    expecting()
    talk.say("算了")
    assert not isinstance(talk.memory.expects, Form | Calculation)


def test_the_steps_are_the_documented_ones() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    documented = re.search(r"^    (danger → .*)$", page, re.MULTILINE)
    assert documented is not None
    assert documented.group(1).split(" → ") == [name for name, _ in STEPS]


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("plain", "plain"),
        ("new-2", "new-2"),
        ("old-2", "new-2"),
        ("draft", "draft"),
        ("old-1", None),
        ("retired", None),
        ("paused", None),
        ("future", None),
    ],
)
def test_every_kind_of_validity_has_its_reply(talk: Talk, asked: str, answered: str | None) -> None:
    """What holds is answered, what took something's place answers for it, and for anything else a ticket is offered."""
    reply = talk.say(next(item.question for item in KNOWLEDGE if item.id == asked))
    assert getattr(reply, "qa_id", None) == answered and (answered or reply.can_report)


# --- danger ----------------------------------------------------------------------------------------------------------


def test_what_follows_on_a_danger_is_read_in_its_light_until_it_is_over(talk: Talk) -> None:
    assert talk.say("我家厨房着火了").kind == "fire"
    for said in ("打不通", "怎么办", "好的"):
        reply = talk.say(said)
        assert reply.type == "emergency" and reply.kind == "fire" and "119" in reply.lead
    over = talk.say("已经灭了")
    assert over.type == "text" and "那就好" in over.text and "119" in over.text
    assert talk.say("好的", "affirm").type == "text" and talk.memory.danger is None


def test_half_an_hour_later_a_word_is_a_word_again(talk: Talk) -> None:
    talk.say("我家厨房着火了")
    with database.write() as session:
        conversation = conversations.lock(session, talk.id)
        memory = conversations.context_of(conversation)
        assert memory.danger is not None
        memory.danger = memory.danger.model_copy(update={"at": utcnow() - timedelta(minutes=31)})
        conversations.remember(conversation, memory)
    assert talk.say("好的", "affirm").type == "text" and talk.memory.danger is None


def test_a_question_after_a_danger_is_answered(talk: Talk) -> None:
    talk.say("我家厨房着火了")
    assert talk.say("图书馆借书证丢失如何补领").qa_id == "plain"


def test_a_question_about_such_a_thing_is_answered_with_the_numbers_in_one_line(talk: Talk) -> None:
    with database.write() as session:
        knowledge.upsert(session, [qa("burnt", "家里着火了房产证烧了怎么补办", "带身份证补办。", matter="补证")])
    settings = talk.assistant._settings
    store.publish(settings, build.build(settings, calibration_for))
    reply = talk.say("去年家里着火了房产证烧了怎么补办")
    assert reply.type in ("answer", "clarify")
    said = reply.note if reply.type == "answer" else reply.text
    assert "如果现在有人有危险" in said and "119" in said


LOST = "昨晚打车下车把钱包忘在后座了，打司机电话不接"
"""The classifier half hears an accident in it"""


@pytest.fixture
def lost(assistant: Assistant) -> Assistant:
    with database.write() as session:
        wallet = qa("lost", "打车下车钱包忘在后座了，打司机电话不接", "向平台找回。", matter="打车")
        knowledge.upsert(session, [wallet, qa("smell", "厨房里一股子煤气味，头有点晕", "开窗。", matter="燃气")])
    store.publish(assistant._settings, build.build(assistant._settings, calibration_for))
    return assistant


def _hear(assistant: Assistant, text: str, memory: conversations.Context | None = None, state: Any = "bot") -> Any:
    """What the gateway says at once; None: nothing."""
    return assistant.hears(Turn("t", "c", text, state, memory or conversations.Context(), utcnow()))


def test_what_may_be_a_danger_and_may_be_a_question_gets_the_numbers_first_and_the_answer_below(
    lost: Assistant,
) -> None:
    heard = _hear(lost, LOST)
    first, second = heard.replies
    assert first.type == "emergency" and first.possible and first.phones and first.only_asking is None
    assert second.type == "answer" and second.qa_id == "lost"
    assert heard.context.danger is not None and heard.context.last_qa == "lost" and heard.look is not None
    # On what the knowledge has nothing for there is nothing below, but a way on.
    (alone,) = _hear(lost, "巷子里有个老头关着门给人打吊针，连个牌子都没有").replies
    assert alone.possible and alone.only_asking in alone.text


def test_what_is_answered_below_is_kept_as_any_question_and_as_a_danger(lost: Assistant) -> None:
    with database.write() as session:
        made, _ = conversations.create(session, "web")
        conversation = conversations.lock(session, made.id)
        receipt = turns.receive(session, conversation, "m", LOST, lost._settings, hears=lost.hears)
    assert [reply.type for reply in receipt.replies or ()] == ["emergency", "answer"]
    with database.read() as session:
        effect = session.get_one(TurnEffect, receipt.turn_id)
        kept = session.scalars(select(Asked)).one()
        assert session.scalar(select(func.count()).select_from(Alarm)) == 1
    assert (effect.act, effect.decision, effect.qa_id) == ("ask_policy", "answer", "lost")
    assert kept.act == "ask_policy" and kept.qa_id == "lost" and kept.certainty


@pytest.mark.parametrize(
    ("said", "state", "expects"),
    [
        (LOST, "human", NOTHING),  # a person answers
        (LOST, "bot", Form(draft={"step": "region", "content": "路灯坏了"})),  # the form stays open
    ],
)
def test_nothing_is_answered_below_where_somebody_else_does_or_something_else_is_open(
    lost: Assistant, said: str, state: Any, expects: Expects
) -> None:
    heard = _hear(lost, said, conversations.Context(expects=expects), state)
    assert [reply.type for reply in heard.replies] == ["emergency"] and heard.context.expects == expects


@pytest.mark.parametrize("said", ["救命，打车的时候司机打我", "着火了", "申请低保没通过，真活不下去了"])
def test_who_is_in_danger_gets_the_card_and_nothing_else(lost: Assistant, said: str) -> None:
    (card,) = _hear(lost, said).replies
    assert card.only_asking is None and "咨询" not in card.text


def test_an_index_that_fails_costs_nobody_the_number_to_call(lost: Assistant, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: Any) -> None:
        raise OSError("disk")

    monkeypatch.setattr(lost.reader, "get", broken)
    (card,) = _hear(lost, LOST).replies
    assert card.phones and card.only_asking


def test_who_only_asks_taps_and_is_answered(lost: Assistant) -> None:
    talk = Talk(lost)
    card = talk.say("厨房里一股子煤气味，头有点晕")
    assert card.type == "emergency" and not card.possible and card.only_asking
    assert talk.say("不是").only_asking == card.only_asking, "a word on the danger does not close the way"
    answer = talk.say(card.only_asking)
    assert answer.type == "answer" and answer.qa_id == "smell" and "119" in answer.note
    assert talk.memory.danger is None
    # Nothing was taken for a danger any more: the same words mean nothing by themselves.
    assert talk.say(card.only_asking).type != "answer"


def test_an_offered_question_that_is_tapped_tells_of_no_danger(lost: Assistant) -> None:
    talk = Talk(lost)
    with database.write() as session:
        conversation = conversations.lock(session, talk.id)
        options = Options(question="打车", offered=("lost", "plain"))
        conversations.remember(conversation, conversations.Context(expects=options))
    reply = talk.say("打车下车钱包忘在后座了，打司机电话不接")
    assert reply.type == "answer" and reply.qa_id == "lost"


def test_who_has_lost_somebody_hears_a_word_of_condolence_first(talk: Talk) -> None:
    reply = talk.say("我妈去世了，图书馆借书证丢失如何补领")
    opening = reply.opening if reply.type == "answer" else reply.text
    assert opening.startswith("请节哀。")


def test_an_agent_s_conversation_hears_the_card_and_nothing_else_of_the_machine(assistant: Assistant) -> None:
    def turn(text: str, state: Any, memory: conversations.Context) -> Turn:
        return Turn("t", "c", text, state, memory, utcnow())

    heard = assistant.hears(turn("我家厨房着火了", "human", conversations.Context()))
    assert heard is not None and heard.replies[0].type == "emergency"
    for said in ("已经灭了", "打不通", "好的", "图书馆借书证丢失如何补领"):
        assert assistant.hears(turn(said, "human", heard.context)) is None
    assert assistant.hears(turn("打不通", "waiting", heard.context)) is not None


def test_who_leaves_the_form_for_a_question_is_answered_and_may_go_on_later(talk: Talk) -> None:
    talk.say("我要投诉楼下烧烤店半夜油烟太大", "report_problem")
    talk.say("长沙市岳麓区")
    aside = talk.say("算了，先问下图书馆借书证丢失如何补领")
    assert aside.type == "answer" and "接着登记" in aside.note
    assert not isinstance(talk.memory.expects, Form)
    on = talk.say("接着登记")
    assert on.type == "ask" and "电话" in on.text and "跳过" in [one.say for one in on.ways]
    summary = talk.say("跳过")
    assert [one.say for one in summary.choices] == ["是"] and "改内容" in [one.say for one in summary.ways]
    assert talk.say("是").type == "ticket" and talk.memory.parked is None


@pytest.mark.parametrize("said", ["算了，不投诉了", "算了不填了", "算了"])
def test_who_leaves_the_form_for_nothing_leaves_it(talk: Talk, said: str) -> None:
    talk.say("我要投诉", "report_problem")
    assert talk.say(said).text == ticket_form.LEFT
    assert talk.memory.parked is None


def test_a_phone_at_the_wrong_step_is_taken(talk: Talk) -> None:
    talk.say("我要投诉楼下烧烤店半夜油烟太大", "report_problem")
    taken = talk.say("13812345678")
    assert taken.text == ticket_form.PHONE_TAKEN + ticket_form.ASK_REGION
    assert "138****5678" in talk.say("长沙市岳麓区").text


def test_a_number_that_is_reported_is_no_contact(talk: Talk) -> None:
    talk.say("我要举报")
    talk.say("有诈骗电话13912345678冒充社保局给我爸打了三次")
    assert "未留" in talk.say("跳过").text or isinstance(talk.memory.expects, Form)
    assert talk.memory.expects.draft["phone"] is None


@pytest.mark.parametrize("said", ["转人工", "我要投诉楼下烧烤店半夜油烟太大"])
def test_a_trial_registers_nothing_and_asks_for_nobody(assistant: Assistant, said: str) -> None:
    talk = Talk(assistant, channel="trial")
    replies = [talk.say(one) for one in (said, "跳过", "跳过", "是", "着火了快来人", "好")]
    assert any(getattr(one, "text", "").startswith("试用") for one in replies)
    assert "emergency" in [one.type for one in replies]
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Ticket)) == 0
        assert session.scalar(select(func.count()).select_from(Alarm)) == 0


def test_an_answer_whose_document_was_repealed_says_so_and_by_setting_is_none(
    assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = "图书馆借书证丢失如何补领"
    assert Talk(assistant).say(question).note is None
    with database.write() as session:
        reviews.change(session, "doc", "repealed", date(2026, 11, 1), "bj01", "市人大第3号公告")
    told = Talk(assistant).say(question)
    assert told.type == "answer" and "《图书馆条例》从2026年11月1日起已废止，我们正在核对" in told.note
    monkeypatch.setenv("YIHAODA_STOP_REPEALED", "true")
    forget()
    with database.write() as session:
        reviews.daily(session, utcnow().date())
    stopped = Talk(assistant).say(question)
    assert stopped.type == "text" and stopped.can_report
    assert "依据的文件从2026年11月1日起已不再有效，新的答复还在核对" in stopped.text
