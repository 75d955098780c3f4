"""A step in a process of its own: at the lowest priority, told to end at once, gone when we are gone.

It says on its standard output, a line of JSON each, where it stands, what is worth a line in the log, and why it failed.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psutil

from bot.errors import YihaodaError
from bot.settings import ROOT
from training.fit import Say

_POLL_S = 0.5
NICE = 19
"""How far a step's process stands back"""
_THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}
"""One thread each: citizens' turns need the other cores' caches"""


class StepFailed(YihaodaError):
    """A step's process says why it could not do it, or ended without a word."""

    code = "training_failed"


# --- our side --------------------------------------------------------------------------------------------------------


def run(steps: Sequence[Sequence[str]], env: Mapping[str, str], say: Say, log: Callable[[str], None]) -> None:
    """Do some steps there, all at once; ``say`` is called at least every second, and may raise to end them.

    Args:
        steps: of each one, the arguments of ``python -m training.retrain``.

    Raises:
        StepFailed: one of them could not be done; the others are ended.
    """
    heard: queue.SimpleQueue[tuple[int, dict[str, Any]]] = queue.SimpleQueue()
    processes = []
    standing: dict[int, tuple[str, int | None, int | None]] = {}
    try:
        for number, arguments in enumerate(steps):
            processes.append(_start(arguments, env))
            threading.Thread(target=_listen, args=(processes[-1], number, heard), daemon=True).start()
            standing[number] = ("正在载入", None, None)
        while standing:
            with contextlib.suppress(queue.Empty):
                number, told = heard.get(timeout=_POLL_S)
                if "log" in told:
                    log(told["log"])
                elif "doing" in told:
                    standing[number] = (told["doing"], told["done"], told["total"])
                else:
                    del standing[number]
                    _settled(processes[number], told.get("failed"))
            if standing:
                say(*_together(list(standing.values())))
    finally:
        for process in processes:
            _end(process)


def _start(arguments: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "training.retrain", *arguments, "--nice", str(NICE)],
        cwd=ROOT,
        env={**os.environ, **_THREADS, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", **env},
        stdin=subprocess.PIPE,  # closed when we are gone, however that came about
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )


def _listen(process: subprocess.Popen[str], number: int, heard: queue.SimpleQueue[tuple[int, dict[str, Any]]]) -> None:
    """Pass on what it says, and at last how it ended."""
    assert process.stdout is not None
    failed: str | None = None
    for line in process.stdout:
        with contextlib.suppress(ValueError, TypeError):  # a library's own words
            told = dict(json.loads(line))
            if "failed" in told:
                failed = told["failed"]
            else:
                heard.put((number, told))
    heard.put((number, {"failed": failed}))


def _settled(process: subprocess.Popen[str], failed: str | None) -> None:
    """Raises: StepFailed."""
    if process.wait() or failed:
        code = process.returncode
        raise StepFailed(failed or f"这一步的进程中途没了（退出码 {code}），多半是内存不够。继续的话会再做一次。")


def _together(standing: Sequence[tuple[str, int | None, int | None]]) -> tuple[str, int | None, int | None]:
    """Where several stand: the figures are of the one that counts."""
    counted = next((one for one in standing if one[2]), standing[0])
    return "；".join(dict.fromkeys(one[0] for one in standing)), counted[1], counted[2]


def _end(process: subprocess.Popen[str]) -> None:
    """It and all that it started: it leads a session of its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


# --- its side --------------------------------------------------------------------------------------------------------


def step_back(nice: int) -> None:
    """Let everybody else go first: processors, disk, and on Linux the session, which is scheduled as one.

    Niceness shares a processor out; whoever answers a citizen should not wait for their share: an idle process yields at once.
    """
    os.nice(nice)
    with contextlib.suppress(AttributeError, OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with contextlib.suppress(AttributeError, OSError, psutil.Error):
        psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)
    with contextlib.suppress(OSError), open("/proc/self/autogroup", "w", encoding="ascii") as file:  # noqa: PTH123
        file.write(str(nice))


def end_with_parent() -> None:
    """End, with all that we started, once our standard input closes."""

    def wait() -> None:
        while os.read(0, 1):
            pass
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


def tell(**what: Any) -> None:
    """Say something to our parent."""
    print(json.dumps(what, ensure_ascii=False), flush=True)
