"""Backup and restore: database, index versions, releases and key in one archive, from either kind of database into either.

The rows travel as they rest: what is encrypted stays so.  The archive holds the key, so it must be kept as safe as the
machine itself; in production the keys come from the environment and are not in it.

An archive is read back before it counts: ``backup.json`` names the digest of every file and the number of rows of every
table, which both the check after writing and a restore compare.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import gzip
import hashlib
import json
import os
import shutil
import tarfile
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from alembic import command
from sqlalchemy import Connection, Date, DateTime, Engine, MetaData, String, Table, insert, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from bot import crypto, database, jobs
from bot.clock import utcnow
from bot.errors import InvalidInput, StoreBusy, YihaodaError
from bot.models.base import Base, UtcDateTime, as_it_rests, secret_columns
from bot.settings import Settings

FORMAT = 2
"""1: no digests, no schema, no keys' names; can still be restored."""
_ABOUT = "database/backup.json"
_CACHE = "vectors.db*"
"""Of the index folder: only saves time, and changes while it is read."""
_RELEASED = ("bundles", "rasa")
"""Folders of what was released: each entry is written once, and never changes"""
_BATCH = 500
_TRIES = 5


class BackupDamaged(YihaodaError):
    """An archive does not hold what it says."""

    code = "backup_damaged"


@dataclass(frozen=True)
class Contents:
    """What an archive holds.

    Attributes:
        rows: By table.
        keys: How many values each key opens, by the key's fingerprint.
        unreadable: Values that none of the keys at hand opens.
        replaced: NUL characters that PostgreSQL does not take, replaced on restoring.
    """

    rows: dict[str, int]
    keys: dict[str, int]
    unreadable: int = 0
    replaced: int = 0


def backup(settings: Settings, target: Path, say: Callable[[int], None] = lambda rows: None) -> Contents:
    """Write an archive (.tar.gz) and read it back.  The database is read in one transaction, so the tables fit together.

    Args:
        say: Told now and then how many rows have been written so far; may end it by raising.

    Raises:
        OSError: it can't be written; then there is no file, or still the one from before.
        BackupDamaged: what was written does not read as it should; likewise.
        InvalidInput: the folder does not exist.
        StoreBusy: the index can't be read as a whole.
    """
    if not target.parent.is_dir():
        raise InvalidInput(f"没有这个文件夹：{target.parent}")
    # Beside the target: there must be room anyway, and the last step is a rename.
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as scratch:
        folder = Path(scratch) / "content"
        (folder / "database").mkdir(parents=True)
        keys = _local_keys(settings)
        about = _dump(database.get_engine(), folder / "database", crypto.cipher_for(settings), say)
        # A rotation may have begun before the rows were read, or ended since: then both files' keys are needed.
        keys = tuple(dict.fromkeys((*_local_keys(settings), *keys)))
        if keys:
            crypto.write_keys(folder / crypto.KEY_FILE, keys)
        _copy_index(settings.index_dir, folder / "index")
        for name in _RELEASED:
            if (settings.data_dir / name).exists():
                shutil.copytree(settings.data_dir / name, folder / name, ignore=shutil.ignore_patterns(".*"))
        about["files"] = {str(path.relative_to(folder)): _checksum(path) for path in _files(folder)} | about["files"]
        (folder / _ABOUT).write_text(json.dumps(about), encoding="ascii")
        draft = Path(scratch) / "archive"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            with tarfile.open(fileobj=file, mode="w:gz") as archive:
                archive.add(folder, arcname=".")
            file.flush()
            os.fsync(file.fileno())
        shutil.rmtree(folder)
        try:
            with _opened(draft) as (_, read_back):
                if read_back != about:
                    raise BackupDamaged("目录不一致")
        except (BackupDamaged, InvalidInput) as error:
            raise BackupDamaged(
                f"备份写好以后读回来检查，没有通过（{error}）。没有留下文件，请检查磁盘后重做。"
            ) from error
        draft.replace(target)
    return _contents(about)


