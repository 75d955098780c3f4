"""What is looked at before the first second is spent on a training: everything that is amiss, in one message."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import psutil
import yaml
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot import database, disk, review
from bot.errors import InvalidInput
from bot.models.knowledge import QA
from bot.settings import ROOT, Settings
from index.encoder import EncoderError, encoder_checksum
from index.versions import store
from training import rasa_model

_ROOM = 500_000_000
"""Bytes that a Rasa model, its training and a small index take"""
_MEMORY = 1_500_000_000
_MEMORY_A_WORDING = 30_000
"""Bytes: counts, vectors, and what the classifier learns of it, measured at 43,000 wordings"""
FEWEST_SENTENCES = 8
"""An act with fewer sentences is not told from others"""
FEWEST_ITEMS = 5


@dataclass(frozen=True)
class Found:
    """What there is to train on."""

    items: int
    wordings: int
    sentences: dict[str, int]
    """Rasa's, by act, with what reviewers added"""


def look(settings: Settings) -> Found:
    """Count, and see whether there is room.

    Raises:
        InvalidInput: something is amiss; says all of it.
    """
    with database.read() as session:
        items, wordings = _knowledge(session)
        added = _added(session)
    sentences = Counter(project_sentences())
    problems = [*_room(settings, wordings), *_programs(settings)]
    if items < FEWEST_ITEMS:
        problems.append(f"问答只有 {items} 条，至少要 {FEWEST_ITEMS} 条")
    if strange := sorted(set(added) - _acts()):
        problems.append(f"补充语料里有程序不认识的意图：{'、'.join(strange)}")
    sentences.update(added)
    few = [f"{act} {sentences[act]} 句" for act in sorted(sentences) if sentences[act] < FEWEST_SENTENCES]
    if few:
        problems.append(f"这些意图的例句太少，每种至少要 {FEWEST_SENTENCES} 句：{'、'.join(few)}")
    if problems:
        raise InvalidInput(f"现在不能训练：{'；'.join(problems)}。")
    return Found(items, wordings, dict(sentences))


def _knowledge(session: Session) -> tuple[int, int]:
    items = session.scalar(select(func.count()).select_from(QA)) or 0
    wordings = sum(1 + len(similar or ()) for similar in session.scalars(select(QA.similar)))
    return items, wordings


def _added(session: Session) -> dict[str, int]:
    entries = yaml.safe_load(review.examples(session))["nlu"] or ()
    return {entry["intent"]: entry["examples"].count("\n") for entry in entries}


def project_sentences() -> dict[str, int]:
    """How many sentences of each act come with the project."""
    found: Counter[str] = Counter()
    for path in sorted((ROOT / "nlu_data" / "nlu").glob("*.yml")):
        for act, lines in rasa_model.examples(path).items():
            found[act] += len(lines)
    return dict(found)


def _acts() -> set[str]:
    domain = yaml.safe_load((ROOT / "domain.yml").read_text(encoding="utf-8"))
    return {next(iter(one)) if isinstance(one, dict) else one for one in domain["intents"]}


def _room(settings: Settings, wordings: int) -> list[str]:
    problems = []
    current, _ = store.pointer(settings)
    files = store.files_of(settings.index_dir / current) if current else ()
    wanted = _ROOM + 3 * sum(path.stat().st_size for path in files)
    try:
        free = disk.free_bytes(settings.data_dir)
    except OSError as error:
        problems.append(f"看不了数据目录所在的磁盘：{disk.reason(error) or error}")
    else:
        if free < wanted:
            problems.append(f"数据目录所在的磁盘只剩 {free / 1e6:.0f} MB，至少要 {wanted / 1e6:.0f} MB")
    memory = psutil.virtual_memory().available
    need = _MEMORY + _MEMORY_A_WORDING * wordings
    if memory < need:
        problems.append(f"空闲的内存只有 {memory / 1e9:.1f} GB，至少要 {need / 1e9:.1f} GB")
    return problems


def _programs(settings: Settings) -> list[str]:
    problems = []
    try:
        rasa_model.python(ROOT)
        rasa_model.model_id(ROOT)
    except rasa_model.RasaTrainingError as error:
        problems.append(str(error).rstrip("。"))
    if settings.dense:
        try:
            encoder_checksum(settings.encoder or None)
        except EncoderError as error:
            problems.append(str(error).rstrip("。"))
    return problems
