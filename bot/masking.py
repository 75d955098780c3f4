"""Masking of personal data in text and in log records: phones, ID cards, bank cards, passports, e-mail, query codes, plates
of cars, social credit codes.

Full-width digits, digits split by spaces, dashes, commas, brackets or line breaks, and numbers spelt out in Chinese digits
(幺三八…, 壹叁捌…, 一38一…) are caught too.  Ticket numbers, amounts, dates, years and lists stay.  Masking errs towards
hiding: what merely looks like a card number goes.  Names and addresses are not recognised.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

_SEPARATOR = r"[ \t\-‐‑–—·.\u200b-\u200f\u2060\ufeff]{0,2}"
# The four stars: what an earlier masking left is never joined with the digits beside it: masking twice changes nothing.
_START, _END = r"(?<!\d)(?<!\*{4})", r"(?!\d)(?!\*{4})"


def _split(*digits: str) -> str:
    """A pattern for these digits with separators allowed in between."""
    return _START + _SEPARATOR.join(digits) + _END


_D = r"\d"
_CENTURY = rf"(?:1{_SEPARATOR}[89]|2{_SEPARATOR}0)"
_MONTH, _DAY = (
    rf"(?:0{_SEPARATOR}[1-9]|1{_SEPARATOR}[0-2])",
    rf"(?:0{_SEPARATOR}[1-9]|[12]{_SEPARATOR}\d|3{_SEPARATOR}[01])",
)
_ID18 = _split("[1-9]", *[_D] * 5, _CENTURY, _D, _D, _MONTH, _DAY, _D, _D, _D, r"[\dXx]")
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
_AT = r" {0,2}(?:@|[(\[{<【] ?(?:[Aa][Tt]|艾特) ?[)\]}>】]) {0,2}"
_DOT = r"(?: ?\. ?|。(?=com|cn|net|org|gov|edu)| ?[(\[{<【] ?(?:[Dd][Oo][Tt]|点) ?[)\]}>】] ?)"
_EMAIL = rf"[A-Za-z0-9._%+\-]{{1,64}}{_AT}[A-Za-z0-9\-]{{1,63}}(?:{_DOT}[A-Za-z0-9\-]{{1,63}})+"
_CODE = r"(?<=查询码)[是为:, ]{0,3}\d{6,8}(?!\d)"
_TICKET = r"(?<!\d)20\d{12}(?!\d)"
_PLATE = (
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Za-hj-np-z][ \-.·•]?"
    r"(?=(?:[A-Za-z]*\d){2})[A-HJ-NP-Za-hj-np-z0-9]{4}(?:[A-HJ-NP-Za-hj-np-z0-9]{1,2}(?![A-Za-z0-9])|[挂学警港澳领试超])"
)
_CREDIT = (
    r"(?<![A-Za-z0-9])[1-9A-HJ-NPQRTUWXYa-hj-npqrtuwxy][ \-]?[1-9A-HJ-NPQRTUWXYa-hj-npqrtuwxy]"
    + r"[ \-]?\d" * 6
    + r"[ \-]?[0-9A-HJ-NPQRTUWXYa-hj-npqrtuwxy]" * 10
    + r"(?![A-Za-z0-9])"
)

_CREDIT_NAMED = r"(?<=代码|税号|别号)[是为:, ]{0,3}[0-9A-Za-z]{18}(?![A-Za-z0-9])"

# What separates the groups of a number that is told or pasted in pieces.  Between the items of a list stands the same: so
# the pieces must be as long as people make them, and no unit may follow (罚150、1000、2000元).
_APART = r"[)\]]?[ \t\r\n,、;:/|_\-‐‑–—·.]{1,3}[(\[]?"
_NO_LIST = r"(?<!\d[,、;/])(?<!\d)(?<!\*{4})"
_NO_ITEM = (
    r"(?!\d)(?!\*{4})(?![,、;/]{1,2}\d)"
    r"(?! ?(?:元|块|万|亿|个|人|户|年|月|天|日|号|岁|%|平|米|公里|公斤|克|次|份|套|件|分|倍|亩|吨|期|条|项|款|页|路|级|度|小时))"
)


def _in_groups(digits: Sequence[str], *splits: Sequence[int]) -> str:
    """A pattern for these digits in groups of such lengths, the first of which may stand in brackets."""
    written = []
    for sizes in splits:
        groups, at = [], 0
        for size in sizes:
            groups.append("".join(digits[at : at + size]))
            at += size
        written.append(_APART.join(groups))
    return rf"{_NO_LIST}[(\[]?(?:{'|'.join(written)}){_NO_ITEM}"


_MOBILE_DIGITS = ["1", "[3-9]", *[_D] * 9]
_ID_DIGITS = [
    "[1-9]",
    *[_D] * 5,
    "(?:18|19|20)",
    "",
    _D,
    _D,
    "(?:0[1-9]|1[0-2])",
    "",
    "(?:0[1-9]|[12]\\d|3[01])",
    "",
    _D,
    _D,
    _D,
    r"[\dXx]",
]
_MOBILE_APART = (
    _in_groups(_MOBILE_DIGITS, (3, 4, 4), (3, 8), (7, 4), (3, 3, 5), (4, 4, 3), (4, 3, 4), (5, 6), (6, 5), (1,) * 11)
    + rf"|{_NO_LIST}[(\[]1[3-9]\d[)\]]\d{{4}}{_SEPARATOR}\d{{4}}(?!\d)"
)
_ID_APART = _in_groups(_ID_DIGITS, (6, 8, 4), (6, 4, 4, 4), (6, 4, 2, 2, 4), (14, 4), (12, 6), (10, 8))
_CARD_APART = _in_groups(
    ["[3-9]", *[_D] * 18], (4, 4, 4, 4, 3), (4, 4, 4, 4, 2), (4, 4, 4, 4, 1), (4, 4, 4, 4), (6, 13), (6, 10)
)

_PERSONAL = re.compile(
    "|".join(
        f"(?P<{name}>{pattern})"
        for name, pattern in (
            ("email", _EMAIL),
            ("plate", _PLATE),
            ("ticket", _TICKET),
            ("id18", _ID18),
            ("id_apart", _ID_APART),
            ("card", _CARD),
            ("card_apart", _CARD_APART),
            ("credit_named", _CREDIT_NAMED),
            ("credit", _CREDIT),
            ("id15", _ID15),
            ("mobile", MOBILE),
            ("mobile_apart", _MOBILE_APART),
            ("landline", LANDLINE),
            ("local", _LOCAL),
            ("passport", _PASSPORT),
            ("code", _CODE),
        )
    ),
    re.ASCII,
)
_HAN = "零〇一二三四五六七八九幺壹贰叁肆伍陆柒捌玖"
_SPELT_DIGITS = str.maketrans(_HAN, "001234567891123456789")
_SPELT = re.compile(rf"\*{{4}}\d*|[{_HAN}\d](?:[ \t\r\n,、\-—·.()]{{0,2}}[{_HAN}\d]){{10,}}(?!\*{{4}})", re.ASCII)
"""A run of digits with Chinese ones among them, or what an earlier masking left"""
_SPELT_NUMBER = re.compile(
    r"[1-9]\d{5}(?:18|19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{4}|1[3-9]\d{9}", re.ASCII
)
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
        "authorization",
    )
)


class _Found(NamedTuple):
    start: int
    end: int
    stars: str


def mask(text: str) -> str:
    """``text`` with personal data starred out: 138****5678 for a mobile phone, three characters left of the rest."""
    shadow = _half_width(text)
    out: list[str] = []
    end = 0
    for found in (*_find(shadow), _Found(len(text), len(text), "")):
        out += [_mask_spelt(text[end : found.start], shadow[end : found.start]), found.stars]
        end = found.end
    return "".join(out)


def _find(shadow: str) -> Iterator[_Found]:
    at = 0
    while match := _PERSONAL.search(shadow, at):
        kind = match.lastgroup or ""
        if _is_other(kind, match.group()):
            at = match.start() + 1
        else:
            at = match.end()
            yield _Found(match.start(), match.end(), _starred(kind, match.group()))


def _is_other(kind: str, found: str) -> bool:
    """Whether it only looks like personal data: what has a check character tells."""
    match kind:
        case "ticket":
            return _is_dated(found)
        case "card_apart":
            return not _luhn(re.sub(r"\D", "", found))
        case "credit":
            return not _is_credit_code(re.sub(r"[ \-]", "", found).upper())
    return False


def _mask_spelt(text: str, shadow: str) -> str:
    """``text`` with phone and ID numbers starred out that are spelt in Chinese digits, wholly or in part."""
    out: list[str] = []
    end = 0
    for run in _SPELT.finditer(shadow):
        places = [at for at in range(run.start(), run.end()) if shadow[at].isdigit() or shadow[at] in _HAN]
        digits = "".join(shadow[at] for at in places)
        if digits.isascii() or run.group().startswith("*"):
            continue
        for number in _SPELT_NUMBER.finditer(digits.translate(_SPELT_DIGITS)):
            own = places[number.start() : number.end()]
            sizes = {len(group) for group in re.split(rf"[^{_HAN}0-9]+", shadow[own[0] : own[-1] + 1])}
            spelt = sum(shadow[at] in _HAN for at in own)
            begins = number.start() == 0 or places[number.start() - 1] + 1 < own[0]
            if spelt and (min(sizes) >= 3 or sizes == {1}) and (spelt >= 3 or begins):
                out += [text[end : own[0]], _starred("mobile" if len(own) == 11 else "id18", number.group())]
                end = own[-1] + 1
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
    return _SPELT.sub(lambda match: match.group().translate(_SPELT_DIGITS), _half_width(text))


def _half_width(text: str) -> str:
    return text if text.isascii() else "".join(map(_plain, text))


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


def _luhn(digits: str) -> bool:
    """The check digit of bank cards (ISO/IEC 7812-1)."""
    doubled = [sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2]]
    return (sum(doubled) + sum(int(digit) for digit in digits[::-2])) % 10 == 0


_CREDIT_CHARACTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def _is_credit_code(code: str) -> bool:
    """The check character of social credit codes (GB 32100-2015)."""
    total = sum(_CREDIT_CHARACTERS.index(character) * pow(3, place, 31) for place, character in enumerate(code[:17]))
    return _CREDIT_CHARACTERS[-total % 31] == code[17]


def _starred(kind: str, found: str) -> str:
    if kind == "email":
        return f"{found[:1]}****@****"
    if kind == "plate":
        return f"{found[:2]}*****"
    if kind == "credit_named":
        return re.sub(r"[0-9A-Za-z]+", "****", found)
    if kind in ("code", "local"):
        return re.sub(r"\d(?:.*\d)?", "****", found, flags=re.DOTALL)
    compact = re.sub(r"[^0-9A-Za-z]", "", found)
    if kind.startswith("mobile"):
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
