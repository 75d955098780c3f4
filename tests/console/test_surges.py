"""New matters in Chromium: on top of every desk, seen, judged with a draft, and gone from there."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import timedelta

from playwright.sync_api import expect
from processes import Stack

from bot import database, surges
from bot.clock import utcnow
from bot.models.asked import Asked
from bot.surges import Found
from tests.console.colleague import Colleague
from tests.console.test_pages import STILL, violations
from tests.training.test_surges import EVENTS

Come = Callable[..., Colleague]


def water(desk: Stack) -> None:
    """A water cut as the watch raises it."""
    now = utcnow()
    lines = [json.loads(line) for line in (EVENTS / "tune.jsonl").read_text("utf-8").splitlines()]
    texts = [line["q"] for line in lines if line["event"] == "water"][:20]
    rows = [
        Asked(
            id=uuid.uuid4().hex,
            at=now - timedelta(minutes=9 - number % 9),
            source="市民",
            channel="web",
            person=f"p{number}",
            region="430102",
            said={"text": text, "normalised": text},
            act="ask_policy",
            decision="offer",
            found={"candidates": []},
            refused=False,
        )
        for number, text in enumerate(texts)
    ]
    with desk.database(), database.write() as session:
        ids = [row.id for row in rows]
        session.add_all(rows)
        session.flush()
        found = Found(None, now - timedelta(minutes=9), now, 20, 10, 0.2, 14.0, ids[0], ids)
        surges.raise_(session, found, now)


def test_a_new_matter_is_on_top_of_the_desk_and_is_judged(come: Come, desk: Stack) -> None:
    agent = come("1001", **STILL)
    page = agent.at("/work")
    strip = page.get_by_label("新事项", exact=True)
    expect(page.get_by_role("navigation")).to_be_visible()
    expect(strip).to_have_count(0)
    water(desk)
    expect(strip).to_contain_text("20 人")  # by itself
    expect(strip).to_contain_text("金桂园")
    expect(strip.get_by_role("link")).to_have_count(0)
    assert not violations(page)

    editor = come(**STILL)
    editor.bring(desk.person("7111", "李编", "editor"))
    other = editor.at("/knowledge")
    other.get_by_label("新事项", exact=True).get_by_role("link", name="去处理").click()
    rows = other.locator("[data-surge]")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("金桂园")
    expect(rows).to_contain_text("长沙市")
    assert not violations(other)

    strip.get_by_role("button", name="看过了").click()
    expect(strip).to_have_count(0)
    expect(other.get_by_label("新事项", exact=True)).to_have_count(0)
    menu = other.get_by_role("navigation").get_by_role("link", name="待学习")
    expect(menu).to_have_text("待学习 1")  # seen is not judged

    rows.focus()
    editor.press("3")
    dialog = other.get_by_role("dialog")
    expect(dialog.get_by_label("问题")).to_have_value("金桂园小区今天为什么停水")
    dialog.get_by_label("答案").fill("正在抢修，预计 18 点恢复。")
    assert not violations(other)
    other.keyboard.press("Control+Enter")
    expect(other.get_by_text("没有比平时问得多的事。")).to_be_visible()
    other.locator("label.el-checkbox", has_text="处理过的").click()
    expect(rows).to_contain_text("属实")
    rows.get_by_role("link").click()
    expect(other.get_by_text("金桂园小区今天为什么停水").first).to_be_visible()
    with desk.database(), database.read() as session:
        (one,), total = surges.listed(session, "judged")
        assert total == 1 and one.row.real and one.row.draft and one.row.seen_by == "1001"


def test_who_may_say_what_it_was(desk: Stack) -> None:
    water(desk)
    with desk.http() as http:
        agent, editor = desk.person("7112", "钱坐席", "agent"), desk.person("7111", "李编", "editor")
        page = http.get("/api/console/surges", params={"state": "going"}, headers=agent).json()
        (one,) = page["items"]
        assert sum(one["trend"]) == one["questions"] == 20 and one["seen_name"] is None and one["qa_id"] is None
        about = f"/api/console/surges/{one['id']}"
        assert http.post(f"{about}/judgement", json={"real": True}, headers=agent).status_code == 403
        assert http.post("/api/console/surges/none/seen", headers=agent).status_code == 404
        body = {"real": True, "question": "金桂园停水什么时候恢复", "answer": ""}
        assert http.post(f"{about}/judgement", json=body, headers=editor).status_code == 422
        waiting = page["figures"]["waiting"]
        assert http.post(f"{about}/judgement", json={"real": False, "why": "演习"}, headers=editor).json() == {
            "draft": None
        }
        assert http.post(f"{about}/judgement", json={"real": True}, headers=editor).status_code == 409
        after = http.get("/api/console/surges", params={"state": "judged"}, headers=agent).json()
        assert after["figures"]["waiting"] == waiting - 1 and after["figures"]["false"] == page["figures"]["false"] + 1
        assert after["items"][0]["why"] == "演习" and after["items"][0]["judged_name"] == "李编"
