"""The switch itself: which bundle is held, which one is live."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import database
from bot.clock import utcnow
from bot.errors import IllegalMove, NotFound
from bot.models.releases import Bundle, ReleaseStep
from bot.releases.states import HELD, KEPT, LIVE, PREVIOUS
from bot.settings import Settings

WARM = timedelta(hours=24)
"""For so long the bundle before is kept ready to go back to"""


def hold(session: Session, settings: Settings, bundle: Bundle, state: str, now: datetime) -> None:
    """Put a bundle into another state than live."""
    bundle.state, bundle.since = state, now
    bundle.warm_until = now + WARM if state == PREVIOUS else None
    session.flush()


def make_live(
    settings: Settings,
    name: str,
    *,
    by: str,
    move: str,
    why: str | None,
    figures: Mapping[str, Any],
    former: str = PREVIOUS,
    within: Callable[[Session, Bundle], Mapping[str, Any]] | None = None,
) -> None:
    """Let a bundle answer whoever has no other.

    Args:
        by, move, why, figures: For the history.
        former: What becomes of the one that was live: ``previous``, kept warm, or ``stopped``.
        within: Called first in the switch's own transaction: what it raises leaves all as it is; what it returns goes to the figures.

    Raises:
        NotFound: there is no such bundle.
        IllegalMove: it is live already.
    """
    now = utcnow()
    with database.write() as session:
        bundle = session.get(Bundle, name)
        if bundle is None:
            raise NotFound(f"没有这个发布包：{name}")
        if within is not None:
            figures = {**figures, **within(session, bundle)}
        others = session.scalars(select(Bundle).where(Bundle.state.in_(HELD)).order_by(Bundle.name)).all()
        if bundle.state == LIVE:
            raise IllegalMove("这个发布包已经在用。")
        note(session, bundle, LIVE, by=by, move=move, why=why, figures=figures, now=now)
        for one in others:
            if one.state == LIVE:
                note(session, one, former, by=by, move=move, why=why, figures={}, now=now)
                hold(session, settings, one, former, now)
            elif one.state == PREVIOUS and one is not bundle:
                note(session, one, KEPT, by="系统", move="kept", why=None, figures={}, now=now)
                hold(session, settings, one, KEPT, now)
        bundle.state, bundle.since, bundle.warm_until, bundle.share = LIVE, now, None, 0
        version = bundle.index_version
    _point(settings, version)


def to_kept(session: Session, settings: Settings, now: datetime) -> Sequence[str]:
    """Let go of bundles that were kept warm long enough; their names."""
    over = session.scalars(select(Bundle).where(Bundle.state == PREVIOUS, Bundle.warm_until <= now)).all()
    for one in over:
        note(session, one, KEPT, by="系统", move="kept", why=None, figures={}, now=now)
        hold(session, settings, one, KEPT, now)
    return [one.name for one in over]


def note(
    session: Session,
    bundle: Bundle,
    after: str,
    *,
    by: str,
    move: str,
    why: str | None,
    figures: Mapping[str, Any],
    now: datetime,
) -> None:
    """Write down a step in the history, before it is taken."""
    session.add(
        ReleaseStep(
            bundle=bundle.name,
            at=now,
            by=by,
            move=move,
            before=bundle.state,
            after=after,
            why=why,
            figures=dict(figures),
        )
    )


def _point(settings: Settings, version: str) -> None:
    pointer = settings.index_dir / "CURRENT"
    if not pointer.exists():
        return
    said = json.loads(pointer.read_text(encoding="utf-8"))
    if said["version"] != version:
        draft = pointer.with_name(f".CURRENT-{secrets.token_hex(4)}")
        draft.write_text(json.dumps({"version": version, "previous": said["version"]}), encoding="utf-8")
        draft.replace(pointer)