def restore(settings: Settings, source: Path, *, accept_missing_keys: bool = False) -> Contents:
    """Bring an archive back into an **empty** database and data folder.  All or nothing.

    An archive of an earlier schema is brought to the present one on the way.

    Args:
        accept_missing_keys: Go on although a key is missing; what it encrypted stays unreadable.

    Raises:
        InvalidInput: not an archive of ours, there is data already, or a key is missing.
        BackupDamaged: the archive does not hold what it says.
        OSError: it can't be read, or there is no room for it.
    """
    with _opened(source) as (folder, about):
        revision = about["revision"]
        if revision not in database.revisions():
            raise InvalidInput("这份备份来自更新的版本，请先升级程序再恢复。")
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        database.migrate()
        with database.get_engine().connect() as connection:
            _refuse_where_there_is_data(connection)
        # The archive's keys first: they encrypted its rows.  A key that is there already is not thrown away.
        brought = _keys_in(folder / crypto.KEY_FILE)
        keys = tuple(dict.fromkeys((*brought, *_local_keys(settings))))
        given = bool(settings.secret_keys.get_secret_value())
        cipher = crypto.Cipher(keys) if keys and not given else crypto.cipher_for(settings)
        contents = _contents(about) if about["format"] > 1 else _contents(about, _census(folder / "database", cipher))
        missing = {name: count for name, count in contents.keys.items() if name not in cipher.fingerprints}
        unreadable = contents.unreadable + sum(missing.values())
        named = "、".join(f"{name}（{count} 处）" for name, count in missing.items())
        if about["format"] == 1 and unreadable:
            named = f"多少不知道（旧备份没有记下，共 {unreadable} 处）"
        if named and not accept_missing_keys:
            raise InvalidInput(
                f"这份备份要用的密钥现在没有，指纹是 {named}。请把当初的密钥写进 YIHAODA_SECRET_KEYS，"
                "用逗号接在现在的后面，再恢复。密钥确实丢了，可以加 --accept-missing-keys："
                "其余的照样恢复，用它加密的内容再也打不开。"
            )
        if brought:
            crypto.write_keys(
                settings.data_dir / crypto.KEY_FILE, keys
            )  # before the rows: a migration may have to read them
        rows = folder / "database"
        if revision != database.head():
            rows = _upgraded(rows, revision, folder / "upgraded")
        try:
            connection = database.get_engine().connect().execution_options(immediate=True)
            with connection, connection.begin():
                _refuse_where_there_is_data(connection)
                counts, replaced = _fill(connection, rows)
                with Session(connection) as session:
                    jobs.restored(session)
                    session.commit()  # of its part; the connection's transaction goes on
                for name, target in [
                    ("index", settings.index_dir),
                    *((one, settings.data_dir / one) for one in _RELEASED),
                ]:
                    if (folder / name).exists():
                        shutil.copytree(folder / name, target, dirs_exist_ok=True)
        except SQLAlchemyError as error:  # its text would show the rows
            reason = str(getattr(error, "orig", type(error).__name__)).partition("\n")[0]
            raise InvalidInput(f"恢复没有做成，数据库里什么都没有写入：{reason}") from None
    return Contents(counts, contents.keys, unreadable, replaced)


# --- writing ---------------------------------------------------------------------------------------------------------


def _dump(
    engine: Engine, folder: Path, cipher: crypto.Cipher, say: Callable[[int], None] = lambda rows: None
) -> dict[str, Any]:
    """Write every table, a JSON object a line; what they hold."""
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ")  # one picture of all tables
    rows: dict[str, int] = {}
    files: dict[str, str] = {}
    keys: Counter[str | None] = Counter()
    with engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            secret = secret_columns(table)
            digest = hashlib.sha256()
            read = connection.execute(select(as_it_rests(table)), execution_options={"yield_per": _BATCH})
            with (folder / f"{table.name}.jsonl").open("wb") as file:
                for row in read.mappings():
                    # ASCII: half a surrogate pair in a JSON column is no UTF-8, and no reader takes U+2028 for a line's end.
                    line = json.dumps(dict(row), default=_plain).encode("ascii") + b"\n"
                    file.write(line)
                    digest.update(line)
                    rows[table.name] = rows.get(table.name, 0) + 1
                    keys.update(cipher.opened_by(row[name]) for name in secret if row[name] is not None)
                    if rows[table.name] % _BATCH == 0:
                        say(sum(rows.values()))
            files[f"database/{table.name}.jsonl"] = (
                digest.hexdigest()
            )  # of what was meant, not of what the disk made of it
    unreadable = keys.pop(None, 0)
    return {
        "format": FORMAT,
        "revision": database.head(),
        "made_at": utcnow().isoformat(),
        "rows": rows,
        "files": files,
        "keys": dict(keys),
        "unreadable": unreadable,
    }


