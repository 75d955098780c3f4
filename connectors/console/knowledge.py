"""The knowledge on the console: lists of items, one item with its working copy and versions, and every move of ``bot.knowledge``.

A change names the revision that was seen (``If-Match``): whoever comes second gets 409 with the item as it is now, so that a page
can show both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Path, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from bot import database, knowledge, wordings
from bot.accounts import people
from bot.clock import SHANGHAI, utcnow
from bot.knowledge import comments, listing
from bot.knowledge.listing import Which
from bot.models.knowledge import QA
from bot.models.versions import QAVersion
from bot.settings import get_settings
from connectors.web.access import Rule, Signed, TheCaller, permitted, signed
from connectors.web.context import MAX_INT, Body, TheGateway
from connectors.web.errors import ErrorBody, Problem, answers
from index import editing, replay
from index.versions.store import IndexUnavailable, Loaded

router = APIRouter(
    prefix="/api/knowledge", tags=["knowledge"], dependencies=[Depends(signed)], responses=answers(400, 401, 403)
)

IfMatch = Annotated[int | None, Header(alias="If-Match", ge=0, le=MAX_INT)]
"""The revision that was seen: a change is refused where somebody else made one since"""


# --- what is shown ---------------------------------------------------------------------------------------------------


class Who(BaseModel):
    """A person; the name is the number where there is no account."""

    number: str
    name: str


class ItemSourceView(BaseModel):
    """A document that an answer rests on."""

    document: str
    clause: str | None = None
    unverified: bool = False
    """Nobody has compared the answer with the official text yet"""


class ContentView(BaseModel):
    """What an item says."""

    matter: str
    question: str
    answer: str
    similar: list[str]
    sources: list[ItemSourceView]
    guides: list[str]
    related: list[str]
    themes: list[str]
    audience: str
    region: str
    department: str | None
    valid_from: date | None
    valid_to: date | None
    as_of: date | None
    review_by: date | None
    stakes: str | None
    condition: str | None
    report: list[str]


class CopyView(BaseModel):
    """The working copy."""

    content: ContentView
    state: Literal["editing", "submitted", "returned"]
    base: int | None
    """The version that it was made from"""
    authors: list[Who]
    why: str | None
    reason: str | None
    """Why it was returned"""
    changed_by: Who
    changed_at: datetime
    submitted_at: datetime | None
    digest: str
    """By which replays of exactly this content are found"""


class RequestView(BaseModel):
    """What one person asked for and another one is to confirm."""

    move: Literal["resume", "retire"]
    replaced_by: str | None
    asked_by: Who
    asked_at: datetime
    why: str | None


class CommentView(BaseModel):
    """What somebody said of an item to the others."""

    id: int
    field: str | None
    """The content's field that it is about; null: the item as a whole"""
    text: str
    author: Who
    at: datetime
    settled_by: Who | None
    settled_at: datetime | None
    """When somebody had seen to it; null: it is open"""


class VersionView(BaseModel):
    """A published version."""

    number: int
    state: Literal["in_force", "coming", "called_off", "earlier", "withdrawn"]
    starts: date
    authors: list[Who]
    approved_by: Who | None
    published_at: datetime
    why: str | None
    withdrawn_at: datetime | None
    """When it was withdrawn as wrong"""
    withdrawn_by: Who | None
    withdrawn_why: str | None
    content: ContentView


class ItemView(BaseModel):
    """An item with all that is under way about it."""

    id: str
    status: str
    standing: knowledge.Standing
    """Whether it answers citizens today, and if not, why"""
    revision: int
    """For ``If-Match``"""
    version: int | None
    """The one in force; null: it was never published"""
    replaced_by: str | None
    content: ContentView
    """What is in force; of an item that was never published what is being written"""
    working: CopyView | None
    request: RequestView | None
    coming: list[VersionView]
    comments: list[CommentView]
    """The open ones first"""
    can: list[str]
    """The moves that whoever asks may make now, by the names of ``bot.knowledge.MOVES``"""
    names: dict[str, str]
    """Titles of the documents, guides and items that any of this names, by id"""


