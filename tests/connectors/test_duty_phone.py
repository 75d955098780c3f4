"""The duty phone's robot: told of every alarm once, told again after it could not be reached; a real server on this machine."""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from bot import conversations, danger, database, turns
from bot.models.conversations import Alarm
from bot.settings import Settings
from bot.turns import Outcome, Turn
from connectors.desk import duty_phone


class Robot:
    """The group robot: answers as those of 企业微信 and 钉钉 do, refusals with 200 and a code."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.answers: list[tuple[int, bytes]] = []
        robot = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, said = robot.answers.pop(0) if robot.answers else (200, b'{"errcode":0,"errmsg":"ok"}')
                if status == 200 and b'"errcode":0' in said:
                    robot.heard.append(body["text"]["content"])
                    assert body["msgtype"] == "text"
                self.send_response(status)
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/robot/send?key=k"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def robot() -> Iterator[Robot]:
    made = Robot()
    yield made
    made.server.shutdown()
    made.server.server_close()


def alarm(settings: Settings, text: str = "我家住三单元，着火了") -> str:
    def hears(turn: Turn) -> Outcome:
        return Outcome(replies=[danger.card(("fire",))], context=turn.context, decision="emergency")

    with database.write() as session:
        made, _ = conversations.create(session, "web")
        return turns.receive(session, made, uuid.uuid4().hex, text, settings, hears=hears).turn_id


def tell(url: str) -> bool:
    async def once() -> bool:
        async with httpx.AsyncClient(timeout=2, trust_env=False) as http:
            return await duty_phone.tell(http, url)

    return asyncio.run(once())


def test_every_alarm_is_told_once_and_nothing_of_what_was_said(db: Settings, robot: Robot) -> None:
    ids = [alarm(db), alarm(db)]
    assert tell(robot.url) and tell(robot.url)
    assert len(robot.heard) == 2 and all("火情" in one and "险情" in one for one in robot.heard)
    assert not any("三单元" in one for one in robot.heard)
    with database.read() as session:
        assert all(session.get_one(Alarm, id_).told_at for id_ in ids)


@pytest.mark.parametrize(
    "answer", [(200, b'{"errcode":93000,"errmsg":"invalid webhook url"}'), (500, b"oops"), (404, b"")]
)
def test_what_was_refused_is_told_again(sqlite_db: Settings, robot: Robot, answer: tuple[int, bytes]) -> None:
    alarm(sqlite_db)
    robot.answers = [answer]
    assert not tell(robot.url) and robot.heard == []
    assert tell(robot.url) and len(robot.heard) == 1


def test_a_robot_that_can_not_be_reached_loses_nothing(sqlite_db: Settings, robot: Robot) -> None:
    alarm(sqlite_db)
    assert not tell("http://127.0.0.1:9/robot")
    assert tell(robot.url) and len(robot.heard) == 1
