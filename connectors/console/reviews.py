"""What waits to be looked at again (待复核) and the health of the knowledge (知识体检), on the console."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from bot import audit, database, health, jobs, knowledge, reviews
from bot.accounts import people
from bot.clock import SHANGHAI, utcnow
from bot.errors import NotFound, YihaodaError
from bot.settings import get_settings
from connectors.web.access import Signed, TheCaller, signed
from connectors.web.context import Body
from connectors.web.errors import answers
from index.calculators import CALCULATORS

router = APIRouter(
    prefix="/api/console", tags=["console"], dependencies=[Depends(signed)], responses=answers(400, 401, 403)
)


class ReviewView(BaseModel):
    """An item that somebody has to look at again."""

    id: int
    kind: str
    kind_name: str
    item: str
    title: str
    why: str
    why_name: str
    about: str
    """The document that changed, the day, the dead address"""
    effective: date | None
    department: str | None
    since: datetime
    due: date | None
    meanwhile: str
    """What citizens are answered until it is settled"""
    settled_at: datetime | None
    settled_by: str | None
    settled: str | None


class Reviews(BaseModel):
    """A page of the list."""

    items: list[ReviewView]
    total: int
    counts: dict[str, int]
    """Open ones by reason, of the department that is asked for"""
    reasons: dict[str, str]
    """Reason → in words"""
    departments: list[str]
    stops: bool
    """Whether answers stop when what they rest on is repealed"""


def _within(me: Signed, department: str | None) -> str | None:
    """Whoever sees only their department's tickets sees only its reviews."""
    return me.only_department if me.only_department is not None else department


