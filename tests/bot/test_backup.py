"""Backup, restore and retention, from either kind of database."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from conftest import forget
from sqlalchemy import func, select

from bot import audit, backup, conversations, database, retention, tickets, turns
from bot.errors import InvalidInput
from bot.models import AuditEntry, Conversation, InboxMessage, OutboxMessage, Ticket, utcnow
from bot.replies import TextReply
from bot.settings import Settings, get_settings
from bot.turns import Outcome


def fill(settings: Settings) -> str:
    """A conversation with one turn, a ticket and an audit entry; its id."""
    with database.write() as session:
        made, _ = conversations.create(session, "web")
    with database.write() as session:
        receipt = turns.receive(session, conversations.lock(session, made.id), "m1", "我的电话是13800138000", settings)
    with database.read() as session:
        turn = turns.load(session, receipt.turn_id)
    turns.settle(turn, Outcome(replies=[TextReply(text="好的")], context=turn.context))
    now = utcnow()
    with database.write() as session:
        audit.record(session, "系统", "test", "x")
        tickets.create(
            session,
            number=tickets.free_number(session, now),
            query_code="123456",
            conversation_id=made.id,
            turn_id=None,
            kind="咨询",
            subject="怎么办",
            transcript=[],
            region=None,
            phone=None,
            department=None,
            days=15,
            now=now,
        )
    return made.id


def test_a_backup_comes_back_whole_in_another_place(
    db: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = fill(db)
    (db.index_dir / "v1").mkdir(parents=True)
    (db.index_dir / "v1" / "manifest.json").write_text("{}", encoding="utf-8")
    archive = tmp_path / "backup.tar.gz"
    counts = backup.backup(db, archive)
    assert counts["inbox"] == counts["tickets"] == 1
    assert archive.stat().st_mode & 0o077 == 0

    monkeypatch.delenv("YIHAODA_DATABASE_URL", raising=False)
    monkeypatch.setenv("YIHAODA_DATA_DIR", str(tmp_path / "elsewhere"))
    forget()
    assert backup.restore(get_settings(), archive) == counts
    with database.read() as session:
        assert conversations.history(session, conversation)[0]["text"] == "我的电话是13800138000"
        assert session.scalars(select(Ticket)).one().subject == "怎么办"
    assert (get_settings().index_dir / "v1" / "manifest.json").exists()
    with pytest.raises(InvalidInput, match="已经有数据"):
        backup.restore(get_settings(), archive)


def test_sqlite_moves_to_postgresql(
    sqlite_db: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres: str
) -> None:
    from conftest import _execute

    fill(sqlite_db)
    archive = tmp_path / "backup.tar.gz"
    counts = backup.backup(sqlite_db, archive)
    _execute(postgres, "CREATE DATABASE moved")
    monkeypatch.setenv("YIHAODA_DATABASE_URL", postgres.replace("/postgres?", "/moved?"))
    monkeypatch.setenv("YIHAODA_DATA_DIR", str(tmp_path / "moved"))
    forget()
    assert backup.restore(get_settings(), archive) == counts
    with database.write() as session:
        audit.record(session, "系统", "test", "the next id does not clash")
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(AuditEntry)) == counts["audit"] + 1


@pytest.mark.parametrize("content", [b"", b"not a backup", b"\x1f\x8b\x08\x00broken"])
def test_what_is_no_backup_is_refused(sqlite_db: Settings, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.tar.gz"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match="不是一号答的备份"):
        backup.restore(sqlite_db, path)


def test_what_is_too_old_is_forgotten_and_tickets_stay(db: Settings) -> None:
    old, young = fill(db), fill(db)
    with database.write() as session:
        conversations.lock(session, old).active_at = utcnow() - timedelta(days=200)
    with database.write() as session:
        assert retention.purge(session, utcnow(), 180) == 1
        assert retention.purge(session, utcnow(), 180) == 0
    with database.read() as session:
        assert session.get(Conversation, old) is None and session.get(Conversation, young) is not None
        for table in (InboxMessage, OutboxMessage):
            assert session.scalar(select(func.count()).select_from(table)) == 1
        assert session.scalar(select(func.count()).select_from(Ticket)) == 2
