"""Rasa's custom actions: each translates a dialogue turn into one call of ``index.assistant.respond``.

``python -m rasa_sdk --actions actions`` serves them.
"""
