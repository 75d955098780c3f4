"""The tables, by subject; here so that whoever needs one has the whole schema."""

from bot.models import (
    base,
    callbacks,
    conversations,
    desk,
    doubts,
    housekeeping,
    jobs,
    knowledge,
    people,
    sms,
    tickets,
)

__all__ = [
    "base",
    "callbacks",
    "conversations",
    "desk",
    "doubts",
    "housekeeping",
    "jobs",
    "knowledge",
    "people",
    "sms",
    "tickets",
]
