"""A person takes over, over HTTP: who may, what the citizen sees of it, and what happens by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from processes import signed_in
from sqlalchemy import select

from bot import conversations, database
from bot.accounts import people
from bot.clock import utcnow
from bot.desk import words
from bot.models.conversations import ChannelUser, Conversation, HumanService, OutboxMessage
from bot.models.knowledge import QA
from bot.models.tickets import Ticket
from bot.settings import Settings
from connectors.desk.minding import mind
from connectors.turns.typing import Typing
from tests.connectors.desk_gateway import code_of, serving


@pytest.fixture
def http(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    with serving(monkeypatch) as client:
        yield client


def on_duty(http: TestClient, number: str, *roles: str) -> dict[str, str]:
    headers = signed_in(number, number, *roles)
    assert http.put("/api/desk/duty", json={"hours": 8}, headers=headers).status_code == 204
    return headers


class Visitor:
    """A citizen's conversation."""

    def __init__(self, http: TestClient) -> None:
        self.http = http
        opened = http.post("/api/conversations").json()
        self.id, self.headers = opened["id"], {"Authorization": f"Bearer {opened['token']}"}
        self.path, self.desk = f"/api/conversations/{self.id}", f"/api/desk/conversations/{self.id}"
        self.count = 0

    def say(self, text: str) -> dict[str, Any]:
        self.count += 1
        body = {"message_id": f"m{self.count}", "text": text}
        said = self.http.post(f"{self.path}/messages", json=body, headers=self.headers)
        assert said.status_code == 200, said.text
        return dict(said.json())

    def sees(self) -> dict[str, Any]:
        return dict(self.http.get(f"{self.path}/messages", headers=self.headers).json())

    def last(self) -> dict[str, Any]:
        return dict(self.sees()["messages"][-1])


@pytest.fixture
def citizen(http: TestClient) -> Visitor:
    return Visitor(http)


def test_from_asking_to_rating(http: TestClient, citizen: Visitor) -> None:
    wang, li = on_duty(http, "1001"), on_duty(http, "1002")
    (asked,) = citizen.say("转人工")["replies"]
    assert asked["state"] == "waiting" and "您是下一位" in asked["text"]
    assert citizen.sees()["queue"] == {"position": 1, "minutes": None}
    other = Visitor(http)
    assert "前面还有 1 位" in other.say("转人工")["replies"][0]["text"]
    assert "前面还有 1 位" in other.say("转人工")["replies"][0]["text"]  # asked again it stays where it is

    assert http.post(f"{citizen.desk}/claim", headers=wang).status_code == 204
    assert code_of(http.post(f"{citizen.desk}/claim", headers=li), 409) == "illegal_move"
    seen = citizen.sees()
    assert (seen["state"], seen["agent"], seen["queue"], seen["typing"]) == ("human", "1001", None, False)
    assert citizen.last()["replies"][0]["text"] == words.TAKEN.format(agent="1001")
    assert citizen.say("我想问护照")["replies"] == []
    read = http.get(citizen.desk, headers=wang).json()
    assert read["unanswered"] == "我想问护照" and read["mine"] and read["owed_since"]

    body = {"text": "护照一百二。", "message_id": "a-1", "qa_id": "hz-002", "edited": True}
    first = http.post(f"{citizen.desk}/messages", json=body, headers=wang).json()
    for _ in range(4):
        assert http.post(f"{citizen.desk}/messages", json=body, headers=wang).json() == first
    assert [one["agent"] for one in citizen.sees()["messages"] if one["sender"] == "agent"] == ["1001"]
    assert http.get(citizen.desk, headers=wang).json()["unanswered"] is None
    assert code_of(http.post(f"{citizen.desk}/messages", json={"text": "我也来"}, headers=li), 409) == "illegal_move"
    assert code_of(http.post(f"{citizen.desk}/messages", json={"text": " "}, headers=wang), 422) == "invalid_input"

    assert http.post(f"{citizen.desk}/transfer", json={"to": "1002"}, headers=wang).status_code == 204
    assert citizen.last()["replies"][0]["text"] == words.PASSED_ON.format(agent="1002")
    assert code_of(http.put("/api/desk/duty", json={"hours": 0}, headers=li), 409) == "illegal_move"
    assert http.post(f"{citizen.desk}/hand-back", headers=li).status_code == 204
    (handed,) = citizen.last()["replies"]
    assert handed["service"] and handed["agent"] == "1002"
    for _ in range(3):  # no loop: a greeting does not hand over again
        assert citizen.say("您好")["state"] == "bot"
    rating = f"{citizen.path}/services/{handed['service']}/rating"
    assert http.post(rating, json={"rating": 3}, headers=citizen.headers).status_code == 204
    assert code_of(http.post(rating, json={"rating": 4}, headers=citizen.headers), 422) == "invalid_input"
    assert code_of(http.post(rating, json={"rating": 3}, headers=other.headers), 403) == "forbidden"
    elsewhere = f"{other.path}/services/{handed['service']}/rating"
    assert code_of(http.post(elsewhere, json={"rating": 3}, headers=other.headers), 404) == "not_found"


