"""Backup and restore, from either kind of database."""

from __future__ import annotations

import itertools
import re
import shutil
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import forget
from cryptography.fernet import Fernet
from samples import fill
from sqlalchemy import func, select

from bot import audit, backup, conversations, crypto, database
from bot.backup import BackupDamaged
from bot.errors import InvalidInput
from bot.models.conversations import Conversation, InboxMessage, OutboxMessage, TurnEffect
from bot.models.housekeeping import AuditEntry
from bot.models.tickets import Ticket
from bot.settings import Settings, get_settings


def test_a_backup_comes_back_whole_in_another_place(
    db: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = fill(db)
    (db.index_dir / "v1").mkdir(parents=True)
    (db.index_dir / "v1" / "manifest.json").write_text("{}", encoding="utf-8")
    released = ("bundles/a/manifest.json", "rasa/m.tar.gz")
    for name in released:
        (db.data_dir / name).parent.mkdir(parents=True)
        (db.data_dir / name).write_text(name, encoding="utf-8")
    archive = tmp_path / "backup.tar.gz"
    counts = backup.backup(db, archive)
    assert counts.rows["inbox"] == counts.rows["tickets"] == 1
    assert archive.stat().st_mode & 0o077 == 0

    monkeypatch.delenv("YIHAODA_DATABASE_URL", raising=False)
    monkeypatch.setenv("YIHAODA_DATA_DIR", str(tmp_path / "elsewhere"))
    forget()
    assert backup.restore(get_settings(), archive).rows == counts.rows
    with database.read() as session:
        assert conversations.history(session, conversation)[0]["text"] == "我的电话是13800138000"
        assert session.scalars(select(Ticket)).one().subject == "怎么办"
    assert (get_settings().index_dir / "v1" / "manifest.json").exists()
    assert [(get_settings().data_dir / name).read_text(encoding="utf-8") for name in released] == list(released)
    with pytest.raises(InvalidInput, match="已经有数据"):
        backup.restore(get_settings(), archive)


def test_sqlite_moves_to_postgresql(
    sqlite_db: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres: str
) -> None:
    from conftest import _execute

    fill(sqlite_db)
    archive = tmp_path / "backup.tar.gz"
    counts = backup.backup(sqlite_db, archive)
    _execute(postgres, "CREATE DATABASE moved")
    monkeypatch.setenv("YIHAODA_DATABASE_URL", postgres.replace("/postgres?", "/moved?"))
    monkeypatch.setenv("YIHAODA_DATA_DIR", str(tmp_path / "moved"))
    forget()
    assert backup.restore(get_settings(), archive).rows == counts.rows
    with database.write() as session:
        audit.record(session, "系统", "test", "the next id does not clash")
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(AuditEntry)) == counts.rows["audit"] + 1


