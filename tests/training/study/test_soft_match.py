"""Soft word match and citation counts: what the bench's fusion adds to keywords and vectors."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from training.study.citations import citation_counts
from training.study.soft_match import SoftMatch


class Meanings:
    """老板 and 单位 mean about the same, any other word only itself."""

    name, checksum, dim = "meanings", "0", 64

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), self.dim), np.float32)
        for row, text in enumerate(texts):
            if text == "单位":
                vectors[row, self._known.setdefault("老板", len(self._known))] = 0.8
                vectors[row, -1] = 0.6
            else:
                vectors[row, self._known.setdefault(text, len(self._known))] = 1
        return vectors


DOCUMENTS = [["单位", "工资"], ["老板", "电影"], [], ["工资", "工资", "天气"], ["天气"]]


def test_words_of_like_meaning_count_in_part() -> None:
    match = SoftMatch(DOCUMENTS, Meanings())
    scores = match.scores(["老板", "工资", "老板"], np.arange(5))
    rare, common = np.log(1 + 4.5 / 1.5), np.log(1 + 3.5 / 2.5)  # in one of five documents, in two
    assert scores == pytest.approx(np.array([0.8 * rare + common, rare, 0, common, 0]) / (rare + common), abs=1e-6)
    assert match.scores(["老板"], np.array([4, 1])).tolist() == [0, 1]


def test_nothing_matches_nothing() -> None:
    match = SoftMatch(DOCUMENTS, Meanings())
    assert match.scores([], np.arange(5)).tolist() == [0] * 5
    assert match.scores(["老板"], np.array([2])).tolist() == [0]
    assert SoftMatch([[]], Meanings()).scores(["老板"], np.array([0])).tolist() == [0]


def test_a_source_counts_by_the_texts_that_cite_it() -> None:
    texts = [
        "中华人民共和国民法典第一条 为了保护民事主体的合法权益。",
        "最高人民法院关于适用《中华人民共和国民法典》的解释第一条 依照《民法典》和《民法典》。",
        "《民法典（2020）》第二条 民法调整人身关系。",
        "某条例第三条 依照《民法典》第一条和《关于某事的通知》。",
        "某条例",
        "",
    ]
    assert citation_counts(texts) == pytest.approx(np.log1p([3, 0, 3, 0, 0, 0]))


def test_the_longest_cited_name_is_the_source() -> None:
    texts = [
        "劳动合同法实施条例第一条",
        "劳动合同法第一条",
        "见《劳动合同法》",
        "见《劳动合同法》",
        "见《劳动合同法实施条例》",
    ]
    assert citation_counts(texts)[:2] == pytest.approx(np.log1p([1, 2]))
