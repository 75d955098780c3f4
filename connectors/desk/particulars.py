"""What tickets say, at the desk: categories with a suggestion, corrections, tickets on the same matter."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from bot import database
from bot.clock import utcnow
from bot.tickets import board, categories, duplicates, particulars
from connectors.desk.tickets import IfMatch, TicketRow, TicketView, change, rows_of
from connectors.web.access import TheCaller, signed
from connectors.web.context import Body, TheGateway
from connectors.web.errors import answers
from index.assist.categories import Suggestion

router = APIRouter(prefix="/api/desk", tags=["desk"], dependencies=[Depends(signed)], responses=answers(400, 401, 403))


class CategoryView(BaseModel):
    """A category of the second level."""

    code: str
    name: str
    covers: str
    excludes: str
    department: str
    """The name of who leads"""
    basis: str


class TopView(BaseModel):
    """A category of the first level."""

    code: str
    name: str
    second: list[CategoryView]


class TreeView(BaseModel):
    """The tree in force."""

    scheme: str
    """Scheme and version"""
    title: str
    first: list[TopView]
    channels: dict[str, str]
    """Where tickets come in → what that is called"""
    urgencies: list[str]


@router.get("/categories")
def read_categories() -> TreeView:
    """The tree in force, with what belongs where and who answers for it."""
    with database.read() as session:
        tree = categories.current(session)
    return TreeView(
        scheme=tree.id,
        title=tree.title,
        channels=dict(particulars.CHANNELS),
        urgencies=list(particulars.URGENCIES),
        first=[
            TopView(
                code=top.code,
                name=top.name,
                second=[
                    CategoryView(
                        code=one.code,
                        name=one.name,
                        covers=one.covers,
                        excludes=one.excludes,
                        department=tree.lead(one.code).name,
                        basis=one.basis,
                    )
                    for one in top.second
                ],
            )
            for top in tree.categories
        ],
    )


class CandidateView(BaseModel):
    """A category that a matter may belong to."""

    code: str
    name: str
    department: str
    probability: float
    entry: str
    """What the dispatch catalogue says of it"""
    words: list[str]
    """Words of the text that speak for it most"""
    similar: str | None
    """A request of the project's own that is much like it"""


class SuggestionView(BaseModel):
    """The likeliest categories, three at most; none: 待分类."""

    scheme: str
    candidates: list[CandidateView]
    sure: bool
    """Whether the first is likely enough to be filled in"""
    tells: str | None
    """How the first two are told apart, where they are often confused"""


class Text(Body):
    """What is said of the matter."""

    text: str = Field(min_length=1, max_length=2000)


@router.post("/categories/suggestions")
def suggest_category(body: Text, here: TheGateway) -> SuggestionView:
    """What a text may be about, and who answers for it."""
    with database.read() as session:
        tree = categories.current(session)
    return _shown(here.assistant.category_of(body.text, tree), tree)


@router.get("/tickets/{number}/suggestion", responses=answers(404))
def suggest_for_ticket(number: str, me: TheCaller, here: TheGateway) -> SuggestionView:
    """What a ticket may be about."""
    with database.read() as session:
        text = str(board.visible(session, number, me.only_department).subject)
        tree = categories.current(session)
    return _shown(here.assistant.category_of(text, tree), tree)


def _shown(found: Suggestion, tree: categories.Catalogue) -> SuggestionView:
    first = {one.code for one in found.candidates[:2]}
    return SuggestionView(
        scheme=found.scheme,
        sure=found.sure,
        tells=next((one.tells for one in tree.confused if set(one.codes) == first), None),
        candidates=[
            CandidateView(
                code=one.code,
                name=one.name,
                department=one.department,
                probability=one.probability,
                entry=one.reason.entry,
                words=list(one.reason.words),
                similar=one.reason.similar,
            )
            for one in found.candidates
        ],
    )


class TicketCorrection(Body):
    """What is put right; what is left out stays, null removes it."""

    kind: str | None = Field(default=None, max_length=8)
    caller_name: str | None = Field(default=None, max_length=40)
    phone: str | None = Field(default=None, max_length=32)
    callback_phone: str | None = Field(default=None, max_length=32)
    region: str | None = Field(default=None, max_length=6)
    address: str | None = Field(default=None, max_length=200)
    told_time: str | None = Field(default=None, max_length=60)
    happened_on: Annotated[date | None, Field(strict=False)] = None
    category: str | None = Field(default=None, max_length=16)
    urgency: str | None = Field(default=None, max_length=8)


@router.put("/tickets/{number}/particulars", responses=answers(404, 409))
def correct_particulars(number: str, body: TicketCorrection, me: TheCaller, if_match: IfMatch = None) -> TicketView:
    """Put right what an open ticket says; the department is changed by dispatching it."""
    changes: dict[str, Any] = body.model_dump(exclude_unset=True)
    return change(number, me, if_match, lambda session: particulars.change(session, number, changes, me.number))


class Similar(Body):
    """What is about to be registered."""

    text: str = Field(default="", max_length=2000)
    phone: str | None = Field(default=None, max_length=32)
    category: str | None = Field(default=None, max_length=16)
    region: str | None = Field(default=None, max_length=6)
    address: str | None = Field(default=None, max_length=200)
    skip: str | None = Field(default=None, max_length=16)
    """A ticket that is left out: the one that is looked at"""


class MatchView(BaseModel):
    """A ticket that may be on the same matter."""

    ticket: TicketRow
    likeness: float
    reasons: list[str]


@router.post("/tickets/similar")
def find_similar(body: Similar, me: TheCaller, here: TheGateway) -> list[MatchView]:
    """Open tickets that may be on the same matter, the likest first; none before six letters or a phone are there."""
    report = duplicates.Report(body.text, body.phone, body.category, body.region, body.address)
    with database.read() as session:
        if report.category is None and body.text.strip():
            found = here.assistant.category_of(body.text, categories.current(session))
            likeliest = found.best.code if found.best else None
            report = duplicates.Report(body.text, body.phone, likeliest, body.region, body.address)
        matches = duplicates.similar(session, report, utcnow(), within=me.only_department, skip=body.skip)
        rows = rows_of(session, [one.ticket for one in matches])
        return [
            MatchView(ticket=row, likeness=one.likeness, reasons=list(one.reasons))
            for row, one in zip(rows, matches, strict=True)
        ]


class Joined(Body):
    """What another caller says of the same matter."""

    text: str = Field(min_length=1, max_length=2000)
    phone: str | None = Field(default=None, max_length=32)


@router.post("/tickets/{number}/supplements", responses=answers(404, 409))
def join_ticket(number: str, body: Joined, me: TheCaller) -> TicketView:
    """Add it to the ticket there is, instead of making a new one: the caller gets that one's number."""
    return change(
        number, me, None, lambda session: duplicates.join(session, number, body.text, me.number, phone=body.phone)
    )
