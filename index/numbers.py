"""Numbers as people write them, read into values: 8500, 12,000, 1.2万, 15k, 八千五, 一万零五百, 三点五."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

DIGITS = {character: value for value, character in enumerate("零一二三四五六七八九")} | {
    "〇": 0,
    "两": 2,
    "俩": 2,
    "仨": 3,
}
"""Chinese digits, with two that people say"""
_UNITS = {"十": 10, "百": 100, "千": 1000}
_LATIN_UNITS = {"w": 10_000, "万": 10_000, "k": 1000, "千": 1000, "百": 100, "亿": 100_000_000}
HAN = "零〇一二两三四五六七八九十百千万亿"
"""The characters of a Chinese number"""

NUMBER = rf"(?:(?:\d{{1,3}}(?:,\d{{3}})+|\d+)(?:\.\d+)?(?:[万千百wk](?:\d+(?:\.\d+)?[千百]?)?)?|[{HAN}]+(?:点[零〇一二三四五六七八九]+[万千]?)?|[俩仨])"
"""A number as people write it, in a regular expression; :func:`number` says what it means."""

_ARABIC = re.compile(
    r"(?P<head>(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)(?:(?P<unit>[万千百wk亿])(?:(?P<tail>\d+(?:\.\d+)?)(?P<tail_unit>[千百])?)?)?"
)
_DECIMAL_HAN = re.compile(
    r"(?P<head>[零〇一二三四五六七八九十]+)点(?P<tail>[零〇一二三四五六七八九]+)(?P<unit>[万千])?"
)


def tidy(text: str) -> str:
    """Half width, lower case, and no white space except between two digits, where it separates."""
    text = unicodedata.normalize("NFKC", text).lower().strip()
    return re.sub(r"(?<!\d)\s+|\s+(?!\d)", "", text)


def number(text: str) -> Decimal | None:
    """The value of one number: 8500, 12,000, 1.2万, 1万2, 15k, 八千五, 一万零五百, 三点五; None for anything else.

    Two digits side by side (七八千, 两三) are an estimate, not a number.
    """
    text = tidy(text)
    if len(text) > 16:  # no sum of money is as long
        return None
    if match := _ARABIC.fullmatch(text):
        head = Decimal(match["head"].replace(",", ""))
        if match["unit"] is None:
            return head
        unit = _LATIN_UNITS[match["unit"]]
        total = head * unit
        if match["tail"] is not None:
            tail = Decimal(match["tail"])
            if match["tail_unit"]:
                tail *= _LATIN_UNITS[match["tail_unit"]]
            elif len(match["tail"]) == 1:  # 1万2: the digit counts the next lower unit
                tail *= unit // 10
            if tail >= unit:
                return None
            total += tail
        return total
    if match := _DECIMAL_HAN.fullmatch(text):
        whole = _han(match["head"])
        if whole is None:
            return None
        digits = "".join(str(DIGITS[character]) for character in match["tail"])
        value = Decimal(f"{whole}.{digits}")
        return value * _LATIN_UNITS[match["unit"]] if match["unit"] else value
    if text in ("俩", "仨"):
        return Decimal(DIGITS[text])
    whole = _han(text)
    return None if whole is None else Decimal(whole)


def _han(text: str) -> int | None:
    """A whole number in Chinese characters."""
    if not text or re.fullmatch(rf"[{HAN}]+", text) is None:
        return None
    for name, value in (("亿", 100_000_000), ("万", 10_000)):
        if name in text:
            head, _, tail = text.partition(name)
            high = _han(head)
            if high is None or name in tail:
                return None
            if not tail:
                return high * value
            low = DIGITS[tail] * value // 10 if DIGITS.get(tail) else _han(tail)
            return None if low is None or low >= value else high * value + low
    return _section(text)


def _section(text: str) -> int | None:
    """A whole number below ten thousand: 三千零五十, 八千五 (8500), 十五."""
    total, last_unit, position, after_zero = 0, 10_000, 0, False
    while position < len(text):
        character = text[position]
        if character in "零〇":
            if len(text) == 1:
                return 0
            after_zero = True
            position += 1
            continue
        if character in DIGITS:
            digit, position = DIGITS[character], position + 1
        elif character == "十" and position == 0:
            digit = 1
        else:
            return None
        unit = 1
        if position < len(text) and text[position] in _UNITS:
            unit = _UNITS[text[position]]
            position += 1
        elif position == len(text) and last_unit in (100, 1000) and not after_zero:
            unit = last_unit // 10
        if unit >= last_unit:
            return None  # 七八: two digits of the same rank
        total += digit * unit
        last_unit, after_zero = unit, False
    return total
