"""Index versions: immutable folders, built beside the current one, checked, published by one atomic rename.

``index/<version>/`` holds the files and a manifest with their checksums; ``index/CURRENT`` names the version in use and
the one before it.  A reader notices a new ``CURRENT`` by itself; where the new version is damaged it goes on with the old.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from bot import database, knowledge
from bot.errors import NotFound, YihaodaError
from bot.settings import Settings
from bot.working_days import SHANGHAI
from index.encoder import Encoder, encoder_checksum, load_encoder
from index.lexical import IndexFileError
from index.policy_texts import PolicyPassage, PolicyTexts
from index.ranking import Calibration
from index.retriever import Item, Retriever
from index.vector_cache import CachedEncoder

log = structlog.get_logger(__name__)

FORMAT = 3
POLICY_TEXTS = "policy_texts"
VECTORS = "vectors.db"
"""Beside the versions: vectors kept from build to build"""
KEEP = 5
"""How many versions stay on disk."""

Progress = Callable[[str, float], None]
"""Told what is being done and how much of the whole is (0…1)."""


class IndexUnavailable(YihaodaError):
    """There is no index version that can be used."""

    code = "index_unavailable"


class IndexDamaged(YihaodaError):
    """A version's files are not what its manifest says, or can't be read."""

    code = "index_damaged"


@dataclass(frozen=True)
class Loaded:
    """One index version in memory."""

    version: str
    manifest: dict[str, Any]
    retriever: Retriever
    calibration: Calibration
    policy_texts: PolicyTexts | None
    """The second tier, where any document's text was imported"""

    @property
    def revision(self) -> int:
        """The knowledge revision it was built from."""
        return int(self.manifest["knowledge_revision"])


def _quiet(_what: str, _share: float) -> None:
    pass


def step(_name: str) -> None:
    """Called between the steps of building and publishing; tests end the process here."""


def build(settings: Settings, progress: Progress = _quiet) -> str:
    """Build a version from the database and check it.  It is not in use until published.

    Returns:
        The version's name.

    Raises:
        ValueError: there is no knowledge.
        OSError: it could not be written (disk full); nothing is left behind.
    """
    progress("读取知识", 0.0)
    with database.read() as session:
        revision = knowledge.revision(session)
        items = [
            Item(qa.id, qa.matter, qa.region, qa.audience, (qa.question, *qa.similar), qa.answer)
            for qa in knowledge.all_qas(session)
        ]
        today = datetime.now(SHANGHAI).date()
        passages = [
            PolicyPassage(document.id, document.title, document.region, passage.label, passage.text)
            for passage, document in knowledge.passages_in_force(session, today)
        ]
    from index.fit import calibration_for

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
    calibration = calibration_for(encoder)
    version = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-r{revision}-{secrets.token_hex(2)}"
    settings.index_dir.mkdir(parents=True, exist_ok=True)
    _sweep(settings.index_dir)
    draft = settings.index_dir / f".building-{version}"
    draft.mkdir()
    try:
        progress("写入索引", 0.8)
        retriever.save(draft)
        if policy_texts is not None:
            policy_texts.save(draft / POLICY_TEXTS)
        (draft / "calibration.json").write_text(json.dumps(calibration.to_json(), ensure_ascii=False), encoding="utf-8")
        step("files written")
        manifest = {
            "format": FORMAT,
            "version": version,
            "created_at": datetime.now(UTC).isoformat(),
            "knowledge_revision": revision,
            "encoder": {"name": encoder.name, "checksum": encoder.checksum, "dim": encoder.dim} if encoder else None,
            "items": len(items),
            "wordings": sum(len(item.texts) for item in items),
            "passages": len(passages),
            "files": {str(path.relative_to(draft)): _checksum(path) for path in _files(draft)},
        }
        (draft / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False, indent=1), encoding="utf-8")
        step("manifest written")
        for path in _files(draft):
            _sync(path)
        progress("检查新索引", 0.9)
        _load(draft, encoder)
        step("checked")
        draft.rename(settings.index_dir / version)
        _sync(settings.index_dir)
        step("renamed")
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    progress("完成", 1.0)
    return version


def publish(settings: Settings, version: str) -> None:
    """Put a version to use.  Raises: NotFound, IndexDamaged (then nothing changes)."""
    folder = _folder(settings, version)
    manifest = _verify(folder)
    current, previous = pointer(settings)
    target = {"version": version, "previous": previous if version == current else current}
    draft = settings.index_dir / f".CURRENT-{secrets.token_hex(4)}"
    try:
        draft.write_text(json.dumps(target), encoding="utf-8")
        _sync(draft)
        step("pointer written")
        draft.replace(settings.index_dir / "CURRENT")
    finally:
        draft.unlink(missing_ok=True)
    _sync(settings.index_dir)
    step("published")
    log.info("index.published", version=version, revision=manifest["knowledge_revision"])
    for old in versions(settings)[KEEP:]:
        if old["version"] not in target.values():
            shutil.rmtree(settings.index_dir / old["version"], ignore_errors=True)


def rollback(settings: Settings) -> str:
    """Go back to the version before the current one; its name.  Raises: NotFound, IndexDamaged."""
    _, previous = pointer(settings)
    if not previous:
        raise NotFound("没有更早的索引版本可以退回。")
    publish(settings, previous)
    return previous


