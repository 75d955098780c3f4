"""The database: engine, transactions, migrations.  SQLite (WAL) by default, PostgreSQL in production.

Use ``read()`` for looking and ``write()`` for changing.  On SQLite a write transaction takes the lock at its beginning
(BEGIN IMMEDIATE), so that it never fails half-way through with "database is locked".
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, event, make_url
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
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    # Every thread waits for SQLite's lock rather than for a pooled connection.
    engine = create_engine(
        parsed, connect_args={"timeout": BUSY_MS / 1000}, pool_size=20, max_overflow=40, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we emit BEGIN ourselves, below
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", f"busy_timeout={BUSY_MS}"):
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
    """Forget the engine, e.g. after the settings changed or a restore replaced the file."""
    global _engine
    with _lock:
        if _engine is not None:
            _engine.dispose()
        _engine = None


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


@contextmanager
def _translated() -> Iterator[None]:
    """A database that is away, restarting, locked or out of connections is busy: what is asked of it later may go well."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        raise StoreBusy(_BUSY) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise StoreBusy(_BUSY) from error
        raise


def _alembic(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def migrate() -> None:
    """Bring the database to the newest schema.  Does nothing where it already is."""
    engine = get_engine()
    config = _alembic(engine.url.render_as_string(hide_password=False))
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current != ScriptDirectory.from_config(config).get_current_head():
        command.upgrade(config, "head")