@router.get("/reviews")
def list_reviews(
    me: TheCaller,
    department: Annotated[str | None, Query(max_length=100)] = None,
    why: Annotated[str | None, Query(max_length=16)] = None,
    settled: bool = False,
    offset: Annotated[int, Query(ge=0, le=100_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Reviews:
    """What waits, the most pressing first; or what was settled, the last first."""
    within = _within(me, department)
    with database.read() as session:
        found = reviews.waiting(session, department=within, why=why, offset=offset, limit=limit, settled=settled)
        names = people.names(session, [one.review.settled_by for one in found if one.review.settled_by])
        return Reviews(
            items=[_view(one, names) for one in found],
            total=reviews.total(session, department=within, why=why, settled=settled),
            counts=reviews.counts(session, department=within),
            reasons=dict(reviews.WHY),
            departments=reviews.departments(session) if me.only_department is None else [me.only_department],
            stops=get_settings().stop_repealed,
        )


def _view(one: reviews.Waiting, names: dict[str, str]) -> ReviewView:
    review = one.review
    own = {name: getattr(review, name) for name in ("id", "kind", "item", "why", "effective", "department", "since")}
    calculator = CALCULATORS.get(review.item) if review.kind == "calculator" else None
    return ReviewView(
        **own,
        kind_name=reviews.KINDS[review.kind],
        title=calculator.title if calculator else one.title,
        why_name=reviews.WHY[review.why],
        about=one.about,
        due=review.due,
        meanwhile=one.meanwhile,
        settled_at=review.settled_at,
        settled_by=names.get(review.settled_by, review.settled_by) if review.settled_by else None,
        settled=review.settled,
    )


class Settle(Body):
    """What came of looking."""

    ids: list[int] = Field(min_length=1, max_length=100)
    reason: str = Field(max_length=500)


class SettledOne(BaseModel):
    """What became of one."""

    id: int
    problem: str | None
    """None: it is settled"""


@router.post("/reviews/settle")
def settle_reviews(body: Settle, me: TheCaller) -> list[SettledOne]:
    """Somebody has looked: each for itself, with what became of it."""
    done = []
    for id_ in dict.fromkeys(body.ids):
        problem = None
        try:
            with database.write() as session:
                reviews.settle(session, id_, me.number, body.reason, roles=me.roles)
        except YihaodaError as error:
            problem = str(error)
        done.append(SettledOne(id=id_, problem=problem))
    return done


# --- health ----------------------------------------------------------------------------------------------------------


class SideView(BaseModel):
    """One of two items that may contradict."""

    id: str
    question: str
    answer: str
    status: str
    department: str | None
    asked: str
    figures: list[str]


class PairView(BaseModel):
    """Two items side by side."""

    one: SideView
    other: SideView
    alike: float
    sources: bool


class Conflicts(BaseModel):
    """A page of what may contradict."""

    items: list[PairView]
    total: int
    at: datetime | None
    """When the last look was; None: there was none yet"""
    outdated: bool
    """Whether the knowledge has changed since"""


@router.get("/health/conflicts")
def list_conflicts(
    only_figures: bool = False,
    offset: Annotated[int, Query(ge=0, le=100_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
) -> Conflicts:
    """Near-equal questions whose answers have other figures or rest on other documents."""
    with database.read() as session:
        report, found = health.last(session), health.pairs(session, only_figures=only_figures)
        return Conflicts(
            items=[
                PairView(one=_side(one.one), other=_side(one.other), alike=one.alike, sources=one.sources)
                for one in found[offset : offset + limit]
            ],
            total=len(found),
            at=report.at if report else None,
            outdated=report is not None and report.revision != knowledge.revision(session),
        )


def _side(side: health.Side) -> SideView:
    fields = {name: getattr(side, name) for name in SideView.model_fields if name != "figures"}
    return SideView(**fields, figures=list(side.figures))


class CoveredView(BaseModel):
    """A matter."""

    matter: str
    items: int
    approved: int
    asked: int
    likely: int
    oldest: date | None


class CoverageView(BaseModel):
    """What is asked against what there is, and how old that is."""

    days: int
    asked: int
    answered: int
    nothing: int
    matters: list[CoveredView]
    total: int
    themes: dict[str, tuple[int, int]]
    ages: dict[str, int]


@router.get("/health/coverage")
def read_coverage(
    days: Annotated[int, Query(ge=1, le=365)] = 30,
    offset: Annotated[int, Query(ge=0, le=100_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> CoverageView:
    """By matter, the most asked first; by theme; and the ages."""
    now = utcnow()
    with database.read() as session:
        found = health.coverage(session, now, days)
        ages = health.ages(session, now.astimezone(SHANGHAI).date())
    rows = found.matters[offset : offset + limit]
    return CoverageView(
        days=days,
        asked=found.asked,
        answered=found.answered,
        nothing=found.nothing,
        matters=[CoveredView(**{name: getattr(row, name) for name in CoveredView.model_fields}) for row in rows],
        total=len(found.matters),
        themes=found.themes,
        ages=ages,
    )


# --- everything as a file --------------------------------------------------------------------------------------------


class Export(BaseModel):
    """A file with all knowledge."""

    name: str
    at: datetime
    size: int


class Exports(BaseModel):
    """Those that there are, the last first, and whether one is being made."""

    files: list[Export]
    doing: str | None


@router.get("/exports")
def list_exports() -> Exports:
    """The files that were exported last."""
    with database.read() as session:
        open_ = jobs.jobs(session, kind="export", states=jobs.OPEN, limit=1)
    folder = get_settings().exports
    files = sorted(folder.glob("zhishi-*.xlsx"), reverse=True) if folder.is_dir() else []
    shown = [
        Export(name=one.name, at=datetime.fromtimestamp(one.stat().st_mtime, SHANGHAI), size=one.stat().st_size)
        for one in files
    ]
    return Exports(files=shown, doing=(open_[0].doing or open_[0].state) if open_ else None)


@router.post("/exports", status_code=202)
def start_export(me: TheCaller) -> Exports:
    """Have everything written to a file; the job worker does it."""
    with database.write() as session:
        if not jobs.jobs(session, kind="export", states=jobs.OPEN, limit=1):
            jobs.request(session, "export", me.number)
    return list_exports()


@router.get("/exports/{name}", response_class=FileResponse, responses=answers(404))
def download_export(name: str, me: TheCaller) -> FileResponse:
    """One of these files; who took it is in the audit log."""
    path = next((one for one in get_settings().exports.glob("zhishi-*.xlsx") if one.name == name), None)
    if path is None:
        raise NotFound("没有这个文件，请重新导出。")
    with database.write() as session:
        audit.record(session, me.number, "knowledge.export", name)
    return FileResponse(path, filename=name, headers={"Cache-Control": "no-store"})