@pytest.mark.parametrize(("said", "rating"), [("满意", 3), ("一般般吧", 2), ("很不满意", 1)])
def test_it_is_rated_in_words_too(http: TestClient, citizen: Visitor, said: str, rating: int) -> None:
    wang = on_duty(http, "1001")
    http.post(f"{citizen.desk}/takeover", headers=wang)
    http.post(f"{citizen.desk}/close", headers=wang)
    assert "谢谢您的评价" in citizen.say(said)["replies"][0]["text"]
    with database.read() as session:
        assert session.scalars(select(HumanService)).one().rating == rating


def test_whatever_else_is_said_rates_nothing(http: TestClient, citizen: Visitor) -> None:
    wang = on_duty(http, "1001")
    http.post(f"{citizen.desk}/takeover", headers=wang)
    http.post(f"{citizen.desk}/hand-back", headers=wang)
    assert "谢谢您的评价" not in citizen.say("借书证丢了怎么补")["replies"][0]["text"]
    citizen.say("满意")
    with database.read() as session:
        assert session.scalars(select(HumanService)).one().rating is None


@pytest.mark.parametrize("by_word", [True, False])
def test_leaving_the_queue(http: TestClient, citizen: Visitor, by_word: bool) -> None:
    on_duty(http, "1001")
    citizen.say("转人工")
    if by_word:
        assert "不再排队" in citizen.say("不等了")["replies"][0]["text"]
    else:
        assert http.delete(f"{citizen.path}/queue", headers=citizen.headers).status_code == 204
        assert citizen.last()["replies"][0]["text"] == words.LEFT
        again = http.delete(f"{citizen.path}/queue", headers=citizen.headers)
        assert code_of(again, 409) == "illegal_move"
    assert citizen.sees()["state"] == "bot"
    with database.read() as session:
        assert session.scalars(select(HumanService.end)).all() == ["leave"]


