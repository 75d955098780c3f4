"""The audit log can only grow."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bot import audit, database
from bot.models.housekeeping import AuditEntry
from bot.settings import Settings


def test_an_entry_says_who_what_and_on_what_without_personal_data(db: Settings) -> None:
    with database.write() as session:
        audit.record(session, "小李", "ticket.claim", "20261228123456", note="电话13812345678", phone="13812345678")
    with database.read() as session:
        entry = session.query(AuditEntry).one()
    assert (entry.actor, entry.action, entry.subject) == ("小李", "ticket.claim", "20261228123456")
    assert entry.detail == {"note": "电话138****5678", "phone": "***"}


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = '别人'", "DELETE FROM audit"])
def test_the_database_refuses_to_change_or_delete(db: Settings, statement: str) -> None:
    with database.write() as session:
        audit.record(session, "小李", "ticket.claim", "20261228123456")
    with pytest.raises(DBAPIError, match="append-only"), database.write() as session:
        session.execute(text(statement))
    with database.read() as session:
        assert session.query(AuditEntry).one().actor == "小李"


def test_an_entry_goes_with_its_transaction(db: Settings) -> None:
    with database.read() as session:  # never commits
        audit.record(session, "小李", "ticket.claim", "x")
        session.flush()
    with database.read() as session:
        assert session.query(AuditEntry).count() == 0
