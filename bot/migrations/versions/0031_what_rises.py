"""Matters that more people ask about than usual"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0033"
branch_labels = None
depends_on = None

_AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Matters that more people ask about than usual"""
    op.create_table(
        "surges",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("qa_id", sa.String(length=64), nullable=True),
        *(sa.Column(name, _AT, nullable=False) for name in ("began_at", "raised_at", "last_at")),
        sa.Column("ended_at", _AT, nullable=True),
        sa.Column("persons", sa.Integer(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("expected", sa.Float(), nullable=False),
        sa.Column("surprise", sa.Float(), nullable=False),
        sa.Column("example", sa.String(length=32), nullable=True),
        sa.Column("seen_by", sa.String(length=64), nullable=True),
        sa.Column("seen_at", _AT, nullable=True),
        sa.Column("real", sa.Boolean(), nullable=True),
        sa.Column("judged_by", sa.String(length=64), nullable=True),
        sa.Column("judged_at", _AT, nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("draft", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_surges")),
    )
    op.create_index(op.f("ix_surges_raised_at_id"), "surges", ["raised_at", "id"])
    op.create_table(
        "surge_members",
        sa.Column("asked_id", sa.String(length=32), nullable=False),
        sa.Column("surge_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["asked_id"], ["asked.id"], name=op.f("fk_surge_members_asked_id_asked"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("asked_id", name=op.f("pk_surge_members")),
    )
    op.create_index(op.f("ix_surge_members_surge_id"), "surge_members", ["surge_id"])


def downgrade() -> None:
    """Without it"""
    op.drop_table("surge_members")
    op.drop_table("surges")