class ItemRow(BaseModel):
    """An item in a list."""

    id: str
    matter: str
    question: str
    status: str
    department: str | None
    valid_to: date | None
    review_by: date | None
    version: int | None
    revision: int
    working_state: Literal["editing", "submitted", "returned"] | None
    authors: list[Who]
    submitted_at: datetime | None
    asked: Literal["resume", "retire"] | None
    coming: date | None
    """The day on which its next version comes into force"""
    comments: int
    """Those that nobody has seen to"""


class ItemPage(BaseModel):
    """Some of the items that were looked for."""

    items: list[ItemRow]
    total: int


class ItemChanged(ErrorBody):
    """Somebody else changed the item: that is how it is now."""

    present: ItemView


_CHANGES: dict[int | str, dict[str, Any]] = answers(404, 409) | {
    409: {
        "model": ItemChanged | ErrorBody,
        "description": "Not in its present state; where it was changed since, with what it is now",
    }
}


def _view(session: Session, qa_id: str, me: Signed) -> ItemView:
    one = knowledge.held(session, qa_id)
    today = utcnow().astimezone(SHANGHAI).date()
    qa = knowledge.get(session, qa_id, today) or one.qa
    coming = [row for row in knowledge.coming(session, [qa_id]).get(qa_id, []) if row.due and row.due > today]
    copy, request = one.copy, one.request
    said = comments.of(session, qa_id)
    who = _naming(
        session,
        [
            *((*copy.authors, copy.changed_by) if copy else ()),
            request.asked_by if request else None,
            *_people_of(coming),
            *(number for one in said for number in (one.author, one.settled_by)),
        ],
    )
    production = get_settings().env == "production"
    written = None
    if copy is not None:
        written = ContentView.model_validate(copy.content) if copy.content is not None else _content(qa)
    return ItemView(
        id=qa.id,
        status=qa.status,
        standing=knowledge.answerable(qa, today=today, production=production),
        revision=one.qa.edits,
        version=qa.version,
        replaced_by=qa.replaced_by,
        content=_content(qa),
        working=CopyView(
            content=written,
            digest=replay.Change(qa.id, "content", written.model_dump(mode="json")).digest,
            state=copy.state,  # type: ignore[arg-type]
            base=copy.base,
            authors=[who(one) for one in copy.authors],
            why=copy.why,
            reason=copy.reason,
            changed_by=who(copy.changed_by),
            changed_at=copy.changed_at,
            submitted_at=copy.submitted_at,
        )
        if copy is not None and written is not None
        else None,
        request=RequestView(
            move=request.move,  # type: ignore[arg-type]
            replaced_by=request.replaced_by,
            asked_by=who(request.asked_by),
            asked_at=request.asked_at,
            why=request.why,
        )
        if request is not None
        else None,
        coming=[_version(row, qa, today, who) for row in coming],
        comments=[
            CommentView(
                id=one.id,
                field=one.field,
                text=one.text,
                author=who(one.author),
                at=one.at,
                settled_by=who(one.settled_by) if one.settled_by else None,
                settled_at=one.settled_at,
            )
            for one in said
        ],
        can=[
            name
            for name, move in knowledge.MOVES.items()
            if me.roles & move.roles and knowledge.refusal(name, one, me.number) is None
        ],
        names=listing.titles(
            session,
            [
                knowledge.stored(knowledge.content(qa)),
                *([copy.content] if copy is not None and copy.content is not None else []),
                *(row.content for row in coming),
            ],
        ),
    )


def _content(qa: QA) -> ContentView:
    return ContentView.model_validate(knowledge.stored(knowledge.content(qa)))


