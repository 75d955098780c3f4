"""提问记录, 试一试 and 昨日重放 over HTTP."""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from processes import signed_in

from bot import audit, database, jobs, replays
from bot.models.jobs import Job
from bot.settings import Settings, get_settings
from connectors.jobs.steps import STEPS, Work
from tests.connectors.desk_gateway import code_of, serving

ASKED = ("图书馆借书证丢失如何补领", "图书馆的借书证丢了怎么办，我的电话13800138000", "=1+1 借书证")


@pytest.fixture
def http(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    with serving(monkeypatch, REPLAY_QUESTIONS="", ANSWER_AT="0.5", LIKELY_AT="0.5", CLARIFY_AT="0.4") as client:
        made = client.post("/api/conversations").json()
        token = {"Authorization": f"Bearer {made['token']}"}
        for text in ASKED:
            body = {"message_id": uuid.uuid4().hex, "text": text}
            assert client.post(f"/api/conversations/{made['id']}/messages", json=body, headers=token).status_code == 200
        client.headers.update(signed_in("1", "王芳", "editor"))
        yield client


def test_the_list_its_filter_and_its_export_show_the_same(http: TestClient) -> None:
    rows = http.get("/api/console/asked").json()
    assert [row["text"] for row in rows] == ["=1+1 借书证", "图书馆的借书证丢了怎么办，我的电话138****8000", ASKED[0]]
    first = http.get("/api/console/asked", params={"limit": 1}).json()
    rest = http.get("/api/console/asked", params={"before": first[0]["id"]}).json()
    assert [*first, *rest] == rows
    found = http.get("/api/console/asked", params={"text": "补领", "source": "市民", "certainty": "sure"}).json()
    assert [row["qa_id"] for row in found] == ["plain"]
    exported = http.get("/api/console/asked/export", params={"text": "借书证"})
    table = list(csv.DictReader(io.StringIO(exported.text.removeprefix("\ufeff"))))
    assert [row["编号"] for row in table] == [row["id"] for row in rows]
    assert table[0]["提问"].startswith("'=") and "13800138000" not in exported.text
    with database.read() as session:
        assert audit.entries(session, action="asked.export", limit=1)
    assert code_of(http.get("/api/console/asked", params={"result": "?"}), 422) == "invalid_input"
    assert code_of(http.get("/api/console/asked", params={"before": "?"}), 404) == "not_found"


def test_a_row_opens_with_how_it_was_decided(http: TestClient) -> None:
    row = http.get("/api/console/asked", params={"text": "补领"}).json()[0]
    one = http.get(f"/api/console/asked/{row['id']}").json()
    assert one["candidates"][0]["qa_id"] == "plain" and one["candidates"][0]["question"] == ASKED[0]
    assert one["questions"] == {"plain": ASKED[0]} and one["answer_at"] == 0.5 and one["version"]
    assert set(one["candidates"][0]["features"]) >= {"char", "learned"}
    assert code_of(http.get("/api/console/asked/nothing"), 404) == "not_found"


def test_trying_says_why_and_is_not_in_the_list(http: TestClient) -> None:
    before = http.get("/api/console/asked").json()
    tried = http.post("/api/console/try", json={"text": ASKED[0], "earlier": ["你好"]}).json()
    assert (tried["qa_id"], tried["replies"][0]["type"]) == ("plain", "answer")
    assert tried["explain"]["candidates"][0]["qa_id"] == "plain"
    assert http.get("/api/console/asked").json() == before
    assert code_of(http.post("/api/console/try", json={"text": " "}), 422) == "invalid_input"
    assert code_of(http.post("/api/console/try", json={"text": "x", "region": "999999"}), 404) == "not_found"


class _AtOnce(Work):
    """A job's work outside of the worker."""

    def __init__(self, job: Job) -> None:
        self.job, self.settings, self.results = job, get_settings(), {}

    def progress(self, doing: str, done: int | None = None, total: int | None = None) -> None:
        self.doing = doing

    def log(self, line: str) -> None:
        pass


def test_a_replay_is_estimated_at_once_and_done_whole_as_a_job(http: TestClient) -> None:
    change = {"qa_id": "plain", "move": "pause"}
    estimate = http.post("/api/console/replay", json=change).json()
    assert estimate["estimated"] and estimate["state"] == jobs.DONE and estimate["counts"]["lost"]["sure"] >= 1
    assert ASKED[0] in [one["text"] for one in estimate["changes"] if one["kind"] == "lost"]
    asked = http.post("/api/console/replay", json=change | {"whole": True}).json()
    assert not asked["estimated"] and asked["state"] == jobs.WAITING and asked["digest"] == estimate["digest"]
    with database.read() as session:
        work = _AtOnce(jobs.get(session, asked["job"]))
    for step in STEPS["replay"]:
        step.call(work)
    whole = http.get(f"/api/console/replay/{asked['id']}").json()
    assert whole["counts"] == estimate["counts"] and whole["asked"] == len(ASKED) and whole["changes"]
    listed = http.get("/api/console/replay", params={"digest": estimate["digest"]}).json()
    assert {one["id"] for one in listed} == {estimate["id"], whole["id"]} and not listed[0]["changes"]
    for row in http.get("/api/console/asked").json():  # what citizens said is nowhere but there
        with database.read() as session:
            assert row["text"] not in str(replays.get(session, whole["id"]).result)


def test_agents_have_no_business_here(http: TestClient) -> None:
    http.headers.update(signed_in("2", "李雷", "agent"))
    for path in ("asked", "asked/export", "asked/x", "replay", "replay/x"):
        assert code_of(http.get(f"/api/console/{path}"), 403) == "forbidden"
