"""Fits what suggests a ticket's category, and measures it."""
