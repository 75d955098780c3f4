"""The knowledge on the console: edited by one person, approved by another, over HTTP; and what a page is told meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from processes import signed_in
from sqlalchemy import event

from bot import database, events, knowledge
from bot.clock import SHANGHAI, utcnow
from bot.settings import Settings
from tests.bot.test_knowledge import a_guide, a_qa
from tests.connectors.desk_gateway import code_of, serving
from tests.connectors.test_citizens_api import ASKED, Citizen

ITEM = "/api/knowledge/items/plain"


@pytest.fixture
def http(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    with serving(monkeypatch) as client:
        yield client


@pytest.fixture
def editor(http: TestClient) -> dict[str, str]:
    return signed_in("e1", "张编辑", "editor")


@pytest.fixture
def approver(http: TestClient) -> dict[str, str]:
    return signed_in("a1", "王审核", "approver")


def ask(http: TestClient) -> Any:
    """What a citizen is answered with."""
    return Citizen(http).say(ASKED).json()["replies"][0]


def test_an_edit_is_approved_by_somebody_else_and_then_answers(
    http: TestClient, editor: dict[str, str], approver: dict[str, str]
) -> None:
    before = ask(http)
    item = http.get(ITEM, headers=editor).json()
    assert "edit" in item["can"] and "approve" not in item["can"]
    seen = {"If-Match": str(item["revision"])}
    edited = http.put(ITEM, headers=editor | seen, json={"content": {"answer": "新的答案。"}, "why": "标准变了"})
    assert edited.status_code == 200, edited.text
    working = edited.json()["working"]
    assert (working["state"], working["content"]["answer"], working["base"]) == ("editing", "新的答案。", 1)
    assert working["authors"] == [{"number": "e1", "name": "张编辑"}]
    assert edited.json()["content"] == item["content"]
    assert ask(http)["text"] == before["text"]
    assert code_of(http.post(f"{ITEM}/approve", headers=approver), 409) == "illegal_move"
    assert http.post(f"{ITEM}/submit", headers=editor, json={}).json()["working"]["state"] == "submitted"
    queue = http.get("/api/knowledge/items?list=submitted", headers=approver).json()
    assert (queue["total"], queue["items"][0]["id"], queue["items"][0]["working_state"]) == (1, "plain", "submitted")
    assert http.get("/api/knowledge/counts", headers=approver).json()["submitted"] == 1
    assert http.post(f"{ITEM}/approve", headers=approver).json()["version"] == 2
    assert ask(http)["text"] == "新的答案。"
    first, second = http.get(f"{ITEM}/versions", headers=editor).json()
    assert (first["number"], first["state"], first["approved_by"]["name"], first["why"]) == (
        2,
        "in_force",
        "王审核",
        "标准变了",
    )
    assert (second["number"], second["state"], second["content"]["answer"]) == (1, "earlier", item["content"]["answer"])
    restored = http.post(f"{ITEM}/restore", headers=editor, json={"number": 1}).json()
    assert restored["working"]["content"]["answer"] == item["content"]["answer"]
    with database.read() as session:
        told = [one for one in events.since(session, 0) if one.kind == "knowledge"]
    assert {one.subject for one in told} >= {"plain"} and not any(one.about for one in told)


def test_what_is_being_written_is_looked_at_and_nothing_is_kept(http: TestClient, editor: dict[str, str]) -> None:
    item = http.get(ITEM, headers=editor).json()
    assert item["names"] == {"doc": "图书馆条例"}
    written = item["content"] | {"answer": "补领要10元，标准由当地定。", "sources": []}
    notes = http.post("/api/knowledge/check", headers=editor, json={"qa_id": "plain", "content": written}).json()
    assert [(one["code"], one["field"], one["sentence"]) for one in notes] == [
        ("no_wordings", "similar", None),
        ("no_source", "sources", "补领要10元，标准由当地定。"),
        ("no_phone", "answer", "补领要10元，标准由当地定。"),
    ]
    double = http.post("/api/knowledge/check", headers=editor, json={"content": written}).json()
    assert [one["other"]["qa_id"] for one in double if one["code"] == "double"] == ["plain"]
    assert http.get(ITEM, headers=editor).json() == item


def test_how_it_was_asked_for_is_told_and_a_replay_is_found_by_the_copys_digest(
    http: TestClient, editor: dict[str, str]
) -> None:
    ask(http)
    assert http.get(f"{ITEM}/wordings", headers=editor).json() == []  # in its own words
    assert code_of(http.get("/api/knowledge/items/nothing/wordings", headers=editor), 404) == "not_found"
    edited = http.put(ITEM, headers=editor, json={"content": {"answer": "新的答案。"}}).json()["working"]
    body = {"qa_id": "plain", "content": edited["content"]}
    replayed = http.post("/api/console/replay", headers=editor, json=body).json()
    assert replayed["digest"] == edited["digest"]
    assert (replayed["state"], replayed["doing"], replayed["total"]) == ("完成", None, None)


def test_colleagues_comment_and_see_to_it(http: TestClient, editor: dict[str, str], approver: dict[str, str]) -> None:
    said = http.post(f"{ITEM}/comments", headers=approver, json={"text": "金额再核一次", "field": "answer"})
    assert said.status_code == 201, said.text
    (comment,) = said.json()["comments"]
    assert (comment["author"]["name"], comment["field"], comment["settled_at"]) == ("王审核", "answer", None)
    rows = http.get("/api/knowledge/items?list=commented", headers=editor).json()["items"]
    assert [(one["id"], one["comments"]) for one in rows] == [("plain", 1)]
    path = f"{ITEM}/comments/{comment['id']}"
    (settled,) = http.put(path, headers=editor, json={"settled": True}).json()["comments"]
    assert settled["settled_by"]["name"] == "张编辑"
    assert code_of(http.put(path, headers=editor, json={"settled": True}), 409) == "illegal_move"
    assert code_of(http.put(f"{ITEM}/comments/99", headers=editor, json={"settled": True}), 404) == "not_found"
    for bad in ({"text": ""}, {"text": "  "}, {"text": "好" * 1001}, {"text": "好", "field": "id"}, {}):
        assert code_of(http.post(f"{ITEM}/comments", headers=editor, json=bad), 422) == "invalid_input"
    near = http.post("/api/knowledge/near-questions", headers=editor, json={"content": {"question": "借书证"}})
    assert near.json() == []


def test_whoever_has_both_roles_does_not_approve_what_they_wrote(http: TestClient, approver: dict[str, str]) -> None:
    both = signed_in("b1", "赵两样", "editor", "approver")
    http.put(ITEM, headers=both, json={"content": {"answer": "新的答案。"}})
    item = http.post(f"{ITEM}/submit", headers=both, json={}).json()
    assert "approve" not in item["can"]
    assert code_of(http.post(f"{ITEM}/approve", headers=both), 403) == "forbidden"
    results = http.post(
        "/api/knowledge/bulk", headers=both, json={"move": "approve", "items": [{"id": "plain"}]}
    ).json()
    assert (results[0]["done"], results[0]["code"]) == (False, "forbidden")
    assert "approve" in http.get(ITEM, headers=approver).json()["can"]


def test_who_comes_second_sees_what_is_there_now(http: TestClient, editor: dict[str, str]) -> None:
    other = signed_in("e2", "李编辑", "editor")
    seen = {"If-Match": str(http.get(ITEM, headers=editor).json()["revision"])}
    assert http.put(ITEM, headers=editor | seen, json={"content": {"answer": "甲的。"}}).status_code == 200
    late = http.put(ITEM, headers=other | seen, json={"content": {"answer": "乙的。"}})
    assert code_of(late, 409) == "outdated"
    present = late.json()["present"]
    assert (present["working"]["content"]["answer"], present["working"]["changed_by"]["name"]) == ("甲的。", "张编辑")
    now = {"If-Match": str(present["revision"])}
    assert http.put(ITEM, headers=other | now, json={"content": {"answer": "乙的。"}}).status_code == 200
    for move, body in (("submit", {}), ("pause", {}), ("return", {"reason": "不行"}), ("discard", None)):
        headers = signed_in("x1", "孙全能", "editor", "approver", "supervisor") | now
        assert code_of(http.post(f"{ITEM}/{move}", headers=headers, json=body), 409) == "outdated"


def test_two_people_have_a_paused_item_answer_again(
    http: TestClient, editor: dict[str, str], approver: dict[str, str]
) -> None:
    supervisor = signed_in("s1", "钱班长", "supervisor")
    paused = http.post(f"{ITEM}/pause", headers=supervisor, json={"why": "数字不对"}).json()
    assert (paused["status"], paused["standing"]) == ("paused", "paused")
    asked = http.post(f"{ITEM}/ask", headers=approver, json={"move": "resume"}).json()
    assert asked["request"]["asked_by"]["name"] == "王审核" and "confirm" not in asked["can"]
    assert code_of(http.post(f"{ITEM}/confirm", headers=approver), 403) == "forbidden"
    assert http.get("/api/knowledge/items?list=asked", headers=editor).json()["items"][0]["asked"] == "resume"
    second = signed_in("a2", "周审核", "approver")
    assert http.post(f"{ITEM}/confirm", headers=second).json()["standing"] == "current"
    http.post(f"{ITEM}/ask", headers=editor, json={"move": "retire", "replaced_by": "gl-cs"})
    assert http.post(f"{ITEM}/decline", headers=editor).json()["request"] is None
    assert code_of(http.post(f"{ITEM}/decline", headers=editor), 409) == "illegal_move"


def test_what_comes_later_is_shown_and_called_off(
    http: TestClient, editor: dict[str, str], approver: dict[str, str]
) -> None:
    day = utcnow().astimezone(SHANGHAI).date() + timedelta(days=30)
    http.put(ITEM, headers=editor, json={"content": {"answer": "以后的。", "valid_from": day.isoformat()}})
    http.post(f"{ITEM}/submit", headers=editor, json={})
    item = http.post(f"{ITEM}/approve", headers=approver).json()
    (coming,) = item["coming"]
    assert (item["version"], coming["number"], coming["starts"]) == (1, 2, day.isoformat())
    assert http.get("/api/knowledge/items?list=coming", headers=editor).json()["items"][0]["coming"] == day.isoformat()
    item = http.post(f"{ITEM}/call-off", headers=approver, json={"number": 2}).json()
    assert item["coming"] == []
    assert http.get(f"{ITEM}/versions", headers=editor).json()[0]["state"] == "called_off"


def test_a_new_item_and_what_is_refused(http: TestClient, editor: dict[str, str], approver: dict[str, str]) -> None:
    made = http.post("/api/knowledge/items", headers=editor, json={"question": "问？", "answer": "答。"})
    assert made.status_code == 201
    item = made.json()
    assert (item["status"], item["version"], item["content"]["matter"]) == ("draft", None, "其他")
    path = f"/api/knowledge/items/{item['id']}"
    for content in ({"answer": ""}, {"region": "999999"}, {"sources": [{"document": "lost"}]}, {"status": "approved"}):
        assert code_of(http.put(path, headers=editor, json={"content": content}), 422) == "invalid_input"
    assert code_of(http.get("/api/knowledge/items/nothing", headers=editor), 404) == "not_found"
    assert code_of(http.get("/api/knowledge/items/nothing/versions", headers=editor), 404) == "not_found"
    assert code_of(http.put(ITEM, headers=approver, json={"content": {}}), 403) == "forbidden"
    http.post(f"{path}/submit", headers=editor, json={})
    returned = http.post(f"{path}/return", headers=approver, json={"reason": "缺依据"}).json()
    assert (returned["working"]["state"], returned["working"]["reason"]) == ("returned", "缺依据")


def test_an_editor_finds_what_an_answer_may_rest_on(http: TestClient, editor: dict[str, str]) -> None:
    with database.write() as session:
        knowledge.upsert_guide(session, a_guide())
    (document,) = http.get("/api/knowledge/documents?text=图书馆", headers=editor).json()
    assert (document["id"], document["status"], document["internal"]) == ("doc", "有效", False)
    assert http.get("/api/knowledge/documents?text=没有的", headers=editor).json() == []
    assert [one["id"] for one in http.get("/api/knowledge/guides", headers=editor).json()] == ["buling"]
    assert http.get("/api/knowledge/guides?text=没有的", headers=editor).json() == []
    kinds = http.get("/api/knowledge/matters", headers=editor).json()
    assert (kinds["matters"]["高龄津贴"], kinds["departments"]) == (4, {})


def test_many_at_once_have_a_result_each(http: TestClient, approver: dict[str, str]) -> None:
    body = {"move": "approve", "items": [{"id": "draft"}, {"id": "nothing"}, {"id": "gl-cs", "revision": 99}]}
    results = http.post("/api/knowledge/bulk", headers=approver, json=body).json()
    assert [(one["id"], one["done"], one["code"]) for one in results] == [
        ("draft", True, None),
        ("nothing", False, "not_found"),
        ("gl-cs", False, "outdated"),
    ]
    assert (
        code_of(http.post("/api/knowledge/bulk", headers=approver, json=body | {"move": "submit"}), 403) == "forbidden"
    )


def test_a_list_of_five_thousand_and_an_item_take_few_queries(
    sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(monkeypatch) as http:
        headers = signed_in("e1", "张编辑", "editor")
        with database.write() as session:
            knowledge.upsert(session, [a_qa(f"q-{n:05}", review_by=date(2027, 1, 1)) for n in range(5000)])
        for path in ("items?list=review&limit=50&offset=4000", "items?text=q-04999", "items/q-04999"):
            statements: list[str] = []
            listen = (database.get_engine(), "before_cursor_execute", lambda *args, to=statements: to.append(args[2]))
            event.listen(*listen)
            assert http.get(f"/api/knowledge/{path}", headers=headers).status_code == 200
            event.remove(*listen)
            assert len(statements) < 25, (path, statements)
