"""What rests on the disk: erased text can't be found in any file, and no other account may read one."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from conftest import forget
from cryptography.fernet import Fernet
from samples import fill
from sqlalchemy import text

from bot import conversations, crypto, database, keys, retention
from bot.clock import utcnow
from bot.models.housekeeping import LastPurge
from bot.private import keep_private
from bot.retention import host_clock
from bot.settings import ROOT, Settings
from connectors.run.background import free_ports
from connectors.terminal.cli import main


def files_with(folder: Path, *markers: bytes) -> list[str]:
    """The files of the database that hold any of the markers."""
    names = ("yihaoda.db", "yihaoda.db-wal", "yihaoda.db-shm", "yihaoda.db-journal")
    there = [folder / name for name in names if (folder / name).exists()]
    return [path.name for path in there if any(marker in path.read_bytes() for marker in markers)]


def traces(conversation: str) -> list[bytes]:
    """What a conversation left in the file: cipher texts, and a plain column with a marker of its own."""
    found: list[bytes] = []
    with database.write() as session:
        session.execute(text("UPDATE inbox SET channel_message_id = :m"), {"m": f"marker-{secrets.token_hex(30)}"})
        session.execute(text("UPDATE conversations SET agent = :m"), {"m": f"marker-{secrets.token_hex(900)}"})
    with database.get_engine().connect() as connection:
        for statement in (
            "SELECT text FROM inbox", "SELECT channel_message_id FROM inbox", "SELECT replies FROM outbox",
            "SELECT replies FROM turns", "SELECT explain FROM turns", "SELECT context FROM conversations",
            "SELECT agent FROM conversations",
        ):  # fmt: skip
            found += [value.encode() for value in connection.execute(text(statement)).scalars()]
    assert len(found) == 7 and all(len(marker) > 50 for marker in found)
    return found


def test_what_was_erased_is_in_no_file(sqlite_db: Settings) -> None:
    conversation = fill(sqlite_db)
    markers = traces(conversation)
    assert files_with(sqlite_db.data_dir, *markers)
    with database.write() as session:
        conversations.erase(session, conversations.lock(session, conversation))
    assert "yihaoda.db-wal" in files_with(sqlite_db.data_dir, *markers)  # this is what the call below is for
    assert database.forget_erased()
    assert files_with(sqlite_db.data_dir, *markers) == []


def test_what_was_purged_is_in_no_file(sqlite_db: Settings) -> None:
    markers = traces(fill(sqlite_db))
    assert database.forget_erased()
    assert files_with(sqlite_db.data_dir, *markers) == ["yihaoda.db"]
    with database.write() as session:
        session.execute(text("UPDATE conversations SET active_at = '2020-01-01 00:00:00'"))
    assert retention.run(180, confirmed_by="王") == 1
    assert files_with(sqlite_db.data_dir, *markers) == []


def test_while_somebody_reads_it_is_put_off(sqlite_db: Settings) -> None:
    conversation = fill(sqlite_db)
    markers = traces(conversation)
    reader = sqlite3.connect(sqlite_db.data_dir / "yihaoda.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM inbox").fetchall()
    with database.write() as session:
        conversations.erase(session, conversations.lock(session, conversation))
    assert not database.forget_erased()
    reader.execute("COMMIT")
    assert database.forget_erased()
    assert files_with(sqlite_db.data_dir, *markers) == []
    reader.close()


def test_we_set_secure_delete_ourselves(sqlite_db: Settings) -> None:
    with database.read() as session:
        assert session.execute(text("PRAGMA secure_delete")).scalar_one() == 1


def test_what_was_deleted_before_is_overwritten_once(sqlite_db: Settings) -> None:
    path = sqlite_db.data_dir / "yihaoda.db"
    marker = secrets.token_hex(3000)
    database.reset_engine()
    old = sqlite3.connect(path, isolation_level=None)
    old.execute("PRAGMA secure_delete=OFF")
    old.execute("PRAGMA user_version=0")
    old.execute("INSERT INTO calendar_days VALUES ('2026-01-01', 1, ?)", [marker])
    old.execute("DELETE FROM calendar_days")
    old.close()
    assert marker[:100].encode() in path.read_bytes()
    database.migrate()
    database.reset_engine()
    assert marker[:100].encode() not in path.read_bytes()


def test_closing_the_engine_leaves_no_log(sqlite_db: Settings) -> None:
    fill(sqlite_db)
    assert (sqlite_db.data_dir / "yihaoda.db-wal").stat().st_size > 0
    database.reset_engine()
    assert not (sqlite_db.data_dir / "yihaoda.db-wal").exists()


def open_to_others(folder: Path) -> list[str]:
    return [
        str(path) for path in (folder, *folder.rglob("*")) if path.lstat().st_mode & 0o077 and not path.is_symlink()
    ]


def test_what_stood_open_is_shut_and_said_once(sqlite_db: Settings, tmp_path: Path) -> None:
    outside = tmp_path / "theirs"
    outside.write_text("x", encoding="utf-8")
    outside.chmod(0o644)
    fill(sqlite_db)
    for folder in ("index/v1", "logs", "evaluations"):
        (sqlite_db.data_dir / folder).mkdir(parents=True, exist_ok=True)
        (sqlite_db.data_dir / folder / "file").write_text("x", encoding="utf-8")
    (sqlite_db.data_dir / "link").symlink_to(outside)
    for path in (sqlite_db.data_dir, *sqlite_db.data_dir.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o777 if path.is_dir() else 0o666)
    said = keep_private(sqlite_db)
    assert said is not None and "其他账号" in said
    assert open_to_others(sqlite_db.data_dir) == []
    assert stat.S_IMODE(outside.stat().st_mode) == 0o644
    assert keep_private(sqlite_db) is None
    (sqlite_db.data_dir / "new").mkdir()
    (sqlite_db.data_dir / "new" / "file").write_text("x", encoding="utf-8")
    assert open_to_others(sqlite_db.data_dir) == []


def test_a_data_folder_around_the_project_is_shut_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    project = tmp_path / "around" / "project"
    project.mkdir(parents=True)
    (project / "code.py").write_text("x", encoding="utf-8")
    (project / "code.py").chmod(0o644)
    monkeypatch.setattr("bot.private.ROOT", project)
    keep_private(settings.model_copy(update={"data_dir": tmp_path / "around"}))
    assert stat.S_IMODE((tmp_path / "around").stat().st_mode) == 0o700
    assert stat.S_IMODE((project / "code.py").stat().st_mode) == 0o644


def test_the_command_makes_private_files_and_closes_its_database(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main_ended(["kb", "--help"])
    assert not settings.data_dir.exists()
    settings.data_dir.mkdir()
    settings.data_dir.chmod(0o755)
    main_ended(["kb", "check"])
    assert "其他账号" in capsys.readouterr().err
    main_ended(["backup", str(tmp_path / "b.tar.gz")])
    assert "其他账号" not in capsys.readouterr().err
    assert open_to_others(settings.data_dir) == []
    assert stat.S_IMODE((tmp_path / "b.tar.gz").stat().st_mode) == 0o600
    assert not (settings.data_dir / "yihaoda.db-wal").exists()


def main_ended(argv: list[str]) -> None:
    with contextlib.suppress(SystemExit):
        main(argv)


@contextlib.contextmanager
def running_worker(log: Path) -> Iterator[Path]:
    """The real job worker; the file that it writes to."""
    with log.open("w") as output:
        process = subprocess.Popen([sys.executable, "-m", "connectors.jobs"], stdout=output, stderr=output, cwd=ROOT)
        try:
            yield log
        finally:
            process.terminate()
            assert process.wait(30) == 0


@contextlib.contextmanager
def running_gateway(settings: Settings, **env: str) -> Iterator[tuple[httpx.Client, Path]]:
    """A gateway process of its own under an open umask, without a Rasa; a client and its log."""
    port, nobody = free_ports(2)
    env = {
        **os.environ,
        **env,
        "YIHAODA_PORT": str(port),
        "YIHAODA_RASA_PORT": str(nobody),
        "YIHAODA_DENSE": "false",
        "PYTHONPATH": str(ROOT),
    }
    database.reset_engine()
    log = settings.data_dir.parent / f"gateway-{port}.log"
    command = [sys.executable, "-m", "uvicorn", "connectors.gateway.app:app", "--port", str(port), "--no-access-log"]
    with log.open("wb") as sink:
        gateway = subprocess.Popen(command, env=env, cwd=log.parent, umask=0o022, stdout=sink, stderr=sink)
    try:
        while True:
            assert gateway.poll() is None, log.read_text(encoding="utf-8")
            with socket.socket() as attempt:
                if attempt.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as http:
            yield http, log
    finally:
        gateway.send_signal(signal.SIGTERM)
        gateway.wait(30)


def say(http: httpx.Client, conversation: dict[str, str], message_id: str, text: str) -> list[str]:
    """Say something; all that the citizen has said so far."""
    headers = {"Authorization": f"Bearer {conversation['token']}"}
    path = f"/api/conversations/{conversation['id']}/messages"
    assert http.post(path, json={"message_id": message_id, "text": text}, headers=headers).status_code == 200
    return [one["text"] for one in http.get(path, headers=headers).json()["messages"] if one["sender"] == "citizen"]


def test_a_running_gateway_keeps_what_is_private(sqlite_db: Settings) -> None:
    """Erasure, a rotation of keys and a clock that leapt, in a real process; and what its end leaves."""
    data = sqlite_db.data_dir
    with database.write() as session:
        leapt = utcnow() - host_clock().since_boot - timedelta(days=3)
        session.add(LastPurge(id=1, at=leapt, boot="another", since_boot_s=0.0))
    with running_gateway(sqlite_db) as (http, log):
        kept, erased = (http.post("/api/conversations").json() for _ in range(2))
        for one in (kept, erased):
            say(http, one, "m1", "我家的路灯坏了")
        with contextlib.closing(sqlite3.connect(data / "yihaoda.db")) as file:
            rows = file.execute("SELECT text FROM inbox WHERE conversation_id = ?", [erased["id"]])
            markers = [value.encode() for (value,) in rows]
        headers = {"Authorization": f"Bearer {erased['token']}"}
        assert http.delete(f"/api/conversations/{erased['id']}", headers=headers).status_code == 204
        assert markers and files_with(data, *markers) == []
        assert (data / "yihaoda.db-wal").exists() and open_to_others(data) == []

        main_ended(["keys", "rotate"])  # the gateway takes up the new key by itself
        assert say(http, kept, "m2", "路灯还是坏的") == ["我家的路灯坏了", "路灯还是坏的"]
        assert set(keys.census(crypto.get_cipher())) == set(crypto.get_cipher().fingerprints)
        database.reset_engine()

        with running_worker(log.with_name("jobs")) as jobs_log:
            while "时钟可能不对" not in str((ready := http.get("/readyz").json())["reasons"]):
                time.sleep(0.05)  # its first look at what is due
        assert ready["keys"] == [*crypto.get_cipher().fingerprints]
        assert "时钟可能不对" in jobs_log.read_text(encoding="utf-8")
        assert jobs_log.read_text(encoding="utf-8").count("job.failed") == 1
    assert not (data / "yihaoda.db-wal").exists()
    assert open_to_others(data) == []


@pytest.mark.full
def test_a_gateway_that_does_not_know_the_new_key_is_not_left_behind(
    sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    with running_gateway(sqlite_db, YIHAODA_SECRET_KEYS=old) as (http, _):
        kept = http.post("/api/conversations").json()
        say(http, kept, "m1", "路灯坏了")
        monkeypatch.setenv("YIHAODA_PORT", str(http.base_url.port))
        monkeypatch.setenv("YIHAODA_SECRET_KEYS", f"{new},{old}")
        forget()
        main_ended(["keys", "rotate"])
        assert "先重启" in capsys.readouterr().err
        assert say(http, kept, "m2", "还是坏的") == ["路灯坏了", "还是坏的"]
    with running_gateway(sqlite_db, YIHAODA_SECRET_KEYS=f"{new},{old}") as (http, _):
        monkeypatch.setenv("YIHAODA_PORT", str(http.base_url.port))
        forget()
        main_ended(["keys", "rotate"])
        assert crypto.fingerprint(old) in capsys.readouterr().out
        assert say(http, kept, "m3", "修了") == ["路灯坏了", "还是坏的", "修了"]
    monkeypatch.setenv("YIHAODA_SECRET_KEYS", new)
    forget()
    assert set(keys.census(crypto.get_cipher())) == {crypto.fingerprint(new)}


@pytest.mark.full
def test_an_action_server_shuts_what_stood_open_and_leaves_no_log(sqlite_db: Settings) -> None:
    fill(sqlite_db)
    (port,) = free_ports(1)
    reader = sqlite3.connect(sqlite_db.data_dir / "yihaoda.db")  # so that our own connections' end leaves the log there
    reader.execute("SELECT * FROM inbox").fetchall()
    database.reset_engine()
    sqlite_db.data_dir.chmod(0o755)
    env = {**os.environ, "YIHAODA_DENSE": "false", "PYTHONPATH": str(ROOT), "YIHAODA_SERVICE_SECRET": "its-secret"}
    headers = {"Authorization": "Bearer its-secret"}
    server = subprocess.Popen([sys.executable, "-m", "actions", "--port", str(port)], env=env, umask=0o022)
    try:
        asked = {"next_action": "action_session_start", "sender_id": "x-1", "domain": {}}
        asked["tracker"] = {"sender_id": "x-1", "slots": {}, "latest_message": {}, "events": []}
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False, timeout=30) as http:
            while True:
                assert server.poll() is None
                with contextlib.suppress(httpx.ConnectError):
                    assert http.post("/webhook", json=asked).status_code == 200
                    break
                time.sleep(0.05)
        assert (sqlite_db.data_dir / "yihaoda.db-wal").exists()
        assert open_to_others(sqlite_db.data_dir) == []
        reader.close()
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)
    assert not (sqlite_db.data_dir / "yihaoda.db-wal").exists()
