"""Which bundle answers whom."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from bot import conversations, database, releases, turns
from bot.clock import utcnow
from bot.models.conversations import Conversation
from bot.models.releases import Bundle
from bot.releases import cleaning
from bot.settings import Settings


def bundle(name: str, state: str, share: int = 0) -> Bundle:
    at = utcnow()
    return Bundle(
        name=name, kind="model", state=state, share=share, index_version=f"index-{name}", rasa_model=f"rasa-{name}",
        rasa_port=5005, summary={}, made_by="2001", made_at=at, since=at,
    )  # fmt: skip


def opened(settings: Settings) -> str:
    with database.write() as session:
        conversation, _ = conversations.create(session, "web")
        session.flush()
        return conversation.id


def answers(conversation_id: str) -> str | None:
    with database.read() as session:
        found = releases.of(session, session.get_one(Conversation, conversation_id))
        return found and found.name


def test_without_bundles_there_is_none(db: Settings) -> None:
    assert answers(opened(db)) is None


def test_a_session_keeps_what_it_was_given_until_that_answers_no_more(db: Settings) -> None:
    with database.write() as session:
        session.add(bundle("a", "live"))
    before = opened(db)
    with database.write() as session:
        session.add(bundle("b", "share", share=100))
    after = opened(db)
    assert (answers(before), answers(after)) == ("a", "b")
    with database.write() as session:
        session.get_one(Bundle, "b").state = "stopped"
    assert (answers(before), answers(after)) == ("a", "a")
    with database.write() as session:
        session.get_one(Bundle, "a").state, session.get_one(Bundle, "b").state = "previous", "live"
    assert (answers(before), answers(after)) == ("a", "b"), "whoever is under way goes on with the bundle before"
    with database.write() as session:
        session.get_one(Bundle, "a").state = "kept"
    assert answers(before) == "b"
    with database.write() as session:
        conversation = session.get_one(Conversation, before)
        later = utcnow() + timedelta(seconds=db.session_idle_s + 1)
        conversations.renew_session(session, conversation, db, later)
        assert conversation.bundle == "b", "a new session is given the live one"


def test_a_share_is_about_as_large_as_said_and_only_grows(sqlite_db: Settings) -> None:
    one = bundle("b", "share")
    ids = [f"{number:032x}" for number in range(4000)]
    before: set[str] = set()
    for share in (10, 50, 100):
        one.share = share
        inside = {id_ for id_ in ids if releases.falls(id_, one)}
        assert abs(len(inside) / len(ids) - share / 100) < 0.03 and before <= inside
        before = inside


def test_a_turn_says_which_bundle_answers_it(sqlite_db: Settings) -> None:
    with database.write() as session:
        session.add(bundle("a", "live"))
    id_ = opened(sqlite_db)
    with database.write() as session:
        conversation = conversations.lock(session, id_)
        turn_id = turns.receive(session, conversation, "m", "居住证怎么办", sqlite_db).turn_id
    with database.read() as session:
        turn = turns.load(session, turn_id)
    assert (turn.bundle, turn.index, turn.rasa_port) == ("a", "index-a", 5005)


def test_knowledge_bundles_of_long_ago_let_go_of_their_index_and_models_never_do(db: Settings) -> None:
    later = utcnow() + timedelta(days=db.bundle_days, hours=1)
    with database.write() as session:
        for number, (kind, state) in enumerate(
            [
                ("knowledge", "live"),
                ("knowledge", "previous"),
                ("knowledge", "kept"),
                ("knowledge", "refused"),
                ("model", "kept"),
            ]
        ):
            one = bundle(f"b{number}", state)
            one.kind = kind
            session.add(one)
    with database.write() as session:
        assert cleaning.forget_old(session, later - timedelta(hours=2)) == 0
        assert cleaning.forget_old(session, later) == 2
    with database.read() as session:
        assert {one.name: one.state for one in session.scalars(select(Bundle))} == {
            "b0": "live", "b1": "previous", "b2": "gone", "b3": "gone", "b4": "kept",
        }  # fmt: skip
        assert releases.pinned(session)[0] == {"index-b0", "index-b1", "index-b4"}
