"""What the Rasa process alone loads: start-up, a faster validator and a bounded tracker store (Python 3.10).

Nothing here imports another package of the project, and nothing outside the Rasa process imports this one.
"""
