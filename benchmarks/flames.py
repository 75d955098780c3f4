"""Where the time of a turn goes: what each process does while citizens ask, by ``py-spy`` (installed with the tests' packages; it needs the right to look into processes).

``python -m benchmarks.flames FOLDER`` writes a flame graph of gateway, Rasa and action server into the folder, and prints the functions that take most of each process's
working time by themselves.  The pictures show threads that wait, too (``_worker``, ``Condition.wait``).
"""

from __future__ import annotations

import argparse
import asyncio
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx

from benchmarks import stack
from benchmarks.desk import citizens
from connectors.run import scratch
from connectors.run.background import Handle, free_ports, start_in_background
from connectors.run.services import services

PROCESSES = ("gateway", "rasa", "actions")
_SPY = Path(sys.executable).with_name("py-spy")
_TOP = 8
_WAITING = ("_worker (", "Condition.wait (", "wait (", "Runner.run (", "_run_server_forever (", "serve (")
"""Frames in which a thread waits for work, which py-spy takes for working where it can't see the difference"""


def recording(pid: int, seconds: float, kind: str, target: Path) -> subprocess.Popen[bytes]:
    """A recording of a process and its children that ends by itself; only threads that work count."""
    command: list[str | Path] = [_SPY, "record", "--pid", str(pid), "--subprocesses", "--duration", str(round(seconds))]
    return subprocess.Popen(
        [*command, "--format", kind, "--output", target], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


async def record(handle: Handle, address: str, seconds: float, kind: str, folder: Path) -> dict[str, Path]:
    """All processes at once, three questions a second meanwhile.

    Raises:
        SystemExit: a process may not be looked into.
    """
    files = {name: folder / f"{name}.{'svg' if kind == 'flamegraph' else 'txt'}" for name in PROCESSES}
    running = {name: recording(handle.pid(name), seconds, kind, file) for name, file in files.items()}
    async with httpx.AsyncClient(base_url=address, timeout=60, trust_env=False) as http:
        await citizens(http, time.monotonic() + seconds)
    for name, process in running.items():
        _, said = await asyncio.to_thread(process.communicate)
        if process.returncode:
            raise SystemExit(f"py-spy cannot record {name}: {said.decode(errors='replace').strip()}")
    return files


def busiest(folded: Path) -> tuple[int, list[tuple[str, int]]]:
    """Of lines ``frame;frame;frame count``: samples of threads that work, and the last frames with most of them."""
    by_itself: Counter[str] = Counter()
    for line in folded.read_text(encoding="utf-8").splitlines():
        stack_, _, count = line.rpartition(" ")
        last = stack_.rpartition(";")[2]
        if not last.startswith(_WAITING):
            by_itself[re.sub(r":\d+\)$", ")", last)] += int(count)
    return by_itself.total(), by_itself.most_common(_TOP)


async def run(folder: Path, seconds: float, temporary: Path) -> None:
    """Start, warm up, record twice, print."""
    stack.warn_if_busy(stack.machine())
    model = stack.prepare_data(temporary / "data")
    env = stack.settings_env(temporary / "data", free_ports(3))
    settings = scratch.use(env)
    with start_in_background(services(settings, model, env), log_dir=temporary / "logs", timeout_s=180) as handle:
        async with httpx.AsyncClient(base_url=settings.gateway_url, timeout=60, trust_env=False) as http:
            await citizens(http, time.monotonic() + 10)  # warm
        pictures = await record(handle, settings.gateway_url, seconds, "flamegraph", folder)
        tables = await record(handle, settings.gateway_url, seconds, "raw", temporary)
    for name in PROCESSES:
        samples, functions = busiest(tables[name])
        print(f"{name}: {pictures[name]}, busy {samples / seconds:.0f} % of one core")
        for function, count in functions:
            print(f"  {count / max(samples, 1):5.1%}  {function}")


def main() -> None:
    """Print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flames", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("--seconds", type=float, default=30)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="yihaoda-bench-") as temporary:
        asyncio.run(run(given.folder, given.seconds, Path(temporary)))


if __name__ == "__main__":
    main()
