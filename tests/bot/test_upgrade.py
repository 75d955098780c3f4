"""From every earlier schema, with a row in every table, to the present one; archives that earlier programs made."""

from __future__ import annotations

import secrets
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from conftest import _execute, forget
from sqlalchemy import (
    Boolean,
    Date,
    DateTime,
    Float,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    insert,
    select,
    text,
)
from sqlalchemy.types import JSON

from bot import audit, backup, conversations, crypto, database, knowledge
from bot.errors import InvalidInput
from bot.models.base import Base, secret_columns
from bot.models.conversations import ChannelUser, OutboxMessage, Rating, TurnEffect
from bot.models.housekeeping import AuditEntry, Counter
from bot.models.knowledge import QA, Document
from bot.models.people import Person
from bot.models.tickets import Ticket
from bot.settings import Settings, get_settings
from bot.turns import replies_of

ARCHIVES = Path(__file__).parent.parent / "data" / "backups"
"""Made by the programs of their time, each with a row in every table and U+2028 in plain columns"""
EARLIER = database.revisions()[:-1]
AT = datetime(2026, 3, 4, 5, 6, 7, 89000, tzinfo=UTC)
ODD = "行\u2028尾\u0085😀"


def schema() -> MetaData:
    found = MetaData()
    found.reflect(database.get_engine())
    found.remove(found.tables["alembic_version"])
    return found


def secrets_of(table: str) -> set[str]:
    """The encrypted columns of a table; the type alone does not tell them from texts."""
    return set(secret_columns(Base.metadata.tables[table])) if table in Base.metadata.tables else set()


def row_of(table: Table, made: dict[str, dict[str, Any]], nth: int) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for column in table.columns:
        kind = column.type
        if column.name in secrets_of(table.name):
            row[column.name] = crypto.get_cipher().encrypt('["甲"]')
        elif isinstance(kind, JSON):
            row[column.name] = [ODD, nth]
        elif isinstance(kind, DateTime):
            row[column.name] = AT + timedelta(days=nth)
        elif isinstance(kind, Date):
            row[column.name] = date(2026, 1, 1) + timedelta(days=nth)
        elif isinstance(kind, Boolean):
            row[column.name] = True
        elif isinstance(kind, Integer | Numeric | Float):
            row[column.name] = nth + 1
        else:
            assert isinstance(kind, String), (table.name, column.name, kind)
            row[column.name] = f"{nth}{ODD}"[: kind.length]
        for key in column.foreign_keys:
            row[column.name] = made[key.column.table.name][key.column.name]
    return row