def _version(row: QAVersion, qa: QA, today: date, who: Callable[[str], Who]) -> VersionView:
    return VersionView(
        number=row.number,
        state=knowledge.version_state(row, qa, today),  # type: ignore[arg-type]
        starts=row.starts,
        authors=[who(one) for one in row.authors],
        approved_by=who(row.approved_by) if row.approved_by else None,
        published_at=row.published_at,
        why=row.why,
        withdrawn_at=row.withdrawn_at,
        withdrawn_by=who(row.withdrawn_by) if row.withdrawn_by else None,
        withdrawn_why=row.withdrawn_why,
        content=ContentView.model_validate(row.content),
    )


def _people_of(rows: Iterable[QAVersion]) -> list[str | None]:
    return [number for row in rows for number in (*row.authors, row.approved_by, row.withdrawn_by)]


def _naming(session: Session, numbers: Iterable[str | None]) -> Callable[[str], Who]:
    names = people.names(session, numbers)
    return lambda number: Who(number=number, name=names[number])


# --- looking ---------------------------------------------------------------------------------------------------------


@router.get("/items")
def list_items(
    me: TheCaller,
    which: Annotated[Which, Query(alias="list")] = "all",
    text: Annotated[str, Query(max_length=100)] = "",
    matter: Annotated[str | None, Query(max_length=200)] = None,
    department: Annotated[str | None, Query(max_length=200)] = None,
    mine: bool = False,
    offset: Annotated[int, Query(ge=0, le=100_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=50)] = 20,
) -> ItemPage:
    """Items; what waits longest for an approver first, the rest by id.

    ``list``: all, review (what waits for an approver), asked, coming, a state of the working copy or a status; ``mine``: those
    whose working copy one changed last.
    """
    wanted = knowledge.Wanted(which, text.strip(), matter, department, me.number if mine else None)
    with database.read() as session:
        rows, total = knowledge.listed(session, wanted, offset=offset, limit=limit)
        who = _naming(session, [one for row in rows if row.copy for one in row.copy.authors])
        items = [
            ItemRow(
                id=row.qa.id,
                matter=row.qa.matter,
                question=row.qa.question,
                status=row.qa.status,
                department=row.qa.department,
                valid_to=row.qa.valid_to,
                review_by=row.qa.review_by,
                version=row.qa.version,
                revision=row.qa.edits,
                working_state=row.copy.state if row.copy else None,  # type: ignore[arg-type]
                authors=[who(one) for one in row.copy.authors] if row.copy else [],
                submitted_at=row.copy.submitted_at if row.copy else None,
                asked=row.request.move if row.request else None,  # type: ignore[arg-type]
                coming=row.coming,
                comments=row.comments,
            )
            for row in rows
        ]
        return ItemPage(items=items, total=total)


@router.get("/counts")
def count_items() -> dict[str, int]:
    """How many items each list has that somebody has to do something about."""
    with database.read() as session:
        return knowledge.counts(session)


_Text = Annotated[str, Query(max_length=100)]
_Limit = Annotated[int, Query(ge=1, le=50)]


class DocumentRow(BaseModel):
    """A policy document that an answer may rest on."""

    id: str
    title: str
    doc_no: str | None
    status: str
    effective: date | None
    replaced_by: str | None
    internal: bool
    """For staff alone: citizens don't see it among the sources"""


class GuideRow(BaseModel):
    """A service guide that an answer may lead to."""

    id: str
    title: str
    department: str | None
    region: str


class KnowledgeKinds(BaseModel):
    """How many items each matter, and each department, has."""

    matters: dict[str, int]
    departments: dict[str, int]


@router.get("/documents")
def list_documents(text: _Text = "", limit: _Limit = 20) -> list[DocumentRow]:
    """Policy documents with ``text`` in their title or number; those in force first."""
    with database.read() as session:
        return [
            DocumentRow(
                **{name: getattr(one, name) for name in DocumentRow.model_fields if name != "internal"},
                internal=one.internal_confirmed_by is not None,
            )
            for one in listing.documents(session, text.strip(), limit=limit)
        ]


@router.get("/guides")
def list_guides(text: _Text = "", limit: _Limit = 20) -> list[GuideRow]:
    """Service guides with ``text`` in their title."""
    with database.read() as session:
        return [
            GuideRow(**{name: getattr(one, name) for name in GuideRow.model_fields})
            for one in listing.guides(session, text.strip(), limit=limit)
        ]


