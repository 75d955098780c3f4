"""Whatever characters a row holds, in any column of any table: a backup gives it back as it was."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import _execute, forget
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import JSON, BigInteger, Boolean, Column, Date, Float, Integer, String, UniqueConstraint, insert, select

from bot import backup, database
from bot.models.base import Base, Secret, UtcDateTime, as_it_rests
from bot.settings import Settings, get_settings

LINE_ENDS = "一\n二\r三\x0b四\x0c五\x1c六\x1d七\x1e八\x85九\u2028十\u2029尾"
"""Every character at which ``str.splitlines`` cuts"""
Rows = dict[str, dict[str, Any]]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=16)
json_texts = st.text(st.characters(), max_size=8) | st.just(LINE_ENDS)  # half a surrogate pair, too
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | json_texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(json_texts, inner, max_size=3),
    max_leaves=5,
)
secret_values = st.recursive(
    st.booleans() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


def values(column: Column[Any], nul: bool) -> st.SearchStrategy[Any]:
    """What the database takes in a column."""
    kind = column.type
    if isinstance(kind, Secret):
        strategy: st.SearchStrategy[Any] = secret_values
    elif isinstance(kind, JSON):
        strategy = st.lists(json_values, max_size=3)
    elif isinstance(kind, UtcDateTime):
        strategy = st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))
    elif isinstance(kind, Date):
        strategy = st.dates(date(1, 1, 1))
    elif isinstance(kind, Boolean):
        strategy = st.booleans()
    elif isinstance(kind, BigInteger):
        strategy = st.integers(-(2**63), 2**63 - 1)
    elif isinstance(kind, Integer):
        strategy = st.integers(-(2**31), 2**31 - 1)
    elif isinstance(kind, Float):
        strategy = st.floats(allow_nan=False)
    else:
        assert isinstance(kind, String)
        strategy = texts.map(lambda text: text[: kind.length])
        if not nul:
            strategy = strategy.map(lambda text: text.replace("\x00", ""))
    return st.none() | strategy if column.nullable else strategy


@st.composite
def rows(draw: Callable[..., Any], nul: bool) -> Rows:
    """A row of every table; what refers to another row refers to one that is there."""
    made: Rows = {}
    for table in Base.metadata.sorted_tables:
        row = {column.name: draw(values(column, nul)) for column in table.columns}
        for column in table.columns:
            if column.primary_key and isinstance(column.type, String):
                row[column.name] = secrets.token_hex(3)[: column.type.length]
            for key in column.foreign_keys:
                row[column.name] = made[key.column.table.name][key.column.name]
        for unique in table.constraints:
            if isinstance(unique, UniqueConstraint):
                free = [one for one in unique.columns if isinstance(one.type, String) and not one.foreign_keys]
                for column in free[-1:]:
                    row[column.name] = f"{secrets.token_hex(4)}{row[column.name] or ''}"[: column.type.length]
        if table.name == "audit" or ("id" in table.columns and isinstance(table.columns["id"].type, Integer)):
            row["id"] = secrets.randbelow(2**31)
        if table.name == "audit_chain":
            row["entry"] = secrets.randbelow(2**31)
        if table.name == "calendar_days":
            row["day"] = date.fromordinal(1 + secrets.randbelow(3_000_000))
        made[table.name] = row
    return made


def same_text_everywhere(text: str) -> Rows:
    """A row of every table that holds ``text`` wherever any text may stand."""
    made: Rows = {}
    for table in Base.metadata.sorted_tables:
        row: dict[str, Any] = {}
        for column in table.columns:
            kind: Any = column.type
            if isinstance(kind, Secret | JSON):
                row[column.name] = [text, {text: text}]
            elif isinstance(kind, UtcDateTime):
                row[column.name] = datetime(2026, 1, 1, tzinfo=UTC)
            elif isinstance(kind, Date):
                row[column.name] = date(2026, 1, 1)
            elif isinstance(kind, String):
                row[column.name] = text[: kind.length]
            else:
                row[column.name] = True if isinstance(kind, Boolean) else 1
            for key in column.foreign_keys:
                row[column.name] = made[key.column.table.name][key.column.name]
        made[table.name] = row
    return made


def fill(given: Rows) -> None:
    with database.get_engine().connect().execution_options(immediate=True) as connection, connection.begin():
        for table in Base.metadata.sorted_tables:
            connection.execute(insert(table), given[table.name])


def content() -> dict[str, list[Any]]:
    """Every table as it rests: what is encrypted, encrypted."""

    def key(row: Any) -> str:
        return repr(row)

    with database.get_engine().connect() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(as_it_rests(table)))), key=key)
            for table in Base.metadata.sorted_tables
        }


def comes_back(here: Settings, folder: Path, elsewhere: Callable[[], None]) -> None:
    """Back up, restore into another place, compare; then return to the first place."""
    folder.mkdir(exist_ok=True)
    archive = folder / "backup.tar.gz"
    written = backup.backup(here, archive)
    before = content()
    elsewhere()
    assert backup.restore(get_settings(), archive).rows == written.rows
    assert content() == without_the_workers_memory(before)
    assert sum(map(len, before.values())) == sum(written.rows.values())


def without_the_workers_memory(tables: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """What a restore leaves of it: no worker, and jobs that begin with their first step."""
    names = [column.name for column in Base.metadata.tables["jobs"].columns]
    rows = []
    for row in tables["jobs"]:
        named = dict(zip(names, row, strict=True))
        if named["run"] is not None:
            named |= {"run": None, "owner": None, "step": 0}
        rows.append(tuple(named.values()))
    return tables | {"jobs": sorted(rows, key=repr), "job_workers": []}


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sqlite_template: Path) -> Callable[[], None]:
    """Go to an empty place."""

    def go() -> None:
        folder = tmp_path / secrets.token_hex(4)
        folder.mkdir()
        shutil.copy(sqlite_template, folder / "yihaoda.db")
        monkeypatch.setenv("YIHAODA_DATA_DIR", str(folder))
        monkeypatch.delenv("YIHAODA_DATABASE_URL", raising=False)
        forget()

    return go


@pytest.mark.parametrize("text", [LINE_ENDS, "\x00中\ufeff𠮷👨\u200d👩\u202e"], ids=["line ends", "other"])
def test_a_line_end_of_any_kind_in_any_column_comes_back(
    db: Settings, tmp_path: Path, elsewhere: Callable[[], None], text: str
) -> None:
    if database.get_engine().dialect.name == "postgresql":
        text = text.replace("\x00", "")  # it refuses to store it
    fill(same_text_everywhere(text))
    comes_back(db, tmp_path / "out", elsewhere)


def _property(
    here: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: Callable[[], None], examples: int
) -> None:
    home = {"YIHAODA_DATA_DIR": str(here.data_dir), "YIHAODA_DATABASE_URL": here.database_url}
    nul = database.get_engine().dialect.name == "sqlite"

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(rows(nul))
    def check(made: Rows) -> None:
        for name, value in home.items():
            monkeypatch.setenv(name, value)
        forget()
        fill(made)  # more and more rows: none is ever in the way of another
        comes_back(here, tmp_path / "out", elsewhere)

    check()


def test_every_row_comes_back(
    db: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: Callable[[], None]
) -> None:
    _property(db, tmp_path, monkeypatch, elsewhere, 2)


@pytest.mark.full
def test_many_rows_come_back(
    db: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: Callable[[], None]
) -> None:
    _property(db, tmp_path, monkeypatch, elsewhere, 60)


def test_what_sqlite_takes_goes_to_postgresql_nul_replaced_and_counted(
    sqlite_db: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres: str
) -> None:
    fill(same_text_everywhere("甲\x00" + LINE_ENDS[:8] + "😀"))
    nul = sum(
        str(value).count("\x00")
        for table in content().values()
        for row in table
        for value in row
        if isinstance(value, str)
    )
    archive = tmp_path / "backup.tar.gz"
    written = backup.backup(sqlite_db, archive)
    name = f"t{secrets.token_hex(6)}"
    _execute(postgres, f"CREATE DATABASE {name}")
    monkeypatch.setenv("YIHAODA_DATABASE_URL", postgres.replace("/postgres?", f"/{name}?"))
    monkeypatch.setenv("YIHAODA_DATA_DIR", str(tmp_path / "moved"))
    forget()
    restored = backup.restore(get_settings(), archive)
    assert restored.rows == written.rows
    assert restored.replaced == nul > 20
    titles = [row for row in content()["documents"][0] if isinstance(row, str)]
    assert any("甲\ufffd" in title for title in titles)
