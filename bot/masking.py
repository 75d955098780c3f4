"""Masking of personal data in text and in log records: phones, ID cards, bank cards, passports, e-mail, query codes.

Full-width digits, digits split by spaces or dashes, and numbers spelt out in Chinese digits (幺三八…) are caught too.
Ticket numbers, amounts, dates and years stay.  Masking errs towards hiding: what merely looks like a card number goes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from typing import Any

_SEPARATOR = r"[ \t\-‐‑–—·.\u200b-\u200f\u2060\ufeff]{0,2}"
# The four stars: what an earlier masking left is never joined with the digits beside it: masking twice changes nothing.
_START, _END = r"(?<!\d)(?<!\*{4})", r"(?!\d)(?!\*{4})"


def _split(*digits: str) -> str:
    """A pattern for these digits with separators allowed in between."""
    return _START + _SEPARATOR.join(digits) + _END


_D = r"\d"
_MONTH, _DAY = ("(?:0[1-9]|1[0-2])", "(?:0[1-9]|[12]\\d|3[01])")
_ID18 = _split("[1-9]", *[_D] * 5, "(?:18|19|20)", _D, _D, _MONTH, _DAY, _D, _D, _D, r"[\dXx]")
_ID15 = _split("[1-9]", *[_D] * 5, _D, _D, _MONTH, _DAY, _D, _D, _D)
_CARD = rf"{_START}\d{{16,19}}{_END}|" + "|".join(_split("[3-9]", *[_D] * (count - 1)) for count in (19, 18, 17, 16))
# A date and a number after it (1990-12-31 123) have eleven digits too.
_NO_DATE = r"(?!(?:19)\d\d[ \-.](?:0?[1-9]|1[0-2])[ \-.]\d)"
MOBILE = (
    rf"(?<!\d)(?<!\*{{4}})(?:\+?(?:00)?86{_SEPARATOR})?{_NO_DATE}1"
    + _SEPARATOR
    + _SEPARATOR.join(["[3-9]", *[_D] * 9])
    + _END
)
_AREA = r"\(?0(?:10|2\d|[3-9]\d\d)\)?"
LANDLINE = rf"{_START}{_AREA}{_SEPARATOR}[2-9]" + (_SEPARATOR + _D) * 6 + rf"(?:{_SEPARATOR}\d)?{_END}"
# Seven or eight digits alone are a phone only where the text says so.
_LOCAL = rf"(?<=电话|座机|固话|致电|号码|机是)[是为:, ]{{0,3}}[2-8]\d{{2,3}}{_SEPARATOR}\d{{4}}{_END}"
_PASSPORT = r"(?<![A-Za-z0-9])(?:[DEGHKMPSCdeghkmpsc]\d{8,10}|[Ee][A-HJ-NP-Za-hj-np-z]\d{7})(?![A-Za-z0-9])"
_EMAIL = r"[A-Za-z0-9._%+\-]+@[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)+"
_CODE = r"(?<=查询码)[是为:, ]{0,3}\d{6,8}(?!\d)"
_TICKET = r"(?<!\d)20\d{12}(?!\d)"

_PERSONAL = re.compile(
    "|".join(
        f"(?P<{name}>{pattern})"
        for name, pattern in (
            ("email", _EMAIL),
            ("ticket", _TICKET),
            ("id18", _ID18),
            ("card", _CARD),
            ("id15", _ID15),
            ("mobile", MOBILE),
            ("landline", LANDLINE),
            ("local", _LOCAL),
            ("passport", _PASSPORT),
            ("code", _CODE),
        )
    ),
    re.ASCII,
)
_SPELT = re.compile("[零〇一二三四五六七八九幺]{11,}")
_SPELT_DIGITS = str.maketrans("零〇一二三四五六七八九幺", "001234567891")
_SECRET_KEYS = frozenset(
    (
        "phone",
        "mobile",
        "id_card",
        "email",
        "query_code",
        "code",
        "password",
        "secret",
        "secret_keys",
        "token",
        "operator_token",
        "authorization",
    )
)


def mask(text: str) -> str:
    """``text`` with personal data starred out: 138****5678 for a mobile phone, three characters left of the rest."""
    shadow = plain_digits(text)
    out: list[str] = []
    end = 0
    for match in _PERSONAL.finditer(shadow):
        kind = match.lastgroup or ""
        if kind == "ticket" and _is_dated(match.group()):
            continue
        out += [text[end : match.start()], _starred(kind, match.group())]
        end = match.end()
    return "".join([*out, text[end:]])


def mask_phone(phone: str) -> str:
    """A phone number as its owner may recognise it: 138****5678, 0731****1234."""
    digits = re.sub(r"\D", "", phone)
    return f"{digits[:-8]}****{digits[-4:]}" if len(digits) > 8 else "****"


def mask_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """A log record with every text in it masked, at any depth; values under names like ``token`` go altogether."""
    return {
        key: "***" if str(key).lower() in _SECRET_KEYS and value else _masked(value) for key, value in record.items()
    }


def plain_digits(text: str) -> str:
    """``text`` at the same length with full-width and spelt-out characters as plain ones, for patterns to look at."""
    if text.isascii():
        return text
    plain = "".join(map(_plain, text))
    return _SPELT.sub(lambda match: match.group().translate(_SPELT_DIGITS), plain)


def _plain(character: str) -> str:
    if character < "\u2000" or "\u4e00" <= character <= "\u9fff":
        return character
    normal = unicodedata.normalize("NFKC", character)
    return normal if len(normal) == 1 else character


def _is_dated(number: str) -> bool:
    """Whether the first eight digits are a date, as in ticket numbers."""
    try:
        date(int(number[:4]), int(number[4:6]), int(number[6:8]))
    except ValueError:
        return False
    return True


def _starred(kind: str, found: str) -> str:
    if kind == "email":
        return f"{found[:1]}****@****"
    if kind in ("code", "local"):
        return re.sub(r"\d(?:.*\d)?", "****", found, flags=re.DOTALL)
    compact = re.sub(r"[^0-9A-Za-z]", "", found)
    if kind == "mobile":
        return f"{compact[-11:-8]}****{compact[-4:]}"
    return compact[:3] + "*" * max(4, len(compact) - 3)


def _masked(value: Any) -> Any:
    match value:
        case str():
            return mask(value)
        case Mapping():
            return mask_record(value)
        case list() | tuple():
            return [_masked(item) for item in value]
        case int() if len(str(value)) > 10:
            masked = mask(str(value))
            return value if masked == str(value) else masked
    return value
