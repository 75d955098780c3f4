"""Versions withdrawn as wrong, which version each answer was, and recalls"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0031"
branch_labels = None
depends_on = None

_AT = sa.DateTime(timezone=True)
_GIVEN = ("turns", "outbox", "choices", "sms_outbox")


def _text(name: str, length: int | None = None, *, nullable: bool = True) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length) if length else sa.Text(), nullable=nullable)


def _at(name: str, *, nullable: bool = True) -> sa.Column[datetime]:
    return sa.Column(name, _AT, nullable=nullable)


def upgrade() -> None:
    """Versions withdrawn as wrong, which version each answer was, and recalls"""
    for column in (_at("withdrawn_at"), _text("withdrawn_by"), _text("withdrawn_why")):
        op.add_column("qa_versions", column)
    for table in _GIVEN:
        op.add_column(table, sa.Column("qa_version", sa.Integer(), nullable=True))
    op.add_column("callbacks", _text("says"))
    op.create_table(
        "recalls",
        _text("id", 32, nullable=False),
        _text("qa_id", 64, nullable=False),
        sa.Column("versions", sa.JSON(), nullable=False),
        _text("question", nullable=False),
        _text("correction", nullable=False),
        _text("state", 16, nullable=False),
        _text("made_by", nullable=False),
        _at("made_at", nullable=False),
        _text("approved_by"),
        _at("approved_at"),
        _text("ended_by"),
        _at("ended_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recalls")),
    )
    for columns in (["made_at", "id"], ["qa_id"], ["state"]):
        op.create_index(op.f(f"ix_recalls_{'_'.join(columns)}"), "recalls", columns)
    op.create_table(
        "recall_targets",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        _text("recall_id", 32, nullable=False),
        _text("kind", 16, nullable=False),
        _text("key", 32, nullable=False),
        _text("channel", 16, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        _at("asked_at", nullable=False),
        sa.Column("also", sa.JSON(), nullable=False),
        _text("state", 16, nullable=False),
        _text("how", 16),
        _text("reason"),
        _text("message", 32),
        _at("sent_at"),
        _at("seen_at"),
        sa.ForeignKeyConstraint(["recall_id"], ["recalls.id"], name=op.f("fk_recall_targets_recall_id_recalls")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recall_targets")),
        sa.UniqueConstraint("recall_id", "kind", "key", name=op.f("uq_recall_targets_recall_id_kind_key")),
    )
    for columns in (["recall_id", "state", "id"], ["key", "state"], ["message"]):
        op.create_index(op.f(f"ix_recall_targets_{'_'.join(columns)}"), "recall_targets", columns)


def downgrade() -> None:
    """Without them"""
    op.drop_table("recall_targets")
    op.drop_table("recalls")
    op.drop_column("callbacks", "says")
    for table in _GIVEN:
        op.drop_column(table, "qa_version")
    for name in ("withdrawn_why", "withdrawn_by", "withdrawn_at"):
        op.drop_column("qa_versions", name)
