"""The watchdog: a small process that ends the services when the supervisor is gone without having done so (kill -9).

It is told of every process group through a pipe, which closes when the supervisor is gone, however that came about.  This
needs nothing that only Linux has.  The process runs this file on its own, without any installed package: it imports the
standard library alone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

GRACE_S = 10.0
"""Seconds between asking a process group to end and ending it"""


class Watchdog:
    """The supervisor's side: starts the process and tells it of groups.  Where it doesn't run, there is nothing to tell."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process."""
        self._process = subprocess.Popen(
            # -I: not from this file's folder, whose module names are none of Python's business.
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def guard(self, group: int) -> None:
        """From now on the group is ended when we are gone."""
        self._tell(f"+{group}")

    def forget(self, group: int) -> None:
        """The group is ended already: its number may be somebody else's soon."""
        self._tell(f"-{group}")

    def end(self) -> None:
        """Let the process end, with whatever group it still guards; returns when it is gone."""
        if self._process is not None:
            assert self._process.stdin is not None
            with contextlib.suppress(OSError):
                self._process.stdin.close()
            self._process.wait()
            self._process = None

    def _tell(self, line: str) -> None:
        if self._process is not None:
            assert self._process.stdin is not None
            with contextlib.suppress(OSError):  # someone ended it; we can do without
                self._process.stdin.write(line.encode() + b"\n")
                self._process.stdin.flush()


def _watch_over_groups() -> None:
    """The process itself: read `+group` and `-group` lines until the supervisor's end of the pipe closes; end the rest."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin.buffer:
        if line.startswith(b"+"):
            groups.add(int(line[1:]))
        else:
            groups.discard(int(line[1:]))
    for number in (signal.SIGTERM, signal.SIGCONT, signal.SIGKILL):
        for group in groups:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)
        if number == signal.SIGCONT and groups:
            deadline = time.monotonic() + GRACE_S
            while time.monotonic() < deadline and any(_lives(group) for group in groups):
                time.sleep(0.1)


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    _watch_over_groups()
