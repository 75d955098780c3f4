"""What reaches the gateway's edge and must not get further: on both databases, with the real routes."""

from __future__ import annotations

import json
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pgserver
import pytest
from conftest import _execute, forget
from fastapi import Request
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from processes import signed_in

from bot import database
from bot.settings import Settings, get_settings
from connectors.gateway import errors
from connectors.gateway.app import create_app
from connectors.web.context import Body, client_address
from index.assistant.respond import Assistant
from index.versions.store import IndexReader


def served(patch: pytest.MonkeyPatch, **more: str) -> Iterator[TestClient]:
    """The gateway without an index and without Rasa, for an operator."""
    for name, value in {"DENSE": "false", "RASA_PORT": "1", "RATE_PER_MINUTE": "100000", **more}.items():
        patch.setenv(f"YIHAODA_{name}", value)
    forget()
    database.migrate()
    assistant = Assistant(get_settings(), IndexReader(get_settings()))
    patch.setattr("connectors.gateway.app.get_assistant", lambda: assistant)
    patch.setattr("connectors.gateway.app.logs.configure", lambda level: None)
    with TestClient(create_app(), raise_server_exceptions=False) as client:
        client.headers.update(signed_in("xiaowang", "小王"))
        yield client


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    url = ""
    if request.param == "postgresql":
        uri: str = request.getfixturevalue("postgres")
        _execute(uri, "CREATE DATABASE edges TEMPLATE template")
        url = uri.replace("/postgres?", "/edges?")
    with pytest.MonkeyPatch.context() as patch:
        yield from served(patch, DATA_DIR=str(tmp_path_factory.mktemp("edges")), DATABASE_URL=url)
    forget()


@pytest.fixture
def http(running: TestClient) -> TestClient:
    running.headers.pop("Authorization", None)
    return running


@pytest.fixture
def path(http: TestClient) -> str:
    """A conversation's messages, for its citizen."""
    opened = http.post("/api/conversations").json()
    http.headers["Authorization"] = f"Bearer {opened['token']}"
    return f"/api/conversations/{opened['id']}/messages"


def refused(response: httpx.Response, status: int = 422) -> str:
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert set(error) == {"code", "message"} and any(character >= "\u4e00" for character in error["message"])
    return str(error["code"])


# --- paths and queries -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("GET", "/api/conversations/%00"),
        ("GET", "/api/conversations/a%00b/tickets"),
        ("GET", "/api/tickets/%00?code=000000"),
        ("GET", "/api/tickets/20260302000019?code=%00"),
        ("GET", "/api/themes/%00"),
        ("GET", "/api/regions?parent=%00"),
        ("POST", "/api/calculators/%00"),
        ("POST", "/api/desk/tickets/%00/claim"),
        ("POST", "/api/desk/conversations/%00/claim"),
        ("GET", "/api/desk/turns/%00"),
        ("GET", "/assets/%00"),
        ("GET", "/wechat?echostr=%00"),
        ("GET", "/%00"),
    ],
)
def test_no_null_character_in_an_address(http: TestClient, method: str, address: str) -> None:
    assert refused(http.request(method, address, json={"agent": "小王"})) == "invalid_input"


@pytest.mark.parametrize(
    "after", ["-1", "2147483648", "1099511627776", "99999999999999999999", "9" * 5000, "1.5", "true", "一", ""]
)
def test_a_number_that_no_column_holds_is_refused(http: TestClient, path: str, after: str) -> None:
    assert refused(http.get(path, params={"after": after})) == "invalid_input"
    assert refused(http.get(path, headers={"Last-Event-ID": after.encode()})) == "invalid_input"


@pytest.mark.parametrize("after", [0, 7, 2**31 - 1])
def test_a_number_that_a_column_holds_is_taken(http: TestClient, path: str, after: int) -> None:
    assert http.get(path, params={"after": after}).json().items() >= {"state": "bot", "messages": []}.items()


