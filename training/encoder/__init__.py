"""Training of the bundled encoder, from word table to export: ``python -m training.encoder.train``."""
