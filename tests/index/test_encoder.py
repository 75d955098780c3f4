"""The bundled encoder, the loader and the reading of training texts."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from index.encoder import BUNDLED, Encoder, EncoderError, checksum, load_encoder
from index.search.normalise import clean
from training.encoder.pairs import read_jsonl

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder()


def test_vectors_are_unit_length_and_float32(encoder: Encoder) -> None:
    vectors = encoder.encode(["身份证丢了怎么补办", "公积金", "ABC 12345"])
    assert vectors.shape == (3, encoder.dim) == (3, 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)


def test_texts_without_words_get_the_zero_vector(encoder: Encoder) -> None:
    assert not encoder.encode(["", "。。。", " \n", "\U0001f600"]).any()
    assert encoder.encode([]).shape == (0, 384)


def test_a_batch_and_single_texts_give_the_same(encoder: Encoder) -> None:
    texts = ["异地就医怎么备案", "", "结婚登记带什么", "失业金" * 500] * 40
    batch = encoder.encode(texts)
    assert np.allclose(batch[:4], np.concatenate([encoder.encode([text]) for text in texts[:4]]), atol=1e-6)
    assert np.allclose(batch[4:8], batch[:4], atol=1e-6)


def test_width_and_case_make_no_difference(encoder: Encoder) -> None:
    one, two = encoder.encode([clean("ＡＰＰ怎么下载？"), clean("app怎么下载?")])
    assert np.allclose(one, two, atol=1e-6)


def test_questions_are_nearest_to_their_own_matter(encoder: Encoder) -> None:
    questions = [
        "失业了能领多少钱",
        "租房能提公积金吗",
        "领结婚证要带什么",
        "去外地看病医保怎么报销",
        "社保断了怎么补缴",
    ]
    matters = ["失业保险金领取标准", "住房公积金租房提取", "婚姻登记所需材料", "异地就医备案和报销", "养老保险费补缴"]
    nearest = (encoder.encode(questions) @ encoder.encode(matters).T).argmax(axis=1)
    assert nearest.tolist() == [0, 1, 2, 3, 4]


def test_the_bundled_model_is_small() -> None:
    assert sum(path.stat().st_size for path in BUNDLED.rglob("*") if path.is_file()) <= 40 * 2**20


def test_it_loads_from_any_folder_without_network_code_or_jieba(tmp_path: Path) -> None:
    copy = tmp_path / "model"
    shutil.copytree(BUNDLED, copy)
    script = (
        "import socket, sys\n"
        "def refuse(*args, **kwargs): raise AssertionError('network used')\n"
        "socket.socket.connect = refuse\n"
        "import index.encoder\n"
        "assert 'torch' not in sys.modules\n"
        f"encoder = index.encoder.load_encoder({str(copy)!r})\n"
        "assert not {'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)\n"
        "print(encoder.name, encoder.checksum, float(encoder.encode(['身份证']).sum()))\n"
    )
    # Without the offline switches: the loader itself must not try.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, env=kept | {"PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr
    name, digest, total = done.stdout.split()
    bundled = load_encoder()
    assert (name, digest) == ("model", bundled.checksum)
    assert float(total) == pytest.approx(float(bundled.encode(["身份证"]).sum()), abs=1e-5)


def test_the_checksum_follows_weights_and_tokenizer(tmp_path: Path) -> None:
    copy = tmp_path / "model"
    shutil.copytree(BUNDLED, copy)
    before = checksum(copy)
    assert before == checksum(BUNDLED)
    (copy / "README.md").write_text("another text", encoding="utf-8")
    assert checksum(copy) == before
    for name in ("onnx/model.onnx", "tokenizer.json"):
        content = (copy / name).read_bytes()
        (copy / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert checksum(copy) != before
        (copy / name).write_bytes(content)


@pytest.mark.parametrize("name", ["nobody/no-such-model", "没有这个模型", "../nowhere"])
def test_a_model_that_is_not_here_is_a_clear_error(name: str) -> None:
    with pytest.raises(EncoderError, match="找不到语义模型"):
        load_encoder(name)


@pytest.mark.parametrize("damaged", ["onnx/model.onnx", "tokenizer.json"])
def test_a_damaged_model_is_a_clear_error(tmp_path: Path, damaged: str) -> None:
    copy = tmp_path / "model"
    shutil.copytree(BUNDLED, copy)
    (copy / damaged).write_bytes((copy / damaged).read_bytes()[:100])
    with pytest.raises(EncoderError, match="无法加载"):
        load_encoder(str(copy))


def test_reading_compressed_rows(tmp_path: Path) -> None:
    if shutil.which("zstd") is None:
        pytest.skip("the zstd program is not installed")
    (tmp_path / "a.jsonl").write_text('{"q": "问"}\n{"q": "答"}\n', encoding="utf-8")
    subprocess.run(["zstd", "-q", str(tmp_path / "a.jsonl")], check=True)
    assert (
        list(read_jsonl(tmp_path / "a.jsonl.zst"))
        == list(read_jsonl(tmp_path / "a.jsonl"))
        == [
            {"q": "问"},
            {"q": "答"},
        ]
    )
