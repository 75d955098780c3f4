"""题库 and the gate's report over HTTP, and both on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from openpyxl import Workbook
from processes import signed_in
from typer.testing import CliRunner

from bot import database, golden
from bot.clock import utcnow
from bot.models.housekeeping import Event
from bot.models.releases import Bundle
from bot.releases import evaluations
from bot.settings import Settings, get_settings
from connectors.terminal.cli import app
from index.versions import store
from tests.connectors.desk_gateway import code_of, serving
from training.gate import report
from training.gate.rows import Heard, Row
from training.gate.verdict import figures, judge

NEW = {"text": "借书证掉水里了咋整", "right": ["plain"], "must": True, "why": "常有人问"}


@pytest.fixture
def http(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    with serving(monkeypatch, GOLDEN_QUESTIONS="tests/data/lived/short_final.jsonl") as client:
        client.headers.update(signed_in("1", "王芳", "editor"))
        yield client


@pytest.fixture
def other(http: TestClient) -> dict[str, str]:
    return signed_in("2", "李审", "approver")


def test_a_question_of_one_person_confirmed_by_another(http: TestClient, other: dict[str, str]) -> None:
    page = http.get("/api/console/golden").json()
    assert page["total"] == sum(page["counts"].values()) > 15 and page["waiting"] == 0
    assert {row["source"] for row in page["items"]} == {"ours"}
    made = http.post("/api/console/golden", json=NEW)
    assert made.status_code == 201 and made.json()["mine"] and made.json()["state_name"] == "等另一位确认"
    where = f"/api/console/golden/changes/{made.json()['id']}"
    assert code_of(http.post(where, json={"confirm": True}), 403) == "forbidden"
    (waiting,) = http.get("/api/console/golden/changes", params={"state": "waiting"}, headers=other).json()["items"]
    assert (waiting["by_name"], waiting["mine"], waiting["after"]["text"]) == ("王芳", False, NEW["text"])
    assert http.post(where, json={"confirm": True}, headers=other).json()["state"] == "confirmed"
    assert code_of(http.post(where, json={"confirm": True}, headers=other), 409) == "illegal_move"
    (row,) = http.get("/api/console/golden", params={"qa_id": "plain"}).json()["items"]
    assert (row["text"], row["titles"], row["must"], row["added_by"]) == (
        NEW["text"],
        ["图书馆借书证丢失如何补领"],
        True,
        "王芳",
    )
    changed = http.put(f"/api/console/golden/{row['id']}", json=NEW | {"must": False, "why": "不要紧"}, headers=other)
    assert changed.json()["before"]["must"] and not changed.json()["after"]["must"]
    assert code_of(http.post(f"/api/console/golden/{row['id']}/retire", json={"why": "x"}), 409) == "illegal_move"
    refused = http.post(f"/api/console/golden/changes/{changed.json()['id']}", json={"confirm": False, "why": "要紧"})
    assert refused.json()["state"] == "refused"
    gone = http.post(f"/api/console/golden/{row['id']}/retire", json={"why": "政策变了"}).json()
    assert (
        http.post(f"/api/console/golden/changes/{gone['id']}", json={"confirm": True}, headers=other).status_code == 200
    )
    history = http.get("/api/console/golden/changes", params={"question": row["id"]}).json()
    assert [one["move"] for one in history["items"]] == ["retire", "change", "add"]
    assert http.get("/api/console/golden", params={"retired": True}).json()["total"] == 1
    with database.read() as session:
        assert session.query(Event).filter(Event.kind == "golden").count() >= 6


def test_what_is_refused_says_why(http: TestClient) -> None:
    said = http.post("/api/console/golden", json=NEW | {"text": "图书馆借书证丢失，如何补领？"})
    assert code_of(said, 422) == "invalid_input" and "一字不差" in said.json()["error"]["message"]
    assert code_of(http.put("/api/console/golden/nothing", json=NEW), 404) == "not_found"
    assert code_of(http.post("/api/console/golden/changes/999", json={"confirm": True}), 404) == "not_found"
    assert code_of(http.post("/api/console/golden/batches/nothing"), 404) == "not_found"
    assert http.post("/api/console/golden", json=NEW | {"stratum": "?"}).status_code == 422
    supervisor = signed_in("3", "班长", "supervisor")
    assert http.get("/api/console/golden", headers=supervisor).status_code == 200
    assert code_of(http.post("/api/console/golden", json=NEW, headers=supervisor), 403) == "forbidden"
    assert code_of(http.get("/api/console/golden", headers=signed_in("4", "坐席", "agent")), 403) == "forbidden"


def test_a_file_comes_in_pieces_and_goes_out_again(http: TestClient, other: dict[str, str]) -> None:
    head = "问题,正确的问答,必对\n"
    first = http.post(
        "/api/console/golden/import", json={"text": f"{head}借书证被狗啃了,plain,是\n借书证,,\n", "why": "x"}
    ).json()
    assert first["proposed"] == 1 and [one["line"] for one in first["refused"]] == [3]
    more = {"text": f"{head}明天下不下雨呀,无,\n坏行,没有,\n", "batch": first["batch"], "first_line": 3}
    second = http.post("/api/console/golden/import", json=more).json()
    assert second["batch"] == first["batch"] and second["proposed"] == 2  # 没有: nothing answers it
    done = http.post(f"/api/console/golden/batches/{first['batch']}", headers=other).json()
    assert done == {"confirmed": 3, "refused": []}
    lines = [json.loads(line) for line in http.get("/api/console/golden/export").text.split("\n") if line]
    assert {"借书证被狗啃了", "明天下不下雨呀"} <= {line["q"] for line in lines}


def written(settings: Settings, name: str = "20261130-1") -> None:
    same = Row(
        id="a",
        source="golden",
        stratum="questions",
        text="借书证掉了",
        right=("plain",),
        act=None,
        must=True,
        times=1,
        counted=True,
        before=Heard("sure", "plain", 0.9),
        after=Heard("sure", "plain", 0.9),
    )
    wrong = Heard("likely", "draft", 0.6)
    rows = [
        replace(same, id="b", text="借书证没带", must=False, after=wrong),
        replace(same, id="c", source="replay", text=None, counted=False, must=False, times=4, after=wrong),
        *(replace(same, id=f"d{number}") for number in range(40)),
    ]
    told = judge("knowledge", rows, figures(rows), [], settings)
    told |= {"against": None, "at": utcnow().isoformat(), "bundle": name, "kind": "knowledge"}
    report.write(settings, name, told, rows)


def test_a_report_is_read_with_its_rows(http: TestClient) -> None:
    assert code_of(http.get("/api/console/gate/20261130-1"), 404) == "not_found"
    assert code_of(http.get("/api/console/gate/20261130-1/rows"), 404) == "not_found"
    assert http.get("/api/console/gate/..%2fsides").status_code in (404, 422)
    written(get_settings())
    told = http.get("/api/console/gate/20261130-1").json()
    assert (told["verdict"], told["may"], told["figures"]["totals"]["newly_wrong"]) == ("refused", "two", 1)
    page = http.get("/api/console/gate/20261130-1/rows", params={"limit": 3}).json()
    assert page["total"] == 42 and [row["id"] for row in page["items"]] == ["c", "b", "d0"]
    assert page["items"][0]["text"] == evaluations.GONE
    assert page["titles"] == {"plain": "图书馆借书证丢失如何补领", "draft": "农机补贴申请时间"}
    assert http.get("/api/console/gate/20261130-1/rows", params={"kind": "wrong", "offset": 1}).json()["total"] == 2
    assert http.get("/api/console/gate/20261130-1/rows", params={"source": "replay"}).json()["total"] == 1
    admin = signed_in("5", "管理员", "admin")
    assert http.get("/api/console/gate/20261130-1", headers=admin).status_code == 200
    assert code_of(http.get("/api/console/gate/20261130-1/rows", headers=admin), 403) == "forbidden"


def test_on_the_command_line(http: TestClient, other: dict[str, str], tmp_path: Path) -> None:
    def run(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, list(words), terminal_width=200)
        assert done.exit_code == code, (done.output, done.exception)
        return done.output

    book = Workbook()
    book.active.append(["问题", "正确的问答", "必对"])  # type: ignore[union-attr]
    book.active.append(["借书证让孩子撕了", "plain", "是"])  # type: ignore[union-attr]
    book.active.append(["图书馆借书证丢失如何补领", "plain", ""])  # type: ignore[union-attr]
    book.save(tmp_path / "题.xlsx")
    said = run("golden", "import", str(tmp_path / "题.xlsx"), "--actor", "1", "--why", "热点", code=1)
    assert "第 3 行没有收" in said and "提了 1 题" in said
    batch = said.split("golden confirm ")[1].split()[0]
    assert "借书证让孩子撕了" in run("golden", "list", "--waiting")
    assert "确认了 1 条" in run("golden", "confirm", batch, "--actor", "2")
    assert "必对" in run("golden", "list", "--must", "--text", "撕了")
    run("golden", "add", "今天刮几级风", "--actor", "1")
    with database.read() as session:
        (change,), _ = golden.changes(session, state="waiting")
        (row,), _ = golden.listed(session, golden.Wanted(text="撕了"))
        number, id_ = str(change.id), row.id
    assert "没有采用" in run("golden", "confirm", number, "--refuse", "--why", "不要", "--actor", "2")
    run("golden", "propose", id_, "--must", "否", "--why", "不要紧", "--actor", "2")
    run("golden", "propose", id_, "--retire", "--why", "x", "--actor", "2", code=1)
    (tmp_path / "gbk.csv").write_bytes("问题,正确的问答\n借书证进洗衣机了,plain\n".encode("gb18030"))
    assert "提了 1 题" in run("golden", "import", str(tmp_path / "gbk.csv"), "--actor", "1")
    assert "导出了" in run("golden", "export", str(tmp_path / "out.jsonl"))
    version = store.pointer(get_settings())[0]
    assert version is not None
    with database.write() as session:
        session.add(
            Bundle(
                name="new",
                kind="knowledge",
                state="built",
                index_version=version,
                rasa_model="",
                summary={},
                made_by="1",
                made_at=utcnow(),
                since=utcnow(),
            )
        )
    said = run("gate", "new", code=1)
    assert "发布包的清单不在" in said and "不能发布" in said and "最小变差" in said
