"""The supervisor, watched at work on small real servers: starting, crashing, stopping, and leaving nothing behind."""

import contextlib
import errno
import gzip
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from connectors.run import supervisor
from connectors.run.background import free_ports, start_in_background
from connectors.run.log_files import LONGEST_LINE
from connectors.run.supervisor import Service, SupervisorError, run_services

ROOT = Path(supervisor.__file__).parents[2]

# A service: answers every GET, notes its process id.  Modes: "stubborn" ignores SIGTERM, "parent" has a child doing so,
# "deaf" never listens, "broken" ends at once, "slow" listens late; after its first answer "busy" turns in circles,
# and "failing" gives errors; "guarded" wants a header.
SERVER = """
import http.server, os, pathlib, signal, subprocess, sys, time
port, mode, folder = int(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
print("mode", mode, "greeting", os.environ.get("GREETING"))
if mode == "broken":
    sys.exit("配置文件第 7 行有误")
if mode in ("stubborn", "parent"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if mode == "parent":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (folder / f"{port}-child.pid").write_text(str(child.pid))
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
(folder / f"{port}.pid").write_text(str(os.getpid()))
if mode == "deaf":
    time.sleep(600)
if mode == "slow":
    time.sleep(1)
answered = 0
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global answered
        answered += 1
        while answered > 1 and mode == "busy":
            pass
        with (folder / f"{port}.asked").open("a") as asked:
            asked.write("+")
        wrong = mode == "guarded" and self.headers["X-Word"] != os.environ["WORD"]
        self.send_response(403 if wrong else 500 if mode == "failing" and answered > 1 else 200)
        self.end_headers()
        self.wfile.write(b"ok")
http.server.HTTPServer(("127.0.0.1", port), Answer).serve_forever()
"""


def a_service(folder: Path, name: str, mode: str = "plain", port: int = 0, start_timeout_s: float = 60.0) -> Service:
    script = folder / "server.py"
    script.write_text(SERVER, "utf-8")
    port = port or free_ports(1)[0]
    return Service(
        name=name,
        command=[sys.executable, str(script), str(port), mode, str(folder)],
        env={"GREETING": "hello"},
        port=port,
        ready_url=f"http://127.0.0.1:{port}/",
        title=f"服务 {name}",
        port_setting=f"YIHAODA_{name.upper()}_PORT",
        start_timeout_s=start_timeout_s,
    )


def wait_until(reached: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.05)


def lives(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def noted_pids(folder: Path) -> list[int]:
    return [int(file.read_text()) for file in folder.glob("*.pid")]


def test_services_start_answer_and_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_ports(1)[0]}")  # a proxy that is not there is not asked
    services = [a_service(tmp_path, "one"), a_service(tmp_path, "two")]
    told: list[str] = []
    with start_in_background(services, log_dir=tmp_path / "logs", say=told.append) as handle:
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for service in services:
            assert direct.open(service.ready_url, timeout=10).read() == b"ok"
        pids = [handle.pid("one"), handle.pid("two")]
        assert sorted(pids) == sorted(noted_pids(tmp_path))
    assert not any(lives(pid) for pid in pids)
    assert "greeting hello" in (tmp_path / "logs" / "one.log").read_text("utf-8")
    assert any(line.startswith("服务 one：已就绪") for line in told)


@pytest.mark.parametrize("mode", ["plain", "parent"])
def test_a_crashed_service_is_started_again_and_it_is_said(tmp_path: Path, mode: str) -> None:
    told: list[str] = []
    service = a_service(tmp_path, "one", mode)
    with start_in_background([service], log_dir=tmp_path / "logs", say=told.append) as handle:
        first = noted_pids(tmp_path)
        handle.kill("one")
        handle.wait_ready("one")
        assert handle.pid("one") not in first
        assert handle.deaths("one") == 1
        assert not any(lives(pid) for pid in first), "a helper process of the crashed service lives on"
    assert any("服务 one：意外退出（信号 SIGKILL），马上重新启动（这次运行以来第 1 次）" in line for line in told)
    assert not any(lives(pid) for pid in noted_pids(tmp_path))


def test_the_first_restart_is_immediate_then_the_delay_doubles_up_to_half_a_minute() -> None:
    assert [supervisor.restart_delay(n) for n in (1, 2, 3, 4, 5, 6, 7, 8, 10_000)] == [0, 1, 2, 4, 8, 16, 30, 30, 30]


