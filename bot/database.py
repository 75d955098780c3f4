"""The database: engine, transactions, migrations.  SQLite (WAL) by default, PostgreSQL in production.

Use ``read()`` for looking and ``write()`` for changing.  On SQLite a write transaction takes the lock at its beginning
(BEGIN IMMEDIATE), so that it never fails half-way through with "database is locked".
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Delete, Engine, Update, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from bot.errors import StoreBusy
from bot.settings import get_settings

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_MS = 8000
"""How long a SQLite statement waits for another process's lock, and whoever needs a connection for one (milliseconds)."""
_CONNECT_S = 5
"""How long a PostgreSQL that does not answer is waited for"""
_LOG_BUSY_MS = 200
"""How long emptying the write-ahead log waits for readers, and writers for it (milliseconds)."""
_PRAGMAS = (
    f"busy_timeout={BUSY_MS}",
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "foreign_keys=ON",
    "secure_delete=ON",  # what is deleted is overwritten with zeros, whatever this SQLite was compiled for
)


def make_engine(url: str) -> Engine:
    """An engine for ``url`` with our pragmas and transaction behaviour.  Its errors name no parameters: they hold what people said."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(
            parsed,
            pool_pre_ping=True,
            pool_size=10,
            max_overflow=20,
            pool_timeout=BUSY_MS / 1000,
            connect_args={"connect_timeout": _CONNECT_S},
            hide_parameters=True,
        )
    if parsed.database:
        Path(parsed.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Every thread waits for SQLite's lock rather than for a pooled connection.
    engine = create_engine(
        parsed, connect_args={"timeout": BUSY_MS / 1000}, pool_size=20, max_overflow=40, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we emit BEGIN ourselves, below
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        immediate = connection.get_execution_options().get("immediate", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


_BUSY = "系统正忙，请稍后再试。"

_engine: Engine | None = None
_lock = threading.Lock()
_writer = threading.Lock()
"""SQLite has one writer at a time and lets the others poll; our own threads wait for each other here instead."""


def get_engine() -> Engine:
    """The process's engine, made on first use."""
    global _engine
    with _lock:
        if _engine is None:
            _engine = make_engine(get_settings().database)
        return _engine


def reset_engine() -> None:
    """Close every connection, at a process's end or because the settings changed.  The last one to a SQLite file takes its
    write-ahead log along."""
    global _engine
    with _lock:
        engine, _engine = _engine, None
    if engine is not None:
        if getattr(engine.pool, "checkedin", lambda: 0)():  # else the file may not even be there
            _empty_log(engine)
        engine.dispose()


def forget_erased() -> bool:
    """See to it that what was deleted or changed can't be read from SQLite's files any more; call after the commit.

    A deleted row's page is overwritten (``secure_delete``), but the write-ahead log still holds the page as it was, until
    the log is emptied.  PostgreSQL has autovacuum for it.

    Returns:
        Whether it is done.  False while somebody else reads: try again later.
    """
    return _empty_log(get_engine())


def _empty_log(engine: Engine) -> bool:
    if engine.dialect.name != "sqlite":
        return True
    connection = engine.raw_connection()
    cursor = connection.cursor()
    try:
        cursor.execute(f"PRAGMA busy_timeout={_LOG_BUSY_MS}")
        busy: int = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.OperationalError:
        return False
    else:
        return busy == 0
    finally:
        cursor.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        connection.close()


@contextmanager
def read() -> Iterator[Session]:
    """A session for reading.  Raises: StoreBusy."""
    with _translated(), Session(get_engine(), expire_on_commit=False) as session:
        yield session


@contextmanager
def write() -> Iterator[Session]:
    """A session that commits at the end, or rolls back on any exception.  Keep it short.  Raises: StoreBusy."""
    engine = get_engine()
    turn = _writer if engine.dialect.name == "sqlite" else nullcontext()
    with turn, _translated(), Session(engine, expire_on_commit=False) as session:
        session.connection(execution_options={"immediate": True})
        yield session
        session.commit()


def rows_changed(session: Session, statement: Update | Delete) -> int:
    """Carry out an update or a deletion in the database alone, past the objects at hand; how many rows it touched."""
    done: Any = session.execute(statement.execution_options(synchronize_session=False))
    return int(done.rowcount)


_ORDER = 0x79696861
"""Names the advisory lock of ``one_at_a_time``"""


def one_at_a_time(session: Session) -> None:
    """From here to its end, no other transaction that has come this far: what they write is in the order of their commits.

    To be called last: whoever waits here holds its rows, and must not wait for others' afterwards.  SQLite has one writer anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:order)"), {"order": _ORDER})


@contextmanager
def _translated() -> Iterator[None]:
    """A database that is away, restarting, locked or out of connections is busy: what is asked of it later may go well."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        if getattr(getattr(error, "orig", None), "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR:
            raise  # a mistake in our SQL
        raise StoreBusy(_BUSY) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise StoreBusy(_BUSY) from error
        raise


def alembic_config(url: str) -> Config:
    """What Alembic needs to work on ``url``."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def migrate() -> None:
    """Bring the database to the newest schema.  Does nothing where it already is."""
    engine = get_engine()
    config = alembic_config(engine.url.render_as_string(hide_password=False))
    if revision() != head():
        command.upgrade(config, "head")
    _overwrite_free_pages(engine)


def revision() -> str | None:
    """The schema that the database has; None: nothing yet."""
    with get_engine().connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head() -> str:
    """The newest schema."""
    newest = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    assert newest is not None
    return newest


def revisions() -> list[str]:
    """Every schema there has been, the oldest first."""
    return [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()][::-1]


def _overwrite_free_pages(engine: Engine) -> None:
    """Once a file: what was deleted before ``secure_delete`` was set may still stand in its free space.

    ``user_version`` says that it is done.
    """
    if engine.dialect.name != "sqlite":
        return
    connection = engine.raw_connection()
    cursor = connection.cursor()
    try:
        if cursor.execute("PRAGMA user_version").fetchone()[0] == 0:
            cursor.execute("VACUUM")
            cursor.execute("PRAGMA user_version=1")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.OperationalError:
        return  # somebody is using it: at the next start
    finally:
        connection.close()
