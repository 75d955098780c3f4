"""What ``/readyz`` says of disks and logs, and what the security log keeps of requests, on the real gateway without Rasa."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import forget
from fastapi.testclient import TestClient

from bot import database, disk, logs, security_log
from bot.accounts import service_accounts
from bot.settings import ROOT, Settings, get_settings
from connectors.gateway import disks
from connectors.gateway.app import create_app
from tests.index.test_assistant import make


@pytest.fixture
def http(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[TestClient]:
    for name, value in {
        "DENSE": "false",
        "RASA_PORT": "1",  # nobody there
        "LOG_DIR": str(tmp_path / "logs"),
        "DISK_FREE_MB": "1",
        "RATE_PER_MINUTE": "2",
        "WECHAT_APP_ID": "wx1",
        "WECHAT_APP_SECRET": "s",
        "WECHAT_TOKEN": "t",
    }.items():
        monkeypatch.setenv(f"YIHAODA_{name}", value)
    forget()
    monkeypatch.setattr(security_log, "_log", security_log._SecurityLog())
    monkeypatch.setattr(disks, "_FRESH_S", -1.0)
    assistant = make(get_settings())
    monkeypatch.setattr("connectors.gateway.app.get_assistant", lambda: assistant)
    monkeypatch.setattr("connectors.gateway.app.logs.configure", lambda level: None)
    with TestClient(create_app(), raise_server_exceptions=False) as client:
        client.portal.call(asyncio.wait, [client.app.state.gateway.loading])  # type: ignore[union-attr,attr-defined]
        yield client


NO_RASA = "Rasa 没有应答，网关自己作答。"


def reasons(http: TestClient) -> list[str]:
    """What else is wrong; with 200 in any case: no load balancer takes the last gateway away for it."""
    ready = http.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["status"] == "degraded"
    found: list[str] = ready.json()["reasons"]
    found.remove(NO_RASA)
    return found


def fill(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Write fails there as on a full disk, whoever we are."""
    monkey = Path.write_bytes

    def write_bytes(self: Path, data: bytes) -> int:
        if self.parent != folder:
            return monkey(self, data)
        with Path("/dev/full").open("wb", buffering=0) as full:
            return full.write(data)

    patch.setattr(Path, "write_bytes", write_bytes)


def test_all_is_well(http: TestClient) -> None:
    assert reasons(http) == []
    assert not list(get_settings().data_dir.glob(".probe*")), "the probe was left behind"


