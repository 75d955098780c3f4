"""Processes that crash, hang and come back: no message is lost, none is answered twice."""

from __future__ import annotations

import concurrent.futures
import contextlib
import signal
import sqlite3
import threading
import time
from collections.abc import Callable

import httpx
import pytest
from processes import Citizen, Stack
from sqlalchemy import func, select

from bot import database, jobs, turns
from bot.models.conversations import InboxMessage, OutboxMessage, TurnEffect
from bot.models.jobs import Job
from bot.models.tickets import Ticket
from connectors.run import supervisor

TEXTS = ("身份证丢了咋补办", "护照多少钱", "你好", "养宠物乌龟的市民补贴在哪里申请领取", "谢谢", "身份证", "2")


@pytest.fixture
def fragile(own_stack: Stack) -> Stack:
    """This module's stack, whole again after what the test before did to it: every service is there, and Rasa is asked again."""
    own_stack.handle.wait_ready(timeout_s=120)
    deadline = time.monotonic() + 30  # several turns without an answer, and it is not asked for ten seconds
    while True:
        before = own_stack.metric("yihaoda_fallbacks_total")
        Citizen(own_stack).say("谢谢")
        if own_stack.metric("yihaoda_fallbacks_total") == before:
            return own_stack
        assert time.monotonic() < deadline, "Rasa is not asked again"
        time.sleep(1)


def settled(stack: Stack, seconds: float = 60) -> None:
    """Wait until every message has its effect, then check that each has exactly one, and one reply."""
    with stack.database():
        deadline = time.monotonic() + seconds
        while True:
            with database.read() as session:
                waiting = turns.unsettled(session)
            if not waiting or time.monotonic() > deadline:
                break
            time.sleep(0.3)
        assert not waiting
        with database.read() as session:
            messages = set(session.scalars(select(InboxMessage.turn_id)))
            effects = set(session.scalars(select(TurnEffect.turn_id)))
            persons = set(session.scalars(select(TurnEffect.turn_id).where(TurnEffect.decision == turns.FORWARDED)))
            replied = list(session.scalars(select(OutboxMessage.turn_id).where(OutboxMessage.sender == "bot")))
            ticketed = list(session.scalars(select(Ticket.turn_id)))
    assert effects == messages == set(replied) | persons
    assert len(replied) == len(set(replied))
    assert len(ticketed) == len(set(ticketed))


