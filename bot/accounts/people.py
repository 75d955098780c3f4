"""Accounts of people: made, changed, switched off and on; never deleted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from bot import audit, database, events, regions
from bot.accounts import passwords, roles
from bot.accounts.roles import ADMIN, GUARDED
from bot.clock import utcnow
from bot.errors import IllegalMove, InvalidInput, NotFound
from bot.models.people import Person, SignIn
from bot.settings import Settings

NUMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
"""A 工号"""
_NAME = 32
_DEPARTMENT = 100
_SKILL, _SKILLS = 16, 20
_CAPACITY = 50


def get(session: Session, number: str, *, locked: bool = False) -> Person:
    """The person.  Raises: NotFound."""
    person = session.get(Person, number, with_for_update=locked, populate_existing=locked)
    if person is None:
        raise NotFound(f"没有这个工号：{number}。")
    return person


def names(session: Session, numbers: Iterable[str | None]) -> dict[str, str]:
    """工号 → name; whoever has no account is called what they are."""
    wanted = {number for number in numbers if number}
    rows = session.execute(select(Person.number, Person.name).where(Person.number.in_(wanted)))
    return {number: number for number in wanted} | {row.number: row.name for row in rows}


def listed(session: Session, *, text: str = "", active: bool | None = None) -> Sequence[Person]:
    """By 工号; those whose number, name or department holds ``text``."""
    query = select(Person).order_by(Person.number)
    if active is not None:
        query = query.where(Person.active == active)
    if text:
        query = query.where(
            Person.number.contains(text, autoescape=True)
            | Person.name.contains(text, autoescape=True)
            | Person.department.contains(text, autoescape=True)
        )
    return session.scalars(query).all()


def create(
    session: Session,
    by: str,
    number: str,
    name: str,
    given: Iterable[str],
    *,
    department: str | None = None,
    region: str | None = None,
    skills: Iterable[str] = (),
    capacity: int | None = None,
    now: datetime | None = None,
) -> tuple[Person, str]:
    """A new account and its first password, which the person must change.

    Raises:
        InvalidInput: a malformed number, name, role, department, region, skill or capacity.
        IllegalMove: the number is taken.
    """
    if not NUMBER.fullmatch(number):
        raise InvalidInput("工号用字母、数字、点、横线，以字母或数字开头，最多 32 个字符。")
    if session.get(Person, number) is not None:
        raise IllegalMove(f"工号 {number} 已经有人用了。")
    password = passwords.made_up()
    person = Person(
        number=number,
        roles=roles.checked_roles(given),
        **_checked(name=name, department=department, region=region, skills=skills, capacity=capacity),
        active=True,
        password=passwords.hashed(password),
        earlier_passwords=[],
        must_change=True,
        totp_confirmed=False,
        totp_step=0,
        settings={},
        revision=0,
        created_at=now or utcnow(),
    )
    _needs_department(person)
    session.add(person)
    session.flush()
    audit.record(session, by, "person.create", number, named=person.name, roles=person.roles)
    return person, password


def change(
    session: Session,
    by: str,
    number: str,
    revision: int,
    *,
    name: str,
    given: Iterable[str],
    department: str | None,
    region: str | None,
    skills: Iterable[str],
    capacity: int | None,
    active: bool,
    now: datetime | None = None,
) -> Person:
    """Change an account.  Whoever is switched off is out everywhere at once; so is whoever's roles change.

    Raises:
        NotFound, InvalidInput.
        IllegalMove: somebody else changed it since ``revision``, or nobody would be left to administer.
    """
    person = get(session, number, locked=True)
    if person.revision != revision:
        raise IllegalMove("这个账号刚刚被别人改过，请刷新后再改。")
    before, was_admin = _standing(person), person.active and ADMIN in person.roles
    person.roles = roles.checked_roles(given)
    checked = _checked(name=name, department=department, region=region, skills=skills, capacity=capacity)
    for field, value in checked.items():
        setattr(person, field, value)
    person.active = active
    person.revision += 1
    _needs_department(person)
    session.flush()
    if was_admin and not _administrators(session):
        raise IllegalMove("至少要留一个管理员，否则以后没有人能管理账号。")
    if not active:
        person.on_duty_until = None
    after = _standing(person)
    if before != after:
        end_sign_ins(session, number, now=now)
    changed = {key: value for key, value in after.items() if before[key] != value}
    audit.record(session, by, "person.change", number, named=person.name, **changed)
    return person


def reset_password(session: Session, by: str, number: str, now: datetime | None = None) -> str:
    """A new password for somebody, who must change it; they are signed out everywhere.  Raises: NotFound."""
    person = get(session, number, locked=True)
    password = passwords.made_up()
    _keep(person, password)
    person.must_change = True
    end_sign_ins(session, number, now=now)
    audit.record(session, by, "person.reset_password", number)
    return password


def reset_second_factor(session: Session, by: str, number: str, now: datetime | None = None) -> None:
    """The person has lost their device: they set up a new one when they sign in next.  Raises: NotFound."""
    person = get(session, number, locked=True)
    person.totp, person.totp_confirmed = None, False
    end_sign_ins(session, number, now=now)
    audit.record(session, by, "person.reset_second_factor", number)


def change_password(session: Session, number: str, old: str, new: str) -> None:
    """A person's own.  Raises: NotFound; InvalidInput: the old one is wrong, or the new one too weak."""
    person = get(session, number, locked=True)
    if not passwords.verify(person.password, old):
        raise InvalidInput("现在的密码不对。")
    if old == new:
        raise InvalidInput("新密码和现在的一样。")
    earlier = [person.password, *person.earlier_passwords] if person.password else person.earlier_passwords
    passwords.check(new, [person.number, person.name, person.department or ""], earlier)
    _keep(person, new)
    person.must_change = False
    audit.record(session, number, "person.change_password", number)


