"""上线准备: the checklist on the console."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from bot import database, going_live
from bot.settings import get_settings
from connectors.web.access import signed
from connectors.web.errors import answers

router = APIRouter(prefix="/api/admin", tags=["admin"], dependencies=[Depends(signed)], responses=answers(401, 403))


class ReadinessLine(BaseModel):
    """One thing to do before citizens are let in."""

    id: str
    title: str
    state: Literal["done", "todo", "optional"]
    """optional: not done, and one may go live without it"""
    found: str
    """How it is now"""
    next: str
    """What to do; empty where it is done"""
    page: str
    """The console's page for it"""


class Readiness(BaseModel):
    """How far it is."""

    ready: bool
    lines: list[ReadinessLine]


@router.get("/readiness")
def read_readiness() -> Readiness:
    """What is there and what is still to be done, worked out now."""
    with database.read() as session:
        lines = going_live.checklist(session, get_settings())
    return Readiness(
        ready=going_live.ready(lines),
        lines=[ReadinessLine.model_validate(line, from_attributes=True) for line in lines],
    )
