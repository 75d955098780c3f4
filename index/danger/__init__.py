"""Hears danger in a message, however it is said."""
