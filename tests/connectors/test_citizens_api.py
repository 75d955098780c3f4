"""The citizens' routes on the real gateway and a real database; Rasa is down, so the gateway answers by itself."""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from conftest import forget
from fastapi.testclient import TestClient
from processes import signed_in
from sqlalchemy import func, select

from bot import conversations, database, knowledge
from bot.clock import utcnow
from bot.models.conversations import ChannelUser, Conversation, InboxMessage, OutboxMessage, Rating, TurnEffect
from bot.models.housekeeping import AuditEntry
from bot.models.knowledge import QA
from bot.models.tickets import Ticket
from bot.settings import Settings, get_settings
from bot.tickets import board, lookup, moves, numbers
from bot.turns import Outcome, Turn
from connectors.gateway.app import create_app
from connectors.web.limits import PerMinute
from tests.index.test_assistant import make

ASKED = "图书馆借书证丢失如何补领"
UNKNOWN = "火星移民签证在哪里办理"
NOWHERE = "2026030200001" + numbers.check_digit("2026030200001")
NOBODY = f"/api/conversations/{'0' * 32}"
CHANGSHA, YUELU, HUNAN, BEIJING = "430100", "430104", "430000", "110000"


class Citizen:
    """One conversation."""

    def __init__(self, http: TestClient) -> None:
        self.http = http
        opened = http.post("/api/conversations").json()
        self.path, self.id = f"/api/conversations/{opened['id']}", opened["id"]
        self.headers = {"Authorization": f"Bearer {opened['token']}"}

    def call(self, method: str, path: str = "", **more: Any) -> httpx.Response:
        return self.http.request(method, self.path + path, headers=self.headers, **more)

    def say(self, text: str, message_id: str | None = None) -> httpx.Response:
        return self.call("POST", "/messages", json={"message_id": message_id or uuid.uuid4().hex, "text": text})

    def ticket(self, text: str = UNKNOWN) -> dict[str, Any]:
        """A ticket, made by asking what nobody knows."""
        assert self.say(text).json()["replies"][0]["can_report"]
        made = self.say("好").json()["replies"][0]
        assert made["type"] == "ticket", made
        return made  # type: ignore[no-any-return]


class Opened:
    """A ticket, as whoever has number and code sees it."""

    def __init__(self, http: TestClient, made: dict[str, Any]) -> None:
        self.http, self.number, self.code = http, made["number"], made["query_code"]
        self.path = f"/api/tickets/{self.number}"

    def read(self) -> dict[str, Any]:
        return self.http.post(self.path, json={"code": self.code}).json()  # type: ignore[no-any-return]

    def correct(self, **body: Any) -> httpx.Response:
        return self.http.put(f"{self.path}/contact", json={"code": self.code} | body)

    def rate(self, grade: str, note: str | None = None, **more: Any) -> httpx.Response:
        body = {"code": self.code, "grade": grade} | ({"note": note} if note is not None else {}) | more
        return self.http.post(f"{self.path}/rating", json=body)

    def answer(self, text: str = "请到市图书馆办理。") -> None:
        with database.write() as session:
            moves.claim(session, self.number, "小李")
            moves.reply(session, self.number, "小李", text)


