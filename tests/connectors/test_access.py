"""Who may call what: each route with each role and each program's scope; and what another site's page can't do."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.testclient import TestClient
from processes import signed_in
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocketDisconnect

from bot import database
from bot.accounts import people, service_accounts
from bot.accounts.roles import ROLES, SCOPES
from bot.settings import Settings
from connectors.gateway.app import create_app
from connectors.web.access import ACCESS, SESSION
from tests.connectors.desk_gateway import code_of, serving

PROTECTED = {name: rule for name, rule in ACCESS.items() if rule is not None and not name.startswith("WS ")}


@pytest.fixture
def http(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    with serving(monkeypatch) as client:
        yield client


def all_routes(app: FastAPI) -> set[str]:
    found = set()
    for context in iter_route_contexts(app.routes):
        if isinstance(context.original_route, APIRoute) and context.path:
            found |= {f"{method} {context.path}" for method in context.methods or () if method != "HEAD"}
        elif isinstance(context.original_route, WebSocketRoute):
            found.add(f"WS {context.path}")
    return found


def test_every_route_says_who_may_call_it() -> None:
    assert all_routes(create_app()) == set(ACCESS)


def call(http: TestClient, name: str, headers: dict[str, str]) -> int:
    method, path = name.split(" ", 1)
    # Nothing there has this id: whoever may call gets 404 or 422, and nothing changes.
    path = re.sub(r"\{(\w+)\}", lambda found: "draft" if found[1] in ("kind", "subject") else "nobody", path)
    return http.request(method, path, headers=headers, json={} if method in ("POST", "PUT") else None).status_code


@pytest.mark.parametrize("role", ROLES)
def test_each_role_opens_its_own_routes_and_no_other(http: TestClient, role: str) -> None:
    headers = signed_in(f"one-{role}", role, role, department="医保局")
    endings = [name for name in PROTECTED if "sign-" in name and not name.startswith("GET")]
    for name in (*(name for name in PROTECTED if name not in endings), *endings):
        status = call(http, name, headers)
        if role in PROTECTED[name].roles:
            assert status not in (401, 403, 500), name
        else:
            assert status == 403, name
        if name in endings:
            headers = signed_in(f"one-{role}", role)


@pytest.mark.parametrize("scope", SCOPES)
def test_each_scope_opens_its_own_routes_and_no_other(http: TestClient, scope: str) -> None:
    with database.write() as session:
        key = service_accounts.create(session, "测试", "program", [scope])
    headers = {"Authorization": f"Bearer {key}"}
    opened = set()
    for name, rule in PROTECTED.items():
        status = call(http, name, headers)
        assert (status in (401, 403)) is (rule.scope != scope), (name, status)
        opened |= {name} if rule.scope == scope else set()
    assert opened


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer"}, {"Authorization": "Bearer yhd_x"}, {"Authorization": "Basic eA=="},
                                     {"Cookie": f"{SESSION}=x", "Sec-Fetch-Site": "same-origin"}])  # fmt: skip
def test_nobody_opens_nothing(http: TestClient, headers: dict[str, str]) -> None:
    for name in PROTECTED:
        method, path = name.split(" ", 1)
        response = http.request(
            method, re.sub(r"\{\w+\}", "x", path), headers={"Sec-Fetch-Site": "same-origin"} | headers
        )
        assert code_of(response, 401) == "unauthorised"


def test_whoever_has_a_password_to_change_does_that_first(http: TestClient) -> None:
    headers = signed_in("1024", "王芳", "agent", "admin")
    with database.write() as session:
        people.get(session, "1024").must_change = True
    for name, rule in PROTECTED.items():
        method, path = name.split(" ", 1)
        if not rule.before and "{" not in path and rule.roles & {"agent", "admin"}:
            assert code_of(http.request(method, path, headers=headers, json={}), 403) == "unfinished"
    assert http.get("/api/auth/me", headers=headers).json()["unfinished"] == "password"


# --- other sites -----------------------------------------------------------------------------------------------------

FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://testserver.evil.example"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
    {},
]


@pytest.mark.parametrize("foreign", FOREIGN)
def test_another_sites_page_changes_nothing(http: TestClient, foreign: dict[str, str]) -> None:
    cookie = {"Cookie": signed_in("1024", "王芳")["Cookie"]}
    for method, path, body in (
        ("PUT", "/api/desk/duty", {"hours": 1}),
        ("POST", "/api/auth/sign-out", None),
        ("POST", "/api/auth/sign-in", {"number": "1024", "password": "x"}),
        ("POST", "/api/conversations", None),
    ):
        refused = http.request(method, path, json=body, headers=cookie | foreign)
        assert code_of(refused, 403) == "cross_site", path
    assert http.get("/api/auth/me", headers=cookie | foreign).json()["on_duty_until"] is None
    with (
        pytest.raises(WebSocketDisconnect),
        http.websocket_connect("/api/desk/events", headers=cookie | foreign),
    ):
        pass


@pytest.mark.parametrize(
    "own",
    [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://testserver"}, {"Origin": "https://answers.gov.example"}],
)
def test_our_own_page_does(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch, own: dict[str, str]) -> None:
    with serving(monkeypatch, PUBLIC_URL="https://answers.gov.example") as http:
        cookie = {"Cookie": signed_in("1024", "王芳")["Cookie"]}
        assert http.put("/api/desk/duty", json={"hours": 1}, headers=cookie | own).status_code == 204
        with http.websocket_connect("/api/desk/events", headers=cookie | own) as socket:
            assert socket.receive_json()["kind"] == "hello"


def test_citizens_and_programs_have_no_cookie_and_are_asked_for_no_origin(http: TestClient) -> None:
    assert http.post("/api/conversations").status_code == 201
    with database.write() as session:
        key = service_accounts.create(session, "测试", "program", ["tickets.write"])
    assert code_of(http.post("/api/desk/tickets/1/claim", headers={"Authorization": f"Bearer {key}"}), 404)
