"""Measure retrieval on a folder of queries, documents and judgements: what ``yihaoda bench DIR`` runs.

The folder holds ``corpus.jsonl`` and ``queries.jsonl`` (rows of ``id`` and ``text``) and ``qrels.tsv`` (query,
document, 1). Side by side run BM25 on jieba words, on character uni- and bigrams and on those with trigrams, vectors,
soft word match (`soft_match`, on the hundred best by characters), and all of them fused, with how often a document's
source is cited (`citations`) on top. BM25 sees whole documents, because it corrects for length itself and measured
better so (hit@1 on 599 policy documents .795, on their passages .779); a vector blurs over a long text, so there a
document's score is that of its best passage (.639, on whole documents .574).
"""

import json
import math
import re
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bot.errors import InvalidInput
from index.encoder import Encoder, load_encoder
from index.search import tokenize
from index.search.dense import DenseIndex
from index.search.lexical import BM25Index
from index.search.passages import split_passages
from training.study.citations import citation_counts
from training.study.soft_match import SoftMatch

METHODS = ("bm25_word", "bm25_char", "bm25_trigram", "dense", "soft_word", "fused")
METRICS = ("hit1", "hit5", "hit10", "recall10", "mrr10", "ndcg10", "ms_per_query")

FUSION_WEIGHTS = {"bm25_word": 0.1, "bm25_char": 0.25, "bm25_trigram": 0.25, "dense": 0.2, "soft_word": 0.2}
"""Shares of the methods in ``fused``, the same for every bench: round numbers, chosen with an eye on the development shares
of NCPPolicies and STARD (trigrams help the first and cost the second a little) and on questions held out from training."""

CITATION_WEIGHT = 0.04
"""Added to ``fused`` for each unit of `citation_counts`; the best for 1,325 questions of a training set to
the law articles, none of them a bench's."""

_T = TypeVar("_T")
_DEPTH = 10
_ENCODE_BATCH = 2048
_SOFT_DEPTH = 100  # documents that are matched softly
_RUN = re.compile(r"[^\W_]+")
_UNIT = re.compile(r"[a-z]+|[0-9]+|[^\W_]")


class BenchError(InvalidInput):
    """The folder cannot be used as a bench; the message, in Chinese, names file and line."""


def fuse(scores: Mapping[str, NDArray[np.float32]], weights: Mapping[str, float]) -> NDArray[np.float32]:
    """Weighted sum of the methods' scores over the same documents, each divided by the query's best.

    BM25 has no fixed scale, so only its shape within one query means anything. Scores below zero count as zero. On
    our benches this is better than reciprocal rank fusion, which forgets by how far the first is ahead.
    """
    total = np.zeros_like(next(iter(scores.values())))
    for name, weight in weights.items():
        best = float(scores[name].max())
        if best > 0:
            total += np.float32(weight / best) * np.maximum(scores[name], 0)
    return total


class Bench:
    """A loaded bench: documents, queries and what is relevant, checked."""

    def __init__(self, folder: Path, limit: int | None = None) -> None:
        """Read ``folder``; ``limit`` keeps the first so many judged queries.

        Raises:
            BenchError: a file is missing or a line of it is wrong.
        """
        if not folder.is_dir():
            raise BenchError(f"找不到评测文件夹：{folder}")
        documents = _read_texts(folder / "corpus.jsonl")
        queries = _read_texts(folder / "queries.jsonl")
        self.texts = list(documents.values())
        rows = {key: row for row, key in enumerate(documents)}
        relevant: dict[str, set[int]] = {}
        judgements = list(_read_qrels(folder / "qrels.tsv"))
        for query, document in judgements:
            if query in queries and document in rows:
                relevant.setdefault(query, set()).add(rows[document])
        if not judgements:
            raise BenchError(f"{folder / 'qrels.tsv'} 中没有任何标注")
        if not relevant:
            raise BenchError(f"{folder / 'qrels.tsv'} 中的编号与 queries.jsonl、corpus.jsonl 全都对不上")
        # Public sets have a few of these; refusing the whole set for them would help nobody.
        self.unknown = sum(1 for query, document in judgements if query not in queries or document not in rows)
        self.unjudged = sum(1 for key in queries if key not in relevant)
        judged = [key for key in queries if key in relevant][:limit]
        self.queries = [queries[key] for key in judged]
        self.relevant = [relevant[key] for key in judged]


