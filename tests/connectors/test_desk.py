"""The desk over HTTP: lists, tickets in several hands, drafts; and who sees what."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient
from processes import signed_in

from bot import conversations, database
from bot.accounts import people
from bot.models.conversations import Conversation
from bot.settings import Settings
from bot.tickets import moves
from bot.tickets.particulars import Particulars
from tests.bot.test_tickets import stored
from tests.connectors.desk_gateway import code_of, serving


@pytest.fixture
def http(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    with serving(monkeypatch) as client:
        yield client


@pytest.fixture
def wang(http: TestClient) -> dict[str, str]:
    return signed_in("wang", "小王", "agent")


@pytest.fixture
def li(http: TestClient) -> dict[str, str]:
    return signed_in("li", "小李", "agent")


def test_a_ticket_goes_through_the_desk(http: TestClient, wang: dict[str, str], li: dict[str, str]) -> None:
    number = stored(conversation_id=None, phone="13812345678")
    path = f"/api/desk/tickets/{number}"
    listed = http.get("/api/desk/tickets", headers=wang).json()
    assert listed["total"] == 1 and listed["items"][0]["phone"] == "138****5678"
    assert "138****5678" in listed["items"][0]["subject"]
    assert http.get(path, headers=wang).json()["can"] == ["claim", "assign", "correct"]
    mine = http.post(f"{path}/claim", headers=wang).json()
    assert (mine["claimed_by_name"], mine["can"]) == ("小王", ["assign", "return", "reply", "reveal", "correct"])
    assert http.get(path, headers=li).json()["can"] == ["assign", "correct"]
    assert code_of(http.post(f"{path}/claim", headers=li), 409) == "illegal_move"
    assert code_of(http.post(f"{path}/reply", json={"text": "好"}, headers=li), 403) == "forbidden"
    assert code_of(http.post(f"{path}/reveal", json={"reason": "回电话"}, headers=li), 403) == "forbidden"
    for body in ({}, {"reason": ""}, {"reason": " "}):
        assert code_of(http.post(f"{path}/reveal", json=body, headers=wang), 422) == "invalid_input"
    assert http.post(f"{path}/reveal", json={"reason": "回电话"}, headers=wang).json()["phone"] == "13812345678"
    returned = http.post(f"{path}/return", json={"reason": "不归我们管"}, headers=wang).json()
    assert returned["state"] == "退回"
    sent = http.post(f"{path}/assign", json={"department": "医保局"}, headers=li).json()
    assert (sent["state"], sent["department"], sent["claimed_by"]) == ("已派单", "医保局", None)
    listed = http.get("/api/desk/departments", headers=li).json()
    assert listed[0] == "公安局" and listed[-1] == "医保局", "those of the catalogue, then what else was written"
    http.post(f"{path}/claim", headers=wang)
    assert http.post(f"{path}/reply", json={"text": "可以办。"}, headers=wang).json()["state"] == "已答复"
    assert http.post(f"{path}/close", headers=li).json()["state"] == "已办结"
    again = http.post(f"{path}/reopen", json={"reason": "没办成"}, headers=li).json()
    assert again["state"] == "重办"
    names = [event["name"] for event in again["events"]]
    assert {"小王", "小李", "市民"} <= set(names)


def test_of_two_who_change_a_ticket_the_second_is_told(
    http: TestClient, wang: dict[str, str], li: dict[str, str]
) -> None:
    number = stored(conversation_id=None)
    path = f"/api/desk/tickets/{number}"
    seen = http.get(path, headers=wang).json()["revision"]
    both = {"department": "医保局"}
    assert http.post(f"{path}/assign", json=both, headers=li | {"If-Match": str(seen)}).status_code == 200
    late = http.post(f"{path}/assign", json={"department": "民政局"}, headers=wang | {"If-Match": str(seen)})
    assert code_of(late, 409) == "illegal_move" and "被别人改过" in late.json()["error"]["message"]
    assert http.get(path, headers=wang).json()["department"] == "医保局"
    for wrong in ("x", "-1", "9" * 20):
        assert code_of(http.post(f"{path}/close", headers=wang | {"If-Match": wrong}), 422) == "invalid_input"


def test_an_officer_sees_and_handles_their_departments_tickets_and_no_other(
    http: TestClient, wang: dict[str, str]
) -> None:
    officer = signed_in("officer", "老赵", "officer", department="医保局")
    ours, theirs, nobodys = (stored(conversation_id=None) for _ in range(3))
    with database.write() as session:
        moves.assign(session, ours, "医保局", "小李")
        moves.assign(session, theirs, "民政局", "小李")
    page = http.get("/api/desk/tickets?state=all&department=民政局", headers=officer).json()
    assert page == {"items": [], "total": 0}
    assert [one["number"] for one in http.get("/api/desk/tickets", headers=officer).json()["items"]] == [ours]
    work = http.get("/api/desk/work", headers=officer).json()
    assert (work["tickets"]["open"], work["waiting"], work["dangers"]) == (1, 0, 0)
    for hidden in (theirs, nobodys):
        path = f"/api/desk/tickets/{hidden}"
        assert code_of(http.get(path, headers=officer), 404) == "not_found"
        for move, body in (
            ("claim", None),
            ("return", {"reason": "x"}),
            ("reply", {"text": "x"}),
            ("reveal", {"reason": "x"}),
        ):
            assert code_of(http.post(f"{path}/{move}", json=body, headers=officer), 404) == "not_found"
    path = f"/api/desk/tickets/{ours}"
    assert http.get(path, headers=officer).json()["can"] == ["claim", "return"]
    assert code_of(http.post(f"{path}/assign", json={"department": "民政局"}, headers=officer), 403) == "forbidden"
    http.post(f"{path}/claim", headers=officer)
    assert http.post(f"{path}/reply", json={"text": "可以。"}, headers=officer).json()["state"] == "已答复"
    both = signed_in("both", "小周", "officer", "agent", department="医保局")
    assert http.get("/api/desk/tickets?state=all", headers=both).json()["total"] == 3


def conversation(state: str, agent: str | None = None) -> str:
    with database.write() as session:
        made, _ = conversations.create(session, "web")
        made.state, made.agent = state, agent  # type: ignore[assignment]
        return made.id


def test_each_conversation_is_in_exactly_one_list(http: TestClient, wang: dict[str, str], li: dict[str, str]) -> None:
    made = [conversation(state) for state in ("bot", "bot", "waiting", "closed")]
    made += [conversation("human", agent) for agent in ("wang", "li", "li")]
    for headers in (wang, li):
        seen: list[str] = []
        for name in ("waiting", "mine", "others", "bot", "closed"):
            page = http.get("/api/desk/conversations", params={"list": name, "limit": 50}, headers=headers).json()
            assert page["total"] == page["counts"][name] == len(page["items"])
            seen += [one["id"] for one in page["items"]]
        assert sorted(seen) == sorted(made) and sum(page["counts"].values()) == len(made)
    assert http.get("/api/desk/conversations?list=mine", headers=wang).json()["items"][0]["agent_name"] == "小王"
    assert code_of(http.get("/api/desk/conversations?list=all", headers=wang), 422) == "invalid_input"


def test_a_conversation_is_read_with_what_the_assistant_makes_of_it(http: TestClient, wang: dict[str, str]) -> None:
    opened = http.post("/api/conversations").json()
    said = {"message_id": "1", "text": "图书馆借书证丢失如何补领，我的电话13812345678"}
    http.post(
        f"/api/conversations/{opened['id']}/messages", json=said, headers={"Authorization": f"Bearer {opened['token']}"}
    )
    read = http.get(f"/api/desk/conversations/{opened['id']}", headers=wang)
    assert "13812345678" not in read.text
    body = read.json()
    assert "138****5678" in body["messages"][0]["lines"][0] and len(body["messages"]) == 2
    first = body["candidates"][0]
    assert set(first) == {"qa_id", "matter", "question", "answer", "score", "band", "doubted"}
    assert first["band"] in ("sure", "likely", "reference") and not first["doubted"]
    assert http.get(f"/api/desk/conversations/{opened['id']}?after=1", headers=wang).json()["messages"][0]["seq"] == 2
    assert code_of(http.get("/api/desk/conversations/nobody", headers=wang), 404) == "not_found"
    row = http.get("/api/desk/conversations?list=bot", headers=wang).json()["items"][0]
    assert row["last_sender"] == "citizen" and row["last"].startswith("图书馆借书证") and "138****5678" in row["last"]


def on_duty(http: TestClient, number: str, *roles: str) -> dict[str, str]:
    """Somebody who may take fifty conversations."""
    headers = signed_in(number, f"坐席{number}", *roles)
    with database.write() as session:
        people.get(session, number, locked=True).capacity = 50
    assert http.put("/api/desk/duty", json={"hours": 8}, headers=headers).status_code == 204
    return headers


def test_drafts_are_kept_and_an_older_one_never_lands_after_a_newer(
    http: TestClient, wang: dict[str, str], li: dict[str, str]
) -> None:
    path = "/api/desk/drafts/ticket/20260302000019"
    empty = http.get(path, headers=wang).json()
    assert empty == {"text": "", "revision": 0, "at": None}

    def save(text: str, revision: int, headers: dict[str, str] = wang) -> Any:
        return http.put(path, json={"text": text, "revision": revision}, headers=headers)

    assert save("您好，", 0).json()["revision"] == 1
    assert save("您好，已经", 1).json()["revision"] == 2
    assert code_of(save("您好", 1), 409) == "illegal_move"
    assert http.get(path, headers=wang).json()["text"] == "您好，已经"
    assert http.get(path, headers=li).json()["text"] == ""  # one's own
    assert save("别的", 0, li).json()["revision"] == 1
    for wrong in ({"text": "x" * 40_001, "revision": 0}, {"text": "x"}, {"text": "x", "revision": -1}):
        assert code_of(http.put(path, json=wrong, headers=wang), 422) == "invalid_input"
    assert code_of(http.put("/api/desk/drafts/No/1", json={"text": "", "revision": 0}, headers=wang), 422)


def test_many_agents_claim_many_conversations_and_none_is_claimed_twice(http: TestClient) -> None:
    waiting = [conversation("waiting") for _ in range(20)]
    agents = [on_duty(http, f"agent-{number}") for number in range(6)]

    def claim(pair: tuple[dict[str, str], str]) -> int:
        return int(http.post(f"/api/desk/conversations/{pair[1]}/claim", headers=pair[0]).status_code)

    with ThreadPoolExecutor(6) as pool:
        said = list(pool.map(claim, itertools.product(agents, waiting)))
    assert said.count(204) == len(waiting) and said.count(409) == len(waiting) * (len(agents) - 1)
    with database.read() as session:
        assert all(session.get_one(Conversation, one).state == "human" for one in waiting)


def test_what_a_ticket_says_is_seen_and_put_right_at_the_desk(
    http: TestClient, wang: dict[str, str], li: dict[str, str]
) -> None:
    more = Particulars(
        caller_name="王秀兰", callback_phone="13987654321", address="四方坪小区3栋501", category="0901", channel="phone"
    )
    number = stored(conversation_id=None, subject="楼上卫生间漏水漏到我家没人管", phone="13812345678", more=more)
    path = f"/api/desk/tickets/{number}"
    seen = http.get(path, headers=wang).json()
    assert (seen["caller_name"], seen["callback_phone"], seen["address"]) == ("王**", "139****4321", "四方坪小区3栋*")
    assert (seen["category_name"], seen["channel"]) == ("住房与不动产／物业服务", "phone") and "correct" in seen["can"]

    found = http.get(f"{path}/suggestion", headers=wang).json()
    best = found["candidates"][0]
    assert (
        (best["code"], best["department"]) == ("0909", "街道办事处（乡镇人民政府）") and best["words"] and best["entry"]
    )
    revision = {"If-Match": str(seen["revision"])}
    body = {"category": best["code"], "happened_on": "2026-03-01"}
    changed = http.put(f"{path}/particulars", json=body, headers=wang | revision).json()
    assert (changed["category"], changed["happened_on"]) == ("0909", "2026-03-01")
    assert changed["events"][-1]["note"].startswith("更正了") and "发生日期" in changed["events"][-1]["note"]
    late = http.put(f"{path}/particulars", json={"category": "0902"}, headers=li | revision)
    assert code_of(late, 409) == "illegal_move"
    assert code_of(http.put(f"{path}/particulars", json={"category": "9999"}, headers=wang), 422) == "invalid_input"
    assert code_of(http.put(f"{path}/particulars", json={"answer": "好"}, headers=wang), 422) == "invalid_input"

    http.post(f"{path}/claim", headers=wang)
    shown = http.post(f"{path}/reveal", json={"reason": "回电话"}, headers=wang).json()
    assert (shown["caller_name"], shown["address"]) == ("王秀兰", "四方坪小区3栋501")
    listed = http.get("/api/desk/tickets?category=09&channel=phone", headers=li).json()
    assert [one["number"] for one in listed["items"]] == [number]
    assert http.get("/api/desk/tickets?category=none", headers=li).json()["total"] == 0

    tree = http.get("/api/desk/categories", headers=li).json()
    assert len(tree["first"]) >= 12 and tree["first"][0]["second"][0]["department"]
    any_text = http.post("/api/desk/categories/suggestions", json={"text": "路灯坏了好几天没人修"}, headers=li).json()
    assert any_text["candidates"][0]["code"] == "0803"
    none = http.post("/api/desk/categories/suggestions", json={"text": "嗯"}, headers=li).json()
    assert none["candidates"] == [] and none["sure"] is False

    similar = http.post(
        "/api/desk/tickets/similar", json={"text": "楼上漏水漏到我家卫生间", "phone": "13812345678"}, headers=li
    )
    assert [one["ticket"]["number"] for one in similar.json()] == [number]
    assert "同一个电话" in similar.json()[0]["reasons"]
    assert http.post("/api/desk/tickets/similar", json={"text": "漏水"}, headers=li).json() == []
    joined = http.post(f"{path}/supplements", json={"text": "还在漏", "phone": "13700000000"}, headers=li).json()
    assert joined["events"][-1]["note"] == "又有来电反映同一件事，回拨电话：137****0000"
    officer = signed_in("officer2", "老钱", "officer", department="民政局")
    assert http.post("/api/desk/tickets/similar", json={"phone": "13812345678"}, headers=officer).json() == []
    assert code_of(http.get(f"{path}/suggestion", headers=officer), 404) == "not_found"
