"""What went wrong is grouped, decided about, taken back; nothing of it teaches anything unread."""

from __future__ import annotations

import base64
import uuid
from datetime import timedelta
from typing import Any
from zlib import crc32

import numpy as np
import pytest
import yaml
from sqlalchemy import func, select

from bot import asked, database, knowledge, review
from bot.clock import utcnow
from bot.errors import Forbidden, IllegalMove, InvalidInput, NotFound
from bot.models.asked import Asked
from bot.models.housekeeping import AuditEntry
from bot.models.knowledge import QA
from bot.models.review import NluExample, ReviewAudit, ReviewDecision, ReviewGroup, ReviewMember
from bot.models.versions import WorkingCopy
from bot.review import Wanted, audits, deciding
from bot.review.reasons import OF_ONE, Asking, figures, reasons
from bot.settings import Settings
from tests.index.test_assistant import qa
from training.review import placing

SUM = "s" * 64
DAY = timedelta(days=1)


def vector(seed: str, noise: float = 0.0) -> str:
    """A unit vector that belongs to ``seed``, moved a little."""
    base = np.random.default_rng(crc32(seed.encode())).standard_normal(32)
    moved = base / np.linalg.norm(base) + noise * np.random.default_rng(len(seed)).standard_normal(32) / 32**0.5
    return base64.b64encode((moved / np.linalg.norm(moved)).astype("<f2").tobytes()).decode()


def ask(text: str, *, about: str = "", person: str | None = None, noise: float = 0.0, **more: Any) -> str:
    """A question of a citizen that went unanswered."""
    row = {
        "id": uuid.uuid4().hex,
        "at": utcnow() - timedelta(hours=1),
        "source": asked.CITIZEN,
        "channel": "web",
        "person": person or uuid.uuid4().hex,
        "said": {"text": text, "normalised": text},
        "vector": vector(about or text, noise),
        "encoder": SUM,
        "act": "ask_policy",
        "decision": "offer",
        "probability": 0.4,
        "matter": "甲",
        "found": {"candidates": [{"qa_id": "lost", "wording": "x", "score": 1.0, "features": {}}]},
        "refused": False,
    } | more
    with database.write() as session:
        session.add(Asked(**row))
    return str(row["id"])


def arrange() -> dict[str, list[str]]:
    """Group; the texts of each group."""
    placing.arrange(utcnow(), lambda *_: None, SUM)
    with database.read() as session:
        rows = session.execute(
            select(ReviewMember.group_id, Asked.said).join(Asked, Asked.id == ReviewMember.asked_id).order_by(Asked.id)
        ).all()
    found: dict[str, list[str]] = {}
    for group, said in rows:
        found.setdefault(group, []).append(said["text"])
    return {group: sorted(texts) for group, texts in found.items()}


def group_of(asked_id: str) -> str:
    with database.read() as session:
        return session.scalars(select(ReviewMember.group_id).where(ReviewMember.asked_id == asked_id)).one()


def row(group_id: str) -> ReviewGroup:
    with database.read() as session:
        return session.get_one(ReviewGroup, group_id)


def items() -> None:
    with database.write() as session:
        knowledge.upsert(
            session, [qa("lost", "借书证丢了怎么补"), qa("fee", "借书证收费吗", similar=["办借书证要钱吗"])]
        )


def do(group: str, action: Any, by: str = "zhao", **more: Any) -> review.Done:
    (done,) = review.attempt([group], Wanted(action, **more), by)
    return done


def similar(qa_id: str) -> list[str]:
    """As the item is to say."""
    with database.read() as session:
        return list(knowledge.under_way(session, session.get_one(QA, qa_id)).similar)


def test_equal_texts_are_one_near_ones_a_group_and_nothing_is_dropped(db: Settings) -> None:
    ids = [ask("借书证不见了"), ask("借书证不见了"), ask("证丢了", about="借书证不见了", noise=0.2), ask("几点开门")]
    ask("试一试的", source=asked.TRIAL)
    ask("答对了的", decision="answer", certainty="sure", probability=0.99)
    found = arrange()
    assert sorted(found.values()) == [["借书证不见了", "借书证不见了", "证丢了"], ["几点开门"]]
    one = row(group_of(ids[0]))
    assert (one.asked, one.texts, one.week, one.candidate, one.why) == (3, 2, 3, "lost", {"unanswered": 3})
    assert one.help == pytest.approx(3 * 0.4 * 1.0)
    with database.read() as session:
        listed, total = review.listed(session, "open")
        single, _ = review.listed(session, "single")
        lines, texts = review.lines(session, one.id)
    assert total == 2 and [each.text for each in listed] == ["借书证不见了", "几点开门"]
    assert [each.text for each in single] == ["几点开门"]
    assert texts == 2 and [(each.text, each.times) for each in lines] == [("借书证不见了", 2), ("证丢了", 1)]


