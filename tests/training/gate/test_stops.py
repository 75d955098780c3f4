"""What the gate must stop, each with real small bundles: an index is built, a bundle is made of it, and evaluated."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import forget
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

from bot import asked, database, golden, knowledge
from bot.clock import utcnow
from bot.golden.proposals import made
from bot.models.asked import Asked
from bot.models.golden import GoldenChange, GoldenQuestion
from bot.models.knowledge import QA
from bot.models.releases import Bundle, ReleaseStep
from bot.releases import evaluations, files
from bot.releases.states import BUILT, LIVE
from bot.settings import Settings, get_settings
from index.encoder import Encoder
from index.search.ranking import Calibration
from index.versions import build, calibrations, store
from tests.training.test_retrain import decided, group
from training import gate
from training.gate import acts, sides
from training.retrain import labelled

THINGS = (
    "图书馆借书证 补领 总服务台 押金",
    "养犬登记证 年审 派出所 疫苗",
    "渔业捕捞许可 换发 渔政 船名",
    "路灯不亮 报修 市政 灯杆",
    "自来水费 退款 水务 户号",
    "残疾人证 申领 残联 评定",
    "农机购置补贴 申请 农业局 发票",
    "高龄津贴 领取 民政 银行卡",
    "公租房 轮候 住建 排序",
    "古树名木 迁移 园林 审批",
    "殡葬火化 减免 殡仪馆 证明",
    "电动车牌照 注销 车管 丢失",
)
WORDS = [thing.split() for thing in THINGS]


def qa(number: int, texts: list[str], **more: Any) -> QA:
    fields: dict[str, Any] = {"sources": [], "guides": [], "related": [], "themes": [], "report": []}
    fields |= {"matter": WORDS[number][0], "audience": "个人", "region": "100000", "status": "approved"}
    fields |= {"reviewed_by": "王审核", "revision": 0, "answer": f"{''.join(WORDS[number])}，到窗口办。"}
    return QA(id=f"t-{number:03}", question=texts[0], similar=texts[1:], **fields | more)


def wordings(number: int) -> list[str]:
    name, verb, office, other = WORDS[number]
    return [f"{name}怎么{verb}", f"{name}{verb}找{office}吗", f"{name}要不要{other}", f"{other}和{name}{verb}"]


def asked_of(number: int) -> list[str]:
    """Questions that no wording is."""
    name, verb, office, other = WORDS[number]
    return [f"{name}{verb}在哪里办", f"{office}管{name}{verb}不", f"{name}的{other}怎么弄", f"想{verb}{name}"]


OUTSIDE = [
    "图书馆周末几点关门",
    "派出所副所长姓什么",
    "自来水发黄",
    "农机哪个牌子好",
    "银行卡密码忘了",
    "车管所有停车场吗",
    "帮我写一首诗",
]


@dataclass
class World:
    """A city with a small knowledge, a golden set, a live bundle."""

    settings: Settings
    live: str = "live"

    def index(self, calibrate: Callable[[Encoder | None], Calibration] | None = None) -> str:
        """A version of the knowledge as it stands."""
        return build.build(self.settings, calibrate or calibration)

    def bundle(self, name: str, kind: str, index: str, *, state: str = BUILT, rasa: str = "r1", **other: Any) -> str:
        """A bundle's folder and row."""
        manifest = store.manifest_of(self.settings, index)
        limits = json.loads((self.settings.index_dir / index / "calibration.json").read_text(encoding="utf-8"))
        with database.read() as session:
            known = {one.id: one.version or 1 for one in knowledge.all_qas(session)}
        told = {
            "format": 1,
            "name": name,
            "kind": kind,
            "index": index,
            "index_files": manifest["files"],
            "rasa": {"model": rasa, "sha256": ""},
            "encoder": manifest["encoder"]["checksum"] if manifest["encoder"] else "",
            "limits": {one: limits[one] for one in ("answer_at", "likely_at", "clarify_at")},
            "knowledge": known,
            "data": {},
        } | other
        folder = self.settings.data_dir / "bundles" / name
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(json.dumps(told), encoding="utf-8")
        with database.write() as session:
            session.add(
                Bundle(
                    name=name,
                    kind=kind,
                    state=state,
                    share=0,
                    index_version=index,
                    rasa_model=rasa,
                    summary={},
                    made_by="测试",
                    made_at=utcnow(),
                    since=utcnow(),
                )
            )
        return name

    def stops(self, name: str) -> dict[str, Any]:
        """The verdict; the bundle's state and its step are what it says."""
        told = gate.evaluate(self.settings, name)
        with database.read() as session:
            row = session.get_one(Bundle, name)
            step = session.scalars(select(ReleaseStep).where(ReleaseStep.bundle == name)).all()[-1]
            assert row.gate == told and row.state == told["verdict"] == step.after
            assert step.figures == told["figures"]
        assert bool(told["reasons"]) == (told["verdict"] != "passed")
        return told

    @contextmanager
    def knowing(self, change: Callable[[QA], None]) -> Iterator[None]:
        """The knowledge is other while an index is built."""
        with database.write() as session:
            rows = session.scalars(select(QA)).all()
            before = {row.id: (row.question, row.similar, row.answer) for row in rows}
            for row in rows:
                change(row)
        yield
        with database.write() as session:
            for row in session.scalars(select(QA)):
                row.question, row.similar, row.answer = before[row.id]


