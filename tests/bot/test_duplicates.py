"""Tickets on the same matter are found before a new one is made, and only once enough was said."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from bot import database
from bot.errors import IllegalMove, InvalidInput
from bot.settings import ROOT, Settings
from bot.tickets import citizen, duplicates
from bot.tickets.duplicates import AT, Report, likeness, similar
from bot.tickets.particulars import Particulars
from index.assist.categories import suggest
from tests.bot.test_tickets import NOW, do, load, stored

PAIRS = ROOT / "tests" / "data" / "duplicates" / "pairs.jsonl"


def test_pairs_of_reports() -> None:
    """Row 26 of what agents complain about: precision ≥ .8 at recall ≥ .7; the categories are those that the machine suggests."""
    with PAIRS.open(encoding="utf-8", newline="") as file:
        pairs = [json.loads(line) for line in file if line.strip()]
    assert len(pairs) >= 120 and 0.4 <= sum(pair["same"] for pair in pairs) / len(pairs) <= 0.6
    hits = shown = same = 0
    for pair in pairs:
        one, other = (
            Report(
                side["text"],
                None,
                best.code if (best := suggest(side["text"], None).best) else None,
                None,
                side["address"],
            )
            for side in (pair["a"], pair["b"])
        )
        found, _ = likeness(one, other, same_caller=pair["a"]["caller"] == pair["b"]["caller"])
        shown += found >= AT
        same += pair["same"]
        hits += found >= AT and pair["same"]
    assert hits / shown >= 0.8 and hits / same >= 0.7, f"precision {hits / shown:.2f}, recall {hits / same:.2f}"


def matching(report: Report, **more: object) -> list[str]:
    with database.read() as session:
        return [one.ticket.number for one in similar(session, report, NOW, **more)]  # type: ignore[arg-type]


def test_nothing_is_shown_before_enough_was_said(db: Settings) -> None:
    number = stored(
        subject="小区停水一天了没人管", phone="13812345678", more=Particulars(address="四方坪小区", category="1001")
    )
    assert matching(Report("")) == matching(Report("停水")) == matching(Report("停水了！！")) == []
    assert matching(Report("", phone="138")) == []
    assert matching(Report("", phone="138 1234 5678")) == [number]
    same = Report("小区从早上就停水了", address="四方坪小区3栋", category="1001")
    assert matching(same) == [number]
    assert matching(same, skip=number) == [] and matching(same, within="民政局") == []
    assert matching(Report("小区从早上就停水了", address="三方坪小区", category="1001")) == []


def test_only_open_ones_of_this_week_or_of_the_same_caller(db: Settings) -> None:
    report = Report("小区从早上就停水了", address="四方坪小区3栋", category="1001", region="430104")
    more = Particulars(address="四方坪小区", category="1001")
    subject = "小区停水一天了没人管"
    old = stored(subject=subject, more=more, now=NOW - timedelta(days=8), phone="13812345678")
    gone = stored(subject=subject, more=more, conversation_id=None)
    do(citizen.withdraw, gone)
    elsewhere = stored(subject=subject, more=more, region="110105")
    assert matching(report) == [] and elsewhere
    again = Report(report.text, "13812345678", "1001", "430104", report.address)
    assert matching(again) == [old], "the same caller's matter is theirs however long it takes"


def test_another_callers_words_go_to_the_ticket_there_is(db: Settings) -> None:
    number = stored(subject="小区停水一天了", phone="13812345678")
    do(duplicates.join, number, "我们这栋也停了", "8001", phone="13987654321")
    ticket = load(number)
    assert ticket.phone == "13812345678"
    said = [(event.action, event.public) for event in ticket.events[1:]]
    assert said == [("补充", True), ("并入来电", False)]
    with database.read() as session:
        told = citizen.status_reply(session.merge(ticket, load=False))
    assert "13987654321" not in told.model_dump_json() and "我们这栋也停了" in told.model_dump_json()
    with pytest.raises(InvalidInput, match="联系电话"):
        do(duplicates.join, number, "还停着", "8001", phone="123")
    do(citizen.withdraw, number)
    with pytest.raises(IllegalMove):
        do(duplicates.join, number, "还停着", "8001")