def run_bench(
    folder: Path, *, encoder: Encoder | None = None, progress: bool = False, limit: int | None = None
) -> dict[str, Any]:
    """Measure all methods on the bench in ``folder``.

    Args:
        folder: where ``corpus.jsonl``, ``queries.jsonl`` and ``qrels.tsv`` lie.
        encoder: the vectors' source; the bundled one by default.
        progress: draw progress bars on the error stream.
        limit: use only the first so many judged queries (the documents are always all used).

    Returns:
        ``results`` (method → metric → value; rates are 0..1, times are milliseconds), and what was measured:
        ``documents``, ``passages``, ``queries``, ``queries_without_qrels``, ``qrels_with_unknown_ids``, ``encoder``, ``seconds``.

    Raises:
        BenchError: the folder is not a sound bench.
        EncoderError: the bundled encoder cannot be loaded.
    """
    began = time.perf_counter()
    bench = Bench(folder, limit)
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )
    with bar if progress else nullcontext():
        methods = Retrieval(bench.texts, encoder or load_encoder(), bar if progress else None)
        scored = _track(bench.queries, "检索", bar if progress else None)
        ranked: dict[str, list[NDArray[np.int64]]] = {name: [] for name in METHODS}
        seconds = dict.fromkeys(METHODS, 0.0)
        for query in scored:
            scores, took = methods.scores(query)
            for name in METHODS:
                start = time.perf_counter()
                ranked[name].append(_best(scores[name], _DEPTH))
                seconds[name] += took[name] + time.perf_counter() - start
    return {
        "results": {
            name: {
                **rank_metrics(ranked[name], bench.relevant),
                "ms_per_query": round(1000 * seconds[name] / len(bench.queries), 3),
            }
            for name in METHODS
        },
        "documents": len(bench.texts),
        "passages": methods.passages,
        "queries": len(bench.queries),
        "queries_without_qrels": bench.unjudged,
        "qrels_with_unknown_ids": bench.unknown,
        "encoder": {"name": methods.encoder.name, "checksum": methods.encoder.checksum, "dim": methods.encoder.dim},
        "seconds": round(time.perf_counter() - began, 1),
    }


class Retrieval:
    """The methods over a corpus."""

    def __init__(self, texts: Sequence[str], encoder: Encoder, bar: Progress | None = None) -> None:
        self.encoder = encoder
        words = [tokenize.words(text) for text in _track(texts, "分词", bar)]
        self._word = BM25Index.build(words)
        self._char = BM25Index.build(map(tokenize.ngrams, _track(texts, "字组", bar)))
        self._trigram = BM25Index.build(map(trigrams, _track(texts, "三字组", bar)))
        passages: list[str] = []
        starts: list[int] = []  # passages of a document are neighbours: its best is a maximum over a slice
        for text in texts:
            starts.append(len(passages))
            passages.extend(split_passages(text) or [""])
        self.passages = len(passages)
        self._starts = np.array(starts, dtype=np.int64)
        batches = [passages[start : start + _ENCODE_BATCH] for start in range(0, len(passages), _ENCODE_BATCH)]
        self._dense = DenseIndex.build(np.concatenate([encoder.encode(b) for b in _track(batches, "向量", bar)]))
        self._soft = SoftMatch(words, encoder)
        self._citations = citation_counts(texts)

    def scores(self, query: str) -> tuple[dict[str, NDArray[np.float32]], dict[str, float]]:
        """For each method the score of every document, and the seconds it took (``fused``: all of them)."""
        words = tokenize.words(query)
        scores: dict[str, NDArray[np.float32]] = {}
        took: dict[str, float] = {}
        single: dict[str, Callable[[], NDArray[np.float32]]] = {
            "bm25_word": lambda: self._word.scores(words),
            "bm25_char": lambda: self._char.scores(tokenize.ngrams(query)),
            "bm25_trigram": lambda: self._trigram.scores(trigrams(query)),
            "dense": lambda: np.maximum.reduceat(self._dense.scores(self.encoder.encode([query])[0]), self._starts),
            "soft_word": lambda: self._soft_scores(words, scores["bm25_char"]),
        }
        for name, method in single.items():
            start = time.perf_counter()
            scores[name] = method()
            took[name] = time.perf_counter() - start
        start = time.perf_counter()
        fused = fuse(scores, FUSION_WEIGHTS)
        scores["fused"] = np.where(fused > 0, fused + np.float32(CITATION_WEIGHT) * self._citations, 0)
        took["fused"] = sum(took.values()) + time.perf_counter() - start
        return scores, took

    def _soft_scores(self, words: Sequence[str], first: NDArray[np.float32]) -> NDArray[np.float32]:
        rows = _best(first, _SOFT_DEPTH)
        scores = np.zeros_like(first)
        scores[rows] = self._soft.scores(words, rows)
        return scores


def trigrams(text: str) -> list[str]:
    """Characters and runs of two and three neighbouring ones; a Latin word or a number counts as one character."""
    tokens: list[str] = []
    for run in _RUN.findall(unicodedata.normalize("NFKC", text).lower()):
        units = _UNIT.findall(run)
        tokens.extend(
            "".join(units[end - size : end]) for end in range(1, len(units) + 1) for size in (1, 2, 3) if size <= end
        )
    return tokens


