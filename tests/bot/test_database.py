"""Transactions and migrations, on both kinds of database."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from bot import database
from bot.models import Base, Counter
from bot.settings import Settings


def test_migrations_make_exactly_the_models(db: Settings) -> None:
    with database.get_engine().connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []


def test_migrating_twice_changes_nothing(db: Settings) -> None:
    with database.write() as session:
        session.add(Counter(name="x", value=7))
    database.migrate()
    with database.read() as session:
        assert session.get_one(Counter, "x").value == 7
