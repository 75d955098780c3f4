"""答错召回: who got an answer that was wrong, one correction for all of them, and how far they have been told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from bot import database, knowledge, recalls
from bot.accounts import people
from bot.models.recalls import Recall
from connectors.web.access import Signed, TheCaller, signed
from connectors.web.context import MAX_INT, Body
from connectors.web.errors import answers

router = APIRouter(
    prefix="/api/console/recalls", tags=["knowledge"], dependencies=[Depends(signed)], responses=answers(400, 401, 403)
)

_Offset = Annotated[int, Query(ge=0, le=1_000_000)]
_Limit = Annotated[int, Query(ge=1, le=50)]
State = Literal["waiting", "sent", "seen", "callback", "unreachable"]


class RecallFigures(BaseModel):
    """How many people are in each state; together they are all of them."""

    people: int
    waiting: int
    sent: int
    """Told, and nobody knows whether they have seen it (尚未看到)"""
    seen: int
    """已告知"""
    callback: int
    unreachable: int


class RecallView(BaseModel):
    """One correction, to everybody who got certain versions of an item."""

    id: str
    qa_id: str
    versions: list[int]
    question: str
    correction: str
    state: Literal["draft", "approved", "done", "called_off"]
    made_by: str
    made_name: str
    made_at: datetime
    approved_by: str | None
    approved_name: str | None
    approved_at: datetime | None
    ended_at: datetime | None
    figures: RecallFigures
    may_approve: bool
    """Whoever asks did not draft it"""


class RecallPage(BaseModel):
    """Some of them, and how many there are."""

    items: list[RecallView]
    total: int


class RecallExample(BaseModel):
    """Somebody who would be told, and what, masked."""

    kind: str
    channel: str
    at: datetime
    version: int
    also: int
    """So many other conversations, calls and tickets are theirs"""
    words: str


class RecallPreview(BaseModel):
    """Whom a recall would reach, as of now."""

    people: int
    by_kind: dict[str, int]
    by_channel: dict[str, int]
    examples: list[RecallExample]
    suggested: str
    """What the item says now, where that is right as far as we know; else empty"""


class RecallTargetRow(BaseModel):
    """Somebody whom a recall is for."""

    id: int
    kind: Literal["conversation", "call", "ticket", "sms"]
    key: str
    channel: str
    version: int
    asked_at: datetime
    also: int
    state: State
    how: str | None
    reason: str | None
    sent_at: datetime | None
    seen_at: datetime | None


class RecallTargets(BaseModel):
    """Some of them, and how many there are in that state."""

    items: list[RecallTargetRow]
    total: int


def _views(session: Session, rows: Sequence[Recall], me: Signed) -> list[RecallView]:
    figures = recalls.figures(session, [one.id for one in rows])
    names = people.names(session, [number for one in rows for number in (one.made_by, one.approved_by)])
    return [
        RecallView(
            **{name: getattr(one, name) for name in _COLUMNS},
            made_name=names[one.made_by],
            approved_name=names[one.approved_by] if one.approved_by else None,
            figures=RecallFigures(**asdict(figures[one.id])),
            may_approve=one.state == "draft" and one.made_by != me.number,
        )
        for one in rows
    ]


_COLUMNS = [
    name for name in RecallView.model_fields if name not in ("made_name", "approved_name", "figures", "may_approve")
]


@router.get("")
def list_recalls(me: TheCaller, offset: _Offset = 0, limit: _Limit = 20) -> RecallPage:
    """Recalls, the newest first."""
    with database.read() as session:
        rows, total = recalls.listed(session, offset=offset, limit=limit)
        return RecallPage(items=_views(session, rows, me), total=total)


class RecallOf(Body):
    """Which versions of an item, and what is right."""

    qa_id: str = Field(min_length=1, max_length=64)
    versions: list[Annotated[int, Field(ge=1, le=MAX_INT)]] = Field(min_length=1, max_length=50)
    correction: str = Field(default="", max_length=recalls.LONGEST)


@router.post("/preview", responses=answers(404, 409))
def preview_recall(body: RecallOf) -> RecallPreview:
    """Whom it would reach, with examples of what they would be told.  Nothing is kept."""
    with database.read() as session:
        found = recalls.preview(session, body.qa_id, body.versions, body.correction)
        one = knowledge.held(session, body.qa_id)
        present = knowledge.get(session, body.qa_id) or one.qa
        return RecallPreview(
            people=found.people,
            by_kind=found.by_kind,
            by_channel=found.by_channel,
            examples=[
                RecallExample(
                    kind=who.kind, channel=who.channel, at=who.at, version=who.version, also=len(who.also), words=words
                )
                for who, words in found.examples
            ],
            suggested="" if one.wrong else present.answer,
        )


@router.post("", status_code=201, responses=answers(404, 409))
def draft_recall(body: RecallOf, me: TheCaller) -> RecallView:
    """Draft one, for another person to approve; the list is worked out, nobody is told."""
    with database.write() as session:
        return _views(session, [recalls.draft(session, body.qa_id, body.versions, body.correction, me.number)], me)[0]


@router.get("/{recall_id}", responses=answers(404))
def read_recall(recall_id: str, me: TheCaller) -> RecallView:
    """One with its figures."""
    with database.read() as session:
        return _views(session, [recalls.get(session, recall_id)], me)[0]


@router.get("/{recall_id}/targets", responses=answers(404))
def list_recall_targets(
    recall_id: str, state: State | None = None, offset: _Offset = 0, limit: _Limit = 20
) -> RecallTargets:
    """Whom it is for, of one state or all."""
    with database.read() as session:
        recalls.get(session, recall_id)
        rows, total = recalls.targets(session, recall_id, state, offset=offset, limit=limit)
        plain = [name for name in RecallTargetRow.model_fields if name != "also"]
        return RecallTargets(
            items=[RecallTargetRow(**{name: getattr(one, name) for name in plain}, also=len(one.also)) for one in rows],
            total=total,
        )


@router.post("/{recall_id}/approve", responses=answers(404, 409))
def approve_recall(recall_id: str, me: TheCaller) -> RecallView:
    """Another person than who drafted it: the list is worked out once more, and the job begins to tell them."""
    with database.write() as session:
        return _views(session, [recalls.approve(session, recall_id, me.number)], me)[0]


@router.post("/{recall_id}/call-off", responses=answers(404, 409))
def call_off_recall(recall_id: str, me: TheCaller) -> RecallView:
    """Nobody is told; only a draft can be called off."""
    with database.write() as session:
        return _views(session, [recalls.call_off(session, recall_id, me.number)], me)[0]