def restarts(told: list[str]) -> list[str]:
    """When each restart was to be."""
    return [line.partition("，")[2].partition("重新启动")[0] for line in told if "意外退出" in line]


def test_crashes_far_apart_are_not_in_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    with start_in_background([a_service(tmp_path, "one")], log_dir=tmp_path / "logs", say=told.append) as handle:
        for steady_after_s in (3600.0, 3600.0, 0.0):
            monkeypatch.setattr(supervisor, "STEADY_AFTER_S", steady_after_s)
            handle.kill("one")
            handle.wait_ready("one")
    # The first crash of all, one soon after it, one long after it.
    assert restarts(told) == ["马上", "1 秒后", "马上"]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A liveness probe a tenth of a second, missed as soon."""
    monkeypatch.setattr(supervisor, "LIVE_EVERY_S", 0.1)
    monkeypatch.setattr(supervisor, "LIVE_TIMEOUT_S", 0.4)


@pytest.mark.usefixtures("impatient")
def test_a_stopped_process_is_ended_and_started_again_and_holds_up_nobody(tmp_path: Path) -> None:
    told: list[str] = []
    services = [a_service(tmp_path, "one"), a_service(tmp_path, "two")]
    with start_in_background(services, log_dir=tmp_path / "logs", say=told.append) as handle:
        first = handle.pid("one")
        handle.signal("one", signal.SIGSTOP)
        handle.kill("two")  # noticed while "one" hangs
        handle.wait_ready("two")
        assert handle.deaths("two") == 1
        wait_until(lambda: handle.hangs("one") == 1, "the hanging service is ended")
        handle.wait_ready("one")
        assert handle.pid("one") != first
        assert not lives(first)
        assert (handle.deaths("one"), handle.hangs("two")) == (1, 0)
    assert any("服务 one：没有响应（接连 4 次，每次等 0.4 秒），强行结束，马上重新启动" in line for line in told)


@pytest.mark.usefixtures("impatient")
def test_a_process_that_works_is_given_more_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(supervisor, "MISSES_WORKING", 6)
    service = a_service(tmp_path, "one", "busy")
    with start_in_background([service], log_dir=tmp_path / "logs", say=told.append) as handle:
        wait_until(lambda: handle.hangs("one") >= 1, "the busy service is ended in the end")
    assert any("没有响应（接连 6 次" in line for line in told)


@pytest.mark.usefixtures("impatient")
def test_whoever_answers_at_all_lives_and_whoever_is_loading_is_not_hung(tmp_path: Path) -> None:
    services = [a_service(tmp_path, "one", "failing"), a_service(tmp_path, "two", "slow")]
    with start_in_background(services, log_dir=tmp_path / "logs") as handle:
        pids = [handle.pid("one"), handle.pid("two")]
        asked = tmp_path / f"{services[0].port}.asked"
        wait_until(lambda: len(asked.read_text()) > 8, "it was asked again and again")
        assert [handle.pid("one"), handle.pid("two")] == pids
        assert handle.deaths("one") == handle.deaths("two") == 0


@pytest.mark.usefixtures("impatient")
def test_a_machine_that_stood_still_proves_nothing(tmp_path: Path) -> None:
    """Nobody looked for so long: that the service did not answer in time either is no wonder."""
    with start_in_background([a_service(tmp_path, "one")], log_dir=tmp_path / "logs") as handle:
        one = handle._supervision.running["one"]
        with handle._supervision.lock:
            one.probe = supervisor._Probe(f"http://127.0.0.1:{free_ports(1)[0]}/", {}, 0.0)
            one.probe.until -= supervisor.LATE_S * 2
            one.misses = supervisor.MISSES_IDLE - 1
            handle._supervision._see_whether_it_lives(one, time.monotonic())
        assert handle.hangs("one") == 0


TOUCHER = """
import pathlib, sys, time
if sys.argv[2] == "broken":
    sys.exit(1)
pathlib.Path(sys.argv[1]).with_suffix(".began").touch()
while True:
    pathlib.Path(sys.argv[1]).touch()
    time.sleep(0.05)
