"""The tables, by subject; here so that whoever needs one has the whole schema."""

from bot.models import base, calls, conversations, housekeeping, imports, jobs, knowledge, people, tickets

__all__ = ["base", "calls", "conversations", "housekeeping", "imports", "jobs", "knowledge", "people", "tickets"]
