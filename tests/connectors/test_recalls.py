"""From a wrong answer to everybody told, through the real gateway: chat, desk, telephone, WeChat, console, command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from fastapi.testclient import TestClient
from processes import signed_in
from typer.testing import CliRunner

from bot import database, jobs, knowledge, recalls, told
from bot.clock import utcnow
from bot.models.conversations import OutboxMessage, TurnEffect
from bot.models.desk import Choice
from bot.models.knowledge import QA
from bot.settings import Settings, get_settings
from connectors.terminal.cli import app
from index.assist.listening import Listener
from index.assist.weights import weights
from tests.bot.test_recalls import run as run_job
from tests.connectors.desk_gateway import code_of, serving
from tests.connectors.test_at_the_desk import ITEM, QUESTION
from tests.connectors.test_calls import LINES, said, until
from tests.connectors.test_takeover import Visitor, on_duty
from tests.connectors.wechat_account import ASKED, Account, runner
from tests.index.test_assistant import KNOWLEDGE

CORRECTION = "带身份证到任何一个服务台补领，不收费。"
WRONG = f"{QUESTION}的答案。"


@pytest.fixture
def http(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    generous = replace(weights(), show_at=0.0, keep_at=0.0)
    monkeypatch.setattr("connectors.desk.assisting.Listener", partial(Listener, fitted=generous))
    with serving(monkeypatch) as client:
        publish()
        yield client


def publish() -> None:
    """The item has a version: approved by a person."""
    with database.write() as session:
        if session.get_one(QA, ITEM).version is None:
            knowledge.edit(session, ITEM, {"condition": None, "answer": WRONG}, "张编辑")
            knowledge.submit(session, ITEM, "张编辑")
            knowledge.approve(session, ITEM, "王审核")
        other = session.get_one(QA, "new-2")
        knowledge.edit(session, other.id, {"related": [ITEM]}, "张编辑")
        knowledge.submit(session, other.id, "张编辑")
        knowledge.approve(session, other.id, "王审核")


def live() -> int:
    with database.read() as session:
        return session.get_one(QA, ITEM).version or 0


def withdraw(http: TestClient, who: dict[str, str], number: int) -> dict[str, Any]:
    body = {"number": number, "why": "收费写错了"}
    answer = http.post(f"/api/knowledge/items/{ITEM}/withdraw", json=body, headers=who)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def calls_up(http: TestClient, agent: dict[str, str]) -> str:
    call: str = http.post("/api/desk/calls", json={"caller": "13800138000"}, headers=agent).json()["id"]
    http.post(f"/api/desk/calls/{call}/segments", json=said(*LINES), headers=agent)
    return call


def panel(http: TestClient, call: str, agent: dict[str, str]) -> list[str]:
    """The answers that an agent is shown during a call; of what may not be answered with the question alone stands there."""
    read = http.get(f"/api/desk/calls/{call}", headers=agent).json()
    return [one["answer"] for topic in read["topics"] for one in topic["suggestions"] if one["answer"]]


def test_what_was_withdrawn_answers_nobody_anywhere(http: TestClient) -> None:
    wang, boss, pen = on_duty(http, "1001"), on_duty(http, "2001", "supervisor"), signed_in("4001", "编", "editor")
    under_way = Visitor(http)
    assert under_way.say(QUESTION)["replies"][0]["qa_id"] == ITEM
    assert under_way.say("粮油购买凭证现在还需要吗")["replies"][0]["related"][0]["qa_id"] == ITEM
    call = calls_up(http, wang)
    until(lambda: WRONG in panel(http, call, wang))
    search = {"text": QUESTION}
    found = http.post("/api/desk/search", json=search, headers=wang)
    assert found.status_code == 200 and WRONG in str(found.json())
    number = live()
    with database.read() as session:
        (effect,) = [one for one in session.query(TurnEffect) if one.qa_id == ITEM]
        assert effect.qa_version == number
    http.post(f"{under_way.desk}/takeover", headers=wang)

    assert code_of(
        http.post(f"/api/knowledge/items/{ITEM}/withdraw", json={"number": 1, "why": "x"}, headers=wang), 403
    )
    item = withdraw(http, boss, number)
    assert item["standing"] == "paused" and "resume" not in item["can"] and "withdraw" in item["can"]
    versions = http.get(f"/api/knowledge/items/{ITEM}/versions", headers=boss).json()
    assert [one["state"] for one in versions if one["number"] == number] == ["withdrawn"]
    assert versions[0]["withdrawn_by"]["number"] == "2001" and versions[0]["withdrawn_why"] == "收费写错了"

    # A conversation that a person has: the page that still shows it can't send it.
    stale = {"text": WRONG, "message_id": "s-1", "qa_id": ITEM, "edited": False}
    assert code_of(http.post(f"{under_way.desk}/messages", json=stale, headers=wang), 409) == "illegal_move"
    http.post(f"{under_way.desk}/hand-back", headers=wang)
    # Under way, and new: neither the question, nor its number, nor what stands beside another answer.
    for visitor in (under_way, Visitor(http)):
        for text in (QUESTION, "1", "粮油购买凭证现在还需要吗", QUESTION[:-2], "我想问借书证"):
            for reply in visitor.say(text)["replies"]:
                assert reply.get("qa_id") != ITEM and WRONG not in str(reply)
                offered = [*reply.get("options", []), *reply.get("others", []), *reply.get("related", [])]
                assert ITEM not in [one["qa_id"] for one in offered]
    assert ITEM not in str(http.get("/api/themes").json()) + str(http.get("/api/matters").json())
    # At the desk: search, the panel of a call under way and of a new one, the candidates beside a conversation.
    assert WRONG not in str(http.post("/api/desk/search", json=search, headers=wang).json())
    assert WRONG not in panel(http, call, wang)
    http.post(f"/api/desk/calls/{call}/segments", json=said(("caller", "借书证丢了怎么补领"), first=9), headers=wang)
    assert WRONG not in panel(http, call, wang)
    http.post(f"/api/desk/calls/{call}/hang-up", headers=wang)
    http.post(f"/api/desk/calls/{call}/finish", json={}, headers=wang)
    again = calls_up(http, wang)
    until(lambda: http.get(f"/api/desk/calls/{again}", headers=wang).json()["topics"])
    assert WRONG not in panel(http, again, wang)
    assert WRONG not in str(http.get(under_way.desk, headers=wang).json()["candidates"])
    # And no way back over HTTP.
    body = {"move": "resume"}
    assert code_of(http.post(f"/api/knowledge/items/{ITEM}/ask", json=body, headers=boss), 409) == "illegal_move"
    restore = http.post(f"/api/knowledge/items/{ITEM}/restore", json={"number": number}, headers=pen)
    assert code_of(restore, 409) == "illegal_move"


def test_from_the_draft_to_who_has_seen_it(http: TestClient) -> None:
    wang, boss = on_duty(http, "1001"), on_duty(http, "2001", "supervisor")
    judge, pen = signed_in("3001", "李审", "approver"), signed_in("4001", "编", "editor")
    one, other, elsewhere = Visitor(http), Visitor(http), Visitor(http)
    one.say(QUESTION), other.say(QUESTION), elsewhere.say("你好")
    call = calls_up(http, wang)
    choice = {"id": "c" * 32, "what": "used", "qa_id": ITEM, "shown": []}
    assert http.post(f"/api/desk/calls/{call}/choices", json=choice, headers=wang).status_code == 204
    number = live()
    with database.read() as session:
        assert session.get_one(Choice, "c" * 32).qa_version == number
    body = {"qa_id": ITEM, "versions": [number], "correction": CORRECTION}
    assert code_of(http.post("/api/console/recalls/preview", json=body, headers=boss), 409) == "illegal_move"
    withdraw(http, boss, number)
    for stranger in (wang, pen):
        assert code_of(http.get("/api/console/recalls", headers=stranger), 403) == "forbidden"
    preview = http.post("/api/console/recalls/preview", json=body, headers=boss).json()
    assert (preview["people"], preview["by_kind"]) == (3, {"conversation": 2, "call": 1})
    assert sum(f"“{QUESTION}”" in example["words"] for example in preview["examples"]) == 2
    assert code_of(http.post("/api/console/recalls", json=body, headers=judge), 403) == "forbidden"
    made = http.post("/api/console/recalls", json=body, headers=boss)
    assert made.status_code == 201 and not made.json()["may_approve"]
    path = f"/api/console/recalls/{made.json()['id']}"
    assert code_of(http.post(f"{path}/approve", headers=boss), 403) == "forbidden"
    assert http.get(path, headers=judge).json()["may_approve"]
    assert http.post(f"{path}/approve", headers=judge).json()["state"] == "approved"
    assert code_of(http.post(f"{path}/call-off", headers=judge), 409) == "illegal_move"
    with database.read() as session:
        assert [job.kind for job in jobs.jobs(session, kind="recall")] == ["recall"]
    run_job(get_settings())

    def figures() -> dict[str, int]:
        return dict(http.get(path, headers=boss).json()["figures"])

    assert figures() == {"people": 3, "waiting": 0, "sent": 2, "seen": 0, "callback": 1, "unreachable": 0}
    first = one.sees()["messages"][-1]
    assert (first["sender"], first["replies"][0]["text"].startswith("更正：您")) == ("system", True)
    assert figures()["seen"] == 0, "that it was asked for does not mean that it came"
    http.get(f"{one.path}/messages", params={"after": first["seq"]}, headers=one.headers)
    assert figures() == {"people": 3, "waiting": 0, "sent": 1, "seen": 1, "callback": 1, "unreachable": 0}
    page = http.get(f"{path}/targets", params={"state": "seen"}, headers=boss).json()
    assert page["total"] == 1 and page["items"][0]["key"] == one.id and page["items"][0]["version"] == number
    everyone = http.get(f"{path}/targets", params={"limit": 2, "offset": 2}, headers=boss).json()
    assert everyone["total"] == 3 and len(everyone["items"]) == 1
    assert elsewhere.sees()["messages"][-1]["sender"] == "bot"
    owed = http.get("/api/desk/callbacks", headers=wang).json()["items"]
    assert [(row["why"], row["says"]) for row in owed] == [("recall", None)]
    taken = http.post(f"/api/desk/callbacks/{owed[0]['id']}/claim", headers=wang).json()
    assert CORRECTION in taken["says"]
    http.post(f"/api/desk/callbacks/{owed[0]['id']}/result", json={"result": "reached"}, headers=wang)
    assert (figures()["seen"], figures()["callback"]) == (2, 0)
    listed = http.get("/api/console/recalls", headers=boss).json()
    assert (listed["total"], listed["items"][0]["state"]) == (1, "done")
    assert code_of(http.get("/api/console/recalls/nothing", headers=boss), 404) == "not_found"


@pytest.fixture
def wechat(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    return runner(sqlite_db, monkeypatch, "wechat")


def test_wechat_citizens_get_it_pushed_or_with_their_next_word(wechat: Callable[..., None]) -> None:
    assert any(item.question == ASKED for item in KNOWLEDGE)

    async def scenario(one: Account) -> None:
        publish()
        await one.say("o1", ASKED)
        await one.say("o2", ASKED)
        await one.say("o3", "你好")
        number = live()
        with database.write() as session:
            knowledge.withdraw(session, ITEM, "班长", "错", number=number)
            id_ = recalls.draft(session, ITEM, [number], CORRECTION, "2001").id
            recalls.approve(session, id_, "2002")
        one.fake.allowed.pop("o2")  # WeChat lets nobody push to this citizen any more
        run_job(get_settings())
        await one.deliver()
        await one.deliver()
        assert [openid for openid, _ in one.fake.sent] == ["o1"] and CORRECTION in one.fake.sent[0][1]

        def states() -> list[str]:
            with database.read() as session:
                return sorted(target.state for target in recalls.targets(session, id_)[0])

        assert states() == [told.SEEN, told.SENT]
        assert CORRECTION in await one.say("o2", "在吗")
        assert CORRECTION not in await one.say("o2", "在吗")
        assert states() == [told.SEEN, told.SEEN]
        with database.read() as session:
            waiting = session.query(OutboxMessage).filter(OutboxMessage.status == "pending").count()
        assert waiting == 0

    wechat(scenario)


def test_the_command_drafts_approves_and_shows(sqlite_db: Settings) -> None:
    from tests.bot.test_recalls import ITEM as ID
    from tests.bot.test_recalls import asks, talk, wrong_item
    from tests.bot.test_recalls import withdraw as wrong

    wrong_item()
    asks(talk(), "身份证多久过期", at=utcnow())
    wrong()
    run, text = CliRunner(), "有效期是二十年。"
    draft = ["recall", "draft", ID, "--version", "2", "--text", text, "--actor", "2001"]
    tried = run.invoke(app, [*draft, "--dry-run"]).output
    assert "有 1 人：会话 1" in tried and "身份证多久过期" in tried and "已起草" not in tried
    assert "已起草" in run.invoke(app, draft).output
    with database.read() as session:
        id_ = recalls.listed(session)[0][0].id
    assert run.invoke(app, ["recall", "approve", id_, "--actor", "2001"]).exit_code == 1
    assert "逐个告知 1 人" in run.invoke(app, ["recall", "approve", id_, "--actor", "2002"]).output
    run_job(sqlite_db)
    shown = run.invoke(app, ["recall", "show", id_]).output
    assert "共 1 人" in shown and "尚未看到 1" in shown and "都已发出" in shown
    assert "没有" not in run.invoke(app, ["recall", "list"]).output
    assert run.invoke(app, ["recall", "show", id_, "--state", "?"]).exit_code == 1
