"""What is looked at again"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """What is looked at again"""
    op.create_table(
        "document_changes",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("document_id", sa.String(length=64), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("effective", sa.Date(), nullable=False),
        sa.Column("replaced_by", sa.String(length=64), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.Column("applied_at", _AT, nullable=True),
        sa.Column("undone_at", _AT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document_changes")),
    )
    op.create_index(op.f("ix_document_changes_document_id"), "document_changes", ["document_id"])
    op.create_table(
        "reviews",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("item", sa.String(length=64), nullable=False),
        sa.Column("why", sa.String(length=16), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("change", sa.Integer(), nullable=True),
        sa.Column("effective", sa.Date(), nullable=True),
        sa.Column("department", sa.Text(), nullable=True),
        sa.Column("since", _AT, nullable=False),
        sa.Column("due", sa.Date(), nullable=True),
        sa.Column("settled_at", _AT, nullable=True),
        sa.Column("settled_by", sa.Text(), nullable=True),
        sa.Column("settled", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reviews")),
    )
    op.create_index("ix_reviews_kind_item", "reviews", ["kind", "item"])
    for column in ("why", "department", "settled_at"):
        op.create_index(op.f(f"ix_reviews_{column}"), "reviews", [column])
    op.create_table(
        "link_checks",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("checked_at", _AT, nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("ok_at", _AT, nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_link_checks")),
    )
    op.create_table(
        "health_reports",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("conflicts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_health_reports")),
    )
    op.add_column("qas", sa.Column("stops_on", sa.Date(), nullable=True))


def downgrade() -> None:
    """Without it"""
    with op.batch_alter_table("qas") as table:
        table.drop_column("stops_on")
    op.drop_table("health_reports")
    op.drop_table("link_checks")
    op.drop_table("reviews")
    op.drop_table("document_changes")
