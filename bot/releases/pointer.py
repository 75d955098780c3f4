"""``index/CURRENT``: which index version is in use, which was before it, and which bundle put it there.

It always names the live bundle's index, for whoever asks without a conversation.  The database is the truth: where the file
names a bundle that is not the live one, somebody was killed in between, and it is put right.  Where it names none, it was
written by hand (``yihaoda index publish``), and what it names becomes a bundle.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bot.releases.files import flush
from bot.settings import Settings


@dataclass(frozen=True)
class Pointer:
    """What the file says; all None where there is none."""

    version: str | None = None
    previous: str | None = None
    bundle: str | None = None


def read(settings: Settings) -> Pointer:
    """What is in use."""
    try:
        raw = json.loads(_file(settings).read_text(encoding="utf-8"))
        return Pointer(raw["version"], raw.get("previous"), raw.get("bundle"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Pointer()


def stamp(settings: Settings) -> tuple[int, int] | None:
    """Another one after every change; None: there is no file."""
    try:
        stat = _file(settings).stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino


def write(
    settings: Settings, version: str, bundle: str | None = None, written: Callable[[], None] = lambda: None
) -> Pointer:
    """Name another version, by one atomic rename; what was in use becomes the one before.

    Args:
        bundle: Whose index it is; None: nobody's yet.
        written: Called when all but the rename is done.

    Raises:
        OSError: it can't be written; then nothing changes.
    """
    before = read(settings)
    target = Pointer(version, before.previous if version == before.version else before.version, bundle)
    draft = settings.index_dir / f".CURRENT-{secrets.token_hex(4)}"
    try:
        content = {"version": target.version, "previous": target.previous} | ({"bundle": bundle} if bundle else {})
        draft.write_text(json.dumps(content), encoding="utf-8")
        flush(draft)
        written()
        draft.replace(_file(settings))
    finally:
        draft.unlink(missing_ok=True)
    flush(settings.index_dir)
    return target


def _file(settings: Settings) -> Path:
    return settings.index_dir / "CURRENT"