"""


def a_toucher(folder: Path, mode: str = "plain") -> Service:
    """A service without a port, that nobody needs."""
    (folder / "toucher.py").write_text(TOUCHER, "utf-8")
    command = [sys.executable, str(folder / "toucher.py"), str(folder / "alive"), mode]
    return Service(name="toucher", command=command, env={}, alive_file=folder / "alive", needed=False)


def test_a_service_without_a_port_lives_as_long_as_it_touches_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "LIVE_EVERY_S", 0.5)
    (tmp_path / "alive").touch()  # of an earlier run: it says nothing
    with start_in_background([a_toucher(tmp_path)], log_dir=tmp_path / "logs") as handle:
        first = handle.pid("toucher")
        time.sleep(2)
        assert handle.deaths("toucher") == 0
        handle.signal("toucher", signal.SIGSTOP)
        wait_until(lambda: handle.hangs("toucher") == 1, "it is noticed")
        handle.wait_ready()
        assert handle.pid("toucher") != first


def test_what_is_not_needed_begins_last(tmp_path: Path) -> None:
    services = [a_toucher(tmp_path), a_service(tmp_path, "slow", "slow")]
    with start_in_background(services, log_dir=tmp_path / "logs"):
        began = psutil.Process(int((tmp_path / f"{services[1].port}.pid").read_text())).create_time()
        assert (tmp_path / "alive.began").stat().st_mtime - began >= 1, "the other one listens after a second"


def test_what_is_not_needed_and_never_starts_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "FIRST_DELAY_S", 0.01)
    told: list[str] = []
    services = [a_service(tmp_path, "one"), a_toucher(tmp_path, "broken")]
    supervision = supervisor.Supervision(services, tmp_path / "logs", told.append, 2.0, 10_000, 1)
    try:
        supervision.begin()
        while supervision.running["toucher"].deaths < supervisor.STARTS_BEFORE_GIVING_UP + 1:
            supervision.tick()
            time.sleep(0.02)
        assert supervision.all_ready() and not supervision.failure
    finally:
        supervision.end_all()


def test_probes_carry_their_headers_and_secrets_are_not_shown(tmp_path: Path) -> None:
    service = a_service(tmp_path, "one", "guarded")
    service = replace(service, env={"WORD": "open-sesame"}, probe_headers={"X-Word": "open-sesame"})
    with start_in_background([service], log_dir=tmp_path / "logs"):
        pass
    assert "open-sesame" not in repr(service)


def test_stop_and_restart_of_one_service(tmp_path: Path) -> None:
    services = [a_service(tmp_path, "one"), a_service(tmp_path, "two")]
    with start_in_background(services, log_dir=tmp_path / "logs") as handle:
        other, old = handle.pid("two"), handle.pid("one")
        handle.stop("one")
        assert not lives(old)
        with pytest.raises(LookupError):
            handle.pid("one")
        time.sleep(supervisor.FIRST_DELAY_S * 2)
        assert supervisor.port_problem(services[0]) is None, "a service stopped on purpose was started again"
        handle.restart("one")
        assert handle.pid("one") != old
        assert handle.pid("two") == other
        assert handle.deaths("one") == 0


@pytest.mark.parametrize("background", [True, False])
def test_a_port_in_use_is_named_with_its_setting_and_owner(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], background: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        services = [a_service(tmp_path, "one"), a_service(tmp_path, "two", port=port)]
        if background:
            with pytest.raises(SupervisorError) as raised, start_in_background(services, log_dir=tmp_path / "logs"):
                pass
            message = str(raised.value)
        else:
            assert run_services(services, on_ready=lambda: None, log_dir=tmp_path / "logs") == 1
            message = capsys.readouterr().out
    assert f"服务 two要用的端口 {port} 已被占用" in message
    assert "YIHAODA_TWO_PORT" in message
    assert f"进程号 {os.getpid()}" in message
    assert noted_pids(tmp_path) == [], "something was started all the same"


def test_gives_up_on_a_service_that_never_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(supervisor, "FIRST_DELAY_S", 0.01)
    services = [a_service(tmp_path, "good"), a_service(tmp_path, "bad", "broken")]
    log_dir = tmp_path / "logs"
    assert run_services(services, on_ready=lambda: pytest.fail("never ready"), log_dir=log_dir) == 1
    message = capsys.readouterr().out
    assert "服务 bad：连续 5 次启动失败，不再重试（意外退出（退出码 1））" in message
    assert "配置文件第 7 行有误" in message
    assert str(log_dir / "bad.log") in message
    assert not any(lives(pid) for pid in noted_pids(tmp_path))


def test_a_command_that_does_not_exist_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "FIRST_DELAY_S", 0.01)
    service = Service("one", [str(tmp_path / "nothing")], {}, free_ports(1)[0], "http://127.0.0.1:9/")
    with (
        pytest.raises(SupervisorError, match="无法运行"),
        start_in_background([service], log_dir=tmp_path / "logs"),
    ):
        pass


def test_a_service_that_never_gets_ready_is_restarted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "FIRST_DELAY_S", 0.01)
    service = a_service(tmp_path, "one", "deaf", start_timeout_s=1.0)
    with (
        pytest.raises(SupervisorError, match="启动 1 秒后仍未就绪"),
        start_in_background([service], log_dir=tmp_path / "logs"),
    ):
        pass
    assert not any(lives(pid) for pid in noted_pids(tmp_path))


def test_a_stubborn_and_a_stopped_process_are_ended_too(tmp_path: Path) -> None:
    services = [a_service(tmp_path, "one", "stubborn"), a_service(tmp_path, "two")]
    with start_in_background(services, log_dir=tmp_path / "logs", grace_s=1.0) as handle:
        handle.signal("two", signal.SIGSTOP)
        pids = noted_pids(tmp_path)
        assert len(pids) == 2
    assert not any(lives(pid) for pid in pids)


def test_logs_of_earlier_runs_are_kept(tmp_path: Path) -> None:
    service, log_dir = a_service(tmp_path, "one"), tmp_path / "logs"
    for _ in range(3):
        with start_in_background([service], log_dir=log_dir):
            pass
    assert [file.name for file in log_dir.iterdir()] == ["one.log"]
    assert (log_dir / "one.log").read_text("utf-8").count("mode plain") == 3


def full_disk(log_dir: Path) -> None:
    """The device that fails as a full disk does is where the service's log should be."""
    log_dir.mkdir()
    (log_dir / "one.log").symlink_to("/dev/full")


