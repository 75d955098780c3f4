"""What the benchmarks share: a prepared data folder, processes on chosen cores, their memory, and the machine's name."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from bot.settings import ROOT
from connectors.run import scratch
from connectors.run.rasa_model import ensure_model
from connectors.run.scratch import use


def settings_env(data: Path, ports: Iterable[int] = ()) -> dict[str, str]:
    """Environment of an assistant of its own, for measuring: production's rules about secrets and reviews are left out."""
    return scratch.environment(data, ports) | {"YIHAODA_ENV": "development"}


def prepare_data(folder: Path) -> Path:
    """Fill an empty data folder: starter knowledge, index, secrets.  Leaves no open connection, so it may be copied.

    Returns:
        The Rasa model's path (trained first if it is not in the cache).
    """
    return scratch.fill(use(settings_env(folder)), lambda line: print(f"· {line}", file=sys.stderr))


def cached_model() -> Path:
    """The Rasa model, trained now if need be, so that no measurement pays for it."""
    return ensure_model(ROOT)


def split_cores(count: int) -> tuple[set[int], set[int]]:
    """(cores for the servers, cores for the driver): the first ``count``, and the others, or all where none are left.

    Both are empty on systems that cannot pin (macOS), or where ``count`` is 0: nothing is pinned then.
    """
    if not hasattr(os, "sched_getaffinity") or count <= 0:
        return set(), set()
    allowed = sorted(os.sched_getaffinity(0))
    servers = set(allowed[:count])
    return servers, set(allowed[count:]) or servers


@contextlib.contextmanager
def on_cores(cores: set[int]) -> Iterator[None]:
    """Whatever this thread starts meanwhile stays on ``cores`` for good; the thread itself comes back."""
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def tree(pid: int) -> list[psutil.Process]:
    """A process and its descendants."""
    top = psutil.Process(pid)
    return [top, *top.children(recursive=True)]


def cpu_seconds(pid: int) -> float:
    """CPU time that a process tree has used so far (user and system, seconds)."""
    total = 0.0
    for process in tree(pid):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def memory(pid: int) -> dict[str, float]:
    """Resident memory of a process tree, MiB.

    ``rss`` counts a page once for every process that shares it; ``uss`` only what ending the tree would give back.
    """
    rss = uss = 0
    members = tree(pid)
    for process in members:
        with contextlib.suppress(psutil.Error):
            full = process.memory_full_info()
            rss += full.rss
            uss += full.uss
    return {"processes": len(members), "rss_mib": round(rss / 2**20, 1), "uss_mib": round(uss / 2**20, 1)}


def machine() -> dict[str, Any]:
    """What the figures were measured on, and how busy it was with other work."""
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_before": [round(load, 2) for load in os.getloadavg()],
    }


def _cpu_name() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def warn_if_busy(described: Mapping[str, Any]) -> None:
    """Say on standard error that the figures will be noise, where they will."""
    if described["load_before"][0] > 0.5:
        load = described["load_before"][0]
        print(f"note: load average is {load}: other work is running and will show in the figures", file=sys.stderr)


def write_json(path: Path, report: Mapping[str, Any]) -> None:
    """Write a report."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
