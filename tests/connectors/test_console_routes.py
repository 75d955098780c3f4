"""Signing in, accounts and the audit log, over HTTP."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from processes import signed_in

from bot import audit, database, events
from bot.accounts import people, second_factor, sign_in
from bot.clock import utcnow
from bot.models.people import SignIn
from bot.settings import Settings
from connectors.web.access import DEVICE, SESSION
from tests.connectors.desk_gateway import code_of, serving

GOOD = "江边散步-7颗石榴树"
OURS = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def http(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    with serving(monkeypatch) as client:
        client.headers.update(OURS)
        yield client


def account(number: str, *roles: str) -> str:
    with database.write() as session:
        return people.create(session, "命令行", number, "王芳", roles or ("agent",))[1]


def enter(http: TestClient, number: str, password: str, **more: Any) -> Any:
    return http.post("/api/auth/sign-in", json={"number": number, "password": password} | more)


def test_the_first_day(http: TestClient) -> None:
    first = account("1024")
    assert code_of(enter(http, "1024", "wrong"), 401) == "unauthorised"
    entered = enter(http, "1024", first)
    assert entered.status_code == 204
    cookies = {line.partition("=")[0]: line for line in entered.headers.get_list("set-cookie")}
    assert set(cookies) == {SESSION, DEVICE}
    for line in cookies.values():
        assert "HttpOnly" in line and "samesite=strict" in line.lower() and "secure" not in line.lower()
    me = http.get("/api/auth/me").json()
    assert (me["name"], me["unfinished"], me["role_names"]) == ("王芳", "password", ["坐席"])
    assert code_of(http.get("/api/desk/work"), 403) == "unfinished"
    change = {"old": first, "new": "12345678901"}
    assert code_of(http.post("/api/auth/password", json=change), 422) == "invalid_input"
    assert http.post("/api/auth/password", json=change | {"new": GOOD}).status_code == 204
    assert http.get("/api/desk/work").status_code == 200
    assert http.put("/api/auth/settings", json={"theme": "dark"}).status_code == 204
    assert http.get("/api/auth/me").json()["settings"] == {"theme": "dark", "notify": True, "page_size": 20}
    assert http.post("/api/auth/sign-out").status_code == 204
    assert code_of(http.get("/api/auth/me"), 401) == "unauthorised"


def test_cookies_go_over_https_in_production(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "a" * 43 + "="
    with serving(monkeypatch, ENV="production", SECRET_KEYS=key) as http:
        http.headers.update(OURS)
        password = account("1024", "agent", "admin")
        lines = enter(http, "1024", password).headers.get_list("set-cookie")
        assert len(lines) == 2 and all("secure" in line.lower() for line in lines)


def test_an_administrator_sets_up_a_second_factor_before_anything_else_in_production(
    sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(monkeypatch, ENV="production", SECRET_KEYS="a" * 43 + "=") as http:
        headers = signed_in("1", "管理员", "admin")
        assert http.get("/api/auth/me", headers=headers).json()["unfinished"] == "second_factor"
        assert code_of(http.get("/api/admin/people", headers=headers), 403) == "unfinished"
        secret = http.post("/api/auth/second-factor", headers=headers).json()["secret"]
        for wrong in ("000000", "abcdef"):
            tried = http.post("/api/auth/second-factor/confirmation", json={"code": wrong}, headers=headers)
            assert code_of(tried, 422) == "invalid_input"
        shown = {"code": second_factor.code_at(secret, utcnow())}
        assert http.post("/api/auth/second-factor/confirmation", json=shown, headers=headers).status_code == 204
        assert http.get("/api/admin/people", headers=headers).status_code == 200


def test_the_second_factor_is_asked_for_after_the_password(http: TestClient) -> None:
    password = account("1024")
    with database.write() as session:
        secret, _ = sign_in.begin_second_factor(session, "1024", http.app.state.gateway.settings)  # type: ignore[attr-defined]
        now = utcnow()
        sign_in.confirm_second_factor(session, "1024", second_factor.code_at(secret, now - timedelta(seconds=30)), now)
    assert code_of(enter(http, "1024", "wrong", code="000000"), 401) == "unauthorised"
    assert code_of(enter(http, "1024", password), 401) == "second_factor_asked"
    assert enter(http, "1024", password, code=second_factor.code_at(secret, utcnow())).status_code == 204


def test_a_page_left_alone_is_locked_and_goes_on_with_the_password(http: TestClient) -> None:
    password = account("1024")
    enter(http, "1024", password)
    with database.write() as session:
        for row in session.query(SignIn):
            row.seen_at = utcnow() - timedelta(minutes=16)
    assert code_of(http.get("/api/auth/me"), 401) == "locked"
    assert code_of(http.post("/api/auth/unlock", json={"password": "x"}), 401) == "unauthorised"
    assert http.post("/api/auth/unlock", json={"password": password}).status_code == 204
    assert http.get("/api/auth/me").status_code == 200


def test_too_many_tries_say_how_long_to_wait(http: TestClient) -> None:
    account("1024")
    for _ in range(4):
        refused = enter(http, "1024", "wrong")
    assert code_of(refused, 429) == "too_many" and 0 < int(refused.headers["Retry-After"]) < 60


@pytest.mark.parametrize(
    "body", [{}, {"number": "1"}, {"number": "", "password": "x"}, {"number": "1", "password": "x" * 201},
             {"number": 1, "password": "x"}, {"number": "1", "password": "x", "role": "admin"}, {"number": "1\x00", "password": "x"}]
)  # fmt: skip
def test_what_is_no_sign_in_is_refused(http: TestClient, body: dict[str, Any]) -> None:
    assert code_of(http.post("/api/auth/sign-in", json=body), 422) == "invalid_input"


def test_an_administrator_makes_changes_and_ends_accounts(http: TestClient) -> None:
    admin = signed_in("1", "管理员", "admin")
    new = {"number": "1024", "name": "王芳", "roles": ["officer"], "department": "医保局"}
    given = http.post("/api/admin/people", json=new, headers=admin)
    assert given.status_code == 201 and enter(http, "1024", given.json()["password"]).status_code == 204
    assert code_of(http.post("/api/admin/people", json=new, headers=admin), 409) == "illegal_move"
    assert [one["number"] for one in http.get("/api/admin/people?text=医保", headers=admin).json()] == ["1024"]
    person = given.json()["person"]
    change = {name: person[name] for name in ("name", "roles", "department", "region", "active", "revision")}
    assert http.get("/api/admin/people/1024/sign-ins", headers=admin).json()[0]["device"]
    assert http.put("/api/admin/people/1024", json=change | {"active": False}, headers=admin).status_code == 200
    assert code_of(http.get("/api/auth/me"), 401) == "unauthorised"  # out at once
    assert code_of(http.put("/api/admin/people/1024", json=change, headers=admin), 409) == "illegal_move"
    assert code_of(http.put("/api/admin/people/9999", json=change, headers=admin), 404) == "not_found"
    again = http.post("/api/admin/people/1024/password", headers=admin).json()["password"]
    assert code_of(enter(http, "1024", again), 401) == "unauthorised"  # still switched off
    assert http.delete("/api/admin/people/1024/second-factor", headers=admin).status_code == 204
    assert http.delete("/api/admin/people/1024/sign-ins", headers=admin).status_code == 204


def test_a_programs_key_is_shown_once(http: TestClient) -> None:
    admin = signed_in("1", "管理员", "admin")
    made = http.post("/api/admin/service-accounts", json={"name": "crm", "scopes": ["tickets.read"]}, headers=admin)
    key = {"Authorization": f"Bearer {made.json()['key']}"}
    assert http.get("/api/desk/tickets", headers=key).status_code == 200
    listed = http.get("/api/admin/service-accounts", headers=admin).json()
    assert [one["name"] for one in listed] == ["crm"] and listed[0]["used_at"] and "key" not in listed[0]
    assert http.delete("/api/admin/service-accounts/crm", headers=admin).status_code == 204
    assert code_of(http.get("/api/desk/tickets", headers=key), 401) == "unauthorised"


def test_the_audit_log_is_read_filtered_checked_and_exported(http: TestClient) -> None:
    admin = signed_in("1", "管理员", "admin")
    with database.write() as session:
        audit.record(session, "系统", "thing.done", "=1+1", note="@cmd", phone="13812345678")
    entries = http.get("/api/admin/audit", params={"action": "thing"}, headers=admin).json()
    assert [one["subject"] for one in entries] == ["=1+1"]
    assert http.get("/api/admin/audit/chain", headers=admin).json()["broken"] is None
    exported = http.get("/api/admin/audit/export", params={"action": "thing"}, headers=admin)
    assert exported.headers["Content-Disposition"].startswith("attachment")
    rows = list(csv.reader(io.StringIO(exported.text.removeprefix("\ufeff"))))
    assert rows[1][4:] == ["thing.done", "'=1+1", "note=@cmd；phone=***"] and "13812345678" not in exported.text
    assert http.get("/api/admin/audit", params={"action": "audit.export"}, headers=admin).json()[0]["actor"] == "1"
    for wrong in ({"before": "0"}, {"limit": "201"}, {"since": "yesterday"}, {"since": "2026-11-29T00:00:00"}):
        assert code_of(http.get("/api/admin/audit", params=wrong, headers=admin), 422) == "invalid_input"


def test_jobs_are_asked_for_stopped_and_resumed(http: TestClient) -> None:
    boss = signed_in("2", "班长", "supervisor")
    page = http.get("/api/admin/jobs", headers=boss).json()
    assert page["items"] == [] and page["worker_alive"] is False
    assert {one["name"] for one in page["kinds"]} >= {"retention", "recalculate", "backup"}
    made = http.post("/api/admin/jobs", json={"kind": "retention", "arguments": {"confirm": True}}, headers=boss)
    assert made.status_code == 201
    job = made.json()
    assert (job["state"], job["asked_by_name"], job["can"]) == ("等待", "班长", ["stop"])
    path = f"/api/admin/jobs/{job['id']}"
    assert http.post(f"{path}/stop", headers=boss).json()["can"] == ["resume"]
    assert code_of(http.post(f"{path}/stop", headers=boss), 409) == "illegal_move"
    assert http.post(f"{path}/resume", headers=boss).json()["state"] == "等待"
    assert http.get(path, headers=boss).json()["title"] == "到期清除"
    for wrong in (
        {"kind": "x"},
        {"kind": "retention", "arguments": {"confirm": 1}},
        {"kind": "backup", "arguments": {"a": 1}},
    ):
        assert code_of(http.post("/api/admin/jobs", json=wrong, headers=boss), 422) == "invalid_input"
    assert code_of(http.get("/api/admin/jobs/nobody", headers=boss), 404) == "not_found"
    with database.read() as session:
        assert events.since(session, 0)[-1].about == {"of": "retention", "state": "等待"}
