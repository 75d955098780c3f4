"""What the desk's suggestions cost the citizens, and how fast they come: 20 agents typing, on and off in turns.

Citizens ask the assistant three questions a second all the while.  The agents type as people do, a letter after the other, and ask 120 ms after the
last one: four queries a second together.  Reported are the ratio of the citizens' p95 with them to that without (the median over the
rounds), and how long a suggestion takes.  Servers share the machine with the client.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from benchmarks import stack
from benchmarks.desk import citizens, quantile, sign_everybody_in
from connectors.run import scratch
from connectors.run.background import free_ports, start_in_background
from connectors.run.services import services

AGENTS, QUERIES_A_SECOND = 20, 4
TYPED = (
    "失业金要交满几年才能领",
    "居住证多久能拿到",
    "婚假几天",
    "公积金贷款能贷多少",
    "孩子办护照父母都要去吗",
    "欠薪去哪投诉",
    "新生儿医保怎么报销",
    "驾驶证过期了怎么换",
)


async def type_on(http: httpx.AsyncClient, cookie: str, place: int, until: float, took: list[float]) -> None:
    """One agent: a query every few seconds, each a little longer than the one before."""
    headers = {"Cookie": cookie, "Sec-Fetch-Site": "same-origin"}
    pause = AGENTS / QUERIES_A_SECOND
    await asyncio.sleep(pause * place / AGENTS)
    count = place
    while time.monotonic() < until:
        question = TYPED[count % len(TYPED)]
        text = question[: max(3, len(question) - count % 4)]
        begun = time.monotonic()
        (await http.post("/api/desk/suggest", json={"text": text}, headers=headers)).raise_for_status()
        took.append(time.monotonic() - begun)
        count += 1
        await asyncio.sleep(max(0.0, pause - (time.monotonic() - begun)))


async def phase(address: str, cookies: list[str], seconds: float, *, typing: bool) -> dict[str, Any]:
    """Some seconds with the agents typing, or without."""
    async with httpx.AsyncClient(base_url=address, timeout=60, trust_env=False) as http:
        took: list[float] = []
        until = time.monotonic() + seconds
        agents = [
            asyncio.create_task(type_on(http, cookies[n % len(cookies)], n, until, took))
            for n in range(AGENTS if typing else 0)
        ]
        waits = await citizens(http, until)
        await asyncio.gather(*agents)
    return {
        "turns": len(waits),
        "p95_ms": quantile(waits, 0.95),
        "queries": len(took),
        "suggest_p50_ms": quantile(took, 0.5),
        "suggest_p95_ms": quantile(took, 0.95),
    }


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
        await phase(settings.gateway_url, cookies, 10, typing=True)  # warm
        found = []
        for number in range(rounds):
            order = (False, True) if number % 2 else (True, False)
            both = {on: await phase(settings.gateway_url, cookies, seconds, typing=on) for on in order}
            found.append({"off": both[False], "on": both[True], "ratio": both[True]["p95_ms"] / both[False]["p95_ms"]})
            print(json.dumps(found[-1], ensure_ascii=False), file=sys.stderr)
    return {
        "machine": described,
        "rounds": found,
        "ratio": round(statistics.median(one["ratio"] for one in found), 2),
        **{name: statistics.median(one["on"][name] for one in found) for name in ("suggest_p50_ms", "suggest_p95_ms")},
    }


def main() -> None:
    """Print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.assist", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there as well")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yihaoda-bench-") as temporary:
        report = asyncio.run(run(arguments.rounds, arguments.seconds, Path(temporary)))
    print(
        f"citizens' p95 with agents typing to that without: {report['ratio']} (median of rounds)\n"
        f"a suggestion: p50 {report['suggest_p50_ms']} ms, p95 {report['suggest_p95_ms']} ms"
    )
    if arguments.json:
        stack.write_json(arguments.json, report)


if __name__ == "__main__":
    main()
