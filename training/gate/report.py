"""The report of an evaluation: written once, whole, from the rows that every figure was counted of."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from bot.releases import evaluations
from bot.settings import Settings
from training.gate.rows import Row

_FIRST = ("must", "wrong", "lost", "gained", "mended", "moved")


def write(settings: Settings, bundle: str, told: Mapping[str, Any], rows: Sequence[Row]) -> None:
    """Keep a report in place of the one before.  Raises: OSError."""
    target = evaluations.folder(settings, bundle)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    draft.mkdir(mode=0o700)
    try:
        (draft / evaluations.REPORT).write_text(json.dumps(told, ensure_ascii=False, indent=1), encoding="utf-8")
        with (draft / evaluations.ROWS).open("w", encoding="utf-8") as file:
            for row in sorted(rows, key=_worst_first):
                file.write(json.dumps(row.stored(), ensure_ascii=False) + "\n")
        for path in draft.iterdir():
            path.chmod(0o600)
        shutil.rmtree(target, ignore_errors=True)
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _worst_first(row: Row) -> tuple[int, int, str]:
    kinds = row.kinds
    return next((place for place, kind in enumerate(_FIRST) if kind in kinds), len(_FIRST)), -row.times, row.id
