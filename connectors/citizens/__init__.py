"""The citizens' REST API."""
