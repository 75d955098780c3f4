"""Rasa's custom actions: each translates a dialogue turn into one call of ``index.assistant.respond.Assistant.settle``.

``python -m actions`` serves them.
"""
