"""Signing in: who it is, how often they may try, and for how long they stay.

A wrong password makes the next try wait, longer each time, for this account from this address; and an address has a bound of its
own, whichever accounts it tries.  An account itself is never locked: a device that signed in before counts for itself, so that
nobody keeps a colleague out by typing their number.
"""

from __future__ import annotations

import re
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from bot import audit, counters, database, events
from bot.accounts import passwords, people, second_factor
from bot.clock import utcnow
from bot.crypto import digest
from bot.errors import InvalidInput, NotFound, TooMany, Unauthorised
from bot.models.people import KnownDevice, Person, SignIn
from bot.settings import Settings

LASTS = timedelta(hours=12)
"""A sign-in ends after so long, whatever is done: a shift and the hand-over"""
_SEEN_EVERY = timedelta(seconds=30)
"""How exactly it is known when somebody did something last: no write with each request"""
FREE_TRIES = 3
"""Wrong passwords before the next try has to wait"""
_LONGEST_WAIT = timedelta(minutes=15)
_FORGOTTEN = timedelta(hours=24)
"""After so long without a try nothing is held against it any more"""
_ADDRESS = (30, timedelta(minutes=10))
"""So many wrong tries from an address in so long, whichever accounts they were for"""
_DEVICE = timedelta(days=180)

_WRONG = "工号或密码不对。"


class SecondFactorAsked(Unauthorised):
    """The password is right; now the code of the second factor."""

    code = "second_factor_asked"


class Locked(Unauthorised):
    """Nobody did anything for a while: the password again, then it goes on where it was."""

    code = "locked"


@dataclass(frozen=True)
class Entered:
    """Somebody has signed in."""

    person: Person
    token: str
    """For this sign-in; kept nowhere but with them"""
    device: str
    """The device's own token, to be shown at the next sign-in"""


def enter(
    settings: Settings,
    number: str,
    password: str,
    code: str | None,
    *,
    source: str,
    device: str | None,
    agent: str,
    now: datetime | None = None,
) -> Entered:
    """Sign in, in transactions of its own: what was wrong stays counted.

    Args:
        code: of the second factor, if they have one.
        source: the pseudonym of the address.
        device: the token that an earlier sign-in gave to this device.
        agent: what the browser says it is.

    Raises:
        Unauthorised: wrong, or no such account, or switched off; all read the same.
        SecondFactorAsked: the password is right.
        TooMany: too many wrong tries; says how long to wait.
    """
    now = now or utcnow()
    number = number.strip()
    with database.write() as session:
        known = _knows(session, number, device)
        key = digest(f"{number} {device if known else source}")[:40]
        _refuse_too_early(session, key, None if known else source, now)
    with database.read() as session:
        person = session.get(Person, number)
        stored = person.password if person and person.active else None
    right = passwords.verify(stored, password)  # no transaction is open meanwhile: it takes a tenth of a second
    with database.write() as session:
        person = session.get(Person, number, with_for_update=True, populate_existing=True)
        if not right or person is None or not person.active or person.password != stored:
            _failed(session, key, None if known else source, now)
            audit.record(session, number if person else "未知工号", "sign_in.refused", number[:64])
            refusal: Unauthorised | None = Unauthorised(_WRONG)
        else:
            refusal = _second_factor(session, person, code, key, None if known else source, now)
        if refusal is None:
            assert person is not None
            if passwords.outdated(person.password or ""):
                person.password = passwords.hashed(password)
            return _let_in(session, person, source, device if known else None, agent, key, now)
    raise refusal


def admit(session: Session, number: str, *, source: str, agent: str, by: str, now: datetime | None = None) -> Entered:
    """Let somebody in whom another service has identified (``by``: its name).  Raises: Unauthorised."""
    now = now or utcnow()
    person = session.get(Person, number, with_for_update=True)
    if person is None or not person.active:
        raise Unauthorised("这个账号还没有开通，或者已经停用，请找管理员。")
    audit.record(session, number, "sign_in.identified", number, by=by)
    return _let_in(session, person, source, None, agent, "", now)


