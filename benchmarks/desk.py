"""What the desk costs the citizens, and how fast it hears: 100 open sockets and 20 people chatting, on and off in turns.

Citizens ask the assistant three questions a second all the while.  Reported are the ratio of their p95 with the desk at work to that without it
(the median over the rounds), and how long a citizen's word takes to an agent's socket.  Servers share the machine with the client.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from benchmarks import stack
from bot import database
from bot.accounts import people, sign_in
from bot.clock import utcnow
from bot.desk import duty
from bot.models.people import Person
from connectors.run import scratch
from connectors.run.background import free_ports, start_in_background
from connectors.run.services import services
from connectors.web.access import SESSION

SOCKETS, CHATS, TURNS_A_SECOND = 100, 20, 3
AGENTS = 10
PAUSE_S = 3.0
"""Between the words of a chat: one of the citizen, one of the agent"""
QUESTIONS = (
    "身份证丢了咋补办",
    "护照多少钱",
    "失业金怎么领",
    "公积金能取不",
    "居住证怎么办",
    "工伤怎么认定",
    "年休假几天",
    "退休年龄",
)


def quantile(values: list[float], share: float) -> float:
    """Milliseconds; NaN where there are none."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 1) if ordered else float("nan")


class Desk:
    """People at the desk: who is signed in, their open sockets, and when each event came."""

    def __init__(self, address: str, cookies: list[str]) -> None:
        self.address, self.cookies = address, cookies
        self.heard: dict[str, float] = {}
        self.latencies: list[float] = []
        self.stopped = asyncio.Event()

    async def listen(self, place: int) -> None:
        """One page."""
        address = self.address.replace("http", "ws") + "/api/desk/events"
        headers = {"Cookie": self.cookies[place % len(self.cookies)], "Origin": self.address}
        async with connect(address, additional_headers=headers, compression=None) as socket:
            stop = asyncio.create_task(self.stopped.wait())
            # One page of each person tells when; the others cost the gateway as much, and this process less.
            read = asyncio.create_task(self._read(socket) if place < len(self.cookies) else self._drain(socket))
            await asyncio.wait({stop, read}, return_when=asyncio.FIRST_COMPLETED)
            read.cancel()
            await asyncio.gather(read, return_exceptions=True)

    async def _drain(self, socket: ClientConnection) -> None:
        async for _ in socket:
            pass

    async def _read(self, socket: ClientConnection) -> None:
        async for message in socket:
            said = json.loads(message)
            for event in said.get("events", [said]):
                begun = self.heard.pop(event.get("subject", ""), None) if event.get("kind") == "conversation" else None
                if begun is not None:
                    self.latencies.append(time.monotonic() - begun)


class Talk:
    """A citizen's conversation."""

    def __init__(self, http: httpx.AsyncClient, opened: dict[str, str]) -> None:
        self.http, self.id = http, opened["id"]
        self.headers = {"Authorization": f"Bearer {opened['token']}"}

    @classmethod
    async def begin(cls, http: httpx.AsyncClient) -> Talk:
        """A new one."""
        return cls(http, (await http.post("/api/conversations")).json())

    async def say(self, text: str) -> dict[str, Any]:
        """The gateway's answer."""
        body = {"message_id": uuid.uuid4().hex, "text": text}
        answered = await self.http.post(f"/api/conversations/{self.id}/messages", json=body, headers=self.headers)
        answered.raise_for_status()
        return dict(answered.json())


async def chat(http: httpx.AsyncClient, desk: Desk, place: int, until: float) -> int:
    """A citizen and an agent in turns; how many words."""
    cookie = {"Cookie": desk.cookies[place % AGENTS], "Sec-Fetch-Site": "same-origin"}
    talk = await Talk.begin(http)
    path = f"/api/desk/conversations/{talk.id}"
    (await http.post(f"{path}/takeover", headers=cookie)).raise_for_status()
    words = 0
    await asyncio.sleep(PAUSE_S * place / CHATS)
    while time.monotonic() < until:
        desk.heard[talk.id] = time.monotonic()
        await talk.say("我还想问一下")
        await asyncio.sleep(PAUSE_S / 2)
        body = {"text": "您请说。", "message_id": uuid.uuid4().hex}
        (await http.post(f"{path}/messages", json=body, headers=cookie)).raise_for_status()
        (await http.get(path, headers=cookie)).raise_for_status()
        await asyncio.sleep(PAUSE_S / 2)
        words += 2
    (await http.post(f"{path}/close", headers=cookie)).raise_for_status()
    return words


