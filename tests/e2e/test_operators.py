"""The loop closed: a ticket is listed, claimed, answered and closed, and the citizen hears of it; a human takes over."""

from __future__ import annotations

import pytest
from processes import Citizen, Stack


def test_the_operators_answer_reaches_the_citizen(stack: Stack, citizen: Citizen) -> None:
    ticket = citizen.register("养宠物乌龟的市民补贴在哪里申请领取")
    number = ticket["number"]
    seen = max(message["seq"] for message in citizen.messages())
    with stack.http(headers=stack.operator) as http:
        assert number in [
            one["number"] for one in http.get("/api/desk/tickets", params={"number": number}).json()["items"]
        ]
        assert http.post(f"/api/desk/tickets/{number}/claim").status_code == 200
        second = http.post(f"/api/desk/tickets/{number}/claim", headers=stack.person("xiaoli", "小李"))
        assert second.status_code == 409 and second.json()["error"]["code"] == "illegal_move"
        early = http.post(f"/api/desk/tickets/{number}/close")
        assert early.status_code == 409
        answered = http.post(f"/api/desk/tickets/{number}/reply", json={"text": "本市没有这项补贴。"})
        assert answered.status_code == 200 and answered.json()["state"] == "已答复"
        told = citizen.messages(after=seen)
        assert told[-1]["sender"] == "agent" and told[-1]["replies"][0]["answer"] == "本市没有这项补贴。"
        assert http.post(f"/api/desk/tickets/{number}/close").json()["state"] == "已办结"
    status = citizen.say("查一下我的工单进度")
    assert status["type"] == "ticket_status" and status["state"] == "已办结"
    assert next(event["state"] for event in status["events"]) == "待受理"


def test_a_citizen_adds_to_a_ticket_and_takes_it_back(stack: Stack, citizen: Citizen) -> None:
    ticket = citizen.register("养宠物乌龟的市民补贴在哪里申请领取")
    with stack.http() as http:
        added = http.post(
            f"/api/tickets/{ticket['number']}/supplements", json={"code": ticket["query_code"], "text": "是两只"}
        )
        assert added.status_code == 200
        gone = http.post(f"/api/tickets/{ticket['number']}/withdrawal", json={"code": ticket["query_code"]})
        assert gone.json()["state"] == "已撤回"
        again = http.post(f"/api/tickets/{ticket['number']}/withdrawal", json={"code": ticket["query_code"]})
        assert again.status_code == 409


def test_a_human_takes_over_and_hands_back(stack: Stack, citizen: Citizen) -> None:
    with stack.http(headers=stack.operator) as http:
        assert http.put("/api/desk/duty", json={"hours": 1}).status_code == 204
        try:
            reply = citizen.say("转人工")
            assert reply["type"] == "handover" and reply["state"] == "waiting"
            assert citizen.say("身份证丢了咋补办")["type"] == "answer"  # the assistant goes on answering
            waiting = http.get("/api/desk/conversations", params={"limit": 50}).json()
            assert (
                citizen.id in [one["id"] for one in waiting["items"]]
                and waiting["total"] == waiting["counts"]["waiting"]
            )
            path = f"/api/desk/conversations/{citizen.id}"
            read = http.get(path).json()
            assert "身份证丢了咋补办" in [message.get("text") for message in read["messages"]] and read["candidates"]
            assert http.post(f"{path}/claim").status_code == 204
            silent = citizen.post("您好，在吗").json()
            assert silent["replies"] == [] and silent["state"] == "human"
            assert http.post(f"{path}/messages", json={"text": "您好，请讲"}).status_code == 200
            assert citizen.messages()[-1]["replies"][0]["text"] == "您好，请讲"
            assert http.post(f"{path}/close").status_code == 204
            assert citizen.say("护照多少钱")["type"] == "answer"
        finally:
            assert http.put("/api/desk/duty", json={"hours": 0}).status_code == 204


def test_health_readiness_and_metrics(stack: Stack, citizen: Citizen) -> None:
    citizen.say("身份证丢了咋补办")
    with stack.http() as http:
        assert http.get("/healthz").json() == {"status": "ok"}
        ready = http.get("/readyz").json()
        assert ready["status"] == "ok" and ready["index"]
        text = http.get("/metrics").text
    for name in (
        "turns_total",
        "decisions_total",
        "fallbacks_total",
        "turn_seconds_bucket",
        "index_lag",
        "outbox_depth",
    ):
        assert f"yihaoda_{name}" in text
    assert stack.metric("yihaoda_inbox_open") == 0
    assert stack.metric("yihaoda_index_lag") == 0


@pytest.mark.parametrize("state", ["bot", "waiting", "human"])
def test_a_danger_gets_the_card_at_once_whoever_has_the_conversation_and_the_desk_sees_it(
    stack: Stack, citizen: Citizen, state: str
) -> None:
    with stack.http(headers=stack.operator) as http:
        if state != "bot":
            http.put("/api/desk/duty", json={"hours": 1})
            citizen.say("转人工")
        if state == "human":
            assert http.post(f"/api/desk/conversations/{citizen.id}/claim").status_code == 204
        try:
            answered = citizen.post("我爸躺地上怎么喊都不应声").json()
            assert answered["state"] == state and not answered["deferred"]
            (reply,) = answered["replies"]
            assert reply["type"] == "emergency" and reply["phones"][0] == "120" and reply["labels"]["120"] == "急救"
            listed = http.get("/api/desk/dangers").json()
            mine = [one for one in listed if one["conversation_id"] == citizen.id]
            assert [(one["kind"], one["state"]) for one in mine] == [("medical", state)]
            if state == "waiting":
                waiting = http.get("/api/desk/conversations").json()["items"]
                assert waiting[0]["id"] == citizen.id and waiting[0]["danger"] == "medical"
            if state == "human":  # the machine says nothing else
                assert citizen.post("身份证丢了咋补办").json()["replies"] == []
            seen = f"/api/desk/dangers/{mine[0]['turn_id']}/seen"
            assert http.post(seen).status_code == 204
            assert citizen.id not in [one["conversation_id"] for one in http.get("/api/desk/dangers").json()]
            metrics = http.get("/metrics").text
            assert 'yihaoda_dangers_total{kind="medical"}' in metrics and "yihaoda_dangers_unseen" in metrics
        finally:
            if state == "human":
                http.post(f"/api/desk/conversations/{citizen.id}/close")
            assert http.put("/api/desk/duty", json={"hours": 0}).status_code == 204
