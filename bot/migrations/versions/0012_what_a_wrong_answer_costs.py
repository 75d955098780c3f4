"""What a wrong answer costs"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What a wrong answer costs"""
    op.add_column("qas", sa.Column("stakes", sa.String(length=8), nullable=True))
    op.add_column("qas", sa.Column("condition", sa.Text(), nullable=True))


def downgrade() -> None:
    """Without it"""
    with op.batch_alter_table("qas") as table:
        table.drop_column("condition")
        table.drop_column("stakes")
