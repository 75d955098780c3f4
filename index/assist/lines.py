"""A line of a transcript: what one of the two said in one breath."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Speaker = Literal["caller", "agent"]


@dataclass(frozen=True)
class Line:
    """One final segment.  ``seq`` orders them and names them: whatever is found in a call points at the lines it comes from."""

    seq: int
    speaker: Speaker
    text: str
    at: datetime | None = None
