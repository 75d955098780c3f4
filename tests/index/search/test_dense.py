"""Vector index and the passages it is fed with."""

from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from index.search.dense import DenseIndex
from index.search.lexical import IndexFileError
from index.search.passages import split_passages


def unit_vectors(count: int, dim: int = 16, seed: int = 1) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_search_finds_what_a_full_comparison_finds() -> None:
    vectors, queries = unit_vectors(50), unit_vectors(7, seed=2)
    index = DenseIndex.build(vectors)
    scores, rows = index.search(queries, 5)
    full = queries @ vectors.T
    expected = np.argsort(-full, axis=1)[:, :5]
    assert np.array_equal(rows, expected)
    assert np.allclose(scores, np.take_along_axis(full, expected, axis=1), atol=1e-6)
    assert np.allclose(index.scores(queries[0]), full[0], atol=1e-6)


def test_rows_are_scored_as_all_are() -> None:
    vectors = unit_vectors(200)
    index, rows = DenseIndex.build(vectors), np.array([7, 3, 3, 199])
    scores = index.scores(vectors[5])
    assert scores == pytest.approx(vectors @ vectors[5], abs=1e-6)
    assert (index.scores(vectors[5], rows) == scores[rows]).all()
    assert index.expecting(vectors[5:6]).scores(vectors[5], rows) == pytest.approx(scores[rows], abs=1e-6)


def test_k_beyond_the_documents_gives_all_of_them() -> None:
    scores, rows = DenseIndex.build(unit_vectors(3)).search(unit_vectors(1, seed=3), 10)
    assert scores.shape == rows.shape == (1, 3)
    assert sorted(rows[0].tolist()) == [0, 1, 2]


def test_an_empty_index_finds_nothing() -> None:
    index = DenseIndex.build(np.zeros((0, 16), np.float32))
    assert len(index) == 0
    assert index.search(unit_vectors(2), 5)[1].shape == (2, 0)
    assert index.scores(unit_vectors(1)[0]).shape == (0,)


@pytest.mark.parametrize("vectors", [np.zeros(4), np.zeros((2, 0)), np.full((2, 4), np.nan)])
def test_what_are_no_vectors_is_refused(vectors: NDArray[np.float32]) -> None:
    with pytest.raises(ValueError, match="vectors"):
        DenseIndex.build(vectors)


def test_a_query_of_another_dimension_is_refused() -> None:
    index = DenseIndex.build(unit_vectors(3))
    with pytest.raises(ValueError, match="16"):
        index.search(unit_vectors(1, dim=8), 1)
    with pytest.raises(ValueError, match="16"):
        index.scores(unit_vectors(1, dim=8)[0])


def test_saved_and_loaded_it_finds_the_same(tmp_path: Path) -> None:
    index, queries = DenseIndex.build(unit_vectors(20)), unit_vectors(3, seed=4)
    index.save(tmp_path / "dense.faiss")
    loaded = DenseIndex.load(tmp_path / "dense.faiss")
    assert (len(loaded), loaded.dim) == (20, 16)
    assert all(np.array_equal(a, b) for a, b in zip(loaded.search(queries, 4), index.search(queries, 4), strict=True))
    assert np.allclose(loaded.scores(queries[1]), index.scores(queries[1]))


@pytest.mark.parametrize("kept", [0, 3, 40, -1])
def test_a_file_cut_short_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "dense.faiss"
    DenseIndex.build(unit_vectors(20)).save(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(IndexFileError, match="向量索引"):
        DenseIndex.load(path)


def test_a_missing_or_foreign_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IndexFileError, match="无法读取"):
        DenseIndex.load(tmp_path / "nowhere.faiss")
    other = faiss.IndexFlatL2(16)
    other.add(unit_vectors(3))
    faiss.write_index(other, str(tmp_path / "l2.faiss"))
    with pytest.raises(IndexFileError, match="类型"):
        DenseIndex.load(tmp_path / "l2.faiss")


def test_saving_where_nothing_can_be_written_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"dense\.faiss"):
        DenseIndex.build(unit_vectors(2)).save(tmp_path / "nowhere" / "dense.faiss")


def test_a_short_text_is_one_passage_and_a_blank_one_none() -> None:
    assert split_passages(" 凭户口簿办理。 ") == ["凭户口簿办理。"]
    assert split_passages(" \n ") == []


def test_passages_end_at_sentence_ends_and_overlap_by_whole_sentences() -> None:
    text = "第一句话在此。第二句话在此！第三句话在此？第四句话在此；第五句话在此。"
    assert split_passages(text, size=21, overlap=7) == [
        "第一句话在此。第二句话在此！第三句话在此？",
        "第三句话在此？第四句话在此；第五句话在此。",
    ]
    assert split_passages(text, size=14, overlap=0) == [
        "第一句话在此。第二句话在此！",
        "第三句话在此？第四句话在此；",
        "第五句话在此。",
    ]


def test_a_closing_quote_stays_with_its_sentence() -> None:
    assert split_passages("他说：“可以办。”随后离开了。", size=10, overlap=0) == ["他说：“可以办。”", "随后离开了。"]


def test_a_long_sentence_is_cut_at_commas_and_a_long_clause_anywhere() -> None:
    assert split_passages("带身份证原件，带户口簿原件，带照片", size=8, overlap=0) == [
        "带身份证原件，",
        "带户口簿原件，",
        "带照片",
    ]
    assert split_passages("一二三四五六七八九十", size=4, overlap=0) == ["一二三四", "五六七八", "九十"]


@pytest.mark.parametrize(("size", "overlap"), [(0, 0), (10, 10), (10, -1)])
def test_sizes_that_make_no_sense_are_refused(size: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="size"):
        split_passages("文", size, overlap)


@given(st.text(alphabet="办证费用，。！\n ab”"), st.integers(1, 20), st.integers(0, 19))
def test_passages_cover_the_text_and_keep_the_size(text: str, size: int, overlap: int) -> None:
    passages = split_passages(text, size, min(overlap, size - 1))
    assert all(passage and len(passage) <= size for passage in passages)
    plain = "".join(text.split())
    assert set(plain) == set("".join("".join(passages).split()))
    assert len(plain) <= sum(len("".join(passage.split())) for passage in passages)


@given(st.lists(st.text(alphabet="办证费用", min_size=1, max_size=6), min_size=1, max_size=12), st.integers(8, 30))
def test_without_overlap_the_passages_are_the_text(parts: list[str], size: int) -> None:
    text = "".join(f"{part}。" for part in parts)
    assert "".join(split_passages(text, size, 0)) == text


def test_a_graph_finds_nearly_what_exact_search_finds(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((200, 64))
    vectors = centres[rng.integers(0, 200, 12_000)] + 0.7 * rng.standard_normal((12_000, 64))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    exact = DenseIndex.build(vectors)
    DenseIndex.build(vectors, graph=True).save(tmp_path / "graph.faiss")
    graph = DenseIndex.load(tmp_path / "graph.faiss")
    assert exact.exact and not graph.exact and len(graph) == len(exact)
    found = [set(index.search(vectors[:100], 10)[1][row]) for row in range(100) for index in (exact, graph)]
    recall = np.mean([len(a & b) / 10 for a, b in zip(found[::2], found[1::2], strict=True)])
    assert recall >= 0.98
    scores, all_scores = graph.scores(vectors[0]), exact.scores(vectors[0])
    known = scores != 0
    assert 100 <= known.sum() <= 500 and np.allclose(scores[known], all_scores[known], atol=1e-5)
