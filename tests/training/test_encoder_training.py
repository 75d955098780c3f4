"""Training the encoder in small: sets and batches, the network, every stage, interruption, the whole pipeline."""

import json
import shutil
import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from index.encoder import load_encoder
from training.encoder import contrastive, masked, table
from training.encoder.batches import Set, draw, text_key, tokenise
from training.encoder.contrastive import Contrast, batch_loss, pair_loss, train
from training.encoder.evaluate import held_out_items
from training.encoder.export import save_reader, save_table
from training.encoder.masked import MaskedPlan, hide, pretrain
from training.encoder.mining import with_mined_negatives
from training.encoder.model import MAX_TOKENS, PAD, Reader, Shape, with_special_tokens
from training.encoder.pairs import Item, Pair, Source, item_sources, read_items
from training.encoder.table import TablePlan, new_table, table_loss, train_table
from training.encoder.tokenizer import unigram_tokenizer
from training.encoder.train import Plan, read_plan, run, with_own, without

PAIRS = [
    Pair("丢了身份证", "补领居民证件", ("办理护照",)),
    Pair("失业了", "保险金申领"),
    Pair("租房子", "公积金提取"),
    Pair("领证结婚", "婚姻登记"),
    Pair("外地看病", "异地就医"),
    Pair("出国", "办理护照"),
]
SHAPE = Shape(dim=16, layers=2, heads=2, inner=32)
TABLE = TablePlan(batch=8, steps=120, learning_rate=0.02, seed=3)
CONTRAST = Contrast(steps=60, batch=8, learning_rate=2e-3, table_rate=0.05, warm_up=5, token_dropout=0.0, seed=3)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)  # tiny steps: several threads only wait for each other


@pytest.fixture(scope="module")
def words() -> Tokenizer:
    texts = "".join(text for pair in PAIRS for text in (pair.anchor, pair.positive, *pair.negatives))
    return unigram_tokenizer(dict.fromkeys([*texts, "身份证", "公积金"], 1))


@pytest.fixture(scope="module")
def sets(words: Tokenizer) -> list[Set]:
    return [tokenise(words, Source("small", 1.0, PAIRS))]


def new_reader(words: Tokenizer, weight: torch.Tensor | None = None) -> Reader:
    torch.manual_seed(5)
    return Reader(with_special_tokens(words), SHAPE, weight)


def table_of(words: Tokenizer) -> torch.Tensor:
    return torch.randn(words.get_vocab_size(), SHAPE.dim, generator=torch.Generator().manual_seed(1))


def test_kept_sets_are_read_back(sets: list[Set], tmp_path: Path) -> None:
    sets[0].save(tmp_path / "small.npz")
    back = Set.load(tmp_path / "small.npz", "small", 1.0)
    assert np.array_equal(back.anchors.ids, sets[0].anchors.ids)
    assert back.negatives_of.tolist() == [0, 1, 1, 1, 1, 1, 1]


def test_a_batch_marks_equal_texts_and_brings_hard_negatives(words: Tokenizer) -> None:
    pairs = [*PAIRS, Pair("身份证，丢了", "补领居民证件"), Pair("失业了！", "申领")]
    batch = draw([tokenise(words, Source("small", 1.0, pairs))], 8, 0.0, np.random.default_rng(1))
    place = {row: index for index, row in enumerate(batch.rows.tolist())}
    assert sorted(place) == list(range(8))
    assert batch.same[place[0], place[6]] and batch.same[place[1], place[7]]  # by the positive, by the anchor
    assert batch.same.sum() == 4 and not batch.same.diagonal().any()
    assert batch.hard.tolist() == [0]


def test_plain_text_is_drawn_by_its_share_and_in_runs(words: Tokenizer) -> None:
    many = [Pair(f"{a.anchor}{i}", a.positive) for i in range(40) for a in PAIRS]
    both = [tokenise(words, Source(name, 1.0, many)) for name in ("labelled", "text:plain")]
    rng = np.random.default_rng(2)
    drawn = [draw(both, 16, 0.25, rng) for _ in range(400)]
    plain = [batch for batch in drawn if batch.chosen.name == "text:plain"]
    assert 0.17 < len(plain) / len(drawn) < 0.33
    runs = [batch for batch in plain if (np.diff(batch.rows) == 1).sum() >= 12]
    assert 0.3 < len(runs) / len(plain) < 0.7
    assert {batch.chosen.name for batch in (draw(both[1:], 16, 0.0, rng) for _ in range(5))} == {"text:plain"}


