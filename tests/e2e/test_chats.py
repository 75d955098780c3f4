"""People chat with citizens while the gateway dies: no word is lost, doubled or out of order."""

from __future__ import annotations

import concurrent.futures
import contextlib
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import _execute
from e2e.test_failures import stubborn
from processes import Citizen, Stack, running

from bot import database
from bot.accounts import people

ROUNDS = 5


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.full)])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stack]:
    """A gateway alone: in a chat of people neither Rasa nor an index has anything to say."""
    settings = {}
    if request.param == "postgresql":
        postgres = request.getfixturevalue("postgres")
        name = f"chats_{uuid.uuid4().hex[:8]}"
        _execute(postgres, f"CREATE DATABASE {name}")
        settings["database_url"] = postgres.replace("/postgres?", f"/{name}?")
    with running(None, None, tmp_path, desk_answer_minutes="60", **settings) as one:
        yield one


def insist(stack: Stack, path: str, body: dict[str, str] | None, headers: dict[str, str]) -> int:
    """Send as a page does that tries again under the same id; the status in the end."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError), stack.http() as http:
            answered = http.post(path, json=body, headers=headers)
            if answered.status_code != 503:
                return answered.status_code
        time.sleep(0.25)
    raise AssertionError(f"{path} was never taken")


def chats(stack: Stack, count: int, deaths: int) -> None:
    agents = []
    for number in range(max(1, count // 40)):
        name = f"chat-{number}"
        agents.append(stack.person(name, name))
        with stack.database(), database.write() as session:
            people.get(session, name, locked=True).capacity = 50
        with stack.http(headers=agents[-1]) as http:
            assert http.put("/api/desk/duty", json={"hours": 8}).status_code == 204
    citizens = [Citizen(stack) for _ in range(count)]
    begun = threading.Event()

    def talk(number: int) -> None:
        citizen, headers = citizens[number], agents[number % len(agents)]
        path = f"/api/desk/conversations/{citizen.id}"
        # A claim whose answer is lost may have been made: then it is refused the second time.
        assert insist(stack, f"{path}/takeover", None, headers) in (204, 409)
        for place in range(ROUNDS):
            assert stubborn(citizen, f"市民{place}", f"c{place}")["state"] == "human"
            begun.set()
            body = {"text": f"坐席{place}", "message_id": f"a{place}"}
            assert insist(stack, f"{path}/messages", body, headers) == 200

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        talks = [pool.submit(talk, number) for number in range(count)]
        begun.wait(60)
        for _ in range(deaths):
            time.sleep(1.5)
            with contextlib.suppress(LookupError):
                stack.handle.kill("gateway")
            stack.handle.wait_ready(timeout_s=120)
        for one in talks:
            one.result(timeout=600)
    wanted = [line for place in range(ROUNDS) for line in (("citizen", f"市民{place}"), ("agent", f"坐席{place}"))]
    for citizen in citizens:
        said = citizen.messages()
        lines = [(one["sender"], one["text"] or one["replies"][0]["text"]) for one in said if one["sender"] != "system"]
        assert lines == wanted
        assert [one["sender"] for one in said].count("system") == 1
        assert [one["seq"] for one in said] == sorted({one["seq"] for one in said})


@pytest.mark.full
def test_a_dozen_chats_outlive_the_gateway(desk: Stack) -> None:
    chats(desk, 12, deaths=1)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_two_hundred_chats_outlive_the_gateway(desk: Stack) -> None:
    chats(desk, 200, deaths=4)
