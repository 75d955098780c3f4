"""Fields of a ticket from a call: every one from a line, no figure changed, nothing made up."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.clock import SHANGHAI
from bot.settings import ROOT
from index.assist.fields import Field, day_of, fields
from index.assist.lines import Line, Speaker
from index.assist.spoken import phone

CALLS = ROOT / "tests" / "data" / "calls" / "development.jsonl"
FRIDAY = date(2026, 11, 27)


def lines_of(*said: str) -> list[Line]:
    """「坐」 before what an agent says."""
    speakers: list[Speaker] = ["agent" if text.startswith("坐") else "caller" for text in said]
    return [
        Line(seq, who, text.removeprefix("坐")) for seq, (who, text) in enumerate(zip(speakers, said, strict=True), 1)
    ]


def calls(path: Path = CALLS) -> list[tuple[list[Line], dict[str, Any] | None]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = [json.loads(line) for line in file if line.strip()]
    return [([Line(seq, one["s"], one["t"]) for seq, one in enumerate(row["lines"], 1)], row["ticket"]) for row in rows]


@pytest.mark.parametrize(
    ("said", "digits"),
    [
        (["坐您的电话", "幺三八零零幺三八零零零"], "13800138000"),
        (["我的电话是一三八", "零零幺三", "八零零零"], "13800138000"),
        (["电话138 0013 8000"], "13800138000"),
        (["手机么三八，零零一三，嗯八零零零"], "13800138000"),
        (["座机零七三一八八八八六六六六"], "0731-88886666"),
        (["零二零", "八三五五", "幺二三四"], "020-83551234"),
        (["一三八零零幺三三个零八零"], "13800130008" + "0"),
        (["幺三八零零幺三八零零零", "不对不对是幺三九零零幺三八零零零"], "13900138000"),
        (["幺三八零零幺三八零零零", "说错了最后四位是八零零幺"], "13800138001"),
        (["幺三八零零幺三八零零零", "坐幺三八零零幺三八零零幺", "对"], "13800138001"),
        (["幺三八零零幺三八零零零", "坐幺三八零零幺三八零零幺", "不对是零零零"], "13800138000"),
        (["老板的电话是幺三九一二三四五六七八", "我的幺三八零零幺三八零零零"], "13800138000"),
        (["我打过幺二三四五没人接"], None),
        (["坐您可以拨打零七三一八八八八六六六六"], None),
        (["幺三八零零幺三八零零零九"], None),  # twelve digits
        (["欠我一万三千八百块", "住三栋一一零三"], None),
    ],
)
def test_a_number_is_what_was_said(said: Sequence[str], digits: str | None) -> None:
    if digits == "138001300080":
        digits = None  # twelve digits again
    found = phone(lines_of(*said))
    expected = digits.replace("-", "") if digits else None
    assert (found.digits.replace("-", "") if found and found.digits else None) == expected


SPOKEN = ("零〇洞0", "一幺1", "二2", "三3", "四4", "五5", "六6", "七拐7", "八8", "九勾9")


@settings(deadline=None)
@given(st.integers(3, 9), st.lists(st.integers(0, 9), min_size=9, max_size=9), st.data())
def test_any_mobile_number_comes_out_as_it_was_spoken(second: int, rest: list[int], data: st.DataObject) -> None:
    digits = [1, second, *rest]
    said = "".join(data.draw(st.sampled_from(SPOKEN[digit])) for digit in digits)
    cuts = sorted(data.draw(st.sets(st.integers(3, 8), max_size=2)))
    pieces = [said[start:end] for start, end in zip([0, *cuts], [*cuts, len(said)], strict=True)]
    if any(len(piece) < 3 for piece in pieces):
        pieces = [said]
    found = phone(lines_of("坐您电话多少", *pieces))
    assert found is not None and found.digits == "".join(map(str, digits))


def test_the_development_calls() -> None:
    right = {"phone": 0, "region": 0}
    asked = {"phone": 0, "region": 0}
    for lines, ticket in calls():
        found = fields(lines, today=FRIDAY)
        by_seq = {line.seq: line.text for line in lines}
        for name in ("caller_name", "phone", "region", "address", "told_time", "matter", "wanted", "kind"):
            one: Field = getattr(found, name)
            assert (one.value is None) or one.spans, f"{name} has no source"
            assert one.sure <= bool(one.value)
            said = "".join(by_seq[span.seq][span.start : span.end] for span in one.spans)
            if one.value and name in ("caller_name", "region", "address", "told_time"):
                assert one.value == said
        for name in asked:
            if ticket and ticket[name]:
                asked[name] += 1
                value = getattr(found, name).value
                right[name] += (value or "").replace("-", "") == ticket[name]
    # Of 31 numbers three were spoken with twelve digits: they are no numbers, and are not guessed.
    assert asked == {"phone": 31, "region": 32}
    assert right["phone"] == 28 and right["region"] >= 30


def test_what_nobody_said_is_left_open() -> None:
    found = fields(lines_of("坐您好", "我想问一下退休年龄"))
    assert [found.phone, found.region, found.address, found.told_time, found.caller_name] == [Field()] * 5
    assert found.phone.state == "待核" and found.happened_on is None and found.category == Field()
    assert fields([]).matter == Field()


def test_where_somebody_comes_from_is_not_where_it_is() -> None:
    found = fields(lines_of("坐您好", "我老家是寿县的", "我住武侯区锦城花园六栋", "楼上天天漏水"))
    assert (found.region.value, found.region.code) == ("武侯区", "510107")
    assert found.address.value == "锦城花园六栋"
    assert fields(lines_of("坐在哪个区", "不是岳麓区是开福区")).region.value == "开福区"


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("昨天下午", date(2026, 11, 26)),
        ("前天", date(2026, 11, 25)),
        ("今天上午九点多", FRIDAY),
        ("上周六", date(2026, 11, 21)),
        ("上上个星期一", date(2026, 11, 9)),
        ("三月十六号", date(2026, 3, 16)),
        ("十二月三号", date(2025, 12, 3)),
        ("去年十月一号", date(2025, 10, 1)),
        ("昨天夜里两点多", None),
        ("九号", None),
        ("二月三十号", None),
        ("上个月", None),
    ],
)
def test_a_day_is_named_only_where_it_is_sure(said: str, day: date | None) -> None:
    assert day_of(said, FRIDAY) == day


def test_the_lines_own_time_is_the_day_of_the_call() -> None:
    at = datetime(2026, 11, 27, 0, 30, tzinfo=SHANGHAI)
    found = fields([Line(1, "caller", "昨天下午小区停水了", at)])
    assert (found.told_time.value, found.happened_on) == ("昨天下午", date(2026, 11, 26))


def test_the_kind_is_what_the_caller_calls_it() -> None:
    assert fields(lines_of("我要投诉物业不修电梯")).kind.value == "投诉"
    assert fields(lines_of("我提个建议行吧不是投诉", "能不能加一站")).kind.value == "建议"
    unsure = fields(lines_of("楼上漏水没人管", "你们赶紧派人来")).kind
    assert (unsure.value, unsure.state) == ("求助", "待核")
