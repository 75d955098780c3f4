"""What of the knowledge free search at the desk may show.  Suggestions show what may not answer today, too, and say that it may not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from sqlalchemy.orm import Session

from bot import knowledge, regions
from bot.models.knowledge import QA


@dataclass(frozen=True)
class Wanted:
    """Which items; what is not given does not matter."""

    region: str | None = None
    """What holds there: its own, and that of the regions that it lies in"""
    theme: str = ""
    department: str = ""
    """A part of its name"""
    audience: Literal["", "个人", "企业"] = ""
    everything: bool = False
    """Also what may not answer today, for those who look after the knowledge"""


def items(session: Session, ids: Sequence[str], wanted: Wanted, *, today: date, production: bool) -> dict[str, QA]:
    """Those of the items that may be shown, by id, in the order of ``ids``."""
    above = set(regions.ancestors(wanted.region)) if wanted.region else None
    return {
        id_: qa
        for id_, qa in knowledge.get_many(session, ids).items()
        if (wanted.everything or knowledge.answerable(qa, today=today, production=production).answers)
        and (above is None or qa.region in above)
        and (not wanted.theme or wanted.theme in qa.themes)
        and wanted.department in (qa.department or "")
        and (not wanted.audience or wanted.audience in qa.audience)
    }
