"""Fixtures for all tests: a scratch data folder, a fresh database on SQLite and on a real PostgreSQL, the running stack."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import psutil
import pytest
from argon2 import PasswordHasher
from sqlalchemy import create_engine, text

from bot import database
from bot.accounts import passwords
from bot.settings import Settings, get_settings

sys.path.insert(0, str(Path(__file__).parent))
os.environ.pop("COLUMNS", None)  # pytest-xdist sets it in its workers, and a console would keep to it for good

from processes import citizen, fake_wechat, forget, own_stack, prepared, rasa_model, shared, stack

# Of our own process only, and as right: a password that takes a tenth of a second for each try would take minutes of all.
passwords._hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)

__all__ = ["citizen", "fake_wechat", "forget", "own_stack", "prepared", "rasa_model", "shared", "stack"]


@pytest.hookimpl(wrapper=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """Which tests one worker runs together (``pytest -n 2``), the long groups first.

    Those that share the stack, those that break one of their own, the console's, and else a file's, so that its fixtures are made once.
    While the first worker prepares the stack, the second one does what needs nothing of it: setting up, and most of the console.
    """
    groups = {}
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "stack" in fixtures:
            group, rank = "stack", 0
        elif "rasa_model" in fixtures:
            group, rank = "own stack", 2
        elif item.path.parent.name == "console":
            group, rank = "console", 1
        else:
            group, rank = item.path.stem, 1 if item.path.parent.name == "setup" else 3
        item.add_marker(pytest.mark.xdist_group(group))
        groups[item] = rank
    items.sort(key=lambda item: (groups[item], "prepared" in getattr(item, "fixturenames", ())))
    return (yield)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Development settings in an empty data folder, on SQLite."""
    monkeypatch.setenv("YIHAODA_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("YIHAODA_DATABASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)  # no .env of the developer's
    forget()
    umask = os.umask(0o022)
    os.umask(umask)
    yield get_settings()
    os.umask(umask)  # our own processes set theirs at their start
    forget()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """SQLAlchemy URL of a PostgreSQL server started for this run; its database ``template`` has our schema."""
    import pgserver

    # Not among pytest's folders: under root the server is another user, and each run of pytest shuts their parent to others.
    folder = tempfile.mkdtemp(prefix="postgres")
    server = pgserver.get_server(folder, cleanup_mode="stop")
    uri = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    # It is thrown away at the end: what matters is how it answers, not whether it would survive a power cut.
    for careless in ("fsync", "full_page_writes", "synchronous_commit"):
        _execute(uri, f"ALTER SYSTEM SET {careless} = off")
    _execute(uri, "SELECT pg_reload_conf()")
    _execute(uri, "CREATE DATABASE template")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YIHAODA_DATABASE_URL", uri.replace("/postgres?", "/template?"))
        forget()
        database.migrate()
        forget()
    yield uri
    process = psutil.Process(server.get_pid())
    os.kill(process.pid, signal.SIGQUIT)  # at once, without writing everything out first
    process.wait(10)
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with our schema and nothing else."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YIHAODA_DATABASE_URL", f"sqlite:///{path}")
        forget()
        database.migrate()
        forget()
    return path


def _execute(uri: str, statement: str) -> None:
    admin = create_engine(uri, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(statement))
    admin.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def db(request: pytest.FixtureRequest, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An empty database with our schema; each test runs once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        template: Settings = request.getfixturevalue("sqlite_db")
        return template
    uri: str = request.getfixturevalue("postgres")
    name = f"t{secrets.token_hex(6)}"
    _execute(uri, f"CREATE DATABASE {name} TEMPLATE template")
    monkeypatch.setenv("YIHAODA_DATABASE_URL", uri.replace("/postgres?", f"/{name}?"))
    forget()
    return get_settings()


@pytest.fixture
def sqlite_db(settings: Settings, sqlite_template: Path) -> Settings:
    """An empty SQLite database with our schema: for tests in which the kind of database plays no part."""
    forget()  # making the template may have read other settings
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    shutil.copy(sqlite_template, settings.data_dir / "yihaoda.db")
    return get_settings()
