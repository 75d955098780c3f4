"""Index versions on disk: immutable folders, published by one atomic rename, and read.

``index/<version>/`` holds the files and a manifest with their checksums; ``index/CURRENT`` names the version in use and
the one before it; ``index/encoders/`` keeps the encoders that the versions name, so that a program that comes with another one
goes on reading them.  A reader notices a new ``CURRENT`` by itself; where the new version is damaged it goes on with the old.

Several versions may be in memory at once: the live release's, the coming one's and the one before (``index.versions.holding``).
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import threading
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from bot import database, knowledge, releases
from bot.errors import NotFound, StoreBusy, YihaodaError
from bot.releases import pointer as current_file
from bot.releases.files import checksum, flush
from bot.settings import Settings
from index.encoder import Encoder, EncoderError, encoder_checksum, encoder_folder, load_encoder
from index.encoder import checksum as checksum_of_model
from index.search.lexical import IndexFileError
from index.search.policy_texts import PolicyTexts
from index.search.ranking import Calibration
from index.search.retriever import Retriever
from index.versions.calibrations import shipped

log = structlog.get_logger(__name__)
FORMAT = 4
READS = frozenset({2, 3, FORMAT})
"""Formats that can be read.  In 2 there are no policy documents' texts, before 4 nothing is known of what no item answers."""
POLICY_TEXTS = "policy_texts"
ENCODERS = "encoders"
"""Beside the versions: the encoders that they name, by checksum"""
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
    keep_encoder(settings, manifest)
    target = current_file.write(settings, version, written=lambda: step("pointer written"))
    step("published")
    log.info("index.published", version=version, revision=manifest["knowledge_revision"])
    _sweep(settings, {target.version, target.previous})


def _sweep(settings: Settings, in_use: set[str | None]) -> None:
    """Remove the oldest versions but those in use and those that a bundle names, and the encoders that none of the rest names."""
    try:
        with database.read() as session:
            stays = in_use | releases.pinned(session)[0]
    except StoreBusy:
        return  # who knows what is pinned: the next time
    for old in versions(settings)[KEEP:]:
        if old["version"] not in stays:
            shutil.rmtree(settings.index_dir / old["version"], ignore_errors=True)
    named = {_built_with(manifest) for manifest in versions(settings)}
    for kept in (settings.index_dir / ENCODERS).glob("*"):
        if kept.name not in named:
            shutil.rmtree(kept, ignore_errors=True)


def keep_encoder(settings: Settings, manifest: dict[str, Any]) -> None:
    """Keep the encoder that a version names beside the versions: the next program may come with another one.

    Raises:
        IndexDamaged: it is nowhere.
        OSError: it can't be written; nothing is left behind.
    """
    wanted = _built_with(manifest)
    target = settings.index_dir / ENCODERS / wanted
    if not wanted or not settings.dense or target.is_dir():
        return
    if wanted != _configured(settings):
        raise IndexDamaged(f"索引版本 {manifest['version']} 用的句向量模型不在这台机器上，请重新构建索引。")
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{wanted[:16]}-{secrets.token_hex(4)}")
    try:
        shutil.copytree(encoder_folder(settings.encoder or None), draft)
        for path in files_of(draft):
            flush(path)
        step("encoder copied")
        draft.rename(target)
    except OSError:
        if not target.is_dir():  # else another process has kept it meanwhile
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    flush(target.parent)
    step("encoder kept")


def rollback(settings: Settings) -> str:
    """Go back to the version before the current one; its name.  Raises: NotFound, IndexDamaged."""
    _, previous = pointer(settings)
    if not previous:
        raise NotFound("没有更早的索引版本可以退回。")
    publish(settings, previous)
    return previous


def pointer(settings: Settings) -> tuple[str | None, str | None]:
    """(current, previous) version names."""
    found = current_file.read(settings)
    return found.version, found.previous


def versions(settings: Settings) -> list[dict[str, Any]]:
    """Manifests of the complete versions on disk, the newest first."""
    found = []
    for folder in settings.index_dir.glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            found.append(json.loads((folder / "manifest.json").read_text(encoding="utf-8")))
    return sorted(found, key=lambda manifest: str(manifest["created_at"]), reverse=True)


def load(settings: Settings, version: str, loaded: Collection[Loaded] = ()) -> Loaded:
    """Read and verify one version.  One of the ``loaded`` lends its encoder, if it is the same.  Raises: NotFound, IndexDamaged."""
    folder = _folder(settings, version)
    manifest = _verify(folder)
    lent = next((one.retriever.encoder for one in loaded if _built_with(one.manifest) == _built_with(manifest)), None)
    return read_folder(folder, lent or _encoder(settings, manifest), manifest)


