"""The SMS platform behind its one interface: a real server on this machine that fails as real ones do."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from bot import database
from bot import sms as outbox
from bot.clock import utcnow
from bot.models.sms import ShortMessage
from bot.settings import Settings
from connectors.desk import sms
from tests.bot.test_desk import do

KEY = "geheim"
ACCEPTED = (200, b'{"accepted": true}')


class Platform:
    """Takes a message once, whoever sends it how often."""

    def __init__(self) -> None:
        self.taken: dict[str, tuple[str, str]] = {}
        self.asked = 0
        self.answers: list[tuple[int, bytes] | str] = []
        platform = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                platform.asked += 1
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert set(body) == {"id", "phone", "text"}
                said = platform.answers.pop(0) if platform.answers else ACCEPTED
                if self.headers["Authorization"] != f"Bearer {KEY}":
                    said = (401, b'{"reason": "no such key"}')
                if said == "silence":  # taken, and the answer never comes
                    platform.taken[body["id"]] = body["phone"], body["text"]
                    self.wfile.flush()
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                assert not isinstance(said, str)
                if said == ACCEPTED:
                    platform.taken[body["id"]] = body["phone"], body["text"]
                self.send_response(said[0])
                self.end_headers()
                self.wfile.write(said[1])

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/send"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def platform() -> Iterator[Platform]:
    made = Platform()
    yield made
    made.server.shutdown()
    made.server.server_close()


def put(settings: Settings, url: str, id_: str = "a" * 32) -> str:
    on = settings.model_copy(update={"sms_url": url})
    return str(do(outbox.put, "13812345678", "窗口在二楼。", "wang", on, id=id_).id)


def send(url: str, key: str = KEY) -> None:
    async def once() -> None:
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(timeout=2, trust_env=False, headers=headers) as http:
            await sms.send(http, url)

    asyncio.run(once())


def row(id_: str) -> ShortMessage:
    with database.read() as session:
        return session.get_one(ShortMessage, id_)


def hurry(id_: str) -> None:
    with database.write() as session:
        session.get_one(ShortMessage, id_).next_attempt_at = utcnow()


def test_it_is_given_once(db: Settings, platform: Platform) -> None:
    one = put(db, platform.url)
    send(platform.url), send(platform.url)
    assert platform.taken == {one: ("13812345678", "窗口在二楼。")} and platform.asked == 1
    assert row(one).status == "accepted" and row(one).error is None


@pytest.mark.parametrize(
    "answer",
    [
        (400, '{"reason": "号码在黑名单里"}'.encode()),
        (422, '{"reason": "号码在黑名单里"}'.encode()),
        (200, '{"accepted": false, "reason": "号码在黑名单里"}'.encode()),
    ],
)
def test_what_is_refused_stays_refused_with_its_reason(
    sqlite_db: Settings, platform: Platform, answer: tuple[int, bytes]
) -> None:
    platform.answers = [answer]
    one = put(sqlite_db, platform.url)
    send(platform.url), send(platform.url)
    assert (row(one).status, row(one).error, platform.asked) == ("refused", "号码在黑名单里", 1)


@pytest.mark.parametrize("answer", [(500, b"oops"), (503, b'{"reason": "busy"}'), (429, b""), (403, b"{}")])
def test_what_did_not_get_there_is_tried_again_under_the_same_id(
    sqlite_db: Settings, platform: Platform, answer: tuple[int, bytes]
) -> None:
    platform.answers = [answer, answer]
    one = put(sqlite_db, platform.url)
    for _ in range(3):
        send(platform.url)
        hurry(one)
    assert platform.asked == 3 and list(platform.taken) == [one] and row(one).status == "accepted"


def test_a_platform_that_can_not_be_reached_or_knows_no_such_key_loses_nothing(
    sqlite_db: Settings, platform: Platform
) -> None:
    one = put(sqlite_db, platform.url)
    send("http://127.0.0.1:9/send")
    assert (row(one).status, row(one).error) == ("pending", "连不上短信平台")
    hurry(one)
    send(platform.url, key="wrong")
    assert row(one).status == "pending" and not platform.taken
    hurry(one)
    send(platform.url)
    assert row(one).status == "accepted"


@pytest.mark.parametrize(
    "answer", ["silence", (200, b"ok"), (200, b"[]"), (202, b'{"accepted": 1}'), (502, b""), (504, b"")]
)
def test_what_may_have_gone_out_is_left_to_a_person(
    sqlite_db: Settings, platform: Platform, answer: tuple[int, bytes] | str
) -> None:
    platform.answers = [answer]
    one = put(sqlite_db, platform.url)
    send(platform.url)
    assert row(one).status == "unknown" and "不知道发出没有" in str(row(one).error)
    hurry(one)
    send(platform.url)
    assert platform.asked == 1
    do(outbox.again, one, "wang", any_person=False)
    send(platform.url)
    assert row(one).status == "accepted" and list(platform.taken) == [one]  # the same id: the same message


def test_what_was_being_sent_by_nobody_is_not_sent_again(sqlite_db: Settings, platform: Platform) -> None:
    one = put(sqlite_db, platform.url)
    assert do(outbox.claim, one) is not None  # and killed
    send(platform.url)
    assert row(one).status == "unknown" and platform.asked == 0


def test_the_sender_goes_on_by_itself(sqlite_db: Settings, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sms, "_LOOK_S", 0.05)
    on = sqlite_db.model_copy(update={"sms_url": platform.url, "sms_key": type(sqlite_db.sms_key)(KEY)})

    async def run() -> None:
        task = asyncio.create_task(sms.send_forever(on))
        until = time.monotonic() + 20
        while len(platform.taken) < 2 and time.monotonic() < until:
            await asyncio.sleep(0.05)
            if not put_second and platform.taken:
                put_second.append(await asyncio.to_thread(put, sqlite_db, platform.url, "b" * 32))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    put_second: list[str] = []
    put(sqlite_db, platform.url)
    asyncio.run(run())
    assert list(platform.taken) == ["a" * 32, "b" * 32]
