"""Versions of the knowledge"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0023"
branch_labels = None
depends_on = None

_AT = sa.DateTime(timezone=True)
_DAYS = ("valid_from", "valid_to", "as_of", "review_by")
_LISTS = ("similar", "sources", "guides", "related", "themes", "report")
_TEXTS = ("id", "matter", "question", "answer", "audience", "region", "department", "stakes", "condition")


def upgrade() -> None:
    """Versions of the knowledge; the first one of what is in force is what it says now"""
    op.create_table(
        "qa_versions",
        sa.Column("qa_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("authors", sa.JSON(), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("published_at", _AT, nullable=False),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("starts", sa.Date(), nullable=False),
        sa.Column("due", sa.Date(), nullable=True),
        sa.Column("called_off", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("qa_id", "number", name=op.f("pk_qa_versions")),
    )
    op.create_index(op.f("ix_qa_versions_due"), "qa_versions", ["due"])
    op.create_table(
        "qa_working",
        sa.Column("qa_id", sa.String(length=64), nullable=False),
        sa.Column("content", sa.JSON(), nullable=True),
        sa.Column("base", sa.Integer(), nullable=True),
        sa.Column("authors", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("changed_at", _AT, nullable=False),
        sa.Column("submitted_at", _AT, nullable=True),
        sa.PrimaryKeyConstraint("qa_id", name=op.f("pk_qa_working")),
    )
    op.create_index(op.f("ix_qa_working_state"), "qa_working", ["state"])
    op.create_table(
        "qa_requests",
        sa.Column("qa_id", sa.String(length=64), nullable=False),
        sa.Column("move", sa.String(length=16), nullable=False),
        sa.Column("replaced_by", sa.String(length=64), nullable=True),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", _AT, nullable=False),
        sa.Column("why", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("qa_id", name=op.f("pk_qa_requests")),
    )
    op.add_column("qas", sa.Column("version", sa.Integer(), nullable=True))
    op.add_column("qas", sa.Column("edits", sa.Integer(), nullable=False, server_default="0"))
    _first_versions()


def _first_versions() -> None:
    """Of whatever was reviewed once: nobody knows any more who wrote it."""
    qas = sa.table(
        "qas",
        *(sa.column(name, sa.JSON if name in _LISTS else sa.Date if name in _DAYS else sa.Text) for name in _ALL),
        sa.column("status", sa.Text),
        sa.column("reviewed_by", sa.Text),
        sa.column("reviewed_at", _AT),
        sa.column("version", sa.Integer),
    )
    published = sa.table(
        "qa_versions",
        sa.column("qa_id", sa.Text),
        sa.column("number", sa.Integer),
        sa.column("content", sa.JSON),
        sa.column("authors", sa.JSON),
        sa.column("approved_by", sa.Text),
        sa.column("published_at", _AT),
        sa.column("why", sa.Text),
        sa.column("starts", sa.Date),
        sa.column("called_off", sa.Boolean),
    )
    now = datetime.now(UTC)
    connection = op.get_bind()
    in_force = qas.c.status.in_(("approved", "paused", "retired"))
    for row in connection.execute(sa.select(qas).where(in_force)).mappings().all():
        at = row["reviewed_at"] or now
        connection.execute(
            sa.insert(published).values(
                qa_id=row["id"],
                number=1,
                content=_content(row),
                authors=[],
                approved_by=row["reviewed_by"],
                published_at=at if at.tzinfo else at.replace(tzinfo=UTC),
                why="升级以前审核的",
                starts=row["valid_from"] or at.date(),
                called_off=False,
            )
        )
    connection.execute(sa.update(qas).where(in_force).values(version=1))


_ALL = (*_TEXTS, *_LISTS, *_DAYS)


def _content(row: Any) -> dict[str, Any]:
    return json.loads(json.dumps({name: row[name] for name in _ALL}, default=str))  # type: ignore[no-any-return]


def downgrade() -> None:
    """Without them"""
    with op.batch_alter_table("qas") as table:
        table.drop_column("edits")
        table.drop_column("version")
    for name in ("qa_requests", "qa_working", "qa_versions"):
        op.drop_table(name)
