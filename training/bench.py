"""Measure retrieval on a folder of queries, documents and judgements: what ``yihaoda bench DIR`` runs.

The folder holds ``corpus.jsonl`` and ``queries.jsonl`` (rows of ``id`` and ``text``) and ``qrels.tsv`` (query,
document, 1).  Measured is what serves (`Serving`): the second tier, which searches passages of documents
(`index.search.policy_texts`), and the retriever that answers from Q&A (`index.search.find.find`) over the documents as if each
were one; beside them BM25 alone and vectors alone.  With ``--study`` it is `training.study.fusion` instead: ways that the product does not use.
"""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bot import regions
from bot.errors import InvalidInput
from index.encoder import Encoder, load_encoder
from index.search import tokenize
from index.search.dense import DenseIndex
from index.search.find import Place, find
from index.search.lexical import BM25Index
from index.search.normalise import normalise
from index.search.passages import split_passages
from index.search.policy_texts import PolicyPassage, PolicyTexts
from index.search.ranking import Calibration
from index.search.retriever import Item, Retriever
from training.fit import calibration_for

METRICS = ("hit1", "hit5", "hit10", "recall10", "mrr10", "ndcg10", "ms_per_query")

_T = TypeVar("_T")
_DEPTH = 10
_MOST_ITEMS = 5_000
"""The product keeps no more Q&A (see docs/measurements.md)"""
_ENCODE_BATCH = 2048


class BenchError(InvalidInput):
    """The folder cannot be used as a bench; the message, in Chinese, names file and line."""


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


class Ways(Protocol):
    """Ways of searching one corpus, measured side by side."""

    what: str
    """What is measured, in Chinese"""
    names: Mapping[str, str]
    """What the way of each key is called, in Chinese"""
    passages: int
    """Into how many the documents were cut for the vectors"""

    def best(self, query: str) -> dict[str, tuple[NDArray[np.int64], float]]:
        """By each way the rows of the best ten documents, best first, and the seconds that it took."""


