"""Start the assistant's processes, watch them, restart what crashes, and leave none behind.

Knows nothing of what it runs: a list of `Service`, each a command, a port and an address that answers once the service
is ready; or, for one that listens nowhere, a file that it touches as long as it lives.  `run_services` is for the terminal (`yihaoda run`); tests and benchmarks use `connectors.run.background`.

Each service leads a process group of its own, so that Ctrl-C in the terminal reaches only us, and so that its helper
processes end with it.  A process that lives but does not answer any more (stopped, deadlocked) counts as crashed.

Where we are gone without having ended them ourselves (kill -9), `connectors.run.watchdog` does.  Where systemd started us, it
is told that we are ready and, again and again, that we are not hung ourselves (sd_notify(3); ``Type=notify`` and
``WatchdogSec=``).
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import FrameType

import psutil

from bot.errors import YihaodaError
from connectors.run.log_files import Capture, LogFile
from connectors.run.watchdog import GRACE_S, Watchdog

FIRST_DELAY_S = 1.0  # from the second crash in a row on; the first restart is immediate
LONGEST_DELAY_S = 30.0
STEADY_AFTER_S = 45.0  # crashes further apart than this, with the service ready in between, are not in a row
STARTS_BEFORE_GIVING_UP = 5
POLL_S = 0.2
PROBE_EVERY_S = 0.5
PROBE_TIMEOUT_S = 2.0
LIVE_EVERY_S = 5.0
LIVE_TIMEOUT_S = 5.0
MISSES_IDLE = 4  # so many liveness probes in a row without an answer, and the process is hung…
MISSES_WORKING = 12  # …or so many, where it uses the processor meanwhile: a busy machine, or a loop without end
WORKING_S = 0.02  # processor time between two probes that counts as working
LATE_S = 2.0  # we looked so much later than we meant to: the machine stood still, and a miss proves nothing
NOTIFY_EVERY_S = 5.0
PROGRESS_EVERY_S = 10.0
CAPTURE_S = 2.0  # for the last lines of a service that has ended
LOG_BYTES = 20_000_000
KEPT_LOGS = 10

WANTED_EVERY_S = 2.0

Say = Callable[[str], None]


class SupervisorError(YihaodaError):
    """A service cannot be started; the message, in Chinese, is for the person at the terminal."""


@dataclass(frozen=True)
class Service:
    """One process to keep running.

    Attributes:
        name: Short and unique; also the log's file name.
        command: Program and arguments.
        env: Added to our own environment.
        port: TCP port it listens on, on `host`; must be free before the start.  0: none.
        ready_url: Ready once a GET of it answers with a status of 2xx.
        alive_file: In place of both, for a service without a port: ready, and alive, as long as it touches this file.
        needed: Without one that isn't, all is ready all the same: it is started when the others are, and never given up.
        comes_and_goes: It may be wanted no more while the others run on, or be wanted only then; see `Supervision`.
        drain_s: So long it runs on when it is not wanted any more: what it was asked before is finished.
        live_url: Once ready, it lives as long as a GET of it answers, whatever the status; `ready_url` where empty.
        probe_headers: Sent with both.
        title: What the operator calls it; `name` where empty.
        port_setting: The setting that changes the port, named when the port is in use.
        host: Address it listens on.
        cwd: Working directory; ours where None.
        start_timeout_s: Not ready after so many seconds counts as a crash.
    """

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(repr=False)  # may hold secrets
    port: int = 0
    ready_url: str = ""
    alive_file: Path | None = None
    needed: bool = True
    comes_and_goes: bool = False
    drain_s: float = 0.0
    live_url: str = ""
    probe_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    title: str = ""
    port_setting: str = ""
    host: str = "127.0.0.1"
    cwd: Path | None = None
    start_timeout_s: float = 300.0


Wanted = Callable[[], Sequence[Service]]
"""Which services that come and go are wanted now; it may raise"""


class State(Enum):
    """What becomes of a service at this moment."""

    DOWN = "stopped on purpose, or not started yet"
    STARTING = "running, not ready yet"
    READY = "ready"
    WAITING = "crashed, to be started again later"


class _Probe:
    """One GET, in a thread of its own: a service that hangs holds up nobody else."""

    def __init__(self, url: str, headers: Mapping[str, str], timeout_s: float) -> None:
        self.status: int | None = None  # of the answer; None as long as, and if, there is none
        self.until = time.monotonic() + timeout_s
        self._request = urllib.request.Request(url, headers=dict(headers))
        self._timeout_s = timeout_s
        self._thread = threading.Thread(target=self._ask, name="probe", daemon=True)
        self._thread.start()

    def over(self, now: float) -> bool:
        """Whether there is an answer, or none is waited for any more."""
        return not self._thread.is_alive() or now >= self.until

    def _ask(self) -> None:
        # http.client raises types of its own for half an answer.
        with contextlib.suppress(Exception):
            try:
                with _direct.open(self._request, timeout=self._timeout_s) as response:
                    self.status = int(response.status)
            except urllib.error.HTTPError as refusal:
                self.status = refusal.code
                refusal.close()


class _Sign:
    """A look at a file that a service touches; it is over at once.  Two looks apart, it has to have changed."""

    def __init__(self, path: Path, before: int) -> None:
        self.stamp = _stamp(path)
        self.status = 200 if self.stamp != before else None
        self.until = time.monotonic()

    def over(self, now: float) -> bool:
        """Always."""
        return True


def _stamp(path: Path) -> int:
    """When the file was changed last, by whatever clock; 0 where there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


