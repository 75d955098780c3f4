"""Backup and restore: database, index versions and key in one archive, from either kind of database into either.

The rows travel as they rest: what is encrypted stays so.  The archive holds the key, so it must be kept as safe as the
machine itself; in production the keys come from the environment and are not in it.
"""

from __future__ import annotations

import datetime
import json
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Date, MetaData, Table, Text, insert, select, text

from bot import database
from bot.errors import InvalidInput
from bot.models import Base, Secret, UtcDateTime
from bot.settings import Settings

FORMAT = 1
_KEYS = ("secret.key", "operator.token")


def backup(settings: Settings, target: Path) -> dict[str, int]:
    """Write an archive (.tar.gz); rows by table.  The database is read in one transaction, so the tables fit together.

    Raises:
        OSError: it can't be written; then there is no file.
    """
    counts: dict[str, int] = {}
    draft = target.with_name(f".{target.name}.part")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        engine = database.get_engine()
        if engine.dialect.name == "postgresql":
            engine = engine.execution_options(isolation_level="REPEATABLE READ")  # one picture of all tables
        with engine.connect() as connection:
            for table in Base.metadata.sorted_tables:
                with (folder / f"{table.name}.jsonl").open("w", encoding="utf-8") as file:
                    for row in connection.execute(select(*_raw(table))):
                        file.write(json.dumps(dict(row._mapping), ensure_ascii=False, default=_plain) + "\n")
                        counts[table.name] = counts.get(table.name, 0) + 1
        (folder / "backup.json").write_text(json.dumps({"format": FORMAT, "rows": counts}), encoding="utf-8")
        try:
            with tarfile.open(draft, "w:gz") as archive:
                archive.add(folder, arcname="database")
                for name in _KEYS:
                    if (settings.data_dir / name).exists():
                        archive.add(settings.data_dir / name, arcname=name)
                if settings.index_dir.exists():
                    archive.add(settings.index_dir, arcname="index", filter=_no_drafts)
            draft.chmod(0o600)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
    return counts


def restore(settings: Settings, source: Path) -> dict[str, int]:
    """Bring an archive back into an **empty** database and data folder; rows by table.  All or nothing.

    Raises:
        InvalidInput: not an archive of ours, or there is data already.
        OSError: it can't be read, or there is no room for it.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        try:
            with tarfile.open(source, "r:gz") as archive:
                archive.extractall(folder, filter="data")
            about = json.loads((folder / "database" / "backup.json").read_text(encoding="utf-8"))
        except (OSError, EOFError, ValueError, tarfile.TarError) as error:
            if isinstance(error, OSError) and error.errno:
                raise  # a full disk, no such file: the archive may be sound
            raise InvalidInput(f"这不是一号答的备份文件：{source}") from error
        if about.get("format") != FORMAT:
            raise InvalidInput("这份备份的格式与当前程序不符。")
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        database.migrate()
        with database.get_engine().begin() as connection:
            counts = _fill(connection, folder / "database")
        for name in _KEYS:
            if (folder / name).exists():
                shutil.copy2(folder / name, settings.data_dir / name)
                (settings.data_dir / name).chmod(0o600)
        if (folder / "index").exists():
            shutil.copytree(folder / "index", settings.index_dir, dirs_exist_ok=True)
    return counts


def _fill(connection: Connection, folder: Path) -> dict[str, int]:
    counts: dict[str, int] = {}
    for table in Base.metadata.sorted_tables:
        if connection.execute(select(*table.columns).limit(1)).first() is not None:
            raise InvalidInput("数据库里已经有数据。请恢复到一个空的数据目录，以免覆盖。")
    for table in Base.metadata.sorted_tables:
        path = folder / f"{table.name}.jsonl"
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
        if rows:
            connection.execute(insert(_plain_table(table)), [_typed(table, row) for row in rows])
            counts[table.name] = len(rows)
            _advance_sequence(connection, table)
    return counts


def _raw(table: Table) -> list[Any]:
    """The columns without decryption."""
    return list(_plain_table(table).columns)


def _plain_table(table: Table) -> Table:
    copy = table.to_metadata(MetaData())
    for column in copy.columns:
        if isinstance(column.type, Secret):
            column.type = Text()
    return copy


def _plain(value: object) -> str:
    if isinstance(value, datetime.datetime | datetime.date):
        return value.isoformat()
    raise TypeError(f"cannot back up {type(value)}")


def _typed(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    typed = dict(row)
    for column in table.columns:
        value = row.get(column.name)
        if isinstance(value, str) and isinstance(column.type, UtcDateTime):
            typed[column.name] = datetime.datetime.fromisoformat(value)
        elif isinstance(value, str) and isinstance(column.type, Date):
            typed[column.name] = datetime.date.fromisoformat(value)
    return typed


def _advance_sequence(connection: Connection, table: Table) -> None:
    """PostgreSQL does not notice ids that were given: the next one would clash."""
    if connection.dialect.name == "postgresql" and "id" in table.columns and table.columns["id"].autoincrement is True:
        statement = f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), max(id)) FROM {table.name}"  # noqa: S608
        connection.execute(text(statement))


def _no_drafts(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "/." in entry.name else entry
