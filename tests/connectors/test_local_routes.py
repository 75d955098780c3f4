"""Local figures and the checklist over HTTP: two people, tables, what citizens' calculators get."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from processes import signed_in

from bot import database, events, going_live, jobs
from bot.clock import utcnow
from bot.models.knowledge import QA
from bot.models.people import Person
from bot.settings import Settings
from tests.connectors.desk_gateway import code_of, serving

CITY, WAGE = "430100", "zuidi-gongzi"
HERE = f"/api/admin/local/{WAGE}/{CITY}"
DOC = "湘人社规〔2024〕9号"


@pytest.fixture
def http(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    with serving(monkeypatch, REGION=CITY, CITY="长沙") as client:
        client.headers.update({"Sec-Fetch-Site": "same-origin"})
        yield client


@pytest.fixture
def editor(http: TestClient) -> dict[str, str]:
    return signed_in("e1", "赵敏", "editor")


@pytest.fixture
def approver(http: TestClient) -> dict[str, str]:
    return signed_in("a1", "周立新", "approver", "editor")


def write(
    http: TestClient, who: dict[str, str], value: str = "2100元/月", revision: int | None = None, **more: Any
) -> Any:
    body = {"value": value, "source": DOC, "revision": revision} | more
    return http.put(f"{HERE}/draft", json=body, headers=who)


def test_one_writes_another_approves_and_a_third_sees_it(
    http: TestClient, editor: dict[str, str], approver: dict[str, str]
) -> None:
    written = write(http, editor, valid_from="2024-12-01").json()
    copy = written["copy"]
    assert (copy["value"], copy["status_name"], copy["authors"], copy["mine"]) == (
        "2100元/月",
        "待审核",
        ["赵敏"],
        True,
    )
    assert written["live"] is None
    decision = {"revision": copy["revision"]}
    assert code_of(http.post(f"{HERE}/approval", json=decision, headers=editor), 403) == "forbidden"
    assert code_of(http.post(f"{HERE}/approval", json={"revision": 9}, headers=approver), 409) == "illegal_move"
    approved = http.post(f"{HERE}/approval", json=decision, headers=approver).json()
    assert approved["copy"] is None and approved["live"]["valid_from"] == "2024-12-01"
    assert [(one["status_name"], one["decided_by"]) for one in approved["history"]] == [("已审核", "周立新")]
    page = http.get("/api/admin/local", params={"text": "月最低工资"}, headers=editor).json()
    (row,) = page["items"]
    assert (row["value"], row["standing"], row["region_name"]) == ("2100元/月", "在用", "长沙市")
    with database.read() as session:
        assert any(event.kind == "local" for event in events.since(session, 0))


def test_an_approver_does_not_approve_what_they_wrote(http: TestClient, approver: dict[str, str]) -> None:
    copy = write(http, approver).json()["copy"]
    refused = http.post(f"{HERE}/approval", json={"revision": copy["revision"]}, headers=approver)
    assert code_of(refused, 403) == "forbidden"
    back = http.post(
        f"{HERE}/return", json={"revision": copy["revision"], "reason": "文号不全"}, headers=approver
    ).json()
    assert (back["copy"]["status_name"], back["copy"]["reason"]) == ("退回修改", "文号不全")
    gone = http.delete(f"{HERE}/draft", params={"revision": back["copy"]["revision"]}, headers=approver)
    assert gone.status_code == 204
    assert http.get(HERE, headers=approver).json()["copy"] is None


def test_what_was_changed_meanwhile_is_not_overwritten(
    http: TestClient, editor: dict[str, str], approver: dict[str, str]
) -> None:
    seen = write(http, editor).json()["copy"]["revision"]
    assert write(http, approver, "2110元/月", seen).status_code == 200
    assert code_of(write(http, editor, "2120元/月", seen), 409) == "illegal_move"


@pytest.mark.parametrize(
    "wrong",
    [{"value": "2100"}, {"source": ""}, {"valid_to": "去年"}, {"valid_from": "2026-02-01", "valid_to": "2026-01-01"}],
)
def test_bad_values_are_refused(http: TestClient, editor: dict[str, str], wrong: dict[str, str]) -> None:
    body = {"value": "2100元/月", "source": DOC} | wrong
    assert code_of(http.put(f"{HERE}/draft", json=body, headers=editor), 422) == "invalid_input"


def test_withdrawn_it_is_gone_at_once(http: TestClient, editor: dict[str, str], approver: dict[str, str]) -> None:
    revision = write(http, editor).json()["copy"]["revision"]
    http.post(f"{HERE}/approval", json={"revision": revision}, headers=approver)
    overtime = {"wage": "1800", "weekday": "10", "restday": "0", "holiday": "0"}
    worked = http.post("/api/calculators/overtime", json={"inputs": overtime}).json()
    assert [one["value"] for one in worked["local"]] == ["2100元/月"] and "低于当地最低工资" in str(worked["caveats"])
    elsewhere = http.post("/api/calculators/overtime", json={"inputs": overtime, "region": "110000"}).json()
    assert elsewhere["local"] == []
    stopped = http.post(f"{HERE}/withdrawal", json={"reason": "标准调整"}, headers=editor).json()
    assert stopped["live"] is None
    assert http.post("/api/calculators/overtime", json={"inputs": overtime}).json()["local"] == []


def test_the_list_is_filtered_and_paged(http: TestClient, editor: dict[str, str]) -> None:
    write(http, editor)
    page = http.get("/api/admin/local", params={"limit": 3, "offset": 1}, headers=editor).json()
    assert len(page["items"]) == 3 and page["total"] == page["counts"]["all"] > 40
    waiting = http.get("/api/admin/local", params={"state": "waiting"}, headers=editor).json()
    assert [one["key"] for one in waiting["items"]] == [WAGE] and waiting["counts"]["waiting"] == 1
    assert code_of(http.get(f"/api/admin/local/x/{CITY}", headers=editor), 404) == "not_found"
    assert code_of(http.get(f"/api/admin/local/{WAGE}/999999", headers=editor), 404) == "not_found"


def test_a_table_goes_out_and_comes_back_filled(
    http: TestClient, editor: dict[str, str], approver: dict[str, str]
) -> None:
    exported = http.get("/api/admin/local/export", headers=editor)
    assert exported.headers["content-type"].startswith("text/csv") and exported.text.startswith("\ufeff编号,名称")
    table = f"编号,值,依据\n{WAGE},每月2100元,{DOC}\nhunjia-tianshu,18,{DOC}\ngaowen-jintie,,\n"
    tried = http.post("/api/admin/local/import", json={"table": table, "dry_run": True}, headers=editor).json()
    assert (tried["proposed"], tried["empty"]) == (["月最低工资标准（430100）"], 1) and tried["problems"][0][
        "line"
    ] == 3
    assert http.get(HERE, headers=editor).json()["copy"] is None
    assert http.post("/api/admin/local/import", json={"table": table}, headers=editor).json() == tried
    assert http.get(HERE, headers=editor).json()["copy"]["value"] == "2100元/月"
    again = http.post("/api/admin/local/import", json={"table": exported.text}, headers=approver).json()
    assert again["proposed"] == []
    assert (
        code_of(http.post("/api/admin/local/import", json={"table": "甲,乙\n1,2\n"}, headers=editor), 422)
        == "invalid_input"
    )


# --- the checklist ---------------------------------------------------------------------------------------------------


def test_the_checklist_follows_what_is_there(
    http: TestClient, editor: dict[str, str], approver: dict[str, str]
) -> None:
    admin = signed_in("9", "郑宏", "admin")

    def states() -> dict[str, str]:
        said = http.get("/api/admin/readiness", headers=admin).json()
        assert said["ready"] is False
        assert all(bool(line["next"]) == (line["state"] != "done") for line in said["lines"])
        return {line["id"]: line["state"] for line in said["lines"]}

    before = states()
    assert before["region"] == "done" and before["seal"] == before["wechat"] == "optional"
    for todo in ("people", "second_factor", "import", "local", "backup", "production", "https", "departments"):
        assert before[todo] == "todo", todo
    now = utcnow()
    with database.write() as session:
        for number, role in (("1", "agent"), ("2", "supervisor")):
            session.add(Person(number=number, name=number, roles=[role], password="x", created_at=now))
        for person in session.query(Person):
            person.password, person.totp_confirmed = "x", True
        job = jobs.get(session, jobs.request(session, "backup", "9"))
        job.state, job.ended_at = jobs.DONE, now
        for qa in session.query(QA):
            qa.status = "approved"
    after = states()
    done = {id_ for id_ in after if after[id_] != before[id_]}
    assert done >= {"people", "second_factor", "backup", "approved"} and all(after[id_] == "done" for id_ in done)


def test_it_is_ready_when_nothing_needed_is_left() -> None:
    line = going_live.Line("a", "甲", "done", "有", "")
    optional = going_live.Line("b", "乙", "optional", "没有", "可以做")
    todo = going_live.Line("c", "丙", "todo", "没有", "要做")
    assert going_live.ready([line, optional]) and not going_live.ready([line, todo])
