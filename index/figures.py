"""The figures in a text: numbers with their units, in Arabic or Chinese digits (满16周岁, 十六周岁), for comparing what two texts say."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from typing import NamedTuple

from index.calculators.numbers import HAN, number

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
_ORDINAL = re.compile(rf"第[{HAN}\d]+[条款项章节次个]?(?:第?[（(][{HAN}\d]+[）)]项?)?")
_PHONE = re.compile(r"(?<!\d)1\d{4}(?!\d)|(?<!\d)\d{7,}(?!\d)")
_PERCENT = re.compile(rf"百分之([{HAN}\d.]+)")
_HALF = {"半年": "6个月", "半个月": "15日", "半个小时": "30分钟", "半小时": "30分钟"}
_UNIT = "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True))
_FIGURE = re.compile(rf"(\d+(?:\.\d+)?[万亿千]?|[{HAN}]+)({_UNIT})(?!性)")


class Figure(NamedTuple):
    """A number and its unit; ``Decimal("0.5"), "倍"``."""

    value: Decimal
    unit: str

    def __str__(self) -> str:
        value = format(self.value.normalize(), "f")
        return f"{value}{self.unit}"


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


def without_figures(text: str) -> str:
    """The text without its figures and dates: what two statements share that differ in a figure only."""
    text = unicodedata.normalize("NFKC", text).replace(" ", "").replace(",", "")
    text = _PERCENT.sub("", _PHONE.sub("", _DATE.sub("", text)))
    return _FIGURE.sub(lambda match: "" if number(match[1]) is not None else match[0], text)
