"""Items reported as wrong: marked and never taken off the air, bounded, decided about, reminded of."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from bot import database, doubts, events, knowledge
from bot.clock import utcnow
from bot.desk import choices
from bot.errors import IllegalMove, InvalidInput, NotFound
from bot.models.desk import Choice
from bot.models.doubts import Doubt
from bot.models.housekeeping import AuditEntry
from bot.models.knowledge import QA
from bot.settings import Settings
from tests.bot.test_desk import do, staff
from tests.index.test_assistant import qa

SECOND = timedelta(seconds=1)


def items(count: int) -> list[str]:
    ids = [f"item-{n}" for n in range(count)]
    with database.write() as session:
        knowledge.upsert(session, [qa(id_, f"第{id_}件事怎么办") for id_ in ids])
    return ids


def doubted(*ids: str) -> set[str]:
    with database.read() as session:
        return set(doubts.doubted(session, ids))


def test_one_person_takes_nothing_off_the_air_however_much_they_report(db: Settings) -> None:
    ids = items(50)
    staff("wang"), staff("li")
    for id_ in ids:
        do(doubts.report, id_, "数字不对", "wang", db)
    with database.read() as session:
        assert all(qa.status == "approved" for qa in session.scalars(select(QA)))
        found, total = doubts.waiting(session, limit=50)
        (reporter,) = doubts.by_person(session, utcnow())
    assert doubted(*ids) == set(ids[: db.desk_doubts])  # beyond the bound nothing is marked
    assert total == len(found) == 50 and [one.marked for one in found] == [True] * 5 + [False] * 45
    assert (reporter.person, reporter.reports, reporter.unmarked) == ("wang", 50, 45)
    do(doubts.report, ids[49], "办理地点搬了", "li", db)  # a colleague's report marks what theirs did not
    assert doubted(ids[49]) == {ids[49]}


def test_reports_at_the_same_time_don_t_pass_the_bound(db: Settings) -> None:
    ids = items(12)
    staff("wang")
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda id_: do(doubts.report, id_, "不对", "wang", db), ids))
    assert len(doubted(*ids)) == db.desk_doubts


def test_in_the_next_shift_one_may_mark_again(db: Settings) -> None:
    ids = items(6)
    staff("wang")
    now = utcnow()
    for id_ in ids[:5]:
        do(doubts.report, id_, "不对", "wang", db, now - doubts.SHIFT - SECOND)
    assert do(doubts.report, ids[5], "不对", "wang", db, now).marks
    with database.read() as session:
        assert [one.reports for one in doubts.by_person(session, now)] == [1]


def test_the_same_report_again_is_the_same(db: Settings) -> None:
    (one,) = items(1)
    staff("wang")
    first = do(doubts.report, one, "不对", "wang", db)
    assert do(doubts.report, one, "还是不对", "wang", db).id == first.id
    with pytest.raises(InvalidInput, match="哪里不对"):
        do(doubts.report, one, " ", "wang", db)
    with pytest.raises(NotFound):
        do(doubts.report, "nothing", "不对", "wang", db)


def test_it_is_taken_back_within_ten_seconds_by_whoever_reported(db: Settings) -> None:
    ids = items(2)
    staff("wang"), staff("li")
    now = utcnow()
    made = do(doubts.report, ids[0], "看错了", "wang", db, now)
    with pytest.raises(NotFound):
        do(doubts.undo, made.id, "li", now)
    for _ in range(2):
        do(doubts.undo, made.id, "wang", now + 10 * SECOND)
    assert doubted(*ids) == set()
    late = do(doubts.report, ids[1], "不对", "wang", db, now)
    with pytest.raises(IllegalMove, match="过了可以撤销"):
        do(doubts.undo, late.id, "wang", now + 11 * SECOND)
    assert doubted(*ids) == {ids[1]}
    with database.read() as session:
        assert [one.reports for one in doubts.by_person(session, now)] == [1]  # what was taken back does not count


@pytest.mark.parametrize(("decision", "status"), [("pause", "paused"), ("clear", "approved")])
def test_one_decision_ends_every_report_on_an_item(db: Settings, decision: doubts.Decision, status: str) -> None:
    first, other = items(2)
    for number in ("wang", "li"):
        staff(number)
        do(doubts.report, first, "不对", number, db)
    do(doubts.report, other, "不对", "wang", db)
    with pytest.raises(InvalidInput, match="理由"):
        do(doubts.decide, first, "boss", decision, " ")
    do(doubts.decide, first, "boss", decision, "和主管部门核对过")
    with pytest.raises(IllegalMove, match="已经有人处理"):
        do(doubts.decide, first, "boss", decision, "又看了一遍")
    with pytest.raises(NotFound):
        do(doubts.decide, "nothing", "boss", decision, "没有")
    assert doubted(first, other) == {other}
    with database.read() as session:
        assert session.get_one(QA, first).status == status
        assert [one.qa.id for one in doubts.waiting(session)[0]] == [other]
        audited = session.scalar(select(AuditEntry).where(AuditEntry.action == f"qa.doubt_{decision}"))
        assert audited and audited.detail["why"] == "和主管部门核对过"
        by = {one.person: (one.paused, one.cleared) for one in doubts.by_person(session, utcnow())}
    assert by == {n: (int(decision == "pause"), int(decision == "clear")) for n in ("wang", "li")}
    assert do(doubts.report, first, "还是不对", "wang", db).marks is True  # and may be doubted again


def test_of_two_who_decide_one_does(db: Settings) -> None:
    (one,) = items(1)
    staff("wang")
    do(doubts.report, one, "不对", "wang", db)

    def decide(decision: doubts.Decision) -> bool:
        try:
            do(doubts.decide, one, "boss", decision, "核对过")
        except IllegalMove:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(decide, ("pause", "clear"))) == [False, True]


def test_it_is_reminded_of_once_after_ten_minutes(db: Settings) -> None:
    (one,) = items(1)
    staff("wang")
    now = utcnow()
    made = do(doubts.report, one, "不对", "wang", db, now)
    with database.read() as session:
        assert not doubts.unreminded(session, now + doubts.LATE)
        assert not doubts.standing(session, now + doubts.LATE).late
        last = events.newest(session)
    later = now + doubts.LATE + SECOND
    with database.read() as session:
        assert list(doubts.unreminded(session, later)) == [made.id]
        assert doubts.standing(session, later) == doubts.Standing(1, True)
        assert doubts.waiting(session)[0][0].late(later)
    for _ in range(2):
        do(doubts.remind, made.id, later)
    with database.read() as session:
        assert [(event.kind, event.subject) for event in events.since(session, last)] == [("doubt", one)]
        assert not doubts.unreminded(session, later)


def test_a_report_out_of_a_conversation_is_a_choice_too_and_goes_with_it(db: Settings) -> None:
    (one,) = items(1)
    staff("wang")
    now = utcnow()
    shown: list[choices.Shown] = [{"qa_id": one, "place": 1, "band": "likely"}]
    subject = "c" * 32
    made = do(choices.wrong, kind="conversation", subject=subject, person="wang", qa_id=one, shown=shown,
              reason="不对", settings=db, now=now)  # fmt: skip
    with database.read() as session:
        kept = session.scalars(select(Choice)).one()
        assert (kept.id, kept.what, kept.shown, kept.subject) == (made.id, "wrong", shown, subject)
    do(choices.take_back, made.id, "wang", now)
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Choice)) == 0
        assert session.get_one(Doubt, made.id).undone_at == now


def test_a_choice_is_kept_once_and_taken_back_by_its_own(db: Settings) -> None:
    def choose(person: str = "wang", **more: object) -> Choice:
        given = {
            "kind": "conversation",
            "subject": "s",
            "what": "unsuitable",
            "qa_id": "q",
            "shown": [],
            "reason": "别的事",
        }
        return do(choices.record, person=person, id="a" * 32, now=utcnow(), **(given | more))  # type: ignore[no-any-return]

    for wrong in ({"id": "zz"}, {"reason": " "}, {"shown": [{}] * 21}):
        with pytest.raises(InvalidInput):
            do(choices.record, **{"kind": "call", "subject": "s", "person": "wang", "what": "wrong", "qa_id": "q",
                                  "shown": [], "id": "b" * 32, "now": utcnow(), "reason": "不对"} | wrong)  # fmt: skip
    choose(), choose()
    with pytest.raises(InvalidInput):
        choose("li")
    with pytest.raises(NotFound):
        do(choices.undo, "a" * 32, "li")
    do(choices.undo, "a" * 32, "wang")
    with pytest.raises(NotFound):
        do(choices.undo, "a" * 32, "wang")
