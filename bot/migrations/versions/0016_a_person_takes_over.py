"""A person takes a conversation over"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """A person takes a conversation over"""
    op.create_table(
        "human_services",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("conversation_id", sa.String(length=32), nullable=False),
        sa.Column("asked_at", _AT, nullable=False),
        sa.Column("entered_at", _AT, nullable=False),
        sa.Column("agent", sa.Text(), nullable=True),
        sa.Column("taken_at", _AT, nullable=True),
        sa.Column("first_word_at", _AT, nullable=True),
        sa.Column("ended_at", _AT, nullable=True),
        sa.Column("end", sa.String(length=16), nullable=True),
        sa.Column("rating", sa.Integer(), nullable=True),
        sa.Column("rated_at", _AT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_human_services")),
    )
    for column in ("conversation_id", "entered_at", "taken_at"):
        op.create_index(op.f(f"ix_human_services_{column}"), "human_services", [column])
    op.create_table(
        "desk_notes",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("conversation_id", sa.String(length=32), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desk_notes")),
    )
    op.create_index(op.f("ix_desk_notes_conversation_id"), "desk_notes", ["conversation_id"])
    for name, type_ in (("region", sa.String(length=6)), ("skill", sa.String(length=32))):
        op.add_column("conversations", sa.Column(name, type_, nullable=True))
    for name in ("waiting_since", "owed_since", "quiet_since"):
        op.add_column("conversations", sa.Column(name, _AT, nullable=True))
    op.execute("UPDATE conversations SET waiting_since = active_at WHERE state IN ('waiting', 'human')")
    with op.batch_alter_table("outbox") as outbox:
        outbox.add_column(sa.Column("agent", sa.Text(), nullable=True))
        outbox.add_column(sa.Column("client_id", sa.String(length=64), nullable=True))
        outbox.add_column(sa.Column("qa_id", sa.String(length=64), nullable=True))
        outbox.add_column(sa.Column("edited", sa.Boolean(), nullable=True))
        outbox.create_unique_constraint(op.f("uq_outbox_conversation_id_client_id"), ["conversation_id", "client_id"])
    op.add_column("people", sa.Column("skills", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("people", sa.Column("capacity", sa.Integer(), nullable=True))


def downgrade() -> None:
    """Without it"""
    op.drop_column("people", "capacity")
    op.drop_column("people", "skills")
    with op.batch_alter_table("outbox") as outbox:
        outbox.drop_constraint(op.f("uq_outbox_conversation_id_client_id"), type_="unique")
        for name in ("edited", "qa_id", "client_id", "agent"):
            outbox.drop_column(name)
    for name in ("quiet_since", "owed_since", "waiting_since", "skill", "region"):
        op.drop_column("conversations", name)
    op.drop_table("desk_notes")
    op.drop_table("human_services")