@dataclass
class Running:
    """A service and what became of it so far."""

    service: Service
    log: LogFile
    capture: Capture | None = None
    state: State = State.DOWN
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    probe: _Probe | _Sign | None = None
    next_probe: float = 0.0
    stamp: int = 0  # of the file that it touches, at the last look
    next_start: float = 0.0
    misses: int = 0  # liveness probes without an answer, in a row
    worked_s: float = 0.0  # processor time at the last look
    crashes: int = 0  # in a row
    crashed_at: float = 0.0
    was_ready: bool = False
    deaths: int = 0  # since the beginning; a test waits for it to grow
    hangs: int = 0  # those of them for which it did not answer
    leaves_at: float | None = None  # not wanted any more: then it is asked to end…
    ends_at: float | None = None  # …and was: then it is ended

    @property
    def title(self) -> str:
        """What the operator calls it."""
        return self.service.title or self.service.name


class Supervision:
    """The running services.  Every change is made under one lock; `tick` is called a few times a second.

    Services that come and go are those that `wanted` names, asked in a thread of its own: it may take its time, and where it fails
    all stays as it is.  One that is wanted with another command is ended first; one that came so is never given up.
    """

    def __init__(
        self,
        services: Sequence[Service],
        log_dir: Path,
        say: Say,
        grace_s: float,
        log_bytes: int,
        kept_logs: int,
        wanted: Wanted | None = None,
    ) -> None:
        names = [service.name for service in services]
        if len(set(names)) != len(names):
            raise ValueError(f"service names are not unique: {names}")
        self.lock = threading.RLock()
        self.ended = threading.Event()
        self.failure = ""  # why it ended by itself
        self._logs = log_dir, log_bytes, kept_logs
        self.running = {service.name: Running(service, self._log(service.name)) for service in services}
        self.grace_s = grace_s
        self._wanted = wanted
        self._now_wanted: Sequence[Service] | None = None
        self._problem = ""  # that was said last of a port that one of them needs
        self._say = _unfailing(say)
        self._watchdog = Watchdog()
        self._began = time.monotonic()
        self._next_progress = self._began + PROGRESS_EVERY_S
        self._next_notice = self._began

    def _log(self, name: str) -> LogFile:
        folder, size, kept = self._logs
        return LogFile(folder / f"{name}.log", size, kept)

    def begin(self) -> None:
        """Check the ports and start everything.  Raises SupervisorError."""
        for one in self.running.values():
            problem = port_problem(one.service) if one.service.port else None
            if problem:
                raise SupervisorError(problem)
        self._watchdog.start()
        for one in self.running.values():
            if one.service.needed:
                self.start(one)
        if self._wanted is not None:
            threading.Thread(target=self._ask, args=(self._wanted,), name="wanted", daemon=True).start()

    def start(self, one: Running) -> None:
        """Start a service that is not running.  Where that fails, or its log does, `tick` sees to what follows."""
        with self.lock:
            service = one.service
            one.log.write(f"===== {time.strftime('%Y-%m-%d %H:%M:%S')} 启动 =====")
            one.started_at = time.monotonic()
            one.probe, one.next_probe, one.misses = None, one.started_at, 0
            one.stamp = _stamp(service.alive_file) if service.alive_file else 0
            one.state = State.STARTING
            try:
                with Capture(one.log) as one.capture:
                    one.process = subprocess.Popen(
                        list(service.command),
                        stdin=subprocess.DEVNULL,
                        stdout=one.capture.descriptor,
                        stderr=subprocess.STDOUT,
                        env={**os.environ, "PYTHONUNBUFFERED": "1", **service.env},
                        cwd=service.cwd,
                        start_new_session=True,
                    )
            except OSError as error:
                one.log.write(str(error))
                one.process = None
                return
            self._watchdog.guard(one.process.pid)

    def tick(self) -> None:
        """Look at every service once.  Raises SupervisorError when one cannot be started at all."""
        with self.lock:
            if self._now_wanted is not None and not self.ended.is_set():
                self._come_and_go(self._now_wanted)
        for one in list(self.running.values()):
            with self.lock:
                now = time.monotonic()
                if one.leaves_at is not None and self._goes(one, now):
                    continue
                if one.state is State.STARTING or one.state is State.READY:
                    if one.process is None or one.process.poll() is not None:
                        self._crashed(one, self._how_it_ended(one))
                    elif one.state is State.STARTING:
                        self._see_whether_ready(one, now)
                    else:
                        self._see_whether_it_lives(one, now)
                if one.state is State.WAITING and time.monotonic() >= one.next_start:
                    self.start(one)
                if one.state is State.DOWN and not one.service.needed and not one.started_at and self.all_ready():
                    self.start(one)
        self._show_progress()
        self._tell_systemd()

    def _ask(self, wanted: Wanted) -> None:
        while not self.ended.wait(WANTED_EVERY_S):
            with contextlib.suppress(Exception):  # the database may be away: all stays as it is
                self._now_wanted = wanted()

    def _come_and_go(self, wanted: Sequence[Service]) -> None:
        """Let go of what is wanted no more; bring in what is new once all that are needed are ready."""
        now = time.monotonic()
        named = {service.name: service for service in wanted}
        for name, one in self.running.items():
            if one.service.comes_and_goes and one.ends_at is None:
                stays = name in named and named[name].command == one.service.command
                if not stays and one.leaves_at is None:
                    self._say(f"{one.title}：不再需要，{one.service.drain_s:.0f} 秒后停止")
                one.leaves_at = None if stays else one.leaves_at or now + one.service.drain_s
        for service in wanted:
            if service.name not in self.running and self.all_ready():
                if problem := port_problem(service):
                    if self._problem != problem:
                        self._say(problem)
                    self._problem = problem
                    continue
                one = Running(service, self._log(service.name))
                self.running = self.running | {service.name: one}  # others may be looking at the old one
                self._say(f"{one.title}：启动")
                self.start(one)

    def _goes(self, one: Running, now: float) -> bool:
        """Whether a service that is not wanted any more is on its way out; nobody waits for it."""
        assert one.leaves_at is not None
        if one.process is None:
            one.ends_at = now
        elif one.ends_at is None:
            if now < one.leaves_at:
                return False
            one.ends_at = now + self.grace_s
            one.state = State.DOWN
            _signal_group(one, signal.SIGTERM)
            _signal_group(one, signal.SIGCONT)
        if one.process is None or one.process.poll() is not None or now >= one.ends_at:
            self._bury(one)
            self._say(f"{one.title}：已停止")
            self.running = {name: other for name, other in self.running.items() if other is not one}
        return True

    def all_ready(self) -> bool:
        """Whether every service that is needed is ready at this moment."""
        with self.lock:
            return all(one.state is State.READY for one in self.running.values() if one.service.needed)

    def end(self, ones: Sequence[Running]) -> None:
        """Stop services: SIGTERM to their groups, then, after the grace, SIGKILL.  Returns when they are gone."""
        with self.lock:
            alive = [one for one in ones if one.process is not None]
            for one in ones:
                one.state = State.DOWN
            for one in alive:
                _signal_group(one, signal.SIGTERM)
                _signal_group(one, signal.SIGCONT)  # a stopped process cannot hear the first
            deadline = time.monotonic() + self.grace_s
            for one in alive:
                assert one.process is not None
                with contextlib.suppress(subprocess.TimeoutExpired):
                    one.process.wait(max(0.0, deadline - time.monotonic()))
                self._bury(one)

    def end_all(self) -> None:
        """Stop everything, the last started first to hear of it, then the watchdog."""
        self.ended.set()
        with self.lock:
            self.end(list(reversed(self.running.values())))
        self._watchdog.end()

    def last_lines(self, one: Running) -> str:
        """The end of a service's log, indented; from memory, since there may be no file (disk full)."""
        return "\n".join("    " + line for line in list(one.log.last))

    def _see_whether_ready(self, one: Running, now: float) -> None:
        if one.probe is None and now >= one.next_probe:
            one.probe = _look(one, one.service.ready_url, PROBE_TIMEOUT_S)
        elif one.probe is not None and one.probe.over(now):
            status, one.probe = one.probe.status, None
            if status is not None and 200 <= status < 300:
                one.state = State.READY
                one.was_ready = True
                one.next_probe, one.worked_s = now + LIVE_EVERY_S, _processor_seconds(one)
                self._say(f"{one.title}：已就绪（{now - one.started_at:.0f} 秒）")
                return
            one.next_probe = now + PROBE_EVERY_S
        if now - one.started_at >= one.service.start_timeout_s:
            self._crashed(one, f"启动 {one.service.start_timeout_s:.0f} 秒后仍未就绪")

    def _see_whether_it_lives(self, one: Running, now: float) -> None:
        """Whoever has been ready has to answer now and then; merely loading is no hanging."""
        if one.probe is None:
            if now >= one.next_probe:
                url = one.service.live_url or one.service.ready_url
                one.probe = _look(one, url, LIVE_TIMEOUT_S)
                one.next_probe = now + LIVE_EVERY_S
            return
        if not one.probe.over(now):
            return
        status, late_s, one.probe = one.probe.status, now - one.probe.until, None
        before_s, one.worked_s = one.worked_s, _processor_seconds(one)
        if status is not None:
            one.misses = 0
        elif late_s < LATE_S:
            one.misses += 1
            if one.misses >= (MISSES_WORKING if one.worked_s - before_s >= WORKING_S else MISSES_IDLE):
                one.hangs += 1
                self._crashed(one, f"没有响应（接连 {one.misses} 次，每次等 {LIVE_TIMEOUT_S:g} 秒），强行结束")

    def _crashed(self, one: Running, how: str) -> None:
        now = time.monotonic()
        if one.state is State.READY and now - one.crashed_at >= STEADY_AFTER_S:
            one.crashes = 0
        self._bury(one)
        one.deaths += 1
        one.crashes += 1
        one.crashed_at = now
        if one.service.needed and not one.was_ready and one.crashes >= STARTS_BEFORE_GIVING_UP:
            one.state = State.DOWN
            raise SupervisorError(
                f"{one.title}：连续 {one.crashes} 次启动失败，不再重试（{how}）。\n"
                f"  完整日志：{one.log.path}\n  最后几行：\n{self.last_lines(one)}"
            )
        delay = restart_delay(one.crashes)
        one.state = State.WAITING
        one.next_start = now + delay
        when = f"{delay:.0f} 秒后" if delay else "马上"
        self._say(f"{one.title}：{how}，{when}重新启动（这次运行以来第 {one.deaths} 次）。日志：{one.log.path}")

    def _how_it_ended(self, one: Running) -> str:
        if one.process is None:
            return "无法运行"
        code = one.process.returncode
        if code >= 0:
            return f"意外退出（退出码 {code}）"
        with contextlib.suppress(ValueError):
            return f"意外退出（信号 {signal.Signals(-code).name}）"
        return f"意外退出（信号 {-code}）"

    def _bury(self, one: Running) -> None:
        """Make sure that nothing of the service's group lives on, and forget it."""
        if one.process is not None:
            _signal_group(one, signal.SIGKILL)
            one.process.wait()
            self._watchdog.forget(one.process.pid)
            one.process = None
        if one.capture is not None:
            one.capture.wait(CAPTURE_S)
            one.capture = None

    def _show_progress(self) -> None:
        now = time.monotonic()
        if now >= self._next_progress:
            self._next_progress = now + PROGRESS_EVERY_S
            waiting = [one.title for one in self.running.values() if one.state is State.STARTING]
            if waiting:
                self._say(f"等待就绪：{'、'.join(waiting)}（{now - self._began:.0f} 秒）")

    def _tell_systemd(self) -> None:
        now = time.monotonic()
        if now >= self._next_notice:
            self._next_notice = now + NOTIFY_EVERY_S
            down = [one.title for one in self.running.values() if one.state is not State.READY]
            state = f"未就绪：{'、'.join(down)}" if down else "全部就绪"
            deaths = sum(one.deaths for one in self.running.values())
            hangs = sum(one.hangs for one in self.running.values())
            notify(f"WATCHDOG=1\nSTATUS={state}；服务重新启动过 {deaths} 次，其中 {hangs} 次是没有响应")


