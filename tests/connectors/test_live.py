"""The desk's socket: nothing is missed, nothing is heard that is not for one's ears, and whoever is out is out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from processes import signed_in
from starlette.testclient import WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from bot import database, events
from bot.accounts import people
from bot.settings import Settings
from connectors.desk import live
from tests.connectors.desk_gateway import serving


@pytest.fixture
def http(db: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    with serving(monkeypatch) as client:
        yield client


def publish(kind: str, *subjects: str, **about: Any) -> None:
    for subject in subjects:
        with database.write() as session:
            events.publish(session, kind, subject, **about)


def heard(socket: WebSocketTestSession, number: int) -> list[str]:
    return [one["subject"] for one in told(socket, number)]


def told(socket: WebSocketTestSession, number: int) -> list[dict[str, Any]]:
    """So many events, however they come together."""
    found: list[dict[str, Any]] = []
    while len(found) < number:
        said = socket.receive_json()
        found += said.get("events", [said])
    return found


def newest() -> int:
    with database.read() as session:
        return events.newest(session)


def follow(http: TestClient, headers: dict[str, str], after: int = 0) -> WebSocketTestSession:
    return http.websocket_connect(f"/api/desk/events?after={after}", headers=headers)


def test_a_page_hears_what_changes_and_goes_on_where_it_was(http: TestClient) -> None:
    agent = signed_in("wang", "小王")
    with follow(http, agent) as socket:
        hello = socket.receive_json()
        assert hello["kind"] == "hello" and hello["id"] == newest()
        publish("ticket", "1", "2", state="办理中", department=None)
        first, second = told(socket, 2)
        assert (first["kind"], first["subject"], first["about"]["state"]) == ("ticket", "1", "办理中")
        last = second["id"]
    publish("ticket", *(str(number) for number in range(300)))  # the lid is closed
    with follow(http, agent, last) as socket:
        assert socket.receive_json() == {"kind": "hello", "id": last}
        assert heard(socket, 300) == [str(number) for number in range(300)]
        publish("conversation", "c")
        assert heard(socket, 1) == ["c"]


def test_whoever_missed_too_much_loads_everything_anew(http: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = signed_in("wang", "小王")
    publish("ticket", "0")
    monkeypatch.setattr(live, "_RESET_AFTER", 5)
    old = newest()
    publish("ticket", *"123456")
    for after in (old, newest() + 1000):  # too far behind, or from a database that was replaced
        with follow(http, agent, after) as socket:
            assert socket.receive_json() == {"kind": "reset", "id": newest()}
    with follow(http, agent, newest() - 1) as socket:
        assert [socket.receive_json()["kind"] for _ in range(2)] == ["hello", "ticket"]


def test_everyone_hears_what_is_theirs(http: TestClient) -> None:
    people_ = {
        "agent": signed_in("wang", "小王"),
        "officer": signed_in("zhao", "老赵", "officer", department="医保局"),
        "editor": signed_in("qian", "小钱", "editor"),
        "admin": signed_in("root", "管理员", "admin"),
    }
    publish("duty", "before")
    start = newest()
    publish("ticket", "ours", department="医保局")
    publish("ticket", "theirs", department="民政局")
    for kind in ("conversation", "danger", "unanswered", "job", "duty", "something new"):
        publish(kind, kind)
    publish("person", "qian")
    publish("conversation", "end")
    publish("ticket", "end", department="医保局")
    publish("unanswered", "end")
    publish("job", "end")
    wanted = {
        "agent": ["ours", "theirs", "conversation", "danger", "unanswered", "duty", "end", "end", "end"],
        "officer": ["ours", "end"],
        "editor": ["unanswered", "job", "qian", "end"],
        "admin": ["job", "end"],
    }
    for role, headers in people_.items():
        with follow(http, headers, start) as socket:
            socket.receive_json()
            assert heard(socket, len(wanted[role])) == wanted[role], role


def closed(socket: WebSocketTestSession) -> int:
    with pytest.raises(WebSocketDisconnect) as gone:
        while True:
            socket.receive_json()
    return int(gone.value.code)


def test_whoever_is_switched_off_or_signed_out_is_cut_off_at_once(http: TestClient) -> None:
    headers, admin = signed_in("wang", "小王"), signed_in("root", "管理员", "admin")
    with follow(http, headers) as socket:
        socket.receive_json()
        change = {
            "name": "小王",
            "roles": ["agent"],
            "department": None,
            "region": None,
            "active": False,
            "revision": 0,
        }
        assert http.put("/api/admin/people/wang", json=change, headers=admin).status_code == 200
        assert closed(socket) == live.ENDED
    with follow(http, headers) as socket:
        assert closed(socket) == live.ENDED
    with follow(http, admin) as socket:
        socket.receive_json()
        http.post("/api/auth/sign-out", headers=admin)
        assert closed(socket) == live.ENDED


def test_a_change_of_roles_is_heard_with_the_new_ones_only(http: TestClient) -> None:
    headers = signed_in("wang", "小王", "agent")
    with follow(http, headers) as socket:
        socket.receive_json()
        with database.write() as session:
            people.change(
                session,
                "x",
                "wang",
                0,
                name="小王",
                given=["editor"],
                department=None,
                region=None,
                skills=[],
                capacity=None,
                active=True,
            )
        assert closed(socket) == live.ENDED


def test_pages_are_bounded(http: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = signed_in("wang", "小王")
    monkeypatch.setattr(live, "_PAGES_A_PERSON", 1)
    with follow(http, headers) as first:
        first.receive_json()
        with follow(http, headers) as second:
            assert closed(second) == live.TOO_MANY
        publish("ticket", "1")
        assert heard(first, 1) == ["1"]


@pytest.mark.parametrize("after", ["x", "-1", "1.5", "9" * 40])
def test_a_cursor_that_is_none_breaks_nothing(http: TestClient, after: str) -> None:
    with http.websocket_connect(f"/api/desk/events?after={after}", headers=signed_in("wang", "小王")) as socket:
        try:
            assert socket.receive_json()["kind"] in ("hello", "reset")
        except WebSocketDisconnect as gone:
            assert gone.code == live.NOT_ALLOWED


def test_nobody_hears_nothing(http: TestClient) -> None:
    for headers in (
        {"Sec-Fetch-Site": "same-origin"},
        {"Cookie": "yhd_session=x", "Sec-Fetch-Site": "same-origin"},
    ):
        with follow(http, headers) as socket:
            assert closed(socket) == live.ENDED


def test_who_else_looks_at_a_thing_is_said(http: TestClient) -> None:
    wang, li = signed_in("wang", "小王"), signed_in("li", "小李")
    with follow(http, wang) as first, follow(http, li) as second:
        for socket in (first, second):
            socket.receive_json()
            for nonsense in (
                "x",
                "{}",
                '{"looking": 7}',
                '{"looking": "../x"}',
                '{"looking": "ticket/' + "1" * 99 + '"}',
                "[]",
            ):
                socket.send_text(nonsense)
        first.send_json({"looking": "ticket/1"})
        assert first.receive_json()["names"] == []
        second.send_json({"looking": "ticket/1"})
        assert first.receive_json()["names"] == ["小李"]
        seen = second.receive_json()
        assert (seen["kind"], seen["subject"], seen["names"]) == ("looking", "ticket/1", ["小王"])
        second.send_json({"looking": ""})
        assert first.receive_json()["names"] == []
        second.send_json({"looking": "ticket/1"})
        assert (first.receive_json()["names"], second.receive_json()["names"]) == (["小李"], ["小王"])
        first.close()
        assert second.receive_json()["names"] == []


def test_for_a_page_that_reads_slowly_no_more_than_so_much_waits_and_then_it_is_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "_BEHIND", 3)

    async def fill() -> list[live.Told]:
        feed, queue = live.Feed(), asyncio.Queue[live.Told](3)
        for number in range(6):
            feed._put(queue, live.Looking(str(number), ()))
        return [queue.get_nowait() for _ in range(queue.qsize())]

    first, second, end = asyncio.run(fill())
    assert isinstance(first, live.Looking) and isinstance(second, live.Looking)
    assert (first.subject, second.subject, end) == ("0", "1", None)  # which closes the socket with BUSY
