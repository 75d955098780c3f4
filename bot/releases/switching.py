"""The switch itself: which bundle is held, which one is live, and where each one's Rasa listens.

The database is the truth.  ``index/CURRENT`` follows it: whoever is killed between the two leaves a pointer that names another
bundle than the live one, and the next one who looks puts it right (``put_right``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from bot import database
from bot.clock import utcnow
from bot.errors import IllegalMove, NotFound
from bot.models.releases import Bundle, ReleaseStep
from bot.releases import files, pointer
from bot.releases.states import HELD, KEPT, LIVE, PREVIOUS
from bot.settings import Settings

log = structlog.get_logger(__name__)

WARM = timedelta(hours=24)
"""For so long the bundle before is kept ready to go back to"""


def step(_name: str) -> None:
    """Called between the steps of a switch; tests end the process here."""


def ports(session: Session, settings: Settings, *, anew: bool = False) -> None:
    """See to it that each held bundle has a port for its Rasa, as far as there are ports, and no other has one.

    Bundles with the same model share one.  One without is answered by the gateway itself.

    Args:
        anew: No Rasa is running: the live bundle gets the first port.
    """
    named = session.scalars(select(Bundle).where(Bundle.state.in_(HELD) | Bundle.rasa_port.is_not(None))).all()
    held = sorted((one for one in named if one.state in HELD), key=lambda one: (one.state != LIVE, one.made_at))
    usable = settings.rasa_ports
    for one in named:
        if one.state not in HELD or one.rasa_port not in usable or anew:
            one.rasa_port = None
    of_model: dict[str, int] = {}
    for one in held:
        if one.rasa_port is not None and one.rasa_port not in of_model.values():
            of_model.setdefault(one.rasa_model, one.rasa_port)
    for one in held:
        free = next((port for port in usable if port not in of_model.values()), None)
        one.rasa_port = of_model.get(one.rasa_model, free)
        if one.rasa_port is not None:
            of_model[one.rasa_model] = one.rasa_port


def hold(session: Session, settings: Settings, bundle: Bundle, state: str, now: datetime) -> None:
    """Put a bundle into another state than live: held ones are made ready, all others let go.  In the caller's transaction.

    Raises:
        BundleDamaged: it is to be held, and its files are not what its manifest says.
    """
    if state == LIVE:
        raise ValueError("make_live does that")
    if state in HELD and bundle.state not in HELD:
        files.verify(settings, bundle.name)
    bundle.state, bundle.since = state, now
    bundle.warm_until = now + WARM if state == PREVIOUS else None
    session.flush()
    ports(session, settings)


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
    """Let a bundle answer whoever has no other: in a transaction of its own, then on disk.

    Each of both is all or nothing, and so is the whole after the next look of whoever serves: where this process is killed between
    them, ``put_right`` does the rest.

    Args:
        by, move, why, figures: For the history.
        former: What becomes of the one that was live: ``previous``, kept warm, or ``stopped``.
        within: Called first in that transaction: what it raises leaves all as it is, what it returns goes to the figures.

    Raises:
        NotFound: there is no such bundle.
        IllegalMove: it is live already.
        BundleDamaged: its files are not what its manifest says; nothing changes.
    """
    files.verify(settings, name)
    now = utcnow()
    _claim(settings)
    step("verified")
    with database.write() as session:
        bundle = session.get(Bundle, name)
        if bundle is None:
            raise NotFound(f"没有这个发布包：{name}")
        if within is not None:
            figures = {**figures, **within(session, bundle)}
        put_live(session, settings, bundle, by=by, move=move, why=why, figures=figures, former=former, now=now)
        step("rows written")
    step("committed")
    put_right(settings, bundle, pointer.read(settings))
    step("pointed")
    log.info("bundle.live", bundle=name, index=bundle.index_version, rasa=bundle.rasa_model, port=bundle.rasa_port)


def _claim(settings: Settings) -> None:
    """A pointer that was written by hand would stay: from here on it is the live bundle's, which is about to change."""
    named = pointer.read(settings)
    if named.version is not None and named.bundle is None:
        with database.read() as session:
            live = session.scalar(select(Bundle.name).where(Bundle.state == LIVE))
        if live is not None:
            pointer.write(settings, named.version, live)


def put_live(
    session: Session,
    settings: Settings,
    bundle: Bundle,
    *,
    by: str,
    move: str,
    why: str | None,
    figures: Mapping[str, Any],
    former: str,
    now: datetime,
) -> None:
    """The rows of ``make_live``.  Raises: IllegalMove."""
    lock(session)
    held = select(Bundle).where(Bundle.state.in_(HELD)).order_by(Bundle.name)
    others = session.scalars(held.execution_options(populate_existing=True)).all()
    session.refresh(bundle)
    if bundle.state == LIVE:
        raise IllegalMove("这个发布包已经在用。")
    note(session, bundle, LIVE, by=by, move=move, why=why, figures=figures, now=now)
    for one in others:
        if one.state == LIVE:
            note(session, one, former, by=by, move=move, why=why, figures={}, now=now)
            one.state, one.since = former, now
            one.warm_until = now + WARM if former == PREVIOUS else None
        elif one.state == PREVIOUS and one is not bundle:
            note(session, one, KEPT, by=by, move="kept", why=None, figures={}, now=now)
            one.state, one.since, one.warm_until = KEPT, now, None
    bundle.state, bundle.since, bundle.warm_until, bundle.share = LIVE, now, None, 0
    session.flush()
    ports(session, settings)
    session.flush()


def lock(session: Session) -> None:
    """From here to its end, no other transaction changes bundles.  SQLite has one writer anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE bundles IN SHARE ROW EXCLUSIVE MODE"))


def put_right(settings: Settings, live: Bundle, named: pointer.Pointer) -> bool:
    """Let ``CURRENT`` name the live bundle and its index; whether it did not.

    One that was written by hand and names another index stays: it becomes a bundle (``index.versions.adopting``).

    Args:
        named: What it says; to be read before ``live`` is, so that it is never the newer of the two.
    """
    by_hand = named.version is not None and named.bundle is None and named.version != live.index_version
    if by_hand or (named.version, named.bundle) == (live.index_version, live.name):
        return False
    pointer.write(settings, live.index_version, live.name, written=lambda: step("pointer written"))
    return True


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
    """Write down a step in the history."""
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
