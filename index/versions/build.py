"""Build an index version from the database, beside the current one, and check it."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bot import database, knowledge
from bot.clock import SHANGHAI
from bot.models.knowledge import QA
from bot.settings import Settings
from index.encoder import Encoder, load_encoder
from index.search.policy_texts import PolicyPassage, PolicyTexts
from index.search.ranking import Calibration
from index.search.retriever import Item, Retriever
from index.versions import store
from index.versions.store import FORMAT, POLICY_TEXTS, VECTORS, checksum, files_of, flush, read_folder
from index.versions.vector_cache import CachedEncoder

Calibrate = Callable[[Encoder | None], Calibration]
Progress = Callable[[str, float], None]
"""Told what is being done and how much of the whole is (0…1)."""


def _quiet(_what: str, _share: float) -> None:
    pass


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
    revision, items, passages = _read(approved_only=approved_only)
    encoder = load_encoder(settings.encoder or None) if settings.dense else None
    progress("计算向量和关键词索引", 0.1)
    cached = CachedEncoder(encoder, settings.index_dir / VECTORS) if encoder else None
    try:
        retriever = Retriever.build(items, cached)
        policy_texts = PolicyTexts.build(passages, cached)
    finally:
        if cached is not None:
            cached.close()
    progress("标定置信度", 0.6)
    calibration = calibrate(encoder)
    version = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-r{revision}-{secrets.token_hex(2)}"
    settings.index_dir.mkdir(parents=True, exist_ok=True)
    _sweep(settings.index_dir)
    draft = settings.index_dir / f".building-{version}"
    draft.mkdir()
    try:
        progress("写入索引", 0.8)
        _write(draft, retriever, policy_texts, calibration)
        store.step("files written")
        manifest = {
            "format": FORMAT,
            "version": version,
            "created_at": datetime.now(UTC).isoformat(),
            "knowledge_revision": revision,
            "encoder": {"name": encoder.name, "checksum": encoder.checksum, "dim": encoder.dim} if encoder else None,
            "items": len(items),
            "wordings": sum(len(item.texts) for item in items),
            "passages": len(passages),
            "files": {str(path.relative_to(draft)): checksum(path) for path in files_of(draft)},
        }
        (draft / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False, indent=1), encoding="utf-8")
        store.step("manifest written")
        for path in files_of(draft):
            flush(path)
        progress("检查新索引", 0.9)
        read_folder(draft, encoder)
        store.step("checked")
        draft.rename(settings.index_dir / version)
        flush(settings.index_dir)
        store.step("renamed")
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    progress("完成", 1.0)
    return version


def _read(*, approved_only: bool = False) -> tuple[int, list[Item], list[PolicyPassage]]:
    """What an index is made from: the knowledge's revision, its Q&A, and the passages in force today."""
    with database.read() as session:
        revision = knowledge.revision(session)
        today = datetime.now(SHANGHAI).date()
        qas = knowledge.all_qas(session, today)
        if approved_only:
            qas = [qa for qa in qas if qa.version is not None] or qas
        coming = knowledge.coming(session)
        items = [_item(qa, [knowledge.with_version(qa, version) for version in coming.get(qa.id, ())]) for qa in qas]
        passages = [
            PolicyPassage(document.id, document.title, document.region, passage.label, passage.text)
            for passage, document in knowledge.passages_in_force(session, today)
        ]
    return revision, items, passages


def _item(qa: QA, coming: Sequence[QA]) -> Item:
    """An item to be found by what it says, and by what it will say once its next versions are in force."""
    now = (qa.question, *qa.similar)
    later = dict.fromkeys(text for one in coming for text in (one.question, *one.similar) if text not in now)
    answers = dict.fromkeys(one.answer for one in (qa, *coming))
    return Item(qa.id, qa.matter, qa.region, qa.audience, (*now, *later), "\n".join(answers))


def _write(draft: Path, retriever: Retriever, policy_texts: PolicyTexts | None, calibration: Calibration) -> None:
    """All files but the manifest, which has their checksums."""
    retriever.save(draft)
    if policy_texts is not None:
        policy_texts.save(draft / POLICY_TEXTS)
    (draft / "calibration.json").write_text(json.dumps(calibration.to_json(), ensure_ascii=False), encoding="utf-8")


def _sweep(index_dir: Path) -> None:
    """Remove what builds that were killed left behind."""
    for leftover in index_dir.glob(".building-*"):
        shutil.rmtree(leftover, ignore_errors=True)
