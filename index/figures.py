"""The figures in a text: numbers with their units, in Arabic or Chinese digits (满16周岁, 十六周岁), for comparing what two texts say."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from typing import NamedTuple

_DIGITS = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "俩": 2}
_PLACES = {"十": 10, "百": 100, "千": 1000}
_CHINESE = "零〇一二两三四五六七八九十百千万亿"

UNITS = {
    **dict.fromkeys(("个工作日", "工作日"), "工作日"),
    **dict.fromkeys(("周岁", "岁"), "岁"),
    **dict.fromkeys(("个月", "月"), "月"),
    **dict.fromkeys(("天", "日", "个自然日", "自然日"), "日"),
    **dict.fromkeys(("个小时", "小时"), "小时"),
    **dict.fromkeys(("平方米", "平米", "㎡"), "平方米"),
    **dict.fromkeys(("公里/小时", "公里每小时", "千米每小时", "km/h"), "公里/小时"),
    **{unit: unit for unit in ("年", "分钟", "元", "倍", "%", "分贝", "公里", "分", "周")},
}
"""A unit as it is written → the unit that it is compared as."""

_DATE = re.compile(r"\d{4}年(?:\d{1,2}月(?:\d{1,2}[日号])?)?|\d{1,2}月\d{1,2}[日号]|〔\d{4}〕\d*号?|\d+号")
_ORDINAL = re.compile(rf"第[{_CHINESE}\d]+[条款项章节次个]?(?:第?[（(][{_CHINESE}\d]+[）)]项?)?")
_PHONE = re.compile(r"(?<!\d)1\d{4}(?!\d)|(?<!\d)\d{7,}(?!\d)")
_PERCENT = re.compile(rf"百分之([{_CHINESE}\d.]+)")
_HALF = {"半年": "6个月", "半个月": "15日", "半个小时": "30分钟", "半小时": "30分钟"}
_UNIT = "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True))
_FIGURE = re.compile(rf"(\d+(?:\.\d+)?[万亿千]?|[{_CHINESE}]+)({_UNIT})(?!性)")


class Figure(NamedTuple):
    """A number and its unit; ``Decimal("0.5"), "倍"``."""

    value: Decimal
    unit: str

    def __str__(self) -> str:
        value = format(self.value.normalize(), "f")
        return f"{value}{self.unit}"


def number(text: str) -> Decimal | None:
    """The value of a number written in Arabic or Chinese digits (3.5, 1.2万, 一百二十, 两千, 三万五); None if it is none.

    A last digit without a place after 百, 千 or 万 is of the next lower place, as people say it (八千五 = 8500).
    """
    text = text.strip()
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([十百千万亿]*)", text)
    if match:
        value = Decimal(match[1])
        for place in match[2]:
            value *= _PLACES.get(place) or (10_000 if place == "万" else 100_000_000)
        return value
    if not text or set(text) - set(_CHINESE):
        return None
    if not set(text) & set("十百千万亿"):
        return Decimal("".join(str(_DIGITS[c]) for c in text))
    return _in_places(text)


def _in_places(text: str) -> Decimal | None:
    total = section = digit = 0
    last = 0  # the place before a closing digit: 八千五
    zero = False
    for character in text:
        if character in _DIGITS:
            zero = zero or character in "零〇"
            digit = digit * 10 + _DIGITS[character] if digit else _DIGITS[character]
        elif character in _PLACES:
            section += (digit or (1 if character == "十" else 0)) * _PLACES[character]
            last, digit, zero = _PLACES[character], 0, False
        else:
            scale = 10_000 if character == "万" else 100_000_000
            total = (total + section + digit) * scale
            last, section, digit, zero = scale, 0, 0, False
    if digit and last >= 100 and not zero and digit < 10:
        digit *= last // 10
    return Decimal(total + section + digit)


def figures(text: str) -> set[Figure]:
    """Every number with a unit.  Dates, article numbers, document numbers and phone numbers are not figures."""
    text = unicodedata.normalize("NFKC", text).replace(" ", "").replace(",", "")
    for half, meant in _HALF.items():
        text = text.replace(half, meant)
    text = _PHONE.sub("#", _ORDINAL.sub("#", _DATE.sub("#", text)))
    found: set[Figure] = set()

    def percent(match: re.Match[str]) -> str:
        value = number(match[1])
        if value is not None:
            found.add(Figure(value, "%"))
        return "#"

    text = _PERCENT.sub(percent, text)
    for match in _FIGURE.finditer(text):
        value = number(match[1])
        if value is not None:
            found.add(Figure(value, UNITS[match[2]]))
    return found