def test_a_group_keeps_its_id_when_more_is_asked(db: Settings) -> None:
    first = ask("借书证不见了")
    before = set(arrange())
    again = ask("证丢了", about="借书证不见了", noise=0.2)
    other = ask("几点开门")
    after = arrange()
    assert group_of(first) == group_of(again) and before < set(after) and group_of(other) not in before
    assert arrange() == after


def test_a_wording_waits_in_a_working_copy_for_another_person(db: Settings) -> None:
    items()
    one = ask("我的卡掉了")
    ask("卡掉了咋整", about="我的卡掉了", noise=0.15)
    far = ask("几点开门")
    arrange()
    group = group_of(one)
    (tried,) = review.attempt([group], Wanted("wording"), "zhao", dry=True)
    assert "加为“借书证丢了怎么补”的问法" in tried.said and row(group).open and similar("lost") == []
    with database.read() as session:
        assert not session.scalars(select(ReviewDecision)).all()
    done = do(group, "wording")
    assert not done.refused and done.settled == 2 and not row(group).open and row(group_of(far)).open
    added = similar("lost")
    assert added == [next(text for text in ("我的卡掉了", "卡掉了咋整") if text in done.said)]
    with database.read() as session:
        copy = session.get_one(WorkingCopy, "lost")
        assert (copy.state, copy.authors) == ("submitted", ["zhao"])
        assert session.get_one(QA, "lost").similar == []  # it answers as before
        assert session.scalars(select(AuditEntry).where(AuditEntry.action == "review.wording")).all()
    with pytest.raises(Forbidden), database.write() as session:
        knowledge.approve(session, "lost", "zhao")
    with database.write() as session:
        knowledge.approve(session, "lost", "zhou")
    assert similar("lost") == added
    with pytest.raises(IllegalMove), database.write() as session:
        review.decide(session, group, Wanted("ignore"), "zhao")


def test_the_wording_of_another_item_is_refused_with_which_one(db: Settings) -> None:
    items()
    one = ask("办借书证，要钱吗？")
    arrange()
    refused = do(group_of(one), "wording")
    assert refused.refused and "“借书证收费吗”（fee）" in refused.said and row(group_of(one)).open
    assert do(group_of(one), "wording", qa_id="fee").settled == 1  # known there already: nothing to approve
    with database.read() as session:
        assert not session.scalars(select(WorkingCopy)).all()
    masked = ask("我电话138****8000卡丢了")
    arrange()
    assert "打了码" in do(group_of(masked), "wording").said
    assert do(group_of(masked), "wording", text="我的卡丢了").settled == 1


def test_what_is_near_the_wording_is_settled_with_it_in_other_groups_too(db: Settings) -> None:
    items()
    one = ask("我的卡掉了")
    arrange()
    group = group_of(one)
    near = ask("卡掉了咋整", about="我的卡掉了", noise=0.2)
    with database.write() as session:  # grouped apart, as a split would leave it
        session.add(ReviewMember(asked_id=near, group_id="apart", text="t", danger=False))
        blank = {name: getattr(row(group), name) for name in ReviewGroup.__table__.columns.keys()}  # noqa: SIM118
        session.add(ReviewGroup(**(blank | {"id": "apart"})))
    done = do(group, "wording")
    assert (done.settled, done.near) == (2, 1) and not row("apart").open
    with database.write() as session:
        assert done.decision_id
        review.undo(session, done.decision_id, "zhao")
    assert row("apart").open and row(group).open and row(group).asked == 1
    with database.read() as session:
        assert session.get(WorkingCopy, "lost") is None  # as if nothing had been


def test_undoing_takes_out_what_was_approved_meanwhile_by_a_copy(db: Settings) -> None:
    items()
    one = ask("我的卡掉了")
    arrange()
    done = do(group_of(one), "wording")
    with database.write() as session:
        knowledge.approve(session, "lost", "zhou")
    with database.write() as session:
        review.undo(session, done.decision_id or "", "zhao")
    with database.read() as session:
        assert session.get_one(QA, "lost").similar == ["我的卡掉了"]  # until that is approved too
    assert similar("lost") == []
    with pytest.raises(IllegalMove, match="已经撤销"), database.write() as session:
        review.undo(session, done.decision_id or "", "zhao")


