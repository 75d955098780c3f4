"""What a bundle's manifest says of its contents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bot.settings import Settings


def folder(settings: Settings, name: str) -> Path:
    """Where a bundle's files lie."""
    return settings.data_dir / "bundles" / name


def read(settings: Settings, name: str) -> dict[str, Any]:
    """The manifest; empty where it is lost."""
    try:
        said = json.loads((folder(settings, name) / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def knowledge(settings: Settings, name: str) -> dict[str, int]:
    """Item → the number of the published version that a bundle was made from."""
    return {str(qa_id): int(number) for qa_id, number in read(settings, name).get("knowledge", {}).items()}
