"""The tables, by subject; here so that whoever needs one has the whole schema."""

from bot.models import asked, base, conversations, housekeeping, jobs, knowledge, people, tickets

__all__ = ["asked", "base", "conversations", "housekeeping", "jobs", "knowledge", "people", "tickets"]