def _look(one: Running, url: str, timeout_s: float) -> _Probe | _Sign:
    """Begin to find out how a service is."""
    if one.service.alive_file is None:
        return _Probe(url, one.service.probe_headers, timeout_s)
    sign = _Sign(one.service.alive_file, one.stamp)
    one.stamp = sign.stamp
    return sign


def run_services(
    services: Sequence[Service],
    *,
    on_ready: Callable[[], None],
    log_dir: Path,
    say: Say = lambda text: print(text, flush=True),
    grace_s: float = GRACE_S,
    log_bytes: int = LOG_BYTES,
    kept_logs: int = KEPT_LOGS,
    wanted: Wanted | None = None,
) -> int:
    """Run the services until Ctrl-C, SIGTERM or SIGHUP; call from the main thread.

    Args:
        services: What to run; all that are needed are started at once.
        on_ready: Called once, when all that are needed are ready for the first time.
        log_dir: Gets one `<name>.log` a service; see `connectors.run.log_files`.
        say: Shows a line to the person at the terminal; where that fails, the services run on.
        grace_s: Seconds between asking the services to end and ending them.
        log_bytes: A log of this size is put aside and compressed.
        kept_logs: How many of these stay, for each service.
        wanted: Which of the services that come and go are wanted; None: all of them, for good.

    Returns:
        0 when stopped by a signal, 1 when a service could not be started (the reason has been shown).
    """
    stop = threading.Event()

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt  # a second Ctrl-C: do not wait for anyone
        stop.set()

    previous = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    say = _unfailing(say)
    supervision = Supervision(services, log_dir, say, grace_s, log_bytes, kept_logs, wanted)
    told = False
    try:
        supervision.begin()
        while not stop.wait(POLL_S):
            supervision.tick()
            if not told and supervision.all_ready():
                told = True
                notify("READY=1")
                with contextlib.suppress(*_OUTPUT_FAILURES):
                    on_ready()
        notify("STOPPING=1")
        say("正在停止……")
        supervision.end_all()
        say("已全部停止。")
        return 0
    except SupervisorError as error:
        say(f"错误：{error}")
        return 1
    except KeyboardInterrupt:
        say("强行停止。")
        supervision.grace_s = 0.0
        return 0
    finally:
        supervision.end_all()
        for number, handler in previous.items():
            signal.signal(number, handler)


