"""What a training learns from, what it freezes, what it looks at first, and the bundle that it makes."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from bot import database, jobs, knowledge, releases
from bot.clock import utcnow
from bot.errors import InvalidInput
from bot.models.asked import Asked
from bot.models.releases import Bundle
from bot.models.review import NluExample, ReviewAudit, ReviewDecision, ReviewMember
from bot.releases import files
from bot.review.deciding import _blank
from bot.settings import ROOT, Settings
from connectors.jobs import steps
from index.search.retriever import Item
from index.versions import build, store
from tests.bot.test_review import ask
from tests.index.test_assistant import qa
from training import fit, gate, rasa_model
from training.fit import Question
from training.retrain import bundle, frozen, labelled, making, preflight
from training.retrain import knowledge as knowledge_releases

NOW = utcnow()


def group(*, out: bool = False) -> str:
    """The id of a review group that is, or is not, held out."""
    made = next(one for one in iter(lambda: uuid.uuid4().hex, None) if labelled.held_out(one, None) == out)
    with database.write() as session:
        session.add(_blank(made))
    return made


def person(*, out: bool = False) -> str:
    """A blind index that is, or is not, held out."""
    return next(one for one in iter(lambda: uuid.uuid4().hex, None) if labelled._falls("person", one) == out)


def decided(group_id: str, action: str, *texts: str, qa_id: str | None = None, **more: Any) -> str:
    """A decision about a group of these questions, each of another person; the decision's id."""
    who: Mapping[str, str] = more.pop("who", {})
    source = more.pop("source", "市民")
    made = {
        "id": uuid.uuid4().hex,
        "group_id": group_id,
        "action": action,
        "qa_id": qa_id,
        "wording": texts[0] if action == "wording" else None,
        "detail": {},
        "by": "2001",
        "at": NOW,
        "settled": len(texts),
        "twice": False,
    } | more
    asked = [ask(text, person=who.get(text) or person(), source=source) for text in texts]
    with database.write() as session:
        session.add(ReviewDecision(**made))
        session.add_all(ReviewMember(asked_id=one, group_id=group_id, text=one, decision=made["id"]) for one in asked)
    return str(made["id"])


def judged(text: str, verdict: str, qa_id: str = "sfz-001") -> None:
    one = ask(text, person=person(), qa_id=qa_id, certainty="likely")
    while labelled.held_out(one, None):  # in no group: the question's own id counts
        with database.write() as session:
            new = uuid.uuid4().hex
            session.execute(update(Asked).where(Asked.id == one).values(id=new))
            one = new
    with database.write() as session:
        session.add(ReviewAudit(asked_id=one, lot="0", verdict=verdict, by="2001", at=NOW))


def gathered() -> labelled.Labelled:
    with database.read() as session:
        return labelled.gather(session)


def told(found: labelled.Labelled) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    return {one.text: (one.right, one.wrong) for one in found.trained}


# --- what people decided ---------------------------------------------------------------------------------------------


def test_only_what_a_person_decided_teaches(db: Settings) -> None:
    decided(group(), "wording", "身份证咋弄", "和它很近的一句", qa_id="sfz-001")
    decided(group(), "new", "夜市几点收摊", "夜市摆到几点", qa_id="ys-001")
    decided(group(), "out_of_scope", "你吃了吗")
    decided(group(), "not_ours", "外省的房子怎么过户")
    decided(group(), "ignore", "嗯嗯嗯")
    decided(group(), "act", "转人工吧", act="request_human")
    decided(group(), "wording", "撤销了的", qa_id="sfz-001", undone_at=NOW, undone_by="2001")
    decided(group(), "wording", "两人不一致的", qa_id="sfz-001", agrees=False, second_by="2002")
    decided(group(), "out_of_scope", "试一试里问的", source="试一试")
    decided(group(), "out_of_scope", "评测里问的", source="评测")
    judged("抽到的对的", "right")
    judged("抽到的错的", "wrong")
    judged("抽到的看不出的", "unclear")
    ask("没有人看过的", helpful=True, qa_id="sfz-001")
    assert told(gathered()) == {
        "身份证咋弄": (("sfz-001",), ()),
        "夜市几点收摊": (("ys-001",), ()),
        "夜市摆到几点": (("ys-001",), ()),
        "你吃了吗": ((), ()),
        "外省的房子怎么过户": ((), ()),
        "抽到的对的": (("sfz-001",), ()),
        "抽到的错的": ((), ("sfz-001",)),
    }


