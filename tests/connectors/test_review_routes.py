"""待学习 over HTTP and on the command line."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from processes import signed_in
from typer.testing import CliRunner

from bot import database, jobs, knowledge, review
from bot.clock import utcnow
from bot.models.knowledge import QA
from bot.models.review import ReviewGroup
from bot.review import audits
from bot.settings import Settings
from connectors.terminal.cli import app
from tests.bot.test_review import ask, group_of
from tests.connectors.desk_gateway import code_of, serving
from tests.training.test_review import run
from training.review import placing

LOST = "图书卡掉进河里了找谁"


@pytest.fixture
def http(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    with serving(monkeypatch, ANSWER_AT="0.9", LIKELY_AT="0.9", CLARIFY_AT="0.9") as client:
        made = client.post("/api/conversations").json()
        token = {"Authorization": f"Bearer {made['token']}"}
        body = {"message_id": uuid.uuid4().hex, "text": LOST}
        assert client.post(f"/api/conversations/{made['id']}/messages", json=body, headers=token).status_code == 200
        client.headers.update(signed_in("1", "王芳", "editor"))
        run(sqlite_db)
        yield client


def test_from_what_a_citizen_asked_to_a_wording_that_another_person_approves(http: TestClient) -> None:
    page = http.get("/api/console/review/groups").json()
    (group,) = page["items"]
    assert group["text"] == LOST and group["week"] == 1 and page["figures"]["groups"] == 1
    one = http.get(f"/api/console/review/groups/{group['id']}").json()
    assert [line["text"] for line in one["lines"]] == [LOST] and one["decisions"] == []
    body = {"groups": [group["id"]], "action": "wording", "qa_id": "plain"}
    tried = http.post("/api/console/review/decisions", json=body | {"dry_run": True}).json()
    assert not tried[0]["refused"] and http.get("/api/console/review/groups").json()["total"] == 1
    (done,) = http.post("/api/console/review/decisions", json=body).json()
    assert done["settled"] == 1 and http.get("/api/console/review/groups").json()["total"] == 0
    with database.read() as session:
        item = session.get_one(QA, "plain")
        assert LOST in knowledge.under_way(session, item).similar and LOST not in item.similar
    (made,) = http.get("/api/console/review/decisions").json()["items"]
    assert (made["title"], made["wording"], made["name"], made["may_undo"]) == ("加为问法", LOST, "王芳", True)
    assert http.delete(f"/api/console/review/decisions/{made['id']}").status_code == 204
    assert code_of(http.delete(f"/api/console/review/decisions/{made['id']}"), 409) == "illegal_move"
    assert http.get("/api/console/review/groups").json()["total"] == 1


def test_what_is_not_there_or_not_possible_is_said(http: TestClient) -> None:
    assert code_of(http.get("/api/console/review/groups/nothing"), 404) == "not_found"
    assert code_of(http.delete("/api/console/review/decisions/nothing"), 404) == "not_found"
    body = {"groups": ["nothing"], "action": "ignore"}
    (done,) = http.post("/api/console/review/decisions", json=body).json()
    assert done["refused"] and "没有这一组" in done["said"]
    assert http.post("/api/console/review/decisions", json=body | {"action": "?"}).status_code == 422
    assert code_of(http.post("/api/console/review/sample/nothing", json={"verdict": "right"}), 404) == "not_found"


def test_a_sample_is_judged_and_a_grouping_asked_for(http: TestClient) -> None:
    id_ = ask("答对了吗", decision="answer", certainty="sure", probability=0.99, qa_id="plain")
    with database.write() as session:
        audits.draw(session, utcnow())
    (row,) = http.get("/api/console/review/sample").json()["items"]
    assert (row["asked_id"], row["question"]) == (id_, "图书馆借书证丢失如何补领")
    assert http.post(f"/api/console/review/sample/{id_}", json={"verdict": "wrong"}).status_code == 204
    assert http.get("/api/console/review/sample").json()["total"] == 0
    assert http.get("/api/console/review/sample", params={"judged": True}).json()["items"][0]["verdict"] == "wrong"
    job = http.post("/api/console/review/arrange").json()["job"]
    with database.read() as session:
        assert jobs.get(session, job).kind == "review"


def test_a_second_reader_is_told_afterwards(http: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.review.deciding._ONE_IN", 1)
    (group,) = http.get("/api/console/review/groups").json()["items"]
    http.post("/api/console/review/decisions", json={"groups": [group["id"]], "action": "ignore"})
    assert http.get("/api/console/review/second").json()["total"] == 0  # one's own
    http.headers.update(signed_in("2", "李强", "approver"))
    (row,) = http.get("/api/console/review/second").json()["items"]
    assert row["text"] == LOST and "action" not in row
    path = f"/api/console/review/decisions/{row['id']}/second"
    told = http.post(path, json={"action": "not_ours"}).json()
    assert (told["title"], told["agrees"]) == ("忽略", False)
    assert http.get("/api/console/review/groups").json()["agreement"] == {"read": 1, "agreed": 0, "waiting": 0}


def test_after_a_wording_thousands_of_groups_are_judged_again_within_two_seconds(http: TestClient) -> None:
    ids = [ask(f"第{number}个问题怎么办", about=f"a{number}", noise=0.1) for number in range(1600)]
    placing.arrange(utcnow(), lambda *_: None, "s" * 64)
    body = {"groups": [group_of(ids[0])], "action": "wording", "qa_id": "plain"}
    start = time.perf_counter()
    (done,) = http.post("/api/console/review/decisions", json=body).json()
    assert not done["refused"] and time.perf_counter() - start < 2


def test_the_command_lists_decides_and_takes_back(sqlite_db: Settings) -> None:
    one = ask("天上有几颗星")
    placing.arrange(utcnow(), lambda *_: None, "s" * 64)
    group, run = group_of(one), CliRunner()
    listed = run.invoke(app, ["review", "list"])
    assert listed.exit_code == 0 and "共 1 组" in listed.output
    call = ["review", "do", group, "--action", "out_of_scope", "--actor", "zhao"]
    assert "会1 次提问记作" in run.invoke(app, [*call, "--dry-run"]).output.replace("\n", "")
    assert run.invoke(app, call).exit_code == 0
    with database.read() as session:
        assert not session.get_one(ReviewGroup, group).open
        (made,), _ = review.decisions(session)
    assert run.invoke(app, call).exit_code == 1
    assert "已撤销" in run.invoke(app, ["review", "undo", made.id, "--actor", "zhao"]).output
    with database.read() as session:
        assert session.get_one(ReviewGroup, group).open
