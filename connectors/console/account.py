"""Signing in and out, and everyone's own account."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from bot import database
from bot.accounts import people, sign_in
from bot.accounts.roles import ROLES
from bot.errors import Unauthorised
from bot.models.people import SignIn
from bot.settings import Settings, get_settings
from connectors.web.access import DEVICE, SESSION, Signed, TheCaller, cookies_secure
from connectors.web.context import Body, source_of
from connectors.web.errors import answers

router = APIRouter(prefix="/api/auth", tags=["auth"], responses=answers(400, 401, 403))

_DEVICE_S = 180 * 86_400


TheSettings = Annotated[Settings, Depends(get_settings)]


class Me(BaseModel):
    """Whoever is signed in."""

    number: str
    name: str
    roles: list[str]
    role_names: list[str]
    department: str | None
    region: str | None
    unfinished: Literal["password", "second_factor"] | None
    """What has to be done before anything else"""
    second_factor: bool
    """Whether they have one"""
    idle_lock_minutes: int
    on_duty_until: datetime | None
    settings: dict[str, bool | int | str]
    city: str


class Ways(BaseModel):
    """How one may sign in here."""

    single_sign_on: str | None
    """Where the city's own identity provider is reached from; null: there is none"""


@router.get("/ways")
def ways(settings: TheSettings) -> Ways:
    """How one may sign in here."""
    return Ways(single_sign_on="/auth/oidc/sign-in" if settings.oidc_issuer else None)


class SigningIn(Body):
    """Who, and what proves it."""

    number: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=200)
    code: str | None = Field(default=None, max_length=16)
    """Of the second factor, once it was asked for"""


@router.post("/sign-in", status_code=204, responses=answers(429))
def enter(body: SigningIn, request: Request, response: Response, settings: TheSettings) -> None:
    """Sign in; sets the cookie.  ``second_factor_asked``: the password is right, now the same with ``code``."""
    entered = sign_in.enter(
        settings,
        body.number,
        body.password,
        body.code,
        source=source_of(request),
        device=request.cookies.get(DEVICE),
        agent=request.headers.get("user-agent", ""),
    )
    set_cookies(response, entered, settings)


def set_cookies(response: Response, entered: sign_in.Entered, settings: Settings) -> None:
    """Give the browser what it shows from now on."""
    secure = cookies_secure(settings)
    lasts = int(sign_in.LASTS.total_seconds())
    response.set_cookie(
        SESSION, entered.token, max_age=lasts, path="/", httponly=True, secure=secure, samesite="strict"
    )
    response.set_cookie(
        DEVICE, entered.device, max_age=_DEVICE_S, path="/api/auth", httponly=True, secure=secure, samesite="strict"
    )


class Unlocking(Body):
    """The password again."""

    password: str = Field(min_length=1, max_length=200)


@router.post("/unlock", status_code=204, responses=answers(429))
def unlock(body: Unlocking, request: Request) -> None:
    """Go on after ``locked``, where one was."""
    token = request.cookies.get(SESSION)
    if not token:
        raise Unauthorised("请先登录。")
    sign_in.unlock(token, body.password)


@router.post("/sign-out", status_code=204)
def leave(me: TheCaller, response: Response) -> None:
    """End this sign-in."""
    with database.write() as session:
        sign_in.leave(session, _own(me), me.number)
    response.delete_cookie(SESSION, path="/")


@router.get("/me")
def about_me(me: TheCaller, settings: TheSettings) -> Me:
    """Who is signed in, and what they may."""
    _own(me)
    with database.read() as session:
        person = people.get(session, me.number)
        return Me(
            number=person.number,
            name=person.name,
            roles=person.roles,
            role_names=[ROLES[role] for role in person.roles],
            department=person.department,
            region=person.region,
            unfinished=me.unfinished,  # type: ignore[arg-type]
            second_factor=person.totp_confirmed,
            idle_lock_minutes=settings.idle_lock_minutes,
            on_duty_until=person.on_duty_until,
            settings=person.settings,
            city=settings.city,
        )


class NewPassword(Body):
    """The old one, and the new one."""

    old: str = Field(min_length=1, max_length=200)
    new: str = Field(min_length=1, max_length=200)


@router.post("/password", status_code=204)
def change_password(body: NewPassword, me: TheCaller) -> None:
    """Change one's own password; other devices are signed out."""
    with database.write() as session:
        people.change_password(session, me.number, body.old, body.new)
        people.end_sign_ins(session, me.number, but=_own(me))


class Secret(BaseModel):
    """What an authenticator app needs."""

    secret: str
    address: str
    """``otpauth:``, to be shown as a QR code"""


@router.post("/second-factor")
def begin_second_factor(me: TheCaller, settings: TheSettings) -> Secret:
    """A new second factor; it counts once it is confirmed."""
    with database.write() as session:
        secret, address = sign_in.begin_second_factor(session, me.number, settings)
    return Secret(secret=secret, address=address)


class Code(Body):
    """What the app shows."""

    code: str = Field(min_length=6, max_length=6)


@router.post("/second-factor/confirmation", status_code=204)
def confirm_second_factor(body: Code, me: TheCaller) -> None:
    """The app shows the right code: from now on signing in asks for one."""
    with database.write() as session:
        sign_in.confirm_second_factor(session, me.number, body.code)


class SignInView(BaseModel):
    """One device on which somebody is signed in."""

    id: str
    device: str
    created_at: datetime
    seen_at: datetime
    this_one: bool


@router.get("/sign-ins")
def list_sign_ins(me: TheCaller) -> list[SignInView]:
    """Where one is signed in."""
    with database.read() as session:
        return [view_of(one, me) for one in sign_in.open_ones(session, me.number)]


def view_of(one: SignIn, me: Signed) -> SignInView:
    """As it is shown to ``me``."""
    return SignInView(
        id=one.id, device=one.device, created_at=one.created_at, seen_at=one.seen_at, this_one=one.id == me.sign_in
    )


@router.delete("/sign-ins", status_code=204)
def end_other_sign_ins(me: TheCaller) -> None:
    """Sign out everywhere else."""
    with database.write() as session:
        people.end_sign_ins(session, me.number, but=_own(me))


@router.delete("/sign-ins/{sign_in_id}", status_code=204, responses=answers(404))
def end_sign_in(sign_in_id: str, me: TheCaller) -> None:
    """Sign out on one device."""
    with database.write() as session:
        sign_in.leave(session, sign_in_id, me.number)


class OwnSettings(Body):
    """What everyone may set for themselves."""

    theme: Literal["system", "light", "dark"] = "system"
    notify: bool = True
    """Whether the page makes a sound for dangers and waiting citizens"""
    page_size: int = Field(default=20, ge=10, le=50)


@router.put("/settings", status_code=204)
def change_settings(body: OwnSettings, me: TheCaller) -> None:
    """One's own settings."""
    with database.write() as session:
        people.get(session, me.number, locked=True).settings = body.model_dump()


def _own(me: Signed) -> str:
    if me.sign_in is None:
        raise Unauthorised("请先登录。")
    return me.sign_in
