"""Questions near the starter knowledge that none of its items answers, so that what is like them is not answered either.

They lie in ``unanswered.jsonl``: {q, matter} a line, the matter that it is near to, or null.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from index.search.normalise import clean

FILE = Path(__file__).with_name("unanswered.jsonl")


@lru_cache
def questions() -> tuple[str, ...]:
    """All of them, cleaned."""
    lines = FILE.read_text(encoding="utf-8").split("\n")
    return tuple(dict.fromkeys(clean(json.loads(line)["q"]) for line in lines if line.strip()))
