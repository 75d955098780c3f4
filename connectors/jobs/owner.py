"""One worker to a database: a lock that ends with the process that holds it, however that ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from bot import database

_KEY = 0x79686A6F6273
"""Of PostgreSQL's advisory lock; it counts within one database"""


class Ownership:
    """The right to work on the jobs of this database: a file's lock beside SQLite, an advisory lock in PostgreSQL."""

    def __init__(self) -> None:
        self._file: int | None = None
        self._connection: Connection | None = None

    def take(self) -> bool:
        """Try to get it; whether we have it.  Raises: OSError, sqlalchemy.exc.DBAPIError."""
        if self._file is not None or self._connection is not None:
            return True
        engine = database.get_engine()
        if engine.dialect.name == "sqlite":
            path = Path(engine.url.database or "").with_name("jobs.lock")
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
                return False
            self._file = file
            return True
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _KEY}).scalar_one():
            self._connection = connection
            return True
        connection.close()
        return False

    def holds(self) -> bool:
        """Whether we still have it: PostgreSQL lets go when the connection breaks."""
        if self._connection is None:
            return self._file is not None
        try:
            self._connection.execute(text("SELECT 1"))
        except DBAPIError:
            return False
        return True
