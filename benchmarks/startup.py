"""Seconds from ``yihaoda run`` to ready, from an empty data folder and from a full one, and each process's memory.

``python -m benchmarks.startup`` runs the real command on free ports and asks each service's readiness address twenty times
a second.  Memory is taken after 50 turns through the REST API.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks import stack
from benchmarks.turns import script
from bot.settings import ROOT, Settings
from connectors.run import scratch
from connectors.run.background import free_ports

ROUNDS = 3
TURNS = 50
TIMEOUT_S = 300.0
POLL_S = 0.05
STOP_S = 30.0

_STAGES = {"检查数据库": "database", "构建知识索引": "index", "检查 Rasa 模型": "rasa model"}
"""What ``connectors.run.services.prepare`` says when it begins something."""


@dataclass
class Start:
    """One start: seconds since the command was given."""

    said: dict[str, float] = field(default_factory=dict)
    """When each stage of the preparation began"""
    ready: dict[str, float] = field(default_factory=dict)
    """When each service first said that it was ready"""

    def rows(self) -> dict[str, float]:
        """Seconds by name, in order; the preparation's stages as durations."""
        begun = sorted(self.said.items(), key=lambda entry: entry[1])
        # The last stage (is the Rasa model up to date?) ends when the services are started, which nothing tells us.
        stages = {
            f"· {name}": later - at for (name, at), (_, later) in zip(begun, [*begun[1:], ("", 0.0)], strict=True)
        }
        stages = {name: seconds for name, seconds in stages.items() if seconds >= 0}
        before = {"· imports": begun[0][1]} if begun else {}
        return {
            **before,
            **stages,
            **{f"{name} ready": at for name, at in sorted(self.ready.items(), key=lambda entry: entry[1])},
        }