def test_equal_texts_are_no_negatives() -> None:
    vectors = torch.eye(3)
    twice = torch.stack([vectors[0], vectors[0], vectors[2]])
    same = torch.zeros(3, 3, dtype=torch.bool)
    assert pair_loss(vectors, vectors, None, same, 0.05) < 1e-6
    assert pair_loss(twice, twice, None, same, 0.05) > 0.4
    same[0, 1] = same[1, 0] = True
    assert pair_loss(twice, twice, None, same, 0.05) < 1e-6
    assert pair_loss(vectors, vectors, vectors[:1], torch.zeros_like(same), 0.05) > 0.1


def test_mined_negatives_look_alike_but_are_others() -> None:
    passages = [f"身份证补领要带户口簿和照片，第{i}种情形" for i in range(3)] + [
        f"{what}应当在三十日内申请"
        for what in ("身份证换领", "身份证办理", "护照换发", "出境通行", "租房提取", "婚姻登记")
    ]
    source = Source("small", 1.0, [Pair("身份证补领要带什么", passages[0]), Pair("护照换发", passages[5])])
    mined = with_mined_negatives(source, passages, wanted=2, seed=1)
    assert mined == with_mined_negatives(source, passages, wanted=2, seed=1)
    assert 1 <= len(mined.pairs[0].negatives) <= 2
    assert not set(mined.pairs[0].negatives) & set(passages[:3])  # nearly the same text
    assert set(mined.pairs[0].negatives) <= set(passages)


