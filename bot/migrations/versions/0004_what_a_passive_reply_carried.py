"""What a passive reply carried, and until when and how much may be pushed"""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_WINDOW, _QUOTA = timedelta(hours=48), 5


def upgrade() -> None:
    """What a passive reply carried, and until when and how much may be pushed"""
    op.add_column("outbox", sa.Column("given_with", sa.String(length=32), nullable=True))
    op.execute("UPDATE outbox SET given_with = turn_id, error = NULL WHERE error = 'passive'")
    op.add_column("channel_users", sa.Column("push_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("channel_users", sa.Column("pushes_left", sa.Integer(), nullable=True))
    _convert("spoke_at", "push_until", _WINDOW, "pushed", "pushes_left")
    with op.batch_alter_table("channel_users") as table:
        table.alter_column("push_until", nullable=False, existing_type=sa.DateTime(timezone=True))
        table.alter_column("pushes_left", nullable=False, existing_type=sa.Integer())
        table.drop_column("spoke_at")
        table.drop_column("pushed")


def downgrade() -> None:
    """Without them"""
    op.add_column("channel_users", sa.Column("spoke_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("channel_users", sa.Column("pushed", sa.Integer(), nullable=True))
    _convert("push_until", "spoke_at", -_WINDOW, "pushes_left", "pushed")
    with op.batch_alter_table("channel_users") as table:
        table.alter_column("spoke_at", nullable=False, existing_type=sa.DateTime(timezone=True))
        table.alter_column("pushed", nullable=False, existing_type=sa.Integer())
        table.drop_column("push_until")
        table.drop_column("pushes_left")
    op.execute("UPDATE outbox SET error = 'passive' WHERE given_with = turn_id")
    with op.batch_alter_table("outbox") as table:
        table.drop_column("given_with")


def _convert(old_time: str, new_time: str, shift: timedelta, old_count: str, new_count: str) -> None:
    """Row by row: dates are reckoned differently by each database."""
    table = sa.table(
        "channel_users",
        *(sa.column(name, sa.String()) for name in ("channel", "user_digest")),
        *(sa.column(name, sa.DateTime(timezone=True)) for name in (old_time, new_time)),
        *(sa.column(name, sa.Integer()) for name in (old_count, new_count)),
    )
    connection = op.get_bind()
    for row in connection.execute(sa.select(table)).all():
        at, count = row._mapping[old_time] + shift, max(0, _QUOTA - row._mapping[old_count])
        same = (table.c.channel == row.channel) & (table.c.user_digest == row.user_digest)
        connection.execute(sa.update(table).where(same).values({new_time: at, new_count: count}))