@contextlib.contextmanager
def started(settings: Settings, env: dict[str, str], cores: set[int], log: Path) -> Iterator[tuple[int, Start]]:
    """``yihaoda run``; yields its process id once all three services are ready, and stops it at the end.

    Raises: RuntimeError if it ends, or is not ready in time.
    """
    addresses = {
        "rasa": f"{settings.rasa_url}/webhooks/rest/",
        "actions": f"http://127.0.0.1:{settings.action_port}/health",
        "gateway": f"{settings.gateway_url}/readyz",
    }
    start = Start()
    began = time.monotonic()
    with stack.on_cores(cores):
        process = subprocess.Popen(
            [sys.executable, "-m", "connectors.terminal.cli", "run"],
            cwd=ROOT,
            env={**os.environ, **env, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
    reader = threading.Thread(target=_listen, args=(process, start, began, log), daemon=True)
    reader.start()
    try:
        with httpx.Client(timeout=2.0, trust_env=False) as http:
            while len(start.ready) < len(addresses):
                if process.poll() is not None or time.monotonic() - began > TIMEOUT_S:
                    raise RuntimeError(f"the assistant did not start:\n{log.read_text(encoding='utf-8')[-3000:]}")
                for name, address in addresses.items():
                    if name not in start.ready and _answers(http, address):
                        start.ready[name] = time.monotonic() - began
                time.sleep(POLL_S)
        yield process.pid, start
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
        process.kill()
        process.wait()
        reader.join(STOP_S)


def _listen(process: subprocess.Popen[str], start: Start, began: float, log: Path) -> None:
    assert process.stdout is not None
    with log.open("w", encoding="utf-8") as copy, process.stdout as lines:
        for line in lines:
            copy.write(line)
            copy.flush()
            for words, name in _STAGES.items():
                if words in line:
                    start.said.setdefault(name, time.monotonic() - began)


def _answers(http: httpx.Client, address: str) -> bool:
    try:
        # Rasa and the action server listen once they are ready, and refuse us: we don't have this start's secret.
        status = http.get(address).status_code
        return status < 300 or status == 401
    except httpx.HTTPError:
        return False


def talk(settings: Settings, count: int) -> None:
    """So many turns, in as many conversations as it takes."""
    with httpx.Client(base_url=settings.gateway_url, timeout=60.0, trust_env=False) as http:
        said = 0
        for seed in range(count):
            opened = http.post("/api/conversations").raise_for_status().json()
            for text in script(seed):
                if said == count:
                    return
                http.post(
                    f"/api/conversations/{opened['id']}/messages",
                    json={"message_id": uuid.uuid4().hex, "text": text},
                    headers={"Authorization": f"Bearer {opened['token']}"},
                ).raise_for_status()
                said += 1


def memory_of(pid: int, settings: Settings) -> dict[str, dict[str, float]]:
    """Memory of each service's process tree, known by its port, and of the command that watches over them."""
    services = {settings.rasa_port: "rasa", settings.action_port: "actions", settings.port: "gateway"}
    found = {}
    for child in psutil.Process(pid).children():
        connections = [one for process in stack.tree(child.pid) for one in process.net_connections("tcp")]
        for port in {one.laddr.port for one in connections if one.status == psutil.CONN_LISTEN}:
            if port in services:
                found[services[port]] = stack.memory(child.pid)
    own = psutil.Process(pid).memory_full_info()
    found["run command"] = {
        "processes": 1,
        "rss_mib": round(own.rss / 2**20, 1),
        "uss_mib": round(own.uss / 2**20, 1),
    }
    return found


def measure(rounds: int, count: int, cores: int, folder: Path) -> dict[str, Any]:
    """The report."""
    described = stack.machine()
    stack.warn_if_busy(described)
    stack.cached_model()
    servers, driver = stack.split_cores(cores)
    cold: list[dict[str, float]] = []
    warm: list[dict[str, float]] = []
    memory: dict[str, dict[str, float]] = {}
    with stack.on_cores(driver):
        for number in range(rounds):
            data = folder / f"data-{number}"
            env = stack.settings_env(data, free_ports(3))
            settings = scratch.use(env)
            for starts in (cold, warm):
                with started(settings, env, servers, folder / "run.log") as (pid, start):
                    starts.append(start.rows())
                    if starts is warm and number == rounds - 1:
                        talk(settings, count)
                        memory = memory_of(pid, settings)
            shutil.rmtree(data)
    return {
        "machine": described,
        "cores": len(servers) or "all",
        "rounds": rounds,
        "seconds": {"cold": medians(cold), "warm": medians(warm)},
        "turns_before_memory": count,
        "memory": memory,
    }


def medians(starts: Sequence[dict[str, float]]) -> dict[str, float]:
    """Median seconds of each row."""
    names = dict.fromkeys(name for start in starts for name in start)
    return {name: round(statistics.median(start[name] for start in starts if name in start), 2) for name in names}


def show(report: dict[str, Any]) -> None:
    """Two tables."""
    console = Console(width=120)
    table = Table(title=f"seconds since `yihaoda run`, medians of {report['rounds']}, on {report['cores']} cores")
    for column in ("", "cold (empty data folder)", "warm"):
        table.add_column(column, justify="right" if column else "left")
    cold, warm = report["seconds"]["cold"], report["seconds"]["warm"]
    for name in dict.fromkeys((*cold, *warm)):
        table.add_row(name, *(f"{one[name]:.1f}" if name in one else "–" for one in (cold, warm)))
    console.print(table)
    table = Table(title=f"resident memory after {report['turns_before_memory']} turns, MiB")
    for column in ("service", "processes", "RSS", "USS"):
        table.add_column(column, justify="left" if column == "service" else "right")
    for name, one in report["memory"].items():
        table.add_row(name, str(one["processes"]), f"{one['rss_mib']:.0f}", f"{one['uss_mib']:.0f}")
    total = [sum(one[key] for one in report["memory"].values()) for key in ("processes", "rss_mib", "uss_mib")]
    table.add_row("all", str(total[0]), *(f"{value:.0f}" for value in total[1:]))
    console.print(table)


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one cold and one warm start")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"cold and warm starts (default {ROUNDS})")
    parser.add_argument("--cores", type=int, default=2, help="cores for the assistant (default 2; 0: all)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there as well")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yihaoda-bench-") as folder:
        report = measure(1 if arguments.quick else arguments.rounds, TURNS, arguments.cores, Path(folder))
    show(report)
    if arguments.json:
        stack.write_json(arguments.json, report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
