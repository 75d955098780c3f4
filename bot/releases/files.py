"""A bundle's folder, ``bundles/<name>/`` in the data folder: its manifest, the sentences that its Rasa learned besides ours, and digests
of what it was fitted on.

Written once, aside and renamed, and never changed.  What the manifest names lies elsewhere: the index version in
``index/<version>/``, the Rasa model as ``rasa/<id>.tar.gz``; both stay as long as a bundle names them.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bot.errors import NotFound, YihaodaError
from bot.models.releases import Bundle
from bot.settings import ROOT, Settings

FORMAT = 1
MANIFEST = "manifest.json"
OVERLAY, TEXTS = "nlu_overlay.yml", "training_texts.txt"
"""What Rasa learned besides our sentences; digests of the texts that it all was fitted on, a line each"""
ENGINE = ("config.yml", "domain.yml", "bot/rasa", "requirements/rasa.txt")
"""What a Rasa model is made with, besides the sentences"""


class BundleDamaged(YihaodaError):
    """A bundle's files are not what its manifest says."""

    code = "bundle_damaged"


@dataclass(frozen=True)
class Manifest:
    """What a bundle is made of."""

    name: str
    made_at: str
    kind: str
    """A key of ``bot.releases.KINDS``"""
    code: dict[str, str]
    """Of the program that made it: {"version", "engine": digest of ``ENGINE``}"""
    index: str
    index_files: dict[str, str]
    """The checksums of the index's own manifest, by file"""
    rasa: dict[str, str]
    """{"model": id, "sha256"}"""
    encoder: str
    """Its checksum; empty: none"""
    limits: dict[str, float]
    """answer_at, likely_at, clarify_at"""
    knowledge_revision: int
    knowledge: dict[str, int]
    """The published version of each item, by id"""
    overlay: str | None = None
    """SHA-256 of ``OVERLAY``; None: there is none"""
    data: dict[str, str] = field(default_factory=dict)
    """Checksums of what it was fitted on, by file"""
    training_texts: str | None = None
    """SHA-256 of ``TEXTS``; None: there is none"""
    format: int = FORMAT


def folder(settings: Settings, name: str) -> Path:
    """Where a bundle lies."""
    return settings.data_dir / "bundles" / name


def model_file(settings: Settings, model: str) -> Path:
    """Where a Rasa model lies."""
    return settings.data_dir / "rasa" / f"{model}.tar.gz"


def overlay_of(settings: Settings, name: str) -> Path | None:
    """The sentences that its Rasa learned besides ours; None: there are none."""
    path = folder(settings, name) / OVERLAY
    return path if path.is_file() else None


def new_name(now: datetime) -> str:
    """A name for a bundle to be."""
    return f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def held(settings: Settings, name: str) -> dict[str, str]:
    """What lies in a bundle's folder beside the manifest: ``OVERLAY`` and ``TEXTS``, as far as it has them."""
    paths = (folder(settings, name) / one for one in (OVERLAY, TEXTS))
    return {path.name: path.read_text(encoding="utf-8") for path in paths if path.is_file()}


def digest(text: str) -> str:
    """SHA-256 of a file of this content."""
    return hashlib.sha256(text.encode()).hexdigest()


def write(settings: Settings, manifest: Manifest, held: Mapping[str, str]) -> None:
    """Write a bundle's folder; an equal one that is there already stays.

    Args:
        held: The files that are kept in it, by name; the manifest has their checksums.

    Raises:
        OSError: it can't be written; nothing is left behind.
    """
    target = folder(settings, manifest.name)
    draft = aside(target)
    draft.mkdir(parents=True)
    try:
        for name, content in held.items():
            (draft / name).write_text(content, encoding="utf-8")
        text = json.dumps(asdict(manifest), ensure_ascii=False, indent=1)
        (draft / MANIFEST).write_text(text, encoding="utf-8")
        for path in draft.iterdir():
            path.chmod(0o600)
            flush(path)
        flush(draft)
        if not target.is_dir():
            draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    flush(target.parent)


def aside(target: Path) -> Path:
    """Where a folder that one process at a time makes is made, before it gets its name; what one killed in the midst of it left goes."""
    for left in target.parent.glob(f".{target.name}-*"):
        shutil.rmtree(left, ignore_errors=True)
    return target.with_name(f".{target.name}-{secrets.token_hex(4)}")


def keep_model(settings: Settings, made: Path) -> Path:
    """Keep a Rasa model beside the others, under its own name; where it lies then.  Raises: OSError."""
    target = settings.data_dir / "rasa" / made.name
    if not target.is_file() and made.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
        try:
            shutil.copy(made, draft)
            flush(draft)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
        flush(target.parent)
    return target


def read(settings: Settings, name: str) -> Manifest:
    """What a bundle says of itself.  Raises: NotFound, BundleDamaged."""
    path = folder(settings, name) / MANIFEST
    if not path.is_file():
        raise NotFound(f"发布包 {name} 的文件夹不在这台机器上。")
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw["format"] != FORMAT:
            raise BundleDamaged(f"发布包 {name} 的格式与当前程序不符。")
        return Manifest(**raw)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleDamaged(f"发布包 {name} 无法读取：{error}") from error


def verify(settings: Settings, name: str) -> Manifest:
    """``read``, once all that it names is there and is what it says.  Raises: NotFound, BundleDamaged."""
    manifest = read(settings, name)
    index = settings.index_dir / manifest.index
    expected = {index / file: digest for file, digest in manifest.index_files.items()}
    expected[model_file(settings, manifest.rasa["model"])] = manifest.rasa["sha256"]
    if manifest.overlay is not None:
        expected[folder(settings, name) / OVERLAY] = manifest.overlay
    if manifest.training_texts is not None:
        expected[folder(settings, name) / TEXTS] = manifest.training_texts
    wrong = [path for path, digest in expected.items() if not path.is_file() or checksum(path) != digest]
    if wrong:
        named = "、".join(str(path.relative_to(settings.data_dir)) for path in sorted(wrong)[:5])
        raise BundleDamaged(f"发布包 {name} 的文件损坏或不在了：{named}")
    return manifest


def row(manifest: Manifest, state: str, by: str, counts: Mapping[str, Any] = MappingProxyType({})) -> Bundle:
    """The bundle's row; its summary is the manifest without the long lists, with ``counts`` for people."""
    raw = asdict(manifest)
    summary = {name: raw[name] for name in ("code", "encoder", "limits", "knowledge_revision", "overlay")}
    summary |= {"items": len(manifest.knowledge), "training_texts": manifest.training_texts, **counts}
    made_at = datetime.fromisoformat(manifest.made_at)
    return Bundle(
        name=manifest.name,
        kind=manifest.kind,
        state=state,
        share=0,
        index_version=manifest.index,
        rasa_model=manifest.rasa["model"],
        summary=summary,
        made_by=by,
        made_at=made_at,
        since=made_at,
    )


def code(root: Path = ROOT) -> dict[str, str]:
    """This program, as a manifest names it."""
    return {"version": _version(root), "engine": engine(root)}


@cache
def engine(root: Path = ROOT) -> str:
    """Digest of what a Rasa model is made with, besides the sentences."""
    digest = hashlib.sha256()
    for name in ENGINE:
        entry = root / name
        for path in sorted(entry.rglob("*")) if entry.is_dir() else [entry]:
            if path.is_file() and "__pycache__" not in path.parts:
                content = path.read_bytes()
                digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode())
                digest.update(content)
    return digest.hexdigest()


@cache
def _version(root: Path) -> str:
    return str(tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush(path: Path) -> None:
    """Flush a file or folder to the disk: a rename must not outrun what it names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
