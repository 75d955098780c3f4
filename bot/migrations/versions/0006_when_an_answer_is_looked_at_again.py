"""When an answer is looked at again"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """When an answer is looked at again"""
    op.add_column("qas", sa.Column("review_by", sa.Date(), nullable=True))


def downgrade() -> None:
    """Without it"""
    with op.batch_alter_table("qas") as table:
        table.drop_column("review_by")