def test_a_supervisor_steps_in_whispers_and_sees_the_floor(http: TestClient, citizen: Visitor) -> None:
    wang, boss = on_duty(http, "1001"), on_duty(http, "1003", "supervisor")
    http.post(f"{citizen.desk}/takeover", headers=wang)
    before = len(citizen.sees()["messages"])
    for path, body in (("step-in", None), ("whispers", {"text": "x"})):
        assert code_of(http.post(f"{citizen.desk}/{path}", json=body, headers=wang), 403) == "forbidden"
    assert http.post(f"{citizen.desk}/whispers", json={"text": "先问户口"}, headers=boss).status_code == 204
    assert http.post(f"{citizen.desk}/notes", json={"text": "老人，慢点"}, headers=wang).status_code == 204
    assert code_of(http.post(f"{citizen.desk}/notes", json={"text": " "}, headers=wang), 422) == "invalid_input"
    written = http.get(citizen.desk, headers=wang).json()["notes"]
    assert [(one["author"], one["kind"], one["text"]) for one in written] == [
        ("1003", "whisper", "先问户口"),
        ("1001", "note", "老人，慢点"),
    ]
    assert len(citizen.sees()["messages"]) == before
    floor = http.get("/api/desk/floor", headers=boss).json()
    assert floor["states"] == {"bot": 0, "waiting": 0, "human": 1, "closed": 0}
    assert [(one["number"], one["conversations"], one["owed"]) for one in floor["on_duty"]] == [
        ("1001", 1, 1),
        ("1003", 0, 0),
    ]
    assert code_of(http.get("/api/desk/floor", headers=wang), 403) == "forbidden"
    assert http.post(f"{citizen.desk}/step-in", headers=boss).status_code == 204
    assert citizen.sees()["agent"] == "1003"
    assert [one["number"] for one in http.get("/api/desk/colleagues", headers=wang).json()["people"]] == [
        "1001",
        "1003",
    ]


def test_a_ticket_and_a_draft_for_the_knowledge_come_of_it(http: TestClient, citizen: Visitor) -> None:
    wang = on_duty(http, "1001")
    body = {"kind": "投诉", "subject": "楼下烧烤店油烟大，我的电话13812345678", "phone": "13812345678"}
    assert code_of(http.post(f"{citizen.desk}/ticket", json=body, headers=wang), 409) == "illegal_move"
    citizen.say("您好")
    http.post(f"{citizen.desk}/takeover", headers=wang)
    made = http.post(f"{citizen.desk}/ticket", json=body, headers=wang)
    assert made.status_code == 201, made.text
    (told,) = citizen.last()["replies"]
    assert told["type"] == "ticket" and told["number"] == made.json()["number"] and told["number"] in told["text"]
    read = http.get(citizen.desk, headers=wang)
    assert [one["number"] for one in read.json()["tickets"]] == [told["number"]] and "13812345678" not in read.text
    for wrong in ({"kind": "抱怨"}, {"subject": ""}, {"kind": "投诉", "extra": 1}):
        assert code_of(http.post(f"{citizen.desk}/ticket", json=body | wrong, headers=wang), 422) == "invalid_input"
    draft = {"question": "临时摊位怎么申请", "answer": "到街道办申请，由当地定。"}
    proposed = http.post(f"{citizen.desk}/knowledge", json=draft, headers=wang)
    assert proposed.status_code == 201
    with database.read() as session:
        qa = session.get_one(QA, proposed.json()["qa_id"])
        assert (qa.status, qa.question, session.get_one(Ticket, told["number"]).phone) == (
            "draft",
            draft["question"],
            "13812345678",
        )


# --- by itself -------------------------------------------------------------------------------------------------------


def minded(http: TestClient, later: timedelta = timedelta(), patch: pytest.MonkeyPatch | None = None) -> list[str]:
    """What the gateway does by itself, now or later."""
    here = http.app.state.gateway  # type: ignore[attr-defined]
    at = utcnow() + later
    if patch:
        patch.setattr("connectors.desk.minding.utcnow", lambda: at)
    return list(mind(here.settings, here.assistant))


def test_when_the_last_one_leaves_whoever_waits_gets_a_ticket(http: TestClient, citizen: Visitor) -> None:
    wang = on_duty(http, "1001")
    citizen.say("借书证丢了怎么补")
    citizen.say("转人工")
    assert minded(http) == []
    assert http.put("/api/desk/duty", json={"hours": 0}, headers=wang).status_code == 204
    assert minded(http) == [citizen.id]
    assert minded(http) == []
    (told,) = citizen.last()["replies"]
    assert told["type"] == "ticket" and "12345" in told["text"] and citizen.sees()["state"] == "bot"
    with database.read() as session:
        assert session.get_one(Ticket, told["number"]).subject == "借书证丢了怎么补"
        assert session.scalars(select(HumanService.end)).all() == ["nobody"]
    assert "已记到工单" in citizen.say("13812345678")["replies"][0]["text"]  # and the phone is still taken
    assert citizen.say("转人工")["replies"][0]["type"] == "ticket"  # nobody is there: no queue with nobody in it


