"""Every table says how long it is kept, why, how it is erased and who reads it; and erasing does what it says."""

from __future__ import annotations

from sqlalchemy import select

from bot import conversations, database, models
from bot.asked import Look
from bot.clock import utcnow
from bot.keeping import KEPT
from bot.models.asked import Asked
from bot.models.base import Base
from bot.models.callbacks import Callback
from bot.models.conversations import Alarm, ChannelUser, DeskNote, HumanService, Rating
from bot.models.desk import Choice, Shield
from bot.models.held_out import HeldOut
from bot.models.people import Draft, Person
from bot.models.recalls import Recall, RecallTarget
from bot.models.review import ReviewAudit, ReviewMember
from bot.models.sms import ShortMessage
from bot.models.surges import SurgeMember
from bot.settings import Settings
from tests.bot.test_turns import receive, settle


def test_every_table_is_kept_for_a_reason() -> None:
    assert models and set(Base.metadata.tables) == set(KEPT)
    assert all(one.long and one.why and one.read_by for one in KEPT.values())


def test_what_goes_with_a_conversation_is_gone_with_it(db: Settings) -> None:
    said = {name: table for name, table in Base.metadata.tables.items() if KEPT[name].erased == "conversation"}
    now = utcnow()
    with database.write() as session:
        one, _ = conversations.create(session, "web")
    turn = receive(db, one.id, "m1").turn_id
    settle(turn, "您好", look=Look("你好", None))
    with database.write() as session:
        session.add(Rating(turn_id=turn, helpful=False, reason=None, qa_id=None, created_at=now))
        session.add(Alarm(turn_id=turn, conversation_id=one.id, kind="fire", possible=False, at=now))
        session.add(HumanService(id="s", conversation_id=one.id, asked_at=now, entered_at=now))
        session.add(DeskNote(conversation_id=one.id, author="1", kind="note", text="x", at=now))
        session.add(
            ChannelUser(
                channel="wechat", user_digest="d", conversation_id=one.id, address="o", push_until=now, pushes_left=5
            )
        )
        (asked_id,) = session.scalars(select(Asked.id))
        session.add(ReviewMember(asked_id=asked_id, group_id="g", text="t", danger=False))
        session.add(ReviewAudit(asked_id=asked_id, lot="l"))
        session.add(HeldOut(asked_id=asked_id))
        session.add(SurgeMember(asked_id=asked_id, surge_id="s"))
        session.add(Person(number="1", name="王芳", roles=["agent"], created_at=now))
        session.flush()
        session.add(Draft(person="1", kind="conversation", subject=one.id, text="您好", revision=1, at=now))
        wrong = {"qa_id": "q", "versions": [1], "question": "x", "correction": "y", "state": "draft"}
        session.add(Recall(id="r", made_by="1", made_at=now, **wrong))
        session.flush()
        got = {"kind": "conversation", "key": one.id, "channel": "web", "version": 1, "also": [], "state": "waiting"}
        session.add(RecallTarget(recall_id="r", asked_at=now, **got))
        about = {"kind": "conversation", "subject": one.id}
        session.add(Choice(id="c", person="1", what="used", qa_id="q", shown=[], at=now, **about))
        session.add(Shield(id="h", person="1", at=now, **about))
        session.add(Callback(id="b", phone="1", why="leave", since=now, at=now, tries=0, **about))
        session.add(
            ShortMessage(id="m", phone="1", text="x", person="1", status="pending", attempts=0, created_at=now, **about)
        )
    with database.read() as session:
        for name, table in said.items():
            assert session.execute(select(table)).first() is not None, f"{name}: the test puts nothing in"
    with database.write() as session:
        conversations.erase(session, conversations.lock(session, one.id))
    with database.read() as session:
        for name, table in said.items():
            assert session.execute(select(table)).first() is None, name
