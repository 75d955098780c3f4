"""Where a message came from, until its turn is settled; wrong query codes are counted in another way"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Where a message came from, until its turn is settled; wrong query codes are counted in another way"""
    op.add_column("inbox", sa.Column("source", sa.String(length=64), nullable=True))
    op.execute("DELETE FROM counters WHERE name LIKE 'tries:%'")


def downgrade() -> None:
    """Without it"""
    op.execute("DELETE FROM counters WHERE name LIKE 'tries:%'")
    with op.batch_alter_table("inbox") as table:
        table.drop_column("source")
