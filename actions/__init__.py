"""Rasa's custom actions: each translates a dialogue turn into one call of ``index.assistant.Assistant.settle``.

``python -m actions`` serves them.
"""