@pytest.fixture
def http(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    for name, value in {
        "DENSE": "false",
        "RASA_PORT": "1",  # nobody there
        "CITY": "长沙",
        "REGION": CHANGSHA,
        "MINIPROGRAM_TEMPLATE": "tpl-1",
    }.items():
        monkeypatch.setenv(f"YIHAODA_{name}", value)
    forget()
    assistant = make(get_settings())
    monkeypatch.setattr("connectors.gateway.app.get_assistant", lambda: assistant)
    # The log would go to a standard error that ends with the test.
    monkeypatch.setattr("connectors.gateway.app.logs.configure", lambda level: None)
    with TestClient(create_app(), raise_server_exceptions=False) as client:
        assert client.portal is not None
        client.portal.call(_loaded, client)
        yield client


async def _loaded(client: TestClient) -> None:
    """Wait until the index is in memory."""
    await client.app.state.gateway.loading  # type: ignore[attr-defined]


@pytest.fixture
def citizen(http: TestClient) -> Citizen:
    return Citizen(http)


@pytest.fixture
def ticket(citizen: Citizen) -> Opened:
    return Opened(citizen.http, citizen.ticket())


def code(response: httpx.Response, status: int) -> str:
    """The error's code; every error has the one shape and Chinese words."""
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert set(error) == {"code", "message"} and any(character >= "\u4e00" for character in error["message"])
    return str(error["code"])


# --- what can be looked up -------------------------------------------------------------------------------------------


def test_the_site_says_whose_it_is(http: TestClient) -> None:
    assert http.get("/api/site").json() == {
        "city": "长沙",
        "region": {"code": CHANGSHA, "name": "湖南省长沙市"},
        "retention_days": 180,
        "asked_days": 365,
        "hotline": "12345",
        "seal": None,
        "wechat_templates": ["tpl-1"],
        "version": "0.1.0",
    }


def test_regions_lead_from_the_served_one_down_to_its_districts(http: TestClient) -> None:
    assert http.get("/api/regions").json() == [{"code": CHANGSHA, "name": "长沙市", "leaf": False}]
    parts = http.get("/api/regions", params={"parent": CHANGSHA}).json()
    assert {"code": YUELU, "name": "岳麓区", "leaf": True} in parts
    assert [part["code"] for part in parts] == sorted(part["code"] for part in parts)
    assert http.get("/api/regions", params={"parent": YUELU}).json() == []
    assert code(http.get("/api/regions", params={"parent": "999999"}), 404) == "not_found"
    for bad in ("43", "4301000", "abcdef", "", "' OR 1"):
        assert code(http.get("/api/regions", params={"parent": bad}), 422) == "invalid_input"


def test_themes_hold_what_may_be_answered_here_and_now(http: TestClient) -> None:
    listed = {theme["id"]: theme for theme in http.get("/api/themes").json()}
    assert set(listed) == {"retirement", "other"}  # 高龄津贴 is in the file, 测试事项 in no theme
    # Of the same question in the nation, the city and a district the nearest; Beijing's is another place's.
    assert listed["retirement"]["questions"] == [{"qa_id": "gl-cs-yl", "question": "高龄津贴每月领多少钱"}]
    other = http.get("/api/themes/other").json()
    assert [one["qa_id"] for one in other["matters"][0]["questions"]] == ["draft", "new-2", "plain"]
    assert other["title"] == "其他" and other["questions"] == other["matters"][0]["questions"]
    with database.write() as session:
        knowledge.pause(session, "plain", "王审核")
    assert "plain" not in str(http.get("/api/themes/other").json())  # at once
    for nothing in ("birth", "no-such", "%E2%80%AE"):
        assert code(http.get(f"/api/themes/{nothing}"), 404) == "not_found"
    assert code(http.get(f"/api/themes/{'x' * 33}"), 422) == "invalid_input"


def test_looking_through_the_themes_has_a_limit(http: TestClient) -> None:
    here = http.app.state.gateway  # type: ignore[attr-defined]
    object.__setattr__(here, "lookups", PerMinute(2))
    answered = [http.get("/api/themes").status_code for _ in range(3)]
    assert answered == [200, 200, 429]


# --- conversations ---------------------------------------------------------------------------------------------------


def test_a_citizen_says_where_they_are_and_the_answer_follows(citizen: Citizen) -> None:
    assert citizen.call("GET").json() == {"id": citizen.id, "state": "bot", "region": None, "privacy_agreed": None}
    for region, name in ((YUELU, "湖南省长沙市岳麓区"), (HUNAN, "湖南省"), ("100000", "全国")):
        chosen = citizen.call("PUT", "/region", json={"region": region})
        assert chosen.json()["region"] == {"code": region, "name": name}
    citizen.call("PUT", "/region", json={"region": CHANGSHA})
    said = citizen.say("高龄津贴每月领多少钱").json()["replies"][0]
    assert said["text"].startswith("长沙")
    assert citizen.call("GET").json()["region"]["code"] == CHANGSHA
    assert citizen.call("PUT", "/region", json={"region": None}).json()["region"] is None


@pytest.mark.parametrize("region", [BEIJING, "999999", "43010", "４３０１００", "", 430100, ["430100"]])
def test_a_region_that_is_not_ours_or_none_is_refused(citizen: Citizen, region: object) -> None:
    citizen.call("PUT", "/region", json={"region": YUELU})
    assert code(citizen.call("PUT", "/region", json={"region": region}), 422) == "invalid_input"
    assert code(citizen.call("PUT", "/region", json={}), 422) == "invalid_input"
    assert citizen.call("GET").json()["region"]["code"] == YUELU


def test_agreement_to_the_privacy_notice_is_kept_with_its_time(citizen: Citizen) -> None:
    for version in ("2026-11", "2026-11", "2026-12"):
        assert citizen.call("PUT", "/privacy", json={"version": version}).json()["privacy_agreed"] == version
    citizen.say(ASKED)  # a turn leaves it alone
    assert citizen.call("GET").json()["privacy_agreed"] == "2026-12"
    with database.read() as session:
        kept = conversations.context_of(session.get_one(Conversation, citizen.id)).privacy
        agreed = session.scalars(select(AuditEntry).where(AuditEntry.action == "conversation.privacy")).all()
    assert kept is not None and utcnow() - kept.at < timedelta(minutes=1)
    assert [entry.detail["version"] for entry in agreed] == ["2026-11", "2026-12"]  # once a version
    for bad in ("", "x" * 33, "v 1", "<b>", None, 1):
        assert code(citizen.call("PUT", "/privacy", json={"version": bad}), 422) == "invalid_input"


def test_what_the_citizen_sets_while_a_turn_is_answered_stays(
    citizen: Citizen, monkeypatch: pytest.MonkeyPatch
) -> None:
    with halfway(citizen, monkeypatch) as go_on:
        citizen.call("PUT", "/region", json={"region": YUELU})
        citizen.call("PUT", "/privacy", json={"version": "1"})
        assert go_on().json()["replies"]
    now = citizen.call("GET").json()
    assert (now["region"]["code"], now["privacy_agreed"]) == (YUELU, "1")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("PUT", "/region", {"region": YUELU}),
        ("PUT", "/privacy", {"version": "1"}),
        ("DELETE", "", None),
        ("GET", "/tickets", None),
    ],
)
def test_only_its_own_token_opens_a_conversation(
    citizen: Citizen, method: str, path: str, body: dict[str, str] | None
) -> None:
    other = Citizen(citizen.http)
    before = citizen.call("GET").json()
    for headers, status in (
        ({}, 401),
        ({"Authorization": "Basic x"}, 401),
        ({"Authorization": "Bearer wrong"}, 403),
        (other.headers, 403),
    ):
        answered = citizen.http.request(method, citizen.path + path, headers=headers, json=body)
        code(answered, status)
        code(citizen.http.request(method, NOBODY + path, headers=headers, json=body), status)
    assert citizen.call("GET").json() == before