@router.get("/matters")
def list_matters() -> KnowledgeKinds:
    """The matters and departments that items have."""
    with database.read() as session:
        matters, departments = listing.kinds(session)
        return KnowledgeKinds(matters=matters, departments=departments)


@router.get("/items/{qa_id}", responses=answers(404))
def read_item(qa_id: str, me: TheCaller) -> ItemView:
    """One item with its working copy, what is asked for it, and what is to come."""
    with database.read() as session:
        return _view(session, qa_id, me)


@router.get("/items/{qa_id}/versions", responses=answers(404))
def list_versions(qa_id: str) -> list[VersionView]:
    """The published versions of an item, the newest first."""
    today = utcnow().astimezone(SHANGHAI).date()
    with database.read() as session:
        qa = knowledge.get(session, qa_id, today) or knowledge.held(session, qa_id).qa
        rows = knowledge.versions(session, qa_id)
        who = _naming(session, _people_of(rows))
        return [_version(row, qa, today, who) for row in rows]


class WordingView(BaseModel):
    """How somebody asked for an item."""

    text: str
    """Masked"""
    times: int
    right: bool
    """The citizen chose the item or found it useful, or an agent gave it"""
    sure: bool
    """It was answered surely each time"""


@router.get("/items/{qa_id}/wordings", responses=answers(404))
def list_wordings(qa_id: str) -> list[WordingView]:
    """Questions that the item was given for and that are none of its wordings yet, what helps most first."""
    with database.read() as session:
        knowledge.held(session, qa_id)
        return [WordingView.model_validate(vars(one)) for one in wordings.asked_for(session, qa_id)]


# --- changing --------------------------------------------------------------------------------------------------------

_Line = Annotated[str, Field(max_length=500)]
_Slug = Annotated[str, Field(max_length=64)]
_Day = Annotated[date | None, Field(strict=False)]


class CitedSource(Body):
    """A document that an answer rests on."""

    document: _Slug
    clause: Annotated[str | None, Field(max_length=200)] = None
    unverified: bool = False


class ItemContent(Body):
    """What an item is to say; what is left out stays as it is."""

    matter: str = Field(default="", max_length=200)
    question: str = Field(default="", max_length=500)
    answer: str = Field(default="", max_length=20_000)
    similar: list[_Line] = Field(default=[], max_length=200)
    sources: list[CitedSource] = Field(default=[], max_length=50)
    guides: list[_Slug] = Field(default=[], max_length=50)
    related: list[_Slug] = Field(default=[], max_length=50)
    themes: list[_Line] = Field(default=[], max_length=50)
    audience: str = Field(default="", max_length=16)
    region: str = Field(default="", max_length=6)
    department: str | None = Field(default=None, max_length=200)
    valid_from: _Day = None
    valid_to: _Day = None
    as_of: _Day = None
    review_by: _Day = None
    stakes: Literal["high"] | None = None
    condition: str | None = Field(default=None, max_length=500)
    report: list[Annotated[str, Field(max_length=50)]] = Field(default=[], max_length=10)

    def fields(self) -> dict[str, Any]:
        """Those that were given."""
        given = self.model_dump(exclude_unset=True)
        if "sources" in given:
            given["sources"] = [
                {"document": one.document, "clause": one.clause or None}
                | ({"unverified": True} if one.unverified else {})
                for one in self.sources
            ]
        return given


class ItemEdit(Body):
    """A change of an item."""

    content: ItemContent
    why: str | None = Field(default=None, max_length=500)
    """What for; null: as it was"""


class ItemWhy(Body):
    """What for."""

    why: str | None = Field(default=None, max_length=500)


class NewComment(Body):
    """What one wants to say of an item to the others."""

    text: str = Field(min_length=1, max_length=1000)
    field: Annotated[str | None, Field(max_length=16)] = None
    """The content's field that it is about"""


class CommentSettled(Body):
    """Whether a comment was seen to."""

    settled: bool


