"""The city's seal (城市标志): a small picture on the first screen."""

from __future__ import annotations

from pathlib import Path

TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".svg": "image/svg+xml"}
_BYTES = 100_000


def seal(setting: str) -> Path | None:
    """The picture that the setting names; none where there is no such file or it is no small picture."""
    file = Path(setting)
    fits = setting and file.suffix.lower() in TYPES and file.is_file() and file.stat().st_size <= _BYTES
    return file if fits else None
