"""Services beside the caller, to look at and to disturb: for tests and benchmarks; the product runs in the foreground."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from connectors.run.supervisor import (
    KEPT_LOGS,
    LOG_BYTES,
    POLL_S,
    Running,
    Say,
    Service,
    State,
    Supervision,
    SupervisorError,
    Wanted,
)
from connectors.run.watchdog import GRACE_S


class Handle:
    """Services running in the background, to look at and to disturb."""

    def __init__(self, supervision: Supervision) -> None:
        self._supervision = supervision

    def pid(self, name: str) -> int:
        """Process id of a running service.  Raises LookupError if it is not running."""
        with self._supervision.lock:
            process = self._supervision.running[name].process
            if process is None:
                raise LookupError(f"{name} is not running")
            return process.pid

    def deaths(self, name: str) -> int:
        """How often the service has ended without having been told to."""
        with self._supervision.lock:
            return self._supervision.running[name].deaths

    def hangs(self, name: str) -> int:
        """How often the service was ended because it did not answer any more; ``deaths`` has them too."""
        with self._supervision.lock:
            return self._supervision.running[name].hangs

    def log(self, name: str) -> Path:
        """The file that the service's output goes to."""
        return self._supervision.running[name].log.path

    def kill(self, name: str) -> None:
        """SIGKILL to the service's first process, as if it had crashed; it is restarted after the usual delay.

        Returns once the death is noticed, so that a following `wait_ready` waits for the new process.
        """
        before = self.deaths(name)
        os.kill(self.pid(name), signal.SIGKILL)
        self._wait(lambda: self.deaths(name) > before, 30.0, f"{name}: its death was not noticed")

    def signal(self, name: str, number: int) -> None:
        """Send a signal to all processes of a service (a server may have workers: SIGSTOP has to reach them too)."""
        os.killpg(self.pid(name), number)

    def stop(self, name: str | None = None) -> None:
        """Stop one service, or all of them, for good: it is not restarted until `restart`."""
        running = self._supervision.running
        self._supervision.end([running[name]] if name is not None else list(reversed(running.values())))

    def restart(self, name: str, timeout_s: float = 120.0) -> None:
        """Stop a service if it runs, start it, wait until it is ready.  Raises SupervisorError."""
        with self._supervision.lock:
            one = self._supervision.running[name]
            self._supervision.end([one])
            one.crashes = 0
            self._supervision.start(one)
        self.wait_ready(name, timeout_s)

    def wait_ready(self, name: str | None = None, timeout_s: float = 120.0) -> None:
        """Wait until one service, or all, are ready.  Raises SupervisorError, with the log's last lines."""
        ones = [self._supervision.running[name]] if name is not None else list(self._supervision.running.values())
        self._wait(
            lambda: all(one.state is State.READY for one in ones),
            timeout_s,
            f"{'、'.join(one.title for one in ones)}：{timeout_s:.0f} 秒内没有就绪",
            ones,
        )

    def _wait(
        self, reached: Callable[[], bool], timeout_s: float, complaint: str, ones: Sequence[Running] = ()
    ) -> None:
        deadline = time.monotonic() + timeout_s
        while not reached():
            if self._supervision.ended.is_set() or time.monotonic() > deadline:
                if self._supervision.failure:
                    raise SupervisorError(self._supervision.failure)
                tails = [f"{one.log.path}\n{self._supervision.last_lines(one)}" for one in ones]
                raise SupervisorError("\n".join([complaint, *tails]))
            time.sleep(0.05)


@contextlib.contextmanager
def start_in_background(
    services: Sequence[Service],
    *,
    log_dir: Path,
    timeout_s: float = 300.0,
    say: Say = lambda text: None,
    grace_s: float = GRACE_S,
    log_bytes: int = LOG_BYTES,
    kept_logs: int = KEPT_LOGS,
    wanted: Wanted | None = None,
) -> Iterator[Handle]:
    """Run the services beside the caller, who gets a `Handle` once all are ready; stops them at the end.

    Raises SupervisorError if a port is in use or a service does not become ready within `timeout_s` seconds.
    """
    supervision = Supervision(services, log_dir, say, grace_s, log_bytes, kept_logs, wanted)

    def watch() -> None:
        try:
            while not supervision.ended.wait(POLL_S):
                supervision.tick()
        except SupervisorError as error:
            say(str(error))
            supervision.failure = str(error)
            supervision.ended.set()

    thread = threading.Thread(target=watch, name="supervisor", daemon=True)
    try:
        supervision.begin()
        thread.start()
        handle = Handle(supervision)
        handle.wait_ready(timeout_s=timeout_s)
        yield handle
    finally:
        supervision.end_all()
        if thread.is_alive():
            thread.join()


def free_ports(count: int) -> list[int]:
    """Different TCP ports that nobody on 127.0.0.1 uses at this moment."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