def no_folder(log_dir: Path) -> None:
    log_dir.write_text("a file where the folder should be")


def a_folder_of_that_name(log_dir: Path) -> None:
    (log_dir / "one.log").mkdir(parents=True)


@pytest.mark.parametrize(
    "spoil",
    [
        full_disk,
        pytest.param(no_folder, marks=pytest.mark.full),
        pytest.param(a_folder_of_that_name, marks=pytest.mark.full),
    ],
)
def test_a_log_that_cannot_be_written_ends_nothing(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    """The issue's fault: a full log disk and one crashed service ended everything."""
    spoil(tmp_path / "logs")
    told: list[str] = []

    def say(line: str) -> None:
        told.append(line)
        raise OSError(errno.ENOSPC, "No space left on device")  # the terminal's output goes to that disk too

    services = [a_service(tmp_path, "one"), a_service(tmp_path, "two")]
    with start_in_background(services, log_dir=tmp_path / "logs", say=say) as handle:
        other = handle.pid("two")
        handle.kill("one")
        handle.wait_ready("one")
        assert (handle.deaths("one"), handle.deaths("two"), handle.pid("two")) == (1, 0, other)
    assert any("意外退出（信号 SIGKILL）" in line for line in told)


def test_why_a_service_does_not_start_is_said_without_a_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "FIRST_DELAY_S", 0.01)
    full_disk(tmp_path / "logs")
    with (
        pytest.raises(SupervisorError, match="配置文件第 7 行有误"),
        start_in_background([a_service(tmp_path, "one", "broken")], log_dir=tmp_path / "logs"),
    ):
        pass


# A service that says a lot, among it what must not rest anywhere; it is ready when all is said.
TALKER = """
import http.server, os, sys
port, lines = int(sys.argv[1]), int(sys.argv[2])
out = sys.stdout.buffer
out.write("Traceback (most recent call last):\\n  ValueError: 手机 13812345678，身份证 11010519491231002X\\n".encode())
out.write(b"not \\xff\\xfe UTF-8, 138\\x001234\\x1b[31m5678\\r\\n")
out.write('{"text": "\\\\u5e7a\\\\u4e09\\\\u516b\\\\u4e00\\\\u4e8c\\\\u4e09\\\\u56db\\\\u4e94\\\\u516d\\\\u4e03\\\\u516b"}\\n'.encode())
out.write(b"x" * 5_000_000 + b"13812345678\\n")
for n in range(lines):
    out.write(f"line {n} of 13812345678\\n".encode())
out.write("no end: 13812345678".encode())
out.flush()
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", port), Answer).serve_forever()
"""


def a_talker(folder: Path, lines: int) -> Service:
    script, port = folder / "talker.py", free_ports(1)[0]
    script.write_text(TALKER, "utf-8")
    return Service("one", [sys.executable, str(script), str(port), str(lines)], {}, port, f"http://127.0.0.1:{port}/")