# --- bodies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body", [{"text": "好", "agent": "小王"}, {"text": "小\x00王"}, {"text": 7}, {"text": ""}, {}, []]
)
def test_who_does_it_comes_from_the_sign_in_and_an_unknown_field_is_refused(http: TestClient, body: Any) -> None:
    for address in ("/api/desk/tickets/20260302000019/reply", "/api/desk/conversations/0/messages"):
        assert refused(http.post(address, json=body)) == "invalid_input"


@pytest.mark.parametrize("hours", [False, True, "8", None, [8], "NaN", -1, 25])
def test_hours_are_a_number(http: TestClient, hours: Any) -> None:
    sent = http.put("/api/desk/duty", json={"hours": hours})
    assert refused(sent) == "invalid_input"
    for number in ("NaN", "Infinity", "1e999", "9" * 5000):
        body = f'{{"hours": {number}}}'.encode()
        sent = http.put("/api/desk/duty", content=body, headers={"Content-Type": "application/json"})
        assert sent.status_code in (400, 422)
        refused(sent, sent.status_code)
    assert http.put("/api/desk/duty", json={"hours": 8}).status_code == 204


@pytest.mark.parametrize(
    "body",
    [
        {"helpful": True, "turn_id": "\x00"},
        {"helpful": True, "message_id": "a\x00"},
        {"helpful": "true", "turn_id": "0"},
        {"helpful": 1, "turn_id": "0"},
        {"helpful": True, "turn_id": 0},
        {"helpful": True, "turn_id": "0", "reason": "\ud800"},
        {"helpful": True, "turn_id": "0", "\ud800": 1},
    ],
)
def test_a_rating_names_a_turn(http: TestClient, path: str, body: dict[str, Any]) -> None:
    sent = http.post(
        path.replace("messages", "ratings"), content=json.dumps(body), headers={"Content-Type": "application/json"}
    )
    assert refused(sent) == "invalid_input"


def test_a_citizens_own_words_may_hold_anything(http: TestClient, path: str) -> None:
    sent = http.post(path, json={"message_id": "m", "text": "身份证\x00丢了\x1b"})
    assert sent.status_code == 200, sent.text
    assert http.get(path).json()["messages"][0]["text"] == "身份证\x00丢了\x1b"


def bodies(kind: type[Body]) -> Iterator[type[Body]]:
    for one in kind.__subclasses__():
        yield one
        yield from bodies(one)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_body_lets_a_null_character_or_half_a_one_through(data: st.DataObject) -> None:
    """Of every body that a route takes, in every field of text but a citizen's own words."""
    kind = data.draw(st.sampled_from(list(bodies(Body))))
    texts = [name for name, one in kind.model_fields.items() if "str" in str(one.annotation) and "dict" not in str(one)]
    name = data.draw(st.sampled_from([one for one in texts if one not in kind.own_words] or [""]))
    if not name:
        return
    bad = data.draw(st.text(max_size=5)) + data.draw(st.sampled_from(["\x00", "\ud800", "\udfff"]))
    with pytest.raises(ValueError) as raised:
        kind.model_validate({name: bad})
    assert any(one["loc"] == (name,) for one in raised.value.errors())  # type: ignore[attr-defined]


# --- methods, documented answers -------------------------------------------------------------------------------------


def test_a_wrong_method_is_told_the_right_ones(http: TestClient, path: str) -> None:
    for method, address, allowed in (
        ("DELETE", path, "GET, POST"),
        ("PATCH", path.removesuffix("/messages"), "DELETE, GET"),
        ("DELETE", "/api/conversations", "POST"),
        ("PUT", "/api/desk/duty/", None),
        ("DELETE", "/api/desk/tickets", "GET"),
        ("DELETE", "/wechat", "GET, POST"),
    ):
        answered = http.request(method, address)
        if allowed is None:
            continue
        assert refused(answered, 405) == "method_not_allowed"
        assert answered.headers["Allow"] == allowed


