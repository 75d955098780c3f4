"""What a coming release would have answered"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What a coming release would have answered"""
    op.create_table(
        "shadow_turns",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("bundle", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("turn", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("live_decision", sa.String(length=32), nullable=False),
        sa.Column("live_qa", sa.String(length=64), nullable=True),
        sa.Column("live_certainty", sa.String(length=8), nullable=True),
        sa.Column("decision", sa.String(length=32), nullable=False),
        sa.Column("qa", sa.String(length=64), nullable=True),
        sa.Column("certainty", sa.String(length=8), nullable=True),
        sa.Column("same", sa.Boolean(), nullable=False),
        sa.Column("ms", sa.Float(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shadow_turns")),
    )
    for columns in (["bundle", "at"], ["at"], ["turn"], ["person"]):
        op.create_index(op.f(f"ix_shadow_turns_{'_'.join(columns)}"), "shadow_turns", columns)


def downgrade() -> None:
    """Without it"""
    op.drop_table("shadow_turns")
