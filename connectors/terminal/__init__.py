"""The ``yihaoda`` command."""
