"""待学习: what went unanswered or wrong, in groups, and what somebody makes of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from bot import database, jobs, knowledge, review
from bot.accounts import people
from bot.clock import utcnow
from bot.models.review import ReviewDecision
from bot.review import Group
from connectors.web.access import TheCaller, signed
from connectors.web.context import Body
from connectors.web.errors import answers

router = APIRouter(
    prefix="/api/console/review", tags=["knowledge"], dependencies=[Depends(signed)], responses=answers(400, 401, 403)
)

Action = Literal["wording", "new", "act", "out_of_scope", "not_ours", "ignore", "split", "merge"]
_Offset = Annotated[int, Query(ge=0, le=1_000_000)]
_Limit = Annotated[int, Query(ge=1, le=50)]


class GroupRow(BaseModel):
    """Questions that mean the same, as far as nobody has decided about them."""

    id: str
    text: str
    """The commonest, masked; empty: erased"""
    texts: int
    asked: int
    days: list[int]
    """How many on each of the last 14 days, the oldest first"""
    week: int
    """In the last seven days, at most two of one person"""
    over: int
    """What that leaves out: one source asks much"""
    why: dict[str, int]
    candidate: str | None
    """The item that answers it most likely"""
    candidate_question: str | None
    matter: str | None
    could: float
    missing: float
    help: float
    last_at: datetime | None
    open: bool


class SampleFigures(BaseModel):
    """What the last grouping found, and what the audit sample says."""

    at: datetime
    questions: int
    groups: int
    alone: int
    renewed: int
    answered: int
    drawn: int
    judged: int
    wrong: int
    low: float | None
    high: float | None


class AgreementView(BaseModel):
    """How often two readers agreed."""

    read: int
    agreed: int
    waiting: int


class GroupPage(BaseModel):
    """Some groups, how many there are, and the figures above them."""

    items: list[GroupRow]
    total: int
    figures: SampleFigures | None
    """None: nothing was grouped yet"""
    agreement: AgreementView
    reasons: dict[str, str]
    acts: dict[str, str]


_COLUMNS = [name for name in GroupRow.model_fields if name not in ("text", "candidate_question")]


def _rows(found: list[Group], questions: dict[str, str]) -> list[GroupRow]:
    return [
        GroupRow(
            **{name: getattr(one.row, name) for name in _COLUMNS},
            text=one.text,
            candidate_question=questions.get(one.row.candidate or ""),
        )
        for one in found
    ]


@router.get("/groups")
def list_groups(
    state: Literal["open", "single", "crowd", "danger", "settled"] = "open", offset: _Offset = 0, limit: _Limit = 30
) -> GroupPage:
    """Groups, those whose decision helps most first.

    ``state``: open; of them single (of one question), crowd (one source asks much), danger; or settled.
    """
    with database.read() as session:
        found, total = review.listed(session, state, offset, limit)
        items = knowledge.get_many(session, [one.row.candidate for one in found if one.row.candidate])
        newest, agreed = review.newest_figures(session), review.agreement(session)
    return GroupPage(
        items=_rows(found, {id_: item.question for id_, item in items.items()}),
        total=total,
        figures=SampleFigures.model_validate(newest, from_attributes=True) if newest else None,
        agreement=AgreementView(**vars(agreed)),
        reasons=review.WHY,
        acts=review.ACTS,
    )


class TextView(BaseModel):
    """One text of a group, however often it was asked."""

    asked_id: str
    text: str
    times: int
    last_at: datetime
    open: bool


class DecisionView(BaseModel):
    """What somebody made of a group."""

    id: str
    group_id: str
    action: str
    title: str
    """The action, for people"""
    qa_id: str | None
    act: str | None
    wording: str | None
    by: str
    name: str
    at: datetime
    settled: int
    undone_at: datetime | None
    undone_by: str | None
    may_undo: bool
    second_by: str | None
    agrees: bool | None


def _decisions(rows: list[ReviewDecision], names: dict[str, str]) -> list[DecisionView]:
    own = [name for name in DecisionView.model_fields if name not in ("title", "name", "may_undo")]
    now = utcnow()
    return [
        DecisionView(
            **{name: getattr(row, name) for name in own},
            title=review.ACTIONS.get(row.action, row.action),
            name=names.get(row.by, row.by),
            may_undo=row.undone_at is None and now - row.at <= review.UNDO,
        )
        for row in rows
    ]


class GroupView(GroupRow):
    """A group with its texts and what was decided about it."""

    lines: list[TextView]
    lines_total: int
    decisions: list[DecisionView]


@router.get("/groups/{group_id}", responses=answers(404))
def read_group(group_id: str, offset: _Offset = 0, limit: _Limit = 30) -> GroupView:
    """One, with its texts: what is open and often first."""
    with database.read() as session:
        found = review.get(session, group_id)
        lines, total = review.lines(session, group_id, offset, limit)
        made, _ = review.decisions(session, group_id=group_id, limit=10)
        items = knowledge.get_many(session, [found.row.candidate] if found.row.candidate else [])
        names = people.names(session, [one.by for one in made])
    (row,) = _rows([found], {id_: item.question for id_, item in items.items()})
    return GroupView(
        **row.model_dump(),
        lines=[TextView(**vars(one)) for one in lines],
        lines_total=total,
        decisions=_decisions(made, names),
    )


class Decide(Body):
    """What to make of some groups."""

    groups: list[str] = Field(min_length=1, max_length=review.MANY)
    action: Action
    qa_id: str | None = Field(default=None, max_length=64)
    """wording: the item; null: the best candidate of each group"""
    text: str | None = Field(default=None, max_length=200)
    """wording, new, act: null: as it was asked most"""
    answer: str | None = Field(default=None, max_length=5000)
    """new"""
    act: str | None = Field(default=None, max_length=32)
    """act"""
    into: str | None = Field(default=None, max_length=32)
    """merge: the other group"""
    asked: list[str] = Field(default=[], max_length=200)
    """split: a question of each text that goes"""
    dry_run: bool = False
    """Say what it would do, and do nothing"""


class DoneView(BaseModel):
    """What came of it for one group."""

    group_id: str
    decision_id: str | None
    said: str
    refused: bool
    settled: int
    near: int


@router.post("/decisions")
def decide_groups(body: Decide, me: TheCaller) -> list[DoneView]:
    """Make something of groups, one after the other; what is refused says why."""
    wanted = review.Wanted(body.action, body.qa_id, body.text, body.answer, body.act, body.into, body.asked)
    return [DoneView(**vars(one)) for one in review.attempt(body.groups, wanted, me.number, dry=body.dry_run)]


class DecisionPage(BaseModel):
    """Some decisions, and how many there are."""

    items: list[DecisionView]
    total: int


@router.get("/decisions")
def list_decisions(offset: _Offset = 0, limit: _Limit = 30) -> DecisionPage:
    """What was decided, the newest first."""
    with database.read() as session:
        rows, total = review.decisions(session, offset=offset, limit=limit)
        names = people.names(session, [one.by for one in rows])
    return DecisionPage(items=_decisions(rows, names), total=total)


@router.delete("/decisions/{decision_id}", status_code=204, responses=answers(404, 409))
def undo_decision(decision_id: str, me: TheCaller) -> None:
    """Take a decision back, within seven days."""
    with database.write() as session:
        review.undo(session, decision_id, me.number)


class SecondRow(BaseModel):
    """A decision that a second person reads; what the first one made of it is not told."""

    id: str
    group_id: str
    text: str
    at: datetime


class SecondPage(BaseModel):
    """Some of them, and how many there are."""

    items: list[SecondRow]
    total: int


@router.get("/second")
def list_second(me: TheCaller, offset: _Offset = 0, limit: _Limit = 30) -> SecondPage:
    """Others' decisions that wait for a second reader, the oldest first."""
    with database.read() as session:
        rows, total = review.to_read(session, me.number, offset, limit)
        items = [
            SecondRow(id=row.id, group_id=row.group_id, text=review.words(session, row), at=row.at) for row in rows
        ]
    return SecondPage(items=items, total=total)


