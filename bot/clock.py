"""The time, and the zone of every date that a citizen reads."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
"""The zone of every date that a citizen reads."""


def utcnow() -> datetime:
    """Now, aware, in UTC."""
    return datetime.now(UTC)
