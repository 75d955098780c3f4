"""待复核 and 知识体检 in Chromium: a repealed document, settling, two answers side by side, a file to take along."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from processes import Stack

from bot import database, health, knowledge, reviews
from bot.clock import SHANGHAI, utcnow
from bot.models.knowledge import Document
from tests.console.colleague import Colleague
from tests.console.test_pages import STILL, violations
from tests.index.test_assistant import qa

Come = Callable[..., Colleague]


def fill(desk: Stack) -> None:
    with desk.database(), database.write() as session:
        knowledge.upsert(session, [Document(id="fh-old", title="示例市防火办法", region="100000", status="有效")])
        sources = [{"document": "fh-old", "clause": "第三条"}]
        knowledge.upsert(
            session,
            [
                qa("fh-1", "防火巡查几天一次", "每15日一次。", sources=sources, department="消防救援局"),
                qa("fh-2", "防火巡查多久一次", "每10日一次。", sources=sources, department="应急管理局"),
            ],
        )
        today = utcnow().astimezone(SHANGHAI).date()
        reviews.change(session, "fh-old", "repealed", today, "系统", "市政府第9号公告")
        pair = {
            "one": "fh-1",
            "other": "fh-2",
            "alike": 0.97,
            "asked": ["防火巡查几天一次", "防火巡查多久一次"],
            "figures": [["15日"], ["10日"]],
            "sources": False,
        }
        health.keep(session, [pair], knowledge.revision(session), utcnow())


def test_what_waits_is_seen_filtered_and_settled_and_two_pages_know(come: Come, desk: Stack) -> None:
    fill(desk)
    editor, approver = come(**STILL), come(**STILL)
    editor.bring(desk.person("7001", "李编", "editor"))
    approver.bring(desk.person("7002", "王审", "approver"))
    page, other = editor.at("/reviews"), approver.at("/reviews")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("依据已废止")
    expect(rows.first).to_contain_text("照常作答，注明依据已变、正在核对")
    assert not violations(page)
    page.get_by_role("combobox", name="单位").click()
    page.get_by_role("option", name="应急管理局").click()
    expect(rows).to_have_count(1)
    page.locator("[data-row]").first.click()
    expect(page.get_by_role("dialog")).to_contain_text("示例市防火办法")
    page.get_by_label("复核的结果").fill("好")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("请写明复核的结果")
    page.get_by_label("复核的结果").fill("内容仍然对，新办法同样规定")
    assert not violations(page)
    page.keyboard.press("Control+Enter")
    expect(page.locator("tbody tr")).to_have_count(0)
    expect(other.locator("tbody tr")).to_have_count(1)  # told by an event
    other.get_by_text("已处理的").click()
    expect(other.locator("tbody tr").first).to_contain_text("内容仍然对，新办法同样规定")


@pytest.mark.full
def test_answers_side_by_side_coverage_and_the_file(come: Come, desk: Stack) -> None:
    with desk.database(), database.read() as session:
        filled = session.get(Document, "fh-old") is not None
    if not filled:  # by the test above
        fill(desk)
    editor = come(**STILL)
    editor.bring(desk.person("7003", "赵编", "editor"))
    page = editor.at("/unanswered")
    editor.press("g", "h")
    expect(page.get_by_role("heading", name="知识体检")).to_be_visible()
    pair = page.locator(".pairs li").first
    expect(pair).to_contain_text("每15日一次")
    expect(pair).to_contain_text("只有这里说：10日")
    assert not violations(page)
    page.get_by_text("覆盖和新旧").click()
    expect(page.get_by_role("table", name="各事项")).to_contain_text("测试事项")
    assert not violations(page)
    page.get_by_text("导出", exact=True).click()
    page.get_by_role("button", name="导出一份新的").click()
    expect(page.get_by_role("status").filter(has_text="正在导出")).to_be_visible()
    assert not violations(page)
