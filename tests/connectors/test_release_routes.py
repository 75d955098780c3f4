"""发布 over HTTP and on the command line."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from processes import signed_in
from typer.testing import CliRunner

from bot import database
from bot.models.releases import Bundle
from bot.releases.states import LIVE
from bot.settings import Settings
from connectors.terminal.cli import app
from tests.bot.test_release_moves import made, states
from tests.connectors.desk_gateway import code_of, serving

PATH = "/api/console/releases"


@pytest.fixture
def http(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    with serving(monkeypatch) as client:
        client.headers.update(signed_in("3001", "王班", "supervisor"))
        with database.write() as session:
            session.query(Bundle).delete()
        made(sqlite_db, "a", kind="start", gate="none", state=LIVE, named={"x": 1, "y": 1})
        made(sqlite_db, "b", named={"x": 2, "z": 1})
        made(sqlite_db, "c", gate="short")
        yield client


def test_what_is_there_what_differs_and_what_a_move_will_do(http: TestClient) -> None:
    said = http.get(PATH, params={"limit": 2}).json()
    assert (said["live"]["name"], said["coming"], said["before"], said["watch"]) == ("a", None, None, None)
    assert said["total"] == 3 and [one["name"] for one in said["items"]] == ["c", "b"]
    assert [(one["people"], one["can"]) for one in said["items"]] == [
        ("two", ["shadow", "ask", "drop"]),
        ("one", ["shadow", "drop"]),
    ]
    found = http.get(f"{PATH}/b/difference", params={"than": "a", "limit": 2}).json()
    assert found["total"] == 3 and [(one["qa_id"], one["before"], one["after"]) for one in found["items"]] == [
        ("x", 1, 2),
        ("y", 1, None),
    ]
    will = http.get(f"{PATH}/b/preview", params={"move": "share", "share": 10}).json()["says"]
    assert "10% 由它回答" in will[0] and states()["b"] == "passed"
    assert code_of(http.get(f"{PATH}/nothing/preview", params={"move": "drop"}), 404) == "not_found"


def test_moves_over_http_and_their_history(http: TestClient) -> None:
    assert code_of(http.post(f"{PATH}/b/moves", json={"move": "all"}), 409) == "illegal_move"
    assert code_of(http.post(f"{PATH}/b/moves", json={"move": "ask"}), 422) == "invalid_input"
    assert http.post(f"{PATH}/b/moves", json={"move": "shadow"}).json()["coming"]["name"] == "b"
    said = http.post(f"{PATH}/b/moves", json={"move": "share", "share": 50}).json()
    assert (said["coming"]["share"], said["coming"]["shares"], said["coming"]["next"]) == (50, [], "全部启用")
    assert http.post(f"{PATH}/b/moves", json={"move": "all"}).json()["live"]["name"] == "b"
    taken = http.get(f"{PATH}/history", params={"bundle": "b"}).json()
    assert [one["title"] for one in taken["items"]] == ["全部启用", "灰度", "影子运行"] and taken["total"] == 3
    assert http.get(f"{PATH}/history", params={"bundle": "a"}).json()["items"][0]["title"] == "换下"
    http.headers.update(signed_in("2001", "李编", "editor"))
    assert http.get(PATH).json()["live"]["can"] == []
    assert http.post(f"{PATH}/a/moves", json={"move": "back", "why": "试"}).status_code == 403


def test_the_same_on_the_command_line(http: TestClient) -> None:
    def run(*words: str) -> str:
        done = CliRunner().invoke(app, ["release", *words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    assert "样本不足" in run("list") and "要两个人" in run("show", "c")
    assert "第 1 版 → 第 2 版" in run("diff", "b", "a")
    assert "不回复市民" in run("shadow", "b", "--actor", "3001", "--dry-run") and states()["b"] == "passed"
    run("shadow", "b", "--actor", "3001")
    run("share", "b", "10", "--actor", "3001")
    assert '"share": 10' in run("show", "b", "--json") and "更差的证据" not in run("show", "b")
    run("stop", "b", "--actor", "3001", "--why", "先不发")
    run("ask", "c", "--actor", "3001", "--why", "题库小")
    assert "3001 申请破例发布" in run("confirm", "c", "--actor", "3002", "--dry-run")
    run("decline", "c", "--actor", "3002")
    run("drop", "c", "--actor", "3002")
    run("ask", "b", "--actor", "3001", "--why", "再试")
    run("confirm", "b", "--actor", "3002")
    assert states() == {"a": LIVE, "b": "share"}
