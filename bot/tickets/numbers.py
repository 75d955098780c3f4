"""Numbers (工单编号) and query codes (查询码)."""

from __future__ import annotations

import re
import secrets
from datetime import date, datetime

from sqlalchemy.orm import Session

from bot.clock import SHANGHAI
from bot.models.tickets import Ticket


def check_digit(digits: str) -> str:
    """The check digit after ``digits``: ISO/IEC 7064:2003, hybrid system MOD 11,10.

    It catches every single wrong digit and nearly all swapped neighbours.
    """
    product = 10
    for digit in digits:
        product = ((product + int(digit)) % 10 or 10) * 2 % 11
    return str((11 - product) % 10)


def new_number(now: datetime) -> str:
    """A number (工单编号): the day in Shanghai, five random digits, one check digit.  It may be taken already."""
    stem = f"{now.astimezone(SHANGHAI):%Y%m%d}{secrets.randbelow(100_000):05d}"
    return stem + check_digit(stem)


def free_number(session: Session, now: datetime) -> str:
    """A number that no ticket has."""
    while session.get(Ticket, number := new_number(now)) is not None:
        pass
    return number


def valid_number(text: str) -> bool:
    """Whether ``text`` can be a ticket number: 14 digits, a date, the right check digit."""
    if not re.fullmatch(r"20\d{12}", text, re.ASCII):
        return False
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return False
    return check_digit(text[:-1]) == text[-1]


def new_query_code() -> str:
    """Eight random digits (查询码).  Tickets of earlier versions have six."""
    return f"{secrets.randbelow(10**8):08d}"