def test_settings_have_a_limit(citizen: Citizen) -> None:
    here = citizen.http.app.state.gateway  # type: ignore[attr-defined]
    object.__setattr__(here, "messages", PerMinute(2))
    answered = [citizen.call("PUT", "/privacy", json={"version": str(n)}).status_code for n in range(3)]
    assert answered == [200, 200, 429]


def test_history_shows_how_a_reply_was_rated(citizen: Citizen) -> None:
    turn = citizen.say(ASKED).json()["turn_id"]
    citizen.say("谢谢")

    def helpful() -> list[object]:
        return [message["helpful"] for message in citizen.call("GET", "/messages").json()["messages"]]

    assert helpful() == [None, None, None, None]
    for word in (False, True):
        rated = citizen.call("POST", "/ratings", json={"helpful": word, "turn_id": turn})
        assert rated.status_code == 204
        assert helpful() == [None, word, None, None]


def test_own_tickets_are_listed_the_newest_first(citizen: Citizen) -> None:
    assert citizen.call("GET", "/tickets").json() == []
    first, second = (
        citizen.ticket(),
        citizen.ticket("金星移民签证和木星长期居留许可分别在哪里办理，我的电话是13812345678"),
    )
    Citizen(citizen.http).ticket()
    listed = citizen.call("GET", "/tickets").json()
    assert [one["number"] for one in listed] == [second["number"], first["number"]]
    assert listed[1] | {"created_at": ""} == {
        "number": first["number"],
        "query_code": first["query_code"],
        "kind": "咨询",
        "subject": UNKNOWN,
        "state": "待受理",
        "created_at": "",
    }
    assert "138****5678" in listed[0]["subject"]


# --- when many ask ---------------------------------------------------------------------------------------------------


def test_who_comes_when_too_many_wait_is_told_so_and_answered_all_the_same(citizen: Citizen) -> None:
    here = citizen.http.app.state.gateway  # type: ignore[attr-defined]
    here.dispatcher._backlog = -1
    told = citizen.say(ASKED, "m1")
    assert told.status_code == 202
    assert (told.json()["replies"], told.json()["deferred"]) == ([], True)
    assert "已经收到" in told.json()["notice"]
    here.dispatcher._backlog = 200
    again = citizen.say(ASKED, "m1")
    assert again.status_code == 200 and again.json()["notice"] is None
    assert [message["sender"] for message in citizen.call("GET", "/messages").json()["messages"]] == ["citizen", "bot"]