class ReturnReason(Body):
    """Why."""

    reason: str = Field(min_length=1, max_length=500)


class VersionNumber(Body):
    """A version."""

    number: int = Field(ge=1, le=MAX_INT)


class WrongVersion(Body):
    """A version that was wrong."""

    number: int = Field(ge=1, le=MAX_INT)
    why: str = Field(min_length=1, max_length=500)
    """What is wrong, and by what one knows"""


class ItemWish(Body):
    """What is to become of an item."""

    move: Literal["resume", "retire"]
    replaced_by: _Slug | None = None
    """The item that takes a retired one's place"""
    why: str | None = Field(default=None, max_length=500)


class Written(Body):
    """What somebody is writing."""

    qa_id: _Slug | None = None
    """null: a new item"""
    content: ItemContent


class OtherItem(BaseModel):
    """Another item that a note is about."""

    qa_id: str
    question: str
    sentence: str
    """Its wording, or its clause, that matters"""


class ItemNote(BaseModel):
    """Something to look at."""

    code: Literal[
        "no_wordings", "same_wording", "long_sentence", "no_source", "not_in_source", "no_phone", "double", "at_odds"
    ]
    field: Literal["question", "similar", "answer", "sources"]
    text: str
    sentence: str | None
    """As it is written there"""
    other: OtherItem | None


@router.post("/check")
def check_content(body: Written, here: TheGateway) -> list[ItemNote]:
    """What to look at in what somebody is writing.  Nothing is kept, and nothing forbidden."""
    fields = knowledge.stored(body.content.fields())
    with database.read() as session:
        return [
            ItemNote.model_validate(asdict(one)) for one in editing.check(session, _loaded(here), body.qa_id, fields)
        ]


class NearQuestion(BaseModel):
    """A question that got no answer and comes near what somebody is writing."""

    text: str
    """Masked"""
    times: int


@router.post("/near-questions")
def list_near_questions(body: Written, here: TheGateway) -> list[NearQuestion]:
    """Questions of the last days that nothing and nobody answered, and that come near what somebody is writing, the nearest first."""
    fields = knowledge.stored(body.content.fields())
    with database.read() as session:
        found = editing.near_questions(session, _loaded(here), body.qa_id, fields, utcnow())
    return [NearQuestion(text=one.text, times=one.times) for one in found]


def _loaded(here: TheGateway) -> Loaded | None:
    try:
        return here.assistant.reader.get()
    except IndexUnavailable:
        return None


def _change(qa_id: str, me: Signed, step: Callable[[Session], object]) -> Any:
    """Take a step with an item; the item afterwards, or, where somebody else changed it before, as it is now."""
    try:
        with database.write() as session:
            step(session)
            return _view(session, qa_id, me)
    except knowledge.Outdated as late:
        with database.read() as session:
            present = _view(session, qa_id, me)
        body = ItemChanged(error=Problem(code=late.code, message=str(late)), present=present)
        return JSONResponse(body.model_dump(mode="json"), status_code=409)


@router.post("/items", status_code=201)
def create_item(body: ItemContent, me: TheCaller) -> ItemView:
    """A new item, being written."""
    fields = {"region": get_settings().region} | body.fields()
    with database.write() as session:
        return _view(session, knowledge.create(session, fields, me.number).id, me)


@router.put("/items/{qa_id}", response_model=ItemView, responses=_CHANGES)
def edit_item(qa_id: str, body: ItemEdit, me: TheCaller, if_match: IfMatch = None) -> Any:
    """Change an item's working copy, which is made if there is none; what is published goes on saying what it says."""
    fields = body.content.fields()
    return _change(
        qa_id, me, lambda session: knowledge.edit(session, qa_id, fields, me.number, seen=if_match, why=body.why)
    )


@router.post("/items/{qa_id}/submit", response_model=ItemView, responses=_CHANGES)
def submit_item(qa_id: str, body: ItemWhy, me: TheCaller, if_match: IfMatch = None) -> Any:
    """The working copy is ready: somebody else may approve it."""
    return _change(qa_id, me, lambda session: knowledge.submit(session, qa_id, me.number, seen=if_match, why=body.why))


