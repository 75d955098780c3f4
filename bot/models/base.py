"""What all tables share.  Personal data rests encrypted (``Secret``); times are UTC."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Date,
    DateTime,
    Dialect,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase

from bot.crypto import get_cipher


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, stored as UTC; SQLite, which keeps no zone, gives it back as UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuses naive values: a time without a zone is a mistake."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Always aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Secret(TypeDecorator[Any]):
    """Any JSON value, encrypted at rest."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Encrypts."""
        return None if value is None else get_cipher().encrypt(json.dumps(value, ensure_ascii=False))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Decrypts."""
        return None if value is None else json.loads(get_cipher().decrypt(value))


class Base(DeclarativeBase):
    """Declarative base with fixed constraint names, so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime, date: Date, dict[str, Any]: JSON, list[str]: JSON, list[Any]: JSON}  # noqa: RUF012


def as_it_rests(table: Table) -> Table:
    """The table without decryption: a secret column gives, and takes, its cipher text."""
    copy = table.to_metadata(MetaData())
    for column in copy.columns:
        if isinstance(column.type, Secret):
            column.type = Text()
    return copy


def secret_columns(table: Table) -> list[str]:
    """The names of a table's encrypted columns."""
    return [column.name for column in table.columns if isinstance(column.type, Secret)]
