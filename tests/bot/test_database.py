"""Transactions and migrations, on both kinds of database."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from datetime import timedelta

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.orm import Session

from bot import conversations, crypto, database
from bot.clock import utcnow
from bot.errors import StoreBusy
from bot.models.base import Base
from bot.models.conversations import ChannelUser
from bot.models.housekeeping import Counter
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


def test_what_may_be_pushed_survives_the_migration_there_and_back(db: Settings) -> None:
    now = utcnow()
    with database.write() as session:
        conversation, _ = conversations.create(session, "wechat")
        session.flush()
        user = ChannelUser(
            channel="wechat", user_digest=crypto.digest("o1"), conversation_id=conversation.id, address="o1"
        )
        user.push_until, user.pushes_left = now + timedelta(hours=40), 3
        session.add(user)
    config = database.alembic_config(database.get_engine().url.render_as_string(hide_password=False))
    command.downgrade(config, "0003")
    with database.read() as session:
        assert session.execute(text("SELECT pushed FROM channel_users")).scalar_one() == 2
    command.upgrade(config, "head")
    with database.read() as session:
        user = session.get_one(ChannelUser, ("wechat", crypto.digest("o1")))
        assert (user.push_until, user.pushes_left, user.address) == (now + timedelta(hours=40), 3, "o1")


def test_errors_name_no_parameters(db: Settings) -> None:
    with pytest.raises(Exception) as raised, database.write() as session:
        session.execute(text("INSERT INTO nothing VALUES (:phone)"), {"phone": "13812345678"})
    assert "13812345678" not in f"{raised.value}{raised.value.__cause__}"


@pytest.mark.parametrize("way", [database.read, database.write])
def test_a_lost_connection_is_a_busy_database_and_the_next_one_works(
    db: Settings, way: Callable[[], AbstractContextManager[Session]]
) -> None:
    if database.get_engine().dialect.name == "sqlite":
        return  # no server
    with pytest.raises(StoreBusy), way() as session:
        with database.get_engine().connect() as other:
            own = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
            other.execute(text("SELECT pg_terminate_backend(:own)"), {"own": own})
        session.execute(text("SELECT 1"))
    with way() as session:
        assert session.execute(text("SELECT 1")).scalar_one() == 1


def test_no_connection_left_is_a_busy_database(db: Settings) -> None:
    pool = database.get_engine().pool
    pool._timeout = 0.01  # type: ignore[attr-defined]
    with ExitStack() as taken:
        for _ in range(pool.size() + pool._max_overflow):  # type: ignore[attr-defined]
            taken.enter_context(database.get_engine().connect())
        with pytest.raises(StoreBusy), database.read() as session:
            session.execute(text("SELECT 1"))
    with database.read() as session:
        assert session.execute(text("SELECT 1")).scalar_one() == 1
