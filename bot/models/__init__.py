"""The tables, by subject; here so that whoever needs one has the whole schema."""

from bot.models import base, conversations, housekeeping, jobs, knowledge, people, tickets, versions

__all__ = ["base", "conversations", "housekeeping", "jobs", "knowledge", "people", "tickets", "versions"]
