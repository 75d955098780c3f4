"""A bundle as the gate sees it: what its manifest says, and the index that it names."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from bot.errors import YihaodaError
from bot.models.releases import Bundle
from bot.releases import files
from bot.settings import Settings
from index.versions import store
from index.versions.store import Loaded


@dataclass(frozen=True)
class Candidate:
    """A bundle, or what answers where none was ever released."""

    name: str | None
    """None: it is no bundle, only the index in use"""
    kind: str
    index: str
    rasa: str
    manifest: dict[str, Any]
    """Empty: it has none"""

    @property
    def knowledge(self) -> dict[str, int]:
        """The published version of each item that it was made from."""
        return self.manifest.get("knowledge") or {}


def candidate(settings: Settings, row: Bundle) -> Candidate:
    """A bundle with its manifest, as far as that can be read."""
    try:
        manifest = json.loads((files.folder(settings, row.name) / files.MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        manifest = {}
    return Candidate(row.name, row.kind, row.index_version, row.rasa_model, manifest)


def load(settings: Settings, one: Candidate) -> tuple[Loaded | None, str]:
    """Its index; or none, and why not."""
    try:
        return store.load(settings, one.index), ""
    except YihaodaError as error:
        return None, str(error)


def trained_on(settings: Settings, one: Candidate) -> frozenset[str]:
    """Digests of the texts that it was fitted on (``training.retrain.labelled.digest``); none: nobody said."""
    path = files.folder(settings, one.name or "") / files.TEXTS
    return frozenset(path.read_text(encoding="ascii").split()) if one.name and path.is_file() else frozenset()
