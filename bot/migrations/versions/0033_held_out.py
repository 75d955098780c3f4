"""Which questions nothing is ever trained on"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Which questions nothing is ever trained on"""
    op.create_table(
        "held_out",
        sa.Column("asked_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["asked_id"], ["asked.id"], name=op.f("fk_held_out_asked_id_asked"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("asked_id", name=op.f("pk_held_out")),
    )


def downgrade() -> None:
    """Without them"""
    op.drop_table("held_out")