@pytest.mark.parametrize("limit", ["_per_conversation", "_per_address"])
def test_too_many_streams_are_refused_and_messages_are_not(citizen: Citizen, limit: str) -> None:
    here = citizen.http.app.state.gateway  # type: ignore[attr-defined]
    setattr(here.notifier, limit, 0)
    headers = citizen.headers | {"Accept": "text/event-stream"}
    opened = citizen.http.get(f"{citizen.path}/messages", headers=headers)
    assert code(opened, 429) == "too_many"
    assert int(opened.headers["Retry-After"]) > 0
    assert citizen.say(ASKED).status_code == 200
    assert len(citizen.call("GET", "/messages").json()["messages"]) == 2


# --- erasing ---------------------------------------------------------------------------------------------------------


class halfway:
    """A message of the citizen's is being answered; the context's value lets the answer go on and gives what came back."""

    def __init__(self, citizen: Citizen, monkeypatch: pytest.MonkeyPatch) -> None:
        self.citizen, self.monkeypatch = citizen, monkeypatch
        self.begun, self.go = threading.Event(), threading.Event()
        self.answered: list[httpx.Response] = []

    def __enter__(self) -> Any:
        assistant = self.citizen.http.app.state.gateway.assistant  # type: ignore[attr-defined]
        decide = assistant.decide

        def slow(turn: Turn) -> Outcome:
            outcome: Outcome = decide(turn)
            self.begun.set()
            assert self.go.wait(20)
            return outcome

        self.monkeypatch.setattr(assistant, "decide", slow)
        self.thread = threading.Thread(target=lambda: self.answered.append(self.citizen.say(UNKNOWN)))
        self.thread.start()
        assert self.begun.wait(20)
        return self.finish

    def finish(self) -> httpx.Response:
        self.go.set()
        self.thread.join(30)
        return self.answered[0]

    def __exit__(self, *_: object) -> None:
        self.go.set()
        self.thread.join(30)


def rows() -> dict[str, int]:
    tables = (Conversation, InboxMessage, OutboxMessage, TurnEffect, Rating, ChannelUser)
    with database.read() as session:
        return {table.__tablename__: session.scalar(select(func.count()).select_from(table)) or 0 for table in tables}


def test_erasing_leaves_nothing_but_tickets_without_their_link(citizen: Citizen) -> None:
    made = Opened(citizen.http, citizen.ticket())
    turn = citizen.say(ASKED).json()["turn_id"]
    citizen.call("POST", "/ratings", json={"helpful": True, "turn_id": turn})
    with database.write() as session:
        session.add(
            ChannelUser(
                channel="wechat",
                user_digest="d",
                conversation_id=citizen.id,
                address="o1",
                push_until=utcnow(),
                pushes_left=0,
            )
        )
    other = Citizen(citizen.http)
    other.say(ASKED)
    kept = rows()
    assert kept["ratings"] == kept["channel_users"] == 1
    erased = citizen.call("DELETE")
    assert (erased.status_code, erased.content) == (204, b"")
    assert rows() == {"conversations": 1, "inbox": 1, "outbox": 1, "turns": 1, "ratings": 0, "channel_users": 0}
    assert len(other.call("GET", "/messages").json()["messages"]) == 2
    with database.read() as session:
        ticket = session.get_one(Ticket, made.number)
        assert (ticket.conversation_id, ticket.turn_id) == (None, None)
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "conversation.erase")).one()
        assert entry.subject == citizen.id
    assert made.read()["state"] == "待受理"
    for method, path in (("GET", ""), ("GET", "/messages"), ("GET", "/tickets"), ("DELETE", "")):
        assert code(citizen.call(method, path), 403) == "forbidden"
    assert code(citizen.say(ASKED), 403) == "forbidden"


def test_a_ticket_whose_conversation_was_erased_can_be_answered(citizen: Citizen, ticket: Opened) -> None:
    citizen.call("DELETE")
    operator = signed_in("xiaoli", "小李")
    path = f"/api/desk/tickets/{ticket.number}"
    assert citizen.http.post(f"{path}/claim", headers=operator).status_code == 200
    answered = citizen.http.post(f"{path}/reply", json={"text": "没有。"}, headers=operator)
    assert answered.status_code == 200, answered.text
    assert ticket.read()["answer"] == "没有。"