def who(
    session: Session, token: str, settings: Settings, *, active: bool, now: datetime | None = None
) -> tuple[Person, SignIn]:
    """Who is signed in with this token.

    Args:
        active: whether it counts as something that the person does; a page that looks for news by itself does not.

    Raises:
        Unauthorised: nobody: ended, over, or switched off.
        Locked: nothing was done for ``settings.idle_lock_minutes``.
    """
    now = now or utcnow()
    found = session.execute(
        select(SignIn, Person).join(Person, Person.number == SignIn.person).where(SignIn.token_digest == digest(token))
    ).first()
    if found is None or found.SignIn.ended_at is not None or not found.Person.active:
        raise Unauthorised("请先登录。")
    if now - found.SignIn.created_at > LASTS:
        raise Unauthorised("登录已经超过 12 小时，请重新登录。")
    if now - found.SignIn.seen_at > timedelta(minutes=settings.idle_lock_minutes):
        raise Locked("您有一会儿没有操作了，请输入密码继续。")
    if active and now - found.SignIn.seen_at > _SEEN_EVERY:
        seen(found.SignIn.id, now)
    return found.Person, found.SignIn


def seen(sign_in: str, now: datetime) -> None:
    """They did something; in a transaction of its own."""
    with database.write() as session:
        row = session.get(SignIn, sign_in)
        if row is not None and row.ended_at is None:
            row.seen_at = max(row.seen_at, now)


def unlock(token: str, password: str, now: datetime | None = None) -> None:
    """Go on after ``Locked``.  Raises: Unauthorised, TooMany."""
    now = now or utcnow()
    with database.write() as session:
        row = session.scalar(select(SignIn).where(SignIn.token_digest == digest(token)))
        if row is None or row.ended_at is not None or now - row.created_at > LASTS:
            raise Unauthorised("请先登录。")
        number, id_ = row.person, row.id
        key = digest(f"{number} {id_}")[:40]
        _refuse_too_early(session, key, None, now)
        stored = session.get_one(Person, number).password
    right = passwords.verify(stored, password)
    with database.write() as session:
        row = session.get_one(SignIn, id_)
        if right and row.ended_at is None:
            row.seen_at = now
            return
        _failed(session, key, None, now)
        audit.record(session, number, "sign_in.refused", number)
    raise Unauthorised("密码不对。")


def leave(session: Session, sign_in: str, number: str, now: datetime | None = None) -> None:
    """End one of a person's own sign-ins.  Raises: NotFound."""
    row = session.get(SignIn, sign_in, with_for_update=True)
    if row is None or row.person != number:
        raise NotFound("没有这次登录。")
    if row.ended_at is None:
        row.ended_at = now or utcnow()
        events.publish(session, "person", number)
        audit.record(session, number, "sign_in.end", number, device=row.device)


def open_ones(session: Session, number: str, now: datetime | None = None) -> list[SignIn]:
    """A person's sign-ins that have not ended, the last used first."""
    return list(
        session.scalars(
            select(SignIn)
            .where(SignIn.person == number, SignIn.ended_at.is_(None), SignIn.created_at > (now or utcnow()) - LASTS)
            .order_by(SignIn.seen_at.desc())
        )
    )


def begin_second_factor(session: Session, number: str, settings: Settings) -> tuple[str, str]:
    """A new secret for a person's app, and its address for a QR code; counts once a code of it was typed in.

    Raises: InvalidInput: there is one already.
    """
    person = people.get(session, number, locked=True)
    if person.totp_confirmed:
        raise InvalidInput("已经绑定了动态口令。换手机请找管理员解绑。")
    person.totp = second_factor.new_secret()
    return person.totp, second_factor.address(person.totp, number, f"一号答·{settings.city}")


def confirm_second_factor(session: Session, number: str, code: str, now: datetime | None = None) -> None:
    """Raises: InvalidInput: nothing was begun, or the code is wrong."""
    person = people.get(session, number, locked=True)
    step = second_factor.used_step(person.totp, code, now or utcnow(), person.totp_step) if person.totp else None
    if person.totp_confirmed or step is None:
        raise InvalidInput("动态口令不对，请看手机上现在显示的 6 位数字。")
    person.totp_confirmed, person.totp_step = True, step
    audit.record(session, number, "person.second_factor", number)


