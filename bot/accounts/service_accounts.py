"""Keys for programs: shown once, kept as a digest, limited to some of the desk's routes, revoked at once."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import audit
from bot.accounts.roles import checked_scopes
from bot.clock import utcnow
from bot.crypto import digest
from bot.errors import IllegalMove, InvalidInput, NotFound, Unauthorised
from bot.models.people import Person, ServiceAccount

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_PREFIX = "yhd_"
"""By which scanners for leaked secrets know one"""
USED_EVERY = timedelta(minutes=5)
"""How exactly it is known when a key was used last"""


def create(session: Session, by: str, name: str, scopes: Iterable[str], now: datetime | None = None) -> str:
    """A new one; its key.

    Raises:
        InvalidInput: a malformed name or scope.
        IllegalMove: the name is or was taken: what it did stands under it in the audit log.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput("名称用小写字母、数字和横线，最多 32 个字符。")
    if session.get(ServiceAccount, name) is not None or session.get(Person, name) is not None:
        raise IllegalMove(f"{name} 已经用过了，请换一个名称。")
    key = _PREFIX + secrets.token_urlsafe(32)
    given = checked_scopes(scopes)
    session.add(
        ServiceAccount(name=name, key_digest=digest(key), scopes=given, created_by=by, created_at=now or utcnow())
    )
    audit.record(session, by, "service_account.create", name, scopes=given)
    return key


def revoke(session: Session, by: str, name: str, now: datetime | None = None) -> None:
    """From now on its key opens nothing.  Raises: NotFound."""
    account = session.get(ServiceAccount, name, with_for_update=True)
    if account is None:
        raise NotFound(f"没有这个程序账号：{name}。")
    if account.revoked_at is None:
        account.revoked_at = now or utcnow()
        audit.record(session, by, "service_account.revoke", name)


def listed(session: Session) -> Sequence[ServiceAccount]:
    """All, also those that were revoked."""
    return session.scalars(select(ServiceAccount).order_by(ServiceAccount.name)).all()


def opened_by(session: Session, key: str) -> ServiceAccount:
    """Whose key it is.  Raises: Unauthorised: nobody's, or it was revoked."""
    account = session.scalar(select(ServiceAccount).where(ServiceAccount.key_digest == digest(key)))
    if account is None or account.revoked_at is not None:
        raise Unauthorised("密钥不对，或者已经停用。")
    return account


def note_use(session: Session, name: str, now: datetime) -> None:
    """It was used; written down every few minutes."""
    account = session.get(ServiceAccount, name)
    if account is not None and (account.used_at is None or now - account.used_at > USED_EVERY):
        account.used_at = now