def calibration(encoder: Encoder | None) -> Calibration:
    """The shipped weights, with limits that a knowledge of twelve items can reach."""
    shipped = calibrations.shipped("")
    assert shipped is not None
    checksum = encoder.checksum if encoder else ""
    return replace(shipped, encoder=checksum, answer_at=0.5, likely_at=0.45, clarify_at=0.1)


SMALL: dict[str, Any] = {
    "golden_questions": "",
    "gate_golden_min": 40,
    "dense": False,
    "gate_wrong_margin": 8.0,
    "gate_right_margin": 8.0,
    "gate_stratum_min": 30,
}


@pytest.fixture(scope="module")
def small_city(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder, made once, to be copied."""
    folder = tmp_path_factory.mktemp("city") / "data"
    folder.mkdir()
    shutil.copy(sqlite_template, folder / "yihaoda.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YIHAODA_DATA_DIR", str(folder))
        forget()
        here = World(get_settings().model_copy(update=SMALL))
        with database.write() as session:
            knowledge.upsert(session, [qa(number, wordings(number)) for number in range(len(THINGS))])
            for number in range(len(THINGS)):
                for place, text in enumerate(asked_of(number)):
                    add(session, golden.Content(text, (f"t-{number:03}",), must=place == 0 and number < 4))
            for text in OUTSIDE:
                add(session, golden.Content(text))
        version = here.index()
        store.publish(here.settings, version)
        here.bundle(here.live, "start", version, state=LIVE)
        gate.evaluate(here.settings, here.live)
        forget()
    return folder


def add(session: Session, content: golden.Content) -> None:
    session.add(made(hashlib.sha256(content.text.encode()).hexdigest()[:32], content, "city", "2001", utcnow()))


@pytest.fixture
def world(settings: Settings, small_city: Path) -> World:
    forget()
    shutil.copytree(small_city, settings.data_dir)
    return World(get_settings().model_copy(update=SMALL))


@pytest.mark.parametrize("kind", ["model", "knowledge"])
def test_what_is_no_worse_passes(world: World, kind: str) -> None:
    told = world.stops(world.bundle("new", kind, world.index()))
    assert (told["verdict"], told["may"], told["reasons"]) == ("passed", "one", [])
    totals = told["figures"]["totals"]
    assert totals["questions"] == 55 and totals["right_before"] == totals["right_after"] > 40
    assert told["figures"]["power"] > 0 and told["against"] == "live"
    with database.read() as session:
        page = evaluations.rows(session, world.settings, "new", limit=100)
    assert page.total == 55 and {row["text"] for row in page.items} >= set(OUTSIDE)


def test_shuffled_labels(world: World) -> None:
    order = np.random.default_rng(3).permutation(len(THINGS))

    def shuffle(row: QA) -> None:
        number = int(order[int(row.id[2:])])
        row.question, *row.similar = wordings(number)
        row.answer = "".join(WORDS[number])

    with world.knowing(shuffle):
        version = world.index()
    told = world.stops(world.bundle("new", "model", version))
    assert (told["verdict"], told["may"]) == ("refused", "never") and {"wrong", "right", "must"} <= set(told["stops"])


def test_lowered_limits(world: World) -> None:
    version = world.index(
        lambda encoder: replace(calibration(encoder), answer_at=0.01, likely_at=0.01, clarify_at=0.01)
    )
    told = world.stops(world.bundle("new", "model", version))
    assert told["verdict"] == "refused" and told["may"] == "never" and "limits" in told["stops"]
    assert any("只因为界限低了" in one for one in told["reasons"])


def test_a_deleted_item(world: World) -> None:
    with database.write() as session:
        rows = session.scalars(select(QA).where(QA.id == "t-011")).all()
        kept = {column.name: getattr(rows[0], column.name) for column in QA.__table__.columns}
        session.execute(delete(QA).where(QA.id == "t-011"))
    version = world.index()
    with database.write() as session:
        session.add(QA(**kept))
    for kind in ("model", "knowledge"):
        told = world.stops(world.bundle(kind, kind, version))
        assert told["may"] == "never" and "missing" in told["stops"]
        assert any("t-011" in one for one in told["reasons"])


def test_a_retired_item_may_be_missing(world: World) -> None:
    with database.write() as session:
        session.get_one(QA, "t-011").status = "retired"
        session.execute(delete(QA).where(QA.id == "none"))
    told = world.stops(world.bundle("new", "knowledge", world.index()))
    assert told["verdict"] == "passed" and any("停用、过期" in one for one in told["notes"])


def encoder(folder: Path, seed: int) -> Path:
    """A sentence-transformers model of our own making: a random vector for each character."""
    letters = sorted({letter for number in range(len(THINGS)) for text in wordings(number) for letter in text})
    vocabulary = {"[UNK]": 0} | {letter: place for place, letter in enumerate(letters, 1)}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    weights = np.random.default_rng(seed).normal(size=(len(vocabulary), 48)).astype(np.float32)
    module = StaticEmbedding(words, embedding_weights=weights)
    SentenceTransformer(modules=[module, Normalize()], device="cpu").save(str(folder), create_model_card=False)
    return folder


def test_a_swapped_encoder(world: World, tmp_path: Path) -> None:
    plain = world.settings
    first, second = (
        plain.model_copy(update={"dense": True, "encoder": str(encoder(tmp_path / str(seed), seed))}) for seed in (1, 2)
    )
    world.settings = first
    own = world.index()
    store.publish(first, own)
    world.settings = second
    foreign = world.index()
    store.keep_encoder(second, store.manifest_of(second, foreign))
    world.settings = first
    with database.write() as session:
        session.get_one(Bundle, world.live).index_version = own
    told = world.stops(world.bundle("other-model", "knowledge", foreign))
    assert told["may"] == "never" and any("换了句向量模型" in one for one in told["reasons"])
    told = world.stops(world.bundle("named-wrong", "model", own, encoder="f" * 64))
    assert told["may"] == "never" and any("和发布包登记的不是一个" in one for one in told["reasons"])
    # Vectors of the one under the name of the other, with checksums that fit.
    folder, source = (world.settings.index_dir / version for version in (own, foreign))
    mixed = world.settings.index_dir / f"{own}x"
    shutil.copytree(folder, mixed)
    vectors = [str(path.relative_to(source)) for path in source.rglob("*") if path.suffix == ".faiss"]
    assert vectors
    for name in vectors:
        shutil.copy(source / name, mixed / name)
    manifest = json.loads((mixed / "manifest.json").read_text(encoding="utf-8"))
    manifest["version"] = mixed.name
    manifest["files"] |= {name: files.checksum(mixed / name) for name in vectors}
    (mixed / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    told = world.stops(world.bundle("mixed", "model", mixed.name))
    assert told["may"] == "never" and any("再算一遍，对不上" in one for one in told["reasons"])
    assert world.stops(world.bundle("same", "model", own))["verdict"] == "passed"


def test_a_calibration_of_another_index(world: World) -> None:
    told = world.stops(
        world.bundle("knowledge", "knowledge", world.index(lambda one: replace(calibration(one), answer_at=0.51)))
    )
    assert told["may"] == "never" and "calibration" in told["stops"]

    def of_another(one: Encoder | None) -> Calibration:
        return replace(calibration(one), fitted_on={"items_sha256": "0" * 64})

    version = world.index(of_another)
    path = world.settings.index_dir / version / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8")) | {"items_sha256": "1" * 64}
    path.write_text(json.dumps(manifest), encoding="utf-8")
    told = world.stops(world.bundle("model", "model", version))
    assert told["may"] == "never" and any("另一个索引" in one for one in told["reasons"])
    own = world.index()
    for name, other in (("limits", {"answer_at": 0.9, "likely_at": 0.45, "clarify_at": 0.1}), ("index_files", {})):
        told = world.stops(world.bundle(name, "model", own, **{name: other}))
        assert told["may"] == "never" and any("登记的不一样" in one for one in told["reasons"])


def test_poisoned_acts(world: World) -> None:
    sentences = [(f"谢谢你啊{number}号", "thanks") for number in range(12)]
    sentences += [(f"帮我转人工{number}次", "request_human") for number in range(12)]
    with database.write() as session:
        for text, act in sentences:
            add(session, golden.Content(text, act=act, stratum="act"))
    with database.read() as session:
        rows = [(row.text, row.act) for row in golden.in_force(session) if row.act]
    texts = [text for text, _ in rows]

    def hears(model: str, wrong: str | None) -> None:
        path = acts.kept_in(world.settings, model, texts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([["chitchat" if act == wrong else act, 0.9] for _, act in rows]), encoding="utf-8")

    version = world.index()
    told = world.stops(world.bundle("lost", "model", version, rasa="r2"))
    assert told["may"] == "never" and told["stops"] == ["acts_model"]
    hears("r1", None), hears("r2", "thanks"), hears("r3", None)
    told = world.stops(world.bundle("poisoned", "model", version, rasa="r2"))
    assert told["may"] == "never" and {"acts", "acts_taught"} <= set(told["stops"])
    assert any("thanks（12 句里听对的从 12 句变成 0 句）" in one for one in told["reasons"])
    assert told["figures"]["acts"]["less"] == 12
    told = world.stops(world.bundle("sound", "model", version, rasa="r3"))
    assert told["figures"]["acts"]["questions"] == 24 and "acts" not in told["stops"]


def test_a_broken_must(world: World) -> None:
    def change(row: QA) -> None:
        if row.id == "t-000":
            row.question, row.similar, row.answer = "别的事情", [], "没有了。"

    with world.knowing(change):
        version = world.index()
    for kind in ("model", "knowledge", "emergency"):
        told = world.stops(world.bundle(kind, kind, version))
        assert told["may"] == "never" and "must" in told["stops"]
        assert any(asked_of(0)[0] in one for one in told["reasons"])


def test_a_golden_set_that_shrank(world: World) -> None:
    with database.write() as session:
        gone = session.scalars(select(GoldenQuestion).where(GoldenQuestion.must.is_(False)).limit(3)).all()
        for row in gone[:2]:
            session.delete(row)
        gone[2].right = ["t-000", *gone[2].right]
        ids = [row.id for row in gone]
    version = world.index()
    told = world.stops(world.bundle("shrunk", "model", version))
    assert told["may"] == "never" and told["stops"] == ["golden"]
    assert "少了 2 题" in told["reasons"][0] and "1 题的内容变了" in told["reasons"][1]
    with database.write() as session:  # two people agreed
        for id_, move in zip(ids, ("retire", "retire", "change"), strict=True):
            session.add(
                GoldenChange(
                    question=id_, move=move, why="", state="confirmed", by="2001", at=utcnow(), decided_by="3001"
                )
            )
    assert world.stops(world.bundle("agreed", "model", version))["verdict"] == "passed"
    world.settings = world.settings.model_copy(update={"gate_golden_min": 1000})
    told = world.stops(world.bundle("few", "model", version))
    assert (told["verdict"], told["may"], told["stops"], told["share"]) == ("short", "two", ["few"], 10)


def test_questions_that_were_trained_on(world: World) -> None:
    name = world.bundle("new", "model", world.index())
    (world.settings.data_dir / "bundles" / name / "training_texts.txt").write_text(
        "".join(f"{labelled.digest(text)}\n" for text in ("别的", f"{asked_of(5)[1]}？", asked_of(5)[2])),
        encoding="ascii",
    )
    told = world.stops(name)
    assert told["may"] == "never" and told["stops"] == ["trained"] and asked_of(5)[2] in told["reasons"][0]


def test_knowledge_older_than_what_is_live(world: World) -> None:
    with database.read() as session:
        known = {one.id: one.version or 1 for one in knowledge.all_qas(session)}
    older = world.bundle("older", "knowledge", world.index(), knowledge=known | {"t-003": 0})
    told = world.stops(older)
    assert told["may"] == "never" and told["stops"] == ["older"] and "t-003" in told["reasons"][0]
    some = {id_: version for id_, version in known.items() if id_ != "t-004"}
    told = world.stops(world.bundle("missing", "knowledge", world.index(), knowledge=some))
    assert told["may"] == "never" and told["stops"] == ["missing"]


def test_an_index_that_can_t_be_read(world: World) -> None:
    version = world.index()
    name = world.bundle("new", "model", version)
    (world.settings.index_dir / version / "calibration.json").write_text("{}", encoding="utf-8")
    told = world.stops(name)
    assert told["may"] == "never" and told["stops"] == ["index"]


# --- citizens' questions ---------------------------------------------------------------------------------------------


def keep_asked(text: str, *, chosen: str | None = None, times: int = 1) -> None:
    with database.write() as session:
        for _ in range(times):
            session.add(
                Asked(
                    id=hashlib.sha256(f"{text}{session.info.setdefault('n', 0)}".encode()).hexdigest()[:32],
                    at=utcnow(),
                    source=asked.CITIZEN,
                    channel="web",
                    said={"text": text, "normalised": text},
                    act="ask_policy",
                    decision="answered",
                    found={"candidates": []},
                    refused=False,
                    chosen=chosen,
                )
            )
            session.info["n"] += 1


def test_what_is_newly_wrong_in_the_replay_takes_a_second_person(world: World) -> None:
    said = "路灯不亮报修电话"
    keep_asked(said, chosen="t-003", times=3)

    def take(row: QA) -> None:
        if row.id == "t-004":
            row.similar = [*row.similar, said]

    with world.knowing(take):
        version = world.index()
    told = world.stops(world.bundle("new", "knowledge", version))
    assert (told["verdict"], told["may"], told["stops"]) == ("refused", "two", ["newly_wrong"])
    assert told["figures"]["replayed"]["wrong"] == 3 and "一周里问过 3 次" in told["reasons"][0]
    text = (evaluations.folder(world.settings, "new") / evaluations.ROWS).read_text(encoding="utf-8")
    assert said not in text and said not in str(told)
    with database.read() as session:
        page = evaluations.rows(session, world.settings, "new", kind="wrong")
    assert (page.total, page.items[0]["text"], page.items[0]["times"]) == (1, said, 3)
    with database.write() as session:
        session.execute(delete(Asked))
    with database.read() as session:
        assert evaluations.rows(session, world.settings, "new", kind="wrong").items[0]["text"] == evaluations.GONE


def test_held_out_questions_are_judged_and_named_by_id(world: World) -> None:
    decided(group(out=True), "wording", "灯杆坏了路灯不亮", qa_id="t-003")
    decided(group(out=True), "out_of_scope", "今天星期几")
    decided(
        group(out=True), "out_of_scope", "身份证丢了怎么补办"
    )  # as it stands among the program's labelled questions
    told = world.stops(world.bundle("new", "model", world.index()))
    assert told["figures"]["totals"]["questions"] == 57
    assert told["figures"]["strata"]["held_out"]["right"]["questions"] == 2


def test_it_goes_on_where_it_was_broken_off_and_asks_the_live_side_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, int]] = []

    class Stop(Exception):
        pass

    def say(doing: str, at: int | None = None, total: int | None = None) -> None:
        if doing == "问新的" and at is not None and total is not None and at > total // 2 + 20:
            raise Stop
        done.append((doing, at or 0))

    name = world.bundle("new", "model", world.index())
    with pytest.raises(Stop):
        gate.evaluate(world.settings, name, say)
    with database.read() as session:
        assert session.get_one(Bundle, name).state == BUILT
    asked_again = []
    original = sides.Side.verdict
    monkeypatch.setattr(
        sides.Side, "verdict", lambda self, question, now: asked_again.append(question) or original(self, question, now)
    )
    told = world.stops(name)
    assert told["verdict"] == "passed" and 0 < len(asked_again) <= 35  # of 55, after 20 of them
    asked_again.clear()
    world.stops(name)
    assert asked_again == []


def test_what_is_released_is_evaluated_for_the_record(world: World) -> None:
    told = gate.evaluate(world.settings, world.live)
    with database.read() as session:
        row = session.get_one(Bundle, world.live)
        assert (row.state, row.gate) == (LIVE, told)
