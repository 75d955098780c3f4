"""Bundles (发布包): a folder with a manifest that never changes, and a row in the state ``built``.

The manifest says what decides how a question is found, with checksums of all of it.  Index versions and Rasa models stay where they are.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from bot import audit, database
from bot.models.releases import Bundle
from bot.releases.states import BUILT
from bot.settings import ROOT, Settings
from index.versions import store
from index.versions.store import checksum, flush
from training.retrain.making import rasa_file

FORMAT = 1
FOLDER = "bundles"
"""In the data folder"""
MANIFEST, OVERLAY, TEXTS = "manifest.json", "nlu_overlay.yml", "training_texts.txt"
_ENGINE = ("config.yml", "domain.yml", "bot/rasa", "requirements/rasa.txt")
"""What a Rasa model can be run by"""


@dataclass(frozen=True)
class Made:
    """What a bundle is made of."""

    kind: str
    """A key of ``bot.releases.KINDS``"""
    index: str
    """The index version"""
    rasa: str
    """The Rasa model"""
    overlay: str
    """What reviewers added to Rasa's sentences: a file of NLU data; empty: nothing"""
    data: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of the files that it was fitted on"""
    texts: Iterable[str] = ()
    """Digests of the texts that it was fitted on, see ``training.retrain.labelled.digest``"""
    counts: Mapping[str, Any] = field(default_factory=dict)
    """For people"""


def folder(settings: Settings, name: str) -> Path:
    """Where a bundle lies."""
    return settings.data_dir / FOLDER / name


def make(settings: Settings, name: str, made: Made, by: str, now: datetime) -> Bundle:
    """Write the folder and the row; done before, nothing changes.

    Raises:
        NotFound, IndexDamaged: the index version is not what it was.
        OSError: it can't be written; nothing is left behind.
    """
    target = folder(settings, name)
    if not (target / MANIFEST).exists():
        _write(settings, target, name, made, now)
    manifest: dict[str, Any] = json.loads((target / MANIFEST).read_text(encoding="utf-8"))
    with database.write() as session:
        row = session.get(Bundle, name)
        if row is None:
            row = Bundle(
                name=name,
                kind=made.kind,
                state=BUILT,
                share=0,
                index_version=made.index,
                rasa_model=made.rasa,
                rasa_port=None,
                summary=summary(manifest, made.counts),
                gate=None,
                made_by=by,
                made_at=now,
                since=now,
            )
            session.add(row)
            session.flush()
            audit.record(session, by, "release.built", name, kind=made.kind, index=made.index, rasa=made.rasa)
    return row


def _write(settings: Settings, target: Path, name: str, made: Made, now: datetime) -> None:
    index = store.manifest_of(settings, made.index)
    limits = json.loads((settings.index_dir / made.index / "calibration.json").read_text(encoding="utf-8"))
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in target.parent.glob(f".{name}-*"):
        shutil.rmtree(left, ignore_errors=True)
    draft = target.with_name(f".{name}-{secrets.token_hex(4)}")
    draft.mkdir(mode=0o700)
    try:
        if made.overlay:
            (draft / OVERLAY).write_text(made.overlay, encoding="utf-8")
        (draft / TEXTS).write_text("".join(f"{one}\n" for one in sorted(set(made.texts))), encoding="ascii")
        manifest = {
            "format": FORMAT,
            "name": name,
            "made_at": now.isoformat(),
            "kind": made.kind,
            "code": {"version": _version(), "engine": _engine()},
            "index": made.index,
            "index_files": index["files"],
            "rasa": {"model": made.rasa, "sha256": checksum(rasa_file(settings, made.rasa))},
            "encoder": index["encoder"]["checksum"] if index["encoder"] else "",
            "limits": {one: limits[one] for one in ("answer_at", "likely_at", "clarify_at")},
            "knowledge_revision": index["knowledge_revision"],
            "knowledge": index.get("versions", {}),
            "overlay": checksum(draft / OVERLAY) if made.overlay else None,
            "data": dict(made.data),
            "training_texts": checksum(draft / TEXTS),
        }
        (draft / MANIFEST).write_text(json.dumps(manifest, ensure_ascii=False, indent=1), encoding="utf-8")
        for path in draft.iterdir():
            path.chmod(0o600)
            flush(path)
        draft.rename(target)
        flush(target.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def summary(manifest: Mapping[str, Any], counts: Mapping[str, Any]) -> dict[str, Any]:
    """What the row says of a manifest."""
    return {
        "code": manifest["code"],
        "encoder": manifest["encoder"],
        "limits": manifest["limits"],
        "knowledge_revision": manifest["knowledge_revision"],
        "items": len(manifest["knowledge"]),
        "overlay": manifest["overlay"],
        "training_texts": manifest["training_texts"],
        **counts,
    }


@cache
def _engine() -> str:
    """A digest of what a Rasa model is made with, besides the sentences."""
    digest = hashlib.sha256()
    for name in _ENGINE:
        entry = ROOT / name
        for path in sorted(entry.rglob("*")) if entry.is_dir() else [entry]:
            if path.is_file() and "__pycache__" not in path.parts:
                content = path.read_bytes()
                digest.update(f"{path.relative_to(ROOT).as_posix()}\0{len(content)}\0".encode())
                digest.update(content)
    return digest.hexdigest()


@cache
def _version() -> str:
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])