def test_nobody_answers_and_nobody_else_is_there(
    http: TestClient, citizen: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_duty(http, "1001")
    citizen.say("转人工")
    http.post(f"{citizen.desk}/claim", headers=signed_in("1001", "1001"))
    assert minded(http, timedelta(minutes=4), monkeypatch) == [citizen.id]
    assert citizen.sees()["queue"] == {"position": 1, "minutes": None}
    with database.write() as session:
        people.get(session, "1001", locked=True).on_duty_until = utcnow()
    assert minded(http, timedelta(minutes=4), monkeypatch) == [citizen.id]
    assert citizen.last()["replies"][0]["type"] == "ticket"


def test_a_silent_citizen_is_let_go(http: TestClient, citizen: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    wang = on_duty(http, "1001")
    http.post(f"{citizen.desk}/takeover", headers=wang)
    http.post(f"{citizen.desk}/messages", json={"text": "您好"}, headers=wang)
    assert minded(http, timedelta(minutes=9), monkeypatch) == []
    assert minded(http, timedelta(minutes=11), monkeypatch) == [citizen.id]
    assert citizen.sees()["state"] == "closed"


# --- where words cannot get to ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hours", "left", "now", "says"),
    [(1, 5, True, ""), (1, 2, True, "还能发 2 条"), (1, 0, False, "不让再推送"), (-1, 5, False, "不让再推送")],
)
def test_before_writing_one_is_told_whether_it_gets_there(
    http: TestClient, hours: int, left: int, now: bool, says: str
) -> None:
    wang = on_duty(http, "1001")
    with database.write() as session:
        made, _ = conversations.create(session, "wechat")
        session.flush()
        session.add(
            ChannelUser(
                channel="wechat",
                user_digest="d",
                conversation_id=made.id,
                address="o1",
                push_until=utcnow() + timedelta(hours=hours),
                pushes_left=left,
            )
        )
    reach = http.get(f"/api/desk/conversations/{made.id}", headers=wang).json()["reach"]
    assert (reach["now"], reach["left"]) == (now, left) and says in reach["words"]


def test_who_writes_is_known_for_some_seconds_and_only_of_whoever_has_it(http: TestClient, citizen: Visitor) -> None:
    clock = [0.0]
    typing = Typing(lambda: clock[0])
    typing.note("c", "1001")
    assert typing.writes("c", "1001") and not typing.writes("c", "1002") and not typing.writes("d", "1001")
    clock[0] = 7.0
    assert not typing.writes("c", "1001")
    wang = on_duty(http, "1001")
    http.post(f"{citizen.desk}/takeover", headers=wang)
    with http.websocket_connect("/api/desk/events", headers=wang) as socket:
        socket.receive_json()
        for said in ('{"typing": 7}', '{"typing": "../x"}', f'{{"typing": "{citizen.id}"}}'):
            socket.send_text(said)
        for _ in range(100):
            if citizen.sees()["typing"]:
                break
    assert citizen.sees()["typing"]
    http.post(f"{citizen.desk}/messages", json={"text": "您好"}, headers=wang)
    assert not citizen.sees()["typing"]


def test_outbox_and_history_say_which_person_spoke(http: TestClient, citizen: Visitor) -> None:
    wang = on_duty(http, "1001")
    http.post(f"{citizen.desk}/takeover", headers=wang)
    http.post(f"{citizen.desk}/messages", json={"text": "您好"}, headers=wang)
    with database.read() as session:
        assert [one.agent for one in session.scalars(select(OutboxMessage).order_by(OutboxMessage.seq))] == [
            "1001",
            "1001",
        ]
        assert session.get_one(Conversation, citizen.id).agent == "1001"
    assert http.get(citizen.desk, headers=wang).json()["messages"][-1]["agent_name"] == "1001"
