"""A new key for everything encrypted, while the product runs; killed at any point, it goes on where it was."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from pathlib import Path

import pytest
from conftest import forget
from cryptography.fernet import Fernet
from samples import fill
from sqlalchemy import select

from bot import backup, conversations, crypto, database, keys
from bot.crypto import CannotDecrypt, Cipher
from bot.errors import InvalidInput
from bot.models.base import Base, secret_columns
from bot.models.housekeeping import AuditEntry
from bot.models.tickets import Ticket
from bot.settings import Settings, get_settings

OURS = "我的电话是13800138000"


def opened_by_only(fingerprint: str) -> int:
    """Every encrypted value is opened by this key; how many there are."""
    found = keys.census(crypto.get_cipher())
    assert set(found) == {fingerprint}
    return found[fingerprint]


def test_everything_gets_the_new_key_and_the_old_one_goes(db: Settings) -> None:
    said = [fill(db) for _ in range(3)]
    old = crypto.get_cipher().fingerprints
    before = (db.data_dir / "secret.key").read_text()
    values = opened_by_only(old[0])
    told: list[int] = []
    done = keys.rotate(db, "王", told.append)
    assert done.old == old and done.new not in old and done.retired
    assert done.renewed == values == told[-1] and done.unreadable == 0
    assert opened_by_only(done.new) == values
    assert crypto.get_cipher().fingerprints == (done.new,)
    assert (db.data_dir / "secret.key").stat().st_mode & 0o077 == 0
    forget()
    with database.read() as session:
        assert all(conversations.history(session, one)[0]["text"] == OURS for one in said)
        assert {ticket.subject for ticket in session.scalars(select(Ticket))} == {"怎么办"}
        begin, end = session.scalars(select(AuditEntry).where(AuditEntry.action.like("keys.%")))
        assert (begin.action, end.action, end.actor) == ("keys.begin", "keys.rotate", "王")
        assert end.detail == {"new": done.new, "old": list(old), "renewed": values, "unreadable": 0}
    with pytest.raises(CannotDecrypt):
        Cipher([before.strip()]).decrypt(crypto.get_cipher().encrypt("x"))
    again = keys.rotate(get_settings(), "王")
    assert again.old == (done.new,) and opened_by_only(again.new) == values


def test_the_product_runs_meanwhile(db: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_BATCH", 10)
    for _ in range(5):
        fill(db)
    stop, failed, made = threading.Event(), list[BaseException](), list[str]()

    def talk() -> None:
        try:
            while not stop.is_set() and len(made) < 40:
                made.append(fill(db))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=talk) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        done = keys.rotate(db, "王")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failed
    opened_by_only(done.new)
    with database.read() as session:
        assert made and all(conversations.history(session, one)[0]["text"] == OURS for one in made)


def _die_at(settings: Settings, nth: int) -> None:
    """Rotate, and be killed at the nth write."""
    write, count = database.write, 0

    def counted():  # type: ignore[no-untyped-def]
        nonlocal count
        count += 1
        if count == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return write()

    database.write = counted
    keys._BATCH = 2
    keys.rotate(settings, "王")


@pytest.mark.parametrize("nth", [1, 2, 4, 7])
def test_killed_anywhere_a_second_call_finishes_it(sqlite_db: Settings, nth: int) -> None:
    said = [fill(sqlite_db) for _ in range(3)]
    values = opened_by_only(crypto.get_cipher().fingerprints[0])
    database.reset_engine()
    process = multiprocessing.get_context("fork").Process(target=_die_at, args=(sqlite_db, nth))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    with database.read() as session:
        assert all(conversations.history(session, one)[0]["text"] == OURS for one in said)
    begun = crypto.get_cipher().fingerprints
    done = keys.rotate(sqlite_db, "王")
    assert (done.new == begun[0]) == (nth > 1)  # before it was on record, it had not begun
    assert opened_by_only(done.new) == values and crypto.get_cipher().fingerprints == (done.new,)
    assert done.renewed < values or nth <= 2


def test_in_production_the_keys_are_the_environments(
    sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    monkeypatch.setenv("YIHAODA_SECRET_KEYS", old)
    forget()
    fill(get_settings())
    with pytest.raises(InvalidInput, match="写在最前面"):
        keys.rotate(get_settings(), "王")
    monkeypatch.setenv("YIHAODA_SECRET_KEYS", f"{new},{old}")
    forget()
    archive = tmp_path / "before.tar.gz"
    assert list(backup.backup(get_settings(), archive).keys) == [crypto.fingerprint(old)]
    done = keys.rotate(get_settings(), "王")
    assert (done.new, done.old, done.retired) == (crypto.fingerprint(new), (crypto.fingerprint(old),), False)
    monkeypatch.setenv("YIHAODA_SECRET_KEYS", new)
    forget()
    opened_by_only(crypto.fingerprint(new))
    assert not (sqlite_db.data_dir / "secret.key").exists()
    monkeypatch.setenv("YIHAODA_DATA_DIR", str(tmp_path / "back"))
    forget()
    with pytest.raises(InvalidInput, match=crypto.fingerprint(old)):
        backup.restore(get_settings(), archive)


def test_what_no_key_opens_is_counted_and_left(sqlite_db: Settings) -> None:
    fill(sqlite_db)
    lost = Cipher([Fernet.generate_key().decode()]).encrypt('"x"')
    with database.get_engine().begin() as connection:
        connection.exec_driver_sql("UPDATE ratings SET reason = ?", (lost,))
        connection.exec_driver_sql("UPDATE tickets SET answer = ?", (lost,))
    done = keys.rotate(sqlite_db, "王")
    assert done.unreadable == 1
    with database.get_engine().connect() as connection:
        assert connection.exec_driver_sql("SELECT answer FROM tickets").scalar_one() == lost


def test_only_one_rotation_at_a_time(sqlite_db: Settings) -> None:
    with keys._alone(sqlite_db), pytest.raises(InvalidInput, match="正在运行"):
        keys.rotate(sqlite_db, "王")


def test_a_backup_begun_before_a_rotation_and_ended_after_it_holds_both_keys(
    sqlite_db: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(sqlite_db)
    dump = backup._dump

    def slow(*arguments: object) -> object:
        about = dump(*arguments)  # type: ignore[arg-type]
        keys.rotate(sqlite_db, "王")
        return about

    monkeypatch.setattr(backup, "_dump", slow)
    archive = tmp_path / "backup.tar.gz"
    written = backup.backup(sqlite_db, archive)
    monkeypatch.setattr(backup, "_dump", dump)
    monkeypatch.setenv("YIHAODA_DATA_DIR", str(tmp_path / "back"))
    forget()
    assert backup.restore(get_settings(), archive).unreadable == 0
    assert len(crypto.get_cipher().fingerprints) == 2
    opened_by_only(*written.keys)


def test_every_encrypted_column_is_found() -> None:
    found = {f"{table.name}.{name}" for table in Base.metadata.sorted_tables for name in secret_columns(table)}
    assert {"inbox.text", "turns.explain", "channel_users.address", "shared_tokens.value", "tickets.phone"} <= found


def test_a_key_file_that_vanishes_does_not_change_the_key_of_a_running_process(sqlite_db: Settings) -> None:
    token = crypto.get_cipher().encrypt("x")
    (sqlite_db.data_dir / "secret.key").unlink()
    assert crypto.get_cipher().decrypt(token) == "x"
    assert not (sqlite_db.data_dir / "secret.key").exists()