def pointer(settings: Settings) -> tuple[str | None, str | None]:
    """(current, previous) version names."""
    try:
        raw = json.loads((settings.index_dir / "CURRENT").read_text(encoding="utf-8"))
        return raw["version"], raw.get("previous")
    except (OSError, ValueError, KeyError, TypeError):
        return None, None


def versions(settings: Settings) -> list[dict[str, Any]]:
    """Manifests of the complete versions on disk, the newest first."""
    found = []
    for folder in settings.index_dir.glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            found.append(json.loads((folder / "manifest.json").read_text(encoding="utf-8")))
    return sorted(found, key=lambda manifest: str(manifest["created_at"]), reverse=True)


def load(settings: Settings, version: str) -> Loaded:
    """Read and verify one version.  Raises: NotFound, IndexDamaged."""
    return _load(_folder(settings, version), _encoder(settings))


def stale(settings: Settings) -> bool:
    """Whether the version in use is missing or damaged, or was built from other knowledge, encoder or calibration.

    Loads no model, so that whoever only asks stays small.
    """
    from index.fit import shipped

    current, _ = pointer(settings)
    wanted = encoder_checksum(settings.encoder or None) if settings.dense else ""
    try:
        folder = _folder(settings, current or "")
        manifest = _verify(folder)
        calibration = Calibration.load(folder / "calibration.json")
    except (NotFound, IndexDamaged, IndexFileError):
        return True
    with database.read() as session:
        revision = knowledge.revision(session)
    built_with = manifest["encoder"]["checksum"] if manifest["encoder"] else ""
    return (manifest["knowledge_revision"], built_with) != (revision, wanted) or shipped(wanted) not in (
        None,
        calibration,
    )


class IndexReader:
    """Gives the current version to whoever asks, and notices when it changes.  Safe for several threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loaded: Loaded | None = None
        self._seen: tuple[int, int] | None = None
        self._lock = threading.Lock()
        self.error: str | None = None
        """Why the newest version is not in use, if it is not"""

    def get(self) -> Loaded:
        """The version in use.  Raises: IndexUnavailable if there never was a sound one."""
        try:
            stat = (self._settings.index_dir / "CURRENT").stat()
        except OSError:
            stamp = None
        else:
            stamp = (stat.st_mtime_ns, stat.st_ino)
        if self._loaded is None or stamp != self._seen:
            with self._lock:
                if self._loaded is None or stamp != self._seen:
                    self._reload()
                    self._seen = stamp
        if self._loaded is None:
            raise IndexUnavailable(f"没有可用的知识索引：{self.error or '还没有发布过'}")
        return self._loaded

    def _reload(self) -> None:
        current, previous = pointer(self._settings)
        names = [current] if self._loaded else [current, previous]
        for name in filter(None, names):
            if self._loaded and self._loaded.version == name:
                self.error = None
                return
            try:
                self._loaded = load(self._settings, name)
            except YihaodaError as error:
                self.error = str(error)
                log.error("index.refused", version=name, reason=str(error))
            else:
                self.error = None if name == current else self.error
                log.info("index.loaded", version=name)
                return

    def lag(self) -> int:
        """How many knowledge revisions the version in use is behind the database."""
        with database.read() as session:
            return knowledge.revision(session) - self.get().revision


def _encoder(settings: Settings) -> Encoder | None:
    return load_encoder(settings.encoder or None) if settings.dense else None


def _folder(settings: Settings, version: str) -> Path:
    folder = settings.index_dir / version
    if folder.parent != settings.index_dir or not (folder / "manifest.json").is_file():
        raise NotFound(f"没有这个索引版本：{version}")
    return folder


def _verify(folder: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT:
            raise IndexDamaged(f"索引版本 {folder.name} 的格式与当前程序不符，请重新构建。")
        expected: dict[str, str] = manifest["files"]
        actual = {
            str(path.relative_to(folder)): _checksum(path) for path in _files(folder) if path.name != "manifest.json"
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IndexDamaged(f"索引版本 {folder.name} 无法读取：{error}") from error
    wrong = sorted(name for name in expected.keys() | actual.keys() if expected.get(name) != actual.get(name))
    if wrong:
        raise IndexDamaged(f"索引版本 {folder.name} 的文件已损坏：{', '.join(wrong)}")
    return manifest


def _load(folder: Path, encoder: Encoder | None) -> Loaded:
    manifest = _verify(folder)
    built_with = manifest["encoder"]["checksum"] if manifest["encoder"] else ""
    if encoder is not None and encoder.checksum != built_with:
        raise IndexDamaged(f"索引版本 {folder.name} 不是用当前的句向量模型构建的，请重新构建索引。")
    try:
        retriever = Retriever.load(folder, encoder)
        policy_texts = PolicyTexts.load(folder / POLICY_TEXTS, encoder)
        calibration = Calibration.load(folder / "calibration.json")
    except IndexFileError as error:
        raise IndexDamaged(str(error)) from error
    if calibration.encoder != (encoder.checksum if encoder else ""):
        from index.fit import calibration_for

        calibration = calibration_for(encoder)  # e.g. vectors switched off by a setting: other weights
    return Loaded(manifest["version"], manifest, retriever, calibration, policy_texts)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    """Flush a file or folder to the disk: a rename must not outrun what it names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(index_dir: Path) -> None:
    """Remove what builds that were killed left behind."""
    for leftover in index_dir.glob(".building-*"):
        shutil.rmtree(leftover, ignore_errors=True)
