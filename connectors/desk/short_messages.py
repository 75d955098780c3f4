"""Short messages that agents send to citizens' phones, and what became of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from bot import conversations, database, sms
from bot.accounts import people
from bot.accounts.roles import SUPERVISOR
from bot.clock import utcnow
from bot.desk import choices
from bot.masking import mask, mask_phone
from connectors.desk.choices import ShownItem
from connectors.web.access import TheCaller, signed
from connectors.web.context import Body, TheGateway
from connectors.web.errors import answers

router = APIRouter(
    prefix="/api/desk/sms", tags=["desk"], dependencies=[Depends(signed)], responses=answers(400, 401, 403)
)


class ShortMessageView(BaseModel):
    """A short message; personal data masked."""

    id: str
    phone: str
    text: str
    person: str
    name: str
    status: str
    """pending, sending, accepted, refused, failed, unknown"""
    error: str | None
    created_at: datetime
    settled_at: datetime | None


class ShortMessagePage(BaseModel):
    """Some of them, and how many there are."""

    on: bool
    """Whether an SMS platform is set up"""
    items: list[ShortMessageView]
    total: int


@router.get("")
def list_short_messages(
    me: TheCaller,
    here: TheGateway,
    offset: Annotated[int, Query(ge=0, le=100_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=50)] = 20,
) -> ShortMessagePage:
    """One's own, a supervisor sees all; the newest first."""
    with database.read() as session:
        whose = None if SUPERVISOR in me.roles else me.number
        rows, total = sms.listed(session, whose, offset=offset, limit=limit)
        names = people.names(session, [one.person for one in rows])
        return ShortMessagePage(
            on=bool(here.settings.sms_url),
            items=[
                ShortMessageView(
                    id=one.id,
                    phone=mask_phone(one.phone),
                    text=mask(one.text),
                    person=one.person,
                    name=names[one.person],
                    status=one.status,
                    error=one.error,
                    created_at=one.created_at,
                    settled_at=one.settled_at,
                )
                for one in rows
            ],
            total=total,
        )


class NewShortMessage(Body):
    """What is sent to whom."""

    id: str = Field(pattern=r"^[0-9a-f]{32}$")
    """The page's own: sent twice it is one message"""
    phone: str = Field(min_length=1, max_length=32)
    text: str = Field(min_length=1, max_length=sms.LONGEST)
    qa_id: str | None = Field(default=None, max_length=64)
    """The item whose answer it is"""
    conversation_id: str | None = Field(default=None, max_length=32)
    shown: list[ShownItem] = Field(default=[], max_length=choices.MOST)


@router.post("", status_code=204, responses=answers(404, 409, 429))
def send_short_message(body: NewShortMessage, me: TheCaller, here: TheGateway) -> None:
    """Send an item's answer, or own words, to a phone.  It stands in the audit log; a phone gets only so many a day."""
    now = utcnow()
    with database.write() as session:
        conversation = conversations.lock(session, body.conversation_id) if body.conversation_id else None
        sms.put(
            session,
            body.phone,
            body.text,
            me.number,
            here.settings,
            id=body.id,
            qa_id=body.qa_id,
            kind="conversation" if conversation else None,
            subject=conversation.id if conversation else None,
            now=now,
        )
        if conversation and body.qa_id:
            choices.record(
                session,
                kind="conversation",
                subject=conversation.id,
                person=me.number,
                what="sent",
                qa_id=body.qa_id,
                shown=[one.kept() for one in body.shown],
                id=body.id,
                now=now,
            )


@router.post("/{message_id}/again", status_code=204, responses=answers(404, 409))
def send_again(message_id: str, me: TheCaller) -> None:
    """Give what failed, or may not have gone out, to the platform once more, under the same id."""
    with database.write() as session:
        sms.again(session, message_id, me.number, any_person=SUPERVISOR in me.roles)
