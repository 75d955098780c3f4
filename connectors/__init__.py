"""Channels to people: the HTTP gateway, the command line, the operators' routes."""
