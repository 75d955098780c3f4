"""Training the encoder in small: the package's file, the network, contrast, interruption, the whole pipeline."""

from __future__ import annotations

import copy
import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import BertModel

from index.encoder import load_encoder
from training.encoder import contrast as training
from training.encoder import e5
from training.encoder.contrast import Own, Step, contrast, neighbours
from training.encoder.export import MODEL, read_onnx, save_encoder
from training.encoder.network import Network, token_ids
from training.encoder.pairs import Pair, _clean, key, read_items
from training.encoder.train import Plan, held_out, read_plan, run

HIDDEN, LAYERS, HEADS, INNER, POSITIONS = 32, 4, 2, 64, 128
WORDS = ["身份证", "公积金", "护照", "怎么", "补办", "提取", "办理", "丢了", "多少钱", "qu", "ery"]
CHARACTERS = "身份证公积金护照怎么补办提取理丢了多少钱用要带什材料地方在哪领失业：:abc，"


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)  # tiny steps: several threads only wait for each other


def packed(weights: np.ndarray) -> bytes:
    """Weights in 4 bits, as the package has them."""
    blocks = weights.astype(np.float32).reshape(-1, e5.BLOCK)
    scales = (np.abs(blocks).max(axis=1, keepdims=True) / 7).astype(np.float16)
    found = np.clip(np.round(blocks / scales.astype(np.float32)) + 8, 0, 15).astype(np.uint8)
    halves = found[:, : e5.BLOCK // 2] | (found[:, e5.BLOCK // 2 :] << 4)
    return b"".join(scale.tobytes() + half.tobytes() for scale, half in zip(scales, halves, strict=True))


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model file of the package's format, small and of random weights."""
    rng = np.random.default_rng(3)
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", *WORDS, *dict.fromkeys(CHARACTERS)]
    scores = [0.0] * 4 + [-2.0] + [-4.0] * len(WORDS) + [-8.0] * (len(pieces) - 5 - len(WORDS))
    raw = [piece.encode() for piece in pieces]
    ends = np.cumsum([0, *map(len, raw)])
    head = e5.MAGIC + struct.pack("<I", 1)
    head += struct.pack("<7i", HIDDEN, LAYERS, HEADS, INNER, len(pieces), POSITIONS, 1) + struct.pack("<fi", 1e-12, 32)
    head += struct.pack("<5i", len(pieces), 0, 2, 1, 3) + struct.pack("<Q", len(b"".join(raw)))
    head += ends.astype("<u4").tobytes() + np.array(scores, "<f4").tobytes() + b"".join(raw)
    head += struct.pack("<iI", 0, 0)
    plain = {"emb.pos": POSITIONS * HIDDEN, "emb.type": HIDDEN, "emb.ln.w": HIDDEN, "emb.ln.b": HIDDEN}
    coarse = {"emb.word": len(pieces) * HIDDEN}
    for layer in range(LAYERS):
        for name, rows, columns in (
            ("q", HIDDEN, HIDDEN),
            ("k", HIDDEN, HIDDEN),
            ("v", HIDDEN, HIDDEN),
            ("ao", HIDDEN, HIDDEN),
            ("fi", INNER, HIDDEN),
            ("fo", HIDDEN, INNER),
        ):
            coarse[f"l{layer}.{name}.w"] = rows * columns
            plain[f"l{layer}.{name}.b"] = rows
        plain |= {f"l{layer}.{name}": HIDDEN for name in ("aln.w", "aln.b", "oln.w", "oln.b")}
    stored = {name: packed(rng.normal(size=count) * 0.3) for name, count in coarse.items()}
    for name, count in plain.items():
        values = np.ones(count) if name.endswith("ln.w") else rng.normal(size=count) * 0.05
        stored[name] = values.astype("<f4").tobytes()
    sizes = coarse | plain
    directory = sum(2 + len(name) + 1 + 4 + 8 + 8 for name in stored)
    at = len(head) + 4 + directory
    head += struct.pack("<i", len(stored))
    for name, data in stored.items():
        head += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", 0, sizes[name], at, len(data))
        at += len(data)
    folder = tmp_path_factory.mktemp("package")
    (folder / "e5-small-q4.bin").write_bytes(head + b"".join(stored.values()))
    return folder


@pytest.fixture(scope="module")
def whole(package: Path) -> e5.Package:
    return e5.read_package(package / "e5-small-q4.bin")


@pytest.fixture(scope="module")
def converted(whole: e5.Package) -> tuple[Tokenizer, BertModel]:
    return e5.cut(whole, list(range(len(whole.pieces))))


def network_of(converted: tuple[Tokenizer, BertModel]) -> Network:
    tokenizer, bert = converted
    return Network(copy.deepcopy(bert), tokenizer.token_to_id(e5.PAD))


def vectors(network: Network, tokenizer: Tokenizer, texts: list[str]) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = network.eval()(token_ids(tokenizer, texts))
    return found


def test_four_bits_are_a_scale_and_the_low_halves_first() -> None:
    halves = bytes((row | ((15 - row) << 4)) for row in range(16))
    found = e5.dequantised(np.float16(0.5).tobytes() + halves, e5.BLOCK)
    assert found[:16].tolist() == [(row - 8) * 0.5 for row in range(16)]
    assert found[16:].tolist() == [(7 - row) * 0.5 for row in range(16)]


def test_the_package_is_read(whole: e5.Package) -> None:
    assert (whole.hidden, whole.layers, whole.heads, whole.inner) == (HIDDEN, LAYERS, HEADS, INNER)
    assert whole.special == {e5.BOS: 0, e5.EOS: 2, e5.PAD: 1, e5.UNK: 3}
    assert whole.pieces[5] == ("身份证", -4.0)
    assert whole.tensors["l3.fo.w"].shape == (HIDDEN * INNER,)


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "e5-small-q4.bin").write_bytes(b"something else altogether")
    with pytest.raises(ValueError, match="no model file"):
        e5.read_package(tmp_path / "e5-small-q4.bin")