class Serving:
    """What serves, and the two kinds of search that it fuses, each alone.

    The second tier knows passages and what their documents are about: a document's score is that of its best passage.  The
    retriever knows Q&A: a document is one whose only wording and whose answer are its text; its classifier has a class for each, so
    that many thousands are left to the second tier, as they are in the product.  BM25 sees whole documents, because it corrects for length itself and measured better so (hit@1 on 599 policy
    documents .795, on their passages .779).
    """

    what = "产品的检索"
    names: Mapping[str, str] = {
        "passages": "政策原文的检索",
        "retriever": "问答的检索",
        "bm25": "只用 BM25（按字）",
        "dense": "只用向量",
    }

    def __init__(
        self,
        texts: Sequence[str],
        encoder: Encoder,
        bar: Progress | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        """Args:
        calibration: weights of the ranker; those for the encoder by default, which are fitted now if none are shipped.
        """
        self._encoder = encoder
        self._chars = BM25Index.build(map(tokenize.ngrams, track(texts, "字组", bar)))
        self._dense = DensePassages(texts, encoder, bar)
        self.passages = self._dense.passages
        task = bar.add_task("产品的索引", total=2) if bar else None
        self._tier = self._dense.tier()
        if bar and task is not None:
            bar.advance(task)
        if len(texts) > _MOST_ITEMS:
            self.names = {name: title for name, title in self.names.items() if name != "retriever"}
        else:
            items = [Item(str(row), "", regions.NATION, "", (text,), text) for row, text in enumerate(texts)]
            self._retriever = Retriever.build(items, encoder)
            self._calibration = calibration or calibration_for(encoder)
        if bar and task is not None:
            bar.advance(task)

    def best(self, query: str) -> dict[str, tuple[NDArray[np.int64], float]]:
        """See `Ways`."""
        single: dict[str, Callable[[], NDArray[np.int64]]] = {
            "passages": lambda: highest(
                self._dense.of_documents(self._tier.scores(normalise(query).text, self._encoder))
            ),
            "retriever": lambda: self._found(query),
            "bm25": lambda: highest(self._chars.scores(tokenize.ngrams(query))),
            "dense": lambda: highest(self._dense.scores(query)),
        }
        best = {}
        for name in self.names:
            start = time.perf_counter()
            best[name] = single[name](), time.perf_counter() - start
        return best

    def _found(self, query: str) -> NDArray[np.int64]:
        place = Place(served=regions.NATION, said=None)
        ranked = find(self._retriever, self._calibration, normalise(query), place).ranked
        return np.array([int(one.candidate.item.id) for one in ranked[:_DEPTH]], dtype=np.int64)


class DensePassages:
    """Vectors alone.  A vector blurs over a long text, so a document's score is that of its best passage (hit@1 on 599 policy
    documents .639, on whole ones .574)."""

    def __init__(self, texts: Sequence[str], encoder: Encoder, bar: Progress | None = None) -> None:
        passages: list[str] = []
        starts: list[int] = []  # passages of a document are neighbours: its best is a maximum over a slice
        for text in texts:
            starts.append(len(passages))
            passages.extend(split_passages(text) or [""])
        self.passages = len(passages)
        self._texts = passages
        self._starts = np.array(starts, dtype=np.int64)
        self._encoder = encoder
        batches = [passages[start : start + _ENCODE_BATCH] for start in range(0, len(passages), _ENCODE_BATCH)]
        self._index = DenseIndex.build(np.concatenate([encoder.encode(batch) for batch in track(batches, "向量", bar)]))

    def scores(self, query: str) -> NDArray[np.float32]:
        """The score of every document."""
        return self.of_documents(self._index.scores(self._encoder.encode([query])[0]))

    def of_documents(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of every passage → of every document."""
        return np.maximum.reduceat(scores, self._starts)

    def tier(self) -> PolicyTexts:
        """The second tier of the same passages."""
        counts = np.diff(np.append(self._starts, self.passages))
        owners = np.repeat(np.arange(len(counts)), counts)
        passages = [
            PolicyPassage(str(owner), "", regions.NATION, "", text)
            for owner, text in zip(owners, self._texts, strict=True)
        ]
        return PolicyTexts.over(passages, self._index)


def run_bench(
    folder: Path,
    ways: Callable[[Sequence[str], Encoder, Progress | None], Ways] = Serving,
    *,
    encoder: Encoder | None = None,
    progress: bool = False,
    limit: int | None = None,
) -> dict[str, Any]:
    """Measure ways of searching on the bench in ``folder``.

    Args:
        folder: where ``corpus.jsonl``, ``queries.jsonl`` and ``qrels.tsv`` lie.
        ways: makes what is measured from the documents' texts: the retriever that answers, by default.
        encoder: the vectors' source; the bundled one by default.
        progress: draw progress bars on the error stream.
        limit: use only the first so many judged queries (the documents are always all used).

    Returns:
        ``what`` is measured (in Chinese), ``names`` (way → Chinese), ``results`` (way → metric → value; rates are 0..1,
        times are milliseconds), and on what: ``documents``, ``passages``, ``queries``, ``queries_without_qrels``,
        ``qrels_with_unknown_ids``, ``encoder``, ``seconds``.

    Raises:
        BenchError: the folder is not a sound bench.
        EncoderError: the bundled encoder cannot be loaded.
    """
    began = time.perf_counter()
    bench = Bench(folder, limit)
    encoder = encoder or load_encoder()
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )
    with bar if progress else nullcontext():
        made = ways(bench.texts, encoder, bar if progress else None)
        best = [made.best(query) for query in track(bench.queries, "检索", bar if progress else None)]
    return {
        "what": made.what,
        "names": dict(made.names),
        "results": {
            name: {
                **rank_metrics([one[name][0] for one in best], bench.relevant),
                "ms_per_query": round(1000 * sum(one[name][1] for one in best) / len(best), 3),
            }
            for name in made.names
        },
        "documents": len(bench.texts),
        "passages": made.passages,
        "queries": len(bench.queries),
        "queries_without_qrels": bench.unjudged,
        "qrels_with_unknown_ids": bench.unknown,
        "encoder": {"name": encoder.name, "checksum": encoder.checksum, "dim": encoder.dim},
        "seconds": round(time.perf_counter() - began, 1),
    }


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
        title=f"{report['what']}：{report['queries']} 个问题，{report['documents']} 篇文档（{report['passages']} 段），"
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
        table.add_row(report["names"][name], *cells, f"{values['ms_per_query']:.1f}")
    console = console or Console()
    console.print(table)
    if report["queries_without_qrels"]:
        console.print(f"另有 {report['queries_without_qrels']} 个问题没有可用的标注，未计入。")
    if report["qrels_with_unknown_ids"]:
        console.print(f"qrels.tsv 中有 {report['qrels_with_unknown_ids']} 条标注的编号找不到，已忽略。")


def highest(scores: NDArray[np.float32], k: int = _DEPTH) -> NDArray[np.int64]:
    """Rows of the ``k`` highest scores, best first; of equal ones the lower row first, so that runs agree."""
    k = min(k, len(scores))
    floor = np.partition(scores, len(scores) - k)[len(scores) - k]
    above = np.flatnonzero(scores > floor)
    level = np.flatnonzero(scores == floor)[: k - len(above)]
    rows = np.concatenate([above, level])
    return rows[np.lexsort((rows, -scores[rows]))]


def track(items: Sequence[_T], label: str, bar: Progress | None) -> Iterator[_T]:
    """The items one by one, with a progress bar where there is one to draw it."""
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
