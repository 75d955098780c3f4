"""答错召回: from an answer that was wrong to everybody who got it having been told what is right.

``finding`` says who got it, ``sending`` tells them, ``figures`` counts; what becomes of each of them is in ``bot.told``.
"""

from bot.recalls.figures import Figures, figures, listed, targets
from bot.recalls.finding import Person, people
from bot.recalls.moves import LONGEST, Preview, approve, call_off, draft, get, preview
from bot.recalls.sending import finish, tell, waiting

__all__ = [
    "LONGEST",
    "Figures",
    "Person",
    "Preview",
    "approve",
    "call_off",
    "draft",
    "figures",
    "finish",
    "get",
    "listed",
    "people",
    "preview",
    "targets",
    "tell",
    "waiting",
]