def test_a_full_disk_is_said_and_the_gateway_still_answers(http: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(get_settings().data_dir, monkeypatch)
    assert reasons(http) == [f"数据目录写不进去：{disk.FULL}"]
    assert http.get("/api/site").status_code == 200


def test_a_log_folder_that_takes_nothing_is_said(http: TestClient) -> None:
    folder = get_settings().logs
    shutil.rmtree(folder)
    folder.write_text("a file in its place")
    (said,) = reasons(http)
    assert said.startswith("日志文件夹写不进去：")


def test_little_room_is_said_with_its_figures(http: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_settings(), "disk_free_mb", 10**9)
    said = reasons(http)
    assert len(said) == 2
    assert all("所在的磁盘只剩 " in reason and "少于 1000000000 MB" in reason for reason in said)


def test_a_disk_that_hangs_does_not_hang_the_gateway(http: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disks, "_WAIT_S", 0.05)
    hangs, looks = threading.Event(), []
    real = disk.trouble

    def stuck(*arguments: Any) -> str | None:
        looks.append(arguments)
        hangs.wait(30)
        return real(*arguments)

    monkeypatch.setattr(disk, "trouble", stuck)
    for _ in range(5):
        assert reasons(http) == ["磁盘没有反应。请检查磁盘。"]
    assert len(looks) == 1, "one thread hangs, not one for each request"
    hangs.set()


def test_logs_that_cannot_be_written_are_said(http: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("w") as full:
        out = logs.SafeOutput(full.fileno())
        monkeypatch.setattr(logs, "output", out)
        print("one\ntwo", file=out)
    monkeypatch.setattr(security_log._log, "lost", 3)
    assert reasons(http) == ["网关的日志写不出去，已经丢了 2 行。", "安全日志写不进去，已经少记了 3 行。"]


def refused(http: TestClient, call: Callable[[], Any]) -> dict[str, Any]:
    """What one call adds to the security log."""
    security_log.settle()
    (path,) = [path for _, path in security_log.days(get_settings().logs)]
    before = len(path.read_text("utf-8").splitlines())
    call()
    (line,) = path.read_text("utf-8").splitlines()[before:]
    found: dict[str, Any] = json.loads(line)
    assert found.pop("source") == "testclient"
    found.pop("at")
    return found


def test_what_was_refused_is_in_the_security_log(http: TestClient) -> None:
    opened = http.post("/api/conversations").json()
    path = f"/api/conversations/{opened['id']}"
    read = "GET /api/conversations/{conversation_id}"
    bearer = {"Authorization": "Bearer 13812345678"}
    assert refused(http, lambda: http.get(path)) == {
        "event": "request.refused", "subject": read, "reason": "unauthorised", "status": 401,
    }  # fmt: skip
    assert refused(http, lambda: http.get(path, headers=bearer))["reason"] == "forbidden"
    wrong = refused(http, lambda: http.get("/api/desk/tickets", headers=bearer))
    assert (wrong["subject"], wrong["status"]) == ("GET /api/desk/tickets", 401)
    assert refused(http, lambda: http.get("/wechat?signature=x&timestamp=1&nonce=1"))["event"] == "push.refused"
    right = {"Authorization": f"Bearer {opened['token']}"}

    def too_fast() -> None:
        for number in range(4):
            message = {"message_id": f"m{number}", "text": "你好"}
            http.post(f"{path}/messages", json=message, headers=right)

    assert refused(http, too_fast)["status"] == 429
    # No token, conversation, code or text of anyone's is in it.
    text = "".join(path.read_text("utf-8") for _, path in security_log.days(get_settings().logs))
    assert not any(secret in text for secret in (opened["id"], opened["token"], "12345678", "你好"))


def test_a_sign_in_is_in_it_once_a_day(http: TestClient) -> None:
    with database.write() as session:
        key = service_accounts.create(session, "测试", "crm", ["tickets.read"])
    right = {"Authorization": f"Bearer {key}"}
    first = refused(http, lambda: http.get("/api/desk/tickets", headers=right))
    assert first == {"event": "signed_in", "subject": "程序 crm"}
    with pytest.raises(ValueError, match="not enough"):
        refused(http, lambda: http.get("/api/desk/tickets", headers=right))


GATEWAY = """
import json, pathlib, sys, time
from fastapi.testclient import TestClient
from bot import logs
logs.configure("INFO")  # making the index logs
from bot.settings import get_settings
from connectors.gateway import app as gateway
from tests.index.test_assistant import make
assistant = make(get_settings())
gateway.get_assistant = lambda: assistant
with TestClient(gateway.create_app()) as http:
    opened = http.post("/api/conversations").json()
    own = {"headers": {"Authorization": "Bearer " + opened["token"]}}
    path = f"/api/conversations/{opened['id']}"
    started = time.monotonic()
    said = http.post(path + "/messages", json={"message_id": "m", "text": "图书馆借书证丢失如何补领"}, **own)
    took_s = time.monotonic() - started
    wrong = http.get(path, headers={"Authorization": "Bearer x"})
    ready = http.get("/readyz")
    found = [said.status_code, said.json()["replies"][0]["type"], took_s < 20, wrong.status_code, ready.json()["reasons"]]
pathlib.Path(sys.argv[1]).write_text(json.dumps(found))
"""


def test_no_request_and_no_turn_fails_for_a_log_that_cannot_be_written(
    sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The issue's fault: plain-text 500, and who waited for a turn that was settled was told after 25 seconds."""
    monkeypatch.setenv("YIHAODA_DENSE", "false")
    monkeypatch.setenv("YIHAODA_RASA_PORT", "1")
    monkeypatch.setenv("YIHAODA_DISK_FREE_MB", "0")
    monkeypatch.setenv("YIHAODA_LOG_DIR", "/dev/null")  # no folder, and nobody can make it one
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'tests'}")
    found = tmp_path / "found"
    with Path("/dev/full").open("w") as full:
        call = [sys.executable, "-c", GATEWAY, str(found)]
        subprocess.run(call, stdout=full, stderr=full, timeout=120, check=True)
    status, kind, in_time, wrong, said = json.loads(found.read_text())
    assert (status, kind, in_time, wrong) == (200, "answer", True, 403)
    assert any(reason.startswith("日志文件夹写不进去") for reason in said)
    assert any(reason.startswith("网关的日志写不出去，已经丢了 ") for reason in said)
    assert any(reason.startswith("安全日志写不进去，已经少记了 ") for reason in said)