def manifest_of(settings: Settings, version: str) -> dict[str, Any]:
    """A version's manifest, once its files are what it says.  Raises: NotFound, IndexDamaged."""
    return _verify(_folder(settings, version))


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
    if (manifest["knowledge_revision"], _built_with(manifest)) != (revision, wanted):
        return True
    return not calibration.own and shipped(wanted) not in (None, calibration)


def unreadable(settings: Settings) -> str | None:
    """Why this program can't read the version in use; None: it can.  Loads no model."""
    current, _ = pointer(settings)
    try:
        folder = _folder(settings, current or "")
        manifest = _verify(folder)
        _calibration(folder, _built_with(manifest) if settings.dense else "")
        if settings.dense and manifest["encoder"] and _model(settings, _built_with(manifest)) is None:
            return f"索引版本 {current} 用的句向量模型不在这台机器上"
    except YihaodaError as error:
        return str(error)
    return None


def differences(settings: Settings) -> list[str]:
    """How the version in use differs from what this program would build: its encoder, its calibration.  Loads no model."""
    current, _ = pointer(settings)
    try:
        folder = _folder(settings, current or "")
        manifest = _verify(folder)
        wanted = encoder_checksum(settings.encoder or None) if settings.dense else ""
        used, comes = Calibration.load(folder / "calibration.json"), shipped(wanted)
    except YihaodaError:
        return []
    found = []
    if manifest["format"] != FORMAT:
        found.append(f"格式是 {manifest['format']}，现在的程序用 {FORMAT}")
    if _built_with(manifest) != wanted:
        names = [name[:8] or "不用句向量" for name in (_built_with(manifest), wanted)]
        found.append(f"句向量模型是 {names[0]}，现在设置的是 {names[1]}")
    elif comes is not None and comes != used and not used.own:
        found += [f"{title}是 {at:g}，随程序附带的是 {new:g}" for title, at, new in _limits(used, comes) if at != new]
        parts = [title for name, title in _FITTED.items() if getattr(used, name) != getattr(comes, name)]
        if parts:
            found.append(f"{'、'.join(parts)}的权重和随程序附带的不同")
        if not found:
            found.append("标定的出处和随程序附带的不同")
    return found


_FITTED = {
    "ranker": "排序",
    "confidence": "把握",
    "follow_ranker": "追问的排序",
    "follow_confidence": "追问的把握",
    "scope": "是不是政务问题",
}


def _limits(used: Calibration, comes: Calibration) -> list[tuple[str, float, float]]:
    return [
        ("直接作答的界限", used.answer_at, comes.answer_at),
        ("“您问的可能是”的界限", used.likely_at, comes.likely_at),
        ("转人工登记的界限", used.clarify_at, comes.clarify_at),
    ]


_AGAIN_S = 60.0
"""How long a version that can't be loaded is left alone"""


