"""Calls are played to a gateway that dies: no final line is lost, none doubled; and the documented client is one that does it right."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import websockets
from processes import Stack, running

from bot import database
from bot.accounts import service_accounts
from bot.calls import calls
from bot.models.calls import Call, CallLine
from bot.settings import ROOT
from connectors.terminal import desk
from connectors.terminal.desk import Errors, Player, Spoken

SPOKEN = [Spoken("caller" if n % 2 else "agent", f"第{n}句话，一共{n}00元，我想问公积金怎么取") for n in range(60)]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Stack]:
    """A gateway alone: what is stored needs neither Rasa nor an index."""
    with running(None, None, tmp_path) as one:
        yield one


def key_of(stack: Stack) -> str:
    stack.person("1001", "小王")
    with stack.database(), database.write() as session:
        return service_accounts.create(session, "测试", f"pbx-{time.monotonic_ns()}", ["calls"])


def lines(stack: Stack, call: str) -> list[tuple[int, str]]:
    with stack.database(), database.read() as session:
        return [(line.seq, line.text) for line in calls.lines_of(session, call)]


@pytest.mark.full
def test_no_line_is_lost_when_the_gateway_dies_in_mid_call(gateway: Stack) -> None:
    played: list[str] = []
    key = key_of(gateway)

    def play() -> None:
        some = desk.segments(SPOKEN, Errors(cut=0.2, late=0.2, corrected=0.2), 3)
        played.append(asyncio.run(Player(gateway.settings, key).play(some, "1001", 30.0, practice=True)))

    thread = threading.Thread(target=play)
    thread.start()
    for _ in range(2):
        time.sleep(2.5)
        with contextlib.suppress(LookupError):
            gateway.handle.kill("gateway")
        gateway.handle.wait_ready(timeout_s=120)
    thread.join(120)
    wanted = {
        one["seq"]: one["text"]
        for _, one in desk.segments(SPOKEN, Errors(cut=0.2, late=0.2, corrected=0.2), 3)
        if one["final"]
    }
    assert lines(gateway, played[0]) == sorted(wanted.items())
    with gateway.database(), database.read() as session:
        assert session.get_one(Call, played[0]).state == "wrap_up"


def test_the_documented_client_does_it_right(gateway: Stack) -> None:
    page = (ROOT / "docs" / "calls.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, object] = {"__name__": "client"}
    exec(code, names)
    spoken = [(line.speaker, line.text) for line in SPOKEN[:10]]
    call = asyncio.run(names["main"](gateway.url, key_of(gateway), "1001", "c-1", spoken))  # type: ignore[operator]
    assert lines(gateway, call) == [(n, text) for n, (_, text) in enumerate(spoken, 1)]


@pytest.mark.full
def test_more_than_can_be_stored_is_bounded_and_nothing_is_lost(gateway: Stack) -> None:
    """Thousands of segments at once, of many calls on one socket: all are stored, in batches."""
    key = key_of(gateway)
    headers = {"Authorization": f"Bearer {key}"}
    with gateway.http(headers=headers) as http:
        made = [
            http.post("/api/desk/calls", json={"external_id": f"load-{n}"}).raise_for_status().json()["id"]
            for n in range(20)
        ]
    sent = asyncio.run(_flood(gateway, headers, made, 150))
    with gateway.database(), database.read() as session:
        assert session.query(CallLine).count() == sent == 20 * 150


async def _flood(stack: Stack, headers: dict[str, str], made: list[str], each: int) -> int:
    address = stack.url.replace("http", "ws", 1) + "/api/desk/calls/stream"
    waiting = {
        (call, seq): {"call": call, "seq": seq, "speaker": "caller", "text": f"第{seq}句"}
        for seq in range(1, each + 1)
        for call in made
    }
    total = len(waiting)
    deadline = time.monotonic() + 120
    while waiting and time.monotonic() < deadline:
        with contextlib.suppress(OSError, websockets.WebSocketException):
            async with websockets.connect(address, additional_headers=headers, proxy=None) as socket:

                async def hear(socket: websockets.ClientConnection = socket) -> None:
                    while waiting:
                        told = json.loads(await socket.recv())["stored"]
                        waiting.pop((told["call"], told["seq"]), None)

                hearing = asyncio.create_task(hear())
                for one in list(waiting.values()):
                    await socket.send(json.dumps(one))
                await hearing
    return total - len(waiting)