def test_a_fifth_is_held_out_by_group_and_by_person_and_so_is_whatever_says_the_same(sqlite_db: Settings) -> None:
    decided(group(out=True), "out_of_scope", "这一组从不训练")
    decided(group(), "out_of_scope", "这个人说的从不训练", "别人说的可以", who={"这个人说的从不训练": person(out=True)})
    decided(group(), "out_of_scope", "这一组从不训练", "别的")
    found = gathered()
    assert {one.text for one in found.held_out} == {"这一组从不训练", "这个人说的从不训练"}
    assert set(told(found)) == {"别人说的可以", "别的"}
    many = [uuid.uuid4().hex for _ in range(4000)]
    assert 0.17 < sum(labelled.held_out(one, None) for one in many) / len(many) < 0.23
    assert labelled.held_out("0" * 32, None) == labelled.held_out("0" * 32, None)
    assert [one for one in ("a", "b", "c", "d", "e", "f", "g", "h") if labelled.held_out(one, None)] == HELD_FOR_EVER


HELD_FOR_EVER = ["d"]
"""Of a…h: were the hash another one, what was held out until now would be trained on"""


def test_what_was_held_out_once_stays_so_when_groups_merge_and_keys_change(db: Settings) -> None:
    out = group(out=True)
    decided(out, "out_of_scope", "从不训练的一句")
    with database.write() as session:
        labelled.remember(session, labelled.gather(session))
        labelled.remember(session, labelled.gather(session))
    into = group()
    with database.write() as session:  # by a merge, and a decision about the whole
        session.execute(update(ReviewMember).values(group_id=into))
        session.execute(update(ReviewDecision).values(group_id=into))
        session.execute(update(Asked).values(person=person()))
    decided(into, "out_of_scope", "从不训练的一句", "别的一句")
    assert set(told(gathered())) == {"别的一句"}


def test_one_person_teaches_little_and_what_is_contested_nothing(sqlite_db: Settings) -> None:
    texts = [f"他说的第{number}句" for number in range(8)]
    decided(group(), "out_of_scope", *texts, who=dict.fromkeys(texts, person()))
    decided(group(), "out_of_scope", "两种说法")
    decided(group(), "wording", "两种说法", qa_id="sfz-001")
    found = gathered()
    assert len(found.trained) == labelled.MOST_OF_ONE and found.over == 3 and found.contested == 1


def test_a_label_holds_as_far_as_the_knowledge_does() -> None:
    def label(text: str, right: tuple[str, ...] = (), wrong: tuple[str, ...] = ()) -> labelled.Label:
        return labelled.Label(text, right, wrong, "g", NOW, held_out=False)

    labels = [label("甲", ("a",)), label("没了", ("gone",)), label("无"), label("错", wrong=("a",))]
    since = {"a": NOW - timedelta(days=9), "b": NOW + timedelta(days=1)}
    found = {one.text: one for one in labelled.questions(labels, {"a": "甲事", "b": "乙事"}, since)}
    assert set(found) == {"甲", "无", "错"}
    old, new = (Item(id_, matter, "100000", "个人", ("问",), "答") for id_, matter in (("a", "甲事"), ("b", "乙事")))
    sister = Item("b", "甲事", "100000", "个人", ("问",), "答")
    assert found["甲"].verdict(old, frozenset({"甲事"})) is True
    assert found["甲"].verdict(new, frozenset({"甲事"})) is False, "another matter"
    assert found["甲"].verdict(sister, frozenset({"甲事"})) is None, "it came later, and may answer too"
    assert found["无"].verdict(old, frozenset()) is False
    assert found["无"].verdict(new, frozenset()) is None, "nobody has judged what came later"
    assert found["错"].verdict(old, frozenset()) is False and found["错"].verdict(new, frozenset()) is None


