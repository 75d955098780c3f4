"""How retrieval grows: vector indexes and BM25 from a thousand texts to a million, and a knowledge base of 5,000 Q&A.

``python -m benchmarks.scale --corpus corpus.jsonl`` (rows with ``text``; 57,398 law articles here).  Vectors beyond the
corpus are drawn from its own distribution: a real vector plus half the difference of two others, made unit again.  Encoding
is timed apart.  Each index is written, then loaded and asked by a process of its own on one thread, so that memory is its
own and nobody else's.  Recall counts the exact search's first ten.

The knowledge base is made of the starter knowledge's wordings, four to an item; it is built as ``yihaoda index build`` does,
checked as ``yihaoda kb check`` does, built again after one edit, and asked the calibration's questions.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import psutil
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks import stack
from bot import database, knowledge
from bot.models.knowledge import QA
from connectors.run import scratch
from index.encoder import load_encoder
from index.search import tokenize
from index.search.lexical import BM25Index
from index.search.normalise import normalise
from index.search.ranking import evidence, rank
from index.versions import build, store
from training import fit
from training.fit import calibration_for

SIZES = (1_000, 10_000, 57_398, 100_000, 1_000_000)
QUERIES = 200
KINDS = ("flat", "hnsw", "ivf")
HNSW_MOST = 100_000
"""Building a graph of a million takes a quarter of an hour on two cores."""
ITEMS, WORDINGS = 5_000, 4


def grown(vectors: NDArray[np.float32], size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """``size`` unit vectors: the real ones, then ones of their distribution."""
    if size <= len(vectors):
        return vectors[:size]
    more = size - len(vectors)
    a, b, c = (vectors[rng.integers(0, len(vectors), more)] for _ in range(3))
    made = a + 0.5 * (b - c)
    made /= np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-9)
    return np.concatenate([vectors, made.astype(np.float32)])


def make(kind: str, vectors: NDArray[np.float32]) -> faiss.Index:
    """An index of one kind over ``vectors``; settings that reach a recall of .98 on these."""
    dim = vectors.shape[1]
    if kind == "flat":
        index: faiss.Index = faiss.IndexFlatIP(dim)
    elif kind == "hnsw":
        index = faiss.IndexHNSWFlat(dim, 32, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = 80
        index.hnsw.efSearch = 256
    else:
        cells = int(4 * len(vectors) ** 0.5)
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(dim), dim, cells, faiss.METRIC_INNER_PRODUCT)
        index.cp.max_points_per_centroid = 64
        index.train(vectors)
        index.nprobe = max(8, cells // 6)
    index.add(vectors)
    return index


def _asked(path: str, queries: NDArray[np.float32]) -> tuple[list[float], list[list[int]], float]:
    """In a process of its own: seconds of each query, the rows found, and MiB that the index takes."""
    faiss.omp_set_num_threads(1)
    before = psutil.Process().memory_info().rss
    index = faiss.read_index(path)
    index.search(queries[:5], 10)
    took, rows = [], []
    for query in queries:
        start = time.perf_counter()
        found = index.search(query[None], 10)[1][0]
        took.append(time.perf_counter() - start)
        rows.append(found.tolist())
    return took, rows, (psutil.Process().memory_info().rss - before) / 2**20


def _asked_words(path: str, queries: Sequence[Sequence[str]]) -> tuple[list[float], float]:
    before = psutil.Process().memory_info().rss
    index = BM25Index.load(Path(path))
    took = []
    for query in queries:
        start = time.perf_counter()
        index.top(query, 10)
        took.append(time.perf_counter() - start)
    return took, (psutil.Process().memory_info().rss - before) / 2**20


def _apart(function: Any, *arguments: Any) -> Any:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def _ms(took: Sequence[float]) -> dict[str, float]:
    return {f"p{share}_ms": round(1000 * float(np.percentile(took, share)), 2) for share in (50, 99)}


def measure_vectors(vectors: NDArray[np.float32], sizes: Sequence[int], folder: Path) -> list[dict[str, Any]]:
    """A row for each size and kind."""
    rng = np.random.default_rng(0)
    rows = []
    for size in sizes:
        corpus = grown(vectors, size, rng)
        near = corpus[rng.integers(0, size, QUERIES)] + 0.6 * vectors[rng.integers(0, len(vectors), QUERIES)]
        queries = (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)
        exact: list[list[int]] = []
        for kind in KINDS:
            if kind != "flat" and (size < 10_000 or (kind == "hnsw" and size > HNSW_MOST)):
                continue
            start = time.perf_counter()
            index = make(kind, corpus)
            built = time.perf_counter() - start
            path = folder / f"{kind}.faiss"
            faiss.write_index(index, str(path))
            del index
            took, found, memory = _apart(_asked, str(path), queries)
            exact = exact or found
            recall = np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(found, exact, strict=True)])
            rows.append(
                {
                    "vectors": size,
                    "kind": kind,
                    "build_s": round(built, 1),
                    "file_mib": round(path.stat().st_size / 2**20),
                }
                | {"memory_mib": round(memory), **_ms(took), "recall_at_10": round(float(recall), 3)}
            )
            path.unlink()
    return rows


def measure_words(texts: Sequence[str], sizes: Sequence[int], folder: Path) -> list[dict[str, Any]]:
    """BM25 over characters and bigrams, memory-mapped; texts beyond the corpus are halves of two of it."""
    rng = np.random.default_rng(0)
    rows = []
    for size in (size for size in sizes if size <= 100_000):
        pairs = rng.integers(0, len(texts), (max(0, size - len(texts)), 2))
        more = [texts[a][: len(texts[a]) // 2] + texts[b][len(texts[b]) // 2 :] for a, b in pairs]
        corpus = [*texts[:size], *more]
        start = time.perf_counter()
        index = BM25Index.build(map(tokenize.ngrams, corpus))
        built = time.perf_counter() - start
        index.save(folder / f"bm25-{size}")
        size_on_disk = sum(path.stat().st_size for path in (folder / f"bm25-{size}").iterdir())
        questions = [tokenize.ngrams(row["q"]) for path in fit.question_files() for row in fit.read_questions(path)]
        took, memory = _apart(_asked_words, str(folder / f"bm25-{size}"), questions[:QUERIES])
        rows.append(
            {"texts": size, "build_s": round(built, 1), "file_mib": round(size_on_disk / 2**20)}
            | {"memory_mib": round(memory), **_ms(took)}
        )
    return rows


def measure_knowledge(folder: Path) -> dict[str, Any]:
    """A knowledge base of ``ITEMS`` Q&A: built, checked, edited, built again, asked."""
    settings = scratch.use(stack.settings_env(folder / "data"))
    database.migrate()
    starter = fit.starter_items()
    with database.write() as session:
        knowledge.upsert(session, [_item(starter[n % len(starter)], n // len(starter), n) for n in range(ITEMS)])
    seconds = {}
    for name in ("build_s", "rebuild_after_an_edit_s"):
        start = time.perf_counter()
        version = build.build(settings, calibration_for)
        seconds[name] = round(time.perf_counter() - start, 1)
        store.publish(settings, version)
        with database.write() as session:
            edited = session.get_one(QA, f"q-{0:05}")
            edited.similar = [*edited.similar, "改过的一个问法"]
            knowledge.bump(session)
    loaded = store.load(settings, version)
    took = []
    questions = [row["q"] for path in fit.question_files() for row in fit.read_questions(path)][: 2 * QUERIES]
    for text in questions:
        start = time.perf_counter()
        query = normalise(text)
        ranked = rank(loaded.retriever.candidates(query.text), loaded.calibration.ranker)
        loaded.calibration.confidence.probability(evidence(ranked, query.text, loaded.retriever))
        took.append(time.perf_counter() - start)
    database.reset_engine()
    wordings = loaded.manifest["wordings"]
    p95 = round(1000 * float(np.percentile(took, 95)), 1)
    return {"items": ITEMS, "wordings": wordings, **seconds, **_ms(took), "p95_ms": p95}


def _item(item: Any, round_: int, number: int) -> QA:
    start = round_ * WORDINGS % len(item.texts)
    texts = [*item.texts, *item.texts][start : start + WORDINGS]
    fields: dict[str, Any] = dict.fromkeys(("valid_from", "valid_to", "as_of", "department"))
    return QA(
        id=f"q-{number:05}", matter=item.matter, question=texts[0], similar=texts[1:], answer=item.answer, sources=[],
        guides=[], related=[], themes=[], audience=item.audience, region=item.region, status="approved",
        reviewed_by="基准", revision=0, **fields,
    )  # fmt: skip


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, help="JSON lines with a text each; the starter knowledge by default")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there as well")
    arguments = parser.parse_args()
    if arguments.corpus:
        with arguments.corpus.open(encoding="utf-8") as file:
            texts = [json.loads(line)["text"] for line in file]
    else:
        texts = [text for item in fit.starter_items() for text in (*item.texts, item.answer)]
    start = time.perf_counter()
    vectors = load_encoder().encode(texts)
    report: dict[str, Any] = {"texts": len(texts), "encoding_s": round(time.perf_counter() - start, 1)}
    vectors = vectors[np.linalg.norm(vectors, axis=1) > 0]
    with tempfile.TemporaryDirectory(prefix="yihaoda-bench-") as folder:
        report["vectors"] = measure_vectors(vectors, arguments.sizes, Path(folder))
        report["bm25"] = measure_words(texts, arguments.sizes, Path(folder))
        report["knowledge"] = measure_knowledge(Path(folder))
    console = Console(width=120)
    console.print(f"{len(texts)} texts encoded in {report['encoding_s']} s")
    for name in ("vectors", "bm25"):
        table = Table(*report[name][0], title=name)
        for row in report[name]:
            table.add_row(*map(str, row.values()))
        console.print(table)
    console.print(report["knowledge"])
    if arguments.json:
        arguments.json.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
