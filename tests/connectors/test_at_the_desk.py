"""What conversations and calls share, over HTTP: reports, choices, states, calls owed, civil words, short messages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from processes import signed_in
from sqlalchemy import select

from bot import conversations, database
from bot.desk import callbacks, words
from bot.models.callbacks import Callback
from bot.models.conversations import DeskNote
from bot.models.desk import AgentState, Choice, Shield
from bot.models.doubts import Doubt
from bot.models.knowledge import QA
from bot.settings import Settings
from connectors.desk.minding import mind
from tests.connectors.desk_gateway import code_of, serving
from tests.connectors.test_takeover import Visitor, on_duty

ITEM, QUESTION = "plain", "图书馆借书证丢失如何补领"
SHOWN = [{"qa_id": ITEM, "place": 1, "band": "sure"}, {"qa_id": "new-2", "place": 2, "band": "reference"}]


@pytest.fixture
def http(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    with serving(monkeypatch) as client:
        yield client


@pytest.fixture
def citizen(http: TestClient) -> Visitor:
    return Visitor(http)


def minded(http: TestClient) -> list[str]:
    here = http.app.state.gateway  # type: ignore[attr-defined]
    return list(mind(here.settings, here.assistant))


def earlier(model: Any, **by: timedelta) -> None:
    """Whatever there is began so much earlier."""
    with database.write() as session:
        for one in session.scalars(select(model)):
            for name, span in by.items():
                setattr(one, name, getattr(one, name) - span)


def test_from_reporting_an_item_to_pausing_it(http: TestClient, citizen: Visitor) -> None:
    wang, li, zhao = on_duty(http, "1001"), on_duty(http, "1002"), signed_in("2001", "赵敏", "editor")
    before = citizen.say(QUESTION)["replies"][0]
    assert (before["type"], before["certainty"], before["qa_id"]) == ("answer", "sure", ITEM)
    http.post(f"{citizen.desk}/takeover", headers=wang)
    body = {"qa_id": ITEM, "reason": "补办费涨了", "conversation_id": citizen.id, "shown": SHOWN}
    made = http.post("/api/desk/doubts", json=body, headers=wang).json()
    assert made["marks"] and made["undo_s"] == 10
    (candidate, *_) = http.get(citizen.desk, headers=li).json()["candidates"]
    assert candidate["doubted"] and candidate["band"] == "sure"

    other = Visitor(http)
    during = other.say(QUESTION)["replies"][0]
    assert during["certainty"] == "likely" and "正在核对" in during["note"] and during["text"] == before["text"]
    for chosen in ("不是这个", QUESTION):  # nobody gets it as sure in another way
        said = other.say(chosen)["replies"][0]
        assert said["type"] != "answer" or (said["certainty"] == "likely" and "正在核对" in said["note"])

    page = http.get("/api/desk/doubts", headers=zhao).json()
    assert (page["total"], page["late"]) == (1, False)
    assert page["items"][0]["reports"][0]["reason"] == "补办费涨了" and page["people"][0]["reports"] == 1
    assert code_of(http.get("/api/desk/doubts", headers=wang), 403) == "forbidden"
    decision = {"decision": "pause", "reason": "已核实，等编辑改"}
    path = f"/api/desk/doubts/{ITEM}/decision"
    assert code_of(http.post(path, json=decision, headers=wang), 403) == "forbidden"
    assert http.post(path, json=decision, headers=zhao).status_code == 204
    assert code_of(http.post(path, json=decision, headers=zhao), 409) == "illegal_move"
    assert Visitor(http).say(QUESTION)["replies"][0]["type"] != "answer"
    with database.read() as session:
        assert session.get_one(QA, ITEM).status == "paused"
        assert session.scalars(select(Choice.what)).all() == ["wrong"]


def test_cleared_it_answers_as_before(http: TestClient, citizen: Visitor) -> None:
    wang, boss = on_duty(http, "1001"), on_duty(http, "1003", "supervisor")
    http.post("/api/desk/doubts", json={"qa_id": ITEM, "reason": "好像不对"}, headers=wang)
    assert http.get("/api/desk/floor", headers=boss).json()["doubts"] == 1
    earlier(Doubt, at=timedelta(minutes=11))
    minded(http)
    page = http.get("/api/desk/doubts", headers=boss).json()
    assert page["late"] and page["items"][0]["late"]
    with database.read() as session:
        assert session.scalars(select(Doubt.reminded_at)).one() is not None
    cleared = {"decision": "clear", "reason": "和图书馆核对过，没有变"}
    assert http.post(f"/api/desk/doubts/{ITEM}/decision", json=cleared, headers=boss).status_code == 204
    assert citizen.say(QUESTION)["replies"][0]["certainty"] == "sure"


def test_a_report_is_taken_back_and_nothing_is_left(http: TestClient, citizen: Visitor) -> None:
    wang, li = on_duty(http, "1001"), on_duty(http, "1002")
    citizen.say(QUESTION)
    body = {"qa_id": ITEM, "reason": "看错了", "conversation_id": citizen.id, "shown": SHOWN}
    id_ = http.post("/api/desk/doubts", json=body, headers=wang).json()["id"]
    assert code_of(http.delete(f"/api/desk/doubts/{id_}", headers=li), 404) == "not_found"
    assert http.delete(f"/api/desk/doubts/{id_}", headers=wang).status_code == 204
    assert Visitor(http).say(QUESTION)["replies"][0]["certainty"] == "sure"
    with database.read() as session:
        assert session.scalars(select(Choice)).all() == []


def test_what_was_chosen_is_kept_with_what_stood_on_the_screen(http: TestClient, citizen: Visitor) -> None:
    wang, li = on_duty(http, "1001"), on_duty(http, "1002")
    citizen.say(QUESTION)
    http.post(f"{citizen.desk}/takeover", headers=wang)
    said = {"text": "带身份证去。", "message_id": "m-1", "qa_id": ITEM, "edited": True, "shown": SHOWN}
    for _ in range(3):
        assert http.post(f"{citizen.desk}/messages", json=said, headers=wang).status_code == 200
    http.post(f"{citizen.desk}/messages", json={"text": "没别的了。", "message_id": "m-2"}, headers=wang)
    unsuitable = {"id": "a" * 32, "qa_id": "new-2", "reason": "不是市民问的事", "shown": SHOWN}
    path = f"{citizen.desk}/choices"
    assert code_of(http.post(path, json=unsuitable, headers=li), 409) == "illegal_move"
    for _ in range(2):
        assert http.post(path, json=unsuitable, headers=wang).status_code == 204
    with database.read() as session:
        kept = session.scalars(select(Choice).order_by(Choice.what)).all()
        assert [(one.what, one.qa_id, one.person, one.subject) for one in kept] == [
            ("edited", ITEM, "1001", citizen.id),
            ("unsuitable", "new-2", "1001", citizen.id),
        ]
        assert all(one.shown == SHOWN for one in kept)
    assert http.delete(f"/api/desk/choices/{'a' * 32}", headers=wang).status_code == 204
    assert code_of(http.delete(f"/api/desk/choices/{'a' * 32}", headers=wang), 404) == "not_found"
    assert code_of(http.post(path, json=unsuitable | {"shown": SHOWN * 20}, headers=wang), 422) == "invalid_input"


def test_states_are_shown_to_their_own_and_on_the_floor(http: TestClient) -> None:
    wang = signed_in("1001", "1001")
    assert http.get("/api/desk/work", headers=wang).json()["state"] is None
    assert code_of(http.put("/api/desk/state", json={"state": "break"}, headers=wang), 409) == "illegal_move"
    wang, boss = on_duty(http, "1001"), on_duty(http, "1003", "supervisor")
    assert http.get("/api/desk/work", headers=wang).json()["state"]["state"] == "idle"
    assert http.put("/api/desk/state", json={"state": "break", "reason": "喝水"}, headers=wang).status_code == 204
    earlier(AgentState, since=timedelta(minutes=7))
    rows = {one["number"]: one for one in http.get("/api/desk/floor", headers=boss).json()["on_duty"]}
    assert rows["1001"]["state"]["state"] == "break" and rows["1001"]["state"]["reason"] == "喝水"
    assert 420 <= rows["1001"]["break_s"] < 440 and rows["1003"]["state"]["state"] == "idle"
    assert code_of(http.put("/api/desk/state", json={"state": "lunch"}, headers=wang), 422) == "invalid_input"
    http.put("/api/desk/state", json={"state": "wrap_up"}, headers=wang)
    assert http.get("/api/desk/work", headers=wang).json()["state"]["until"] is not None
    earlier(AgentState, since=timedelta(minutes=4))
    minded(http)
    assert http.get("/api/desk/work", headers=wang).json()["state"]["state"] == "idle"
    http.put("/api/desk/duty", json={"hours": 0}, headers=wang)
    assert http.get("/api/desk/work", headers=wang).json()["state"] is None


def test_who_waits_in_vain_is_called_back(http: TestClient, citizen: Visitor) -> None:
    wang, li, boss = on_duty(http, "1001"), on_duty(http, "1002"), on_duty(http, "1003", "supervisor")
    http.post(f"{citizen.desk}/takeover", headers=wang)
    ticket = {"kind": "求助", "subject": "停水三天", "phone": "13912345678"}
    assert http.post(f"{citizen.desk}/ticket", json=ticket, headers=wang).status_code == 201
    http.post(f"{citizen.desk}/hand-back", headers=wang)
    citizen.say("转人工")
    citizen.say("不等了")
    assert http.get("/api/desk/work", headers=wang).json()["callbacks"] == 1
    (one,) = http.get("/api/desk/callbacks", headers=wang).json()["items"]
    assert one["phone"] == "139****5678" and one["why"] == "leave" and one["subject"] == citizen.id
    path = f"/api/desk/callbacks/{one['id']}"
    assert http.post(f"{path}/claim", headers=wang).json()["phone"] == "13912345678"
    assert code_of(http.post(f"{path}/claim", headers=li), 409) == "illegal_move"
    assert http.get("/api/desk/callbacks", headers=li).json()["items"][0]["phone"] == "139****5678"
    assert http.post(f"{path}/release", headers=wang).status_code == 204
    assert code_of(http.post(f"{path}/result", json={"result": "reached"}, headers=wang), 409) == "illegal_move"
    http.post(f"{path}/claim", headers=li)
    assert http.post(f"{path}/result", json={"result": "not_reached"}, headers=li).json()["tries"] == 1
    http.post(f"{path}/claim", headers=li)
    assert http.get("/api/desk/floor", headers=boss).json()["callbacks"] == 1
    assert http.post(f"{path}/result", json={"result": "reached"}, headers=li).json()["done_name"] == "1002"
    assert http.get("/api/desk/callbacks", headers=wang).json()["total"] == 0
    assert http.get("/api/desk/callbacks", params={"done": True}, headers=wang).json()["total"] == 1


def test_nobody_there_any_more_becomes_a_note_where_no_phone_is_known(http: TestClient, citizen: Visitor) -> None:
    wang = on_duty(http, "1001")
    citizen.say("转人工")
    http.put("/api/desk/duty", json={"hours": 0}, headers=wang)
    assert minded(http) == [citizen.id]
    with database.read() as session:
        assert session.scalars(select(Callback)).all() == []
        assert session.scalars(select(DeskNote.author)).one() == callbacks.SYSTEM
    assert http.get(citizen.desk, headers=wang).json()["notes"][0]["author_name"] == "系统"


def test_asking_for_civil_words(http: TestClient, citizen: Visitor) -> None:
    wang, boss = on_duty(http, "1001"), on_duty(http, "1003", "supervisor")
    assert code_of(http.post(f"{citizen.desk}/shield", headers=wang), 409) == "illegal_move"
    http.post(f"{citizen.desk}/takeover", headers=wang)
    made = http.post(f"{citizen.desk}/shield", headers=wang).json()
    assert made["mine"] and not made["told"]
    assert http.get("/api/desk/work", headers=boss).json()["shields"] == 1
    assert http.delete(f"/api/desk/shields/{made['id']}", headers=wang).status_code == 204
    assert http.get("/api/desk/work", headers=boss).json()["shields"] == 0
    made = http.post(f"{citizen.desk}/shield", headers=wang).json()
    assert minded(http) == []
    earlier(Shield, at=timedelta(seconds=11))
    assert minded(http) == [citizen.id] and minded(http) == []
    assert citizen.last()["replies"][0]["text"] == words.CIVIL and citizen.last()["sender"] == "system"
    assert code_of(http.delete(f"/api/desk/shields/{made['id']}", headers=wang), 409) == "illegal_move"
    assert http.get(citizen.desk, headers=wang).json()["shield"]["told"]
    (uncivil,) = http.get("/api/desk/floor", headers=boss).json()["uncivil"]
    assert uncivil["subject"] == citizen.id and uncivil["seen_name"] is None
    assert code_of(http.post(f"/api/desk/shields/{made['id']}/seen", headers=wang), 403) == "forbidden"
    assert http.post(f"/api/desk/shields/{made['id']}/seen", headers=boss).status_code == 204
    assert http.get("/api/desk/floor", headers=boss).json()["uncivil"][0]["seen_name"] == "1003"


def test_a_three_way_call_is_written_down(http: TestClient, citizen: Visitor) -> None:
    wang = on_duty(http, "1001")
    body = {"party": "市水务局值班室", "result": "今晚抢修，电话13812345678"}
    assert http.post(f"{citizen.desk}/three-way", json=body, headers=wang).status_code == 204
    (note,) = http.get(citizen.desk, headers=wang).json()["notes"]
    assert (note["kind"], note["party"]) == ("three-way", "市水务局值班室") and "138****5678" in note["text"]
    assert code_of(http.post(f"{citizen.desk}/three-way", json={"party": " ", "result": "x"}, headers=wang), 422)
    assert all("抢修" not in str(one) for one in citizen.sees()["messages"])


def test_without_a_platform_the_desk_says_so(http: TestClient) -> None:
    wang = on_duty(http, "1001")
    assert http.get("/api/desk/sms", headers=wang).json() == {"on": False, "items": [], "total": 0}
    body = {"id": "a" * 32, "phone": "13812345678", "text": "窗口在二楼。"}
    refused = http.post("/api/desk/sms", json=body, headers=wang)
    assert code_of(refused, 409) == "illegal_move" and "没有开通短信" in refused.text


def test_short_messages(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch, SMS_URL="http://127.0.0.1:9/send", SMS_KEY="k", SMS_PER_DAY="2") as http:
        wang, li, boss = on_duty(http, "1001"), on_duty(http, "1002"), on_duty(http, "1003", "supervisor")
        citizen = Visitor(http)
        body = {"id": "a" * 32, "phone": "13812345678", "text": "窗口在二楼，电话13912345678。", "qa_id": ITEM,
                "conversation_id": citizen.id, "shown": SHOWN}  # fmt: skip
        for _ in range(2):
            assert http.post("/api/desk/sms", json=body, headers=wang).status_code == 204
        page = http.get("/api/desk/sms", headers=wang).json()
        assert page["on"] and page["total"] == 1
        assert page["items"][0]["phone"] == "138****5678" and "139****5678" in page["items"][0]["text"]
        assert http.get("/api/desk/sms", headers=li).json()["total"] == 0
        assert http.get("/api/desk/sms", headers=boss).json()["total"] == 1
        http.post("/api/desk/sms", json=body | {"id": "b" * 32}, headers=wang)
        full = http.post("/api/desk/sms", json=body | {"id": "c" * 32}, headers=wang)
        assert code_of(full, 429) == "too_many" and "一天最多发 2 条" in full.text
        assert code_of(http.post(f"/api/desk/sms/{'a' * 32}/again", headers=li), 404) == "not_found"
        assert code_of(http.post(f"/api/desk/sms/{'a' * 32}/again", headers=wang), 409) == "illegal_move"
        with database.read() as session:
            assert session.scalars(select(Choice.what)).all() == ["sent", "sent"]
        with database.write() as session:  # with the conversation they go
            conversations.erase(session, conversations.lock(session, citizen.id))
        assert http.get("/api/desk/sms", headers=boss).json()["total"] == 0
