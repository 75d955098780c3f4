"""Tables of those who work with it: people, how they sign in, what they are writing; and the programs that act for them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base, Secret


class Person(Base):
    """Somebody with an account.  Nobody is ever deleted: their number stands in tickets and in the audit log."""

    __tablename__ = "people"

    number: Mapped[str] = mapped_column(String(64), primary_key=True)
    """工号.  Of those who were there before accounts were: the name they gave"""
    name: Mapped[str] = mapped_column(String(64))
    roles: Mapped[list[str]]
    """See ``bot.accounts.roles``"""
    department: Mapped[str | None] = mapped_column(Text)
    region: Mapped[str | None] = mapped_column(String(6))
    active: Mapped[bool] = mapped_column(default=True)
    password: Mapped[str | None] = mapped_column(Text)
    """Argon2id, with its parameters; None: nobody can sign in with a password"""
    earlier_passwords: Mapped[list[str]] = mapped_column(default=list)
    """The last ones, the newest first"""
    must_change: Mapped[bool] = mapped_column(default=False)
    """Whether the password was given by somebody else"""
    totp: Mapped[Any] = mapped_column(Secret, nullable=True)
    """The second factor's secret in base32"""
    totp_confirmed: Mapped[bool] = mapped_column(default=False)
    totp_step: Mapped[int] = mapped_column(BigInteger, default=0)
    """The time step of the last code that was used: each opens once"""
    on_duty_until: Mapped[datetime | None]
    skills: Mapped[list[str]] = mapped_column(default=list)
    """The groups that they belong to: 医保, 方言 …"""
    capacity: Mapped[int | None]
    """How many conversations they may have at a time; None: as everybody (``settings.desk_capacity``)"""
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What they set for themselves on the console"""
    revision: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]


class SignIn(Base):
    """A person signed in on a device."""

    __tablename__ = "sign_ins"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    token_digest: Mapped[str] = mapped_column(String(64), unique=True)
    person: Mapped[str] = mapped_column(ForeignKey("people.number"), index=True)
    device: Mapped[str] = mapped_column(String(64))
    """Browser and system, in words"""
    source: Mapped[str] = mapped_column(String(64))
    """The pseudonym of the address"""
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    """When they did something last"""
    ended_at: Mapped[datetime | None] = mapped_column(index=True)


class KnownDevice(Base):
    """A device that a person has signed in on: what others do wrong does not keep them out there."""

    __tablename__ = "known_devices"

    token_digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    person: Mapped[str] = mapped_column(ForeignKey("people.number"), primary_key=True)
    used_at: Mapped[datetime] = mapped_column(index=True)


class ServiceAccount(Base):
    """A program that calls the desk's routes with a key of its own."""

    __tablename__ = "service_accounts"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    key_digest: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]]
    created_by: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Draft(Base):
    """What a person is writing about something, before it is sent."""

    __tablename__ = "drafts"

    person: Mapped[str] = mapped_column(ForeignKey("people.number"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    subject: Mapped[str] = mapped_column(String(64), primary_key=True)
    text: Mapped[Any] = mapped_column(Secret)
    revision: Mapped[int]
    """Counts up with each save: an older one never lands after a newer one"""
    at: Mapped[datetime] = mapped_column(index=True)
