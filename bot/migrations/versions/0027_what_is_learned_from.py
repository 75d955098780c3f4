"""What went unanswered, in groups, and what was made of it"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_AT = sa.DateTime(timezone=True)


def _text(name: str, length: int | None, *, nullable: bool = True) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length) if length else sa.Text(), nullable=nullable)


def _is(name: str, *, nullable: bool = False) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=nullable)


def _of_a_question(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_asked_id_asked")
    return sa.ForeignKeyConstraint(["asked_id"], ["asked.id"], name=name, ondelete="CASCADE")


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _share(name: str, *, nullable: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Float(), nullable=nullable)


def upgrade() -> None:
    """What went unanswered, in groups, and what was made of it"""
    op.create_table(
        "review_groups",
        _text("id", 32, nullable=False),
        _text("example", 32),
        _is("pinned"),
        _is("open"),
        _count("texts"),
        _count("asked"),
        sa.Column("days", sa.JSON(), nullable=False),
        _count("week"),
        _count("over"),
        sa.Column("why", sa.JSON(), nullable=False),
        _text("candidate", 64),
        _text("matter", None),
        _share("could"),
        _share("missing"),
        _share("help"),
        sa.Column("last_at", _AT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_groups")),
    )
    op.create_index(op.f("ix_review_groups_open_help_id"), "review_groups", ["open", "help", "id"])
    op.create_index(op.f("ix_review_groups_candidate"), "review_groups", ["candidate"])
    op.create_table(
        "review_members",
        _text("asked_id", 32, nullable=False),
        _text("group_id", 32, nullable=False),
        _text("text", 64, nullable=False),
        _is("danger"),
        _text("decision", 32),
        _of_a_question("review_members"),
        sa.PrimaryKeyConstraint("asked_id", name=op.f("pk_review_members")),
    )
    op.create_index(op.f("ix_review_members_group_id"), "review_members", ["group_id"])
    op.create_index(op.f("ix_review_members_decision"), "review_members", ["decision"])
    op.create_table(
        "review_decisions",
        _text("id", 32, nullable=False),
        _text("group_id", 32, nullable=False),
        _text("action", 16, nullable=False),
        _text("qa_id", 64),
        _text("act", 32),
        _text("wording", None),
        sa.Column("detail", sa.JSON(), nullable=False),
        _text("by", 64, nullable=False),
        sa.Column("at", _AT, nullable=False),
        _count("settled"),
        _is("twice"),
        _text("second_by", 64),
        sa.Column("second_at", _AT, nullable=True),
        sa.Column("second", sa.JSON(), nullable=True),
        _is("agrees", nullable=True),
        sa.Column("undone_at", _AT, nullable=True),
        _text("undone_by", 64),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_decisions")),
    )
    op.create_index(op.f("ix_review_decisions_at_id"), "review_decisions", ["at", "id"])
    op.create_index(op.f("ix_review_decisions_group_id"), "review_decisions", ["group_id"])
    op.create_table(
        "review_audits",
        _text("asked_id", 32, nullable=False),
        _text("lot", 64, nullable=False),
        _text("verdict", 8),
        _text("by", 64),
        sa.Column("at", _AT, nullable=True),
        _of_a_question("review_audits"),
        sa.PrimaryKeyConstraint("asked_id", name=op.f("pk_review_audits")),
    )
    op.create_index(op.f("ix_review_audits_lot"), "review_audits", ["lot"])
    op.create_table(
        "review_figures",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", _AT, nullable=False),
        *map(_count, ("questions", "groups", "alone", "renewed", "answered", "drawn", "judged", "wrong")),
        _share("low", nullable=True),
        _share("high", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_figures")),
    )
    op.create_table(
        "nlu_examples",
        _text("id", 32, nullable=False),
        _text("act", 32, nullable=False),
        _text("text", None, nullable=False),
        _text("decision", 32, nullable=False),
        _text("by", 64, nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_nlu_examples")),
    )
    op.create_index(op.f("ix_nlu_examples_decision"), "nlu_examples", ["decision"])


def downgrade() -> None:
    """Without it"""
    for table in (
        "nlu_examples",
        "review_figures",
        "review_audits",
        "review_decisions",
        "review_members",
        "review_groups",
    ):
        op.drop_table(table)
