"""Passwords: Argon2id hashes, and what is too weak (zxcvbn, and what Chinese people choose first)."""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Sequence
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from bot.errors import InvalidInput

SHORTEST, LONGEST = 10, 72
"""Characters.  The longest is what zxcvbn reads"""
KEPT = 3
"""How many earlier ones may not come again"""
_LEAST_SCORE = 3
"""Of zxcvbn's 0–4: safe against guessing at the server, and moderately so where the hashes were stolen"""

_FAVOURITES = re.compile(
    r"woaini|5201314|1314520|520520|woaiwo|qazwsx|1qaz2wsx|qwe123|a123456|123qwe|q1w2e3|abc123|admin|root|yihaoda|12345|"
    r"password|zhangsan|lisi|wangwu|nihao|beijing|shanghai|changsha|zhengwu|rexian|hotline|wangyi|tencent|iloveyou|"
    r"8888|6666|168168|19[5-9]\d(?:0[1-9]|1[0-2])|20[0-2]\d(?:0[1-9]|1[0-2])",
    re.IGNORECASE,
)
"""What many choose here: once these are taken out, enough must be left"""
_LEAST_LEFT = 6

_hasher = PasswordHasher()  # Argon2id with the parameters of RFC 9106, low memory: 64 MiB, 3 passes, 4 lanes
_few = threading.BoundedSemaphore(2)
"""Each takes 64 MiB and all of a core: a storm of sign-ins must not take the machine"""


def hashed(password: str) -> str:
    """The hash to keep."""
    with _few:
        return _hasher.hash(password)


def verify(stored: str | None, password: str) -> bool:
    """Whether it is the one.  Without a stored one it takes as long, and is not."""
    with _few:
        try:
            return _hasher.verify(stored or _nobodys(), password) and stored is not None
        except (VerificationError, InvalidHashError):
            return False


def outdated(stored: str) -> bool:
    """Whether it was hashed with weaker parameters than today's."""
    return _hasher.check_needs_rehash(stored)


@lru_cache(1)
def _nobodys() -> str:
    return _hasher.hash(secrets.token_urlsafe(24))


def check(password: str, about: Sequence[str], earlier: Sequence[str] = ()) -> None:
    """Refuse what is too weak.

    Args:
        about: what is known of the person: number, name, department.
        earlier: the hashes that may not come again.

    Raises:
        InvalidInput: it is too short, too long, easily guessed, or one of the last.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidInput(f"密码要有 {SHORTEST} 到 {LONGEST} 个字符。")
    if not password.isprintable() or password != password.strip():
        raise InvalidInput("密码里不能有看不见的字符，首尾不能是空格。")
    left = _FAVOURITES.sub("", password)
    from zxcvbn import zxcvbn  # a tenth of a second, and its word lists stay in memory

    known = [word for word in about if word]
    if len(left) < _LEAST_LEFT or zxcvbn(password, user_inputs=known)["score"] < _LEAST_SCORE:
        raise InvalidInput("这个密码太容易被猜到。可以用几个不相干的词连起来，加上数字或符号，不要用姓名、工号、生日。")
    if any(verify(old, password) for old in earlier[:KEPT]):
        raise InvalidInput(f"这个密码最近用过，不能和前 {KEPT} 次的相同。")


_WORDS = "abcdefghjkmnpqrstuvwxyz23456789"


def made_up() -> str:
    """One to give to somebody, who must change it: four groups of four, without what looks alike (79 bits)."""
    return "-".join("".join(secrets.choice(_WORDS) for _ in range(4)) for _ in range(4))
