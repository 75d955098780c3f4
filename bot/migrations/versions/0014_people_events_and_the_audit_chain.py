"""People, events and the audit chain"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """People, events and the audit chain"""
    people = op.create_table(
        "people",
        sa.Column("number", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("department", sa.Text(), nullable=True),
        sa.Column("region", sa.String(length=6), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("password", sa.Text(), nullable=True),
        sa.Column("earlier_passwords", sa.JSON(), nullable=False),
        sa.Column("must_change", sa.Boolean(), nullable=False),
        sa.Column("totp", sa.Text(), nullable=True),
        sa.Column("totp_confirmed", sa.Boolean(), nullable=False),
        sa.Column("totp_step", sa.BigInteger(), nullable=False),
        sa.Column("on_duty_until", _AT, nullable=True),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", _AT, nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_people")),
    )
    op.create_table(
        "sign_ins",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("token_digest", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("created_at", _AT, nullable=False),
        sa.Column("seen_at", _AT, nullable=False),
        sa.Column("ended_at", _AT, nullable=True),
        sa.ForeignKeyConstraint(["person"], ["people.number"], name=op.f("fk_sign_ins_person_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_ins")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_sign_ins_token_digest")),
    )
    op.create_index(op.f("ix_sign_ins_person"), "sign_ins", ["person"])
    op.create_index(op.f("ix_sign_ins_ended_at"), "sign_ins", ["ended_at"])
    op.create_table(
        "known_devices",
        sa.Column("token_digest", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("used_at", _AT, nullable=False),
        sa.ForeignKeyConstraint(["person"], ["people.number"], name=op.f("fk_known_devices_person_people")),
        sa.PrimaryKeyConstraint("token_digest", "person", name=op.f("pk_known_devices")),
    )
    op.create_index(op.f("ix_known_devices_used_at"), "known_devices", ["used_at"])
    op.create_table(
        "service_accounts",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("key_digest", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("created_at", _AT, nullable=False),
        sa.Column("used_at", _AT, nullable=True),
        sa.Column("revoked_at", _AT, nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_service_accounts")),
        sa.UniqueConstraint("key_digest", name=op.f("uq_service_accounts_key_digest")),
    )
    op.create_table(
        "drafts",
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.ForeignKeyConstraint(["person"], ["people.number"], name=op.f("fk_drafts_person_people")),
        sa.PrimaryKeyConstraint("person", "kind", "subject", name=op.f("pk_drafts")),
    )
    op.create_index(op.f("ix_drafts_at"), "drafts", ["at"])
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("about", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.create_index(op.f("ix_events_at"), "events", ["at"])
    _map_the_agents(people)
    op.drop_table("agents")

    op.add_column("tickets", sa.Column("revision", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("audit", sa.Column("name", sa.Text(), nullable=True))
    op.create_index(op.f("ix_audit_actor"), "audit", ["actor"])
    op.create_index(op.f("ix_audit_subject"), "audit", ["subject"])
    chain = op.create_table(
        "audit_chain",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("entry", sa.Integer(), nullable=False),
        sa.Column("link", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_chain")),
        sa.UniqueConstraint("entry", name=op.f("uq_audit_chain_entry")),
    )
    _chain_what_is_there(chain)
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_chain_no_{verb.lower()} BEFORE {verb} ON audit_chain "
                "BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END"
            )
        return
    op.execute(
        "CREATE TRIGGER audit_chain_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_chain "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()"
    )


def _map_the_agents(people: sa.Table) -> None:
    """Whoever was on duty or had something in hand keeps it under the name they gave; they can't sign in so."""
    found = op.get_bind().execute(
        sa.text(
            "SELECT name, on_duty_until FROM agents "
            "UNION SELECT agent, NULL FROM conversations WHERE agent IS NOT NULL "
            "UNION SELECT claimed_by, NULL FROM tickets WHERE claimed_by IS NOT NULL"
        )
    )
    names = dict.fromkeys(name[:64] for name, _ in found)
    if names:
        op.bulk_insert(
            people,
            [
                {
                    "number": name, "name": name, "roles": ["agent"], "department": None, "region": None, "active": False,
                    "password": None, "earlier_passwords": [], "must_change": True, "totp": None, "totp_confirmed": False,
                    "totp_step": 0, "on_duty_until": None, "settings": {}, "revision": 0, "created_at": datetime.now(UTC),
                }
                for name in names
            ],
        )  # fmt: skip


def _chain_what_is_there(chain: sa.Table) -> None:
    """As ``bot.audit.linked`` does it."""
    audit = sa.table(
        "audit",
        *(sa.column("id", sa.Integer()), sa.column("at", _AT), sa.column("actor", sa.Text())),
        *(sa.column("action", sa.Text()), sa.column("subject", sa.Text()), sa.column("detail", sa.JSON())),
    )
    connection = op.get_bind()
    link, after = "0" * 64, 0
    while True:
        rows = connection.execute(sa.select(audit).where(audit.c.id > after).order_by(audit.c.id).limit(1000)).all()
        links = []
        for row in rows:
            at = row.at.replace(tzinfo=UTC) if row.at.tzinfo is None else row.at.astimezone(UTC)
            whole = [link, row.id, at.isoformat(timespec="microseconds")]
            whole += [row.actor, None, row.action, row.subject, row.detail]
            link = hashlib.sha256(json.dumps(whole, sort_keys=True).encode("ascii")).hexdigest()
            links.append({"entry": row.id, "link": link})
        if links:
            op.bulk_insert(chain, links)
        if len(rows) < 1000:
            return
        after = rows[-1].id


def downgrade() -> None:
    """Without them; the names of those on duty are kept"""
    op.drop_table("audit_chain")
    op.drop_index(op.f("ix_audit_subject"), table_name="audit")
    op.drop_index(op.f("ix_audit_actor"), table_name="audit")
    op.drop_column("audit", "name")
    op.drop_column("tickets", "revision")
    op.create_table(
        "agents",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("on_duty_until", _AT, nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_agents")),
    )
    op.execute("INSERT INTO agents SELECT number, on_duty_until FROM people")
    for table in ("events", "drafts", "service_accounts", "known_devices", "sign_ins", "people"):
        op.drop_table(table)