def said_in(log: Path, words: str) -> bool:
    with contextlib.suppress(FileNotFoundError):  # in mid-rotation there is none
        return words in log.read_text("utf-8", "replace")
    return False


def test_what_a_service_says_is_masked_and_its_log_rotates_while_it_runs(tmp_path: Path) -> None:
    lines, size, kept, folder = 20_000, 100_000, 3, tmp_path / "logs"
    talker = a_talker(tmp_path, lines)
    with start_in_background([talker], log_dir=folder, log_bytes=size, kept_logs=kept):
        wait_until(lambda: said_in(folder / "one.log", f"line {lines - 1} "), "the last line")
        wait_until(
            lambda: len(list(folder.glob("one-*.log.gz"))) == kept and len(list(folder.iterdir())) == kept + 1,
            "compressed, and the oldest gone",
        )
    said = (folder / "one.log").read_text("utf-8")
    assert said.endswith("no end: 138****5678\n")
    numbers = []
    for file in sorted(folder.glob("*.gz")):
        content = gzip.decompress(file.read_bytes()).decode("utf-8")
        assert len(content.encode()) <= size
        numbers += [int(number) for number in re.findall(r"line (\d+)", content)]
        said += content
        assert file.stat().st_mode & 0o077 == 0
    numbers += [int(number) for number in re.findall(r"line (\d+)", (folder / "one.log").read_text("utf-8"))]
    assert numbers == list(range(numbers[0], lines)), "a line was lost, doubled or out of order"
    assert "12345678" not in said


def test_bad_bytes_and_long_lines_are_kept_as_far_as_they_can_be(tmp_path: Path) -> None:
    with start_in_background([a_talker(tmp_path, 0)], log_dir=tmp_path / "logs") as handle:
        pass
    said = handle.log("one").read_text("utf-8")
    assert "手机 138****5678，身份证 110***************" in said
    assert "not \ufffd\ufffd UTF-8, 138****5678\n" in said
    assert '{"text": "138****5678"}' in said
    longest = max(said.splitlines(), key=len)
    assert longest.startswith("x" * 10_000) and "略去 4983" in longest and len(longest) < LONGEST_LINE + 100
    assert "12345678" not in said