def test_a_decision_can_be_taken_back_for_seven_days(db: Settings) -> None:
    one = ask("天上的星星有几颗")
    arrange()
    done = do(group_of(one), "out_of_scope")
    with pytest.raises(IllegalMove, match="过了 7 天"), database.write() as session:
        review.undo(session, done.decision_id or "", "zhao", utcnow() + 8 * DAY)
    with database.write() as session:
        review.undo(session, done.decision_id or "", "li", utcnow() + 6 * DAY)
    assert row(group_of(one)).open


def test_another_act_becomes_a_sentence_for_the_next_training(db: Settings) -> None:
    one = ask("转[人工]坐席(快)")
    arrange()
    assert "请选一种意图" in do(group_of(one), "act", act="ask_policy").said
    done = do(group_of(one), "act", act="request_human")
    with database.read() as session:
        path = review.export_examples(session, db)
    (written,) = yaml.safe_load(path.read_text(encoding="utf-8"))["nlu"]
    assert written == {"intent": "request_human", "examples": "- 转 人工 坐席 快\n"}
    with database.write() as session:
        review.undo(session, done.decision_id or "", "zhao")
        assert not session.scalars(select(NluExample)).all()
        assert yaml.safe_load(review.export_examples(session, db).read_text(encoding="utf-8"))["nlu"] == []


def test_a_new_item_is_a_draft_and_goes_with_the_decision(db: Settings) -> None:
    one = ask("图书馆能不能带狗")
    arrange()
    assert do(group_of(one), "new").refused
    done = do(group_of(one), "new", answer="不能。")
    with database.read() as session:
        made = session.get_one(ReviewDecision, done.decision_id)
        item = session.get_one(QA, made.qa_id)
        assert (item.question, item.status, item.version) == ("图书馆能不能带狗", "draft", None)
    with database.write() as session:
        review.undo(session, made.id, "zhao")
        assert session.get_one(QA, made.qa_id).status == "paused"
    assert row(group_of(one)).open


def test_split_and_merge_stand_when_it_is_grouped_again(db: Settings) -> None:
    one, two = ask("借书证不见了"), ask("证丢了", about="借书证不见了", noise=0.2)
    other = ask("几点开门")
    arrange()
    group = group_of(one)
    assert "至少要留下一种" in do(group, "split", asked=[one, two]).said
    split = do(group, "split", asked=[two])
    assert group_of(one) == group != group_of(two)
    merged = do(group_of(other), "merge", into=group)
    assert group_of(other) == group and row(group).asked == 2
    parted = (group_of(one), group_of(two), group_of(other))
    arrange()
    assert (group_of(one), group_of(two), group_of(other)) == parted
    for done in (merged, split):
        with database.write() as session:
            review.undo(session, done.decision_id or "", "zhao")
    assert group_of(one) == group_of(two) != group_of(other)


def test_what_was_set_aside_stays_so_and_what_goes_wrong_again_comes_back(db: Settings) -> None:
    items()
    aside, worded = ask("天上的星星有几颗"), ask("我的卡掉了")
    arrange()
    do(group_of(aside), "not_ours")
    do(group_of(worded), "wording")
    ask("天上的星星有几颗"), ask("我的卡掉了")
    arrange()
    assert not row(group_of(aside)).open and not row(group_of(worded)).open
    ask("天上的星星有几颗", at=utcnow() + 8 * DAY), ask("我的卡掉了", at=utcnow() + 8 * DAY)
    arrange()
    assert not row(group_of(aside)).open and row(group_of(worded)).open and row(group_of(worded)).asked == 1


def test_one_source_that_asks_much_counts_little_and_is_shown(db: Settings) -> None:
    many = [ask("公积金取消了", person="one") for _ in range(30)]
    several = [ask("几点开门") for _ in range(3)]
    arrange()
    crowd, plain = row(group_of(many[0])), row(group_of(several[0]))
    assert (crowd.asked, crowd.week, crowd.over) == (30, OF_ONE, 30 - OF_ONE) and (plain.week, plain.over) == (3, 0)
    with database.read() as session:
        listed, _ = review.listed(session, "open")
        shown, _ = review.listed(session, "crowd")
    assert [one.text for one in listed] == ["几点开门", "公积金取消了"] and [one.text for one in shown] == [
        "公积金取消了"
    ]


def test_whoever_erases_their_conversation_takes_their_questions_along(db: Settings) -> None:
    one = ask("我的卡掉了", person=asked.person_link("c1")[0])
    other = ask("我的卡掉了")
    arrange()
    with database.write() as session:
        asked.erase(session, ["c1"])
        assert session.scalars(select(ReviewMember.asked_id)).all() == [other]
        assert review.get(session, group_of(other)).text == "我的卡掉了"
    with database.write() as session:
        session.execute(Asked.__table__.delete())
    arrange()
    with database.read() as session:
        assert not session.scalars(select(ReviewGroup)).all() and one


