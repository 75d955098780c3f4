"""Measurements of the whole and of its parts.  README.md says how to run each and what its figures mean."""
