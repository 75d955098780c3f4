"""Questions whose right answer people know"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0030"
branch_labels = None
depends_on = None

_AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Questions whose right answer people know"""
    op.create_table(
        "golden_questions",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("letters", sa.String(length=64), nullable=True),
        sa.Column("right", sa.JSON(), nullable=False),
        sa.Column("act", sa.String(length=32), nullable=True),
        sa.Column("region", sa.String(length=6), nullable=True),
        sa.Column("must", sa.Boolean(), nullable=False),
        sa.Column("stratum", sa.String(length=32), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("source", sa.String(length=8), nullable=False),
        sa.Column("added_by", sa.Text(), nullable=False),
        sa.Column("added_at", _AT, nullable=False),
        sa.Column("changed_at", _AT, nullable=False),
        sa.Column("retired_at", _AT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_golden_questions")),
        sa.UniqueConstraint("letters", name=op.f("uq_golden_questions_letters")),
    )
    op.create_index(op.f("ix_golden_questions_retired_at_stratum"), "golden_questions", ["retired_at", "stratum"])
    op.create_table(
        "golden_changes",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("question", sa.String(length=32), nullable=False),
        sa.Column("move", sa.String(length=8), nullable=False),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.Column("after", sa.JSON(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("batch", sa.String(length=32), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", _AT, nullable=True),
        sa.Column("decided_why", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_golden_changes")),
    )
    for name in ("question", "batch"):
        op.create_index(op.f(f"ix_golden_changes_{name}"), "golden_changes", [name])
    op.create_index(op.f("ix_golden_changes_state_id"), "golden_changes", ["state", "id"])


def downgrade() -> None:
    """Without them"""
    op.drop_table("golden_changes")
    op.drop_table("golden_questions")
