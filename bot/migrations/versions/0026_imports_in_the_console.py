"""Imports in the console"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Imports in the console"""
    op.create_table(
        "imports",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.Column("changed_at", _AT, nullable=False),
        sa.Column("job", sa.String(32)),
        sa.Column("said", sa.Text()),
        sa.Column("tables", sa.Text()),
        sa.Column("notes", sa.Text()),
        sa.Column("whole", sa.Boolean()),
        sa.Column("internal_confirmed_by", sa.Text()),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
    )
    for column in ("state", "at", "changed_at"):
        op.create_index(op.f(f"ix_imports_{column}"), "imports", [column])
    op.create_table(
        "import_pieces",
        sa.Column("import_id", sa.String(32), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"], ["imports.id"], name=op.f("fk_import_pieces_import_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("import_id", "number", name=op.f("pk_import_pieces")),
    )
    op.create_table(
        "import_items",
        sa.Column("import_id", sa.String(32), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("what", sa.String(8), nullable=False),
        sa.Column("kind", sa.String(8)),
        sa.Column("item", sa.String(64)),
        sa.Column("internal", sa.Boolean(), nullable=False),
        sa.Column("choice", sa.String(4)),
        sa.Column("outcome", sa.String(7)),
        sa.Column("content", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"], ["imports.id"], name=op.f("fk_import_items_import_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("import_id", "position", name=op.f("pk_import_items")),
    )
    op.create_index("ix_import_items_import_id_what", "import_items", ["import_id", "what"])
    op.create_table(
        "import_layouts",
        sa.Column("headers", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("columns", sa.JSON(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.PrimaryKeyConstraint("headers", name=op.f("pk_import_layouts")),
    )
    op.create_table(
        "imported",
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("item", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.PrimaryKeyConstraint("kind", "item", name=op.f("pk_imported")),
    )


def downgrade() -> None:
    """Without them"""
    for table in ("imported", "import_layouts", "import_items", "import_pieces", "imports"):
        op.drop_table(table)