def test_the_tokenizer_takes_the_likeliest_pieces(converted: tuple[Tokenizer, BertModel]) -> None:
    tokenizer, _ = converted
    assert tokenizer.encode("身份证怎么补办").tokens == ["<s>", "▁", "身份证", "怎么", "补办", "</s>"]
    assert tokenizer.encode("护照  多少钱").tokens == ["<s>", "▁", "护照", "▁", "多少钱", "</s>"]
    assert tokenizer.encode("身份", "证").tokens == ["<s>", "▁", "身", "份", "</s>", "</s>", "▁", "证", "</s>"]


def test_cutting_pieces_away_changes_no_vector_of_a_text_that_needs_none(
    whole: e5.Package, converted: tuple[Tokenizer, BertModel]
) -> None:
    texts = ["身份证怎么补办", "公积金提取"]
    kept = e5.kept_pieces(whole, texts)
    tokenizer, bert = e5.cut(whole, kept)
    assert tokenizer.token_to_id("护照") is None and tokenizer.token_to_id("护") is not None
    fewer = vectors(Network(bert, tokenizer.token_to_id(e5.PAD)), tokenizer, texts)
    assert torch.allclose(fewer, vectors(network_of(converted), converted[0], texts), atol=1e-5)


def test_neither_order_nor_padding_matters(converted: tuple[Tokenizer, BertModel]) -> None:
    tokenizer, _ = converted
    network = network_of(converted)
    texts = ["身份证怎么补办要带什么材料在哪", "护照", "公积金怎么提取", "护照" * 60]
    together = vectors(network, tokenizer, texts)
    alone = torch.cat([vectors(network, tokenizer, [text]) for text in texts])
    assert torch.allclose(together, alone, atol=1e-5)
    assert torch.allclose(together.norm(dim=1), torch.ones(4), atol=1e-5)


def own(tokenizer: Tokenizer) -> Own:
    wordings = [
        ["身份证丢了怎么补办", "丢了身份证", "补办身份证", "身份证补办"],
        ["公积金怎么提取", "提取公积金", "公积金用什么材料", "公积金提取要什么"],
        ["护照怎么办理", "办理护照", "护照在哪办", "护照要带什么"],
        ["失业怎么领", "失业金在哪领", "领失业金", "失业了领多少钱"],
        ["护照多少钱", "办护照要多少钱", "护照用多少钱", "护照钱"],
        ["身份证多少钱", "办身份证要多少钱", "身份证要钱", "补办身份证多少钱"],
        ["公积金在哪", "公积金地方", "公积金在什么地方", "在哪提公积金"],
        ["失业材料", "失业要带什么材料", "失业用什么材料", "领失业金带什么"],
    ]
    return Own(
        [token_ids(tokenizer, texts) for texts in wordings],
        [token_ids(tokenizer, [texts[0]]) for texts in wordings],
        [0, 1, 2, 3, 2, 0, 1, 3],
    )


