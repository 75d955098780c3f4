"""Tickets are found without being read"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

from bot.crypto import CannotDecrypt, get_cipher
from bot.models.tickets import phone_index, words_index

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Tickets are found without being read"""
    op.add_column("tickets", sa.Column("phone_index", sa.String(length=64), nullable=True))
    op.add_column("tickets", sa.Column("words", sa.Text(), nullable=False, server_default=""))
    op.create_index(op.f("ix_tickets_phone_index"), "tickets", ["phone_index"])
    tickets = sa.table(
        "tickets", *(sa.column(name, sa.Text()) for name in ("number", "phone", "subject", "phone_index", "words"))
    )
    connection = op.get_bind()
    after = ""
    while True:
        page = sa.select(tickets).where(tickets.c.number > after).order_by(tickets.c.number).limit(500)
        rows = connection.execute(page).all()
        for row in rows:
            phone, subject = _opened(row.phone), _opened(row.subject)
            connection.execute(
                sa.update(tickets)
                .where(tickets.c.number == row.number)
                .values(phone_index=phone_index(phone) if phone else None, words=words_index(subject or ""))
            )
        if len(rows) < 500:
            return
        after = rows[-1].number


def _opened(stored: str | None) -> str | None:
    """The value; None where the key is not at hand: it can't be found then, as it can't be read."""
    try:
        return str(json.loads(get_cipher().decrypt(stored))) if stored else None
    except (CannotDecrypt, ValueError):
        return None


def downgrade() -> None:
    """Without it"""
    op.drop_index(op.f("ix_tickets_phone_index"), table_name="tickets")
    op.drop_column("tickets", "words")
    op.drop_column("tickets", "phone_index")