def test_our_own_questions_hold_for_a_city_s_knowledge_as_far_as_its_items_are_there(sqlite_db: Settings) -> None:
    starter = fit.starter_items()
    kept = [item for item in starter if item.id.startswith("sfz-")]
    own = Item("own-1", kept[0].matter, "100000", "个人", ("本市的问法",), "答")
    with database.write() as session:
        knowledge.upsert(session, [qa(item.id, item.texts[0], matter=item.matter) for item in [*kept, own]])
    decided(group(), "out_of_scope", "外星人管不管")
    data = frozen.freeze(sqlite_db.data_dir / "training" / "x", "", NOW)
    ours, decided_, follow_ups = making.labels(data, data.source.items)
    questions = [*ours, *decided_]
    ids = {item.id for item in data.source.items}
    assert all(one.right <= ids for one in questions) and all(one.before_qa in ids for one in follow_ups)
    foreign = [one for one in ours if one.ours and one.group not in {item.matter for item in kept}]
    assert len(foreign) > 1000 and not any(one.right - ids for one in foreign), (
        "what only absent items answer has no answer"
    )
    assert {one.text for one in decided_} == {"外星人管不管"} and "身份证丢了怎么补办" in {one.text for one in ours}
    assert "没有答案的" not in making._lacking(questions, follow_ups), "ours without an answer hold everywhere"
    assert "有答案的" in making._lacking(questions, follow_ups)


# --- frozen data -----------------------------------------------------------------------------------------------------


def known(settings: Settings, count: int = 6) -> None:
    with database.write() as session:
        items = fit.starter_items()[:count]
        knowledge.upsert(session, [qa(one.id, one.texts[0], matter=one.matter) for one in items])


def test_what_is_frozen_is_read_again_and_nothing_else_and_a_change_is_noticed(db: Settings) -> None:
    known(db)
    decided(group(), "out_of_scope", "手机13800138000的秘密")
    target = db.data_dir / "training" / "job"
    data = frozen.freeze(target, "sum", NOW)
    with database.write() as session:
        knowledge.upsert(session, [qa("later", "晚来的问题")])
    decided(group(), "out_of_scope", "晚来的提问")
    again = frozen.freeze(target, "sum", NOW)  # the step runs twice
    assert again.manifest == data.manifest and [one.text for one in again.trained] == ["手机13800138000的秘密"]
    assert "later" not in {item.id for item in again.source.items} and again.encoder == "sum"
    assert all("秘密" not in path.read_text("utf-8") for path in target.iterdir()), "encrypted, as in the database"
    items = target / frozen.ITEMS
    items.write_text(items.read_text("utf-8").replace("答案", "答桉"), "utf-8")
    with pytest.raises(frozen.FrozenDataChanged, match=r"items\.jsonl"):
        frozen.open_(target)


def test_what_trainings_left_behind_goes_after_a_week(sqlite_db: Settings) -> None:
    known(sqlite_db)
    target = sqlite_db.data_dir / "training" / "job"
    frozen.freeze(target, "", NOW)
    assert frozen.forget_old(sqlite_db, utcnow() + timedelta(days=6)) == 0 and target.exists()
    assert frozen.forget_old(sqlite_db, utcnow() + timedelta(days=8)) == 1 and not target.exists()


def test_another_encoder_than_the_frozen_one_is_refused(sqlite_db: Settings) -> None:
    known(sqlite_db)
    target = sqlite_db.data_dir / "training" / "job"
    frozen.freeze(target, "another", NOW)
    for step in (making.build_index, making.calibrate):
        with pytest.raises(frozen.FrozenDataChanged, match="句向量模型"):
            step(sqlite_db.model_copy(update={"dense": False}), target, lambda *_: None, lambda _: None)