def test_every_route_says_what_it_may_answer() -> None:
    described = create_app().openapi()
    for address, methods in described["paths"].items():
        for method, one in methods.items():
            answers = set(one["responses"])
            assert {"413", "422", "503"} <= answers, (method, address)
            secured = any(
                part in address
                for part in (
                    "conversation_id",
                    "/api/desk/",
                    "/api/auth/",
                    "/api/admin/",
                    "/api/tickets/",
                    "/api/console/",
                    "/api/knowledge/",
                )
            )
            assert ("401" in answers) == secured, (method, address)
            if "requestBody" in one:
                assert "400" in answers, (method, address)
            for status, answer in one["responses"].items():
                schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
                if status >= "400" and schema:
                    # Some say more beside the error: what the item is by now.
                    shapes = schema.get("anyOf", [schema])
                    assert {"$ref": "#/components/schemas/ErrorBody"} in shapes, (method, address, status)


# --- addresses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("client", "forwarded", "address"),
    [
        ("198.51.100.1", "203.0.113.9", "198.51.100.1"),  # no proxy of ours: it may write what it likes
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "192.0.2.1, 203.0.113.9", "203.0.113.9"),  # what the citizen wrote, then what the proxy added
        ("10.1.2.3", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "10.9.9.9, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        ("127.0.0.1", None, "127.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", None, "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", None, "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", None, "203.0.113.9"),
        ("fe80::1%eth0", None, "fe80::/64"),
        ("127.0.0.1", "nonsense", "nonsense"),
    ],
)
def test_a_clients_address(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, client: str, forwarded: str | None, address: str
) -> None:
    monkeypatch.setenv("YIHAODA_PROXIES", "127.0.0.1,10.0.0.0/8")
    forget()
    app = create_app()
    seen: list[str] = []

    async def look(request: Request) -> None:
        seen.append(client_address(request))

    app.add_api_route("/address", look)
    app.router.routes.insert(0, app.router.routes.pop())
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    TestClient(app, client=(client, 5)).get("/address", headers=headers)
    assert seen == [address]


# --- a database that is away -----------------------------------------------------------------------------------------


@pytest.fixture
def own_postgres() -> Iterator[Callable[[], Any]]:
    """Starts a PostgreSQL server of the test's own, again and again."""
    folder = tempfile.mkdtemp(prefix="postgres")  # not among pytest's, see the fixture ``postgres``
    started: list[Any] = []

    def start() -> Any:
        started.append(pgserver.get_server(folder, cleanup_mode="stop"))
        return started[-1]

    yield start
    started[-1].cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def test_a_database_that_restarts_is_busy_and_loses_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, own_postgres: Callable[[], Any]
) -> None:
    server = own_postgres()
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    for client in served(monkeypatch, DATABASE_URL=url):
        opened = client.post("/api/conversations").json()
        client.headers["Authorization"] = f"Bearer {opened['token']}"
        conversation = f"/api/conversations/{opened['id']}"
        path, body = f"{conversation}/messages", {"message_id": uuid.uuid4().hex, "text": "谢谢"}
        assert client.post(path, json={"message_id": "before", "text": "你好"}).status_code == 200
        server.cleanup()
        for method, address, sent in (
            ("POST", path, body),
            ("GET", path, None),
            ("GET", conversation, None),
            ("DELETE", conversation, None),
            ("PUT", f"{conversation}/privacy", {"version": "1"}),
            ("POST", f"{conversation}/ratings", {"helpful": True, "message_id": "before"}),
            ("POST", "/api/conversations", None),
            ("POST", "/api/tickets/20260302000019", {"code": "000000"}),
        ):
            answered = client.request(method, address, json=sent)
            assert refused(answered, 503) == "busy", address
            assert int(answered.headers["Retry-After"]) > 0
        assert "再发一次" in client.post(path, json=body).json()["error"]["message"]
        own_postgres()
        assert client.post(path, json=body).status_code == 200
        said = client.get(path).json()["messages"]
        assert [one["message_id"] for one in said if one["sender"] == "citizen"] == ["before", body["message_id"]]


def test_what_is_busy_says_when_to_come_back() -> None:
    assert set(errors.RETRY_AFTER_S) == {429, 503}