def test_erasing_ends_an_agents_claim(citizen: Citizen) -> None:
    operator = signed_in("xiaoli", "小李")
    citizen.http.put("/api/desk/duty", json={"hours": 1}, headers=operator)
    taken = citizen.http.post(f"/api/desk{citizen.path.removeprefix('/api')}/takeover", headers=operator)
    assert taken.status_code == 204
    assert citizen.call("DELETE").status_code == 204
    spoken = citizen.http.post(
        f"/api/desk{citizen.path.removeprefix('/api')}/messages",
        json={"text": "您好"},
        headers=operator,
    )
    assert code(spoken, 404) == "not_found"
    assert rows()["outbox"] == 0


def test_erasing_while_a_message_is_answered_brings_nothing_back(
    citizen: Citizen, monkeypatch: pytest.MonkeyPatch
) -> None:
    with halfway(citizen, monkeypatch) as go_on:
        assert citizen.call("DELETE").status_code == 204
        assert code(go_on(), 403) == "forbidden"
    assert set(rows().values()) == {0}
    with database.read() as session:
        assert session.scalars(select(Ticket)).all() == []
    monkeypatch.undo()
    assert citizen.http.get("/healthz").status_code == 200


def test_a_follower_of_an_erased_conversation_hears_no_more(citizen: Citizen) -> None:
    citizen.say(ASKED)
    got: list[str] = []

    def follow() -> None:
        headers = citizen.headers | {"Accept": "text/event-stream"}
        got.append(citizen.http.get(f"{citizen.path}/messages", headers=headers).text)  # until the stream ends

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    here = citizen.http.app.state.gateway  # type: ignore[attr-defined]
    deadline = time.monotonic() + 20
    while citizen.id not in here.notifier._feeds and time.monotonic() < deadline:
        time.sleep(0.01)
    assert citizen.call("DELETE").status_code == 204
    thread.join(20)
    assert got and got[0].count("event: message") in (0, 2)


# --- tickets ---------------------------------------------------------------------------------------------------------


def test_a_ticket_says_what_it_is_and_what_can_be_done(ticket: Opened) -> None:
    read = ticket.read()
    assert (read["kind"], read["subject"], read["region"], read["phone_tail"]) == ("咨询", UNKNOWN, None, None)
    assert read["can"] == ["add", "correct", "withdraw"] and read["created_at"]
    ticket.answer()
    assert ticket.read()["can"] == ["rate"]
    assert ticket.rate("满意").json()["can"] == []


def test_phone_and_region_are_corrected_and_removed(ticket: Opened) -> None:
    assert code(ticket.correct(phone="138 1234 5678"), 422) == "invalid_input"  # no consent
    assert ticket.read()["phone_tail"] is None
    corrected = ticket.correct(phone="138 1234 5678", region=YUELU, consent=True).json()
    assert corrected["phone_tail"] == "5678"
    assert corrected["region"] == {"code": YUELU, "name": "湖南省长沙市岳麓区"}
    assert corrected["events"][-1]["text"] == "已更新联系电话和所在地区。"
    assert "1381234" not in str(corrected)
    with database.read() as session:
        assert session.get_one(Ticket, ticket.number).phone == "13812345678"
    same = ticket.correct(phone="13812345678", consent=True).json()
    assert len(same["events"]) == len(corrected["events"])  # nothing differs, nothing is written
    cleared = ticket.correct(phone=None).json()  # what is left out stays
    assert (cleared["phone_tail"], cleared["region"]["code"]) == (None, YUELU)
    assert cleared["events"][-1]["text"] == "已删除联系电话。"
    assert ticket.correct(region=None).json()["region"] is None


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"phone": "12345", "consent": True},
        {"phone": "", "consent": True},
        {"phone": "找王先生13812345678", "consent": True},
        {"phone": "1" * 33, "consent": True},
        {"phone": 13812345678, "consent": True},
        {"phone": "13812345678", "consent": False},
        {"phone": "13812345678", "consent": None},
        {"region": "999999"},
        {"region": "岳麓区"},
        {"region": ""},
        {"region": YUELU, "name": "王"},
    ],
)
def test_a_correction_that_makes_no_sense_changes_nothing(ticket: Opened, body: dict[str, Any]) -> None:
    before = ticket.read()
    assert code(ticket.correct(**body), 422) == "invalid_input"
    assert ticket.read() == before


def test_an_answered_ticket_is_not_corrected(ticket: Opened) -> None:
    ticket.answer()
    assert code(ticket.correct(region=YUELU), 409) == "illegal_move"


def test_a_good_grade_finishes_a_ticket(ticket: Opened) -> None:
    assert code(ticket.rate("满意"), 409) == "illegal_move"  # nothing to rate yet
    ticket.answer()
    rated = ticket.rate("非常满意", "回复很快").json()
    assert rated["state"] == "已评价" and rated["events"][-1]["text"] == "评价：非常满意。回复很快"
    assert code(ticket.rate("满意"), 409) == "illegal_move"  # once


