"""Read the training sets: pairs of texts that belong together, from labelled sets and the project's Q&A.

Every set becomes a list of ``Pair``. Only positives come out as pairs; a labelled negative is used where its anchor
also has a positive (``Pair.negatives``), because a contrastive loss needs something to pull towards.
"""

import itertools
import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_NOT_WORD = re.compile(r"\W+")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts that belong together, and others that look as if they belonged to ``anchor`` but do not."""

    anchor: str
    positive: str
    negatives: tuple[str, ...] = ()


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a ``.jsonl`` file, or of a ``.jsonl.zst`` one by way of the ``zstd`` program.

    Raises:
        OSError: the file, or for a compressed one the ``zstd`` program, is not there.
        subprocess.CalledProcessError: ``zstd`` could not read the file.
    """
    if path.suffix == ".zst":
        lines = subprocess.run(["zstd", "-dcq", str(path)], check=True, capture_output=True).stdout.splitlines()
        yield from (json.loads(line) for line in lines)
    else:
        with path.open(encoding="utf-8") as file:
            yield from (json.loads(line) for line in file)


def key(text: str) -> str:
    """A text without spaces, punctuation and case: what is compared to tell whether two texts are the same."""
    return _NOT_WORD.sub("", text).lower()


def _with_negatives(rows: Iterable[tuple[str, str, bool]]) -> Iterator[Pair]:
    """Turn (a, b, same?) rows into pairs; a row that says "not the same" gives its anchor a hard negative."""
    positives: list[tuple[str, str]] = []
    negatives: dict[str, list[str]] = defaultdict(list)
    for a, b, same in rows:
        if same:
            positives.append((a, b))
        else:
            negatives[a].append(b)
            negatives[b].append(a)
    used: dict[str, int] = defaultdict(int)
    for a, b in positives:
        for anchor, other in ((a, b), (b, a)):
            if found := negatives.get(anchor):
                yield Pair(anchor, other, (found[used[anchor] % len(found)],))
                used[anchor] += 1
                break
        else:
            yield Pair(a, b)


@dataclass(frozen=True, slots=True)
class Source:
    """A training set: where it lies under the data folder, how a row gives pairs, and how often it is drawn.

    ``weight`` multiplies the set's size when batches are drawn.
    """

    name: str
    weight: float
    pairs: list[Pair]


def _clean(pairs: Iterable[Pair], banned: frozenset[str]) -> list[Pair]:
    kept: dict[tuple[str, str], Pair] = {}
    for pair in pairs:
        a, b = key(pair.anchor), key(pair.positive)
        if a and b and a != b and a not in banned and b not in banned:
            kept.setdefault((a, b), pair)
    return list(kept.values())


def read_sources(data: Path) -> list[Source]:
    """All training sets under ``data`` (the folder that holds ``train/`` and ``bench/``).

    A text that equals a question of one of the benches is dropped wherever it stands, so the benches stay unseen.

    Raises:
        OSError: a set is missing.
    """
    banned = frozenset(
        key(row["text"]) for path in sorted(data.glob("bench/*/queries.jsonl")) for row in read_jsonl(path)
    )
    sets = [_labelled(data / "train"), _passages(data / "train"), _further(data / "train" / "pairs2")]
    return [Source(name, weight, _clean(pairs, banned)) for name, weight, pairs in itertools.chain.from_iterable(sets)]


_Sets = Iterator[tuple[str, float, Iterable[Pair]]]
"""Name, weight and pairs of each"""


def _labelled(train: Path) -> _Sets:
    """Pairs of texts that people have judged."""
    by_set: dict[str, list[tuple[str, str, bool]]] = defaultdict(list)
    for row in read_jsonl(train / "pairs_binary.jsonl"):
        if not row["src"].startswith("PAWSX"):  # word order alone tells those apart: a bag of words cannot
            by_set[row["src"].split("_")[0]].append((row["a"], row["b"], row["label"] == 1))
    for name, rows in sorted(by_set.items()):
        yield name, 1.0, _with_negatives(rows)
    scored = (
        row for row in read_jsonl(train / "pairs_scored.jsonl") if row["score"] >= 0.75 and row["src"] != "STSB_test"
    )
    yield "scored", 0.5, (Pair(row["a"], row["b"]) for row in scored)
    entailed = (
        (row["a"], row["b"], row["label"] == "entailment")
        for row in read_jsonl(train / "nli.jsonl")
        if row["label"] != "neutral"
    )
    yield "nli", 0.5, _with_negatives(entailed)
    triplets = read_jsonl(train / "triplets.jsonl")
    yield "triplets", 1.0, (Pair(row["a"], row["pos"], (row["neg"],) if row["neg"] else ()) for row in triplets)


def _passages(train: Path) -> _Sets:
    """Questions and the passages that answer them."""
    passages: dict[str, list[Pair]] = defaultdict(list)
    for row in read_jsonl(train / "q_passage.jsonl"):
        passages[row["src"]].append(Pair(row["q"], row["p"]))
    for name, pairs in sorted(passages.items()):
        yield name, {"cmrc2018": 1.0, "legalqa": 1.0}.get(name, 2.0), pairs


def _further(folder: Path) -> _Sets:
    """Queries and titles, guides, doctors' answers, judgments, questions and their details."""

    def asked(name: str) -> Iterator[Pair]:
        return (Pair(row["q"], row["p"]) for row in read_jsonl(folder / name))

    yield "qbqtc", 1.0, (Pair(r["a"], r["b"]) for r in read_jsonl(folder / "qbqtc_pairs.jsonl") if r["label"] >= 1)
    same = ((row["a"], row["b"], row["label"] == 1) for row in read_jsonl(folder / "bustm_pairs.jsonl"))
    yield "bustm", 1.0, _with_negatives(same)
    yield "linyi_guides", 2.0, asked("linyi_police_guides.jsonl")
    answers = read_jsonl(folder / "medical_qa.jsonl")
    yield "medical", 1.0, (Pair(row[question], row["p"]) for row in answers for question in ("q", "detail"))
    yield "judgments", 0.5, asked("cjrc_question_context.jsonl.zst")
    yield "v2ex", 0.5, asked("v2ex_title_body.jsonl.zst")
    yield "zhihu", 0.7, asked("zhihu_title_detail.jsonl.zst")


@dataclass(frozen=True, slots=True)
class Item:
    """One of the project's own Q&A."""

    id: str
    matter: str
    wordings: tuple[str, ...]
    """Its question, then the similar ones"""
    answer: str


def read_items(folder: Path) -> list[Item]:
    """The Q&A of all knowledge files of a folder, in the order of the files' names.

    Raises:
        OSError, yaml.YAMLError, KeyError: a file cannot be read or is no knowledge file.
    """
    items: list[Item] = []
    for path in sorted(folder.glob("*.yaml")):
        matter = yaml.safe_load(path.read_text(encoding="utf-8"))
        items.extend(
            Item(row["id"], matter["matter"], (row["question"], *row.get("similar", ())), row["answer"].strip())
            for row in matter.get("qas", ())
        )
    return items
