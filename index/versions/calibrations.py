"""The calibrations that come with the project, one for each encoder that it ships and one for none; ``training.fit`` writes them."""

from __future__ import annotations

import json
from pathlib import Path

from index.search.ranking import Calibration

FILE = Path(__file__).with_name("calibrations.json")


def shipped(encoder: str) -> Calibration | None:
    """The calibration for the encoder of this checksum (empty: none).  Raises: IndexFileError."""
    entries = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else []
    return next((Calibration.from_json(raw) for raw in entries if raw["encoder"] == encoder), None)
