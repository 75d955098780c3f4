"""The floor, for supervisors: who is on duty with what in hand, who waits, what came of the day."""

from __future__ import annotations

from datetime import datetime, timedelta

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from sqlalchemy.orm import Session

from bot import alarms, database
from bot.clock import utcnow
from bot.desk import duty, lists
from bot.settings import Settings, get_settings
from connectors.web.access import signed
from connectors.web.errors import answers

router = APIRouter(prefix="/api/desk", tags=["desk"], dependencies=[Depends(signed)], responses=answers(400, 401, 403))


class OnDuty(BaseModel):
    """Somebody on duty."""

    number: str
    name: str
    until: datetime
    region: str | None
    skills: list[str]
    conversations: int
    capacity: int
    owed: int
    """In how many the citizen waits for a word"""
    owed_since: datetime | None


class Floor(BaseModel):
    """How it stands now."""

    at: datetime
    on_duty: list[OnDuty]
    states: dict[str, int]
    """Conversations by state: bot, waiting, human, closed; together they are all there are"""
    longest_wait_since: datetime | None
    expected_minutes: int | None
    dangers: int
    day: lists.Day
    """Of those who asked in the last 24 hours"""


class Colleagues(BaseModel):
    """To whom a conversation may be passed on now."""

    people: list[OnDuty]
    skills: list[str]


@router.get("/colleagues")
def list_colleagues() -> Colleagues:
    """Who is on duty, and the groups that somebody on duty belongs to."""
    now, settings = utcnow(), get_settings()
    with database.read() as session:
        here = _on_duty(session, now, settings)
        return Colleagues(people=here, skills=sorted({skill for one in here for skill in one.skills}))


def _on_duty(session: Session, now: datetime, settings: Settings) -> list[OnDuty]:
    held, nothing = lists.held(session), lists.Held(0, 0, None)
    return [
        OnDuty(
            number=one.number,
            name=one.name,
            until=one.on_duty_until or now,
            region=one.region,
            skills=one.skills,
            conversations=(mine := held.get(one.number, nothing)).conversations,
            capacity=duty.capacity(one, settings),
            owed=mine.owed,
            owed_since=mine.owed_since,
        )
        for one in duty.on_duty(session, now)
    ]


@router.get("/floor")
def read_floor() -> Floor:
    """All of it from one reading of the database."""
    now, settings = utcnow(), get_settings()
    with database.read() as session:
        return Floor(
            at=now,
            on_duty=_on_duty(session, now, settings),
            states=lists.by_state(session),
            longest_wait_since=lists.longest_wait(session),
            expected_minutes=lists.expected_minutes(session),
            dangers=alarms.count_unseen(session),
            day=lists.since(session, now - timedelta(hours=24)),
        )
