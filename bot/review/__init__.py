"""待学习: what went unanswered or wrong, grouped by meaning, and what people make of it.

The job ``review`` groups (``training.review``); people decide here.  Nothing that a citizen said teaches the assistant anything before
somebody has read it: a wording goes into a working copy that another person approves, a sentence for another act into a list for the
next training.
"""

from bot.review.audits import VERDICTS, Sample, estimate_of, judge, sample
from bot.review.deciding import (
    ACTIONS,
    ACTS,
    MANY,
    UNDO,
    Done,
    Wanted,
    attempt,
    decide,
    decision,
    decisions,
    examples,
    export_examples,
    undo,
)
from bot.review.groups import STATES, Group, Line, get, lines, listed, newest_figures, recount
from bot.review.reading_twice import Agreement, agreement, read_again, to_read, words
from bot.review.reasons import WHY, Figures, figures, reasons

__all__ = [
    "ACTIONS",
    "ACTS",
    "MANY",
    "STATES",
    "UNDO",
    "VERDICTS",
    "WHY",
    "Agreement",
    "Done",
    "Figures",
    "Group",
    "Line",
    "Sample",
    "Wanted",
    "agreement",
    "attempt",
    "decide",
    "decision",
    "decisions",
    "estimate_of",
    "examples",
    "export_examples",
    "figures",
    "get",
    "judge",
    "lines",
    "listed",
    "newest_figures",
    "read_again",
    "reasons",
    "recount",
    "sample",
    "to_read",
    "undo",
    "words",
]
