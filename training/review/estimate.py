"""What the audit sample says: how many answers are wrong, with the interval of Clopper and Pearson."""

from __future__ import annotations

from datetime import datetime

from scipy.stats import beta
from sqlalchemy.orm import Session

from bot.models.review import ReviewFigures
from bot.review import audits


def interval(wrong: int, judged: int, sure: float = 0.95) -> tuple[float, float]:
    """Where the true share lies, at least so surely: exact, on both sides.

    Raises:
        ValueError: nothing was judged, or more is wrong than was judged.
    """
    if not 0 <= wrong <= judged or not judged:
        raise ValueError(f"{wrong} of {judged}")
    tail = (1 - sure) / 2
    low = float(beta.ppf(tail, wrong, judged - wrong + 1)) if wrong else 0.0
    high = float(beta.ppf(1 - tail, wrong + 1, judged - wrong)) if wrong < judged else 1.0
    return low, high


def keep(session: Session, now: datetime, *, questions: int, groups: int, alone: int, renewed: int) -> ReviewFigures:
    """Draw the sample anew, and keep what it says by now with what a grouping found."""
    answered = audits.draw(session, now)
    session.flush()
    counted = audits.estimate_of(session, now)
    low, high = interval(counted.wrong, counted.judged) if counted.judged else (None, None)
    made = ReviewFigures(
        at=now,
        questions=questions,
        groups=groups,
        alone=alone,
        renewed=renewed,
        answered=answered,
        drawn=counted.drawn,
        judged=counted.judged,
        wrong=counted.wrong,
        low=low,
        high=high,
    )
    session.add(made)
    session.flush()
    return made
