"""The second factor: time-based one-time passwords (RFC 6238), as every authenticator app makes them."""

from __future__ import annotations

import base64
import secrets
from datetime import datetime

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor import InvalidToken
from cryptography.hazmat.primitives.twofactor.totp import TOTP

STEP_S = 30
_DIGITS = 6
_SKEW = 1
"""How many steps a clock may be off"""
_BYTES = 20


def new_secret() -> str:
    """A secret in base32, as apps take it."""
    return base64.b32encode(secrets.token_bytes(_BYTES)).decode("ascii")


def address(secret: str, number: str, issuer: str) -> str:
    """The otpauth address that apps read from a QR code."""
    return _totp(secret).get_provisioning_uri(number, issuer)


def used_step(secret: str, code: str, now: datetime, after: int) -> int | None:
    """The time step whose code this is; None if it is none of now, or of a step that was used (``after``) or is older.

    Used steps count up, so that a code that was overheard opens nothing.
    """
    if not (code.isascii() and code.isdecimal() and len(code) == _DIGITS):
        return None
    present = int(now.timestamp()) // STEP_S
    for step in range(max(after + 1, present - _SKEW), present + _SKEW + 1):
        try:
            _totp(secret).verify(code.encode("ascii"), step * STEP_S)
        except InvalidToken:
            continue
        return step
    return None


def code_at(secret: str, now: datetime) -> str:
    """What an app shows at that time."""
    return _totp(secret).generate(int(now.timestamp())).decode("ascii")


def _totp(secret: str) -> TOTP:
    # SHA-1 is what the apps know; as an HMAC it is sound.
    return TOTP(base64.b32decode(secret), _DIGITS, SHA1(), STEP_S)
