"""Train the bundled encoder: ``python -m training.encoder.train --plan small --data DIR --work DIR --out DIR``.

Stages, each on top of the one before; one whose result lies in the work folder is not run again, one that was
interrupted goes on from its last checkpoint:

1. tokenizer: jieba's words that occur in the texts (`tokenizer`);
2. sets: all pairs read, hard negatives mined, tokenised (`pairs`, `mining`, `batches`);
3. table: a table of word vectors (`table`), which with ``layers = 0`` is the model;
4. masked: masked-language-model pretraining of a network on top of it (`masked`);
5. contrast: contrastive training of the network on all pairs (`contrastive`);
6. own: the same with the project's own Q&A mixed in, whole items left out for evaluation;
7. export and evaluation (`export`, `evaluate`).

``small.toml`` is the bundled static model, a quarter of an hour on two CPU threads; ``large.toml`` is for one GPU. When
only the knowledge has changed, ``--start`` with a table that knows nothing of it runs the last stages alone, in two minutes.
The same plan, data and seeds give the same batches.
"""

import argparse
import json
import time
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor

from index.encoder import load_encoder

from .batches import PLAIN, Set, text_key, tokenise
from .contrastive import Contrast, train
from .evaluate import held_out_items, held_out_passages
from .export import save_reader, save_table
from .masked import MaskedPlan, pretrain, token_stream
from .mining import MINED, with_mined_negatives
from .model import Reader, Shape, with_special_tokens
from .pairs import Item, Source, item_sources, read_items, read_jsonl, read_sources
from .table import TablePlan, new_table, train_table
from .tokenizer import build_tokenizer

KNOWLEDGE = Path(__file__).resolve().parents[2] / "index" / "knowledge"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that decides the result of a run, apart from the data."""

    vocabulary: int = 49_000
    mined: int = 4  # hard negatives kept for each question of the passage sets
    own_share: float = 0.3  # share of the project's own Q&A among the batches of the last stage
    seed: int = 20
    shape: Shape = field(default_factory=Shape)
    table: TablePlan = field(default_factory=TablePlan)
    masked: MaskedPlan = field(default_factory=MaskedPlan)
    contrast: Contrast = field(default_factory=Contrast)
    own: Contrast = field(default_factory=Contrast)


def read_plan(path: Path) -> Plan:
    """A plan from a TOML file; what it leaves out keeps its default.

    Raises:
        OSError, tomllib.TOMLDecodeError: the file cannot be read.
        TypeError: it holds a name that no plan has.
    """
    rows = tomllib.loads(path.read_text(encoding="utf-8"))
    parts: Mapping[str, Any] = {
        "shape": Shape,
        "table": TablePlan,
        "masked": MaskedPlan,
        "contrast": Contrast,
        "own": Contrast,
    }
    return Plan(**{name: parts[name](**value) if name in parts else value for name, value in rows.items()})


def read_texts(data: Path) -> list[str]:
    """The plain texts to pretrain on: the pretraining files and the law articles, policies and guides three times."""
    texts: list[str] = []
    for path in [*sorted((data / "train" / "pretrain").glob("*.jsonl.zst")), data / "bench" / "stard" / "corpus.jsonl"]:
        often = 3 if path.name.startswith(("local_policy", "policy_texts", "linyi")) else 1
        texts.extend([row["text"] for row in read_jsonl(path)] * often)
    return texts


def all_texts(sources: list[Source]) -> list[str]:
    """Every text of the sets once, in a fixed order: what words are counted in."""
    return list(dict.fromkeys(text for s in sources for pair in s.pairs for text in (pair.anchor, pair.positive)))


def make_sets(tokenizer: Tokenizer, sources: list[Source], laws: list[str], mined: int, seed: int, work: Path) -> None:
    """Write every source's `Set` under ``work``, those already there left alone."""
    work.mkdir(parents=True, exist_ok=True)
    for source in sources:
        kept = set_file(work, source.name)
        if not kept.exists():
            if mined and source.name in MINED:
                source = with_mined_negatives(source, laws if source.name == "equals" else [], mined, seed)
            tokenise(tokenizer, source).save(kept)


def set_file(work: Path, name: str) -> Path:
    """Where a set is kept."""
    return work / f"{name.replace(':', '-')}.npz"


def with_own(sets: list[Set], own: list[Set], share: float) -> list[Set]:
    """``sets`` and ``own``, the latter weighted so that ``share`` of the labelled batches come from them."""
    others = sum(len(chosen) * chosen.weight for chosen in sets if not chosen.name.startswith(PLAIN))
    total = sum(map(len, own))
    return [*sets, *(replace(chosen, weight=share / (1 - share) * others / total) for chosen in own if len(chosen))]


