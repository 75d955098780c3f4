"""回拨: the calls that we owe to those who waited for a person in vain, or were answered wrongly."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from sqlalchemy.orm import Session

from bot import database
from bot.accounts import people
from bot.desk import callbacks
from bot.masking import mask_phone
from bot.models.callbacks import Callback
from connectors.web.access import Signed, TheCaller, signed
from connectors.web.context import Body
from connectors.web.errors import answers

router = APIRouter(
    prefix="/api/desk/callbacks", tags=["desk"], dependencies=[Depends(signed)], responses=answers(400, 401, 403)
)
_CHANGES = answers(404, 409)


class CallbackView(BaseModel):
    """A call that we owe."""

    id: str
    kind: str
    """What ``subject`` is: conversation or call"""
    subject: str
    phone: str
    """Whole for whoever has it, else masked"""
    why: str
    since: datetime
    at: datetime
    """When the wait was over"""
    claimed_by: str | None
    claimed_name: str | None
    mine: bool
    tries: int
    tried_at: datetime | None
    result: str | None
    done_at: datetime | None
    done_name: str | None
    says: str | None
    """What they are to be told; for whoever has it alone"""


class CallbackPage(BaseModel):
    """Some of them, and how many there are."""

    items: list[CallbackView]
    total: int


def _views(session: Session, rows: list[Callback], me: Signed) -> list[CallbackView]:
    names = people.names(session, [number for one in rows for number in (one.claimed_by, one.done_by)])
    return [
        CallbackView(
            id=one.id,
            kind=one.kind,
            subject=one.subject,
            phone=one.phone if (mine := one.claimed_by == me.number) else mask_phone(one.phone),
            why=one.why,
            since=one.since,
            at=one.at,
            claimed_by=one.claimed_by,
            claimed_name=names.get(one.claimed_by or ""),
            mine=mine,
            tries=one.tries,
            tried_at=one.tried_at,
            result=one.result,
            done_at=one.done_at,
            done_name=names.get(one.done_by or ""),
            says=one.says if mine else None,
        )
        for one in rows
    ]


@router.get("")
def list_callbacks(
    me: TheCaller,
    done: bool = False,
    offset: Annotated[int, Query(ge=0, le=100_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=50)] = 20,
) -> CallbackPage:
    """Those that are owed, the longest-waiting first; or those that are done."""
    with database.read() as session:
        rows, total = callbacks.listed(session, done=done, offset=offset, limit=limit)
        return CallbackPage(items=_views(session, list(rows), me), total=total)


@router.post("/{callback_id}/claim", responses=_CHANGES)
def claim_callback(callback_id: str, me: TheCaller) -> CallbackView:
    """Take one, to call; of two people one gets it.  Gives the whole phone, which stands in the audit log."""
    with database.write() as session:
        return _views(session, [callbacks.claim(session, callback_id, me.number)], me)[0]


class CallResult(Body):
    """What came of a call."""

    result: Literal["reached", "not_reached", "wrong_number"]


@router.post("/{callback_id}/result", responses=_CHANGES)
def close_callback(callback_id: str, body: CallResult, me: TheCaller) -> CallbackView:
    """Say what came of it; who did not answer is called again, three times in all."""
    with database.write() as session:
        return _views(session, [callbacks.close(session, callback_id, me.number, body.result)], me)[0]


@router.post("/{callback_id}/release", status_code=204, responses=_CHANGES)
def release_callback(callback_id: str, me: TheCaller) -> None:
    """Put it back for a colleague."""
    with database.write() as session:
        callbacks.release(session, callback_id, me.number)
