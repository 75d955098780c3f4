"""What administrators do: accounts, programs' keys, the audit log."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel, Field

from bot import audit, database
from bot.accounts import people, service_accounts, sign_in
from bot.clock import SHANGHAI
from bot.models.housekeeping import AuditEntry
from bot.models.people import Person
from connectors.console.account import SignInView, view_of
from connectors.web.access import TheCaller, signed
from connectors.web.context import MAX_INT, Body
from connectors.web.errors import answers

router = APIRouter(
    prefix="/api/admin", tags=["admin"], dependencies=[Depends(signed)], responses=answers(400, 401, 403)
)


class PersonView(BaseModel):
    """An account."""

    number: str
    name: str
    roles: list[str]
    department: str | None
    region: str | None
    active: bool
    must_change: bool
    second_factor: bool
    on_duty_until: datetime | None
    skills: list[str]
    """The groups that they belong to"""
    capacity: int | None
    """How many conversations at a time; null: as everybody"""
    created_at: datetime
    revision: int


def _view(person: Person) -> PersonView:
    rest = {name: getattr(person, name) for name in PersonView.model_fields if name != "second_factor"}
    return PersonView(**rest, second_factor=person.totp_confirmed)


@router.get("/people")
def list_people(text: Annotated[str, Query(max_length=64)] = "", active: bool | None = None) -> list[PersonView]:
    """Accounts by number; ``text``: a part of number, name or department."""
    with database.read() as session:
        return [_view(person) for person in people.listed(session, text=text, active=active)]


class NewPerson(Body):
    """An account to be made."""

    number: str = Field(max_length=64)
    name: str = Field(max_length=64)
    roles: list[str] = Field(max_length=10)
    department: str | None = Field(default=None, max_length=200)
    region: str | None = Field(default=None, max_length=6)
    skills: list[str] = Field(default=[], max_length=50)
    capacity: int | None = Field(default=None, ge=0, le=50)


class Given(BaseModel):
    """An account, and the password to hand over."""

    person: PersonView
    password: str
    """Shown once; has to be changed at the first sign-in"""


@router.post("/people", status_code=201, responses=answers(409))
def create_person(body: NewPerson, me: TheCaller) -> Given:
    """A new account."""
    with database.write() as session:
        person, password = people.create(
            session,
            me.number,
            body.number,
            body.name,
            body.roles,
            department=body.department,
            region=body.region,
            skills=body.skills,
            capacity=body.capacity,
        )
        return Given(person=_view(person), password=password)


class ChangedPerson(Body):
    """An account as it is to be."""

    revision: int = Field(ge=0, le=MAX_INT)
    """The one that was seen"""
    name: str = Field(max_length=64)
    roles: list[str] = Field(max_length=10)
    department: str | None = Field(max_length=200)
    region: str | None = Field(max_length=6)
    skills: list[str] = Field(default=[], max_length=50)
    capacity: int | None = Field(default=None, ge=0, le=50)
    active: bool


@router.put("/people/{number}", responses=answers(404, 409))
def change_person(number: str, body: ChangedPerson, me: TheCaller) -> PersonView:
    """Change an account; whoever is switched off is out at once."""
    with database.write() as session:
        person = people.change(
            session,
            me.number,
            number,
            body.revision,
            name=body.name,
            given=body.roles,
            department=body.department,
            region=body.region,
            skills=body.skills,
            capacity=body.capacity,
            active=body.active,
        )
        return _view(person)


class Password(BaseModel):
    """A password to hand over; shown once."""

    password: str


@router.post("/people/{number}/password", responses=answers(404))
def reset_password(number: str, me: TheCaller) -> Password:
    """A new password for somebody who forgot theirs."""
    with database.write() as session:
        return Password(password=people.reset_password(session, me.number, number))


@router.delete("/people/{number}/second-factor", status_code=204, responses=answers(404))
def reset_second_factor(number: str, me: TheCaller) -> None:
    """Somebody lost their phone."""
    with database.write() as session:
        people.reset_second_factor(session, me.number, number)


@router.get("/people/{number}/sign-ins", responses=answers(404))
def list_sign_ins(number: str, me: TheCaller) -> list[SignInView]:
    """Where somebody is signed in."""
    with database.read() as session:
        people.get(session, number)
        return [view_of(one, me) for one in sign_in.open_ones(session, number)]


@router.delete("/people/{number}/sign-ins", status_code=204, responses=answers(404))
def end_sign_ins(number: str, me: TheCaller) -> None:
    """Sign somebody out everywhere."""
    with database.write() as session:
        people.get(session, number)
        people.end_sign_ins(session, number)
        audit.record(session, me.number, "person.end_sign_ins", number)


class ServiceAccountView(BaseModel):
    """A program that calls us."""

    name: str
    scopes: list[str]
    created_by: str
    created_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


@router.get("/service-accounts")
def list_service_accounts() -> list[ServiceAccountView]:
    """Programs with a key, also those whose key was revoked."""
    with database.read() as session:
        return [
            ServiceAccountView.model_validate(one, from_attributes=True) for one in service_accounts.listed(session)
        ]


class NewServiceAccount(Body):
    """A program, and what it may."""

    name: str = Field(max_length=64)
    scopes: list[str] = Field(max_length=20)


class Key(BaseModel):
    """A program's key; shown once."""

    key: str