class Second(Body):
    """What a second person would have made of it."""

    action: Literal["wording", "new", "act", "out_of_scope", "not_ours", "ignore"]
    qa_id: str | None = Field(default=None, max_length=64)
    act: str | None = Field(default=None, max_length=32)


@router.post("/decisions/{decision_id}/second", responses=answers(404, 409))
def read_second(decision_id: str, body: Second, me: TheCaller) -> DecisionView:
    """Read one again; the answer tells what the first one made of it, and whether both agree."""
    with database.write() as session:
        made = review.read_again(session, decision_id, me.number, body.action, qa_id=body.qa_id, act=body.act)
        return _decisions([made], people.names(session, [made.by]))[0]


class SampleRow(BaseModel):
    """An answer that was drawn by lot."""

    asked_id: str
    at: datetime
    text: str
    qa_id: str | None
    question: str | None
    answer: str | None
    """As the item says it now"""
    certainty: str | None
    verdict: str | None


class SamplePage(BaseModel):
    """Some of the sample, and how many there are."""

    items: list[SampleRow]
    total: int


@router.get("/sample")
def list_sample(*, judged: bool = False, offset: _Offset = 0, limit: _Limit = 30) -> SamplePage:
    """The audit sample: what waits to be judged, or was."""
    with database.read() as session:
        found, total = review.sample(session, judged=judged, offset=offset, limit=limit)
        items = knowledge.get_many(session, [one.asked.qa_id for one in found if one.asked.qa_id])
    rows = [
        SampleRow(
            asked_id=one.asked.id,
            at=one.asked.at,
            text=one.asked.said["text"],
            qa_id=one.asked.qa_id,
            question=item.question if (item := items.get(one.asked.qa_id or "")) else None,
            answer=item.answer if item else None,
            certainty=one.asked.certainty,
            verdict=one.row.verdict,
        )
        for one in found
    ]
    return SamplePage(items=rows, total=total)


class Verdict(Body):
    """Whether the answer was right."""

    verdict: Literal["right", "wrong", "unclear"]


@router.post("/sample/{asked_id}", status_code=204, responses=answers(404))
def judge_answer(asked_id: str, body: Verdict, me: TheCaller) -> None:
    """Say whether an answer of the sample was right."""
    with database.write() as session:
        review.judge(session, asked_id, body.verdict, me.number)


class Arranging(BaseModel):
    """The job that groups."""

    job: str


@router.post("/arrange", status_code=202)
def arrange_groups(me: TheCaller) -> Arranging:
    """Have the questions grouped anew now, as happens every morning."""
    with database.write() as session:
        return Arranging(job=jobs.request(session, "review", me.number))