CONTRAST = Step(60, 32, 2e-3, 0.0, 9)
PAIRS: list[tuple[list[int], list[int], list[int] | None]] = [
    ([0, 5 + row, 2], [0, 20 + row, 2], None) for row in range(24)
]


def test_training_brings_an_items_wordings_together(converted: tuple[Tokenizer, BertModel], tmp_path: Path) -> None:
    tokenizer, _ = converted
    network, items = network_of(converted), own(tokenizer)
    found = neighbours(network, items)
    assert all(item not in others and len(others) == 7 for item, others in enumerate(found))
    texts = [text for wordings in items.wordings for text in wordings]
    owners = torch.arange(8).repeat_interleave(4)

    def right() -> float:
        network.eval()
        with torch.no_grad():
            cosines = network(texts) @ network(texts).T
        return float((owners[cosines.fill_diagonal_(-2).argmax(1)] == owners).float().mean())

    before = right()
    contrast(network, items, PAIRS, CONTRAST, tmp_path)
    assert right() > max(0.9, before)


def test_an_interrupted_stage_goes_on_to_the_same_weights(
    converted: tuple[Tokenizer, BertModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer, _ = converted
    whole, parts = network_of(converted), network_of(converted)
    how = Step(20, 32, 2e-3, 0.1, 9)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    often = training.optimised

    def every_eighth(*arguments: object) -> None:
        often(*arguments, often=8)  # type: ignore[arg-type]

    monkeypatch.setattr(training, "optimised", every_eighth)
    contrast(whole, own(tokenizer), PAIRS, how, tmp_path / "a")
    really, saved = torch.save, []

    def killed(state: object, path: Path) -> None:
        really(state, path)
        saved.append(path)
        if len(saved) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        contrast(parts, own(tokenizer), PAIRS, how, tmp_path / "b")
    again = network_of(converted)
    contrast(again, own(tokenizer), PAIRS, how, tmp_path / "b")
    for one, other in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_the_exported_encoder_gives_the_networks_vectors(
    converted: tuple[Tokenizer, BertModel], tmp_path: Path
) -> None:
    tokenizer, _ = converted
    network = network_of(converted)
    with torch.no_grad():  # equal ones would be written once
        for name, weights in network.bert.named_parameters():
            weights += 1e-4 * torch.randn_like(weights) if "LayerNorm" in name or name.endswith("bias") else 0
    save_encoder(tmp_path / "model", network.bert, tokenizer)
    encoder = load_encoder(str(tmp_path / "model"))
    texts = ["身份证怎么补办", "护照多少钱", "公积金提取要带什么材料" * 12]
    assert encoder.dim == HIDDEN
    cosines = (encoder.encode(texts) * vectors(network, tokenizer, texts).numpy()).sum(axis=1)
    assert cosines.min() > 0.95, "8 bits cost a network of 32 numbers more than one of 384 (.999)"
    assert not encoder.encode(["", "\U0001f600", "：，", "\u5f41"]).any(), "nothing that it knows"
    # And its weights can be read back, as they serve, to train on.
    read, kept = read_onnx(tmp_path / "model" / MODEL), network.bert.state_dict()
    assert read.keys() == kept.keys()
    for name, weights in kept.items():
        assert torch.allclose(read[name], weights, atol=max(1e-4, float(weights.abs().max()) / 50)), name


def test_bench_questions_are_dropped() -> None:
    kept = _clean(
        [Pair("甲", "乙"), Pair("丙？", "丁"), Pair("戊", "戊。"), Pair("甲", "乙！")], frozenset({key("丙")})
    )
    assert kept == [Pair("甲", "乙")]


def test_the_plans_can_be_read() -> None:
    folder = Path(__file__).parents[2] / "training" / "encoder"
    first, again = read_plan(folder / "cpu.toml"), read_plan(folder / "cpu_again.toml")
    assert first.contrast.steps > 0 and first.shares == (0.7, 0.14) and first.frozen == 0
    assert again.contrast.steps > 0 and again.contrast.seed != first.contrast.seed and again.frozen == 4


def test_a_plan_with_an_unknown_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text("colour = 3\n", encoding="utf-8")
    with pytest.raises(TypeError, match="colour"):
        read_plan(tmp_path / "plan.toml")


def test_the_whole_pipeline_from_the_package_to_a_model(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    knowledge = tmp_path / "knowledge"
    knowledge.mkdir()
    for matter, words in (("身份证换领补领", "身份证"), ("公积金提取", "公积金"), ("居住证办理", "护照")):
        rows = "".join(
            f"  - {{id: {words}-{n}, question: {words}{what}, similar: [{what}{words}, {words}要{what}, {words}{what}用], "
            f"answer: {words}带材料{n}}}\n"
            for n, what in enumerate(("怎么补办", "多少钱", "在哪", "什么材料", "丢了"))
        )
        (knowledge / f"{words}.yaml").write_text(f"matter: {matter}\nqas:\n{rows}", encoding="utf-8")
    items = read_items(knowledge)
    assert len(items) == 15 and items[0].wordings[1:] == ("怎么补办公积金", "公积金要怎么补办", "公积金怎么补办用")
    assert held_out("居住证办理") and not held_out("公积金提取")
    from training.encoder import train

    monkeypatch.setattr(
        train, "_pairs", lambda plan, data: [(f"身份证{n}", f"补办身份证{n}", "护照") for n in range(plan.pairs)]
    )
    monkeypatch.setattr(train, "_texts", lambda data: iter(["身份证怎么补办", "护照多少钱"]))
    plan = Plan(
        least=1,
        contrast=Step(6, 16, 1e-3, 0.1, 9),
        pairs=40,
    )
    figures = run(plan, package, tmp_path, knowledge, tmp_path / "work", tmp_path / "out")
    assert figures["wordings"] == {"held_out_matters": 20, "trained_matters": 40}
    assert json.loads((tmp_path / "out" / "figures.json").read_text()) == figures
    assert json.loads((tmp_path / "out" / "plan.json").read_text())["pairs"] == 40
    first = load_encoder(str(tmp_path / "out")).encode(["身份证怎么补办"])
    # A second run finds every stage done, and makes the same model.
    assert run(plan, package, tmp_path, knowledge, tmp_path / "work", tmp_path / "again") == figures
    assert np.allclose(load_encoder(str(tmp_path / "again")).encode(["身份证怎么补办"]), first, atol=1e-6)

    # One that goes on from it has what it learned, keeps the lowest layers, and knows the pieces that are new.
    monkeypatch.setattr(train, "_texts", lambda data: iter(["query：怎么提取"]))
    assert Tokenizer.from_file(str(tmp_path / "work" / "tokenizer.json")).token_to_id("提取") is None
    later = replace(plan, contrast=Step(4, 16, 1e-3, 0.1, 10), frozen=2)
    run(later, package, tmp_path, knowledge, tmp_path / "later", tmp_path / "on", before=tmp_path / "work")
    states = [torch.load(tmp_path / name / "contrast.pt", weights_only=True)["network"] for name in ("work", "later")]
    rows = [Tokenizer.from_file(str(tmp_path / name / "tokenizer.json")).get_vocab() for name in ("work", "later")]
    table = "bert.embeddings.word_embeddings.weight"
    assert torch.equal(states[0][table][rows[0]["身份证"]], states[1][table][rows[1]["身份证"]])
    converted = torch.load(tmp_path / "later" / "converted.pt", weights_only=True)[table.removeprefix("bert.")]
    assert torch.equal(converted[rows[1]["提取"]], states[1][table][rows[1]["提取"]])
    query = "bert.encoder.layer.{}.attention.self.query.weight"
    assert [torch.equal(*(state[query.format(layer)] for state in states)) for layer in range(LAYERS)] == [
        True,
        True,
        False,
        False,
    ]

    # So does one that goes on from the finished encoder, whose weights are rounded.
    run(later, package, tmp_path, knowledge, tmp_path / "served", tmp_path / "on", before=tmp_path / "out")
    served = torch.load(tmp_path / "served" / "contrast.pt", weights_only=True)["network"]
    learned = states[0][query.format(0)]
    assert torch.allclose(served[query.format(0)], learned, atol=float(learned.abs().max()) / 50)
