"""Channels that push: their citizens, and the tokens for pushing back"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Channels that push: their citizens, and the tokens for pushing back"""
    op.create_table(
        "channel_users",
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("user_digest", sa.String(length=64), nullable=False),
        sa.Column("conversation_id", sa.String(length=32), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("spoke_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pushed", sa.Integer(), nullable=False),
        sa.Column("rest", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name=op.f("fk_channel_users_conversation_id_conversations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("channel", "user_digest", name=op.f("pk_channel_users")),
        sa.UniqueConstraint("conversation_id", name=op.f("uq_channel_users_conversation_id")),
    )
    op.create_table(
        "shared_tokens",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_shared_tokens")),
    )


def downgrade() -> None:
    """Without them"""
    op.drop_table("shared_tokens")
    op.drop_table("channel_users")
