"""How a shared bundle compares with the live one"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """How a shared bundle compares with the live one"""
    op.create_table(
        "release_watches",
        sa.Column("bundle", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("bundle", name=op.f("pk_release_watches")),
    )


def downgrade() -> None:
    """Without it"""
    op.drop_table("release_watches")
