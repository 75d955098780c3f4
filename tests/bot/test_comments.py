"""What colleagues tell each other about an item."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot import database, events, knowledge
from bot.clock import utcnow
from bot.errors import IllegalMove, InvalidInput, NotFound
from bot.knowledge import comments
from bot.settings import Settings
from tests.bot.test_knowledge import a_qa


@pytest.fixture(autouse=True)
def filled(db: Settings) -> None:
    with database.write() as session:
        knowledge.upsert(session, [a_qa("sfz-001"), a_qa("sfz-002")])


def say(text: str, minutes: int = 0, qa_id: str = "sfz-001", field: str | None = None) -> int:
    with database.write() as session:
        return comments.add(session, qa_id, "张编辑", text, utcnow() + timedelta(minutes=minutes), field=field).id


def listed(which: knowledge.listing.Which) -> list[tuple[str, int]]:
    with database.read() as session:
        rows, _ = knowledge.listed(session, knowledge.Wanted(which))
        return [(row.qa.id, row.comments) for row in rows]


def test_they_are_open_until_somebody_has_seen_to_them() -> None:
    first = say("工本费是不是 20 元？", field="answer")
    say(" 依据换新的了 ", minutes=1)
    assert listed("commented") == [("sfz-001", 2)]
    with database.write() as session:
        done = comments.settle(session, "sfz-001", first, "王审核", utcnow())
        assert (done.settled_by, done.author, done.field) == ("王审核", "张编辑", "answer")
    with database.read() as session:
        assert [(one.text, one.settled_by) for one in comments.of(session, "sfz-001")] == [
            ("依据换新的了", None),
            ("工本费是不是 20 元？", "王审核"),
        ]
        assert comments.of(session, "sfz-002") == []
        assert knowledge.counts(session)["commented"] == 1
        told = [one.subject for one in events.since(session, 0) if one.kind == "knowledge"]
    assert told.count("sfz-001") >= 3
    assert ("sfz-001", 1) in listed("all") and ("sfz-002", 0) in listed("all")
    with database.write() as session:
        comments.settle(session, "sfz-001", first, "王审核", utcnow(), settled=False)
    assert listed("commented") == [("sfz-001", 2)]


def test_they_change_nothing_of_what_is_answered() -> None:
    with database.read() as session:
        before = (knowledge.revision(session), knowledge.held(session, "sfz-001").qa.edits)
    say("看一看")
    with database.read() as session:
        assert (knowledge.revision(session), knowledge.held(session, "sfz-001").qa.edits) == before


def test_bad_ones_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    number = say("看一看")
    with database.write() as session:
        comments.settle(session, "sfz-001", number, "王审核", utcnow())
    for error, text, id_, field in (
        (InvalidInput, " \n", "sfz-001", None),
        (InvalidInput, "好", "sfz-001", "status"),
        (NotFound, "好", "nothing", None),
    ):
        with pytest.raises(error):
            say(text, qa_id=id_, field=field)
    for error, id_, number_ in (
        (IllegalMove, "sfz-001", number),
        (NotFound, "sfz-002", number),
        (NotFound, "sfz-001", 9999),
    ):
        with pytest.raises(error), database.write() as session:
            comments.settle(session, id_, number_, "王审核", utcnow())
    monkeypatch.setattr(comments, "MOST", 2)
    say("一")
    say("二")
    with pytest.raises(InvalidInput, match="2 条意见没有处理"):
        say("三")
