"""Policy documents that are for staff alone"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Policy documents that are for staff alone"""
    op.add_column("documents", sa.Column("internal_confirmed_by", sa.Text(), nullable=True))


def downgrade() -> None:
    """Without the column; the documents that it kept from citizens go with it, so that none becomes public"""
    op.execute(
        "DELETE FROM passages WHERE document_id IN (SELECT id FROM documents WHERE internal_confirmed_by IS NOT NULL)"
    )
    op.execute("DELETE FROM documents WHERE internal_confirmed_by IS NOT NULL")
    with op.batch_alter_table("documents") as table:
        table.drop_column("internal_confirmed_by")