def rows_in(table: Table) -> list[dict[str, Any]]:
    with database.get_engine().connect() as connection:
        key = list(table.primary_key.columns)
        return [dict(row) for row in connection.execute(select(table).order_by(*key)).mappings()]


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A database without any schema."""
    if request.param == "postgresql":
        uri: str = request.getfixturevalue("postgres")
        name = f"t{secrets.token_hex(6)}"
        _execute(uri, f"CREATE DATABASE {name}")
        monkeypatch.setenv("YIHAODA_DATABASE_URL", uri.replace("/postgres?", f"/{name}?"))
        forget()
    settings.data_dir.mkdir(parents=True)
    return get_settings()


def _each() -> list[Any]:
    """Each revision on both databases; they are many, and between the first and the last some will do in the short run."""
    found: list[Any] = []
    for name, step in (("sqlite", 2), ("postgresql", 4)):
        for place, revision in enumerate(EARLIER):
            short = place % step == 0 or revision == EARLIER[-1]
            marks = () if short else (pytest.mark.full,)
            found.append(pytest.param(name, revision, marks=marks, id=f"{name}-{revision}"))
    return found


@pytest.mark.parametrize(("empty", "revision"), _each(), indirect=["empty"])
def test_every_row_of_an_earlier_schema_is_there_afterwards(empty: Settings, revision: str) -> None:
    config = database.alembic_config(database.get_engine().url.render_as_string(hide_password=False))
    command.upgrade(config, revision)
    before = schema()
    with database.get_engine().connect().execution_options(immediate=True) as connection, connection.begin():
        for nth in range(2):
            made: dict[str, dict[str, Any]] = {}
            for table in before.sorted_tables:
                made[table.name] = row_of(table, made, nth)
                if table.name == "outbox" and revision < "0004" and nth:
                    made[table.name]["error"] = "passive"
                connection.execute(insert(table), made[table.name])
    old = {table.name: rows_in(table) for table in before.sorted_tables}
    assert all(len(rows) == 2 for rows in old.values())
    database.migrate()
    after = schema()
    assert set(after.tables) == set(Base.metadata.tables)
    agents = {row["name"] for row in old.pop("agents")} if "agents" in old else set()
    if agents:  # whoever had something in hand keeps it under that name, without a way to sign in
        agents |= {row["agent"] for row in old["conversations"]} | {row["claimed_by"] for row in old["tickets"]}
        people = rows_in(after.tables["people"])
        assert {row["number"] for row in people} == agents and not any(row["active"] for row in people)
        old["people"] = people
        old["audit_chain"] = rows_in(after.tables["audit_chain"])
        assert [row["entry"] for row in old["audit_chain"]] == [row["id"] for row in old["audit"]]
    for name, rows in old.items():
        now = rows_in(after.tables[name])
        if name == "outbox" and revision < "0004":  # a word in a column became a column of its own
            assert [row["given_with"] for row in now] == [None, rows[1]["turn_id"]]
            rows[1]["error"] = None
        kept = [column for column in rows[0] if column in after.tables[name].columns]
        assert [{column: row[column] for column in kept} for row in now] == [
            {column: row[column] for column in kept} for row in rows
        ], name
    if revision == "0003":  # the columns that changed, not only came
        users = rows_in(after.tables["channel_users"])
        assert [user["pushes_left"] for user in users] == [5 - user["pushed"] for user in old["channel_users"]]
        assert all(
            user["push_until"] - was["spoke_at"] == timedelta(hours=48)
            for user, was in zip(users, old["channel_users"], strict=True)
        )
    with database.read() as session:  # and the program reads every one of them
        for mapper in Base.registry.mappers:
            assert len(session.scalars(select(mapper.class_)).all()) == len(old.get(mapper.local_table.name, []))


@pytest.mark.parametrize("revision", sorted(path.name.partition(".")[0] for path in ARCHIVES.glob("*.tar.gz")))
def test_an_archive_of_an_earlier_program_comes_back(sqlite_db: Settings, revision: str) -> None:
    _comes_back(sqlite_db, revision)


def test_an_archive_of_an_earlier_program_comes_into_either_database(db: Settings) -> None:
    _comes_back(db, "0003")


def _comes_back(settings: Settings, revision: str) -> None:
    restored = backup.restore(settings, ARCHIVES / f"{revision}.tar.gz")
    assert restored.rows["audit"] == 2 and restored.unreadable == 0 and len(restored.keys) == 1
    odd = "公告\u2028第二行\u0085\u2029\x1c尾"
    with database.read() as session:
        assert session.get_one(Document, "d1").title == session.get_one(QA, "q1").question.removeprefix("问") == odd
        assert session.get_one(Counter, "seen").value == 7
        kept = session.get_one(Person, "小王")
        assert (kept.name, kept.roles, kept.active, kept.password) == ("小王", ["agent"], False, None)
        assert audit.verify(session).broken is None
        ticket = session.scalars(select(Ticket)).one()
        assert (ticket.subject, ticket.phone, ticket.query_code) == ("怎么办", "13800138000", "123456")
        said = conversations.history(session, str(ticket.conversation_id))
        assert [one["text"] for one in said if one["sender"] == "citizen"] == ["我的电话是13800138000"]
        effect = session.scalars(select(TurnEffect)).one()
        assert [reply.text for reply in replies_of(effect)] == ["好的"]  # type: ignore[union-attr]
        assert session.get_one(Rating, effect.turn_id).reason == "好"
        assert session.scalars(select(OutboxMessage)).one().given_with is None
        if revision >= "0003":
            user = session.scalars(select(ChannelUser)).one()
            assert (user.address, user.pushes_left, user.rest) == ("o1", 3, ["还有"])
    with database.write() as session:
        session.add(AuditEntry(at=AT, actor="系统", action="test", subject="the next id does not clash", detail={}))
    with database.get_engine().connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == database.head()


def test_an_archive_of_a_later_program_is_refused(
    sqlite_db: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "backup.tar.gz"
    monkeypatch.setattr(database, "head", lambda: "9999")
    backup.backup(sqlite_db, archive)
    monkeypatch.undo()
    with pytest.raises(InvalidInput, match="更新的版本"):
        backup.restore(sqlite_db, archive)


def test_what_was_reviewed_before_there_were_versions_is_its_first_one(empty: Settings) -> None:
    config = database.alembic_config(database.get_engine().url.render_as_string(hide_password=False))
    command.upgrade(config, "0017")
    qas = schema().tables["qas"]
    reviewed = {"reviewed_by": "王审核", "reviewed_at": AT}
    states = {"approved": reviewed, "paused": {}, "retired": reviewed, "draft": {}}
    with database.get_engine().connect().execution_options(immediate=True) as connection, connection.begin():
        for nth, (status, review) in enumerate(states.items()):
            days = {"valid_from": date(2026, 5, 1) if status == "approved" else None, "valid_to": None}
            row = row_of(qas, {}, nth) | {"id": status, "status": status, "reviewed_by": None, "reviewed_at": None}
            connection.execute(insert(qas), row | days | review)
    database.migrate()
    with database.read() as session:
        for qa in session.scalars(select(QA)):
            found = knowledge.versions(session, qa.id)
            assert (qa.version, len(found)) == ((None, 0) if qa.id == "draft" else (1, 1))
            for version in found:
                assert version.content == knowledge.stored(knowledge.content(qa))
                assert (version.approved_by, version.authors, version.due) == (qa.reviewed_by, [], None)
        (first,) = knowledge.versions(session, "approved")
        assert (first.starts, first.published_at) == (date(2026, 5, 1), AT)
