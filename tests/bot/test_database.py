"""Transactions and migrations, on both kinds of database."""

from __future__ import annotations

from datetime import timedelta

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from bot import conversations, crypto, database
from bot.models import Base, ChannelUser, Counter, utcnow
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