class IndexReader:
    """Gives the version in use, or another one by name, to whoever asks.  Safe for several threads.

    By itself it loads what is asked for, when it is asked for.  Once somebody calls ``hold``, that is who loads, and whoever asks
    waits for nothing but the very first version.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loaded: Loaded | None = None
        self._others: dict[str, Loaded] = {}
        self._seen: tuple[int, int] | None = None
        self._lock = threading.Lock()
        self._held = False
        self._refused: dict[str, tuple[str, float]] = {}
        self._next_try = 0.0
        self.error: str | None = None
        """Why the newest version is not in use, if it is not"""

    def get(self, version: str | None = None) -> Loaded:
        """The version in use, or this one.

        Where versions are held, one that is not in memory (yet) is answered for by the version in use.

        Raises:
            IndexUnavailable: there never was a sound one.
            NotFound, IndexDamaged: this one can't be loaded, and nobody holds versions here.
        """
        if version is None:
            return self._in_use()
        if (loaded := self._loaded) is not None and loaded.version == version:
            return loaded
        found = self._others.get(version)
        if found is not None:
            return found
        if self._held:
            return self._in_use()
        with self._lock:
            if version not in self._others:
                self._others |= {version: load(self._settings, version, self._in_memory())}
            return self._others[version]

    def hold(self, versions: Collection[str] | None) -> None:
        """Load these and the version in use, and drop all others.  Seconds, where there is something to load; nobody waits for it.

        Args:
            versions: None: who knows; what is in memory stays.
        """
        self._held = True
        if self._loaded is not None or time.monotonic() >= self._next_try:
            self._next_try = time.monotonic() + _AGAIN_S
            with contextlib.suppress(IndexUnavailable):
                self._in_use(now=True)
        if versions is None:
            return
        with self._lock:
            in_use = self._loaded.version if self._loaded else None
            for version in sorted(set(versions) - self._others.keys() - {in_use}):
                self._try(version)
            self._others = {name: one for name, one in self._others.items() if name in versions and name != in_use}
            self._refused = {name: why for name, why in self._refused.items() if name in versions}

    def standing(self) -> dict[str, str | None]:
        """The versions that are in memory, and those that should be, with the reason why they are not."""
        in_memory = dict.fromkeys(one.version for one in self._in_memory())
        return in_memory | {name: why for name, (why, _) in self._refused.items() if name not in in_memory}

    def lag(self) -> int:
        """How many knowledge revisions the version in use is behind the database."""
        with database.read() as session:
            return knowledge.revision(session) - self.get().revision

    def _in_memory(self) -> list[Loaded]:
        return [*([self._loaded] if self._loaded else []), *self._others.values()]

    def _in_use(self, *, now: bool = False) -> Loaded:
        """``now``: notice a new one, and wait for it, though versions are held."""
        stamp = current_file.stamp(self._settings)
        if self._loaded is None or (stamp != self._seen and (now or not self._held)):
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
                coming = self._others.get(name) or load(self._settings, name, self._in_memory())
            except YihaodaError as error:
                self.error = str(error)
                log.error("index.refused", version=name, reason=str(error))
            else:
                before, self._loaded = self._loaded, coming
                if before is not None and self._held:  # whoever is under way may still be answered from it
                    self._others |= {before.version: before}
                self.error = None if name == current else self.error
                log.info("index.loaded", version=name)
                return

    def _try(self, version: str) -> None:
        """Load a version that is held, unless that failed just now."""
        if version in self._refused and time.monotonic() - self._refused[version][1] < _AGAIN_S:
            return
        try:
            self._others |= {version: load(self._settings, version, self._in_memory())}
        except (YihaodaError, OSError) as error:
            self._refused[version] = str(error), time.monotonic()
            log.error("index.refused", version=version, reason=str(error))
        else:
            self._refused.pop(version, None)
            log.info("index.held", version=version)


def _built_with(manifest: dict[str, Any]) -> str:
    """The checksum of the encoder that a version was built with; empty: without vectors."""
    return manifest["encoder"]["checksum"] if manifest["encoder"] else ""


def _encoder(settings: Settings, manifest: dict[str, Any]) -> Encoder | None:
    """The encoder that a version names, wherever it is; None: it has no vectors, or they are switched off."""
    if not settings.dense or not manifest["encoder"]:
        return None
    model = _model(settings, _built_with(manifest))
    if model is None:
        raise IndexDamaged(f"索引版本 {manifest['version']} 不是用现有的句向量模型构建的，请重新构建索引。")
    return load_encoder(model or None)


def _model(settings: Settings, wanted: str) -> str | None:
    """The name or folder of the encoder with this checksum, as settings name it or kept beside the versions; None: nowhere."""
    if wanted == _configured(settings):
        return settings.encoder
    kept = settings.index_dir / ENCODERS / wanted
    return str(kept) if kept.is_dir() and checksum_of_model(kept) == wanted else None


def _configured(settings: Settings) -> str | None:
    try:
        return encoder_checksum(settings.encoder or None)
    except EncoderError:
        return None


def _folder(settings: Settings, version: str) -> Path:
    folder = settings.index_dir / version
    if folder.parent != settings.index_dir or not (folder / "manifest.json").is_file():
        raise NotFound(f"没有这个索引版本：{version}")
    return folder


def _verify(folder: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        if manifest["format"] not in READS:
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


def read_folder(folder: Path, encoder: Encoder | None, manifest: dict[str, Any] | None = None) -> Loaded:
    """Args: manifest: what it says, where the files were compared with it already."""
    manifest = manifest or _verify(folder)
    if encoder is not None and encoder.checksum != _built_with(manifest):
        raise IndexDamaged(f"索引版本 {folder.name} 不是用当前的句向量模型构建的，请重新构建索引。")
    try:
        retriever = Retriever.load(folder, encoder)
        policy_texts = PolicyTexts.load(folder / POLICY_TEXTS, encoder)
        calibration = _calibration(folder, encoder.checksum if encoder else "")
    except IndexFileError as error:
        raise IndexDamaged(str(error)) from error
    return Loaded(manifest["version"], manifest, retriever, calibration, policy_texts)


def _calibration(folder: Path, encoder: str) -> Calibration:
    """A version's own, or the shipped one where vectors are switched off by a setting.  Raises: IndexFileError, IndexDamaged."""
    calibration = Calibration.load(folder / "calibration.json")
    if calibration.encoder == encoder:
        return calibration
    other = shipped(encoder)
    if other is None:
        raise IndexDamaged(f"索引版本 {folder.name} 没有适合当前句向量模型的标定，请重新构建索引。")
    return other


def files_of(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())
