"""Policy documents on the console: what there is, its text, what changed, and drafts of questions and answers made of it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from bot import database, knowledge, language_model, policy_changes, reviews
from bot.errors import NotFound
from bot.models.knowledge import Document, Passage
from bot.models.reviews import DocumentChange
from bot.settings import get_settings
from connectors.web.access import TheCaller, signed
from connectors.web.context import Body
from connectors.web.errors import answers
from index.calculators.reviewing import put_under_review
from index.distil import drafts

router = APIRouter(
    prefix="/api/console/documents", tags=["console"], dependencies=[Depends(signed)], responses=answers(400, 401, 403)
)


class PolicyRow(BaseModel):
    """A policy document in a list."""

    id: str
    title: str
    doc_no: str | None
    issuer: str | None
    region: str
    issued: date | None
    effective: date | None
    status: str
    replaced_by: str | None
    passages: int
    """Pieces of its own text; 0: only its title is there"""


class Documents(BaseModel):
    """A page of the list."""

    items: list[PolicyRow]
    total: int


class ChangeView(BaseModel):
    """That it is amended, repealed or replaced."""

    what: str
    said: str
    effective: date
    replaced_by: str | None
    note: str
    by: str
    at: datetime


class PassageView(BaseModel):
    """A piece of its own text."""

    label: str
    text: str


class DocumentView(PolicyRow):
    """A document with its text and what has become of it."""

    url: str | None
    text: list[PassageView]
    changes: list[ChangeView]
    resting: list[str]
    """The ids of the Q&As that rest on it"""


def _row(document: Document, passages: int) -> PolicyRow:
    fields = {name: getattr(document, name) for name in PolicyRow.model_fields if name != "passages"}
    return PolicyRow(**fields, passages=passages)


def _public(session: Session, document_id: str) -> tuple[Document, list[Passage]]:
    """A document with its text.  Raises: NotFound: also for an internal one, which only this machine's shell shows."""
    document, passages = drafts.read(session, document_id)
    if document.internal_confirmed_by is not None:
        raise NotFound(f"没有编号为 {document_id} 的政策文件。")
    return document, passages


@router.get("")
def list_documents(
    q: Annotated[str, Query(max_length=100)] = "",
    status: Annotated[str | None, Query(max_length=16)] = None,
    with_text: bool = False,
    offset: Annotated[int, Query(ge=0, le=100_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Documents:
    """Public documents by title; ``q`` stands in the title, the number or the issuer."""
    counted = select(Passage.document_id, func.count().label("n")).group_by(Passage.document_id).subquery()
    asked = select(Document, func.coalesce(counted.c.n, 0)).outerjoin(counted, counted.c.document_id == Document.id)
    if q.strip():
        fields = (Document.title, Document.doc_no, Document.issuer)
        asked = asked.where(or_(*(field.contains(q.strip(), autoescape=True) for field in fields)))
    if status is not None:
        asked = asked.where(Document.status == status)
    if with_text:
        asked = asked.where(counted.c.n > 0)
    asked = asked.where(Document.internal_confirmed_by.is_(None))
    with database.read() as session:
        total = session.scalar(select(func.count()).select_from(asked.subquery())) or 0
        rows = session.execute(asked.order_by(Document.title, Document.id).offset(offset).limit(limit)).all()
        return Documents(items=[_row(document, count) for document, count in rows], total=total)


@router.get("/{document_id}", responses=answers(404))
def read_document(document_id: str) -> DocumentView:
    """One document with its text."""
    with database.read() as session:
        document, passages = _public(session, document_id)
        return DocumentView(
            **_row(document, len(passages)).model_dump(),
            url=document.url,
            text=[PassageView(label=one.label, text=one.text) for one in passages],
            changes=[_change(one) for one in reviews.changes_of(session, document_id)],
            resting=[qa.id for qa in policy_changes.resting(session, document_id)[0]],
        )


def _change(change: DocumentChange) -> ChangeView:
    own = {name: getattr(change, name) for name in ChangeView.model_fields if name != "said"}
    return ChangeView(**own, said=policy_changes.SAID[change.what])


class NewChange(Body):
    """What becomes of a document."""

    what: Literal["amended", "repealed", "replaced"]
    effective: Annotated[date, Field(strict=False)]
    replaced_by: str | None = Field(default=None, max_length=64)
    note: str = Field(max_length=500)


@router.post("/{document_id}/changes", status_code=201, responses=answers(404, 409))
def change_document(document_id: str, body: NewChange, me: TheCaller) -> ChangeView:
    """It is amended, repealed or replaced from a day on; what rests on it is put under review at once."""
    with database.write() as session:
        made = reviews.change(
            session, document_id, body.what, body.effective, me.number, body.note, replaced_by=body.replaced_by
        )
        put_under_review(session)
        return _change(made)


class Undo(Body):
    """Why it holds after all."""

    note: str = Field(max_length=500)


@router.post("/{document_id}/restore", status_code=204, responses=answers(404, 409))
def restore_document(document_id: str, body: Undo, me: TheCaller) -> None:
    """It holds as before: what was entered was a mistake."""
    with database.write() as session:
        reviews.undo(session, document_id, me.number, body.note)


class DistilledDraft(BaseModel):
    """A draft that nobody has looked at."""

    id: str
    aspect: str
    question: str
    answer: str
    clauses: list[str]
    there: bool
    """Whether it was taken into the knowledge before"""


class Distilled(BaseModel):
    """What the document yields."""

    matter: str
    drafts: list[DistilledDraft]
    why_none: str
    note: str
    model: bool
    """Whether a language model is set up"""


class Distil(Body):
    """How."""

    with_model: bool = False


@router.post("/{document_id}/distil", responses=answers(404))
def distil(document_id: str, body: Distil) -> Distilled:
    """Drafts of questions and answers made of its clauses.  Nothing is kept."""
    with database.read() as session:
        document, passages = _public(session, document_id)
    model = language_model.configured(get_settings())
    found = drafts.distil(document, passages, model if body.with_model else None)
    with database.read() as session:
        there = knowledge.get_many(session, [draft.id for draft in found.drafts])
    return Distilled(
        matter=found.matter,
        drafts=[
            DistilledDraft(
                id=draft.id,
                aspect=draft.aspect,
                question=draft.question,
                answer=draft.answer,
                clauses=list(draft.clauses),
                there=draft.id in there,
            )
            for draft in found.drafts
        ],
        why_none=found.why_none,
        note=found.note,
        model=model is not None,
    )


class Chosen(Body):
    """A draft as a person takes it: the question may be worded anew, the answer stays the document's own words."""

    question: str = Field(max_length=100)
    answer: str = Field(max_length=1000)
    clauses: list[str] = Field(min_length=1, max_length=10)


class Keep(Body):
    """What to keep."""

    matter: str = Field(min_length=1, max_length=40)
    drafts: list[Chosen] = Field(min_length=1, max_length=60)


class KeptView(BaseModel):
    """What became of them."""

    added: list[str]
    there: list[str]
    """Taken before, and left as they are"""


@router.post("/{document_id}/drafts", status_code=201, responses=answers(404))
def keep_drafts(document_id: str, body: Keep, me: TheCaller) -> KeptView:
    """Take the chosen ones into the knowledge, as drafts that wait for their review."""
    with database.write() as session:
        document, passages = _public(session, document_id)
        chosen = [drafts.chosen(document, passages, one.question, one.answer, one.clauses) for one in body.drafts]
        kept = drafts.keep(session, document, body.matter.strip(), chosen, me.number)
        return KeptView(added=kept.added, there=kept.there)
