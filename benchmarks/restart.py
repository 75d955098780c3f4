"""Seconds from ``kill -9`` of a process to a citizen's message being acknowledged and answered.

``python -m benchmarks.restart`` kills the gateway, then Rasa, then the action server, then all three at once, each several
times a minute apart.  After each kill a citizen says something, again and again under the same id until it is acknowledged.
At the end every message has one reply, or the run proves nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from benchmarks import stack
from bot.settings import Settings
from connectors.run import scratch
from connectors.run.background import Handle, free_ports, start_in_background
from connectors.run.services import services

KILLS = 10
EVERY_S = 60.0
VICTIMS = {name: (name,) for name in ("gateway", "rasa", "actions")} | {"all three": ("gateway", "rasa", "actions")}
QUESTIONS = ("身份证丢了咋补办", "护照多少钱", "失业金怎么领", "公积金怎么提取", "医保卡丢了怎么办")
RETRY_S = 0.05
GIVE_UP_S = 180.0


class Citizen:
    """One conversation, and a client that does not give up."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        opened = http.post("/api/conversations").raise_for_status().json()
        self._path = f"/api/conversations/{opened['id']}/messages"
        self._headers = {"Authorization": f"Bearer {opened['token']}"}
        self.sent = 0

    def say(self, text: str, since: float) -> tuple[float, float]:
        """Seconds from ``since`` until the message was acknowledged, and until its reply was there."""
        self.sent += 1
        body = {"message_id": f"m{self.sent}", "text": text}
        response = self._stubborn("POST", json=body)
        acknowledged = time.monotonic() - since
        turn_id, replied = response["turn_id"], bool(response["replies"])
        while not replied:
            time.sleep(RETRY_S)
            replied = turn_id in self.replies()
        return acknowledged, time.monotonic() - since

    def replies(self) -> Counter[str]:
        """How many replies each turn got."""
        said: list[dict[str, Any]] = []
        while more := self._stubborn("GET", params={"after": said[-1]["seq"] if said else 0})["messages"]:
            said += more
        return Counter(message["turn_id"] for message in said if message["sender"] == "bot")

    def _stubborn(self, method: str, **options: Any) -> dict[str, Any]:
        until = time.monotonic() + GIVE_UP_S
        while time.monotonic() < until:
            with contextlib.suppress(httpx.HTTPError):
                response = self._http.request(method, self._path, headers=self._headers, **options)
                if response.is_success:
                    answer: dict[str, Any] = response.json()
                    return answer
            time.sleep(RETRY_S)
        raise RuntimeError(f"not answered within {GIVE_UP_S:.0f} s")


def kill(handle: Handle, citizen: Citizen, names: Sequence[str], number: int) -> dict[str, float]:
    """One kill: seconds until acknowledged, answered, and until all services are ready again."""
    deaths = {name: handle.deaths(name) for name in names}
    for name in names:
        os.kill(handle.pid(name), signal.SIGKILL)
    killed = time.monotonic()
    acknowledged, answered = citizen.say(QUESTIONS[number % len(QUESTIONS)], killed)
    while any(handle.deaths(name) == before for name, before in deaths.items()):
        time.sleep(RETRY_S)
    handle.wait_ready(timeout_s=GIVE_UP_S)
    return {"acknowledged": acknowledged, "answered": answered, "ready": time.monotonic() - killed}


def measure(victims: Sequence[str], kills: int, every_s: float, folder: Path) -> dict[str, Any]:
    """The report.  Raises: RuntimeError where a message was lost or answered twice."""
    described = stack.machine()
    stack.warn_if_busy(described)
    model = stack.prepare_data(folder / "data")
    env = stack.settings_env(folder / "data", free_ports(3))
    settings: Settings = scratch.use(env)
    seconds: dict[str, list[dict[str, float]]] = {}
    with (
        start_in_background(services(settings, model, env), log_dir=folder / "logs") as handle,
        httpx.Client(base_url=settings.gateway_url, timeout=60.0, trust_env=False) as http,
    ):
        citizen = Citizen(http)
        citizen.say(QUESTIONS[0], time.monotonic())
        for victim in victims:
            for number in range(kills):
                began = time.monotonic()
                seconds.setdefault(victim, []).append(kill(handle, citizen, VICTIMS[victim], number))
                print(f"· {victim} {number + 1}/{kills}: {seconds[victim][-1]}", file=sys.stderr)
                if number + 1 < kills:
                    time.sleep(max(0.0, began + every_s - time.monotonic()))
        replies = citizen.replies()
        hangs = sum(handle.hangs(name) for name in VICTIMS["all three"])
    if len(replies) != citizen.sent or set(replies.values()) != {1}:
        raise RuntimeError(f"{citizen.sent} messages, but their turns' replies are {sorted(replies.values())}")
    return {
        "machine": described,
        "kills": kills,
        "every_s": every_s,
        "messages": citizen.sent,
        "taken_for_hung": hangs,
        "summary": {victim: summary(ones) for victim, ones in seconds.items()},
        "seconds": seconds,
        "load_after": round(os.getloadavg()[0], 2),
    }


def summary(ones: Sequence[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Median and longest of each."""
    return {
        what: {
            "median_s": round(statistics.median(one[what] for one in ones), 2),
            "longest_s": round(max(one[what] for one in ones), 2),
        }
        for what in ones[0]
    }


def show(report: dict[str, Any]) -> None:
    """A table."""
    table = Table(
        title=f"seconds since kill -9, {report['kills']} kills, {report['every_s']:.0f} s apart: median (longest)"
    )
    for column in ("killed", "message acknowledged", "answered", "all services ready"):
        table.add_column(column, justify="left" if column == "killed" else "right")
    for victim, row in report["summary"].items():
        cells = (f"{row[what]['median_s']:.1f} ({row[what]['longest_s']:.1f})" for what in row)
        table.add_row(victim, *cells)
    Console(width=100).print(table)
    print(
        f"{report['messages']} messages, one reply each; load {report['machine']['load_before'][0]} before, "
        f"{report['load_after']} after; services wrongly taken for hung: {report['taken_for_hung']}"
    )


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.restart", description=__doc__.splitlines()[0])
    parser.add_argument("--victims", nargs="+", choices=list(VICTIMS), default=list(VICTIMS), help="default: all")
    parser.add_argument("--kills", type=int, default=KILLS, help=f"of each (default {KILLS})")
    parser.add_argument("--every", type=float, default=EVERY_S, metavar="S", help=f"(default {EVERY_S:.0f})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there as well")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yihaoda-bench-") as folder:
        report = measure(arguments.victims, arguments.kills, arguments.every, Path(folder))
    show(report)
    if arguments.json:
        stack.write_json(arguments.json, report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
