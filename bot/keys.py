"""Rotation of the encryption keys: a new key, everything encrypted with it, the old one retired, while the product runs."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cryptography.fernet import Fernet
from sqlalchemy import Table, and_, select, text, tuple_, update

from bot import asked, audit, crypto, database
from bot.crypto import Cipher
from bot.errors import InvalidInput, StoreBusy
from bot.models.base import Base, as_it_rests, secret_columns
from bot.models.housekeeping import AuditEntry
from bot.models.tickets import phone_index, words_index
from bot.settings import Settings

_BATCH = 200
"""Rows at a time: the product waits for no more than that."""
_SETTLE_S = 1.0
"""PostgreSQL: between the encryption of a value and its arrival at the server nothing shows that it is under way."""
_TRANSACTION_S = 60.0
"""So long we wait for transactions that were under way when the new key came."""


@dataclass(frozen=True)
class Rotation:
    """What a rotation did.

    Attributes:
        new: The fingerprint of the key that everything is encrypted with now.
        old: Those of the keys that nothing in the database needs any more; backups made before do.
        renewed: How many values were encrypted anew.
        unreadable: How many no key at hand opens; they were left as they are.
        retired: Whether the old keys are gone from the configuration.
    """

    new: str
    old: tuple[str, ...]
    renewed: int
    unreadable: int
    retired: bool


def rotate(settings: Settings, actor: str, say: Callable[[int], None] = lambda renewed: None) -> Rotation:
    """Encrypt everything with the newest key.  Killed at any point, a second call finishes what the first began.

    In development the new key is made here, and the old one removed from the key file at the end.  In production the keys
    come from the environment: the new one must stand there, first, before this is called.

    Args:
        actor: Who; on record in the audit log.
        say: Told how many values have been renewed so far.

    Raises:
        InvalidInput: production has one key only, or another rotation is under way.
        StoreBusy: a transaction that was under way does not end.
    """
    given = bool(settings.secret_keys.get_secret_value())
    cipher = crypto.cipher_for(settings)
    if given and len(cipher.fingerprints) < 2:
        raise InvalidInput(
            "密钥由 YIHAODA_SECRET_KEYS 提供，现在只有一把。请先生成一把新的，写在最前面，和旧的用逗号隔开，重启全部服务，"
            "再运行这条命令。"
        )
    with _alone(settings):
        path = settings.data_dir / crypto.KEY_FILE
        if not given:
            keys = crypto.split_keys(path.read_text(encoding="ascii"))
            if not _begun(cipher.fingerprints[0]):
                crypto.write_keys(path, (Fernet.generate_key().decode("ascii"), *keys))
            cipher = crypto.cipher_for(settings)
        new, *old = cipher.fingerprints
        _record(actor, "keys.begin", new=new, old=old)
        _let_writers_end()
        renewed = 0
        while True:
            changed, unreadable = _pass(cipher, lambda count, before=renewed: say(before + count))  # type: ignore[misc]
            renewed += changed
            if not changed:
                break
        asked.renew_links()
        if not given:
            crypto.write_keys(path, crypto.split_keys(path.read_text(encoding="ascii"))[:1])
        database.forget_erased()  # of the old cipher texts
        _record(actor, "keys.rotate", new=new, old=old, renewed=renewed, unreadable=unreadable)
    return Rotation(new, tuple(old), renewed, unreadable, retired=not given)


def census(cipher: Cipher) -> Counter[str | None]:
    """How many values in the database each key opens, by fingerprint; None: no key."""
    found: Counter[str | None] = Counter()
    for table in Base.metadata.sorted_tables:
        names = secret_columns(table)
        for rows in _batches(table, names):
            found.update(cipher.opened_by(row[name]) for row in rows for name in names if row[name] is not None)
    return found


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = os.open(settings.data_dir, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise InvalidInput("另一个 keys rotate 正在运行，请等它结束。") from None
    finally:
        os.close(folder)


def _record(actor: str, action: str, **detail: Any) -> None:
    with database.write() as session:
        audit.record(session, actor, action, "密钥", **detail)


def _begun(new: str) -> bool:
    """Whether a rotation to this key was begun and not finished."""
    with database.read() as session:
        of_keys = select(AuditEntry).where(AuditEntry.action.in_(("keys.begin", "keys.rotate")))
        last = session.scalars(of_keys.order_by(AuditEntry.id.desc()).limit(1)).first()
        return last is not None and (last.action, last.detail["new"]) == ("keys.begin", new)


def _let_writers_end() -> None:
    """Wait until every transaction that may hold something encrypted with the old key has ended.

    SQLite has one writer at a time, so ours, just ended, came after them.  Raises: StoreBusy.
    """
    if database.get_engine().dialect.name != "postgresql":
        return
    time.sleep(_SETTLE_S)
    with database.write() as session:
        ours = session.execute(text("SELECT CAST(CAST(pg_current_xact_id() AS text) AS bigint)")).scalar_one()
    oldest = text("SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)")
    deadline = time.monotonic() + _TRANSACTION_S
    while True:
        with database.read() as session:
            if session.execute(oldest).scalar_one() > ours:
                return
        if time.monotonic() > deadline:
            raise StoreBusy("数据库里有一个事务一直没有结束。新密钥已经启用，请稍后再运行一次，把旧数据改完。")
        time.sleep(0.1)


def _pass(cipher: Cipher, say: Callable[[int], None]) -> tuple[int, int]:
    """Go through every encrypted value once; how many were renewed, and how many no key opens."""
    renewed = unreadable = 0
    for table in Base.metadata.sorted_tables:
        names = secret_columns(table)
        for rows in _batches(table, names):
            changes = []
            for row in rows:
                for name in names:
                    opened = row[name] and cipher.opened_by(row[name])
                    if row[name] and not opened:
                        unreadable += 1
                    elif opened and opened != cipher.fingerprints[0]:
                        changes.append((row, name, cipher.rotate(row[name])))
            if changes:
                renewed += _write(as_it_rests(table), changes)
                say(renewed)
    return renewed, unreadable


def _batches(table: Table, names: list[str]) -> Iterator[list[Any]]:
    """The keys and the encrypted columns of a table as they rest, some rows at a time."""
    if not names:
        return
    raw = as_it_rests(table)
    key = list(raw.primary_key.columns)
    query = select(*key, *(raw.c[name] for name in names)).order_by(*key).limit(_BATCH)
    after: tuple[Any, ...] | None = None
    while True:
        with database.read() as session:
            behind = query if after is None else query.where(tuple_(*key) > tuple_(*after))
            rows = list(session.execute(behind).mappings())
        if rows:
            yield rows
        if len(rows) < _BATCH:
            return
        after = tuple(rows[-1][column.name] for column in key)


def _write(raw: Table, changes: list[tuple[Any, str, str]]) -> int:
    """Put in the new cipher texts where the old ones still stand; how many did."""
    done = 0
    with database.write() as session:
        for row, name, token in changes:
            same = [column == row[column.name] for column in raw.primary_key.columns]
            renewed = {name: token}
            if (raw.name, name) == ("tickets", "phone"):  # blind indexes have keys of their own that go with it
                renewed["phone_index"] = phone_index(json.loads(crypto.get_cipher().decrypt(token)))
            if (raw.name, name) == ("tickets", "callback_phone"):
                renewed["callback_index"] = phone_index(json.loads(crypto.get_cipher().decrypt(token)))
            if (raw.name, name) == ("tickets", "subject"):
                renewed["words"] = words_index(json.loads(crypto.get_cipher().decrypt(token)))
            standing = update(raw).where(and_(*same), raw.c[name] == row[name])
            done += database.rows_changed(session, standing.values(renewed))
    return done
