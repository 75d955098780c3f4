"""The item classifier: what it learns, keeps and refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from index.encoder import load_encoder
from index.search.classifier import ItemClassifier
from index.search.lexical import IndexFileError

WORDINGS = [
    ("身份证丢了怎么补办", "身份证掉了去哪补", "补领身份证要几天"),
    ("身份证到期了怎么换", "换身份证要提前多久", "身份证过期了去哪换"),
    ("失业金怎么领", "领失业金要什么条件", "失业保险金能领几个月"),
]
TEXTS = [text for item in WORDINGS for text in item]
OWNERS = np.repeat(np.arange(3), 3)


@pytest.fixture(scope="module")
def trained() -> ItemClassifier:
    return ItemClassifier.train(TEXTS, OWNERS, 3, None)


@pytest.mark.parametrize(("text", "item"), [("身份证丢了去哪补", 0), ("身份证到期要换", 1), ("失业金领几个月", 2)])
def test_near_neighbours_are_told_apart(trained: ItemClassifier, text: str, item: int) -> None:
    log_probabilities = trained.log_probabilities(text, None)
    assert np.exp(log_probabilities).sum() == pytest.approx(1)
    assert log_probabilities.argmax() == item


def test_what_it_never_saw_leaves_it_undecided(trained: ItemClassifier) -> None:
    assert np.ptp(trained.log_probabilities("xyz", None)) == 0
    assert np.ptp(trained.log_probabilities("", None)) == 0


def test_a_vector_speaks_where_no_word_is_shared() -> None:
    encoder = load_encoder()
    with_vectors = ItemClassifier.train(TEXTS, OWNERS, 3, encoder.encode(TEXTS))
    text = "没工作以后国家给的钱"
    assert with_vectors.log_probabilities(text, encoder.encode([text])[0]).argmax() == 2


def test_training_again_gives_the_same(trained: ItemClassifier) -> None:
    again = ItemClassifier.train(TEXTS, OWNERS, 3, None)
    assert np.array_equal(again.log_probabilities("补身份证", None), trained.log_probabilities("补身份证", None))


def test_one_item_with_one_wording() -> None:
    lonely = ItemClassifier.train(["护照怎么办"], np.array([0]), 1, None)
    assert lonely.log_probabilities("护照", None).tolist() == [0.0]


def test_it_survives_the_disk(trained: ItemClassifier, tmp_path: Path) -> None:
    trained.save(tmp_path / "c")
    back = ItemClassifier.load(tmp_path / "c")
    assert np.array_equal(back.log_probabilities("身份证丢了", None), trained.log_probabilities("身份证丢了", None))
    (tmp_path / "c" / "tokens.npy").write_bytes(b"")
    with pytest.raises(IndexFileError):
        ItemClassifier.load(tmp_path / "c")
    with pytest.raises(IndexFileError):
        ItemClassifier.load(tmp_path / "nowhere")


def test_few_wordings_weigh_as_much_as_many() -> None:
    many = [
        f"身份证{what}{how}"
        for what in ("丢了", "掉了", "不见了", "找不到了")
        for how in ("怎么补", "去哪补", "要带什么", "几天")
    ]
    texts = [*many, "身份证消磁了怎么办", *[f"护照{one}" for one in ("怎么办", "多少钱", "几天", "去哪办")] * 3]
    owners = np.array([0] * len(many) + [1] + [2] * 12)
    trained = ItemClassifier.train(texts, owners, 3, None)
    of_one, of_many = trained.log_probabilities("身份证消磁", None), trained.log_probabilities("身份证丢了", None)
    assert of_one.argmax() == 1 and of_many.argmax() == 0