def test_a_bad_grade_is_verified_once_and_the_second_is_kept_for_the_supervisor(ticket: Opened) -> None:
    ticket.answer()
    for note in (None, "", "  ", "太差", "。。。。。。。"):
        assert code(ticket.rate("不满意", note), 422) == "invalid_input"
    again = ticket.rate("不满意", "没有回答我问的问题").json()
    assert (again["state"], again["can"]) == ("重办", ["add", "correct", "withdraw"])
    assert [event["state"] for event in again["events"][-3:]] == ["已办结", "已评价", "重办"]
    day = f"{board.day_shown(utcnow() + timedelta(days=15))[:4]}年"
    assert "核实您的评价" in again["events"][-1]["text"] and day in again["events"][-1]["text"]
    assert "核实您的评价" in again["text"] and again["due_at"]
    operator = signed_in("xiaoli", "小李")
    claimed = ticket.http.post(f"/api/desk/tickets/{ticket.number}/claim", headers=operator).json()
    assert "评价：不满意。没有回答我问的问题" in [event["note"] for event in claimed["events"]]
    with database.write() as session:
        moves.reply(session, ticket.number, "xiaoli", "已经当面核实。")
    last = ticket.rate("非常不满意", "还是没有解决问题").json()
    assert (last["state"], last["can"], last["due_at"]) == ("已评价", [], None)
    assert "督办" in last["text"]
    with database.read() as session:
        graded = session.scalars(
            select(AuditEntry).where(AuditEntry.action == "ticket.评价").order_by(AuditEntry.id)
        ).all()
    assert [(entry.detail["grade"], entry.detail["verified"]) for entry in graded] == [
        ("不满意", False),
        ("非常不满意", True),
    ]
    assert "没有回答我问的" not in str([entry.detail for entry in graded])


@pytest.mark.parametrize("body", [{"grade": "好"}, {"grade": None}, {"grade": "满意", "note": "长" * 501}, {}])
def test_a_rating_that_makes_no_sense_changes_nothing(ticket: Opened, body: dict[str, Any]) -> None:
    ticket.answer()
    refused = ticket.http.post(f"{ticket.path}/rating", json={"code": ticket.code} | body)
    assert code(refused, 422) == "invalid_input"
    assert ticket.read()["state"] == "已答复"


def test_a_wrong_code_or_number_reads_the_same_and_who_guesses_waits(ticket: Opened) -> None:
    wrong, right = {"code": "0" * 8 if ticket.code != "0" * 8 else "1" * 8}, {"code": ticket.code}
    changes: dict[str, tuple[str, dict[str, str]]] = {
        "": ("POST", {}),
        "/contact": ("PUT", {"region": YUELU}),
        "/supplements": ("POST", {"text": "补充"}),
        "/rating": ("POST", {"grade": "满意"}),
        "/withdrawal": ("POST", {}),
    }
    for n, (path, (method, body)) in enumerate(changes.items()):
        guesser = TestClient(ticket.http.app, client=(f"10.0.0.{n}", 1))
        for status in (404, 429):
            heard = [
                guesser.request(method, f"/api/tickets/{number}{path}", json=body | wrong)
                for number in (ticket.number, NOWHERE)
            ]
            assert heard[0].text == heard[1].text and code(heard[0], status)
            assert heard[0].headers.get("Retry-After") == heard[1].headers.get("Retry-After")
        assert heard[0].headers["Retry-After"] == "1"
        assert code(guesser.request(method, ticket.path + path, json=body | right), 429) == "too_many"
        if path == "/rating":
            ticket.answer()
        elsewhere = ticket.http.request(method, ticket.path + path, json=body | right)
        assert elsewhere.status_code == (409 if path == "/withdrawal" else 200), path


def test_the_dialogue_and_the_routes_count_an_address_as_one_source(ticket: Opened) -> None:
    wrong = "0" * 8 if ticket.code != "0" * 8 else "1" * 8
    for n in range(6):
        said = Citizen(ticket.http).say(f"{ticket.number} {wrong}").json()["replies"][0]["text"]
        assert said == moves.NOT_FOUND if n == 0 else "后再试" in said or said == moves.NOT_FOUND
    assert "后再试" in said
    assert code(ticket.http.post(ticket.path, json={"code": ticket.code}), 429) == "too_many"
    elsewhere = TestClient(ticket.http.app, client=("10.0.0.1", 1))
    assert elsewhere.post(ticket.path, json={"code": ticket.code}).status_code == 200


