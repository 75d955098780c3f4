"""Telephone calls"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Telephone calls"""
    op.create_table(
        "calls",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("external_id", sa.String(128)),
        sa.Column("practice", sa.Boolean(), nullable=False),
        sa.Column("agent", sa.Text()),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("caller", sa.Text()),
        sa.Column("caller_index", sa.String(64)),
        sa.Column("region", sa.String(6)),
        sa.Column("told_at", _AT),
        sa.Column("kept", sa.Boolean(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("summary", sa.Text()),
        sa.Column("ticket", sa.String(16)),
        sa.Column("started_at", _AT, nullable=False),
        sa.Column("ended_at", _AT),
        sa.Column("done_at", _AT),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calls")),
        sa.UniqueConstraint("external_id", name=op.f("uq_calls_external_id")),
    )
    for column in ("agent", "state", "caller_index", "started_at"):
        op.create_index(op.f(f"ix_calls_{column}"), "calls", [column])
    op.create_table(
        "call_lines",
        sa.Column("call_id", sa.String(32), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("speaker", sa.String(8), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_call_lines_call_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("call_id", "seq", name=op.f("pk_call_lines")),
    )
    op.create_table(
        "call_shown",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("call_id", sa.String(32), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("topic", sa.Integer(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("items", sa.JSON(), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_call_shown_call_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_shown")),
    )
    op.create_index(op.f("ix_call_shown_call_id_id"), "call_shown", ["call_id", "id"])
    op.create_table(
        "favourites",
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("item", sa.String(64), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.PrimaryKeyConstraint("person", "kind", "item", name=op.f("pk_favourites")),
    )


def downgrade() -> None:
    """Without them"""
    for table in ("favourites", "call_shown", "call_lines", "calls"):
        op.drop_table(table)