async def citizens(http: httpx.AsyncClient, until: float) -> list[float]:
    """Three questions a second of people who come new; how long each waited."""
    waits: list[float] = []

    async def ask(number: int) -> None:
        talk = await Talk.begin(http)
        begun = time.monotonic()
        if (await talk.say(QUESTIONS[number % len(QUESTIONS)]))["replies"]:
            waits.append(time.monotonic() - begun)

    asked: list[asyncio.Task[None]] = []
    while time.monotonic() < until:
        asked.append(asyncio.create_task(ask(len(asked))))
        await asyncio.sleep(1 / TURNS_A_SECOND)
    await asyncio.gather(*asked)
    return waits


async def phase(address: str, cookies: list[str], seconds: float, *, at_work: bool) -> dict[str, Any]:
    """Some seconds with the desk at work, or without."""
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(base_url=address, timeout=60, trust_env=False, limits=limits) as http:
        desk = Desk(address, cookies)
        pages = [asyncio.create_task(desk.listen(n)) for n in range(SOCKETS if at_work else 0)]
        await asyncio.sleep(2)
        until = time.monotonic() + seconds
        chats = [asyncio.create_task(chat(http, desk, n, until)) for n in range(CHATS if at_work else 0)]
        waits = await citizens(http, until)
        words = sum(await asyncio.gather(*chats))
        desk.stopped.set()
        await asyncio.gather(*pages)
    return {
        "turns": len(waits),
        "p50_ms": quantile(waits, 0.5),
        "p95_ms": quantile(waits, 0.95),
        "words": words,
        "event_p50_ms": quantile(desk.latencies, 0.5),
        "event_p95_ms": quantile(desk.latencies, 0.95),
    }


def sign_everybody_in() -> list[str]:
    """Cookies of people who are on duty."""
    cookies = []
    for number in range(AGENTS):
        name = f"bench-{number}"
        with database.write() as session:
            if session.get(Person, name) is None:
                person, _ = people.create(session, "bench", name, f"坐席{number}", ["agent"], capacity=50)
                person.must_change = False
            duty.set_duty(session, name, utcnow() + timedelta(hours=8))
            entered = sign_in.admit(session, name, source="bench", agent="bench", by="bench")
        cookies.append(f"{SESSION}={entered.token}")
    return cookies


async def run(rounds: int, seconds: float, folder: Path) -> dict[str, Any]:
    """Everything; the report."""
    described = stack.machine()
    stack.warn_if_busy(described)
    model = stack.prepare_data(folder / "data")
    unlimited = {f"YIHAODA_{name}": "100000" for name in ("RATE_PER_MINUTE", "CONVERSATIONS_PER_MINUTE")}
    env = stack.settings_env(folder / "data", free_ports(3)) | unlimited
    settings = scratch.use(env)
    with start_in_background(services(settings, model, env), log_dir=folder / "logs", timeout_s=180):
        cookies = sign_everybody_in()
        await phase(settings.gateway_url, cookies, 10, at_work=False)  # warm
        found = []
        for number in range(rounds):
            order = (False, True) if number % 2 else (True, False)
            both = {at: await phase(settings.gateway_url, cookies, seconds, at_work=at) for at in order}
            found.append({"off": both[False], "on": both[True], "ratio": both[True]["p95_ms"] / both[False]["p95_ms"]})
            print(json.dumps(found[-1], ensure_ascii=False), file=sys.stderr)
    return {
        "machine": described,
        "rounds": found,
        "ratio": round(statistics.median(one["ratio"] for one in found), 2),
        "off_p95_ms": statistics.median(one["off"]["p95_ms"] for one in found),
        "on_p95_ms": statistics.median(one["on"]["p95_ms"] for one in found),
        "event_p50_ms": statistics.median(one["on"]["event_p50_ms"] for one in found),
        "event_p95_ms": statistics.median(one["on"]["event_p95_ms"] for one in found),
    }


def main() -> None:
    """Print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.desk", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there as well")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yihaoda-bench-") as temporary:
        report = asyncio.run(run(arguments.rounds, arguments.seconds, Path(temporary)))
    print(
        f"citizens' p95 {report['off_p95_ms']} ms without the desk, {report['on_p95_ms']} ms with it: ratio {report['ratio']} (median of rounds)\n"
        f"a citizen's word at an agent's socket: p50 {report['event_p50_ms']} ms, p95 {report['event_p95_ms']} ms"
    )
    if arguments.json:
        stack.write_json(arguments.json, report)


if __name__ == "__main__":
    main()
