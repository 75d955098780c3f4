"""Fits the classifier that hears danger."""
