"""Releases (发布): what answers citizens is one bundle, chosen for each session, kept in the conversation's row.

A bundle decides how a question is found (Rasa model, index, limits).  What an item says, and whether it may answer, stands in the
live rows of the knowledge alone, in every bundle: what was paused, withdrawn or corrected is so for everybody at once.
"""

from bot.releases.serving import Serving, assign, falls, of, pinned, serving, to_watch
from bot.releases.states import HELD, KINDS, STATES

__all__ = ["HELD", "KINDS", "STATES", "Serving", "assign", "falls", "of", "pinned", "serving", "to_watch"]
