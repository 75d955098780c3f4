"""Dangers that were heard, for people on duty"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Dangers that were heard, for people on duty"""
    op.create_table(
        "alarms",
        sa.Column("turn_id", sa.String(length=32), nullable=False),
        sa.Column("conversation_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("possible", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_by", sa.Text(), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["turn_id"], ["inbox.turn_id"], name=op.f("fk_alarms_turn_id_inbox")),
        sa.PrimaryKeyConstraint("turn_id", name=op.f("pk_alarms")),
    )
    for column in ("conversation_id", "at", "seen_at"):
        op.create_index(op.f(f"ix_alarms_{column}"), "alarms", [column])


def downgrade() -> None:
    """Without them"""
    op.drop_table("alarms")
