"""How much one caller may ask for in a minute."""

from __future__ import annotations

import time
from collections import Counter


class PerMinute:
    """At most so many a minute under one key.  In memory: there is one gateway process, and a restart forgives."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._minute = 0
        self._counts: Counter[str] = Counter()

    def allow(self, key: str) -> bool:
        """Count one; whether it is within the limit."""
        minute = int(time.monotonic() // 60)
        if minute != self._minute:
            self._minute, self._counts = minute, Counter()
        self._counts[key] += 1
        return self._counts[key] <= self._limit