def test_some_are_read_by_another_person_who_is_not_told(db: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deciding, "_ONE_IN", 3)  # which ones, a hash decides: of so many some are drawn for sure
    for number in range(60):
        ask(f"第{number}颗星星多远", about=f"x{number}")
    arrange()
    with database.read() as session:
        groups = list(session.scalars(select(ReviewGroup.id)))
    for group in groups:
        do(group, "not_ours")
    with database.read() as session:
        mine, none = review.to_read(session, "zhao")
        rows, waiting = review.to_read(session, "zhou")
    assert (mine, none) == ([], 0) and 1 < waiting < 45
    with pytest.raises(Forbidden), database.write() as session:
        review.read_again(session, rows[0].id, "zhao", "not_ours")
    with database.write() as session:
        assert review.read_again(session, rows[0].id, "zhou", "not_ours").agrees
        assert review.read_again(session, rows[1].id, "zhou", "ignore").agrees is False
        assert review.agreement(session).read == 2 and review.agreement(session).agreed == 1
    with pytest.raises(IllegalMove), database.write() as session:
        review.read_again(session, rows[0].id, "li", "not_ours")


def test_the_sample_is_drawn_by_lot_and_stays_the_same(db: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audits, "DRAWN", 5)
    for number in range(20):
        ask(f"q{number}", decision="answer", certainty="sure", probability=0.99, qa_id="lost")
    ask("没答上")
    with database.write() as session:
        assert audits.draw(session, utcnow()) == 20
    with database.write() as session:
        audits.draw(session, utcnow())
        found, total = review.sample(session)
        assert (
            total == 5
            and [one.row.lot for one in found]
            == sorted(audits.lot(id_) for id_ in session.scalars(select(Asked.id).where(Asked.certainty == "sure")))[:5]
        )
        for one, verdict in zip(found, ("right", "wrong", "unclear"), strict=False):
            review.judge(session, one.asked.id, verdict, "zhao")
    with database.read() as session:
        counted = review.estimate_of(session, utcnow())
        assert (counted.drawn, counted.judged, counted.wrong) == (5, 2, 1)
        assert session.scalar(select(func.count()).select_from(ReviewAudit)) == 5
    with pytest.raises(NotFound), database.write() as session:
        review.judge(session, "?", "right", "zhao")


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, ("unanswered",)),
        ({"ticket": "待受理"}, ()),
        ({"act": "chitchat"}, ("unanswered", "act")),
        ({"decision": "clarify"}, ("vain",)),
        ({"decision": "clarify", "chosen": "a"}, ()),
        ({"decision": "answer", "helpful": False}, ("useless",)),
        ({"decision": "answer", "refused": True}, ("refused",)),
        ({"decision": "answer", "qa_id": "a", "agent_qa": "b"}, ("agent",)),
        ({"decision": "answer", "rephrased": "x"}, ("rephrased",)),
        ({"decision": "answer", "certainty": "sure", "probability": 0.81}, ("margin",)),
        ({"decision": "answer", "certainty": "sure", "probability": 0.95}, ()),
    ],
)
def test_why_a_question_is_looked_at(fields: dict[str, Any], found: tuple[str, ...]) -> None:
    plain: dict[str, Any] = {"decision": "offer", "act": "ask_policy", "found": {"answer_at": 0.8}, "refused": False}
    assert reasons(Asked(**(plain | fields))) == found


def test_an_item_that_an_agent_showed_is_the_one_in_view() -> None:
    plain: dict[str, Any] = {"decision": "offer", "act": "ask_policy", "found": {"candidates": []}, "refused": False}
    rows = [Asked(id="1", at=utcnow(), **plain), Asked(id="2", at=utcnow(), agent_qa="b", agent_edited=False, **plain)]
    found = figures([Asking(one, "t") for one in rows], utcnow())
    assert (found.candidate, found.could) == ("b", 0.95)


def test_bounds_of_a_step(db: Settings) -> None:
    for groups, wanted in (([], Wanted("ignore")), (["x"] * 51, Wanted("ignore")), (["x", "y"], Wanted("new"))):
        with pytest.raises(InvalidInput):
            review.attempt(groups, wanted, "zhao")
    assert do("x", "ignore").refused


def test_a_danger_that_was_heard_is_not_listed_as_one_that_perhaps_was_not(db: Settings) -> None:
    heard, unheard = ask("昨晚打车下车把钱包忘在后座了，打司机电话不接"), ask("路边的井盖没了，人差点掉下去")
    arrange()
    with database.read() as session:
        flags = {row.asked_id: row.danger for row in session.scalars(select(ReviewMember))}
    assert flags[unheard] and not flags[heard]