@pytest.mark.parametrize("content", [b"", b"not a backup", b"\x1f\x8b\x08\x00broken"])
def test_what_is_no_backup_is_refused(sqlite_db: Settings, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.tar.gz"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match="不是一号答的备份"):
        backup.restore(sqlite_db, path)


def test_an_archive_damaged_anywhere_is_refused(sqlite_db: Settings, tmp_path: Path) -> None:
    fill(sqlite_db)
    archive = tmp_path / "backup.tar.gz"
    backup.backup(sqlite_db, archive)
    whole = archive.read_bytes()
    with backup._opened(archive) as (_, sound):
        pass
    places = range(20, len(whole) - 8, len(whole) // 20)
    unread = 0
    for place in places:
        archive.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            with backup._opened(archive) as (_, about):
                assert (
                    about == sound
                )  # compressed data have bits that nobody reads, such as the code of a letter not used
                unread += 1
        except (InvalidInput, BackupDamaged) as error:
            assert "损坏" in str(error)
        archive.write_bytes(whole[:place])
        with pytest.raises((InvalidInput, BackupDamaged), match="损坏"):
            backup.restore(get_settings(), archive)
    assert unread <= 2 < len(places)


def _repacked(archive: Path, scratch: Path, change: Callable[[Path], object]) -> None:
    with tarfile.open(archive) as packed:
        packed.extractall(scratch, filter="data")
    change(scratch)
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(scratch, arcname=".")


@pytest.mark.parametrize("name", ["database/inbox.jsonl", "index/v1/manifest.json", "secret.key"])
@pytest.mark.parametrize("gone", [True, False])
def test_a_file_changed_or_missing_within_is_named(sqlite_db: Settings, tmp_path: Path, name: str, gone: bool) -> None:
    fill(sqlite_db)
    (sqlite_db.index_dir / "v1").mkdir(parents=True)
    (sqlite_db.index_dir / "v1" / "manifest.json").write_text("{}", encoding="utf-8")
    archive = tmp_path / "backup.tar.gz"
    backup.backup(sqlite_db, archive)

    def change(folder: Path) -> None:
        path = folder / name
        if gone:
            path.unlink()
        else:
            path.write_bytes(path.read_bytes().replace(b"{", b"{ ") + b" ")

    _repacked(archive, tmp_path / "scratch", change)
    with pytest.raises(BackupDamaged, match=re.escape(name)):
        backup.restore(sqlite_db, archive)


@pytest.mark.parametrize("left", [0.5, 0.99])
def test_a_disk_that_loses_what_was_written_leaves_no_archive(
    sqlite_db: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: float
) -> None:
    fill(sqlite_db)
    target = tmp_path / "out" / "backup.tar.gz"
    with pytest.raises(InvalidInput, match="没有这个文件夹"):
        backup.backup(sqlite_db, target)
    target.parent.mkdir()
    backup.backup(sqlite_db, target)
    before = target.read_bytes()

    opened = tarfile.open

    def lossy(*arguments: Any, fileobj: Any = None, **others: Any) -> Any:
        """Packs as ever; of what was written, the disk keeps a part."""
        if fileobj is None:
            return opened(*arguments, **others)
        packed = opened(*arguments, fileobj=fileobj, **others)
        close = packed.close

        def close_and_lose() -> None:
            close()
            fileobj.flush()
            fileobj.truncate(int(fileobj.tell() * left))

        packed.close = close_and_lose
        return packed

    monkeypatch.setattr(tarfile, "open", lossy)
    for path in (target, target.with_name("new.tar.gz")):
        with pytest.raises(BackupDamaged, match="没有通过"):
            backup.backup(sqlite_db, path)
    assert target.read_bytes() == before
    assert list(target.parent.iterdir()) == [target]


def test_a_missing_key_is_named_and_may_be_done_without(
    sqlite_db: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = (Fernet.generate_key().decode() for _ in range(2))
    monkeypatch.setenv("YIHAODA_SECRET_KEYS", here)
    forget()
    fill(get_settings())
    archive = tmp_path / "backup.tar.gz"
    contents = backup.backup(get_settings(), archive)
    assert list(contents.keys) == [crypto.fingerprint(here)] and contents.unreadable == 0
    monkeypatch.setenv("YIHAODA_SECRET_KEYS", there)
    monkeypatch.setenv("YIHAODA_DATA_DIR", str(tmp_path / "elsewhere"))
    forget()
    with pytest.raises(InvalidInput, match=crypto.fingerprint(here)):
        backup.restore(get_settings(), archive)
    monkeypatch.delenv("YIHAODA_SECRET_KEYS")  # production's archive on a development machine
    forget()
    with pytest.raises(InvalidInput, match=crypto.fingerprint(here)):
        backup.restore(get_settings(), archive)
    monkeypatch.setenv("YIHAODA_SECRET_KEYS", f"{there},{here}")
    forget()
    assert backup.restore(get_settings(), archive).rows == contents.rows
    monkeypatch.setenv("YIHAODA_SECRET_KEYS", there)
    monkeypatch.setenv("YIHAODA_DATA_DIR", str(tmp_path / "third"))
    forget()
    assert backup.restore(get_settings(), archive, accept_missing_keys=True).rows == contents.rows
    assert backup.backup(get_settings(), archive).unreadable == contents.keys[crypto.fingerprint(here)]


def test_a_backup_of_a_busy_product_is_one_picture(
    db: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(db)
    stop, written = threading.Event(), threading.Semaphore(0)

    def publish(name: str, oldest: str) -> None:
        """As index versions come and go: a folder appears whole, ``CURRENT`` turns to it, the oldest one goes."""
        draft = db.index_dir / f".building-{name}"
        (draft / "deep").mkdir(parents=True)
        for file in ("manifest.json", "deep/a", "deep/b"):
            (draft / file).write_text(name, encoding="utf-8")
        draft.rename(db.index_dir / name)
        (db.index_dir / ".CURRENT-x").write_text(name, encoding="utf-8")
        (db.index_dir / ".CURRENT-x").replace(db.index_dir / "CURRENT")
        shutil.rmtree(db.index_dir / oldest, ignore_errors=True)

    def talk(name: str) -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            fill(db)
            if name == "a":
                publish(f"v{number}", f"v{number - 2}")
            written.release()

    threads = [threading.Thread(target=talk, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    archives = [tmp_path / f"{number}.tar.gz" for number in range(2)]
    try:
        for archive in archives:
            for _ in range(5):
                assert written.acquire(timeout=30)  # there is always something new
            backup.backup(db, archive)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    sizes = []
    monkeypatch.delenv("YIHAODA_DATABASE_URL", raising=False)
    for archive in archives:
        monkeypatch.setenv("YIHAODA_DATA_DIR", str(tmp_path / archive.stem))
        forget()
        sizes.append(backup.restore(get_settings(), archive).rows["conversations"])
        current = (get_settings().index_dir / "CURRENT").read_text(encoding="utf-8")
        for file in ("manifest.json", "deep/a", "deep/b"):
            assert (get_settings().index_dir / current / file).read_text(encoding="utf-8") == current
        with database.read() as session:
            settled = set(session.scalars(select(InboxMessage.turn_id).where(InboxMessage.settled)))
            assert settled == set(session.scalars(select(TurnEffect.turn_id)))
            assert settled == set(session.scalars(select(OutboxMessage.turn_id)))
            for conversation in session.scalars(select(Conversation)):
                said = conversations.history(session, conversation.id)
                assert [one["seq"] for one in said] == list(range(1, conversation.seq + 1))
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1]
