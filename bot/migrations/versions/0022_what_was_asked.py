"""What was asked, and what changes of the knowledge would do to it"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_AT = sa.DateTime(timezone=True)


def _text(name: str, length: int | None, *, nullable: bool = True) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length) if length else sa.Text(), nullable=nullable)


def upgrade() -> None:
    """What was asked, and what changes of the knowledge would do to it"""
    op.create_table(
        "asked",
        _text("id", 32, nullable=False),
        sa.Column("at", _AT, nullable=False),
        _text("turn", 64),
        _text("person", 64),
        _text("source", 8, nullable=False),
        _text("channel", 16, nullable=False),
        _text("region", 6),
        _text("said", None, nullable=False),
        _text("before", None),
        _text("vector", None),
        _text("encoder", 64),
        _text("act", 32, nullable=False),
        _text("decision", 32, nullable=False),
        _text("certainty", 8),
        sa.Column("probability", sa.Float(), nullable=True),
        _text("qa_id", 64),
        _text("matter", None),
        _text("version", 64),
        sa.Column("found", sa.JSON(), nullable=False),
        sa.Column("helpful", sa.Boolean(), nullable=True),
        sa.Column("refused", sa.Boolean(), nullable=False),
        _text("chosen", 64),
        _text("rephrased", 32),
        _text("agent_qa", 64),
        sa.Column("agent_edited", sa.Boolean(), nullable=True),
        _text("ticket", 8),
        _text("ticket_link", 64),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asked")),
    )
    op.create_index(op.f("ix_asked_at_id"), "asked", ["at", "id"])
    for column in ("turn", "person", "qa_id", "ticket_link"):
        op.create_index(op.f(f"ix_asked_{column}"), "asked", [column])
    op.create_table(
        "replays",
        _text("id", 32, nullable=False),
        _text("qa_id", 64, nullable=False),
        _text("digest", 64, nullable=False),
        sa.Column("change", sa.JSON(), nullable=False),
        sa.Column("whole", sa.Boolean(), nullable=False),
        _text("by", None, nullable=False),
        sa.Column("at", _AT, nullable=False),
        _text("job", 32),
        _text("version", 64),
        _text("result", None),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replays")),
    )
    op.create_index(op.f("ix_replays_qa_id_digest"), "replays", ["qa_id", "digest"])


def downgrade() -> None:
    """Without it"""
    op.drop_table("replays")
    op.drop_table("asked")
