"""What a report must say"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What a report must say"""
    op.add_column("qas", sa.Column("report", sa.JSON(), nullable=False, server_default="[]"))


def downgrade() -> None:
    """Without it"""
    with op.batch_alter_table("qas") as table:
        table.drop_column("report")
