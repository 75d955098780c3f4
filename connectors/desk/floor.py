"""The floor, for supervisors: who is on duty with what in hand, who waits, what came of the day."""

from __future__ import annotations

from datetime import datetime, timedelta

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from sqlalchemy.orm import Session

from bot import alarms, database, doubts
from bot.accounts import people
from bot.clock import utcnow
from bot.desk import callbacks, duty, lists, shield, states
from bot.settings import Settings, get_settings
from connectors.desk.states import StateView
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
    state: StateView | None
    break_s: float
    """Seconds of 小休 in the last 12 hours"""


class Uncivil(BaseModel):
    """Where an agent asked for civil words."""

    id: str
    kind: str
    """What ``subject`` is: conversation or call"""
    subject: str
    person: str
    name: str
    at: datetime
    seen_name: str | None
    """Which supervisor has looked in"""


class Floor(BaseModel):
    """How it stands now."""

    at: datetime
    on_duty: list[OnDuty]
    states: dict[str, int]
    """Conversations by state: bot, waiting, human, closed; together they are all there are"""
    longest_wait_since: datetime | None
    expected_minutes: int | None
    dangers: int
    callbacks: int
    """Calls that we owe"""
    doubts: int
    """Items that are reported as wrong"""
    uncivil: list[Uncivil]
    """In the last 24 hours; those first that nobody has looked into"""
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
    doing, spent = states.all_current(session), states.spent(session, now - timedelta(hours=12), now)
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
            state=StateView.of(doing[one.number], settings) if one.number in doing else None,
            break_s=spent.get((one.number, "break"), 0.0),
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
            callbacks=callbacks.count(session),
            doubts=doubts.standing(session, now).items,
            uncivil=_uncivil(session, now),
            day=lists.since(session, now - timedelta(hours=24)),
        )


def _uncivil(session: Session, now: datetime) -> list[Uncivil]:
    found = shield.recent(session, now)
    names = people.names(session, [number for one in found for number in (one.person, one.seen_by)])
    return [
        Uncivil(
            id=one.id,
            kind=one.kind,
            subject=one.subject,
            person=one.person,
            name=names[one.person],
            at=one.at,
            seen_name=names.get(one.seen_by or ""),
        )
        for one in found
    ]
