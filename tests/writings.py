"""One figure in all the ways people write it: amounts, days, months, lengths of time, phone and ticket numbers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

_DIGITS = "零一二三四五六七八九"
_WIDE = str.maketrans("0123456789,.-/", "０１２３４５６７８９，．－／")
_FORMAL = str.maketrans("一二三四五六七八九十百千", "壹贰叁肆伍陆柒捌玖拾佰仟")
_TRADITIONAL = str.maketrans("万两", "萬兩")


def han(value: int) -> str:
    """A whole number in characters, the long way: 一万零五百."""
    high, low = divmod(value, 10_000)
    if high:
        return han(high) + "万" + ("零" if 0 < low < 1000 else "") + (_section(low) if low else "")
    return _section(value) or "零"


def _section(part: int) -> str:
    out, zero = "", False
    for place, unit in ((3, "千"), (2, "百"), (1, "十"), (0, "")):
        digit = part // 10**place % 10
        if digit:
            out += ("零" if zero and out else "") + _DIGITS[digit] + unit
            zero = False
        else:
            zero = True
    return out


def spoken(value: int) -> str:
    """十五 for 一十五."""
    said = han(value)
    return said[1:] if said.startswith("一十") else said


def spelt(digits: str) -> str:
    """Digit by digit: 二〇二六."""
    return "".join("〇一二三四五六七八九"[int(digit)] for digit in digits)


def amounts(seed: int, count: int) -> Iterator[int]:
    """Whole amounts of 500 yuan to ten million, round ones and rows of equal digits among them."""
    draw = random.Random(seed)
    for number in range(count):
        if number % 4 == 0:
            yield int(str(draw.randint(1, 9)) * draw.randint(4, 6))
        elif number % 4 == 1:
            yield draw.randint(5, 99) * 10 ** draw.randint(2, 4)
        else:
            yield int(10 ** draw.uniform(2.7, 6.9))


def of_amount(value: int) -> dict[str, str]:
    """All writings of an amount in yuan, by kind."""
    plain, grouped = str(value), f"{value:,}"
    ways = {
        "plain": plain,
        "yuan": f"{plain}元",
        "kuai": f"{plain}块钱",
        "wide": plain.translate(_WIDE),
        "grouped": grouped,
        "wide grouped": grouped.translate(_WIDE),
        "fen": f"{plain}.00",
        "grouped fen": f"{grouped}.00元",
        "han": f"{han(value)}元",
        "traditional": han(value).translate(_TRADITIONAL),
        "formal": f"{han(value).translate(_FORMAL)}元整",
        "keycaps": "".join(f"{digit}\ufe0f\u20e3" for digit in plain),
        "invisible": "\u200b".join(plain),
        "sign": f"￥{plain}",
        "a month": f"{plain}元/月",
    }
    if value >= 1000 and "0" in plain:
        ways["spelt"] = spelt(plain)
    units = [("万", 10_000), ("w", 10_000), ("W", 10_000)] if value >= 10_000 else [("千", 1000), ("k", 1000), ("K", 1000)]  # fmt: skip
    for name, unit in units if value >= 1000 else []:
        part = Decimal(value) / unit
        if value >= unit and part == part.quantize(Decimal("0.01")):
            ways[f"decimal {name}"] = f"{part.normalize():f}{name}"
        if value % unit and value % (unit // 10) == 0:
            rest = value % unit // (unit // 10)
            ways[f"digit {name}"] = f"{value // unit}{name}{rest}"
            if name in "万千":
                ways[f"said {name}"] = f"{han(value // unit).replace('二', '两') if value // unit == 2 else han(value // unit)}{name}{_DIGITS[rest]}"  # fmt: skip
                ways[f"mixed {name}"] = f"{value // unit}{name}{_DIGITS[rest]}"
    if value >= 10_000 and value % 1000 == 0:
        ways["thousands"] = f"{value // 1000}k"
        if value % 10_000:
            ways["two units"] = f"{value // 10_000}万{value % 10_000 // 1000}千"
    return ways


def spoilt(value: int, draw: random.Random) -> str:
    """An amount with a slip in it: whoever reads it gets this amount or none."""
    plain = str(value)
    place = draw.randint(1, len(plain) - 1)
    return draw.choice(
        [
            f"{plain[:place]} {plain[place:]}",
            f"{plain[:place]},{plain[place:]}",
            f"{plain[:place]}，{plain[place:]}",
            f"{plain[:place]}'{plain[place:]}",
            f"{plain[:place]}、{plain[place:]}",
            f"{plain[:place]}o{plain[place:]}",
            f"{plain[:place]}O",
            f"{plain}²",
            f"{plain}①",
            f"{plain}-{value + 1000}",
            f"{plain}~{value + 1000}",
            f"{plain}到{value + 1000}",
            f"{plain}或者{han(value + 1000)}",
            f"{han(value)}多",
            f"{plain}几",
        ]
    )


def of_day(day: date) -> dict[str, str]:
    """All writings of a day, by kind."""
    year, month, number = day.year, day.month, day.day
    return {
        "long": f"{year}年{month}月{number}日",
        "hao": f"{year}年{month}月{number}号",
        "zeros": f"{year}年{month:02}月{number:02}日",
        "wide": f"{year}年{month}月{number}日".translate(_WIDE),
        "short year": f"{year % 100:02}年{month}月{number}日",
        "han": f"{spelt(str(year))}年{spoken(month)}月{spoken(number)}日",
        "half han": f"{year}年{spoken(month)}月{spoken(number)}号",
        "dashes": f"{year}-{month}-{number}",
        "iso": day.isoformat(),
        "wide iso": day.isoformat().translate(_WIDE),
        "dots": f"{year}.{month}.{number}",
        "slashes": f"{year}/{month}/{number}",
        "block": f"{day:%Y%m%d}",
        "spaces": f"{year} 年 {month} 月 {number} 日",
    }


def of_month(year: int, month: int) -> dict[str, str]:
    """All writings of a month, by kind."""
    return {
        "long": f"{year}年{month}月",
        "zeros": f"{year}年{month:02}月份",
        "wide": f"{year}年{month}月".translate(_WIDE),
        "short": f"{year % 100:02}年{month}月",
        "han": f"{spelt(str(year))}年{spoken(month)}月",
        "short han": f"{spelt(str(year)[2:])}年{spoken(month)}月",
        "dots": f"{year}.{month}",
        "dashes": f"{year}-{month:02}",
        "block": f"{year}{month:02}",
    }


def of_length(months: int) -> dict[str, str]:
    """All writings of a length of time in months, by kind."""
    years, rest = divmod(months, 12)
    ways = {"months": f"{months}个月", "wide months": f"{months}个月".translate(_WIDE), "han months": f"{spoken(months)}个月"}  # fmt: skip
    if years and not rest:
        ways |= {"years": f"{years}年", "han years": f"{spoken(years)}年", "whole years": f"整{years}年"}
    if years and rest:
        ways |= {"both": f"{years}年{rest}个月", "and": f"{years}年零{rest}个月", "han": f"{spoken(years)}年零{spoken(rest)}个月", "wide": f"{years}年{rest}个月".translate(_WIDE)}  # fmt: skip
    if rest == 6 and years:
        ways |= {"half": f"{years}年半", "han half": f"{spoken(years)}年半", "decimal": f"{years}.5年"}
    return ways


def of_phone(phone: str) -> dict[str, str]:
    """All writings of a mobile number, by kind."""
    return {
        "plain": phone,
        "spaces": f"{phone[:3]} {phone[3:7]} {phone[7:]}",
        "dashes": f"{phone[:3]}-{phone[3:7]}-{phone[7:]}",
        "wide": phone.translate(_WIDE),
        "country": f"+86 {phone}",
        "spelt": spelt(phone),
    }


def of_ticket(number: str) -> dict[str, str]:
    """All writings of a ticket number, by kind."""
    return {
        "plain": number,
        "wide": number.translate(_WIDE),
        "dash": f"{number[:8]}-{number[8:]}",
        "space": f"{number[:8]} {number[8:]}",
    }
