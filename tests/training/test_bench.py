"""The retrieval bench: metrics by hand, a small folder from end to end, and bad folders."""

import json
import math
from collections.abc import Sequence
from functools import partial
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from bot import regions
from index.encoder import Encoder, load_encoder
from index.search.find import Place, find
from index.search.normalise import normalise
from index.search.retriever import Item, Retriever
from training.bench import METRICS, BenchError, Serving, print_table, rank_metrics, run_bench
from training.fit import calibration_for
from training.study.fusion import FUSION_WEIGHTS, Fusion, fuse

CORPUS = {
    "d1": "居民身份证遗失的，应当到公安派出所申请补领，携带户口簿。",
    "d2": "失业保险金由失业人员到社会保险经办机构申领。" + "办理机构应当公布流程。" * 60,
    "d3": "租房提取住房公积金，每年可以提取一次。",
    "d4": "结婚登记需要双方到场，出示身份证。",
    "d5": "",
}
QUERIES = {"q1": "身份证丢了怎么补领", "q2": "失业保险金去哪里申领", "q3": "租房能提取公积金吗", "q4": "今天下雨吗"}
QRELS = [("q1", "d1"), ("q2", "d2"), ("q3", "d3"), ("q3", "d4")]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    def rows(texts: dict[str, str]) -> str:
        return "".join(json.dumps({"id": key, "text": text}, ensure_ascii=False) + "\n" for key, text in texts.items())

    (tmp_path / "corpus.jsonl").write_text(rows(CORPUS), encoding="utf-8")
    (tmp_path / "queries.jsonl").write_text(rows(QUERIES), encoding="utf-8")
    (tmp_path / "qrels.tsv").write_text("".join(f"{q}\t{d}\t1\n" for q, d in QRELS), encoding="utf-8")
    return tmp_path


def test_metrics_by_hand() -> None:
    ranked = [np.array([3, 1, 2]), np.array([0, 1, 2, 3, 4, 5, 6])]
    metrics = rank_metrics(ranked, [{1, 7}, {6}])
    ideal = 1 + 1 / math.log2(3)
    assert metrics == {
        "hit1": 0.0,
        "hit5": 0.5,
        "hit10": 1.0,
        "recall10": 0.75,
        "mrr10": pytest.approx((1 / 2 + 1 / 7) / 2, abs=1e-4),
        "ndcg10": pytest.approx((1 / math.log2(3) / ideal + 1 / math.log2(8)) / 2, abs=1e-4),
    }


def test_only_the_first_ten_count() -> None:
    metrics = rank_metrics([np.arange(20)], [{10}])
    assert set(metrics.values()) == {0.0}


@pytest.mark.parametrize("ways", [Serving, Fusion])
def test_a_small_bench_from_end_to_end(folder: Path, encoder: Encoder, ways: type[Serving | Fusion]) -> None:
    report = run_bench(folder, ways, encoder=encoder)
    results = report["results"]
    assert list(results) == list(report["names"]) == list(ways.names)
    for values in results.values():
        assert tuple(values) == METRICS
        assert values["hit5"] == values["hit10"] == 1  # only five documents
        assert values["ms_per_query"] > 0
    for way in ("passages", "retriever", "bm25") if ways is Serving else ("bm25_char", "fused"):
        assert results[way]["hit1"] == 1
    assert results["dense"]["hit1"] >= 2 / 3 - 1e-4
    assert (report["documents"], report["queries"], report["queries_without_qrels"]) == (5, 3, 1)
    assert report["passages"] > 5  # the long one was cut
    assert report["encoder"] == {"name": encoder.name, "checksum": encoder.checksum, "dim": encoder.dim}
    json.dumps(report)


def test_what_is_measured_is_the_order_of_what_answers(encoder: Encoder) -> None:
    texts = list(CORPUS.values())
    retriever = Retriever.build([Item(str(n), "", regions.NATION, "", (t,), t) for n, t in enumerate(texts)], encoder)
    serving = Serving(texts, encoder)
    for query in QUERIES.values():
        asked = normalise(f"请问一下，{query}谢谢")  # what the product leaves out is left out here, too
        found = find(retriever, calibration_for(encoder), asked, Place(regions.NATION, None))
        rows, _ = serving.best(asked.raw)["retriever"]
        assert [str(row) for row in rows] == [one.candidate.item.id for one in found.ranked]