def rank_metrics(ranked: Sequence[NDArray[np.int64]], relevant: Sequence[set[int]]) -> dict[str, float]:
    """Averages over queries of the usual measures of the first ten; relevance is yes or no.

    ``hit1``, ``hit5``, ``hit10``: is a relevant one among the first k; ``recall10``: share of the relevant ones
    among the first ten; ``mrr10``: 1 ÷ place of the first relevant one; ``ndcg10``: as Järvelin and Kekäläinen 2002.
    """
    sums = dict.fromkeys(METRICS[:-1], 0.0)
    for rows, wanted in zip(ranked, relevant, strict=True):
        hits = [int(row) in wanted for row in rows[:_DEPTH]]
        for k in (1, 5, 10):
            sums[f"hit{k}"] += any(hits[:k])
        sums["recall10"] += sum(hits) / len(wanted)
        if any(hits):
            sums["mrr10"] += 1 / (hits.index(True) + 1)
        ideal = sum(1 / math.log2(place + 2) for place in range(min(_DEPTH, len(wanted))))
        sums["ndcg10"] += sum(1 / math.log2(place + 2) for place, hit in enumerate(hits) if hit) / ideal
    return {name: round(total / len(relevant), 4) for name, total in sums.items()}


def print_table(report: dict[str, Any], console: Console | None = None) -> None:
    """Draw a report of `run_bench` for a person."""
    table = Table(
        title=f"检索评测：{report['queries']} 个问题，{report['documents']} 篇文档（{report['passages']} 段），"
        f"语义模型 {report['encoder']['name']}，用时 {report['seconds']} 秒"
    )
    table.add_column("方法")
    for metric in METRICS:
        table.add_column("毫秒/问" if metric == "ms_per_query" else metric, justify="right")
    results = report["results"]
    best = {metric: max(results[name][metric] for name in results) for metric in METRICS[:-1]}
    for name, values in results.items():
        cells = []
        for metric in METRICS[:-1]:
            text = f"{values[metric]:.3f}"
            cells.append(f"[bold]{text}[/bold]" if values[metric] == best[metric] else text)
        table.add_row(name, *cells, f"{values['ms_per_query']:.1f}")
    console = console or Console()
    console.print(table)
    if report["queries_without_qrels"]:
        console.print(f"另有 {report['queries_without_qrels']} 个问题没有可用的标注，未计入。")
    if report["qrels_with_unknown_ids"]:
        console.print(f"qrels.tsv 中有 {report['qrels_with_unknown_ids']} 条标注的编号找不到，已忽略。")


def _best(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Rows of the ``k`` highest scores, best first; of equal ones the lower row first, so that runs agree."""
    k = min(k, len(scores))
    floor = np.partition(scores, len(scores) - k)[len(scores) - k]
    above = np.flatnonzero(scores > floor)
    level = np.flatnonzero(scores == floor)[: k - len(above)]
    rows = np.concatenate([above, level])
    return rows[np.lexsort((rows, -scores[rows]))]


def _track(items: Sequence[_T], label: str, bar: Progress | None) -> Iterator[_T]:
    return iter(items) if bar is None else iter(bar.track(items, description=label))


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines that are not blank."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line
    except FileNotFoundError as error:
        raise BenchError(f"评测文件夹中缺少文件：{path}") from error
    except OSError as error:
        raise BenchError(f"无法读取 {path}：{error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BenchError(f"{path} 不是 UTF-8 编码") from error


def _read_texts(path: Path) -> dict[str, str]:
    """Id → text of a JSON-lines file, in its order."""
    texts: dict[str, str] = {}
    for number, line in _lines(path):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise BenchError(f"{path} 第 {number} 行不是合法的 JSON") from error
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            raise BenchError(f"{path} 第 {number} 行缺少 id 或 text（text 须为文字）")
        key = row.get("id")
        if isinstance(key, bool) or not isinstance(key, str | int) or key == "":
            raise BenchError(f"{path} 第 {number} 行缺少 id 或 text（id 须为文字或整数）")
        if str(key) in texts:
            raise BenchError(f"{path} 第 {number} 行的 id 重复：{key}")
        texts[str(key)] = row["text"]
    if not texts:
        raise BenchError(f"{path} 是空的")
    return texts


def _read_qrels(path: Path) -> Iterator[tuple[str, str]]:
    """(query, document) of the relevant pairs; a header on the first line is passed over."""
    for number, line in _lines(path):
        cells = [cell.strip() for cell in line.rstrip("\r\n").split("\t")]
        if len(cells) != 3:
            raise BenchError(f"{path} 第 {number} 行应为三列（问题编号、文档编号、1），以制表符分隔")
        query, document, relevance = cells
        if _is_number(relevance):
            if float(relevance) > 0:
                yield query, document
        elif number > 1:
            raise BenchError(f"{path} 第 {number} 行第三列应为数字：{relevance}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
