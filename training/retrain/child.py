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
from collections.abc import Callable, Mapping
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


def run(arguments: list[str], env: Mapping[str, str], say: Say, log: Callable[[str], None]) -> None:
    """Do a step there; ``say`` is called at least every second, and may raise to end it.

    Raises:
        StepFailed
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "training.retrain", *arguments, "--nice", str(NICE)],
        cwd=ROOT,
        env={**os.environ, **_THREADS, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", **env},
        stdin=subprocess.PIPE,  # closed when we are gone, however that came about
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )
    heard: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    listener = threading.Thread(target=_listen, args=(process, heard), daemon=True)
    listener.start()
    standing: tuple[str, int | None, int | None] = ("正在载入", None, None)
    failed: str | None = None
    try:
        while listener.is_alive() or not heard.empty():
            with contextlib.suppress(queue.Empty):
                told = heard.get(timeout=_POLL_S)
                if "log" in told:
                    log(told["log"])
                elif "failed" in told:
                    failed = told["failed"]
                else:
                    standing = (told["doing"], told["done"], told["total"])
            say(*standing)
        if process.wait() or failed:
            raise StepFailed(
                failed or f"这一步的进程中途没了（退出码 {process.returncode}），多半是内存不够。继续的话会再做一次。"
            )
    finally:
        _end(process)


def _listen(process: subprocess.Popen[str], heard: queue.SimpleQueue[dict[str, Any]]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        with contextlib.suppress(ValueError, TypeError):  # a library's own words
            heard.put(dict(json.loads(line)))


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
    """Let everybody else go first: processors, disk, and on Linux the session, which is scheduled as one."""
    os.nice(nice)
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
