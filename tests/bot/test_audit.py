"""The audit log can only grow."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bot import audit, database, security_log
from bot.clock import utcnow
from bot.models.housekeeping import AuditEntry
from bot.models.people import Person
from bot.settings import Settings


def test_an_entry_says_who_what_and_on_what_without_personal_data(db: Settings) -> None:
    with database.write() as session:
        audit.record(session, "小李", "ticket.claim", "20261228123456", note="电话13812345678", phone="13812345678")
    with database.read() as session:
        entry = session.query(AuditEntry).one()
    assert (entry.actor, entry.action, entry.subject) == ("小李", "ticket.claim", "20261228123456")
    assert entry.detail == {"note": "电话138****5678", "phone": "***"}


def test_an_id_stays_whole_though_it_may_look_like_a_phone(db: Settings) -> None:
    id_ = "9f68e16150074357ad56f7885b2ce3dd"
    with database.write() as session:
        audit.record(session, "小李", "conversation.claim", id_)
        audit.record(session, "小李", "thing.done", "电话13812345678")
    with database.read() as session:
        assert [entry.subject for entry in audit.entries(session)] == ["电话138****5678", id_]
        assert len(audit.entries(session, subject=id_)) == len(audit.entries(session, subject="电话13812345678")) == 1


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


# --- the chain -------------------------------------------------------------------------------------------------------


def filled(*subjects: str) -> None:
    for subject in subjects:
        with database.write() as session:
            audit.record(
                session, "小李", "ticket.claim", subject, note="好\u2028的", number=1.5, none=None, more=["甲"]
            )
            audit.record(session, "系统", "ticket.close", subject)


def tamper(statement: str, settings: Settings) -> None:
    """What only somebody can do who gets at the database itself."""
    with database.write() as session:
        if session.get_bind().dialect.name == "sqlite":
            for table in ("audit", "audit_chain"):
                for verb in ("update", "delete"):
                    session.execute(text(f"DROP TRIGGER {table}_no_{verb}"))
        else:
            for table in ("audit", "audit_chain"):
                session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
        session.execute(text(statement))


def verified() -> audit.Verified:
    with database.read() as session:
        return audit.verify(session)


def test_an_untouched_log_verifies(db: Settings) -> None:
    assert verified() == audit.Verified(0, None, audit.START)
    filled("a", "b", "c")
    found = verified()
    assert (found.checked, found.broken) == (6, None) and found.end != audit.START


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE audit SET actor = '别人' WHERE id = 3", 3),
        ("UPDATE audit SET subject = 'x' WHERE id = 6", 6),
        ("UPDATE audit SET name = '王芳' WHERE id = 1", 1),
        ("DELETE FROM audit WHERE id = 4", 4),
        ("DELETE FROM audit_chain WHERE entry = 4", 5),
        ("UPDATE audit_chain SET entry = 99 WHERE entry = 2", 99),
        ("INSERT INTO audit (at, actor, action, subject, detail) SELECT at, actor, action, subject, detail FROM audit WHERE id = 1", 7),
    ],
)  # fmt: skip
def test_what_was_changed_removed_or_put_in_shows(db: Settings, statement: str, broken: int) -> None:
    filled("a", "b", "c")
    tamper(statement, db)
    assert verified().broken == broken


def test_the_end_of_the_chain_stands_in_the_security_log_too(db: Settings) -> None:
    filled("a")
    lines = "".join(path.read_text("utf-8") for _, path in security_log.days(db.logs))
    assert f'"chain": "{verified().end[:16]}"' in lines


def test_a_name_is_kept_as_it_was(db: Settings) -> None:
    with database.write() as session:
        session.add(Person(number="7", name="王芳", roles=["agent"], created_at=utcnow()))
    for name in ("王芳", "王芬"):
        with database.write() as session:
            session.get_one(Person, "7").name = name
            audit.record(session, "7", "duty", "7")
    with database.read() as session:
        assert [entry.name for entry in audit.entries(session, actor="7")] == ["王芬", "王芳"]
        assert [entry.name for entry in audit.entries(session, actor="王芳")] == ["王芳"]
    assert verified().broken is None


def test_many_writers_make_one_chain(db: Settings) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(filled, [str(number) for number in range(40)]))
    assert (verified().checked, verified().broken) == (80, None)


def test_what_a_savepoint_took_back_is_in_no_chain(db: Settings) -> None:
    with database.write() as session:
        audit.record(session, "小李", "a", "1")
        nested = session.begin_nested()
        audit.record(session, "小李", "b", "2")
        session.flush()
        nested.rollback()
        with session.begin_nested():
            audit.record(session, "小李", "c", "3")
    with database.read() as session:
        assert [entry.action for entry in audit.entries(session)] == ["c", "a"]
    assert (verified().checked, verified().broken) == (2, None)


def test_entries_are_found_page_by_page(db: Settings) -> None:
    filled("a", "b", "c")
    with database.read() as session:
        first = audit.entries(session, limit=4)
        rest = audit.entries(session, before=first[-1].id)
        assert [entry.id for entry in (*first, *rest)] == [6, 5, 4, 3, 2, 1]
        assert len(audit.entries(session, action="ticket.cl", subject="b")) == 2
        assert audit.entries(session, action="ticket.%") == []
        assert audit.entries(session, until=first[-1].at, since=utcnow()) == []
