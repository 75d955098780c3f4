"""What a ticket says: who, where, when, what about; trees of categories"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_NEW = (
    ("caller_name", sa.Text()),
    ("callback_phone", sa.Text()),
    ("callback_index", sa.String(length=64)),
    ("address", sa.Text()),
    ("told_time", sa.Text()),
    ("happened_on", sa.Date()),
    ("category", sa.String(length=16)),
    ("category_scheme", sa.String(length=64)),
    ("channel", sa.String(length=16)),
)


def upgrade() -> None:
    """What a ticket says: who, where, when, what about; trees of categories"""
    op.create_table(
        "category_schemes",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("imported_by", sa.Text(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_category_schemes")),
    )
    op.create_index(op.f("ix_category_schemes_imported_at"), "category_schemes", ["imported_at"])
    for name, type_ in _NEW:
        op.add_column("tickets", sa.Column(name, type_, nullable=True))
    op.add_column("tickets", sa.Column("urgency", sa.String(length=8), nullable=False, server_default="一般"))
    for name in ("callback_index", "category"):
        op.create_index(op.f(f"ix_tickets_{name}"), "tickets", [name])
    op.execute(
        "UPDATE tickets SET channel = (SELECT channel FROM conversations WHERE conversations.id = tickets.conversation_id)"
    )


def downgrade() -> None:
    """Without it"""
    for name in ("category", "callback_index"):
        op.drop_index(op.f(f"ix_tickets_{name}"), table_name="tickets")
    for name in ("urgency", *(name for name, _ in reversed(_NEW))):
        op.drop_column("tickets", name)
    op.drop_index(op.f("ix_category_schemes_imported_at"), table_name="category_schemes")
    op.drop_table("category_schemes")
