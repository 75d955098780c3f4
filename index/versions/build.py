"""Build an index version from the database, beside the current one, and check it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from sqlalchemy.orm import Session

from bot import database, knowledge
from bot.clock import SHANGHAI
from bot.models.knowledge import QA
from bot.releases.files import checksum, flush
from bot.settings import Settings
from index.encoder import Encoder, load_encoder
from index.search import unanswered
from index.search.policy_texts import PolicyPassage, PolicyTexts
from index.search.ranking import Calibration
from index.search.retriever import Item, Retriever
from index.versions import store
from index.versions.store import FORMAT, POLICY_TEXTS, VECTORS, files_of, read_folder
from index.versions.vector_cache import CachedEncoder

Calibrate = Callable[[Encoder | None], Calibration]
Progress = Callable[[str, float], None]
"""Told what is being done and how much of the whole is (0…1)."""


def _quiet(_what: str, _share: float) -> None:
    pass


@dataclass(frozen=True)
class Source:
    """What an index is made from."""

    revision: int
    """The knowledge's"""
    items: list[Item]
    passages: list[PolicyPassage]
    """Of policy documents that are in force"""
    versions: dict[str, int]
    """The published version that each item is of, of those that were ever published"""


def build(settings: Settings, calibrate: Calibrate, progress: Progress = _quiet, *, approved_only: bool = False) -> str:
    """Build a version from the database and check it.  It is not in use until published.

    Args:
        calibrate: Gives the weights and limits for an encoder, or for none; it may take its time to fit them.
        approved_only: Leave out what was never published; where nothing was, there is no difference.

    Returns:
        The version's name.

    Raises:
        InvalidInput: there is no knowledge.
        OSError: it could not be written (disk full); nothing is left behind.
    """
    progress("读取知识", 0.0)
    with database.read() as session:
        source = read(session, datetime.now(SHANGHAI).date(), approved_only=approved_only)
    encoder = load_encoder(settings.encoder or None) if settings.dense else None
    progress("计算向量和关键词索引", 0.1)
    cached = CachedEncoder(encoder, settings.index_dir / VECTORS) if encoder else None
    try:
        retriever = Retriever.build(source.items, cached, unanswered.questions())
        policy_texts = PolicyTexts.build(source.passages, cached)
    finally:
        if cached is not None:
            cached.close()
    progress("标定置信度", 0.6)
    calibration = calibrate(encoder)
    version = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-r{source.revision}-{secrets.token_hex(2)}"
    settings.index_dir.mkdir(parents=True, exist_ok=True)
    _sweep(settings.index_dir)
    draft = settings.index_dir / f".building-{version}"
    draft.mkdir()
    try:
        with _held(draft):
            progress("写入索引", 0.8)
            write(draft, retriever, policy_texts)
            progress("检查新索引", 0.9)
            complete(settings, draft, version, source, encoder, calibration)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    progress("完成", 1.0)
    return version


def read(session: Session, today: date, *, approved_only: bool = False) -> Source:
    """What an index is made from on a day; see ``build``."""
    qas = knowledge.all_qas(session, today)
    if approved_only:
        qas = [qa for qa in qas if qa.version is not None] or qas
    coming = knowledge.coming(session)
    items = [_item(qa, [knowledge.with_version(qa, version) for version in coming.get(qa.id, ())]) for qa in qas]
    passages = [
        PolicyPassage(document.id, document.title, document.region, passage.label, passage.text)
        for passage, document in knowledge.passages_in_force(session, today)
    ]
    versions = {qa.id: qa.version for qa in qas if qa.version is not None}
    return Source(knowledge.revision(session), items, passages, versions)


def items_digest(items: Iterable[Item]) -> str:
    """Names the items that an index holds, or that something was fitted on."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(json.dumps(vars(item), ensure_ascii=False, sort_keys=True).encode("utf-8", "replace") + b"\n")
    return digest.hexdigest()


def write(draft: Path, retriever: Retriever, policy_texts: PolicyTexts | None) -> None:
    """Into a folder that is there: all of a version but its calibration and its manifest."""
    retriever.save(draft)
    if policy_texts is not None:
        policy_texts.save(draft / POLICY_TEXTS)


def complete(
    settings: Settings,
    draft: Path,
    version: str,
    source: Source,
    encoder: Encoder | None,
    calibration: Calibration,
) -> None:
    """Make a version of a folder that ``write`` wrote, on the same disk: calibration, manifest, a check, and its name."""
    (draft / "calibration.json").write_text(json.dumps(calibration.to_json(), ensure_ascii=False), encoding="utf-8")
    (draft / "manifest.json").unlink(missing_ok=True)  # of an attempt that was cut off
    store.step("files written")
    manifest = {
        "format": FORMAT,
        "version": version,
        "created_at": datetime.now(UTC).isoformat(),
        "knowledge_revision": source.revision,
        "encoder": {"name": encoder.name, "checksum": encoder.checksum, "dim": encoder.dim} if encoder else None,
        "items": len(source.items),
        "wordings": sum(len(item.texts) for item in source.items),
        "passages": len(source.passages),
        "items_sha256": items_digest(source.items),
        "versions": source.versions,
        "files": {str(path.relative_to(draft)): checksum(path) for path in files_of(draft)},
    }
    (draft / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False, indent=1), encoding="utf-8")
    store.step("manifest written")
    for path in files_of(draft):
        flush(path)
    read_folder(draft, encoder)
    store.step("checked")
    settings.index_dir.mkdir(parents=True, exist_ok=True)
    draft.rename(settings.index_dir / version)
    flush(settings.index_dir)
    store.step("renamed")


def _item(qa: QA, coming: Sequence[QA]) -> Item:
    """An item to be found by what it says, and by what it will say once its next versions are in force."""
    now = (qa.question, *qa.similar)
    later = dict.fromkeys(text for one in coming for text in (one.question, *one.similar) if text not in now)
    answers = dict.fromkeys(one.answer for one in (qa, *coming))
    return Item(qa.id, qa.matter, qa.region, qa.audience, (*now, *later), "\n".join(answers))


@contextmanager
def _held(draft: Path) -> Iterator[None]:
    """While somebody writes into a draft, nobody takes it for what a killed build left behind."""
    descriptor = os.open(draft, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sweep(index_dir: Path) -> None:
    """Remove what builds that were killed left behind."""
    for leftover in index_dir.glob(".building-*"):
        try:
            descriptor = os.open(leftover, os.O_RDONLY)
        except FileNotFoundError:  # another build is done with it
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(leftover, ignore_errors=True)
        except BlockingIOError:  # somebody is building
            pass
        finally:
            os.close(descriptor)
