"""A whole call by keyboard alone: the answer is there, it is taken, the ticket is written, the next one may come."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from processes import Stack, running
from sqlalchemy import select

from bot import database
from bot.accounts import service_accounts
from bot.clock import utcnow
from bot.desk import duty
from bot.models.calls import Call
from bot.models.desk import Choice
from bot.models.tickets import Ticket
from tests.console.colleague import Colleague

SAID = [
    ("agent", "您好12345热线请讲"),
    ("caller", "喂你好我姓陈陈建国"),
    ("caller", "我身份证前天在公交车上丢了"),
    ("caller", "我人在外地打工回不去老家"),
    ("caller", "能不能就在这边补办啊要带什么"),
    ("agent", "您的电话是多少"),
    ("caller", "幺三八零零幺三八零零零"),
]


@pytest.fixture(scope="module")
def floor(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A gateway with the starter knowledge."""
    with running(prepared, None, tmp_path_factory.mktemp("calls"), region="430100") as one:
        yield one


@pytest.fixture
def key(floor: Stack) -> dict[str, str]:
    """The telephone system's."""
    with floor.database(), database.write() as session:
        made = service_accounts.create(session, "测试", f"pbx-{uuid.uuid4().hex[:8]}", ["calls"])
    return {"Authorization": f"Bearer {made}"}


def answers(floor: Stack, number: str, browser: Browser) -> Colleague:
    headers = floor.person(number, f"坐席{number}", "agent")
    with floor.database(), database.write() as session:
        duty.set_duty(session, number, utcnow() + timedelta(hours=8))
    one = Colleague(browser, floor.url)
    one.bring(headers)
    return one


def rings(floor: Stack, key: dict[str, str], agent: str, said: list[tuple[str, str]]) -> str:
    with floor.http(headers=key) as http:
        body = {"external_id": uuid.uuid4().hex, "agent": agent, "caller": "13800138000"}
        call: str = http.post("/api/desk/calls", json=body).raise_for_status().json()["id"]
        for seq, (who, text) in enumerate(said, 1):
            segment: dict[str, Any] = {"seq": seq, "speaker": who, "text": text}
            http.post(f"/api/desk/calls/{call}/segments", json={"segments": [segment]}).raise_for_status()
    return call


def test_a_whole_call_by_keyboard(floor: Stack, key: dict[str, str], browser: Browser) -> None:
    agent = answers(floor, "1101", browser)
    page = agent.at("/calls")
    expect(page.get_by_text("没有电话。")).to_be_visible()
    call = rings(floor, key, "1101", SAID)
    first = page.locator("article").first
    expect(first).to_contain_text("身份证", timeout=30_000)
    agent.press("i")
    expect(page.get_by_text("请先告知")).to_have_count(0)
    agent.press("1", "a")
    expect(page.get_by_text("已采纳", exact=True)).to_be_visible()
    sheet = page.get_by_label("工单和小结")
    expect(sheet.get_by_label("姓名")).to_have_value("陈建国")
    expect(sheet.get_by_label("电话")).to_have_value("13800138000")
    agent.press("t")
    expect(sheet.get_by_role("heading", name=re.compile("^工单 20"))).to_be_visible()
    with floor.database(), database.read() as session:
        ticket = session.scalars(select(Ticket).order_by(Ticket.created_at.desc())).first()
        assert ticket is not None and ticket.phone == "13800138000" and ticket.channel == "phone"
        assert [one.what for one in session.scalars(select(Choice).where(Choice.subject == call))] == ["used"]
    agent.press("v")
    expect(page.get_by_text("整理", exact=True).first).to_be_visible()
    agent.press("n")
    expect(page.get_by_text("没有电话。")).to_be_visible()
    agent.press("g", "t")
    page.get_by_role("button", name=re.compile(ticket.number)).press("Enter")
    expect(page.get_by_role("heading", name=re.compile(ticket.number))).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^派单"))).to_be_enabled()
    agent.press("a")
    page.get_by_role("dialog").get_by_label("承办单位").fill("公安局")
    agent.press("Control+Enter")
    expect(page.get_by_text("已派单").first).to_be_visible()
    with floor.database(), database.read() as session:
        done = session.get_one(Call, call)
        assert (done.state, done.ticket) == ("done", ticket.number) and "身份证" in str(done.summary)
    assert not agent.complaints
    agent.context.close()


@pytest.mark.full
def test_what_is_pointed_at_does_not_move(floor: Stack, key: dict[str, str], browser: Browser) -> None:
    agent = answers(floor, "1102", browser)
    page = agent.at("/calls")
    call = rings(floor, key, "1102", SAID[:5])
    items = page.locator("article")
    expect(items.nth(1)).to_be_visible(timeout=30_000)
    held = items.nth(1).get_attribute("data-qa")
    items.nth(1).focus()
    with floor.http(headers=key) as http:
        for seq, text in enumerate(("不对不对我问的不是身份证", "我想问社保卡丢了怎么补"), 20):
            segment = {"seq": seq, "speaker": "caller", "text": text}
            http.post(f"/api/desk/calls/{call}/segments", json={"segments": [segment]}).raise_for_status()
    expect(page.get_by_text("社保卡", exact=False).first).to_be_visible(timeout=30_000)
    expect(page.locator("article:focus")).to_have_attribute("data-qa", held or "")
    assert not agent.complaints
    agent.context.close()


def test_typing_finds_and_the_newest_wins(floor: Stack, key: dict[str, str], browser: Browser) -> None:
    agent = answers(floor, "1103", browser)
    page = agent.at("/calls")
    agent.press("/")
    page.keyboard.type("居住证多久能拿到", delay=20)
    expect(page.locator("article").first).to_contain_text("居住证", timeout=30_000)
    agent.press("Escape")
    expect(page.locator("article")).to_have_count(0)
    assert not agent.complaints
    agent.context.close()