@router.post("/items/{qa_id}/return", response_model=ItemView, responses=_CHANGES)
def return_item(qa_id: str, body: ReturnReason, me: TheCaller, if_match: IfMatch = None) -> Any:
    """Give it back to its authors."""
    return _change(qa_id, me, lambda session: knowledge.return_(session, qa_id, me.number, body.reason, seen=if_match))


@router.post("/items/{qa_id}/approve", response_model=ItemView, responses=_CHANGES)
def approve_item(qa_id: str, me: TheCaller, if_match: IfMatch = None) -> Any:
    """Publish what was submitted, at once or on its first day; nobody approves what they wrote."""
    return _change(qa_id, me, lambda session: knowledge.approve(session, qa_id, me.number, seen=if_match))


@router.post("/items/{qa_id}/discard", response_model=ItemView, responses=_CHANGES)
def discard_item(qa_id: str, me: TheCaller, if_match: IfMatch = None) -> Any:
    """Give the working copy up."""
    return _change(qa_id, me, lambda session: knowledge.discard(session, qa_id, me.number, seen=if_match))


@router.post("/items/{qa_id}/restore", response_model=ItemView, responses=_CHANGES)
def restore_item(qa_id: str, body: VersionNumber, me: TheCaller, if_match: IfMatch = None) -> Any:
    """Make what an earlier version said the working copy, for somebody else to approve."""
    return _change(qa_id, me, lambda session: knowledge.restore(session, qa_id, body.number, me.number, seen=if_match))


@router.post("/items/{qa_id}/call-off", response_model=ItemView, responses=_CHANGES)
def call_off_version(qa_id: str, body: VersionNumber, me: TheCaller, if_match: IfMatch = None) -> Any:
    """A version that is not in force yet shall not come."""
    return _change(qa_id, me, lambda session: knowledge.call_off(session, qa_id, body.number, me.number, seen=if_match))


@router.post("/items/{qa_id}/confirm-sources", response_model=ItemView, responses=_CHANGES)
def confirm_sources(qa_id: str, me: TheCaller, if_match: IfMatch = None) -> Any:
    """Take the marks 依据待核 off: one has compared the answer with the official texts."""
    return _change(qa_id, me, lambda session: knowledge.confirm_sources(session, qa_id, me.number, seen=if_match))


@router.post("/items/{qa_id}/pause", response_model=ItemView, responses=_CHANGES)
def pause_item(qa_id: str, body: ItemWhy, me: TheCaller, if_match: IfMatch = None) -> Any:
    """It answers nobody any more, at once."""
    return _change(qa_id, me, lambda session: knowledge.pause(session, qa_id, me.number, why=body.why, seen=if_match))


@router.post("/items/{qa_id}/withdraw", response_model=ItemView, responses=_CHANGES)
def withdraw_version(qa_id: str, body: WrongVersion, me: TheCaller, if_match: IfMatch = None) -> Any:
    """A version was wrong: it never answers again; where it is what the item says now, the item is silent at once."""
    return _change(
        qa_id,
        me,
        lambda session: knowledge.withdraw(session, qa_id, me.number, body.why, number=body.number, seen=if_match),
    )


@router.post("/items/{qa_id}/ask", response_model=ItemView, responses=_CHANGES)
def ask_for_item(qa_id: str, body: ItemWish, me: TheCaller, if_match: IfMatch = None) -> Any:
    """Want a paused item to answer again, or one to be over for good; another person confirms."""
    return _change(
        qa_id,
        me,
        lambda session: knowledge.ask(
            session, body.move, qa_id, me.number, replaced_by=body.replaced_by, why=body.why, seen=if_match
        ),
    )


@router.post("/items/{qa_id}/confirm", response_model=ItemView, responses=_CHANGES)
def confirm_item(qa_id: str, me: TheCaller, if_match: IfMatch = None) -> Any:
    """Do what another person asked for."""
    return _change(qa_id, me, lambda session: knowledge.confirm(session, qa_id, me.number, seen=if_match))


