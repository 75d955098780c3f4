"""The lines of a call as speech recognition delivers them, and where in them something was said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Speaker = Literal["caller", "agent"]


@dataclass(frozen=True)
class Line:
    """One final segment."""

    seq: int
    """Its number in the call"""
    speaker: Speaker
    text: str
    at: datetime | None = None
    """When it began; None where that isn't known"""


@dataclass(frozen=True)
class Span:
    """Characters of a line: ``text[start:end]``."""

    seq: int
    start: int
    end: int
