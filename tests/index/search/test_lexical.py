"""BM25 index: scores, odd queries, files."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.search import tokenize
from index.search.lexical import BM25Index, IndexFileError

DOCUMENTS = [["社保", "卡", "补办"], ["公积金", "提取", "租房"], ["社保", "转移", "转移", "接续"], []]


@pytest.fixture
def index() -> BM25Index:
    return BM25Index.build(DOCUMENTS)


def by_hand(query: list[str], row: int, k1: float = 1.5, b: float = 0.75) -> float:
    """BM25 as Lucene computes it, from the formula."""
    average = sum(map(len, DOCUMENTS)) / len(DOCUMENTS)
    score = 0.0
    for token in query:
        n = sum(token in document for document in DOCUMENTS)
        f = DOCUMENTS[row].count(token)
        idf = math.log(1 + (len(DOCUMENTS) - n + 0.5) / (n + 0.5))
        score += idf * f / (f + k1 * (1 - b + b * len(DOCUMENTS[row]) / average))
    return score


@pytest.mark.parametrize("query", [["社保"], ["转移", "社保"], ["公积金", "公积金", "没见过"], ["提取"]])
def test_scores_follow_the_formula(index: BM25Index, query: list[str]) -> None:
    expected = [by_hand(query, row) for row in range(len(DOCUMENTS))]
    assert index.scores(query) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("query", [[], ["没见过"], [""], ["", "没见过"]])
def test_a_query_without_known_tokens_scores_zero_everywhere(index: BM25Index, query: list[str]) -> None:
    assert index.scores(query).tolist() == [0, 0, 0, 0]
    scores, rows = index.top(query, 3)
    assert len(scores) == len(rows) == 0


def test_top_is_sorted_and_holds_only_matches(index: BM25Index) -> None:
    scores, rows = index.top(["社保", "转移"], 10)
    assert rows.tolist() == [2, 0]
    assert scores[0] > scores[1] > 0
    assert index.top(["社保", "转移"], 1)[1].tolist() == [2]
    assert index.top(["社保"], 0)[1].tolist() == []


def test_equal_scores_come_in_document_order() -> None:
    index = BM25Index.build([["甲"], ["乙"], ["甲"], ["甲"]])
    assert index.top(["甲"], 3)[1].tolist() == [0, 2, 3]


def test_idf_is_highest_for_the_unseen(index: BM25Index) -> None:
    assert index.idf("社保") == pytest.approx(math.log(1 + 2.5 / 2.5))
    assert index.idf("公积金") == pytest.approx(math.log(1 + 3.5 / 1.5))
    assert index.idf("没见过") == index.idf("") == pytest.approx(math.log(1 + 4.5 / 0.5))


def test_documents_without_any_token() -> None:
    index = BM25Index.build([[], []])
    assert len(index) == 2
    assert index.scores(["社保"]).tolist() == [0, 0]


def test_no_documents_is_an_error() -> None:
    with pytest.raises(ValueError, match="没有"):
        BM25Index.build([])


@pytest.mark.parametrize("mmap", [True, False])
def test_saved_and_loaded_it_scores_the_same(index: BM25Index, tmp_path: Path, mmap: bool) -> None:
    index.save(tmp_path / "bm25")
    loaded = BM25Index.load(tmp_path / "bm25", mmap=mmap)
    assert len(loaded) == 4
    for query in (["社保"], ["转移", "接续"], ["没见过"]):
        assert np.array_equal(loaded.scores(query), index.scores(query))
    assert loaded.idf("社保") == index.idf("社保")


def test_saved_files_are_plain_arrays_and_json(index: BM25Index, tmp_path: Path) -> None:
    index.save(tmp_path)
    for path in tmp_path.iterdir():
        if path.suffix == ".npy":
            np.load(path, allow_pickle=False)
        else:
            assert path.suffix == ".json"
            json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["data.csc.index.npy", "indices.csc.index.npy", "indptr.csc.index.npy"])
@pytest.mark.parametrize("kept", [0, 20, -4])
def test_a_damaged_array_is_refused(index: BM25Index, tmp_path: Path, name: str, kept: int) -> None:
    index.save(tmp_path)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[:kept])
    with pytest.raises(IndexFileError, match="关键词索引"):
        BM25Index.load(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"": 0}'])
def test_a_damaged_vocabulary_is_refused(index: BM25Index, tmp_path: Path, content: str) -> None:
    index.save(tmp_path)
    (tmp_path / "vocab.index.json").write_text(content, encoding="utf-8")
    with pytest.raises(IndexFileError, match="关键词索引"):
        BM25Index.load(tmp_path)


def test_arrays_that_do_not_fit_each_other_are_refused(index: BM25Index, tmp_path: Path) -> None:
    index.save(tmp_path)
    rows = np.load(tmp_path / "indices.csc.index.npy")
    np.save(tmp_path / "indices.csc.index.npy", rows + 1000)
    with pytest.raises(IndexFileError, match="已损坏"):
        BM25Index.load(tmp_path)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IndexFileError, match="无法读取"):
        BM25Index.load(tmp_path / "nowhere")


def test_ngrams_do_not_span_punctuation() -> None:
    assert tokenize.ngrams("社保卡，12345 Ａpp") == ["社", "保", "社保", "卡", "保卡", "12345", "app"]
    assert tokenize.ngrams("办iPhone") == ["办", "iphone", "办iphone"]


def test_words_and_characters_drop_punctuation_and_fold() -> None:
    assert tokenize.words("身份证，丢了！") == ["身份证", "丢", "了"]
    assert tokenize.characters("ＶＩＰ卡 2026年") == ["vip", "卡", "2026", "年"]


@given(st.text())
def test_any_text_can_be_cut(text: str) -> None:
    for cut in (tokenize.words, tokenize.characters, tokenize.ngrams):
        assert all(token and token == token.strip() for token in cut(text))