def run(
    plan: Plan,
    data: Path,
    knowledge: Path,
    work: Path,
    out: Path,
    device: torch.device,
    start: Path | None = None,
    all_items: bool = False,
) -> dict[str, Any]:
    """All stages, or with a static model in ``start`` those after its table.

    Returns the evaluation, which is also written to ``out/figures.json`` beside the plan.  With ``all_items`` nothing of the
    project's own Q&A is held out, and there are no figures on it: for the model that ships, after one that was measured.
    """
    work.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()

    def note(text: str) -> None:
        print(f"[{(time.monotonic() - began) / 60:5.1f} min] {text}", flush=True)

    note("reading")
    sources = read_sources(data, plan.seed)
    items = read_items(knowledge)
    tokenizer_file = work / "tokenizer.json"
    if start is not None:
        Tokenizer.from_file(str(start / "tokenizer.json")).save(str(tokenizer_file))
    elif not tokenizer_file.exists():
        build_tokenizer(all_texts(sources), plan.vocabulary).save(str(tokenizer_file))
    plain = Tokenizer.from_file(str(tokenizer_file))
    size = plain.get_vocab_size()
    note(f"{size} words")
    laws = [row["text"] for row in read_jsonl(data / "bench" / "stard" / "corpus.jsonl")]
    make_sets(plain, sources, laws, plan.mined, plan.seed, work / "sets")
    sets = [Set.load(set_file(work / "sets", s.name), s.name, s.weight) for s in sources]
    own = [
        tokenise(plain, source)
        for source in without(item_sources(items, plan.seed, all_items=all_items), banned_keys(data))
    ]
    mixed = with_own(sets, own, plan.own_share)
    note(f"{sum(map(len, sets))} pairs in {len(sets)} sets, and {sum(map(len, own))} of our own")

    if start is not None:
        table = read_table(start)
    else:
        table = train_table(sets, new_table(size, plan.shape.dim, plan.table.seed), plan.table, work)
    if plan.shape.layers:
        save_reader(out, with_special_tokens(plain), deepen(plan, plain, table, sets, mixed, data, work, device))
    else:
        if plan.own.steps:
            table = train_table(mixed, table, own_table_plan(plan.own), work, "own")
        save_table(out, plain, table)
    note("exported")
    figures = evaluate(out, sources, [] if all_items else items)
    (out / "figures.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    (out / "plan.json").write_text(json.dumps(asdict(plan), indent=2) + "\n", encoding="utf-8")
    note(json.dumps(figures))
    return figures


def deepen(
    plan: Plan,
    plain: Tokenizer,
    table: Tensor,
    sets: list[Set],
    mixed: list[Set],
    data: Path,
    work: Path,
    device: torch.device,
) -> Reader:
    """The network on top of the table, after its stages: masked, contrast, own."""
    torch.manual_seed(plan.seed)
    reader = Reader(with_special_tokens(plain), plan.shape, table).to(device)
    # On a CPU the backward pass of the plain attention is twice as fast as that of the fused one.
    reader.bert.set_attn_implementation("sdpa" if device.type == "cuda" else "eager")
    print(f"{sum(p.numel() for p in reader.parameters()) / 1e6:.1f} M parameters on {device}", flush=True)
    if plan.masked.steps:
        pretrain(reader, token_stream(plain, read_texts(data)), plan.masked, work)
    train(reader, sets, plan.contrast, work, "contrast")
    if plan.own.steps:
        train(reader, mixed, plan.own, work, "own")
    return reader.cpu()


def own_table_plan(own: Contrast) -> TablePlan:
    """What of the last stage's plan concerns a table alone."""
    return TablePlan(
        steps=own.steps,
        batch=own.batch,
        learning_rate=own.table_rate,
        temperature=own.temperature,
        token_dropout=own.token_dropout,
        longest=own.longest,
        plain_share=own.plain_first / 2,
        warm_up=own.warm_up,
        seed=own.seed,
    )


def read_table(folder: Path) -> Tensor:
    """The word vectors of a static model, float32.

    Raises:
        OSError: there are none.
        ValueError: the model is not a static one.
    """
    tensors = load_file(folder / "model.safetensors")
    if len(tensors) != 1:
        raise ValueError(f"{folder} is no static model")
    return next(iter(tensors.values())).float()


def banned_keys(data: Path) -> frozenset[int]:
    """`text_key` of every bench question."""
    return frozenset(
        text_key(row["text"]) for path in sorted(data.glob("bench/*/queries.jsonl")) for row in read_jsonl(path)
    )


def without(sources: list[Source], banned: frozenset[int]) -> list[Source]:
    """The sources without pairs that hold a banned text."""
    return [
        replace(
            source,
            pairs=[p for p in source.pairs if text_key(p.anchor) not in banned and text_key(p.positive) not in banned],
        )
        for source in sources
    ]


def evaluate(folder: Path, sources: list[Source], items: list[Item]) -> dict[str, Any]:
    """The figures of the model in ``folder`` on held-out passages and on the project's held-out items."""
    encoder = load_encoder(str(folder))
    figures: dict[str, Any] = {"passages": held_out_passages(encoder, sources)}
    if any(item.held_out and item.similar for item in items):
        figures["items"] = held_out_items(encoder, items)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.encoder.train", description="Train the bundled encoder.")
    parser.add_argument("--plan", default="small", help="small, large, or a TOML file")
    parser.add_argument("--data", type=Path, required=True, help="folder with train/ and bench/")
    parser.add_argument("--knowledge", type=Path, default=KNOWLEDGE, help="folder of knowledge files")
    parser.add_argument("--work", type=Path, required=True, help="folder for sets and checkpoints")
    parser.add_argument("--out", type=Path, required=True, help="folder for the finished model")
    parser.add_argument("--start", type=Path, help="a static model to go on from: only the stages after the table run")
    parser.add_argument(
        "--all-items", action="store_true", help="hold none of the project's Q&A out: for the model that ships"
    )
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    bundled = Path(__file__).parent / f"{options.plan}.toml"
    plan = read_plan(bundled if bundled.exists() else Path(options.plan))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    run(plan, options.data, options.knowledge, options.work, options.out, device, options.start, options.all_items)


if __name__ == "__main__":
    main()
