"""What people on duty are doing, and asking for civil words."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from bot import database
from bot.clock import utcnow
from bot.desk import shield, states
from bot.models.desk import AgentState, Shield
from bot.settings import Settings
from connectors.web.access import TheCaller, signed
from connectors.web.context import Body
from connectors.web.errors import answers

router = APIRouter(prefix="/api/desk", tags=["desk"], dependencies=[Depends(signed)], responses=answers(400, 401, 403))


class StateView(BaseModel):
    """What somebody on duty is doing."""

    state: str
    """idle, call, wrap_up, break"""
    since: datetime
    reason: str | None
    until: datetime | None
    """When it ends by itself"""

    @classmethod
    def of(cls, state: AgentState, settings: Settings) -> StateView:
        """As it is shown."""
        return cls(state=state.state, since=state.since, reason=state.reason, until=states.ends(state, settings))


class NewState(Body):
    """What one does from now on."""

    state: Literal["idle", "call", "wrap_up", "break"]
    reason: str = Field(default="", max_length=100)


@router.put("/state", status_code=204, responses=answers(409))
def set_state(body: NewState, me: TheCaller) -> None:
    """空闲, 通话, 整理 or 小休, for whoever is on duty.  Wrapping up ends by itself."""
    with database.write() as session:
        states.enter(session, me.number, body.state, utcnow(), reason=body.reason.strip() or None)


class ShieldView(BaseModel):
    """Civil words were asked for."""

    id: str
    at: datetime
    undo_s: int
    """So many seconds from ``at`` it can be taken back; then the citizen is asked"""
    told: bool
    mine: bool

    @classmethod
    def of(cls, made: Shield, me: str) -> ShieldView:
        """As one sees it."""
        undo_s = int(shield.UNDO.total_seconds())
        return cls(id=made.id, at=made.at, undo_s=undo_s, told=made.told_at is not None, mine=made.person == me)


@router.post("/conversations/{conversation_id}/shield", responses=answers(404, 409))
def ask_for_civil_words(conversation_id: str, me: TheCaller) -> ShieldView:
    """请文明用语: the supervisors are told, the citizen is asked once, and the rating does not count for the agent."""
    with database.write() as session:
        return ShieldView.of(shield.ask(session, conversation_id, me.number), me.number)


@router.delete("/shields/{shield_id}", status_code=204, responses=answers(404, 409))
def undo_shield(shield_id: str, me: TheCaller) -> None:
    """Take it back, within ten seconds: nothing was said to the citizen."""
    with database.write() as session:
        shield.undo(session, shield_id, me.number)


@router.post("/shields/{shield_id}/seen", status_code=204, responses=answers(404))
def saw_shield(shield_id: str, me: TheCaller) -> None:
    """A supervisor has looked in."""
    with database.write() as session:
        shield.seen(session, shield_id, me.number, utcnow())
