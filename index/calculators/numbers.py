"""Numbers as people write them, read into values: 8500, 12,000, 1.2万, 1万2千5, 15k, 八千五, 一万零五百, 五〇〇〇, 壹万贰仟, 三点五.

A number that can be read in two ways (七八千, 三万50, 1.000) has no value here: whoever asks for it asks again.
"""

from __future__ import annotations

import re
from decimal import Decimal

from index.search.normalise import clean

DIGITS = {character: value for value, character in enumerate("零一二三四五六七八九")} | {
    "〇": 0,
    "两": 2,
    "俩": 2,
    "仨": 3,
}
"""Chinese digits, with two that people say"""
_FORMAL = str.maketrans("〇壹贰叁肆伍陆柒捌玖拾佰仟wk", "零一二三四五六七八九十百千万千")
HAN = "零〇一二两三四五六七八九十百千万亿"
"""The characters of a Chinese number"""
_ALL_HAN = f"{HAN}壹贰叁肆伍陆柒捌玖拾佰仟"

_ARABIC = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
NUMBER = rf"(?:(?>(?:{_ARABIC}|[{_ALL_HAN}])(?:[{_ALL_HAN}]|(?<=[\d{_ALL_HAN}])[wk](?![a-z])|(?<!\d)\d+(?:\.\d+)?)*(?:点[零〇一二三四五六七八九]+[万千]?)?)|[俩仨])"
"""A number as people write it, in a regular expression, whole or not at all; :func:`number` says what it means."""

COUNTED = r"(?:年|个|月|天|日|号|岁|周|小时|钟头|点|倍|%|n|人|次|级|档)"
"""What makes a number after another one a figure of its own: 10000 3年."""
ALONE = rf"(?![\d{_ALL_HAN}])(?![ ,.、。'’_]\d++(?:[,.]\d++)*+(?!{COUNTED}))(?! {NUMBER}(?!{COUNTED}))(?!(?:[~\-–—/]|到|至|或者?){NUMBER})"
"""After a number: it does not go on (10,0000, 1 0000), and is not the beginning of a span (8000-10000)."""
BEFORE = rf"(?<![\d{_ALL_HAN}kw.~\-–—/到至或])(?<!\d[ ,、'’_])"
"""Before a number: it did not begin earlier."""

_DECIMAL_HAN = re.compile(r"(?P<head>[零一二三四五六七八九十]+)点(?P<tail>[零一二三四五六七八九]+)(?P<unit>[万千])?")
_UNITS = (("亿", 100_000_000), ("万", 10_000), ("千", 1000), ("百", 100), ("十", 10))
_MOST_CHARACTERS = 16
"""No sum of money is longer."""


def tidy(text: str) -> str:
    """Half width, lower case, simplified, and no white space except between two digits, Chinese ones too, where it separates."""
    return re.sub(rf"(?<![\d{_ALL_HAN}kw])\s+|\s+(?![\d{_ALL_HAN}])", "", clean(text))


def number(text: str) -> Decimal | None:
    """The value of one number: 8500, 12,000, 1.2万, 1万2, 15k, 八千五, 一万零五百, 三点五; None for anything else.

    Two digits side by side (七八千, 两三) are an estimate, not a number; so are figures that may be a slip (1.000, 1万50).
    """
    text = tidy(text)
    if not text or len(text) > _MOST_CHARACTERS:
        return None
    if text in ("俩", "仨"):
        return Decimal(DIGITS[text])
    if re.fullmatch(_ARABIC, text):
        whole, _, decimals = text.partition(".")
        # 1.000 may be a thousand with the separator of other countries.
        return None if len(decimals) == 3 and len(whole) <= 3 and whole != "0" else Decimal(text.replace(",", ""))
    text = text.translate(_FORMAL)
    if match := _DECIMAL_HAN.fullmatch(text):
        whole_value = number(match["head"])
        if whole_value is None:
            return None
        digits = "".join(str(DIGITS[character]) for character in match["tail"])
        return Decimal(f"{whole_value}.{digits}") * dict(_UNITS).get(match["unit"] or "", 1)
    if re.fullmatch("[零一二三四五六七八九]+", text):
        return _spelt(text)
    if re.search("[一二两三四五六七八九]{2}|零(?![1-9一二两三四五六七八九])|(?<![十百千万亿])零", text):
        return None
    # 一百一十, 十五 and 一万零十: a ten without a digit is one ten.
    text = re.sub("(^|[百千万亿零])十", r"\g<1>一十", text)
    return _value("".join(str(DIGITS[character]) if DIGITS.get(character) else character for character in text))


def _spelt(text: str) -> Decimal | None:
    """Digits without units: one of them, or as many as are surely spelt out (五〇〇〇, 二〇二六; not 七八, 零五, 三四五)."""
    if len(text) == 1:
        return Decimal(DIGITS[text])
    if text.startswith("零") or ("零" not in text and len(text) < 4):
        return None
    return Decimal("".join(str(DIGITS[character]) for character in text))


def _value(text: str) -> Decimal | None:
    """A number of Arabic digits with Chinese units: 1万零5百, 2万5, 12百."""
    for name, unit in _UNITS:
        if name not in text:
            continue
        head, _, tail = text.partition(name)
        high = _value(head) if unit >= 10_000 else _digits(head)
        if high is None or name in tail:
            return None
        if not tail:
            return high * unit
        low = _below(tail, unit)
        # 1.5万2 and 15千5: one of the two is wrong.
        if low is None or low >= unit or high != high.to_integral_value():
            return None
        return high * unit + low
    return _digits(text)


def _below(tail: str, unit: int) -> Decimal | None:
    """What follows a unit: 1万2 counts the next lower unit, 1万零2 and 1万0002 do not."""
    if tail.startswith("零"):
        return _value(tail[1:])
    if re.fullmatch("[1-9]", tail):
        return Decimal(tail) * (unit // 10)
    digits = len(str(unit)) - 1
    if tail.isdigit() and not (len(tail) == digits or (len(tail) == digits - 1 and unit > 100 and tail[0] != "0")):
        return None  # 1万50: 10050, or 15000 with a slip
    return _value(tail)


def _digits(text: str) -> Decimal | None:
    return Decimal(text.replace(",", "")) if re.fullmatch(_ARABIC, text) else None
