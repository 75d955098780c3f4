"""What is released, and which release answers whom"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """What is released, and which release answers whom"""
    op.create_table(
        "bundles",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("share", sa.Integer(), nullable=False),
        sa.Column("index_version", sa.String(length=64), nullable=False),
        sa.Column("rasa_model", sa.String(length=64), nullable=False),
        sa.Column("rasa_port", sa.Integer(), nullable=True),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.Column("gate", sa.JSON(), nullable=True),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", _AT, nullable=False),
        sa.Column("since", _AT, nullable=False),
        sa.Column("warm_until", _AT, nullable=True),
        sa.Column("asked_by", sa.Text(), nullable=True),
        sa.Column("asked_why", sa.Text(), nullable=True),
        sa.Column("asked_at", _AT, nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_bundles")),
    )
    op.create_index(op.f("ix_bundles_state"), "bundles", ["state"])
    op.create_table(
        "release_steps",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("bundle", sa.String(length=64), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("move", sa.String(length=16), nullable=False),
        sa.Column("before", sa.String(length=16), nullable=False),
        sa.Column("after", sa.String(length=16), nullable=False),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_release_steps")),
    )
    op.create_index(op.f("ix_release_steps_bundle"), "release_steps", ["bundle"])
    op.add_column("conversations", sa.Column("bundle", sa.String(length=64), nullable=True))
    op.add_column("turns", sa.Column("bundle", sa.String(length=64), nullable=True))


def downgrade() -> None:
    """Without them"""
    for table in ("turns", "conversations"):  # not by a copy: what hangs on its rows would go with the old table
        op.drop_column(table, "bundle")
    op.drop_table("release_steps")
    op.drop_table("bundles")
