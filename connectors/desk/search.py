"""Free search at the desk, and what somebody keeps at hand."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from sqlalchemy import select

from bot import database, regions
from bot.accounts.roles import APPROVER, EDITOR, SUPERVISOR
from bot.clock import SHANGHAI, utcnow
from bot.desk.showing import Wanted
from bot.errors import InvalidInput, NotFound
from bot.models.calls import Favourite
from bot.models.knowledge import QA, Document, ServiceGuide
from connectors.web.access import TheCaller, signed
from connectors.web.context import Body, TheGateway
from connectors.web.errors import answers
from index.assist.searching import Hit, Kind, search

router = APIRouter(prefix="/api/desk", tags=["desk"], dependencies=[Depends(signed)], responses=answers(400, 401, 403))

_MODELS: dict[str, type[QA | ServiceGuide | Document]] = {
    "qa": QA,
    "guide": ServiceGuide,
    "document": Document,
}
MOST_FAVOURITES = 200


class KnowledgeSearch(Body):
    """What is looked for, and where."""

    text: str = Field(min_length=1, max_length=200)
    kinds: list[Kind] = Field(default=["qa", "guide", "document"], min_length=1, max_length=3)
    region: str | None = Field(default=None, max_length=6)
    theme: str = Field(default="", max_length=32)
    department: str = Field(default="", max_length=64)
    audience: Literal["", "个人", "企业"] = ""
    everything: bool = False
    """Also what may not answer today: for supervisors, editors and approvers"""


class Results(BaseModel):
    """What was found."""

    hits: list[Hit]
    counts: dict[str, int]
    words: list[str]
    """To be marked"""
    favourites: list[str]
    """``kind/id`` of those among them that the asker keeps at hand"""


@router.post("/search", responses=answers(404))
def search_knowledge(body: KnowledgeSearch, me: TheCaller, here: TheGateway) -> Results:
    """Questions and answers, guides and documents with these words, the best of each kind first."""
    if body.region is not None:
        regions.get(body.region)
    everything = body.everything and bool(me.roles & {SUPERVISOR, EDITOR, APPROVER})
    wanted = Wanted(body.region, body.theme, body.department, body.audience, everything)
    with database.read() as session:
        found = search(
            session,
            here.assistant.reader.get(),
            body.text,
            wanted,
            served=here.settings.region,
            today=utcnow().astimezone(SHANGHAI).date(),
            production=here.settings.env == "production",
            kinds=body.kinds,
        )
        kept = session.execute(select(Favourite.kind, Favourite.item).where(Favourite.person == me.number)).all()
    own = {f"{kind}/{item}" for kind, item in kept}
    shown = [f"{hit.kind}/{hit.id}" for hit in found.hits]
    return Results(
        hits=found.hits, counts=found.counts, words=found.words, favourites=[one for one in shown if one in own]
    )


class FavouriteView(BaseModel):
    """Something at hand."""

    kind: str
    id: str
    title: str


@router.get("/favourites")
def list_favourites(me: TheCaller) -> list[FavouriteView]:
    """One's own, the last one first; what is no more is left out."""
    with database.read() as session:
        query = select(Favourite).where(Favourite.person == me.number).order_by(Favourite.at.desc(), Favourite.item)
        kept = session.scalars(query).all()
        titles: dict[tuple[str, str], str] = {}
        for one in kept:
            item = session.get(_MODELS[one.kind], one.item)
            if isinstance(item, QA):
                titles[one.kind, one.item] = item.question
            elif isinstance(item, ServiceGuide | Document):
                titles[one.kind, one.item] = item.title
        return [
            FavouriteView(kind=one.kind, id=one.item, title=titles[one.kind, one.item])
            for one in kept
            if (one.kind, one.item) in titles
        ]


@router.put("/favourites/{kind}/{item}", status_code=204, responses=answers(404))
def keep(kind: Kind, item: str, me: TheCaller) -> None:
    """Keep it at hand; again changes nothing."""
    with database.write() as session:
        if session.get(_MODELS[kind], item) is None:
            raise NotFound("没有这一条。")
        if session.get(Favourite, (me.number, kind, item)) is None:
            held = session.scalars(select(Favourite.item).where(Favourite.person == me.number)).all()
            if len(held) >= MOST_FAVOURITES:
                raise InvalidInput(f"最多收藏 {MOST_FAVOURITES} 条，请先取消几条。")
            session.add(Favourite(person=me.number, kind=kind, item=item, at=utcnow()))


@router.delete("/favourites/{kind}/{item}", status_code=204)
def keep_no_more(kind: Kind, item: str, me: TheCaller) -> None:
    """Keep it at hand no more."""
    with database.write() as session:
        row = session.get(Favourite, (me.number, kind, item))
        if row is not None:
            session.delete(row)