def forget_old(session: Session, now: datetime) -> int:
    """Remove sign-ins and devices that play no part any more; how many."""
    old = now - _DEVICE
    sign_ins = database.rows_changed(session, delete(SignIn).where(SignIn.created_at < old))
    return sign_ins + database.rows_changed(session, delete(KnownDevice).where(KnownDevice.used_at < old))


# --- within ----------------------------------------------------------------------------------------------------------


def _second_factor(
    session: Session, person: Person, code: str | None, key: str, source: str | None, now: datetime
) -> Unauthorised | None:
    if not person.totp_confirmed:
        return None
    if not code:
        return SecondFactorAsked("请输入手机上的 6 位动态口令。")
    step = second_factor.used_step(person.totp, code, now, person.totp_step)
    if step is None:
        _failed(session, key, source, now)
        audit.record(session, person.number, "sign_in.refused", person.number, factor="second")
        return SecondFactorAsked("动态口令不对，或者已经用过，请等下一个。")
    person.totp_step = step
    return None


def _let_in(
    session: Session, person: Person, source: str, device: str | None, agent: str, key: str, now: datetime
) -> Entered:
    token, device = secrets.token_urlsafe(32), device or secrets.token_urlsafe(32)
    session.add(
        SignIn(
            id=uuid.uuid4().hex,
            token_digest=digest(token),
            person=person.number,
            device=device_name(agent),
            source=source,
            created_at=now,
            seen_at=now,
        )
    )
    session.merge(KnownDevice(token_digest=digest(device), person=person.number, used_at=now))
    if key:
        for name in (f"sign-in tries {key}", f"sign-in wait {key}"):
            counters.locked(session, name, now).expires_at = now
    audit.record(session, person.number, "sign_in", person.number, device=device_name(agent))
    return Entered(person, token, device)


def _knows(session: Session, number: str, device: str | None) -> bool:
    return bool(device) and session.get(KnownDevice, (digest(device or ""), number)) is not None


def _refuse_too_early(session: Session, key: str, source: str | None, now: datetime) -> None:
    waits = [counters.locked(session, f"sign-in wait {key}", now)]
    if source is not None:
        tried = counters.locked(session, f"sign-in from {source[:40]}", now)
        if tried.value >= _ADDRESS[0]:
            waits.append(tried)
    until = max((one.expires_at for one in waits if one.value and one.expires_at), default=now)
    if until > now:
        seconds = int((until - now).total_seconds()) + 1
        raise TooMany(f"输错的次数太多，请过 {_in_words(seconds)}再试。", retry_after_s=seconds)


def _failed(session: Session, key: str, source: str | None, now: datetime) -> None:
    tries = counters.locked(session, f"sign-in tries {key}", now)
    tries.value += 1
    tries.expires_at = now + _FORGOTTEN
    if tries.value >= FREE_TRIES:
        wait = counters.locked(session, f"sign-in wait {key}", now)
        wait.value = 1
        wait.expires_at = now + min(_LONGEST_WAIT, timedelta(seconds=2.0 ** min(20, tries.value - FREE_TRIES + 1)))
    if source is not None:
        counters.hit(session, f"sign-in from {source[:40]}", *_ADDRESS, now)


def _in_words(seconds: int) -> str:
    return f"{seconds} 秒" if seconds < 60 else f"{-(-seconds // 60)} 分钟"


_BROWSERS = (
    ("MicroMessenger", "微信"),
    ("Edg/", "Edge"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (("Android", "安卓"), ("iPhone", "iPhone"), ("Windows", "Windows"), ("Mac OS", "Mac"), ("Linux", "Linux"))


def device_name(agent: str) -> str:
    """What a browser says it is, in words that its user knows."""

    def first(known: tuple[tuple[str, str], ...], otherwise: str) -> str:
        return next((name for sign, name in known if re.search(re.escape(sign), agent)), otherwise)

    return f"{first(_SYSTEMS, '其他系统')} 上的 {first(_BROWSERS, '其他程序')}"
