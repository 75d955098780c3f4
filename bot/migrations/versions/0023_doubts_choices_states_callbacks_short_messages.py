"""What conversations and calls share at the desk: doubts, choices, states, civil words, calls owed, short messages"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_AT = sa.DateTime(timezone=True)


def _text(name: str, length: int | None = None, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length) if length else sa.Text(), nullable=nullable)


def _at(*names: str, nullable: bool = True) -> list[sa.Column[object]]:
    return [sa.Column(name, _AT, nullable=nullable) for name in names]


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns))


def upgrade() -> None:
    """What conversations and calls share at the desk"""
    op.create_table(
        "doubts",
        _text("id", 32),
        _text("qa_id", 64),
        _text("person", 64),
        _text("reason"),
        sa.Column("marks", sa.Boolean(), nullable=False),
        *_at("at", nullable=False),
        *_at("undone_at", "reminded_at", "decided_at"),
        _text("decided_by", 64, nullable=True),
        _text("decision", 8, nullable=True),
        _text("why", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_doubts")),
    )
    _index("doubts", "qa_id")
    _index("doubts", "person", "at")
    op.create_table(
        "choices",
        _text("id", 32),
        _text("kind", 16),
        _text("subject", 32),
        _text("person", 64),
        _text("what", 16),
        _text("qa_id", 64),
        sa.Column("shown", sa.JSON(), nullable=False),
        _text("reason", nullable=True),
        *_at("at", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_choices")),
    )
    for column in ("subject", "qa_id", "at"):
        _index("choices", column)
    op.create_table(
        "agent_states",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        _text("person", 64),
        _text("state", 16),
        _text("reason", 100, nullable=True),
        *_at("since", nullable=False),
        *_at("ended_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agent_states")),
        sa.ForeignKeyConstraint(["person"], ["people.number"], name=op.f("fk_agent_states_person")),
    )
    _index("agent_states", "ended_at")
    _index("agent_states", "person", "ended_at")
    op.create_table(
        "shields",
        _text("id", 32),
        _text("kind", 16),
        _text("subject", 32),
        _text("service", 32, nullable=True),
        _text("person", 64),
        *_at("at", nullable=False),
        *_at("told_at", "undone_at"),
        _text("seen_by", 64, nullable=True),
        *_at("seen_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shields")),
    )
    for column in ("subject", "service", "at"):
        _index("shields", column)
    op.create_table(
        "callbacks",
        _text("id", 32),
        _text("kind", 16),
        _text("subject", 32),
        _text("phone"),
        _text("why", 16),
        *_at("since", "at", nullable=False),
        _text("claimed_by", 64, nullable=True),
        *_at("claimed_at"),
        sa.Column("tries", sa.Integer(), nullable=False),
        *_at("tried_at"),
        _text("result", 16, nullable=True),
        *_at("done_at"),
        _text("done_by", 64, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_callbacks")),
    )
    _index("callbacks", "subject")
    _index("callbacks", "done_at", "since")
    op.create_table(
        "sms_outbox",
        _text("id", 32),
        _text("phone"),
        _text("text"),
        _text("person", 64),
        _text("qa_id", 64, nullable=True),
        _text("kind", 16, nullable=True),
        _text("subject", 32, nullable=True),
        _text("status", 16),
        sa.Column("attempts", sa.Integer(), nullable=False),
        *_at("next_attempt_at"),
        _text("error", nullable=True),
        *_at("created_at", nullable=False),
        *_at("settled_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sms_outbox")),
    )
    for columns in (("status", "next_attempt_at"), ("subject",), ("created_at",)):
        _index("sms_outbox", *columns)
    op.add_column("desk_notes", _text("party", nullable=True))


def downgrade() -> None:
    """Without it"""
    op.drop_column("desk_notes", "party")
    for table in ("sms_outbox", "callbacks", "shields", "agent_states", "choices", "doubts"):
        op.drop_table(table)
