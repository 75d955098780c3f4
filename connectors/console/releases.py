"""发布: the bundles, how the coming one does beside the live one, and every move of ``bot.releases.moves``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from bot import database
from bot.accounts import people
from bot.models.release_watch import ReleaseWatch
from bot.models.releases import Bundle, ReleaseStep
from bot.releases import moves, reading, shadow, watching
from bot.releases.states import KINDS, LIVE, SHADOW, SHARE, STATES
from bot.settings import get_settings
from connectors.web.access import Signed, TheCaller, signed
from connectors.web.context import Body
from connectors.web.errors import answers

router = APIRouter(
    prefix="/api/console/releases", tags=["releases"], dependencies=[Depends(signed)], responses=answers(400, 401, 403)
)

MoveName = Literal["shadow", "share", "all", "stop", "back", "ask", "confirm", "decline", "drop"]
_Offset = Annotated[int, Query(ge=0, le=1_000_000)]
_Limit = Annotated[int, Query(ge=1, le=50)]


class GateSummary(BaseModel):
    """What the gate said."""

    verdict: str
    may: str
    """one, two or never: how many people it takes to let it out"""
    reasons: list[str]


class AskedFor(BaseModel):
    """Who wants it out though the gate did not pass it."""

    by: str
    name: str
    why: str
    at: datetime


class BundleView(BaseModel):
    """A bundle (发布包)."""

    name: str
    kind: str
    kind_name: str
    state: str
    state_name: str
    share: int
    since: datetime
    made_by: str
    made_at: datetime
    warm_until: datetime | None
    index_version: str
    rasa_model: str
    rasa_port: int | None
    items: int
    limits: dict[str, float]
    gate: GateSummary | None
    """None: it was not evaluated"""
    people: str
    """one, two or never: how many it takes now"""
    next: str
    """How it goes on from here"""
    shares: list[int]
    """Percents that it may be shared with from here"""
    asked: AskedFor | None
    can: list[str]
    """What whoever asks may do with it now"""


class ArmView(BaseModel):
    """One side of the comparison."""

    conversations: int
    turns: int
    fallbacks: int
    signs: dict[str, int]
    p95_ms: float | None


class WatchView(BaseModel):
    """How the shared bundle does beside the live one, as it was looked at last."""

    at: datetime
    coming: ArmView
    live: ArmView
    evidence: dict[str, float]
    """Of each sign that the shared one is worse: 1 says nothing"""
    stop_at: float
    """So much of it stops the bundle"""
    names: dict[str, str]


class ShadowView(BaseModel):
    """What the shadow run of the coming one has shown so far."""

    compared: int
    """Turns that both decided"""
    same: int
    failed: int
    skipped: int
    """The machine had better things to do"""
    mean_ms: float | None


class Releases(BaseModel):
    """Those that matter now, and the others."""

    live: BundleView | None
    coming: BundleView | None
    before: BundleView | None
    watch: WatchView | None
    shadow: ShadowView | None
    items: list[BundleView]
    total: int


def _views(session: Session, bundles: Iterable[Bundle], me: Signed) -> dict[str, BundleView]:
    rows = list(bundles)
    names = people.names(session, [number for row in rows for number in (row.made_by, row.asked_by)])
    found = {}
    for row in rows:
        one = moves.held(session, row.name)
        found[row.name] = BundleView(
            **{
                name: getattr(row, name)
                for name in (
                    "name", "kind", "state", "share", "since", "made_at", "warm_until", "index_version", "rasa_model",
                    "rasa_port",
                )
            },
            kind_name=KINDS.get(row.kind, row.kind),
            state_name=STATES.get(row.state, row.state),
            made_by=names.get(row.made_by, row.made_by),
            items=row.summary.get("items", 0),
            limits=row.summary.get("limits", {}),
            gate=GateSummary.model_validate(row.gate) if row.gate is not None else None,
            people=moves.way(one),
            next=str(moves.following(row)),
            shares=[share for share in moves.SHARES if share > row.share],
            asked=AskedFor(by=row.asked_by, name=names[row.asked_by], why=row.asked_why or "", at=row.asked_at)
            if row.asked_by and row.asked_at
            else None,
            can=moves.open_to(one, me.number, me.roles),
        )  # fmt: skip
    return found


@router.get("")
def list_releases(me: TheCaller, offset: _Offset = 0, limit: _Limit = 20) -> Releases:
    """The live one, the coming one, the one before; and all, the newest first."""
    with database.read() as session:
        there = reading.present(session)
        rows, total = reading.listed(session, offset, limit)
        main = [one for one in (there.live, there.coming, there.before) if one is not None]
        views = _views(session, [*rows, *main], me)
        coming = there.coming
        shown = shadow.figures(session, coming.name) if coming is not None and coming.state == SHADOW else None
        watch = session.get(ReleaseWatch, coming.name) if coming is not None and coming.state == SHARE else None
    return Releases(
        live=views[there.live.name] if there.live else None,
        coming=views[there.coming.name] if there.coming else None,
        before=views[there.before.name] if there.before else None,
        watch=_watch(watch) if watch else None,
        shadow=ShadowView(**asdict(shown)) if shown else None,
        items=[views[row.name] for row in rows],
        total=total,
    )


def _watch(row: ReleaseWatch) -> WatchView:
    return WatchView(at=row.at, names=watching.SIGNS, **{name: row.figures[name] for name in _WATCHED})


_WATCHED = ("coming", "live", "evidence", "stop_at")


class StepView(BaseModel):
    """Something that was done with a bundle."""

    id: int
    bundle: str
    at: datetime
    by: str
    name: str
    move: str
    title: str
    before: str
    after: str
    why: str | None
    figures: dict[str, Any]


class StepPage(BaseModel):
    """Some of them, and how many there are."""

    items: list[StepView]
    total: int


def _steps(session: Session, rows: Iterable[ReleaseStep]) -> list[StepView]:
    steps = list(rows)
    names = people.names(session, [row.by for row in steps])
    own = ("id", "bundle", "at", "by", "move", "why", "figures")
    return [
        StepView(
            **{name: getattr(row, name) for name in own},
            name=names[row.by],
            title=_title(row),
            before=STATES.get(row.before, row.before),
            after=STATES.get(row.after, row.after),
        )
        for row in steps
    ]


def _title(step: ReleaseStep) -> str:
    if step.before == LIVE and step.move in ("all", "back"):  # another one took its place
        return "换下"
    return _TITLES.get(step.move, step.move)


_TITLES = {name: move.title for name, move in moves.MOVES.items()} | {
    "adopt": "登记在用的",
    "kept": "不再随时可退回",
    "gone": "清理",
    "evaluate": "评测",
    "built": "做好",
}


@router.get("/history")
def list_steps(
    bundle: Annotated[str | None, Query(max_length=64)] = None, offset: _Offset = 0, limit: _Limit = 20
) -> StepPage:
    """Who did what with which bundle and why, the newest first."""
    with database.read() as session:
        rows, total = reading.history(session, bundle=bundle, offset=offset, limit=limit)
        return StepPage(items=_steps(session, rows), total=total)


class ItemChangeView(BaseModel):
    """An item that two bundles know in different versions."""

    qa_id: str
    question: str
    before: int | None
    after: int | None


class DifferenceView(BaseModel):
    """What another bundle has otherwise."""

    before: str
    after: str
    said: list[str]
    items: list[ItemChangeView]
    total: int


@router.get("/{name}/difference", responses=answers(404))
def read_difference(
    name: str, than: Annotated[str, Query(max_length=64)], offset: _Offset = 0, limit: _Limit = 20
) -> DifferenceView:
    """What a bundle has otherwise than another one."""
    with database.read() as session:
        for one in (name, than):
            reading.get(session, one)
        found = reading.difference(session, get_settings(), than, name, offset, limit)
    items = [ItemChangeView(**vars(one)) for one in found.items]
    return DifferenceView(before=found.before, after=found.after, said=found.said, items=items, total=found.total)


class WillDo(BaseModel):
    """What a move will do, in sentences."""

    says: list[str]


@router.get("/{name}/preview", responses=answers(404))
def preview_move(
    name: str,
    move: MoveName,
    share: Annotated[int | None, Query(ge=1, le=99)] = None,
    *,
    knowledge: bool = True,
) -> WillDo:
    """What a move will do.  Changes nothing."""
    with database.read() as session:
        return WillDo(says=reading.says(session, get_settings(), move, name, share=share, knowledge=knowledge))


class TakeMove(Body):
    """A move to make with a bundle."""

    move: MoveName
    why: str | None = Field(default=None, max_length=500)
    """stop, back, ask: needed"""
    share: int | None = None
    """share: the percent"""
    knowledge: bool = True
    """back: whether what items say goes back too"""


@router.post("/{name}/moves", responses=answers(404, 409))
def take_move(name: str, body: TakeMove, me: TheCaller) -> Releases:
    """Make a move; how it is then."""
    moves.take(get_settings(), body.move, name, me.number, why=body.why, share=body.share, knowledge=body.knowledge)
    return list_releases(me)