def test_everything_amiss_is_said_at_once(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    known(sqlite_db, 2)
    with database.write() as session:
        session.add(NluExample(id="1", act="no_such_act", text="啊", decision="d", by="2001", at=NOW))
    monkeypatch.setattr(preflight, "_ROOM", 10**18)
    monkeypatch.setattr(preflight, "_MEMORY", 10**18)
    with pytest.raises(InvalidInput) as refused:
        preflight.look(sqlite_db.model_copy(update={"encoder": "/nowhere/model"}))
    said = str(refused.value)
    for part in ("问答只有 2 条", "no_such_act", "磁盘只剩", "内存只有", "例句太少", "语义模型"):
        assert part in said, (part, said)


def test_with_all_in_place_it_counts(sqlite_db: Settings) -> None:
    known(sqlite_db)
    with database.write() as session:
        session.add(NluExample(id="1", act="thanks", text="谢啦", decision="d", by="2001", at=NOW))
    found = preflight.look(sqlite_db)
    assert found.items == 6 and found.sentences["thanks"] == preflight.project_sentences()["thanks"] + 1


# --- Rasa, bundles ---------------------------------------------------------------------------------------------------


def test_reviewers_sentences_make_another_model_and_none_make_ours(sqlite_db: Settings) -> None:
    known(sqlite_db)
    empty = frozen.freeze(sqlite_db.data_dir / "training" / "empty", "", NOW).overlay
    with database.write() as session:
        session.add(NluExample(id="1", act="thanks", text="谢啦[老铁](x)", decision="d", by="2001", at=NOW))
    some = frozen.freeze(sqlite_db.data_dir / "training" / "some", "", NOW).overlay
    assert rasa_model.examples(some) == {"thanks": ["谢啦 老铁  x"]}
    ours = rasa_model.model_id(ROOT)
    assert rasa_model.model_id(ROOT, empty) == ours != rasa_model.model_id(ROOT, some)
    assert making.there_already(sqlite_db, some) is None


def _index(settings: Settings) -> str:
    return build.build(settings, lambda encoder: fit.calibration_for(encoder))


def test_a_knowledge_bundle_is_the_live_one_with_another_index(sqlite_db: Settings) -> None:
    settings = sqlite_db.model_copy(update={"dense": False})
    known(settings)
    version = _index(settings)
    assert knowledge_releases.knowledge_bundle(settings, version, "2001") is None, "nothing is live"
    model = files.model_file(settings, "m1")
    model.parent.mkdir(parents=True)
    model.write_bytes(b"a model")
    made = bundle.Made("model", version, "m1", "version: '3.1'\n", {"a": "b"}, ["t2", "t1"])
    first = bundle.make(settings, "first", made, "2001")
    assert bundle.make(settings, "first", made, "2001").made_at == first.made_at, "the step runs twice"
    with database.write() as session:
        session.get_one(Bundle, "first").state = releases.states.LIVE
    known(settings, 8)
    second = _index(settings)
    name = knowledge_releases.knowledge_bundle(settings, second, "2001")
    assert name is not None
    manifest = json.loads((files.folder(settings, name) / files.MANIFEST).read_text("utf-8"))
    assert manifest["kind"] == "knowledge" and manifest["index"] == second and manifest["rasa"]["model"] == "m1"
    assert manifest["data"] == {"a": "b"} and manifest["overlay"]
    assert (files.folder(settings, name) / files.TEXTS).read_text("ascii") == "t1\nt2\n"
    assert manifest["index_files"] == store.manifest_of(settings, second)["files"]
    with database.read() as session:
        row = session.get_one(Bundle, name)
        assert (row.state, row.rasa_model, row.summary["before"]) == ("built", "m1", "first")
        assert releases.pinned(session)[0] == {version, second}


def test_a_city_s_own_limits_stay_when_its_knowledge_is_rebuilt(sqlite_db: Settings) -> None:
    settings = sqlite_db.model_copy(update={"dense": False})
    known(settings)
    shipped = fit.calibration_for(None)
    assert knowledge_releases.as_in_use(settings)[1](None) == shipped
    own = replace(shipped, answer_at=0.97, fitted_on=shipped.fitted_on | {"items_sha256": "x"})
    store.publish(settings, build.build(settings, lambda _: own))
    assert not store.stale(settings) and store.differences(settings) == []
    assert knowledge_releases.as_in_use(settings)[1](None) == own


def test_two_builds_leave_each_other_s_drafts_alone(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = sqlite_db.model_copy(update={"dense": False})
    known(settings)
    dead = settings.index_dir / ".building-dead"
    dead.mkdir(parents=True)
    versions: list[str] = []

    def between(name: str) -> None:
        if name == "manifest written" and not versions:
            versions.append("")
            versions.append(_index(settings))

    monkeypatch.setattr(store, "step", between)
    versions.append(_index(settings))
    assert {one["version"] for one in store.versions(settings)} == set(versions[1:]) and not dead.exists()


def test_questions_whose_truth_nobody_knows_fit_nothing() -> None:
    items = [Item(f"q{n}", f"事{n % 7}", "100000", "个人", (f"第{n}件事怎么办", f"问{n}"), "答") for n in range(30)]
    retriever = fit.Retriever.build(items, None)
    questions = [Question(f"想问第{n}件事咋办", frozenset({f"q{n}"}), f"g{n % 9}") for n in range(28)]
    doubtful = [Question("想问第29件事咋办", frozenset(), "x", unjudged=frozenset(item.id for item in items))]
    examples = fit.labelled(retriever, [*questions, *doubtful])
    rankings = fit._ranked_unseen(examples)
    assert len(examples) == 29 and "想问第29件事咋办" not in {example.text for example, _ in rankings}
    assert sum(example.verdict(ranked) is True for example, ranked in rankings) >= 25


class _Work:
    """As much of a job as its steps look at."""

    def __init__(self, settings: Settings, kind: str) -> None:
        with database.write() as session:
            made = jobs.request(session, kind, "2001")
        with database.read() as session:
            self.job = jobs.find(session, made)
        self.settings, self.results, self.lines = settings, {}, list[str]()

    def progress(self, doing: str, done: int | None = None, total: int | None = None) -> None:
        self.lines.append(doing)

    def log(self, line: str) -> None:
        self.lines.append(line)

    def run(self) -> None:
        for step in steps.STEPS[self.job.kind]:
            self.results[step.name] = step.call(self)


def _gate(monkeypatch: pytest.MonkeyPatch, verdict: str) -> None:
    """A gate that says so."""

    def evaluate(settings: Settings, name: str, say: Any) -> None:
        with database.write() as session:
            row = session.get_one(Bundle, name)
            row.state, row.gate = verdict, {"verdict": verdict, "reasons": [], "may": "one"}

    monkeypatch.setattr(gate, "evaluate", evaluate)


@pytest.mark.parametrize(("verdict", "put_to_use"), [("passed", True), ("refused", False)])
def test_after_an_approval_the_index_goes_out_where_the_gate_passes_it(
    sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch, verdict: str, put_to_use: bool
) -> None:
    settings = sqlite_db.model_copy(update={"dense": False})
    known(settings)
    first = _Work(settings, "index")
    first.run()
    before = store.pointer(settings)[0]
    assert before == first.results["build"] and first.results["bundle"] is None, "no bundle was ever live"
    files.model_file(settings, "m1").parent.mkdir(parents=True)
    files.model_file(settings, "m1").write_bytes(b"a model")
    bundle.make(settings, "first", bundle.Made("start", before, "m1", ""), "2001")
    with database.write() as session:
        session.get_one(Bundle, "first").state = "live"
    _gate(monkeypatch, verdict)
    known(settings, 7)
    second = _Work(settings, "index")
    second.run()
    assert store.pointer(settings)[0] == (second.results["build"] if put_to_use else before)
    with database.read() as session:
        assert session.get_one(Bundle, second.results["bundle"]).state == ("live" if put_to_use else verdict)