def start_driver(folder: Path) -> subprocess.Popen[str]:
    """A process of its own that runs three services with `run_services`, as the command line does."""
    services = [a_service(folder, "one"), a_service(folder, "two", "parent"), a_service(folder, "three", "stubborn")]
    wanted = [[s.name, list(s.command), s.port, s.ready_url] for s in services]
    code = (
        "import json, pathlib, sys; from connectors.run.supervisor import Service, run_services;"
        "services = [Service(n, c, {}, p, u) for n, c, p, u in json.loads(sys.argv[1])];"
        "sys.exit(run_services(services, on_ready=lambda: print('ALL READY', flush=True), grace_s=2.0,"
        " log_dir=pathlib.Path(sys.argv[2])))"
    )
    command = [sys.executable, "-c", code, json.dumps(wanted), str(folder / "logs")]
    env = {**os.environ, "NOTIFY_SOCKET": str(folder / "notify")}
    driver = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    assert driver.stdout is not None
    lines = []
    for line in driver.stdout:
        lines.append(line)
        if line == "ALL READY\n":
            return driver
    raise AssertionError("the driver ended early:\n" + "".join(lines))


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    """Where systemd would listen."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(60)
        yield listening


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_everything_and_systemd_is_told(
    tmp_path: Path, number: signal.Signals, systemd: socket.socket
) -> None:
    driver = start_driver(tmp_path)
    pids = noted_pids(tmp_path)
    assert len(pids) == 4
    assert all(lives(pid) for pid in pids)
    helpers = [process.pid for process in psutil.Process(driver.pid).children()]
    driver.send_signal(number)
    output, _ = driver.communicate(timeout=60)
    told = []
    while not told or told[-1] != "STOPPING=1":
        told.append(systemd.recv(4096).decode())
    assert told[0] == "WATCHDOG=1\nSTATUS=未就绪：one、two、three；服务重新启动过 0 次，其中 0 次是没有响应"
    assert "READY=1" in told
    assert driver.returncode == 0
    assert "已全部停止" in output
    assert not any(lives(pid) for pid in [*pids, *helpers])


def test_a_second_ctrl_c_does_not_wait(tmp_path: Path) -> None:
    driver = start_driver(tmp_path)
    pids = noted_pids(tmp_path)
    driver.send_signal(signal.SIGINT)
    assert driver.stdout is not None
    assert driver.stdout.readline().startswith("正在停止")
    driver.send_signal(signal.SIGINT)
    output, _ = driver.communicate(timeout=60)
    assert driver.returncode == 0
    assert "强行停止" in output
    assert not any(lives(pid) for pid in pids)


def test_nothing_lives_on_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    driver = start_driver(tmp_path)
    pids = noted_pids(tmp_path)
    helpers = [process.pid for process in psutil.Process(driver.pid).children()]
    driver.kill()
    driver.communicate(timeout=60)
    wait_until(lambda: not any(lives(pid) for pid in [*pids, *helpers]), "the watchdog ends the services, then itself")


class Wanted:
    """What is wanted now; asking for it may fail."""

    def __init__(self, *services: Service) -> None:
        self.services, self.fails = services, False

    def __call__(self) -> tuple[Service, ...]:
        if self.fails:
            raise OSError("the database is away")
        return self.services


def comes(folder: Path, name: str, mode: str = "plain", port: int = 0, drain_s: float = 0.0) -> Service:
    return replace(a_service(folder, name, mode, port), comes_and_goes=True, needed=False, drain_s=drain_s)


def answers(service: Service) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with contextlib.suppress(OSError):
        return bool(direct.open(service.ready_url, timeout=2).read() == b"ok")
    return False


def test_services_come_and_go_while_the_others_run_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "WANTED_EVERY_S", 0.1)
    first, other = a_service(tmp_path, "first"), comes(tmp_path, "other", drain_s=1.5)
    wanted, told = Wanted(), list[str]()
    with start_in_background([first], log_dir=tmp_path / "logs", say=told.append, wanted=wanted) as handle:
        began = handle.pid("first")
        wanted.services = (other,)
        wait_until(lambda: answers(other), "the new one answers")
        wanted.fails = True
        time.sleep(0.5)
        assert answers(other), "who knows: all stays as it is"
        wanted.fails, wanted.services = False, ()
        gone = time.monotonic()
        time.sleep(0.7)
        assert answers(other), "what it was asked before is finished"
        wait_until(lambda: not answers(other), "it ends")
        assert time.monotonic() - gone >= 1.5
        wait_until(lambda: "服务 other：已停止" in told, "it is said")
        with pytest.raises(LookupError):
            handle.pid("other")
        assert handle.pid("first") == began and handle.deaths("first") == 0 and answers(first)
        wanted.services = (other,)
        wait_until(lambda: answers(other), "it is back")
    assert not any(lives(pid) for pid in noted_pids(tmp_path))


def test_another_command_under_the_same_name_takes_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "WANTED_EVERY_S", 0.1)
    before = replace(comes(tmp_path, "one"), needed=True)
    after = comes(tmp_path, "one", "slow", before.port)
    wanted = Wanted(before)
    with start_in_background([before], log_dir=tmp_path / "logs", wanted=wanted) as handle:
        old = handle.pid("one")
        time.sleep(0.5)
        assert handle.pid("one") == old
        wanted.services = (after,)
        wait_until(lambda: not lives(old), "the old one ends")
        wait_until(lambda: answers(after), "the new one answers")
        assert handle.deaths("one") == 0
    assert not any(lives(pid) for pid in noted_pids(tmp_path))


def test_one_that_comes_and_never_starts_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "WANTED_EVERY_S", 0.1)
    monkeypatch.setattr(supervisor, "restart_delay", lambda crashes: 0.0)
    first, broken = a_service(tmp_path, "first"), comes(tmp_path, "broken", "broken")
    taken = comes(tmp_path, "taken", port=first.port)
    stubborn = comes(tmp_path, "stubborn", "stubborn")
    wanted, told = Wanted(broken, taken, stubborn), list[str]()
    options = {"log_dir": tmp_path / "logs", "say": told.append, "wanted": wanted, "grace_s": 1.0}
    with start_in_background([first], **options) as handle:  # type: ignore[arg-type]
        wait_until(lambda: answers(stubborn) and handle.deaths("broken") > 6, "it is tried again and again")
        assert answers(first) and handle.deaths("first") == 0
        assert len([line for line in told if "已被占用" in line and str(first.port) in line]) == 1
        pid = handle.pid("stubborn")
        wanted.services = ()
        began = time.monotonic()
        wait_until(lambda: not lives(pid), "it is ended")
        assert answers(first) and time.monotonic() - began < 20
