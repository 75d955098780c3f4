"""The tables, by subject; here so that whoever needs one has the whole schema."""

from bot.models import base, categories, conversations, housekeeping, jobs, knowledge, people, tickets

__all__ = ["base", "categories", "conversations", "housekeeping", "jobs", "knowledge", "people", "tickets"]