def _copy_index(source: Path, target: Path) -> None:
    """Versions never change, but a publish may turn to another meanwhile, and remove the oldest: then once more.

    Raises: StoreBusy.
    """
    for _ in range(_TRIES):
        current = _current(source)
        with contextlib.suppress(OSError, shutil.Error):
            if source.exists():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns(".*", _CACHE, "CURRENT"))
            if _current(source) == current:
                if current is not None:
                    (target / "CURRENT").write_bytes(current)
                return
        shutil.rmtree(target, ignore_errors=True)
    raise StoreBusy("索引读不全：可能正在换版本，也可能磁盘有问题。请稍后再备份。")


def _current(index: Path) -> bytes | None:
    path = index / "CURRENT"
    return path.read_bytes() if path.exists() else None


def _local_keys(settings: Settings) -> tuple[str, ...]:
    return _keys_in(settings.data_dir / crypto.KEY_FILE)


def _keys_in(path: Path) -> tuple[str, ...]:
    return crypto.split_keys(path.read_text(encoding="ascii")) if path.exists() else ()


# --- reading ---------------------------------------------------------------------------------------------------------


@contextmanager
def _opened(source: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """An archive's content, unpacked and checked, and what it says of itself.

    Raises:
        InvalidInput: it is none of ours.
        BackupDamaged: it is not whole.
    """
    if not source.is_file():
        raise InvalidInput(f"没有这个备份文件：{source}")
    with tempfile.TemporaryDirectory(dir=source.parent if os.access(source.parent, os.W_OK) else None) as scratch:
        folder = Path(scratch)
        try:
            with gzip.open(source) as packed:
                with tarfile.open(fileobj=packed, mode="r|") as archive:
                    archive.extractall(folder, filter="data")
                while packed.read(1 << 20):  # to the end: its own checksum stands there
                    pass
            about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
            format_ = about["format"]
        except (OSError, EOFError, ValueError, KeyError, TypeError, zlib.error, tarfile.TarError) as error:
            if isinstance(error, OSError) and error.errno not in (None, errno.ENOENT):
                raise  # a full disk: the archive may be sound
            raise InvalidInput(f"这不是一号答的备份文件，或者已经损坏：{source}") from error
        if format_ not in range(1, FORMAT + 1):
            raise InvalidInput("这份备份的格式与当前程序不符。")
        if format_ == 1:
            about |= {"revision": _revision_of_format_1(folder / "database"), "keys": {}, "unreadable": 0}
        else:
            _check_digests(folder, about["files"])
        _check_rows(folder / "database", about["rows"])
        yield folder, about


def _check_digests(folder: Path, expected: dict[str, str]) -> None:
    found = {str(path.relative_to(folder)): _checksum(path) for path in _files(folder)}
    del found[_ABOUT]
    wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if wrong:
        raise BackupDamaged(f"备份里有文件损坏或缺失：{'、'.join(wrong[:5])}")


def _check_rows(folder: Path, expected: dict[str, int]) -> None:
    found: dict[str, int] = {}
    for path in sorted(folder.glob("*.jsonl")):
        try:
            rows = sum(1 for row in _rows(path) if isinstance(row, dict))
        except ValueError as error:
            raise BackupDamaged(f"备份里的 {path.name} 读不出来") from error
        if rows:
            found[path.stem] = rows
    if found != expected:
        wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        raise BackupDamaged(f"备份里的行数不对：{'、'.join(wrong)}")


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a table.  A line ends at \\n and nowhere else: ``str.splitlines`` also knows U+0085, U+2028 and others."""
    if path.exists():
        with path.open("rb") as file:
            for line in file:
                yield json.loads(line)


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := list(islice(rows, _BATCH)):
        yield batch


def _contents(about: dict[str, Any], census: Counter[str | None] | None = None) -> Contents:
    if census is None:
        return Contents(about["rows"], about["keys"], about["unreadable"])
    unreadable = census.pop(None, 0)
    return Contents(about["rows"], {str(name): count for name, count in census.items()}, unreadable)


def _census(folder: Path, cipher: crypto.Cipher) -> Counter[str | None]:
    """How many values each key opens, in an archive that does not say so itself."""
    keys: Counter[str | None] = Counter()
    for table in Base.metadata.sorted_tables:
        secret = secret_columns(table)
        for row in _rows(folder / f"{table.name}.jsonl"):
            keys.update(cipher.opened_by(row[name]) for name in secret if row.get(name) is not None)
    return keys


def _refuse_where_there_is_data(connection: Connection) -> None:
    for table in Base.metadata.sorted_tables:
        if connection.execute(select(as_it_rests(table)).limit(1)).first() is not None:
            raise InvalidInput("数据库里已经有数据。请恢复到一个空的数据目录，以免覆盖。")


def _fill(connection: Connection, folder: Path) -> tuple[dict[str, int], int]:
    """Insert the rows; how many by table, and how many NUL characters had to be replaced."""
    counts: dict[str, int] = {}
    replaced = 0
    for table in Base.metadata.sorted_tables:
        plain = as_it_rests(table)
        texts = [column.name for column in plain.columns if isinstance(column.type, String)]
        for batch in _batches(_rows(folder / f"{table.name}.jsonl")):
            rows = [_typed(plain, row) for row in batch]
            if connection.dialect.name == "postgresql":
                replaced += sum(_without_nul(row, texts) for row in rows)
            connection.execute(insert(plain), rows)
            counts[table.name] = counts.get(table.name, 0) + len(rows)
        _advance_sequence(connection, table)
    return counts, replaced


def _upgraded(folder: Path, revision: str, target: Path) -> Path:
    """The rows of an earlier schema, brought to the present one in a scratch database."""
    target.mkdir()
    url = f"sqlite:///{target / 'upgrade.db'}"
    config = database.alembic_config(url)
    command.upgrade(config, revision)
    engine = database.make_engine(url)
    schema = MetaData()
    schema.reflect(engine)
    with engine.connect() as connection, connection.begin():
        for table in schema.sorted_tables:
            for batch in _batches(_rows(folder / f"{table.name}.jsonl")):
                connection.execute(insert(table), [_typed(table, row) for row in batch])
    engine.dispose()
    command.upgrade(config, "head")
    engine = database.make_engine(url)
    _dump(engine, target, crypto.get_cipher())
    engine.dispose()
    return target


def _revision_of_format_1(folder: Path) -> str:
    """Which schema an archive comes from that does not say so: by its tables, then by its columns."""
    if not (folder / "passages.jsonl").exists():
        return "0001"
    if not (folder / "channel_users.jsonl").exists():
        return "0002"
    early = any("spoke_at" in row for row in _rows(folder / "channel_users.jsonl")) or any(
        "given_with" not in row for row in _rows(folder / "outbox.jsonl")
    )
    return "0003" if early else "0004"


# --- rows ------------------------------------------------------------------------------------------------------------


def _plain(value: object) -> str:
    if isinstance(value, datetime.datetime | datetime.date):
        return value.isoformat()
    raise TypeError(f"cannot back up {type(value)}")


def _typed(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    typed = dict(row)
    for column in table.columns:
        value = row.get(column.name)
        if isinstance(value, str) and isinstance(column.type, UtcDateTime | DateTime):
            typed[column.name] = datetime.datetime.fromisoformat(value)
        elif isinstance(value, str) and isinstance(column.type, Date):
            typed[column.name] = datetime.date.fromisoformat(value)
    return typed


def _without_nul(row: dict[str, Any], columns: Iterable[str]) -> int:
    """Replace NUL in a row's texts by U+FFFD: PostgreSQL does not take it.  How many there were."""
    count = 0
    for name in columns:
        if isinstance(row.get(name), str) and "\x00" in row[name]:
            count += row[name].count("\x00")
            row[name] = row[name].replace("\x00", "\ufffd")
    return count


def _advance_sequence(connection: Connection, table: Table) -> None:
    """PostgreSQL does not notice ids that were given: the next one would clash."""
    if connection.dialect.name == "postgresql" and "id" in table.columns and table.columns["id"].autoincrement is True:
        statement = f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), max(id)) FROM {table.name}"  # noqa: S608
        connection.execute(text(statement))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
