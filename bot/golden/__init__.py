"""The golden set (题库): questions whose right answer people know.  It judges every release and teaches nothing.

One person proposes what is added, changed or retired, another confirms; nothing of it is ever deleted.
"""

from bot.golden.proposals import (
    DECIDED,
    MOVES,
    Imported,
    bring,
    confirm,
    confirm_all,
    propose_add,
    propose_change,
    propose_retire,
    refuse,
)
from bot.golden.questions import STRATA, Content, Wanted, changes, digest, exported, get, in_force, listed
from bot.golden.reading import rows_of
from bot.golden.starting import ensure, start
from bot.golden.taught import Taught, digest_of, letters, taught

__all__ = [
    "DECIDED",
    "MOVES",
    "STRATA",
    "Content",
    "Imported",
    "Taught",
    "Wanted",
    "bring",
    "changes",
    "confirm",
    "confirm_all",
    "digest",
    "digest_of",
    "ensure",
    "exported",
    "get",
    "in_force",
    "letters",
    "listed",
    "propose_add",
    "propose_change",
    "propose_retire",
    "refuse",
    "rows_of",
    "start",
    "taught",
]
