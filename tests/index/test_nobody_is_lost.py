"""Every public-service question ends answered, ticketed, or in the list of the unanswered."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bot import database
from bot.clock import utcnow
from bot.settings import ROOT, Settings
from bot.unanswered import QUIET, Unanswered, unanswered
from tests.index.test_assistant import Talk, make
from training.fit import read_questions

QUESTIONS = [
    row["q"]
    for name in ("questions", "questions_a", "questions_b", "lived")
    for row in read_questions(ROOT / "training" / "questions" / f"{name}.jsonl")
    if row.get("scope") == "service"
]
THEN = [
    "",
    "算了",
    "不用",
    "都不是",
    "不是这个",
    "那社保卡呢",
    "谢谢",
    "图书馆借书证丢失如何补领",
    "没用",
    "再说一遍",
    "1",
    "好",
]
SETTLED = ("answer", "ticket", "calculation", "handover", "emergency")


def listed(talk: Talk, later: timedelta = QUIET + timedelta(minutes=1)) -> list[Unanswered]:
    with database.read() as session:
        return [one for one in unanswered(session, utcnow() + later) if one.conversation_id == talk.id]


@pytest.fixture
def assistant(sqlite_db: Settings):  # type: ignore[no-untyped-def]
    return make(sqlite_db, region="430000")


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(asked=st.sampled_from(QUESTIONS), then=st.sampled_from(THEN))
def test_a_question_ends_answered_ticketed_or_in_the_list(assistant, asked: str, then: str) -> None:  # type: ignore[no-untyped-def]
    talk = Talk(assistant)
    replies, kinds = [talk.say(asked)], {talk.memory.expects.kind}
    if then:
        replies.append(talk.say(then))
    kinds.add(talk.memory.expects.kind)
    open_form = bool(kinds & {"form", "calculation", "region", "ticket"})  # or let go by the citizen, in words
    picked = replies[0].type == "clarify" and any(then == one.question for one in replies[0].options)
    chosen = any(reply.type in SETTLED for reply in replies[: 2 if then in ("1", "好") or picked else 1])
    assert chosen or open_form or listed(talk), [reply.type for reply in replies]


def test_what_was_taken_up_is_not_listed_and_nothing_is_within_ten_minutes(sqlite_db: Settings) -> None:
    talk = Talk(make(sqlite_db, answer_at=0.999, clarify_at=0.001))
    assert talk.say("图书馆的证件丢失").type == "clarify"
    assert listed(talk, timedelta()) == []
    (one,) = listed(talk)
    assert one.question == "图书馆的证件丢失" and "反问" in one.came_of
    assert talk.say("1").type == "answer"
    assert listed(talk) == []


def test_a_ticket_taken_is_not_listed_one_declined_is(sqlite_db: Settings) -> None:
    assistant = make(sqlite_db)
    taken, declined = Talk(assistant), Talk(assistant)
    for talk in (taken, declined):
        assert talk.say("我家宠物乌龟怎么领养老金").can_report
    assert taken.say("好").type == "ticket" and listed(taken) == []
    declined.say("不用", "deny")
    (one,) = listed(declined)
    assert "没有登记" in one.came_of and one.question == "我家宠物乌龟怎么领养老金"


def test_a_question_that_went_to_a_person_is_not_listed(sqlite_db: Settings) -> None:
    talk = Talk(make(sqlite_db))
    talk.say("我家宠物乌龟怎么领养老金")
    assert talk.say("转人工").type == "ticket" and listed(talk) == []


def test_a_question_left_for_another_is_listed(sqlite_db: Settings) -> None:
    talk = Talk(make(sqlite_db))
    talk.say("我家宠物乌龟怎么领养老金")
    assert talk.say("图书馆借书证丢失如何补领").type == "answer"
    assert [one.question for one in listed(talk)] == ["我家宠物乌龟怎么领养老金"]