def restart_delay(crashes: int) -> float:
    """Seconds before the next start after so many crashes in a row: 0, 1, 2, 4, … at most 30."""
    return 0.0 if crashes <= 1 else float(min(FIRST_DELAY_S * 2 ** min(crashes - 2, 10), LONGEST_DELAY_S))


def port_problem(service: Service) -> str | None:
    """Why the service could not listen on its port, in Chinese; None if it could."""
    family = socket.AF_INET6 if ":" in service.host else socket.AF_INET
    with socket.socket(family) as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # leftovers of closed connections do not matter
        try:
            attempt.bind((service.host, service.port))
            return None
        except OSError as error:
            code = error.errno
            reason = error.strerror or str(error)
    title = service.title or service.name
    advice = f"或者用 {service.port_setting} 换一个端口" if service.port_setting else "或者换一个端口"
    if code == errno.EADDRINUSE:
        owner = _port_owner(service.port)
        by = f"，占用者：{owner}" if owner else ""
        return f"{title}要用的端口 {service.port} 已被占用{by}。请先停掉它，{advice}。"
    return f"{title}不能监听 {service.host}:{service.port}（{reason}）。请检查地址和端口，{advice}。"


def _port_owner(port: int) -> str | None:
    """The process that listens on the port, where we are allowed to know."""
    try:
        for connection in psutil.net_connections(kind="tcp"):
            listens = connection.status == psutil.CONN_LISTEN and getattr(connection.laddr, "port", None) == port
            if listens and connection.pid:
                command = " ".join(psutil.Process(connection.pid).cmdline())
                return f"{command[:100]}（进程号 {connection.pid}）"
    except psutil.Error:
        return None
    return None


# Local addresses are asked directly, whatever proxy the environment names.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def notify(state: str) -> None:
    """Tell systemd how we are, as sd_notify(3) does; where it is not waiting to hear, nothing happens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to_systemd:
        to_systemd.settimeout(1.0)
        to_systemd.connect(f"\0{address[1:]}" if address.startswith("@") else address)
        to_systemd.send(state.encode())


def _processor_seconds(one: Running) -> float:
    """Processor time that the service's first process has used so far."""
    assert one.process is not None
    try:
        times = psutil.Process(one.process.pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def _signal_group(one: Running, number: int) -> None:
    if one.process is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a zombie's group
            os.killpg(one.process.pid, number)


# SystemExit: what rich makes of a broken pipe.
_OUTPUT_FAILURES = (OSError, ValueError, SystemExit)


def _unfailing(say: Say) -> Say:
    """The same, but a terminal that is gone, or output into a file on a full disk, ends nothing."""

    def said(text: str) -> None:
        with contextlib.suppress(*_OUTPUT_FAILURES):
            say(text)

    return said
