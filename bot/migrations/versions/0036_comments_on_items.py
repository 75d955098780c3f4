"""Comments on items of the knowledge"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Comments on items of the knowledge"""
    op.create_table(
        "qa_comments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("qa_id", sa.String(length=64), nullable=False),
        sa.Column("field", sa.String(length=16)),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_by", sa.Text()),
        sa.Column("settled_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_qa_comments")),
    )
    op.create_index(op.f("ix_qa_comments_qa_id"), "qa_comments", ["qa_id"])


def downgrade() -> None:
    """Without them"""
    op.drop_table("qa_comments")
