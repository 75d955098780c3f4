"""新事项 and 集中询问: what more people ask about than usual, and what somebody makes of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from bot import database, knowledge, regions, surges
from bot.accounts import people
from bot.clock import utcnow
from bot.models.surges import Surge
from bot.surges import Shown
from connectors.web.access import TheCaller, signed
from connectors.web.context import Body
from connectors.web.errors import answers

router = APIRouter(
    prefix="/api/console/surges", tags=["knowledge"], dependencies=[Depends(signed)], responses=answers(400, 401, 403)
)


class PlaceView(BaseModel):
    """A name of a place that several people give."""

    name: str
    persons: int


class SurgeView(BaseModel):
    """A matter that rose."""

    id: str
    qa_id: str | None
    """The item that answers it (集中询问); null: a new matter (新事项)"""
    question: str | None
    """Of that item"""
    text: str
    """What stands for it, masked; empty: erased"""
    examples: list[str]
    places: list[PlaceView]
    region: str | None
    region_name: str | None
    persons: int
    questions: int
    began_at: datetime
    raised_at: datetime
    last_at: datetime
    ended_at: datetime | None
    minutes: int
    expected: float
    """So many people would have been usual in those minutes"""
    trend: list[int]
    """Questions in each minute up to the last one, the oldest first; at most sixty"""
    seen_name: str | None
    real: bool | None
    judged_name: str | None
    judged_at: datetime | None
    why: str | None
    draft: str | None


class FiguresView(BaseModel):
    """What came of those that were raised in the last 30 days."""

    raised: int
    real: int
    false: int
    waiting: int


class SurgePage(BaseModel):
    """Some of them, how many there are, and what came of the last ones."""

    items: list[SurgeView]
    total: int
    figures: FiguresView


_OWN = [name for name in SurgeView.model_fields if name in Surge.__table__.columns]


def _views(found: list[Shown], questions: dict[str, str], names: dict[str, str]) -> list[SurgeView]:
    return [
        SurgeView(
            **{name: getattr(one.row, name) for name in _OWN},
            question=questions.get(one.row.qa_id or ""),
            text=one.text,
            examples=list(one.examples),
            places=[PlaceView(name=name, persons=persons) for name, persons in one.places],
            region=one.region,
            region_name=regions.full_name(one.region) if one.region else None,
            questions=one.questions,
            trend=list(one.trend),
            seen_name=names.get(one.row.seen_by or "", one.row.seen_by),
            judged_name=names.get(one.row.judged_by or "", one.row.judged_by),
        )
        for one in found
    ]


@router.get("")
def list_surges(
    state: Literal["going", "open", "judged"] = "open",
    offset: Annotated[int, Query(ge=0, le=100_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=50)] = 20,
) -> SurgePage:
    """What rises, the most people first; ``state``: going on, not judged yet, or judged."""
    with database.read() as session:
        found, total = surges.listed(session, state, offset, limit)
        items = knowledge.get_many(session, [one.row.qa_id for one in found if one.row.qa_id])
        names = people.names(
            session, [who for one in found for who in (one.row.seen_by, one.row.judged_by) if who is not None]
        )
        counted = surges.figures(session, utcnow())
    return SurgePage(
        items=_views(found, {id_: item.question for id_, item in items.items()}, names),
        total=total,
        figures=FiguresView(**vars(counted)),
    )


@router.post("/{surge_id}/seen", status_code=204, responses=answers(404))
def see_surge(surge_id: str, me: TheCaller) -> None:
    """Somebody has seen it: it leaves the top of the desks."""
    with database.write() as session:
        surges.seen(session, surge_id, me.number)


class Judgement(Body):
    """Whether it was one; with question and answer, a draft of an item comes of it."""

    real: bool
    why: str = Field(default="", max_length=200)
    question: str | None = Field(default=None, max_length=200)
    answer: str | None = Field(default=None, max_length=5000)


class Judged(BaseModel):
    """What came of it."""

    draft: str | None


@router.post("/{surge_id}/judgement", responses=answers(404, 409))
def judge_surge(surge_id: str, body: Judgement, me: TheCaller) -> Judged:
    """Say whether it was one; a false alarm is counted."""
    with database.write() as session:
        made = surges.judge(
            session, surge_id, me.number, real=body.real, why=body.why, question=body.question, answer=body.answer
        )
        return Judged(draft=made.draft)