def stubborn(citizen: Citizen, text: str, message_id: str) -> dict[str, object]:
    """Send as a client does: the same message again until it is answered."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            response = citizen.post(text, message_id)
        except httpx.HTTPError:
            time.sleep(0.25)
            continue
        if response.status_code == 200:
            body: dict[str, object] = response.json()
            return body
        assert response.status_code in (202, 503), response.text
        time.sleep(0.25)
    raise AssertionError(f"{message_id} was never answered")


@pytest.mark.parametrize("victim", ["rasa", "actions", "gateway"])
def test_kill_9_in_mid_turn(fragile: Stack, victim: str) -> None:
    stack = fragile
    citizens = [Citizen(stack) for _ in range(6)]

    def talk(number: int) -> list[dict[str, object]]:
        return [stubborn(citizens[number], text, f"m{n}") for n, text in enumerate(TEXTS)]

    with concurrent.futures.ThreadPoolExecutor(len(citizens)) as pool:
        talks = [pool.submit(talk, number) for number in range(len(citizens))]
        for pause in (0.4, 2.5):
            time.sleep(pause)
            with contextlib.suppress(LookupError):  # it may be down already
                stack.handle.kill(victim)
        answers = [talked.result() for talked in talks]
    assert all(body["replies"] for bodies in answers for body in bodies)
    settled(stack)
    stack.handle.wait_ready(timeout_s=120)
    assert citizens[0].say("身份证丢了咋补办")["type"] == "answer"


@pytest.mark.full
@pytest.mark.parametrize("victim", ["gateway", "rasa", "actions"])
def test_a_stopped_service_is_restarted_and_nobody_waits_in_vain(
    fragile: Stack, victim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "LIVE_EVERY_S", 2.0)
    monkeypatch.setattr(supervisor, "LIVE_TIMEOUT_S", 2.0)
    stack = fragile
    citizen = Citizen(stack)
    before = stack.handle.hangs(victim)
    stack.handle.signal(victim, signal.SIGSTOP)
    citizen.http.timeout = 5
    assert stubborn(citizen, "身份证丢了咋补办", "m1")["replies"]
    deadline = time.monotonic() + 120
    while stack.handle.hangs(victim) == before:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    stack.handle.wait_ready(timeout_s=120)
    settled(stack)
    assert [message["sender"] for message in citizen.messages()] == ["citizen", "bot"]


@pytest.mark.parametrize("held_s", [2.5, 4.5], ids=["rasa", "fallback"])
def test_held_back_while_a_person_takes_over_the_assistant_says_nothing(fragile: Stack, held_s: float) -> None:
    """Rasa hangs for less, or for longer, than we wait for it: its turn is the person's, in both."""
    stack = fragile
    citizen, later = Citizen(stack), Citizen(stack)
    with stack.http(headers=stack.person("taker", "小陈")) as http:
        assert http.put("/api/desk/duty", json={"hours": 1}).status_code == 204
        stack.handle.signal("rasa", signal.SIGSTOP)
        try:
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                asked = pool.submit(citizen.post, "身份证丢了咋补办", "m1")
                in_danger = pool.submit(later.post, "我家着火了快来人", "m1")
                time.sleep(0.5)
                for one in (citizen, later):
                    assert http.post(f"/api/desk/conversations/{one.id}/takeover").status_code == 204
                answered = asked.result(timeout=20).json()
                assert (answered["state"], answered["replies"]) == ("human", [])  # at once, not when Rasa is back
                assert in_danger.result(timeout=20).json()["replies"][0]["type"] == "emergency"
                time.sleep(held_s)
        finally:
            stack.handle.signal("rasa", signal.SIGCONT)
        time.sleep(2)
        assert [message["sender"] for message in citizen.messages()] == ["citizen", "system"]
        assert http.get(f"/api/desk/conversations/{citizen.id}").json()["unanswered"] == "身份证丢了咋补办"
        assert [message["sender"] for message in later.messages()] == ["citizen", "bot", "system"]
        for one in (citizen, later):
            assert http.post(f"/api/desk/conversations/{one.id}/hand-back").status_code == 204
        assert http.put("/api/desk/duty", json={"hours": 0}).status_code == 204
    stack.handle.wait_ready(timeout_s=120)
    assert citizen.say("护照多少钱")["type"] == "answer"


def test_messages_left_by_a_dead_gateway_are_answered_after_its_restart(fragile: Stack) -> None:
    stack = fragile
    citizen = Citizen(stack)
    stack.handle.signal("rasa", signal.SIGSTOP)  # so that the turn is surely under way
    sender = threading.Thread(target=lambda: _ignoring_errors(lambda: citizen.post("身份证丢了咋补办", "m1")))
    sender.start()
    time.sleep(1)
    stack.handle.kill("gateway")
    sender.join()
    stack.handle.signal("rasa", signal.SIGCONT)
    stack.handle.wait_ready(timeout_s=120)
    settled(stack)
    said = citizen.messages()
    assert [message["sender"] for message in said] == ["citizen", "bot"]
    assert said[1]["replies"][0]["type"] == "answer"
    assert citizen.say("身份证丢了咋补办", "m1") == said[1]["replies"][0]


def _ignoring_errors(call: Callable[[], object]) -> None:
    with contextlib.suppress(httpx.HTTPError):
        call()


