"""Rows for tests of what the database goes through as a whole."""

from __future__ import annotations

from bot import audit, conversations, database, turns
from bot.asked import Look
from bot.clock import utcnow
from bot.replies import TextReply
from bot.settings import Settings
from bot.tickets import numbers, register
from bot.turns import Outcome


def fill(settings: Settings) -> str:
    """A conversation with one turn, a ticket and an audit entry; its id."""
    with database.write() as session:
        made, _ = conversations.create(session, "web")
    with database.write() as session:
        receipt = turns.receive(session, conversations.lock(session, made.id), "m1", "我的电话是13800138000", settings)
    with database.read() as session:
        turn = turns.load(session, receipt.turn_id)
    look = Look("我的电话是13800138000", None, vector=bytes(range(8)), encoder="e")
    turns.settle(turn, Outcome(replies=[TextReply(text="好的")], context=turn.context, look=look))
    now = utcnow()
    with database.write() as session:
        audit.record(session, "系统", "test", "x")
        register.create(
            session,
            number=numbers.free_number(session, now),
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