@router.post("/items/{qa_id}/decline", response_model=ItemView, responses=_CHANGES)
def decline_item(qa_id: str, me: TheCaller, if_match: IfMatch = None) -> Any:
    """Nothing comes of what was asked for; whoever asked may take it back so."""
    return _change(qa_id, me, lambda session: knowledge.decline(session, qa_id, me.number, seen=if_match))


# --- what colleagues say ----------------------------------------------------------------------------------------------


@router.post("/items/{qa_id}/comments", status_code=201, responses=answers(404))
def comment_on_item(qa_id: str, body: NewComment, me: TheCaller) -> ItemView:
    """Say something of an item to the others; the item afterwards."""
    with database.write() as session:
        comments.add(session, qa_id, me.number, body.text, utcnow(), field=body.field)
        return _view(session, qa_id, me)


@router.put("/items/{qa_id}/comments/{number}", responses=answers(404, 409))
def settle_comment(
    qa_id: str, number: Annotated[int, Path(ge=1, le=MAX_INT)], body: CommentSettled, me: TheCaller
) -> ItemView:
    """A comment was seen to, or is open once more; the item afterwards."""
    with database.write() as session:
        comments.settle(session, qa_id, number, me.number, utcnow(), settled=body.settled)
        return _view(session, qa_id, me)


# --- many ------------------------------------------------------------------------------------------------------------


class SeenItem(Body):
    """One of many items."""

    id: _Slug
    revision: int | None = Field(default=None, ge=0, le=MAX_INT)
    """The one that was seen"""


class ManyItems(Body):
    """A move of many items."""

    move: Literal["submit", "return", "approve", "discard", "pause", "resume", "retire", "confirm", "decline"]
    items: Annotated[list[SeenItem], Field(min_length=1, max_length=200)]
    why: str | None = Field(default=None, max_length=500)
    """What for; for ``return`` the reason"""


class ItemResult(BaseModel):
    """What became of one of many."""

    id: str
    done: bool
    code: str | None
    message: str | None
    """Why it was refused"""


_STEPS: dict[str, Callable[[Session, str, str, int | None, str | None], object]] = {
    "submit": lambda session, id_, by, seen, why: knowledge.submit(session, id_, by, seen=seen, why=why),
    "return": lambda session, id_, by, seen, why: knowledge.return_(session, id_, by, why or "", seen=seen),
    "approve": lambda session, id_, by, seen, _: knowledge.approve(session, id_, by, seen=seen),
    "discard": lambda session, id_, by, seen, _: knowledge.discard(session, id_, by, seen=seen),
    "pause": lambda session, id_, by, seen, why: knowledge.pause(session, id_, by, seen=seen, why=why),
    "resume": lambda session, id_, by, seen, why: knowledge.ask(session, "resume", id_, by, seen=seen, why=why),
    "retire": lambda session, id_, by, seen, why: knowledge.ask(session, "retire", id_, by, seen=seen, why=why),
    "confirm": lambda session, id_, by, seen, _: knowledge.confirm(session, id_, by, seen=seen),
    "decline": lambda session, id_, by, seen, _: knowledge.decline(session, id_, by, seen=seen),
}


@router.post("/bulk")
def change_many(body: ManyItems, me: TheCaller) -> list[ItemResult]:
    """Make a move with each of many items; one that is refused stays as it is, the others go on."""
    permitted(me, Rule(knowledge.MOVES[body.move].roles))
    seen = {one.id: one.revision for one in body.items}
    with database.write() as session:
        results = knowledge.each(
            session, list(seen), lambda id_: _STEPS[body.move](session, id_, me.number, seen[id_], body.why)
        )
    return [
        ItemResult(
            id=one.qa_id,
            done=one.refused is None,
            code=one.refused.code if one.refused else None,
            message=str(one.refused) if one.refused else None,
        )
        for one in results
    ]
