"""The gate (评测闸门): what a bundle would do to questions whose answer is known, and whether it may go out.

``rows`` has one row a question, ``statistics`` and ``checks`` look at them, ``verdict`` says what follows, ``report`` keeps it.
"""

from training.gate.run import TITLES, evaluate

__all__ = ["TITLES", "evaluate"]
