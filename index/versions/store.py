"""Index versions on disk: immutable folders, published by one atomic rename, and read.

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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from bot import database, knowledge
from bot.errors import NotFound, YihaodaError
from bot.settings import Settings
from index.encoder import Encoder, encoder_checksum, load_encoder
from index.search.lexical import IndexFileError
from index.search.policy_texts import PolicyTexts
from index.search.ranking import Calibration
from index.search.retriever import Retriever
from index.versions.calibrations import shipped

log = structlog.get_logger(__name__)
FORMAT = 3
POLICY_TEXTS = "policy_texts"
VECTORS = "vectors.db"
"""Beside the versions: vectors kept from build to build"""
KEEP = 5
"""How many versions stay on disk."""


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


def step(_name: str) -> None:
    """Called between the steps of building and publishing; tests end the process here."""


def publish(settings: Settings, version: str) -> None:
    """Put a version to use.  Raises: NotFound, IndexDamaged (then nothing changes)."""
    folder = _folder(settings, version)
    manifest = _verify(folder)
    current, previous = pointer(settings)
    target = {"version": version, "previous": previous if version == current else current}
    draft = settings.index_dir / f".CURRENT-{secrets.token_hex(4)}"
    try:
        draft.write_text(json.dumps(target), encoding="utf-8")
        flush(draft)
        step("pointer written")
        draft.replace(settings.index_dir / "CURRENT")
    finally:
        draft.unlink(missing_ok=True)
    flush(settings.index_dir)
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
    return read_folder(_folder(settings, version), _encoder(settings))


def stale(settings: Settings) -> bool:
    """Whether the version in use is missing or damaged, or was built from other knowledge, encoder or calibration.

    Loads no model, so that whoever only asks stays small.
    """
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
            str(path.relative_to(folder)): checksum(path) for path in files_of(folder) if path.name != "manifest.json"
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IndexDamaged(f"索引版本 {folder.name} 无法读取：{error}") from error
    wrong = sorted(name for name in expected.keys() | actual.keys() if expected.get(name) != actual.get(name))
    if wrong:
        raise IndexDamaged(f"索引版本 {folder.name} 的文件已损坏：{', '.join(wrong)}")
    return manifest


def read_folder(folder: Path, encoder: Encoder | None) -> Loaded:
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
        other = shipped(encoder.checksum if encoder else "")  # vectors switched off by a setting: other weights
        if other is None:
            raise IndexDamaged(f"索引版本 {folder.name} 没有适合当前句向量模型的标定，请重新构建索引。")
        calibration = other
    return Loaded(manifest["version"], manifest, retriever, calibration, policy_texts)


def files_of(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush(path: Path) -> None:
    """Flush a file or folder to the disk: a rename must not outrun what it names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