def test_the_table_brings_partners_together(words: Tokenizer, sets: list[Set], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    still = replace(TABLE, token_dropout=0.0)
    batch = draw(sets, 8, 0.0, rng)
    before = table_loss(table_of(words), batch, still, rng)
    after = table_loss(train_table(sets, new_table(words.get_vocab_size(), 16, 3), TABLE, tmp_path), batch, still, rng)
    assert after < 0.3 < before


def test_the_reader_starts_as_the_table_of_its_words(words: Tokenizer) -> None:
    weight = table_of(words)
    reader = new_reader(words, weight).eval()
    ids = words.encode("丢了身份证").ids
    with torch.no_grad():
        vector = reader(torch.tensor(ids), torch.tensor([0, len(ids)]))[0]
    centred = weight[ids] - weight[ids].mean(dim=1, keepdim=True)  # normalising a layer does that
    mean = torch.nn.functional.normalize(centred.mean(0), dim=0)
    assert float(vector @ mean) > 0.95


def test_the_reader_sees_word_order_and_no_padding(words: Tokenizer, sets: list[Set], tmp_path: Path) -> None:
    reader = new_reader(words)
    train(reader, sets, replace(CONTRAST, steps=10), tmp_path, "short")
    texts = [words.encode(text).ids for text in ("失业保险金", "金险保业失", "失业保险金申领外地看病")]
    starts = torch.tensor(np.cumsum([0, *map(len, texts)]))
    with torch.no_grad():
        together = reader(torch.tensor([token for ids in texts for token in ids]), starts)
        alone = torch.cat([reader(torch.tensor(ids), torch.tensor([0, len(ids)])) for ids in texts])
    assert torch.allclose(together, alone, atol=1e-5)
    assert not torch.allclose(together[0], together[1], atol=1e-4)


def test_a_word_is_near_its_characters_once_they_are_trained(words: Tokenizer) -> None:
    reader = new_reader(words)
    with torch.no_grad():
        reader.characters.normal_()
        row = words.token_to_id("身份证")
        assert row is not None
        ids = torch.tensor([row])
        spelt = reader.rows(ids)[0] - reader.words[row]
        known = {words.id_to_token(i): i for i in range(words.get_vocab_size())}
        single = [reader.rows(torch.tensor([known[c]]))[0] - reader.words[known[c]] for c in "身份证"]
    assert torch.allclose(spelt, torch.stack(single).mean(0), atol=1e-5)


def test_contrastive_training_brings_partners_together(words: Tokenizer, sets: list[Set], tmp_path: Path) -> None:
    reader = new_reader(words)
    rng = np.random.default_rng(0)
    batch = draw(sets, 8, 0.0, rng)
    before = batch_loss(reader, batch, CONTRAST, rng)
    train(reader, sets, CONTRAST, tmp_path, "contrast")
    assert batch_loss(reader, batch, CONTRAST, rng) < 0.3 < before


class Cut(Exception):
    """Stands for the power going off."""


@pytest.mark.parametrize("stage", ["table", "contrast", "masked"])
def test_an_interrupted_stage_goes_on_to_the_same_weights(
    words: Tokenizer, sets: list[Set], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    stream = np.concatenate([np.arange(1, words.get_vocab_size(), dtype=np.int32)] * 3)

    def go(work: Path) -> torch.Tensor:
        work.mkdir(exist_ok=True)
        if stage == "table":
            start = new_table(words.get_vocab_size(), 16, 3)
            return train_table(sets, start, replace(TABLE, steps=30), work, save_every=20)
        reader = new_reader(words)
        if stage == "contrast":
            train(reader, sets, replace(CONTRAST, steps=30), work, "contrast", save_every=20)
        else:
            pretrain(reader, stream, MaskedPlan(steps=30, batch=4, length=8, warm_up=5), work, save_every=20)
        return reader.words.detach()

    whole = go(tmp_path / "whole")
    module, name = {"table": (table, "draw"), "contrast": (contrastive, "draw"), "masked": (masked, "hide")}[stage]
    real, calls = getattr(module, name), iter(range(25))

    def until_the_cut(*args: object) -> object:
        if next(calls, None) is None:
            raise Cut
        return real(*args)

    with monkeypatch.context() as patch, pytest.raises(Cut):
        patch.setattr(module, name, until_the_cut)
        go(tmp_path / "cut")
    saved = torch.load(next((tmp_path / "cut").glob("*.pt")), weights_only=True)
    assert saved["step"] == 20
    assert torch.allclose(go(tmp_path / "cut"), whole, atol=1e-6)


def test_hiding_follows_the_usual_shares() -> None:
    ids = np.full((200, 200), 7, dtype=np.int64)
    seen, chosen = hide(ids, 0.15, mask=99, words=50, rng=np.random.default_rng(1))
    assert chosen.mean() == pytest.approx(0.15, abs=0.01)
    assert (seen[~chosen] == 7).all()
    assert (seen[chosen] == 99).mean() == pytest.approx(0.8, abs=0.02)
    assert (seen[chosen] == 7).mean() == pytest.approx(0.1 + 0.1 / 49, abs=0.02)


def test_pretraining_learns_to_guess(words: Tokenizer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stream = np.tile(np.arange(1, 9, dtype=np.int32), 50)  # every word has the same neighbours
    pretrain(
        new_reader(words), stream, MaskedPlan(steps=600, batch=16, length=16, learning_rate=5e-3, warm_up=10), tmp_path
    )
    losses = [float(line.split("loss ")[1].split(",")[0]) for line in capsys.readouterr().out.splitlines()]
    assert losses[-1] < losses[0] / 2


def test_the_exported_model_gives_the_readers_vectors(words: Tokenizer, sets: list[Set], tmp_path: Path) -> None:
    reader = new_reader(words)
    train(reader, sets, replace(CONTRAST, steps=20), tmp_path, "contrast")
    save_reader(tmp_path / "model", with_special_tokens(words), reader)
    encoder = load_encoder(str(tmp_path / "model"))
    for text in ("丢了身份证", "，公积金 提取！", "外地看病" * 200):
        ids = words.encode(text).ids[: MAX_TOKENS - 1]
        with torch.no_grad():
            wanted = reader(torch.tensor(ids), torch.tensor([0, len(ids)]))[0]
        assert np.allclose(encoder.encode([text])[0], wanted.numpy(), atol=5e-3)
    names = {path.name for path in (tmp_path / "model").rglob("*") if path.is_file()}
    assert "model.safetensors" in names and not any(name.endswith((".py", ".bin")) for name in names)
    assert PAD in (tmp_path / "model" / "tokenizer.json").read_text(encoding="utf-8")


def test_a_saved_table_is_half_precision_and_loads(words: Tokenizer, tmp_path: Path) -> None:
    weight = table_of(words)
    save_table(tmp_path / "model", words, weight)
    assert (tmp_path / "model" / "model.safetensors").stat().st_size < weight.numel() * 2 + 1000
    vector = load_encoder(str(tmp_path / "model")).encode(["身份证"])[0]
    row = weight[words.encode("身份证").ids[0]].half().float()
    assert np.allclose(vector, (row / row.norm()).numpy(), atol=1e-3)


def test_held_out_items_are_never_trained_on(tmp_path: Path) -> None:
    rows = [
        {"id": f"sfz-{i:03}", "question": f"问题{i}", "similar": [f"说法{i}甲", f"说法{i}乙"], "answer": f"答案{i}\n"}
        for i in range(60)
    ]
    # JSON is YAML.
    (tmp_path / "a.yaml").write_text(
        json.dumps({"matter": "身份证", "qas": rows}, ensure_ascii=False), encoding="utf-8"
    )
    items = read_items(tmp_path)
    held = {item.id for item in items if item.held_out}
    assert 3 <= len(held) <= 18
    assert {item.id for item in reversed(items[20:]) if item.held_out} <= held
    sources = item_sources(items, seed=1)
    texts = {t for s in sources for p in s.pairs for t in (p.anchor, p.positive, *p.negatives)}
    for item in items:
        own = {item.question, item.answer, *item.similar}
        assert own.isdisjoint(texts) if item.held_out else own <= texts
    assert all(len(pair.negatives) == 4 and pair.positive not in pair.negatives for s in sources for pair in s.pairs)
    everything = {
        t for s in item_sources(items, seed=1, all_items=True) for p in s.pairs for t in (p.anchor, p.positive)
    }
    assert everything == {t for item in items for t in (item.question, item.answer, *item.similar)}


def test_own_items_get_their_share(words: Tokenizer, sets: list[Set]) -> None:
    own = [
        tokenise(words, Source("own:questions", 1.0, PAIRS[:3])),
        tokenise(words, Source("own:answers", 1.0, PAIRS[3:])),
    ]
    mixed = with_own([*sets, tokenise(words, Source("text:x", 9.0, PAIRS))], own, 0.3)
    weight = {chosen.name: len(chosen) * chosen.weight for chosen in mixed if not chosen.name.startswith("text:")}
    assert (weight["own:questions"] + weight["own:answers"]) / sum(weight.values()) == pytest.approx(0.3)


def test_bench_questions_are_dropped() -> None:
    kept = without([Source("small", 1.0, PAIRS)], frozenset({text_key("失业了？"), text_key("办理护照")}))
    assert [pair.anchor for pair in kept[0].pairs] == ["丢了身份证", "租房子", "领证结婚", "外地看病"]


def test_held_out_items_are_measured() -> None:
    items = [
        Item(f"a-{i}", "身份证", question, (question + "呢",), "答")
        for i, question in enumerate(["户口", "护照", "社保", "公积金"])
    ]
    chosen = [
        replace(item, id=next(f"b-{n}" for n in range(99) if Item(f"b-{n}", "", "", (), "").held_out)) for item in items
    ]
    assert held_out_items(load_encoder(), chosen) == {"hit1": 1.0, "hit10": 1.0, "mrr10": 1.0, "questions": 4}


@pytest.mark.parametrize("name", ["small", "large"])
def test_the_plans_can_be_read(name: str) -> None:
    plan = read_plan(Path(contrastive.__file__).with_name(f"{name}.toml"))
    assert plan.shape.dim % plan.shape.heads == 0
    layer = 4 * plan.shape.dim**2 + 2 * plan.shape.dim * plan.shape.inner
    assert 2 * (plan.vocabulary * plan.shape.dim + plan.shape.layers * layer) < 36 * 2**20  # beside it the tokenizer


def test_a_plan_with_an_unknown_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text("[contrast]\nspeed = 9\n", encoding="utf-8")
    with pytest.raises(TypeError, match="speed"):
        read_plan(tmp_path / "plan.toml")


def small_data(folder: Path) -> Path:
    """A data folder with every set, a few rows in each."""
    questions = [
        f"{what}{how}" for what in ("身份证", "护照", "社保卡", "公积金") for how in ("怎么办", "在哪里领", "要多久")
    ]
    passages = [
        f"{question}：应当携带户口簿到窗口办理，{i}个工作日办结。费用全免。" for i, question in enumerate(questions)
    ]
    pairs = list(zip(questions, passages, strict=True))

    def write(name: str, rows: list[dict[str, object]]) -> None:
        path = folder / name.removesuffix(".zst")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        if name.endswith(".zst"):
            subprocess.run(["zstd", "-q", "--rm", str(path)], check=True)

    same = [{"a": q, "b": q + "呀", "label": 1, "score": 1.0, "src": "BQ"} for q in questions]
    asked = [{"q": q, "p": p, "detail": q + "啊", "src": "equals"} for q, p in pairs]
    write("train/pairs_binary.jsonl", same)
    write("train/pairs_scored.jsonl", same)
    write("train/nli.jsonl", [row | {"label": "entailment"} for row in same])
    write("train/triplets.jsonl", [{"a": q, "pos": p, "neg": passages[0]} for q, p in pairs[1:]])
    write("train/q_passage.jsonl", [*asked, *({"q": "问" + q, "p": p, "src": "cmrc2018"} for q, p in pairs)])
    for name in ("qbqtc_pairs.jsonl", "bustm_pairs.jsonl"):
        write(f"train/pairs2/{name}", same)
    for name in ("linyi_police_guides.jsonl", "medical_qa.jsonl"):
        write(f"train/pairs2/{name}", asked)
    for name in ("cjrc_question_context", "v2ex_title_body", "zhihu_title_detail"):
        write(f"train/pairs2/{name}.jsonl.zst", asked)
    texts = [{"text": "办理说明与有关规定\n" + p * 6, "src": "x"} for p in passages]
    write("train/pretrain/local_policy_mirrorCN.jsonl.zst", texts)
    laws = [{"id": str(i), "text": f"第{i}条 {p}"} for i, p in enumerate(passages)]
    write("bench/stard/corpus.jsonl", laws)
    write("bench/stard/queries.jsonl", [{"id": "q", "text": questions[0]}])
    knowledge = [
        {"id": f"sfz-{i:03}", "question": q + "办", "similar": [q + "咧", "请问" + q], "answer": p}
        for i, (q, p) in enumerate(pairs)
    ]
    (folder / "knowledge").mkdir()
    (folder / "knowledge" / "a.yaml").write_text(
        json.dumps({"matter": "证件", "qas": knowledge}, ensure_ascii=False), encoding="utf-8"
    )
    return folder


def test_a_static_model_goes_on_from_another(tmp_path: Path) -> None:
    if shutil.which("zstd") is None:
        pytest.skip("the zstd program is not installed")
    data = small_data(tmp_path / "data")
    short = replace(CONTRAST, steps=4, warm_up=1)
    plan = Plan(vocabulary=300, mined=0, shape=replace(SHAPE, layers=0), table=replace(TABLE, steps=5), own=short)
    cpu = torch.device("cpu")
    run(plan, data, data / "knowledge", tmp_path / "one", tmp_path / "model", cpu)
    still = replace(plan, own=replace(short, steps=0))
    run(still, data, data / "knowledge", tmp_path / "two", tmp_path / "same", cpu, start=tmp_path / "model")
    texts = ["身份证怎么办", "公积金在哪里领"]
    one, same = (load_encoder(str(tmp_path / name)).encode(texts) for name in ("model", "same"))
    assert np.allclose(one, same, atol=1e-6)
    run(plan, data, data / "knowledge", tmp_path / "three", tmp_path / "further", cpu, start=tmp_path / "model")
    assert not np.allclose(load_encoder(str(tmp_path / "further")).encode(texts), one, atol=1e-3)


def test_the_whole_pipeline_from_texts_to_a_model(tmp_path: Path) -> None:
    if shutil.which("zstd") is None:
        pytest.skip("the zstd program is not installed")
    data = small_data(tmp_path / "data")
    short = replace(CONTRAST, steps=4, warm_up=1)
    plan = Plan(
        vocabulary=300,
        shape=SHAPE,
        table=replace(TABLE, steps=5),
        masked=MaskedPlan(steps=3, batch=2, length=16),
        contrast=short,
        own=short,
    )
    work, out = tmp_path / "work", tmp_path / "model"
    figures = run(plan, data, data / "knowledge", work, out, torch.device("cpu"))
    assert set(figures) == {"passages", "items"} and 0 <= figures["passages"]["hit1"] <= 1
    assert json.loads((out / "plan.json").read_text()) == json.loads(json.dumps(asdict(plan)))
    trained = np.load(work / "sets" / "BQ.npz")
    assert len(trained["anchor_key"]) == 11  # the bench's question is not among them
    encoder = load_encoder(str(out))
    first = encoder.encode(["身份证怎么办"])
    shutil.rmtree(out)
    assert run(plan, data, data / "knowledge", work, out, torch.device("cpu")) == figures  # nothing is trained again
    assert np.allclose(load_encoder(str(out)).encode(["身份证怎么办"]), first, atol=1e-6)