@router.post("/service-accounts", status_code=201, responses=answers(409))
def create_service_account(body: NewServiceAccount, me: TheCaller) -> Key:
    """A key for a program."""
    with database.write() as session:
        return Key(key=service_accounts.create(session, me.number, body.name, body.scopes))


@router.delete("/service-accounts/{name}", status_code=204, responses=answers(404))
def revoke_service_account(name: str, me: TheCaller) -> None:
    """Its key opens nothing any more."""
    with database.write() as session:
        service_accounts.revoke(session, me.number, name)


# --- the audit log ---------------------------------------------------------------------------------------------------


class AuditView(BaseModel):
    """An entry."""

    id: int
    at: datetime
    actor: str
    name: str | None
    action: str
    subject: str
    detail: dict[str, object]


class Chain(BaseModel):
    """Whether the audit log is what was written."""

    checked: int
    broken: int | None
    """The first entry that was changed, removed or put in"""
    end: str
    """The last link; the security log names it too"""


Text = Annotated[str, Query(max_length=100)]
Moment = Annotated[AwareDatetime | None, Query()]


@dataclass(frozen=True)
class Filter:
    """Which entries are looked for; see ``bot.audit.entries``."""

    actor: Text = ""
    action: Text = ""
    subject: Text = ""
    since: Moment = None
    until: Moment = None


TheFilter = Annotated[Filter, Depends()]


@router.get("/audit")
def list_audit(
    wanted: TheFilter,
    before: Annotated[int | None, Query(ge=1, le=MAX_INT)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[AuditView]:
    """Entries, the newest first; the next page with ``before`` = the last id."""
    with database.read() as session:
        found = audit.entries(session, **vars(wanted), before=before, limit=limit)
        return [AuditView.model_validate(entry, from_attributes=True) for entry in found]


@router.get("/audit/chain")
def verify_audit() -> Chain:
    """Go along the whole chain."""
    with database.read() as session:
        return Chain.model_validate(audit.verify(session), from_attributes=True)


_EXPORTED, _AT_ONCE = 100_000, 500


@router.get("/audit/export", response_class=StreamingResponse)
def export_audit(me: TheCaller, wanted: TheFilter) -> StreamingResponse:
    """The same as a table (CSV, UTF-8 with a mark for Excel), at most 100,000 rows; that it was exported is an entry, too."""
    with database.write() as session:
        by = {f"by_{name}": getattr(wanted, name) for name in ("actor", "action", "subject")}
        audit.record(session, me.number, "audit.export", "审计日志", **by)

    def rows() -> Iterator[str]:
        yield "\ufeff" + _line(["编号", "时间", "工号", "姓名", "动作", "对象", "详情"])
        before, left = None, _EXPORTED
        while left > 0:
            with database.read() as session:
                page = audit.entries(session, **vars(wanted), before=before, limit=_AT_ONCE)
            for entry in page:
                yield _line(_cells(entry))
            left -= len(page)
            if len(page) < _AT_ONCE:
                return
            before = page[-1].id

    name = f"audit-{datetime.now(SHANGHAI):%Y%m%d-%H%M}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(rows(), media_type="text/csv; charset=utf-8", headers=headers)


def _cells(entry: AuditEntry) -> list[str]:
    detail = "；".join(f"{key}={value}" for key, value in entry.detail.items())
    at = f"{entry.at.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"
    return [str(entry.id), at, entry.actor, entry.name or "", entry.action, entry.subject, detail]


def _line(cells: list[str]) -> str:
    # A spreadsheet would compute what begins like a formula (CWE-1236).
    safe = [f"'{cell}" if cell[:1] in "=+-@\t\r" else cell for cell in cells]
    out = io.StringIO()
    csv.writer(out).writerow(safe)
    return out.getvalue()