def test_a_whole_network_of_ipv6_addresses_is_one_source(ticket: Opened) -> None:
    wrong = {"code": "0" * 8 if ticket.code != "0" * 8 else "1" * 8}
    statuses = [
        TestClient(ticket.http.app, client=(address, 1)).post(ticket.path, json=wrong).status_code
        for address in ("2001:db8::7", "2001:db8::8:9", "2001:db8:0:1::7", "::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2")
    ]
    assert statuses == [404, 429, 404, 404, 429, 404]


def test_the_conversation_that_made_it_opens_a_ticket_without_a_code(citizen: Citizen) -> None:
    made = citizen.ticket()
    http, path, own = citizen.http, f"/api/tickets/{made['number']}", {"conversation": citizen.id}

    def post(what: str = "", **body: object) -> httpx.Response:
        return http.post(path + what, json=own | body, headers=citizen.headers)

    for _ in range(30):  # somebody behind the same address guesses
        http.post(path, json={"code": "000000"})
    assert post().json()["number"] == made["number"]
    assert post("/supplements", text="是两只").status_code == 200
    assert http.put(f"{path}/contact", json=own | {"region": YUELU}, headers=citizen.headers).status_code == 200
    assert post("/withdrawal").json()["state"] == "已撤回"
    other = Citizen(http)
    hers = other.ticket("金星移民签证和木星长期居留许可分别在哪里办理")
    refused = [http.post(f"/api/tickets/{one}", json=own, headers=citizen.headers) for one in (hers["number"], NOWHERE)]
    assert refused[0].text == refused[1].text and code(refused[0], 404) == "not_found"
    assert code(http.post(path, json=own, headers=other.headers), 403) == "forbidden"
    assert code(http.post(path, json=own), 401) == "unauthorised"


def test_what_opens_no_ticket_is_refused(ticket: Opened) -> None:
    bodies: list[dict[str, object]] = [
        {},
        {"code": None},
        {"code": "1" * 8, "conversation": "0" * 32},
        {"code": "1" * 17},
        {"code": 12345678},
        {"code": "1" * 8, "phone_tail": "567"},
        {"code": "1" * 8, "phone_tail": "13812345678"},
        {"code": "1" * 8, "number": "1"},
        {"conversation": "\x00" * 32},
    ]
    for body in bodies:
        assert code(ticket.http.post(ticket.path, json=body), 422) == "invalid_input"


def test_an_old_code_that_many_guessed_at_needs_the_phone_as_well(ticket: Opened) -> None:
    with database.write() as session:
        session.get_one(Ticket, ticket.number).query_code = "004211"
        session.get_one(Ticket, ticket.number).phone = "13812345678"
    for n in range(lookup.WATCHED_AFTER):
        guesser = TestClient(ticket.http.app, client=(f"10.0.0.{n}", 1))
        assert guesser.post(ticket.path, json={"code": "999999"}).status_code == 404
    asked = ticket.http.post(ticket.path, json={"code": "004211"})
    assert code(asked, 422) == "phone_tail_needed"
    assert asked.text == ticket.http.post(ticket.path, json={"code": "999999"}).text
    body = {"code": "004211", "phone_tail": "5678", "text": "补充"}
    assert ticket.http.post(f"{ticket.path}/supplements", json=body).status_code == 200
    assert ticket.http.post(ticket.path, json={"code": "004211", "phone_tail": ""}).status_code == 404


def test_no_code_goes_into_an_address(ticket: Opened) -> None:
    refused = ticket.http.get(ticket.path, params={"code": ticket.code})
    assert code(refused, 405) == "method_not_allowed" and ticket.number not in refused.text


def test_looking_tickets_up_has_a_limit(ticket: Opened) -> None:
    here = ticket.http.app.state.gateway  # type: ignore[attr-defined]
    object.__setattr__(here, "lookups", PerMinute(2))
    statuses = [ticket.http.post(ticket.path, json={"code": ticket.code}).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]


