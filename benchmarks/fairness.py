"""Whether one person slows the others: ``python -m benchmarks.fairness`` attacks an assistant of its own on this machine.

Quiet and attacked phases take turns (A B A B …).  In both, three hundred citizens behind one address talk through REST and sixty in
WeChat, all at a quarter of what the assistant can do.  In the attacked ones somebody at the same address as the three hundred
opens 400 event streams of one conversation and keeps sixty conversations writing: eight messages each at once, every eighth of
20,000 characters, again and again.  What counts is how long the others wait for their replies: its 95th percentile, attacked ÷ quiet.

Limits are as shipped.  Everything is on 127.0.0.1 and ends by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import itertools
import json
import random
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from aiohttp import web
from rich.console import Console
from rich.table import Table

from benchmarks import stack
from bot.settings import Settings
from connectors.run import scratch
from connectors.run.background import free_ports, start_in_background
from connectors.run.services import services
from connectors.turns.dispatcher import BUSY

HALL = {"X-Forwarded-For": "203.0.113.7"}
"""The address of the three hundred and of the attacker (RFC 5737: nobody's)"""
CITIZENS, OPENIDS = 300, 60
ATTACKERS, AT_ONCE, STREAMS, LONG = 60, 8, 400, 20_000
SHARE = 0.25
"""Of what the assistant can do, the others ask for so much"""
MAX_RATE = 8.0
PHASE_S, QUICK_PHASE_S = 45.0, 35.0
ROUNDS, QUICK_ROUNDS = 2, 1
PATIENCE_S = 60.0
TARGET = 3.0
TOKEN = "fairness"

ASKED = (
    "身份证丢了咋补办", "临时身份证多久能拿到", "外地户口在这边办居住证要啥材料", "护照到期了怎么换新的", "养老保险要交满多少年才能领",
    "被公司辞退了能领失业金吗", "租房可以提公积金不", "异地就医备案怎么弄", "领结婚证要带什么", "公司不让休年假给钱吗", "谢谢", "你好",
)  # fmt: skip


@dataclass
class Wechat:
    """Where the assistant pushes what came too late for a passive reply; stands in for WeChat's API."""

    pushed: dict[str, asyncio.Event] = field(default_factory=dict)

    @contextlib.asynccontextmanager
    async def serving(self, port: int) -> AsyncIterator[None]:
        """On this machine only."""

        async def answer(request: web.Request) -> web.Response:
            if request.path.endswith("/custom/send"):
                self.pushed.setdefault((await request.json())["touser"], asyncio.Event()).set()
            return web.json_response({"errcode": 0, "access_token": "token", "expires_in": 7200})

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        try:
            yield
        finally:
            await runner.cleanup()


class Talker:
    """A conversation through REST, from the hall's address."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http
        self.path = ""
        self.headers: dict[str, str] = {}

    async def open(self) -> None:
        """Begin the conversation."""
        async with self._http.post("/api/conversations", headers=HALL) as opened:
            opened.raise_for_status()
            made = await opened.json()
        self.path = f"/api/conversations/{made['id']}/messages"
        self.headers = HALL | {"Authorization": f"Bearer {made['token']}"}

    async def say(self, text: str) -> int:
        """Send one message and wait for what the gateway answers; its status."""
        body = json.dumps({"message_id": uuid.uuid4().hex, "text": text}, ensure_ascii=False).encode()
        headers = self.headers | {"Content-Type": "application/json"}
        async with self._http.post(self.path, data=body, headers=headers) as said:
            await said.read()
            return said.status

    async def ask(self, text: str) -> float:
        """Seconds from sending to the reply, also where it is fetched later."""
        began = time.perf_counter()
        body = {"message_id": uuid.uuid4().hex, "text": text}
        async with asyncio.timeout(PATIENCE_S):
            while True:
                async with self._http.post(self.path, json=body, headers=self.headers) as said:
                    if said.status == 200:
                        await said.read()
                        return time.perf_counter() - began
                await asyncio.sleep(0.5)


class Openid:
    """A citizen in WeChat."""

    numbers = itertools.count(1)

    def __init__(self, http: aiohttp.ClientSession, wechat: Wechat) -> None:
        self._http, self._wechat = http, wechat
        self._openid = f"o{next(self.numbers):027}"

    async def ask(self, text: str) -> float:
        """Seconds from WeChat's push to the reply, passive or pushed."""
        pushed = self._wechat.pushed[self._openid] = asyncio.Event()
        stamp, nonce = str(int(time.time())), uuid.uuid4().hex
        signed = hashlib.sha1("".join(sorted((TOKEN, stamp, nonce))).encode(), usedforsecurity=False).hexdigest()
        xml = (
            f"<xml><ToUserName>gh_1</ToUserName><FromUserName>{self._openid}</FromUserName><CreateTime>{stamp}</CreateTime>"
            f"<MsgType>text</MsgType><Content>{text}</Content><MsgId>{uuid.uuid4().int % 10**18}</MsgId></xml>"
        )
        query = {"signature": signed, "timestamp": stamp, "nonce": nonce}
        began = time.perf_counter()
        async with asyncio.timeout(PATIENCE_S):
            async with self._http.post("/wechat", params=query, data=xml.encode()) as response:
                response.raise_for_status()
                body = await response.text()
            if "<xml>" not in body or BUSY in body:
                await pushed.wait()
        return time.perf_counter() - began


class Attack:
    """Somebody who takes what they can get, in a process of their own."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http
        self.statuses: dict[str, int] = {}
        self.streams: dict[str, int] = {}

    async def run(self, seconds: float) -> None:
        """Attack for so long."""
        talkers = [Talker(self._http) for _ in range(ATTACKERS)]
        for one in talkers:
            await one.open()
        streams = [asyncio.create_task(self._stream(talkers[0])) for _ in range(STREAMS)]
        writers = [asyncio.create_task(self._write(one, random.Random(number))) for number, one in enumerate(talkers)]
        await asyncio.sleep(seconds)
        for task in (*streams, *writers):
            task.cancel()
        await asyncio.gather(*streams, *writers, return_exceptions=True)

    async def _write(self, one: Talker, dice: random.Random) -> None:
        while True:
            texts = [dice.choice(ASKED) for _ in range(AT_ONCE - 1)] + [(dice.choice(ASKED) * LONG)[:LONG]]
            for status in await asyncio.gather(*(one.say(text) for text in texts)):
                self.statuses[str(status)] = self.statuses.get(str(status), 0) + 1
                if status == 429:
                    await asyncio.sleep(1)

    async def _stream(self, one: Talker) -> None:
        headers = one.headers | {"Accept": "text/event-stream"}
        with contextlib.suppress(aiohttp.ClientError):
            async with self._http.get(one.path, headers=headers) as stream:
                self.streams[str(stream.status)] = self.streams.get(str(stream.status), 0) + 1
                async for _ in stream.content:
                    pass


def client(port: int) -> aiohttp.ClientSession:
    """Of an assistant on this machine, and of no other."""
    return aiohttp.ClientSession(
        f"http://127.0.0.1:{port}", connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=90)
    )


async def attack(port: int, seconds: float) -> None:
    """The attacker's process: says on standard output what became of what it sent."""
    async with client(port) as http:
        one = Attack(http)
        await one.run(seconds)
    print({"messages": one.statuses, "streams": one.streams})


async def capacity(http: aiohttp.ClientSession) -> float:
    """Turns a second with eight conversations at once."""
    talkers = [Talker(http) for _ in range(8)]
    for one in talkers:
        await one.open()
    for warm in (True, False):
        lines = 2 if warm else 8
        began = time.perf_counter()

        async def talk(one: Talker, lines: int) -> None:
            for number in range(lines):
                await one.ask(ASKED[number % len(ASKED)])

        await asyncio.gather(*(talk(one, lines) for one in talkers))
    return 8 * lines / (time.perf_counter() - began)


async def phase(people: dict[str, list[Talker | Openid]], rate: float, seconds: float, seed: int) -> dict[str, Any]:
    """The others talk for so long; milliseconds that each group waited."""
    dice = random.Random(seed)
    waited: dict[str, list[float]] = {name: [] for name in people}
    lost = 0

    async def ask(name: str, one: Talker | Openid, text: str) -> None:
        nonlocal lost
        try:
            waited[name].append(await one.ask(text) * 1000)
        except (TimeoutError, aiohttp.ClientError):
            lost += 1

    turns = {name: itertools.cycle(members) for name, members in people.items()}
    everybody = [name for name, members in people.items() for _ in members]
    asked: list[asyncio.Task[None]] = []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        await asyncio.sleep(dice.expovariate(rate))
        name = dice.choice(everybody)
        asked.append(asyncio.create_task(ask(name, next(turns[name]), dice.choice(ASKED))))
    await asyncio.gather(*asked)
    figures = {
        name: dict(zip(("p50", "p95"), np.percentile(np.array(times), [50, 95]).tolist(), strict=True))
        for name, times in waited.items()
    }
    return {"asked": len(asked), "lost": lost, **figures}


async def measure(port: int, wechat: Wechat, rounds: int, phase_s: float) -> dict[str, Any]:
    """Everything that is measured on a running assistant."""
    async with client(port) as http:
        able = await capacity(http)
        rate = min(MAX_RATE, able * SHARE)
        hall = [Talker(http) for _ in range(CITIZENS)]
        for one in hall:
            await one.open()
        people: dict[str, list[Talker | Openid]] = {
            "hall": [*hall],
            "wechat": [Openid(http, wechat) for _ in range(OPENIDS)],
        }
        await phase(people, rate, phase_s / 3, 0)
        done: list[dict[str, Any]] = []
        for number in range(1, rounds + 1):
            await asyncio.sleep(2)
            quiet = await phase(people, rate, phase_s, number)
            attacker = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "benchmarks.fairness", "--attack", str(port), "--seconds", str(phase_s + 3),
                stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            await asyncio.sleep(3)  # its conversations are open
            attacked = await phase(people, rate, phase_s, number)
            said, _ = await attacker.communicate()
            done.append({"quiet": quiet, "attacked": attacked, "attacker": said.decode().strip()})
            print(f"round {number}: {done[-1]}", file=sys.stderr)
            await asyncio.sleep(min(30.0, phase_s))
    ratios = {
        name: statistics.median(one["attacked"][name]["p95"] / one["quiet"][name]["p95"] for one in done)
        for name in people
    }
    return {"turns_per_s": able, "rate": rate, "rounds": done, "ratios": ratios}


def show(report: dict[str, Any]) -> None:
    """The table: medians over the rounds."""
    table = Table(title=f"what others wait, ms; {report['rate']:.1f} of {report['turns_per_s']:.1f} turns/s asked for")
    for column in ("who", "quiet p50", "quiet p95", "attacked p50", "attacked p95", "p95 attacked ÷ quiet"):
        table.add_column(column, justify="right")
    for name, ratio in report["ratios"].items():
        cells = [
            f"{statistics.median(one[kind][name][key] for one in report['rounds']):.0f}"
            for kind in ("quiet", "attacked")
            for key in ("p50", "p95")
        ]
        table.add_row(name, *cells, f"×{ratio:.2f}")
    Console(width=110).print(table)


async def run(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Everything; the report."""
    described = stack.machine()
    stack.warn_if_busy(described)
    model = stack.prepare_data(folder / "data")
    ports = free_ports(4)
    env = (
        stack.settings_env(folder / "data", ports[:3])
        | {
            f"YIHAODA_{name.upper()}": str(Settings.model_fields[name].default)
            for name in ("rate_per_minute", "conversations_per_minute")
        }
        | {
            "YIHAODA_WECHAT_APP_ID": "wx0000000000000000",
            "YIHAODA_WECHAT_APP_SECRET": "secret",
            "YIHAODA_WECHAT_TOKEN": TOKEN,
            "YIHAODA_WECHAT_API_URL": f"http://127.0.0.1:{ports[3]}",
        }
    )
    settings = scratch.use(env)
    wechat = Wechat()
    rounds, phase_s = (QUICK_ROUNDS, QUICK_PHASE_S) if arguments.quick else (arguments.rounds, PHASE_S)
    with start_in_background(services(settings, model, env), log_dir=folder / "logs", timeout_s=180) as handle:
        async with wechat.serving(ports[3]):
            report = await measure(settings.port, wechat, rounds, phase_s)
        deaths = {name: handle.deaths(name) for name in ("gateway", "rasa", "actions")}
    return {"machine": described, "crashes": sum(deaths.values()), **report}


def main() -> int:
    """0; 1 where somebody waits more than three times as long, got no reply, or a process died."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fairness", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round, about three minutes")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"so many rounds (default {ROUNDS})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there as well")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work in this new folder and leave it (logs)")
    parser.add_argument("--attack", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=PHASE_S, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.attack:
        asyncio.run(attack(arguments.attack, arguments.seconds))
        return 0
    with tempfile.TemporaryDirectory(prefix="yihaoda-bench-") as temporary:
        report = asyncio.run(run(arguments, arguments.keep or Path(temporary)))
    show(report)
    if arguments.json:
        stack.write_json(arguments.json, report)
    lost = sum(one[kind]["lost"] for one in report["rounds"] for kind in ("quiet", "attacked"))
    slow = [name for name, ratio in report["ratios"].items() if ratio > TARGET]
    if lost or slow or report["crashes"]:
        print(
            f"not fair: {lost} without reply, {report['crashes']} crashes, too slow for {', '.join(slow) or 'nobody'}"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
