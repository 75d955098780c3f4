"""Looking a ticket up by number and query code: guessing is slowed down, and watched."""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from datetime import datetime, timedelta
from functools import lru_cache

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import counters, security_log, told
from bot.crypto import Cipher, get_cipher, same
from bot.errors import NotFound, PhoneTailNeeded, TooMany
from bot.models.tickets import Ticket
from bot.tickets.moves import NOT_FOUND
from bot.tickets.numbers import valid_number

ASK_PHONE_TAIL = "这个编号最近有人多次输错查询码，请再提供登记时所留电话的后四位；没有留电话的，请说明没有留。"
TOO_MANY_TRIES = "查询码输错的次数多了，请{wait}后再试，也可以拨打12345查询。"
_DAY = timedelta(days=1)
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=1), timedelta(minutes=30)
"""A source waits so long after its first wrong code for a ticket, and twice as long after each further one, up to the
longest: 58 tries a day.  100 sources find one code of eight digits with a chance of 5.8e-5 a day."""
WATCHED_AFTER = 20
"""Wrong codes a day for one number, over all sources, after which a code of six digits does not suffice any more"""
WATCHED_WAIT = timedelta(minutes=15)
"""Then a source that names no phone waits so long between two tries with six digits: 97 a day.  100 sources find one
code with a chance of 9.7e-3 a day."""


def find(
    session: Session, number: str, code: str, *, phone_tail: str | None = None, source: str, now: datetime
) -> Ticket:
    """The ticket with this number and query code.

    Whoever guesses waits ever longer, each source for itself and each number for itself, so nobody shuts anybody else
    out: a source's first try at a number is always looked at.  A number that there is not, and a wrong code, read the
    same and take the same work: what is asked and how long to wait depends on what was sent, and on wrong tries before.

    Call it in a ``write()`` transaction of its own, before changing anything: it **commits** the count of a wrong try,
    so that the rollback which its exception causes can't undo it.

    Args:
        phone_tail: the last four digits of the phone on the ticket; empty: it has none; None: not said.
        source: who asks, as a pseudonym: their address, or in WeChat their openid; never a conversation.

    Raises:
        NotFound: wrong number, code or phone.
        PhoneTailNeeded: a code of six digits does not suffice now.  Nothing was looked at, nothing counts.
        TooMany: too soon after a wrong try.
    """
    number, code = (re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", text)) for text in (number, code))
    # The rows stay locked until the transaction ends: tries made at the same time can't slip past the limits together.
    at_number = counters.locked(session, _tries(number), now)
    here = counters.locked(session, _tries(number, source), now)
    watched = re.fullmatch(r"\d{6}", code) is not None and at_number.value >= WATCHED_AFTER
    if watched and phone_tail is None:
        raise PhoneTailNeeded(ASK_PHONE_TAIL)
    wait = WATCHED_WAIT if watched and phone_tail == "" else _wait(here.value)
    since = now - (here.expires_at or now) + _DAY
    if here.value and timedelta() <= since < wait:  # a wrong try of tomorrow: the clock was put back
        seconds = math.ceil((wait - since).total_seconds())
        said = f"{seconds}秒" if seconds < 60 else f"{math.ceil(seconds / 60)}分钟"
        security_log.record("code.blocked", number, origin=source)
        raise TooMany(TOO_MANY_TRIES.format(wait=said), seconds)
    ticket_code, ticket_tail = _credentials(session, number)
    right = [same(ticket_code, code), not watched or same(ticket_tail, unicodedata.normalize("NFKC", phone_tail or ""))]
    if all(right):
        for tries in (at_number, here):
            if not tries.value:
                session.delete(tries)
        told.ticket_read(session, number, now)
        return session.get_one(Ticket, number)
    if not at_number.value:
        at_number.expires_at = now + _DAY
    here.expires_at = now + _DAY
    for tries in (at_number, here):
        tries.value += 1
    counters.sweep(session, now)
    session.commit()
    security_log.record("code.wrong", number, origin=source)
    raise NotFound(NOT_FOUND)


def _tries(*what: str) -> str:
    """The counter of wrong tries at a number, or at a number by a source."""
    return f"tries:{hashlib.sha256(' '.join(what).encode()).hexdigest()}"


def _wait(wrong: int) -> timedelta:
    """How long a source waits after so many wrong tries."""
    return min(FIRST_WAIT * 2 ** min(wrong - 1, 30), LONGEST_WAIT) if wrong else timedelta()


def _credentials(session: Session, number: str) -> tuple[str, str]:
    """What opens a ticket: its code, and the last four digits of its phone, empty if it has none.

    Either way two secrets are decrypted; for a number that there is not, "-", which ``find`` takes out of what is typed.
    """
    row = session.execute(
        select(Ticket.query_code, Ticket.phone).where(Ticket.number == (number if valid_number(number) else ""))
    ).one_or_none()
    code, phone = row or (None, None)
    for secret in (code, phone):
        if secret is None:
            get_cipher().decrypt(_decoy(get_cipher()))
    return str(code or "-"), re.sub(r"\D", "", str(phone or ""))[-4:]


@lru_cache(maxsize=1)
def _decoy(cipher: Cipher) -> str:
    return cipher.encrypt("00000000")