def test_operators_see_what_is_personal_only_where_they_ask_for_it_on_record(citizen: Citizen) -> None:
    secrets = ("13812345678", "430104199003071234", "12345678")
    said = "金星移民签证在哪里办理，我的电话是13812345678，身份证号430104199003071234"
    made = citizen.ticket(said)
    number = made["number"]
    body = {
        "code": made["query_code"],
        "text": "补充：还有一个电话13812345678",
        "phone": "13812345678",
        "consent": True,
    }
    citizen.http.post(f"/api/tickets/{number}/supplements", json={k: body[k] for k in ("code", "text")})
    citizen.http.put(f"/api/tickets/{number}/contact", json={k: body[k] for k in ("code", "phone", "consent")})
    turn = citizen.say(said + "呢").json()["turn_id"]
    with database.write() as session:
        session.get_one(Conversation, citizen.id).state = "waiting"
    http, headers = citizen.http, signed_in("xiaoli", "小李")
    path, why = f"/api/desk/tickets/{number}", {"reason": "要给市民回电话"}

    def seen(method: str, path: str, body: dict[str, str] | None = None) -> str:
        answered = http.request(method, path, json=body, headers=headers)
        assert answered.is_success, answered.text
        return answered.text

    assert code(http.post(f"{path}/reveal", json=why, headers=headers), 403) == "forbidden"  # not theirs yet
    views = [
        seen("GET", "/api/desk/tickets"),
        seen("POST", f"{path}/claim"),
        seen("GET", "/api/desk/conversations"),
        seen("GET", f"/api/desk/turns/{turn}"),
    ]
    whole = json.loads(seen("POST", f"{path}/reveal", why))
    views += [
        seen("POST", f"{path}/reply", {"text": "已联系13812345678。"}),
        seen("POST", f"{path}/close"),
    ]
    for view in views:
        assert made["query_code"] not in view and not any(secret in view for secret in secrets), view
    assert number in views[0] and "138****5678" in views[0]
    assert whole["phone"] == "13812345678" and "430104199003071234" in whole["subject"]
    assert any("13812345678" in event["note"] for event in whole["events"])
    with database.read() as session:
        looked = session.scalars(select(AuditEntry).where(AuditEntry.action == "ticket.查看")).all()
    assert [(entry.actor, entry.subject) for entry in looked] == [("xiaoli", number)]


def test_nothing_of_the_api_is_kept_or_guessed_at_on_the_way(http: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError

    for path in (
        "/api/site",
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/api/nothing",
        "/api/desk/tickets",
    ):
        headers = http.get(path).headers
        assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff"), path
    monkeypatch.setattr(conversations, "create", crash)
    crashed = http.post("/api/conversations")
    assert (crashed.status_code, crashed.headers["Cache-Control"]) == (500, "no-store")


def test_the_page_about_the_api_brings_all_that_it_needs(http: TestClient) -> None:
    page = http.get("/api/docs")
    wanted = re.findall(r"(?:src|href)=\"([^\"]+)\"|url: '([^']+)'", page.text)
    assert len(wanted) == 4
    for one in wanted:
        address = "".join(one)
        assert address.startswith("/") and http.get(address).status_code == 200, address
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert not re.findall(r"https?://", page.headers["Content-Security-Policy"])


def test_changes_of_a_ticket_have_a_limit(ticket: Opened) -> None:
    here = ticket.http.app.state.gateway  # type: ignore[attr-defined]
    object.__setattr__(here, "messages", PerMinute(1))
    assert ticket.correct(region=YUELU).status_code == 200
    assert code(ticket.correct(region=None), 429) == "too_many"
    assert ticket.read()["region"]["code"] == YUELU


def test_the_question_behind_a_theme_gets_its_answer(citizen: Citizen) -> None:
    citizen.call("PUT", "/region", json={"region": YUELU})
    for theme in citizen.http.get("/api/themes").json():
        for question in theme["questions"]:
            reply = citizen.say(question["question"]).json()["replies"][0]
            assert reply["type"] == "answer"
            with database.read() as session:
                assert session.get_one(QA, reply["qa_id"]).question == question["question"]


def test_a_citizen_gets_a_copy_of_all_that_is_kept(citizen: Citizen) -> None:
    citizen.call("PUT", "/region", json={"region": YUELU})
    citizen.call("PUT", "/privacy", json={"version": "1"})
    made = citizen.ticket(UNKNOWN)
    for number in range(3):
        citizen.say(f"{ASKED}{number}")
    copy = citizen.call("GET", "/copy").json()
    said = [one["text"] for one in copy["messages"] if one["sender"] == "citizen"]
    assert said[-1] == f"{ASKED}2" and [one["seq"] for one in copy["messages"]] == sorted(
        one["seq"] for one in copy["messages"]
    )
    assert [one["number"] for one in copy["tickets"]] == [made["number"]]
    assert (copy["region"]["code"], copy["privacy"]["version"], copy["kept_days"]) == (YUELU, "1", 180)
    assert code(citizen.http.get(f"{NOBODY}/copy", headers=citizen.headers), 403) == "forbidden"
