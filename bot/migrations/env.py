"""Alembic's entry: runs our migrations against the URL that ``bot.database.migrate`` passes."""

from __future__ import annotations

from alembic import context

from bot.database import make_engine
from bot.models.base import Base

engine = make_engine(context.config.get_main_option("sqlalchemy.url") or "")
with engine.connect() as connection:
    # SQLite changes a table by copying it ("batch"); PostgreSQL alters it in place.
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
engine.dispose()