def end_sign_ins(session: Session, number: str, *, but: str | None = None, now: datetime | None = None) -> int:
    """End a person's sign-ins, but one; how many.  Every route and socket of theirs knows at once."""
    still_open = update(SignIn).where(SignIn.person == number, SignIn.ended_at.is_(None), SignIn.id != (but or ""))
    events.publish(session, "person", number)
    return database.rows_changed(session, still_open.values(ended_at=now or utcnow()))


def second_factor_needed(person: Person, settings: Settings) -> bool:
    """Whether they have to set one up before they do anything else."""
    return settings.env == "production" and not person.totp_confirmed and bool(GUARDED & set(person.roles))


def _standing(person: Person) -> dict[str, object]:
    """What decides over what somebody may do."""
    return {"roles": person.roles, "active": person.active, "department": person.department, "region": person.region}


def _keep(person: Person, password: str) -> None:
    if person.password:
        person.earlier_passwords = [person.password, *person.earlier_passwords][: passwords.KEPT - 1]
    person.password = passwords.hashed(password)


def _administrators(session: Session) -> int:
    # Roles are a JSON list, which both databases would search in their own way: there are few people.
    active = session.scalars(select(Person.roles).where(Person.active)).all()
    return sum(ADMIN in given for given in active)


def anybody(session: Session) -> bool:
    """Whether there is an account that somebody can sign in with."""
    return bool(session.scalar(select(func.count()).select_from(Person).where(Person.password.is_not(None))))


def _checked(
    *, name: str, department: str | None, region: str | None, skills: Iterable[str], capacity: int | None
) -> dict[str, Any]:
    name, department = name.strip(), (department or "").strip() or None
    if not 1 <= len(name) <= _NAME or not name.isprintable():
        raise InvalidInput(f"姓名要有 1 到 {_NAME} 个字。")
    if department and (len(department) > _DEPARTMENT or not department.isprintable()):
        raise InvalidInput(f"单位名称最多 {_DEPARTMENT} 个字。")
    if region is not None:
        try:
            regions.full_name(region)
        except NotFound as error:
            raise InvalidInput(str(error)) from error
    named = list(dict.fromkeys(filter(None, (skill.strip() for skill in skills))))
    if len(named) > _SKILLS or any(len(skill) > _SKILL or not skill.isprintable() for skill in named):
        raise InvalidInput(f"技能组最多 {_SKILLS} 个，每个最多 {_SKILL} 个字。")
    if capacity is not None and not 0 <= capacity <= _CAPACITY:
        raise InvalidInput(f"同时接待的会话数要在 0 到 {_CAPACITY} 之间。")
    return {"name": name, "department": department, "region": region, "skills": named, "capacity": capacity}


def _needs_department(person: Person) -> None:
    if roles.OFFICER in person.roles and not person.department:
        raise InvalidInput("承办单位人员要写明是哪个单位的：他们只能看到派给本单位的工单。")
