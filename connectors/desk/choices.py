"""What an agent did with what the desk had found: kept with what stood on the screen, to learn from."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Depends
from pydantic import Field

from bot import database
from bot.clock import utcnow
from bot.desk import choices, takeover
from connectors.web.access import TheCaller, signed
from connectors.web.context import Body
from connectors.web.errors import answers

router = APIRouter(
    prefix="/api/desk", tags=["desk"], dependencies=[Depends(signed)], responses=answers(400, 401, 403, 404)
)


class ShownItem(Body):
    """An item that stood on the screen."""

    qa_id: str = Field(min_length=1, max_length=64)
    place: int = Field(ge=1, le=100)
    band: Literal["sure", "likely", "reference"] | None = None
    """How sure the desk was of it"""

    def kept(self) -> choices.Shown:
        """As it is kept."""
        return {"qa_id": self.qa_id, "place": self.place, "band": self.band}


class NewChoice(Body):
    """An item that does not fit, and why."""

    id: str = Field(pattern=r"^[0-9a-f]{32}$")
    """The page's own: sent twice it is one choice"""
    qa_id: str = Field(min_length=1, max_length=64)
    reason: str = Field(min_length=1, max_length=200)
    shown: list[ShownItem] = Field(default=[], max_length=choices.MOST)


@router.post("/conversations/{conversation_id}/choices", status_code=204, responses=answers(409))
def choose(conversation_id: str, body: NewChoice, me: TheCaller) -> None:
    """不适用: say that an item is not what the citizen needs.  What is used is kept with the message that it went out in."""
    with database.write() as session:
        conversation = takeover.held_by(session, conversation_id, me.number)
        choices.record(
            session,
            kind="conversation",
            subject=conversation.id,
            person=me.number,
            what="unsuitable",
            qa_id=body.qa_id,
            shown=[one.kept() for one in body.shown],
            id=body.id,
            now=utcnow(),
            reason=body.reason,
        )


@router.delete("/choices/{choice_id}", status_code=204)
def undo_choice(choice_id: str, me: TheCaller) -> None:
    """Take one's own choice back."""
    with database.write() as session:
        choices.undo(session, choice_id, me.number)