def test_very_many_documents_are_left_to_the_second_tier(
    folder: Path, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.bench._MOST_ITEMS", 4)
    report = run_bench(folder, encoder=encoder)
    assert list(report["results"]) == list(report["names"]) == ["passages", "bm25", "dense"]


def test_the_study_fuses_by_its_weights_and_survives_empty_scores() -> None:
    scores = {"one": np.array([2, 1, 0], np.float32), "two": np.array([-1, 5, 10], np.float32)}
    assert fuse(scores, {"one": 0.75, "two": 0.25}) == pytest.approx([0.75, 0.5, 0.25])
    nothing = {"one": np.zeros(3, np.float32), "two": np.array([-1, -2, -3], np.float32)}
    assert fuse(nothing, {"one": 0.5, "two": 0.5}).tolist() == [0, 0, 0]
    assert set(FUSION_WEIGHTS) == set(Fusion.names) - {"fused"}
    assert sum(FUSION_WEIGHTS.values()) == pytest.approx(1)


def test_the_dense_results_come_from_the_encoder(folder: Path) -> None:
    class Blind:
        """Sees the same in every text."""

        name, checksum, dim = "blind", "0", 2

        def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
            return np.tile(np.array([[1, 0]], np.float32), (len(texts), 1))

    fitted = partial(Serving, calibration=calibration_for(None))
    for ways, bm25 in ((fitted, "bm25"), (Fusion, "bm25_char")):
        report = run_bench(folder, ways, encoder=Blind())
        assert report["results"]["dense"]["hit1"] == pytest.approx(1 / 3, abs=1e-4)  # always the first document
        assert report["results"][bm25]["hit1"] == 1


def test_limit_takes_the_first_judged_queries(folder: Path, encoder: Encoder) -> None:
    assert run_bench(folder, encoder=encoder, limit=2)["queries"] == 2


def test_a_header_blank_lines_a_byte_order_mark_and_number_ids_are_fine(tmp_path: Path, encoder: Encoder) -> None:
    (tmp_path / "corpus.jsonl").write_text('﻿{"id": 1, "text": "补领身份证"}\n\n{"id": 2, "text": "公积金"}\n')
    (tmp_path / "queries.jsonl").write_text('{"id": "q", "text": "身份证"}\r\n')
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq\t1\t1\nq\t2\t0\n\n")
    report = run_bench(tmp_path, encoder=encoder)
    assert report["results"]["retriever"]["recall10"] == 1


def test_judgements_of_unknown_ids_are_counted_not_fatal(folder: Path, encoder: Encoder) -> None:
    with (folder / "qrels.tsv").open("a", encoding="utf-8") as file:
        file.write("q4\tgone\t1\nnobody\td1\t1\n")
    report = run_bench(folder, encoder=encoder)
    assert report["qrels_with_unknown_ids"] == 2
    assert (report["queries"], report["queries_without_qrels"]) == (3, 1)


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl", "qrels.tsv"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BenchError, match=f"缺少文件.*{name}"):
        run_bench(folder)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"找不到评测文件夹.*nowhere"):
        run_bench(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("corpus.jsonl", "", "corpus.jsonl 是空的"),
        ("queries.jsonl", "\n\n", "queries.jsonl 是空的"),
        ("corpus.jsonl", '{"id": "d1", "text": "一"}\n{oops\n', "corpus.jsonl 第 2 行不是合法的 JSON"),
        ("corpus.jsonl", '["d1", "一"]\n', "corpus.jsonl 第 1 行"),
        ("corpus.jsonl", '{"id": "d1"}\n', "corpus.jsonl 第 1 行"),
        ("corpus.jsonl", '{"id": "d1", "text": 5}\n', "corpus.jsonl 第 1 行"),
        ("queries.jsonl", '{"text": "一"}\n', "queries.jsonl 第 1 行"),
        ("queries.jsonl", '{"id": "q1", "text": "一"}\n{"id": "q1", "text": "二"}\n', "第 2 行的 id 重复：q1"),
        ("qrels.tsv", "", "没有任何标注"),
        ("qrels.tsv", "query\tdocument\trelevance\n", "没有任何标注"),
        ("qrels.tsv", "q1\td1\t0\n", "没有任何标注"),
        ("qrels.tsv", "q1 d1 1\n", "qrels.tsv 第 1 行应为三列"),
        ("qrels.tsv", "q1\td1\t1\nq2\td2\n", "qrels.tsv 第 2 行应为三列"),
        ("qrels.tsv", "q1\td1\t1\nq2\td2\tyes\n", "qrels.tsv 第 2 行第三列应为数字"),
        ("qrels.tsv", "x\ty\t1\n", "全都对不上"),
    ],
)
def test_a_bad_file_is_named_with_its_line(folder: Path, name: str, content: str, message: str) -> None:
    (folder / name).write_text(content, encoding="utf-8")
    with pytest.raises(BenchError, match=message):
        run_bench(folder)


def test_a_file_that_is_not_utf8_is_named(folder: Path) -> None:
    (folder / "corpus.jsonl").write_bytes('{"id": "d1", "text": "身份证"}'.encode("gbk"))
    with pytest.raises(BenchError, match=r"corpus\.jsonl 不是 UTF-8"):
        run_bench(folder)


@pytest.mark.parametrize("ways", [Serving, Fusion])
def test_the_table_says_what_was_measured_and_what_was_left_out(
    folder: Path, encoder: Encoder, ways: type[Serving | Fusion]
) -> None:
    out = StringIO()
    print_table(run_bench(folder, ways, encoder=encoder), Console(file=out, width=140))
    shown = out.getvalue()
    assert all(name in shown for name in ways.names.values())
    assert ("研究" in shown) == (ways is Fusion)
    assert "3 个问题" in shown
    assert "1 个问题没有可用的标注" in shown


def test_progress_is_drawn_on_the_error_stream(
    folder: Path, encoder: Encoder, capsys: pytest.CaptureFixture[str]
) -> None:
    run_bench(folder, encoder=encoder, progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "检索" in captured.err