def test_an_action_server_that_hangs_in_mid_escalation(fragile: Stack) -> None:
    stack = fragile
    citizen = Citizen(stack)
    before = stack.metric("yihaoda_fallbacks_total")
    stack.handle.signal("actions", signal.SIGSTOP)
    threading.Timer(5, stack.handle.signal, ("actions", signal.SIGCONT)).start()
    reply = citizen.say("转人工")
    assert reply["type"] == "ticket"
    time.sleep(6)  # the action server wakes up and finishes its turn: too late
    assert stack.metric("yihaoda_fallbacks_total") == before + 1
    settled(stack)
    with stack.database(), database.read() as session:
        made = select(func.count()).select_from(Ticket).where(Ticket.conversation_id == citizen.id)
        assert session.scalar(made) == 1
    assert [message["sender"] for message in citizen.messages()] == ["citizen", "bot"]
    assert citizen.say("护照多少钱")["type"] == "answer"


def test_rasa_dies_between_the_options_and_the_choice(fragile: Stack) -> None:
    stack = fragile
    citizen = Citizen(stack)
    asked = citizen.say("身份证")
    assert asked["type"] == "clarify"
    stack.handle.kill("rasa")
    assert citizen.say("2")["qa_id"] == asked["options"][1]["qa_id"]
    again = citizen.say("身份证")
    assert again["type"] == "clarify"
    stack.handle.wait_ready(timeout_s=120)  # a new Rasa, which has never heard of this conversation
    assert citizen.say("第一个")["qa_id"] == again["options"][0]["qa_id"]


def test_without_rasa_answers_still_come_and_the_metric_says_so(fragile: Stack) -> None:
    stack = fragile
    citizen = Citizen(stack)
    before = stack.metric("yihaoda_fallbacks_total")
    assert citizen.say("身份证丢了咋补办")["type"] == "answer"
    assert stack.metric("yihaoda_fallbacks_total") == before
    stack.handle.stop("rasa")
    assert citizen.say("护照多少钱")["type"] == "answer"
    assert citizen.say("谢谢")["type"] == "text"
    assert citizen.say("转人工")["type"] == "ticket"
    assert stack.metric("yihaoda_fallbacks_total") == before + 3
    with stack.http() as http:
        assert http.get("/readyz").json()["status"] == "degraded"
    stack.handle.restart("rasa")


def test_a_database_locked_for_a_while_delays_and_loses_nothing(fragile: Stack) -> None:
    stack = fragile
    citizen = Citizen(stack)
    blocker = sqlite3.connect(stack.settings.data_dir / "yihaoda.db", isolation_level=None, check_same_thread=False)
    blocker.execute("BEGIN IMMEDIATE")
    threading.Timer(4, blocker.execute, ("ROLLBACK",)).start()
    assert stubborn(citizen, "身份证丢了咋补办", "m1")["replies"]
    settled(stack)


def test_a_database_locked_for_long_is_a_clear_error_and_the_message_can_be_sent_again(
    fragile: Stack,
) -> None:
    stack = fragile
    citizen = Citizen(stack)
    blocker = sqlite3.connect(stack.settings.data_dir / "yihaoda.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    refused = citizen.post("身份证丢了咋补办", "m1")
    assert refused.status_code == 503 and refused.json()["error"]["code"] == "busy"
    blocker.execute("ROLLBACK")
    assert citizen.say("身份证丢了咋补办", "m1")["type"] == "answer"
    settled(stack)


def test_without_the_job_worker_citizens_are_answered_and_it_comes_back(fragile: Stack) -> None:
    stack = fragile
    stack.handle.stop("jobs")
    assert Citizen(stack).say("身份证丢了咋补办")["type"] == "answer"
    with stack.database():
        with database.write() as session:
            made = jobs.request(session, "recalculate", "张三")
        assert state_of(made) == jobs.WAITING
        stack.handle.restart("jobs")
        stack.handle.kill("jobs")  # however it ends: it is started again
        stack.handle.wait_ready("jobs")
        deadline = time.monotonic() + 60
        while state_of(made) != jobs.DONE:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def state_of(job_id: str) -> str:
    with database.read() as session:
        return session.get_one(Job, job_id).state
